"""Blocks of the rows of a table: of equal size, and where a row stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from .stream import TableStream
from .table import Table


def equal_blocks(arrays: Iterable[NDArray], size: int) -> Iterator[NDArray]:
    """Cut rows that come in arrays of any lengths into arrays of ``size`` rows; the last may have fewer.

    Examples
    --------
    >>> import numpy as np
    >>> [block.tolist() for block in equal_blocks([np.arange(3), np.arange(3, 5)], 2)]
    [[0, 1], [2, 3], [4]]
    """
    kept: list[NDArray] = []
    count = 0
    for array in arrays:
        kept.append(array)
        count += len(array)
        if count < size:
            continue
        rows = np.concatenate(kept) if len(kept) > 1 else array
        whole = count - count % size
        for start in range(0, whole, size):
            yield rows[start : start + size]
        count -= whole
        kept = [rows[whole:]] if count else []
    if count:
        yield np.concatenate(kept)


def place_of(table: Table | TableStream, index: int) -> str:
    """Say where a row stands, counted from 0, for example ``"data.csv: line 7"``; the rows are read again."""
    for block in table.blocks():
        if index < block.n_rows:
            return f"{block.name}: {block.row_word} {int(block.rows[index])}"
        index -= block.n_rows
    return f"{table.name}: a row behind the last one"
