"""The compiled pass over a tile of a tangent kernel: products of layers become the sum of their shares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ntklib._core.jit import compiled

__all__ = ["Share", "write_shares"]


class Share(NamedTuple):
    """(weight inputs + bias) * signals, what a layer contributes to a tile; the output layer has none."""

    inputs: np.ndarray
    weight: float
    bias: float
    signals: np.ndarray | None = None


def write_shares(
    hidden: Share | None, top: Share | None, out: np.ndarray, row: int, column: int, *, add: bool
) -> None:
    """Write or add the shares of a hidden layer, of the output layer, or of both, at (row, column)."""
    number, none = out.dtype.type, _NONE[out.dtype]
    H, weight, bias, D = hidden or none
    T, factor, constant, _ = top or none
    _write(H, number(weight), number(bias), D, T, number(factor), number(constant), out, row, column, add)


def _no_share(dtype: type) -> Share:
    return Share(np.empty((0, 0), dtype), 0.0, 0.0, np.empty((0, 0), dtype))


_NONE = {np.dtype(t): _no_share(t) for t in (np.float32, np.float64)}


@compiled
def _write(inputs, weight, bias, signals, top, top_weight, top_bias, out, row, column, add):
    rows, columns = max(inputs.shape[0], top.shape[0]), max(inputs.shape[1], top.shape[1])
    for i in range(rows):
        place = out[row + i, column : column + columns]  # contiguous, indexed from 0: loops vectorise
        if top.size:
            line = top[i]
            if add:
                for j in range(columns):
                    place[j] += top_weight * line[j] + top_bias
            else:
                for j in range(columns):
                    place[j] = top_weight * line[j] + top_bias
        if inputs.size:
            line, factors = inputs[i], signals[i]
            if add or top.size:
                for j in range(columns):
                    place[j] += (weight * line[j] + bias) * factors[j]
            else:
                for j in range(columns):
                    place[j] = (weight * line[j] + bias) * factors[j]
