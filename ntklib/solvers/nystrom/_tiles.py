"""Whitened features of one tile of rows after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blas import solve_lower
from ntklib._core.blocks import row_blocks

from ._basis import Basis

__all__ = ["TileFeatures", "strip_rows"]

KEPT = 2**25
"""Bytes of the largest matrices that glibc keeps for the next of the size, instead of giving them back."""


def strip_rows(n_columns: int, dtype: Any) -> int:
    """Rows whose kernel values are asked for at once, 512 at least, so that their memory is used again."""
    return max(512, KEPT // (n_columns * np.dtype(dtype).itemsize) // 512 * 512)


class TileFeatures:
    """Features of the tiles of a block, computed in arrays that the next tile uses again.

    Fresh memory is slow to touch, above all where the allocator gives freed memory back at once, as on the
    workers of a cluster.

    Parameters
    ----------
    basis : Basis
    dtype : dtype
        Precision of a tile.
    """

    def __init__(self, basis: Basis, dtype: Any) -> None:
        lead, triangle = basis.lead, basis.triangle
        self.basis, self.dtype, self.lead = basis, np.dtype(dtype), lead
        self.means = basis.means.astype(dtype)
        self.leading = triangle[:lead, :lead].astype(dtype, order="F")
        self.others = triangle[lead:, :lead].T.astype(dtype)
        self.scales = (1 / basis.spread).astype(dtype)
        self._values = self._head = self._reached = np.empty((0, 0), dtype)

    def __call__(self, X: Any) -> NDArray:
        """Features of a tile, one column a row, until the next: shape (M, n), Fortran order.

        They are phi - offset but for the last step, which their sums take in `Basis.whiten_sums`.
        """
        n = X.shape[0]
        if len(self._values) < n:
            self._values = np.empty((n, len(self.means)), self.dtype)
        values = self._values[:n]
        for rows in row_blocks(n, strip_rows(len(self.means), self.dtype)):
            np.subtract(self.basis.kernel(X[rows], self.dtype), self.means, out=values[rows])
        if self.lead == len(self.means):
            return self._solve(values)
        if len(self._head) < n:
            self._head = np.empty((n, self.lead), self.dtype)
            self._reached = np.empty((n, len(self.scales)), self.dtype)
        head, reached, tail = self._head[:n], self._reached[:n], values[:, self.lead :]
        head[:] = values[:, : self.lead]
        self._solve(head)
        tail -= np.matmul(head, self.others, out=reached)
        tail *= self.scales
        values[:, : self.lead] = head
        return values.T

    def _solve(self, values: NDArray) -> NDArray:
        """Solve with the leading triangle for every row, in place; return the transpose."""
        solve_lower(self.leading, values.T)
        return values.T
