"""Types that a model file may hold: those of ntklib's own pipelines, and nothing else.

Classes of ntklib have their public names in a file (``ntklib.kernels.NTK``), whatever module they are defined
in, so that a file outlives a move of the class to another module.

The list is closed. What skops would trust by itself (every estimator of scikit-learn, hundreds of functions,
constructors called with arguments from the file) is not needed, so it is refused before skops sees it. Only
classes whose construction from stored attributes runs no code of the file's choosing belong here: plain
records, kernels and estimators. A kernel that wraps a user's function does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ntklib import estimators, kernels, solvers
from ntklib.lab import tables

_NAMES = {
    estimators: ("LearnedFeatures", "NTKClassifierCV", "NTKRegressorCV", "PenaltyPath"),
    kernels: ("ArcCosine", "Laplace", "NNGP", "NTK", "Scaled"),
    tables: ("Squash", "WordHasher"),
    solvers: ("CentrePosterior", "CentreSolution", "CentreSpectrum", "CentreTriangle", "Solution"),
}

PUBLIC_TYPES: dict[str, type] = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package, names in _NAMES.items()
    for name in names
}
"""Classes of ntklib that a file may hold, by their public names."""

_SCALARS = frozenset(f"builtins.{name}" for name in ("bool", "float", "int", "str"))
_SCALAR_TYPES = ("bool", "bool_", "float32", "float64", "int32", "int64", "str_")
_NUMPY = frozenset(f"numpy.{name}" for name in _SCALAR_TYPES)

NODES: dict[str, frozenset[str]] = {
    "ObjectNode": frozenset(PUBLIC_TYPES)
    | {
        "sklearn.compose._column_transformer.ColumnTransformer",
        "sklearn.impute._base.SimpleImputer",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._encoders.OneHotEncoder",
    },
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DictNode": frozenset({"builtins.dict"}),
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "NdArrayNode": _NUMPY | {"numpy.ndarray"},
    "SetNode": frozenset({"builtins.set"}),
    "SliceNode": frozenset({"builtins.slice"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": _SCALARS | _NUMPY,
}
"""The types that each node of a dump may name: how skops is to build an object, and of which type."""


def strangers(schema: Any) -> list[str]:
    """Return the types in the ``schema.json`` of a dump that are none of ours or are not built as ours."""
    unknown = set()
    for node in _nodes(schema):
        loader, name = node["__loader__"], _type_name(node)
        allowed = NODES.get(loader) if isinstance(loader, str) else None
        if allowed is None:
            unknown.add(f"{name} by {loader}")
        elif name not in allowed:
            unknown.add(name)
    return sorted(unknown)


def make_public(schema: Any) -> None:
    """Replace the modules of ntklib's classes in a dump by those that a user imports them from."""
    public = {_defined_name(kind): name for name, kind in PUBLIC_TYPES.items()}
    for node in _nodes(schema):
        if name := public.get(_type_name(node)):
            node["__module__"], _, node["__class__"] = name.rpartition(".")


def make_internal(schema: Any) -> None:
    """Undo :func:`make_public`, with the modules that the classes are defined in today."""
    for node in _nodes(schema):
        if kind := PUBLIC_TYPES.get(_type_name(node)):
            node["__module__"], node["__class__"] = kind.__module__, kind.__qualname__


def trusted_types() -> list[str]:
    """Return the types that skops has to be told of, as they are named after :func:`make_internal`."""
    return [*map(_defined_name, PUBLIC_TYPES.values()), "numpy.dtype"]


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every node of a dump that names a type."""
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if "__loader__" in node:
                yield node
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)


def _type_name(node: dict[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _defined_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
