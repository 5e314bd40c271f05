"""Types that a model file may hold: those of ntklib's own pipelines, and nothing else.

The list is closed. What skops would trust by itself (every estimator of scikit-learn, hundreds of functions,
constructors called with arguments from the file) is not needed, so it is refused before skops sees it. Only
classes whose construction from stored attributes runs no code of the file's choosing belong here: plain
records, kernels and estimators. A kernel that wraps a user's function does not.
"""

from __future__ import annotations

from typing import Any

from ntklib.estimators import NTKClassifierCV, NTKRegressorCV, PenaltyPath
from ntklib.kernels import NNGP, NTK, ArcCosine
from ntklib.solvers import Solution

_OURS = frozenset(
    f"{kind.__module__}.{kind.__qualname__}"
    for kind in (ArcCosine, NNGP, NTK, NTKClassifierCV, NTKRegressorCV, PenaltyPath, Solution)
)

TRUSTED_TYPES: tuple[str, ...] = (*sorted(_OURS), "numpy.dtype")
"""Those that skops has to be told of."""

_SCALARS = frozenset(f"builtins.{name}" for name in ("bool", "float", "int", "str"))
_SCALAR_TYPES = ("bool", "bool_", "float32", "float64", "int32", "int64", "str_")
_NUMPY = frozenset(f"numpy.{name}" for name in _SCALAR_TYPES)

NODES: dict[str, frozenset[str]] = {
    "ObjectNode": _OURS
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
    found = set()
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if "__loader__" in node:
                loader, name = node["__loader__"], f"{node.get('__module__')}.{node.get('__class__')}"
                allowed = NODES.get(loader) if isinstance(loader, str) else None
                if allowed is None:
                    found.add(f"{name} by {loader}")
                elif name not in allowed:
                    found.add(name)
            left.extend(node.values())
        elif isinstance(node, list):
            left.extend(node)
    return sorted(found)
