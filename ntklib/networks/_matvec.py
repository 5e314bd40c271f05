"""A product with the tangent kernel: back to the parameters and forward again, without the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._blocks import row_blocks, working_memory
from . import _binding as binding
from . import _layers as layers
from ._features import SEGMENT, cut
from ._spec import Spec

__all__ = ["matvec"]


def matvec(
    spec: Spec, copies: tuple[layers.Copy, ...], X: Any, Y: Any, cotangent: np.ndarray, *, weighted: bool
) -> np.ndarray:
    """Return J(X) J(Y)^T c (n, k) for a cotangent c (m, k)."""
    dtype = cotangent.dtype
    steps = spec.steps() if weighted else ((1.0, 1.0),) * (spec.depth + 1)
    result = np.zeros((X.shape[0], spec.n_outputs), dtype)
    step = binding.row_step(spec, dtype)
    for copy in copies:
        for part in _slices(copy, X.shape[1], dtype):
            gradient: layers.Directions = ()
            for rows, y in binding.blocks(Y, step, dtype):
                gradient = _plus(gradient, layers.pull_back(part, layers.trace(part, y), cotangent[rows]))
            gradient = _times(gradient, steps, copy.coefficient**2)
            for rows, x in binding.blocks(X, step, dtype):
                result[rows] += layers.push_forward(part, x, gradient)
    return result


def _slices(copy: layers.Copy, n_features: int, dtype: np.dtype) -> Iterator[layers.Copy]:
    """The copy, a two-layer one in parts whose gradients fit in the working memory."""
    if len(copy.layers) > 2:
        yield copy
        return
    fit = working_memory() // (4 * dtype.itemsize * (n_features + len(copy.layers[-1].weight)))
    for part in row_blocks(len(copy.layers[0].weight), max(SEGMENT, fit)):
        yield cut(copy, part)


def _plus(total: layers.Directions, part: layers.Directions) -> layers.Directions:
    for mine, theirs in zip(total, part, strict=False):
        if mine is not None and theirs is not None:
            np.add(mine.weight, theirs.weight, out=mine.weight)
            if mine.bias is not None:
                np.add(mine.bias, theirs.bias, out=mine.bias)  # type: ignore[arg-type]
    return total or part


def _times(
    gradient: layers.Directions, steps: tuple[tuple[float, float], ...], factor: float
) -> layers.Directions:
    for part, (weight, bias) in zip(gradient, steps, strict=True):
        if part is not None:
            np.multiply(part.weight, weight * factor, out=part.weight)
            if part.bias is not None:
                np.multiply(part.bias, bias * factor, out=part.bias)
    return gradient
