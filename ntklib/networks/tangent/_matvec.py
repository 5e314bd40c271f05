"""A product with the tangent kernel: back to the parameters and forward again, without the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks, working_memory

from ..derivatives import layers as layers
from ..derivatives.passes import each_block, row_step, sum_blocks
from ..spec import Spec
from ._features import SEGMENT, cut

__all__ = ["matvec"]

_ROWS = 1024  # at a time; with fewer, reading the weights again and again would take longer than the products


def matvec(
    spec: Spec, copies: tuple[layers.Copy, ...], X: Any, Y: Any, cotangent: np.ndarray, *, weighted: bool
) -> np.ndarray:
    """Return J(X) J(Y)^T c (n, k) for a cotangent c (m, k)."""
    dtype = cotangent.dtype
    steps = spec.steps() if weighted else ((1.0, 1.0),) * (spec.depth + 1)
    result = np.zeros((X.shape[0], spec.n_outputs), dtype)
    for copy in copies:
        for part in _slices(copy, X.shape[1], dtype):
            widths = tuple(len(layer.weight) for layer in part.layers[:-1])
            step = row_step(replace(spec, widths=widths), dtype)

            def back(rows: slice, y: np.ndarray, part: layers.Copy = part) -> layers.Directions:
                return layers.pull_back(part, layers.trace(part, y), cotangent[rows])

            size = sum(layer.weight.size for layer in part.layers)
            gradient = _times(sum_blocks(Y, step, dtype, size, back, _plus), steps, copy.coefficient**2)

            def forward(
                rows: slice, x: np.ndarray, part: layers.Copy = part, u: layers.Directions = gradient
            ) -> None:
                result[rows] += layers.push_forward(part, x, u)

            each_block(X, step, dtype, forward)
    return result


def _slices(copy: layers.Copy, n_features: int, dtype: np.dtype) -> Iterator[layers.Copy]:
    """The copy, a two-layer one in parts: their gradients fit in the working memory, and so do many rows."""
    if len(copy.layers) > 2:
        yield copy
        return
    row = max(4 * (n_features + len(copy.layers[-1].weight)), 6 * _ROWS)
    fit = working_memory() // (dtype.itemsize * row)
    for part in row_blocks(len(copy.layers[0].weight), max(SEGMENT, fit)):
        yield cut(copy, part)


def _plus(total: layers.Directions | None, part: layers.Directions) -> layers.Directions:
    if total is None:
        return part
    for mine, theirs in zip(total, part, strict=True):
        if mine is not None and theirs is not None:
            layers.add(mine, theirs)
    return total


def _times(
    gradient: layers.Directions, steps: tuple[tuple[float, float], ...], factor: float
) -> layers.Directions:
    for part, (weight, bias) in zip(gradient, steps, strict=True):
        if part is not None:
            np.multiply(part.weight, weight * factor, out=part.weight)
            if part.bias is not None:
                np.multiply(part.bias, bias * factor, out=part.bias)
    return gradient
