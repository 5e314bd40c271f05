"""A user's parameters, rows and vectors, checked against the network and made ready for the loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ntklib._core.validation import check_rows

from .derivatives.layers import Copy, Direction, Directions, Layer
from .params import Params, as_params
from .spec import Spec

__all__ = [
    "bind",
    "check_cotangent",
    "check_inputs",
    "check_params",
    "directions",
    "flat",
    "layered",
    "named",
]


def check_inputs(params: Any, X: Any, name: str = "X") -> Any:
    """Return X as finite rows with as many features as the parameters were made for."""
    params = as_params(params)
    X = check_rows(X, name)
    if "W0" in params and params["W0"].ndim == 2 and X.shape[1] != params["W0"].shape[1]:
        raise ValueError(
            f"{name} has {X.shape[1]} features, but W0 was made for {params['W0'].shape[-1]}; initialise the "
            "network with the features of the rows it reads."
        )
    return X


def check_params(spec: Spec, params: Any, n_features: int | None = None) -> Params:
    """Return ``params`` if its arrays have the names and shapes of this network."""
    params = as_params(params)
    if n_features is None:
        n_features = params["W0"].shape[1] if "W0" in params and params["W0"].ndim == 2 else 1
    expected = spec.shapes(n_features)
    for name, shape in expected.items():
        if name not in params:
            raise ValueError(
                f"params has no array {name}, which this network needs; it is another network's."
            )
        if params[name].shape != shape:
            raise ValueError(
                f"{name} has shape {params[name].shape} and this network needs {shape}; the parameters are "
                "another network's."
            )
    surplus = [name for name in params if name not in expected]
    if surplus:
        raise ValueError(f"params has {surplus[0]}, which this network does not; it is another network's.")
    return params


def bind(spec: Spec, params: Params | Mapping[str, np.ndarray], dtype: np.dtype) -> tuple[Copy, ...]:
    """The copies of the network at these parameters, in the computing type."""
    scalings = spec.scalings(params["W0"].shape[1])
    copies = []
    for prefix, coefficient in spec.copies:
        layers = tuple(
            Layer(
                params[f"{prefix}W{index}"].astype(dtype, copy=False),
                params[f"{prefix}b{index}"].astype(dtype, copy=False) if spec.biases else None,
                scaling.weight,
                scaling.bias,
            )
            for index, scaling in enumerate(scalings)
        )
        copies.append(Copy(layers, spec.activation, coefficient, spec.include))
    return tuple(copies)


def directions(spec: Spec, n_features: int, vector: Any, dtype: np.dtype, name: str) -> list[Directions]:
    """A vector in parameter space, cut into the layers of each copy."""
    vector = np.asarray(vector, dtype=dtype)
    shapes = spec.shapes(n_features, trained=True)
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    if vector.shape != (size,):
        raise ValueError(
            f"{name} has shape {vector.shape}, but the trained parameters are {size:,}; net.ravel makes such "
            "vectors."
        )
    if not np.isfinite(vector).all():
        raise ValueError(f"{name} holds NaN or infinity.")
    return layered(spec, n_features, vector)


def named(shapes: Mapping[str, tuple[int, ...]], vector: np.ndarray) -> dict[str, np.ndarray]:
    """Views of the parts of a vector, in the shapes and under the names of arrays."""
    parts, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        parts[name] = vector[start:stop].reshape(shape)
        start = stop
    return parts


def layered(spec: Spec, n_features: int, vector: np.ndarray) -> list[Directions]:
    """Views of the parts of a vector in parameter space, by copy and layer."""
    parts = named(spec.shapes(n_features, trained=True), vector)
    return [
        tuple(
            Direction(parts[f"{prefix}W{layer}"], parts.get(f"{prefix}b{layer}")) if included else None
            for layer, included in enumerate(spec.include)
        )
        for prefix, _ in spec.copies
    ]


def flat(copies: list[Directions], dtype: np.dtype) -> np.ndarray:
    """The inverse of `directions`: one vector, in the order of the Jacobian's columns."""
    arrays = [
        array
        for copy in copies
        for part in copy
        if part is not None
        for array in (part.weight, part.bias)
        if array is not None
    ]
    return np.concatenate([array.ravel() for array in arrays]).astype(dtype, copy=False)


def check_cotangent(
    spec: Spec, n: int, cotangent: Any, dtype: np.dtype, name: str = "cotangent"
) -> np.ndarray:
    """Return a weight for each output of each row as (n, k)."""
    cotangent = np.asarray(cotangent, dtype=dtype)
    expected = (n,) if spec.n_outputs == 1 else (n, spec.n_outputs)
    if cotangent.shape not in (expected, (n, spec.n_outputs)):
        raise ValueError(f"{name} has shape {cotangent.shape}, the outputs have shape {expected}.")
    if not np.isfinite(cotangent).all():
        raise ValueError(f"{name} holds NaN or infinity.")
    return cotangent.reshape(n, spec.n_outputs)
