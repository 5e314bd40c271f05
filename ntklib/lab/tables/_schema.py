"""Columns that a model reads, with their types; one schema encodes the rows of fit and of predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._hints import decimal_hint, note_lookalikes
from ._numbers import as_text, is_missing, looks_numeric, parse_numbers
from .table import DataError, Table, show

LARGEST = 1e150
"""Numbers beyond it cannot be standardised: their squares, summed over 1e8 rows, are not representable."""

SMALLEST_SPREAD = 1e-145
"""Columns of less spread cannot either: their variance would be lost."""


def _silent(message: str) -> None:
    pass


@dataclass(frozen=True)
class Schema:
    """The feature columns of a model.

    Parameters
    ----------
    columns : tuple of str
        Names, in the order of the encoded array.
    kinds : tuple of {"numeric", "text"}
        What each column holds.
    impute : {"median"} or None, default=None
        Whether cells without a number are left to be filled (as NaN) or refused.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Schema, Table
    >>> cells = np.array(["1", "2", "3"], dtype=object), np.array(["a", "b", "a"], dtype=object)
    >>> table = Table("toy", ("size", "kind"), cells, np.arange(3), typed=False)
    >>> schema = Schema.infer(table)
    >>> schema.kinds
    ('numeric', 'text')
    >>> schema.encode(table)[0].tolist()
    [1.0, 'a']
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    impute: str | None = None

    @classmethod
    def infer(
        cls,
        table: Table,
        *,
        target: str | None = None,
        categorical: Sequence[str] = (),
        impute: str | None = None,
        note: Callable[[str], None] = _silent,
    ) -> Schema:
        """Find out what each column but the target holds.

        A column of a text format is numeric when more than half of its cells that are not missing are
        numbers; columns named in ``categorical`` are text whatever they hold. ``note`` receives one line for
        each kind of text columns that look like something else: numbers with the other decimal sign or with
        signs between the thousands, dates, identifiers.

        Raises
        ------
        DataError
            If no column is left, a column is missing in every row, ``categorical`` names no column, or
            numbers spread too little to be standardised (by less than 1e-145, but not by 0).
        """
        for name in categorical:
            table.column(name)
        chosen = frozenset(categorical)
        kinds = {
            name: "text" if name in chosen else _kind(table, name, values)
            for name, values in zip(table.columns, table.values, strict=True)
            if name != target
        }
        if not kinds:
            raise DataError(f"{table.name}: no column is left beside the target {show(target)}")
        note_lookalikes(table, [n for n, kind in kinds.items() if kind == "text" and n not in chosen], note)
        return cls(tuple(kinds), tuple(kinds.values()), impute)

    def encode(self, table: Table, note: Callable[[str], None] = _silent) -> NDArray:
        """Return the feature columns as one array.

        Parameters
        ----------
        table : Table
            Must hold every column of the schema; others are left out, with a note.
        note : callable, default: nothing
            Receives one-line messages on whatever is filled in or left out.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            float64 if all columns are numeric, else object with floats and ``str``. NaN marks cells to be
            filled (only with ``impute``).

        Raises
        ------
        DataError
            If a column is missing, a numeric column has a cell that is not a finite number and ``impute`` is
            None, or a number is too large to be standardised (1e150).
        """
        for name in self.columns:
            table.column(name, ", which the model needs")
        dtype = object if "text" in self.kinds else np.float64
        X = np.empty((table.n_rows, len(self.columns)), dtype=dtype)
        for j, (name, kind) in enumerate(zip(self.columns, self.kinds, strict=True)):
            values = table.column(name)
            X[:, j] = as_text(values) if kind == "text" else self._numbers(table, name, values, note)
        return X

    def _numbers(self, table: Table, name: str, values: NDArray, note: Callable[[str], None]) -> NDArray:
        numbers = parse_numbers(values, table.decimal)
        if (np.abs(numbers) <= LARGEST).all():  # and so no NaN
            return numbers
        large = np.flatnonzero(np.abs(numbers) > LARGEST)
        if len(large):
            raise DataError(
                f"{table.place(large[0], name)}: {numbers[large[0]]:.4g} is too large to be standardised "
                f"({LARGEST:g} at most); divide the column by a power of ten"
            )
        bad = np.flatnonzero(np.isnan(numbers))
        place = f"{table.place(bad[0], name)}: {describe_cell(values[bad[0]])}"
        more = f" (and {len(bad) - 1} more in this column)" if len(bad) > 1 else ""
        if self.impute is None:
            raise DataError(
                f"{place}{more}; --impute median fills such cells, --categorical reads a column as text"
                + ("" if values.dtype != object else decimal_hint(table, name))
            )
        note(f"{place}{more}: filled by the {self.impute} of the training rows")
        return numbers


def _kind(table: Table, name: str, values: NDArray) -> str:
    numbers = parse_numbers(values, table.decimal)
    if values.dtype == object:
        numeric = looks_numeric(values, numbers)
    else:
        numeric = None if np.isnan(values).all() else True
    if numeric is None:
        raise DataError(f"{table.name}: column {show(name)} has no value in any row")
    if not numeric or (table.typed and values.dtype == object):
        return "text"
    known = numbers[~np.isnan(numbers)]
    spread = float(known.max()) - float(known.min()) if len(known) else 0.0
    if 0 < spread < SMALLEST_SPREAD:
        raise DataError(
            f"{table.name}: column {show(name)} spreads over {spread:.3g} only, too little to be "
            f"standardised ({SMALLEST_SPREAD:g} at least); multiply it by a power of ten"
        )
    return "numeric"


def describe_cell(cell: object) -> str:
    """Say what is wrong with a cell that should hold a number."""
    if isinstance(cell, str) and not is_missing(cell):
        return f"{show(cell)} is not a finite number"
    if isinstance(cell, float) and np.isinf(cell):
        return "infinite value"
    return "missing value"
