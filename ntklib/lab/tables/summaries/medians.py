"""Exact medians in bounded memory, digit by digit, in passes over the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIGITS = 8
_SIGN = np.uint64(1 << 63)


class MedianSearch:
    """Search for the medians of columns, NaN left out: eight passes, each of which finds a byte of them.

    Numbers are ordered as whole numbers of 64 bits. A pass counts the numbers that agree with the median in
    the bytes that are known, by their next byte; with an even count there are two numbers in the middle.

    Parameters
    ----------
    n_columns : int

    Examples
    --------
    >>> import numpy as np
    >>> search = MedianSearch(1)
    >>> while not search.done:
    ...     search.add(np.array([[3.0], [np.nan], [1.0]]))
    ...     search.add(np.array([[-5.0], [4.0]]))
    ...     search.end_pass()
    >>> search.medians
    array([2.])
    """

    def __init__(self, n_columns: int) -> None:
        self._known = np.zeros((n_columns, 2), dtype=np.uint64)  # the bytes of the two numbers so far
        self._ranks = np.full((n_columns, 2), -1, dtype=np.int64)  # among the numbers that agree with them
        self._counts = np.zeros((n_columns, 2, 256), dtype=np.int64)
        self._digit = 0

    @property
    def done(self) -> bool:
        """Say if the medians are known."""
        return self._digit == _DIGITS

    def add(self, rows: NDArray) -> None:
        """Count the numbers of some rows, an array of shape (n, n_columns), in this pass."""
        shift = np.uint64(64 - 8 * (self._digit + 1))
        for column, known, counts in zip(rows.T, self._known, self._counts, strict=True):
            keys = _keys(column[~np.isnan(column)]) >> shift
            for side in range(2):
                if side == 1 and known[0] == known[1]:
                    counts[1] = counts[0]
                else:
                    agree = keys >> np.uint64(8) == known[side] if self._digit else slice(None)
                    last = (keys[agree] & np.uint64(255)).astype(np.intp)
                    counts[side] += np.bincount(last, minlength=256)

    def merge(self, other: MedianSearch) -> None:
        """Add the counts of a search in the same pass over other rows."""
        self._counts += other._counts

    def end_pass(self) -> None:
        """Take the next byte from the counts, after all rows have been added."""
        if self._digit == 0:
            n = self._counts[:, 0].sum(axis=-1)
            self._ranks = np.stack([np.maximum(n - 1, 0) // 2, n // 2], axis=-1)
        below = np.cumsum(self._counts, axis=-1)
        byte = np.minimum((below <= self._ranks[..., None]).sum(axis=-1), 255)
        before = np.take_along_axis(below - self._counts, byte[..., None], axis=-1)[..., 0]
        self._ranks = self._ranks - before
        self._known = (self._known << np.uint64(8)) | byte.astype(np.uint64)
        self._counts[:] = 0
        self._digit += 1

    @property
    def medians(self) -> NDArray:
        """Medians of the columns, shape (n_columns,); of those without a number they mean nothing."""
        middle = _numbers(self._known)
        return (middle[:, 0] + middle[:, 1]) / 2


def _keys(numbers: NDArray) -> NDArray:
    """Whole numbers in the order of the floats; 0 and -0 are one."""
    bits = (numbers.astype(np.float64) + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _numbers(keys: NDArray) -> NDArray:
    """Floats of the whole numbers."""
    return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64)
