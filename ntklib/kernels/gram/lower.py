"""The lower triangle of a Gram matrix, block by block in cache, for sums over entries that are not stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks
from ntklib._core.validation import check_rows

from ..contract import Architecture
from .pairs import RowPairs, mirror_within, store

__all__ = ["LowerTriangle"]

_STRIP = 4  # tiles that a strip is high


class LowerTriangle:
    """K(X) on and below the diagonal, in strips of rows.

    Rows are carried through the layers once, whatever number of times their kernel is computed.

    Parameters
    ----------
    net : Architecture
    X : array or CSR matrix of shape (n, d)

    Attributes
    ----------
    n : int
    strips : list of slice
        Slices of rows.
    """

    def __init__(self, net: Architecture, X: Any) -> None:
        self._pairs = RowPairs(net, check_rows(X))
        self._diagonal = self._pairs.diagonal()
        self.n = self._pairs.x.n
        self.strips = list(row_blocks(self.n, _STRIP * self._pairs.size))

    def blocks(self, strip: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows, columns and values of the blocks of a strip.

        Of equal rows and columns the block is symmetric, all others lie below the diagonal.
        """
        pairs = self._pairs
        for first in range(strip.start, strip.stop, pairs.size):
            rows = slice(first, min(first + pairs.size, strip.stop))
            for columns in row_blocks(rows.stop, pairs.size):
                for part, reach, values in pairs.parts(rows, columns):
                    block = self._times_scales(values, part, reach)
                    if rows != columns:
                        yield part, reach, block
                        continue
                    before = part.start - reach.start
                    if before:
                        yield part, slice(reach.start, part.start), block[:, :before]
                    square = block[:, before:]
                    mirror_within(square)
                    np.fill_diagonal(square, self._diagonal[part])
                    yield part, part, square

    def _times_scales(self, values: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        factors = self._pairs.factors(rows, columns)
        if factors is None:
            return self._pairs.scaled(values, rows, columns)
        out = np.empty(values.shape, self._pairs.dtype)
        store(values, *factors, out, 0, 0)
        return out
