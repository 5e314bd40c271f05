"""Products of a tile with vectors on either side, in one pass over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib._core.jit import compiled

__all__ = ["add_both_products"]

FEW = 8
"""Vectors up to which the loop is faster than BLAS, which needs a copy of a float32 tile."""


def add_both_products(
    tile: NDArray, left: NDArray, right: NDArray, by_row: NDArray, by_column: NDArray
) -> None:
    """Add right @ tile^T and left @ tile, summed in float64.

    Parameters
    ----------
    tile : ndarray of shape (n, m)
    left, by_row : ndarray of shape (k, n)
        A vector a row.
    right, by_column : ndarray of shape (k, m)
    """
    if len(left) <= FEW and tile.dtype in (np.float32, np.float64):
        _add_both(np.ascontiguousarray(tile), left, right, by_row, by_column)
        return
    tile = np.asarray(tile, dtype=np.float64)
    by_row += right @ tile.T
    by_column += left @ tile


@compiled
def _add_both(tile, left, right, by_row, by_column):
    n, m = tile.shape
    whole, fours = m - m % 8, n - n % 4
    for i in range(n):
        row = tile[i]
        for c in range(left.shape[0]):
            other = right[c]
            # eight sums that do not wait for each other
            s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for j in range(0, whole, 8):
                s0 += np.float64(row[j]) * other[j]
                s1 += np.float64(row[j + 1]) * other[j + 1]
                s2 += np.float64(row[j + 2]) * other[j + 2]
                s3 += np.float64(row[j + 3]) * other[j + 3]
                s4 += np.float64(row[j + 4]) * other[j + 4]
                s5 += np.float64(row[j + 5]) * other[j + 5]
                s6 += np.float64(row[j + 6]) * other[j + 6]
                s7 += np.float64(row[j + 7]) * other[j + 7]
            for j in range(whole, m):
                s0 += np.float64(row[j]) * other[j]
            by_row[c, i] += ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
        if i >= fours:
            for c in range(left.shape[0]):
                sums, a = by_column[c], left[c, i]
                for j in range(m):
                    sums[j] += np.float64(row[j]) * a
        elif i % 4 == 3:  # four rows that are in the first cache still
            r0, r1, r2 = tile[i - 3], tile[i - 2], tile[i - 1]
            for c in range(left.shape[0]):
                sums = by_column[c]
                a0, a1, a2, a3 = left[c, i - 3], left[c, i - 2], left[c, i - 1], left[c, i]
                for j in range(m):
                    first = np.float64(r0[j]) * a0 + np.float64(r1[j]) * a1
                    sums[j] += first + (np.float64(r2[j]) * a2 + np.float64(row[j]) * a3)
