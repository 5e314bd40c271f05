"""Columns that a model reads, with their types; one schema encodes the rows of fit and of predict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._hints import decimal_hint, note_lookalikes
from ._numbers import as_text, parse_numbers
from .stream import TableStream
from .summaries import LARGEST, MOST_TEXTS, Occurrences, TableSummary, summarise
from .table import DataError, Table, show, silent

SMALLEST_SPREAD = 1e-145
"""Columns of less spread cannot be standardised: their variance would be lost."""


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
        table: Table | TableStream,
        *,
        target: str | None = None,
        categorical: Sequence[str] = (),
        impute: str | None = None,
        note: Callable[[str], None] = silent,
    ) -> Schema:
        """Find out what each column but the target holds.

        A column of a text format is numeric when more than half of its cells that are not missing are
        numbers; columns named in ``categorical`` are text whatever they hold. ``note`` receives one line for
        each kind of text columns that look like something else: numbers with the other decimal sign or with
        signs between the thousands, dates, identifiers.

        Raises
        ------
        DataError
            If no column is left, a column is missing in every row, ``categorical`` names no column, numbers
            spread too little to be standardised (by less than 1e-145, but not by 0), or a column of text has
            more than 500,000 categories.
        """
        summary = summarise(table, text=categorical)
        return cls.of(summary, target=target, categorical=categorical, impute=impute, note=note)

    @classmethod
    def of(
        cls,
        summary: TableSummary,
        *,
        target: str | None = None,
        categorical: Sequence[str] = (),
        impute: str | None = None,
        note: Callable[[str], None] = silent,
    ) -> Schema:
        """Return the schema of a table that has been summarised, as :meth:`infer` does."""
        chosen = frozenset(categorical)
        kinds = {name: _kind(summary, name) for name in summary.columns if name != target}
        if not kinds:
            raise DataError(f"{summary.name}: no column is left beside the target {show(target)}")
        text = [name for name, kind in kinds.items() if kind == "text"]
        note_lookalikes(summary, [name for name in text if name not in chosen], note)
        for name in text:
            check_counted(summary, name)
        return cls(tuple(kinds), tuple(kinds.values()), impute)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Return the names of the columns of a kind."""
        return tuple(name for name, own in zip(self.columns, self.kinds, strict=True) if own == kind)

    def encode(self, table: Table, note: Callable[[str], None] = silent) -> NDArray:
        """Return the feature columns as one array.

        Parameters
        ----------
        table : Table
            Must hold every column of the schema; others are left out.
        note : callable, default: nothing
            Receives a line for each column that has cells to be filled.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            float64 if all columns are numeric, else object with floats and ``str``. NaN marks cells to be
            filled (only with ``impute``).

        Raises
        ------
        DataError
            As :meth:`check_rows`.
        """
        self.check_rows(table, {}, note, fitted=False)
        return self.encode_block(table)

    def encode_block(self, table: Table) -> NDArray:
        """Return the feature columns of rows that have been checked, as :meth:`encode` does."""
        dtype = object if "text" in self.kinds else np.float64
        X = np.empty((table.n_rows, len(self.columns)), dtype=dtype)
        for j, (name, kind) in enumerate(zip(self.columns, self.kinds, strict=True)):
            values = table.column(name)
            X[:, j] = as_text(values) if kind == "text" else parse_numbers(values, table.decimal)
        return X

    def check_rows(
        self,
        table: Table | TableStream,
        categories: Mapping[str, Collection[str]],
        note: Callable[[str], None] = silent,
        *,
        fitted: bool = True,
    ) -> list[Occurrences]:
        """Check the rows of a table in one pass.

        Parameters
        ----------
        table : Table or TableStream
            Must hold every column of the schema.
        categories : mapping of str to collection of str
            The texts that columns are known to hold.
        note : callable, default: nothing
            Receives a line for each column that has cells to be filled.
        fitted : bool, default=True
            Whether the schema is that of a fitted model, whose ways out are fewer.

        Returns
        -------
        list of Occurrences
            The other texts in those columns, one entry a column that has any.

        Raises
        ------
        DataError
            If a column is not there, or as :meth:`check`.
        """
        summary = TableSummary(table, numbers=self.of_kind("numeric"))
        for name in self.columns:
            summary.check_column(name, ", which the model needs")
        new = {name: Occurrences() for name in categories}
        for block in table.blocks():
            summary.add(block)
            for name, known in categories.items():
                cells = as_text(block.column(name)).tolist()
                if strange := [i for i, cell in enumerate(cells) if cell not in known]:
                    first = strange[0]
                    new[name].add(len(strange), f"{block.place(first, name)}: {show(cells[first])}")
        self.check(summary, note, fitted=fitted)
        return [cells for cells in new.values() if cells.count]

    def check(
        self, summary: TableSummary, note: Callable[[str], None] = silent, *, fitted: bool = False
    ) -> None:
        """Check the numeric columns of a table that has been summarised, to be fitted or predicted from.

        Raises
        ------
        DataError
            If a cell holds no finite number and the schema does not say that it is to be filled, or a number
            beyond 1e150; it names the first such cell.
        """
        for name in self.of_kind("numeric"):
            numbers = summary.numbers[name]
            if numbers.large.count:
                raise DataError(
                    f"{numbers.large.first} is too large to be standardised ({LARGEST:g} at most); divide "
                    "the column by a power of ten"
                )
            if not numbers.bad.count:
                continue
            place = f"{numbers.bad.first}{numbers.bad.more(' in this column')}"
            if self.impute is None:
                advice = "--impute median fills such cells, --categorical reads a column as text"
                if fitted:
                    advice = "leave such rows out, or fit with --impute median, which fills such cells"
                raise DataError(f"{place}; {advice}{decimal_hint(summary, name)}")
            note(f"{place}: filled by the {self.impute} of the training rows")


def check_counted(summary: TableSummary, name: str) -> None:
    """Refuse a column of text that has too many categories to be counted."""
    if summary.texts[name].counts is None:
        raise DataError(
            f"{summary.name}: column {show(name)} holds more than {MOST_TEXTS:,} different texts, too many "
            "for categories; leave it out"
        )


def _kind(summary: TableSummary, name: str) -> str:
    numeric = summary.looks_numeric(name)
    if numeric is None:
        raise DataError(f"{summary.name}: column {show(name)} has no value in any row")
    if not numeric:
        return "text"
    spread = summary.numbers[name].spread
    if 0 < spread < SMALLEST_SPREAD:
        raise DataError(
            f"{summary.name}: column {show(name)} spreads over {spread:.3g} only, too little to be "
            f"standardised ({SMALLEST_SPREAD:g} at least); multiply it by a power of ten"
        )
    return "numeric"
