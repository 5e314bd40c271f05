"""A table that is read in blocks of rows, as often as it is needed, and never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .table import DataError, Table, check_names, no_rows, shorten

CELLS = 2**20
"""Cells of a block: a cell of text takes some sixty bytes."""

FEWEST, MOST = 64, 2**16
"""Rows of a block, whatever the number of columns."""


def block_rows(n_columns: int) -> int:
    """Return how many rows a block of so many columns has."""
    return min(max(CELLS // n_columns, FEWEST), MOST)


@dataclass(frozen=True)
class TableStream:
    """Named columns whose rows are read anew at each call of :meth:`blocks`.

    Parameters
    ----------
    name : str
        Name of the table in messages: the path, or what stands for several.
    columns : tuple of str
        Column names, distinct and not empty.
    read : callable
        Returns an iterator over the rows as tables with these columns in this order. Each has the name of
        the file that its rows are from.
    typed : bool, default=True
        Whether the source says which columns are numbers, as for :class:`Table`.
    decimal : {".", ","}, default="."
        The decimal sign of numbers in columns of text.
    target : str or None, default=None
        The column to predict, where the source itself names one.
    cut : callable or None, default=None
        Returns functions like `read` of parts that follow each other; None is a single part.

    Raises
    ------
    DataError
        If there are no columns, or if names are empty or repeated.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Table, TableStream
    >>> def read():
    ...     for rows in (np.array([1, 2]), np.array([3])):
    ...         yield Table("toy", ("size",), (rows * 0.5,), rows)
    >>> stream = TableStream("toy", ("size",), read)
    >>> [block.n_rows for block in stream.blocks()]
    [2, 1]
    >>> stream.table().column("size")
    array([0.5, 1. , 1.5])
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[], Iterator[Table]]
    typed: bool = True
    decimal: str = "."
    target: str | None = None
    cut: Callable[[], Sequence[Callable[[], Iterator[Table]]]] | None = None

    def __post_init__(self) -> None:
        check_names(self.name, self.columns)

    def blocks(self) -> Iterator[Table]:
        """Iterate over the rows from the first one on.

        Raises
        ------
        DataError
            If there are no rows, or what the rows are read from is malformed.
        """
        empty = True
        for block in self.read():
            empty = False
            yield block
        if empty:
            raise no_rows(self.name, self.typed)

    def parts(self) -> list[TableStream]:
        """Return streams of parts that can be read by themselves, and follow each other."""
        if self.cut is None:
            return [self]
        return [replace(self, read=read, cut=None) for read in self.cut()]

    def table(self) -> Table:
        """Return all rows as one table, of the name of the stream."""
        blocks = list(self.blocks())
        values = tuple(map(np.concatenate, zip(*(block.values for block in blocks), strict=True)))
        rows = np.concatenate([block.rows for block in blocks])
        return Table(
            self.name,
            self.columns,
            values,
            rows,
            row_word=blocks[0].row_word,
            typed=self.typed,
            decimal=self.decimal,
            target=self.target,
        )


def check_same_columns(name: str, columns: Sequence[str], first_name: str, first: Sequence[str]) -> None:
    """Refuse a file that has other columns than the first one, whatever their order."""
    check_names(name, columns)
    for lacking, where, there in ((first, name, columns), (columns, first_name, first)):
        if missing := sorted(set(lacking) - set(there)):
            other = first_name if where == name else name
            raise DataError(f"{where}: no column {shorten(missing)}, which {other} has")
