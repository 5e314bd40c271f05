"""Passes over blocks of rows, in threads, with results that do not depend on how many threads there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from ntklib._core.blocks import row_blocks, working_memory
from ntklib._core.threads import parallel_for

from ..spec import Spec

__all__ = ["dense", "each_block", "row_step", "sum_blocks"]

_ROWS = 128  # of a block at most
_AT_ONCE = 8  # blocks that may be in memory together, and sums that are kept
_WORTH = 2**15  # weights times rows of a sum: with fewer, calls cost more than threads save


def dense(X: Any, rows: slice, dtype: np.dtype) -> np.ndarray:
    """Some rows as a C-contiguous array of the computing type."""
    block = X[rows]
    if sparse.issparse(block):
        block = block.toarray()
    return np.ascontiguousarray(block, dtype=dtype)


def row_step(spec: Spec, dtype: np.dtype, arrays: int = 6) -> int:
    """Rows a block may have for ``arrays`` arrays of every layer to fit in the working memory."""
    row = arrays * dtype.itemsize * (sum(spec.widths) + spec.n_outputs) * len(spec.copies)
    return max(1, working_memory() // row)


def each_block(X: Any, step: int, dtype: np.dtype, work: Callable[[slice, np.ndarray], object]) -> None:
    """Call ``work`` on slices of rows and the rows, in threads; blocks do not depend on how many there are.

    ``step`` is how many rows fit in memory at a time (`row_step`), shared by the threads.
    """
    size = max(1, min(_ROWS, step // _AT_ONCE))
    parallel_for(lambda rows: work(rows, dense(X, rows, dtype)), row_blocks(X.shape[0], size))


def sum_blocks(
    X: Any, step: int, dtype: np.dtype, size: int, work: Callable[[slice, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Add up vectors of ``size`` numbers, one for each block of rows, in an order that threads do not change.

    A few sums at a time are kept, one for each group of rows.
    """
    memory = working_memory() // (2 * size * dtype.itemsize)
    groups = max(1, min(_AT_ONCE, memory, X.shape[0] * size // _WORTH))
    parts = list(row_blocks(X.shape[0], -(-X.shape[0] // groups)))
    sums: list[Any] = [0] * len(parts)

    def add(number: int) -> None:
        part = parts[number]
        for rows in row_blocks(part.stop - part.start, max(1, min(_ROWS, step // _AT_ONCE))):
            place = slice(part.start + rows.start, part.start + rows.stop)
            sums[number] += work(place, dense(X, place, dtype))

    parallel_for(add, range(len(parts)))
    return sum(sums[1:], start=sums[0])
