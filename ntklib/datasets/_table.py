"""A table as it was read: named columns of numbers or of text, and where each row stood in its source."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import NDArray


class DataError(ValueError):
    """Input data or a file that cannot be used; the message is one line that says what and where."""


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    name : str
        What messages call the table: a path, or the name of an embedded set.
    columns : tuple of str
        Column names, distinct and not empty.
    values : tuple of ndarray of shape (n_rows,)
        One array a column: float64 (NaN for a missing number), or object holding ``str``.
    rows : ndarray of shape (n_rows,)
        Where each row stood in the source, for messages.
    row_word : {"row", "line"}, default="row"
        What ``rows`` counts: lines of a text file (the header is line 1), or rows from 1.
    typed : bool, default=True
        Whether the source says which columns are numbers. False for text formats, where it has to be
        found out from the cells.
    target : str or None, default=None
        The column to predict, where the source itself names one.
    description : str, default=""
        One sentence on the data, for a report.

    Raises
    ------
    DataError
        If there are no columns or no rows, or if names are empty or repeated.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.datasets import Table
    >>> values = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    >>> table = Table("toy", ("size", "price"), values, np.array([1, 2]))
    >>> table.n_rows, table.column("price")
    (2, array([3., 5.]))
    """

    name: str
    columns: tuple[str, ...]
    values: tuple[NDArray, ...]
    rows: NDArray
    row_word: str = "row"
    typed: bool = True
    target: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        check_names(self.name, self.columns)
        if len(self.rows) == 0:
            raise DataError(f"{self.name}: no data rows (only a header)")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def column(self, name: str, needed_for: str = "") -> NDArray:
        """Return the values of one column.

        Raises
        ------
        DataError
            If there is no such column; the message suggests the nearest name, or lists them.
        """
        if name in self.columns:
            return self.values[self.columns.index(name)]
        near = difflib.get_close_matches(name, self.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"columns: {shorten(self.columns)}"
        raise DataError(f"{self.name}: no column {name!r}{needed_for} ({hint})")

    def place(self, index: int, column: str) -> str:
        """Say where a cell stands, for example ``"data.csv: line 7, column 'age'"``."""
        return f"{self.name}: {self.row_word} {int(self.rows[index])}, column {column!r}"

    def take(self, indices: NDArray) -> Table:
        """Return the table of the given rows, in the given order."""
        values = tuple(column[indices] for column in self.values)
        return Table(
            self.name,
            self.columns,
            values,
            self.rows[indices],
            self.row_word,
            self.typed,
            self.target,
            self.description,
        )


def check_names(source: str, columns: Sequence[str]) -> None:
    """Refuse a header without columns, with an empty name or with a name used twice."""
    if not columns:
        raise DataError(f"{source}: no columns")
    for position, name in enumerate(columns, start=1):
        if not name.strip():
            raise DataError(
                f"{source}: column {position} has no name (an index that was saved along? "
                "pandas leaves it out with index=False)"
            )
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(f"{source}: the column name {repeated[0]!r} is used more than once")


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """List names for a message, the first few only."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"
