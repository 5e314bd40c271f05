"""Products of a block of a symmetric matrix with vectors on either side, in one pass over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib._core.jit import compiled_sums

__all__ = ["add_both_products"]

FEW = 8
"""Vectors up to which the loop is faster than BLAS, which needs a copy of a float32 block."""


def add_both_products(block: NDArray, rows: slice, columns: slice, vectors: NDArray, sums: NDArray) -> None:
    """Add what a block brings to the products of a symmetric matrix with vectors, summed in float64.

    Parameters
    ----------
    block : ndarray of shape (n, m)
        Symmetric if rows and columns are the same; else its mirror image is added, too.
    rows, columns : slice
        Its place in the matrix.
    vectors, sums : ndarray of shape (k, size)
        A vector a row; sums may end after the last row or column.
    """
    if rows == columns:
        sums[:, rows] += vectors[:, rows] @ np.asarray(block, dtype=np.float64)
    elif len(vectors) <= FEW and block.dtype in (np.float32, np.float64):
        _add_both(np.ascontiguousarray(block), rows.start, columns.start, vectors, sums)
    else:
        block = np.asarray(block, dtype=np.float64)
        sums[:, rows] += vectors[:, columns] @ block.T
        sums[:, columns] += vectors[:, rows] @ block


@compiled_sums
def _add_both(block, i0, j0, vectors, sums):
    n, m = block.shape
    fours = n - n % 4
    for i in range(0, fours, 4):  # four rows at a time, which share what is read and written of the columns
        r0, r1, r2, r3 = block[i], block[i + 1], block[i + 2], block[i + 3]
        for c in range(vectors.shape[0]):
            right, down = vectors[c, j0 : j0 + m], sums[c, j0 : j0 + m]
            left, across = vectors[c, i0 + i : i0 + i + 4], sums[c, i0 + i : i0 + i + 4]
            a0, a1, a2, a3 = left[0], left[1], left[2], left[3]
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for j in range(m):
                b0, b1, b2, b3 = np.float64(r0[j]), np.float64(r1[j]), np.float64(r2[j]), np.float64(r3[j])
                s0 += b0 * right[j]
                s1 += b1 * right[j]
                s2 += b2 * right[j]
                s3 += b3 * right[j]
                down[j] += (b0 * a0 + b1 * a1) + (b2 * a2 + b3 * a3)
            across[0] += s0
            across[1] += s1
            across[2] += s2
            across[3] += s3
    for i in range(fours, n):
        row = block[i]
        for c in range(vectors.shape[0]):
            right, down = vectors[c, j0 : j0 + m], sums[c, j0 : j0 + m]
            a, s = vectors[c, i0 + i], 0.0
            for j in range(m):
                s += np.float64(row[j]) * right[j]
                down[j] += np.float64(row[j]) * a
            sums[c, i0 + i] += s
