"""A table as it was read: named columns of numbers or of text, and where each row stood in its source."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from numpy.typing import NDArray


class DataError(ValueError):
    """Input data or a file that cannot be used; the message is one line that says what and where."""


class UnreadableError(DataError):
    """A file that is not there, cannot be read or changes meanwhile."""


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
    decimal : {".", ","}, default="."
        The decimal sign of numbers in columns of text.

    Raises
    ------
    DataError
        If there are no columns or no rows, or if names are empty or repeated.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Table
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
    decimal: str = "."

    def __post_init__(self) -> None:
        check_names(self.name, self.columns)
        if len(self.rows) == 0:
            raise no_rows(self.name, self.typed)

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
        if name in self._positions:
            return self.values[self._positions[name]]
        raise unknown_column(self.name, self.columns, name, needed_for)

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Positions of the columns by name: searching all names for each of them would be quadratic."""
        return {name: position for position, name in enumerate(self.columns)}

    def place(self, index: int, column: str) -> str:
        """Say where a cell stands, for example ``"data.csv: line 7, column 'age'"``."""
        return f"{self.name}: {self.row_word} {int(self.rows[index])}, column {show(column)}"

    def blocks(self) -> Iterator[Table]:
        """Iterate over the rows, as a :class:`TableStream` does: the whole table is one block."""
        yield self

    def take(self, indices: NDArray) -> Table:
        """Return the table of the given rows, in the given order."""
        return replace(self, values=tuple(column[indices] for column in self.values), rows=self.rows[indices])


def no_rows(source: str, typed: bool) -> DataError:
    """Error for a table without rows, ``typed`` as for :class:`Table`."""
    only = "columns without a row" if typed else "only a header"
    return DataError(f"{source}: no data rows ({only}); write it again with its rows, or name another one")


def unknown_column(source: str, columns: Sequence[str], name: str, needed_for: str = "") -> DataError:
    """Error for a column that is not there; it suggests the nearest name, or lists them."""
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f"did you mean {show(near[0])}?" if near else f"columns: {shorten(columns)}"
    return DataError(f"{source}: no column {show(name)}{needed_for} ({hint})")


def check_names(source: str, columns: Sequence[str]) -> None:
    """Refuse a header without columns, with an empty name, a name used twice or a NUL in a name."""
    if not columns:
        raise DataError(f"{source}: no columns; write it again with its columns, or name another one")
    for position, name in enumerate(columns, start=1):
        if not name.strip():
            why = "an index that was saved along? pandas leaves it out with index=False"
            if position > 1:
                why = "is the first line the header, without a delimiter too many?"
            raise DataError(f"{source}: column {position} has no name ({why})")
        if "\0" in name:
            raise DataError(f"{source}: the name of column {position} holds a NUL character")
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(f"{source}: the column name {show(repeated[0])} is used more than once")


def shorten(names: Sequence[str], limit: int = 8) -> str:
    """List names for a message, the first few only."""
    listed = ", ".join(show(name) for name in names[:limit])
    return listed if len(names) <= limit else f"{listed}, ... ({len(names)} in all)"


def show(text: object, limit: int = 80) -> str:
    """Quote a name or a cell for a message, the beginning only of a long one."""
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 4]}...{quoted[-1]}"


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def silent(message: str) -> None:
    """Drop a message for the user: the default of ``note``."""


def check_text(source: str, what: str, cells: NDArray) -> None:
    """Refuse text that no file could hold as UTF-8, or that would be cut off: lone surrogates and NUL."""
    joined = "".join(cells.tolist())
    if "\0" in joined:
        raise DataError(f"{source}: {what} holds a NUL character")
    try:
        joined.encode()
    except UnicodeEncodeError:
        raise DataError(f"{source}: {what} holds text that is not valid Unicode") from None
