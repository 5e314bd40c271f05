"""Laplace kernels and their like, of arrays of other libraries, from sums over differences of rows."""

from __future__ import annotations

from typing import Any

from ntklib._core.blocks import row_blocks
from ntklib._core.namespaces import device

from .networks import ENTRIES, check_array_rows

__all__ = ["laplace_matrix"]


def laplace_matrix(scale: float, norm: int, exponent: float, X: Any, Y: Any, xp: Any) -> Any:
    """exp(-(|x - z|_norm / scale)^exponent) of two sets of rows, of their type and on their device.

    Parameters
    ----------
    scale, norm, exponent
        As of :class:`~ntklib.Laplace`.
    X : array of shape (n, d), float32 or float64
    Y : array of shape (m, d) or None
        X if None.
    xp : module
        Their namespace.

    Returns
    -------
    array of shape (n, m)
    """
    check_array_rows(xp, X, Y)
    Y = X if Y is None else Y
    dtype = xp.float32 if X.dtype == Y.dtype == xp.float32 else xp.float64
    x, z = (xp.astype(rows, dtype) / scale for rows in (X, Y))
    size = max(1, ENTRIES // max(z.shape[0], 1))
    blocks = [xp.zeros((0, z.shape[0]), dtype=dtype, device=device(x))]
    for part in row_blocks(x.shape[0], size):
        rows = x[part, :]
        total = xp.zeros((rows.shape[0], z.shape[0]), dtype=dtype, device=device(x))
        for feature in range(x.shape[1]):
            difference = xp.abs(rows[:, feature][:, None] - z[:, feature][None, :])
            total = total + (difference if norm == 1 else difference * difference)
        power = exponent / norm
        blocks.append(xp.exp(-(total if power == 1 else total**power)))
    return xp.concat(blocks, axis=0)
