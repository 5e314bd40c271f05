"""Random initialisation: independent Gaussian entries, or signs in the output layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory
from ntklib._core.validation import check_integer, random_generator

from .params import Params, owned
from .spec import MIRROR, Spec

__all__ = ["draw"]

_AT_ONCE = 2**20  # float64 numbers drawn at a time, so that float32 parameters need no float64 copy


def draw(spec: Spec, n_features: Any, random_state: Any, dtype: Any) -> Params:
    """Draw the arrays of a network in the order of their names; a second copy starts equal to the first."""
    n_features = check_integer(n_features, "n_features", minimum=1)
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, got {dtype}.")
    rng = random_generator(random_state)
    arrays: dict[str, np.ndarray] = {}
    for name, shape in spec.shapes(n_features).items():
        if not name.startswith(MIRROR):  # the second copy is the same memory
            require_memory(
                shape, dtype, f"array {name} of parameters", instead="take fewer units", rows=False
            )
    for layer, scaling in enumerate(spec.scalings(n_features)):
        rows, columns = spec.sizes(n_features)[layer + 1], spec.sizes(n_features)[layer]
        last = layer == spec.depth
        signs = last and spec.rademacher
        arrays[f"W{layer}"] = _entries(rng, (rows, columns), scaling.weight_spread, dtype, signs=signs)
        if spec.biases:
            bias = _entries(rng, (rows,), scaling.bias_spread, dtype, signs=False)
            # the output biases of two equal copies would cancel, so a symmetric net starts without any
            arrays[f"b{layer}"] = np.zeros_like(bias) if last and spec.symmetric else bias
    if spec.symmetric:
        arrays |= {f"{MIRROR}{name}": array for name, array in arrays.items()}
    return owned(arrays)


def _entries(
    rng: np.random.Generator, shape: tuple[int, ...], spread: float, dtype: np.dtype, *, signs: bool
) -> np.ndarray:
    array = np.empty(shape, dtype)
    numbers = array.reshape(-1)
    for start in range(0, len(numbers), _AT_ONCE):
        count = min(_AT_ONCE, len(numbers) - start)
        if signs:
            drawn = 2.0 * rng.integers(0, 2, count) - 1
        else:
            drawn = rng.standard_normal(count)
        numbers[start : start + count] = spread * drawn
    return array
