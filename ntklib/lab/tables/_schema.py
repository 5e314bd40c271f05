"""Columns that a model reads, with their types; one schema encodes the rows of fit and of predict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ._dates import DATE_KINDS, expand_dates, parts_of
from ._hints import decimal_hint
from ._numbers import as_text, is_missing
from ._roles import MAX_CATEGORIES, find_roles
from .cells import TEXT_KINDS, read_cells
from .stream import TableStream
from .summaries import LARGEST, MOST_TEXTS, Occurrences, TableSummary, summarise
from .table import DataError, Table, show, silent

KINDS = frozenset({"numeric", "boolean", *TEXT_KINDS, *DATE_KINDS})


@dataclass(frozen=True)
class Schema:
    """The feature columns of a model.

    Parameters
    ----------
    columns : tuple of str
        Names, in the order of the table.
    kinds : tuple of str
        Contents of each column: "numeric", "boolean", "text" for categories, "words" for free text, or "date"
        or "time", followed by ", day first" where the day stands before the month.
    impute : {"median"} or None, default=None
        Whether cells without a number are left to be filled (as NaN) or refused.
    max_categories : int or None, default=None
        Inputs that a column of categories becomes at most; the rarest ones share one. None is no limit.
    squash : bool, default=False
        Whether standardised numbers z become z / sqrt(1 + (z / 3)^2), which draws in the largest ones.
    left_out : dict of str to str, default={}
        Columns of the table that are not used, with the reasons.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Schema, Table
    >>> cells = [["1", "2", "3"], ["a", "b", "a"], ["2024-02-29", "2024-03-01", "2024-03-02"]]
    >>> values = tuple(np.array(column, dtype=object) for column in cells)
    >>> table = Table("toy", ("size", "kind", "day"), values, np.arange(3), typed=False)
    >>> schema = Schema.infer(table)
    >>> schema.kinds
    ('numeric', 'text', 'date')
    >>> schema.encode(table)[0].tolist()
    [1.0, 'a', 2024.0, 2.0, 3.0, 19782.0]
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    impute: str | None = None
    max_categories: int | None = None
    squash: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def infer(
        cls,
        table: Table | TableStream,
        *,
        target: str | None = None,
        categorical: Sequence[str] = (),
        impute: str | None = None,
        drop: Sequence[str] = (),
        keep: Sequence[str] = (),
        max_categories: int = MAX_CATEGORIES,
        note: Callable[[str], None] = silent,
    ) -> Schema:
        """Find out what each column but the target holds.

        A column of a text format is numeric when more than half of its cells that are not missing are
        numbers; columns named in ``categorical`` are text whatever they hold. Columns in ``drop``, columns
        with one value, and identifiers that are not in ``keep`` are left out. ``note`` receives one line for
        each reason to leave columns out, for dates, free text and columns of many categories, and for each
        kind of text columns that look like something else.

        Raises
        ------
        DataError
            If no column is left, ``categorical``, ``drop`` or ``keep`` names no column, numbers spread too
            little to be standardised (by less than 1e-145, but not by 0), or a column of text has more than
            500,000 categories.
        """
        summary = summarise(table, text=categorical)
        return cls.of(
            summary,
            target=target,
            categorical=categorical,
            impute=impute,
            drop=drop,
            keep=keep,
            max_categories=max_categories,
            note=note,
        )

    @classmethod
    def of(
        cls,
        summary: TableSummary,
        *,
        target: str | None = None,
        categorical: Sequence[str] = (),
        impute: str | None = None,
        drop: Sequence[str] = (),
        keep: Sequence[str] = (),
        max_categories: int = MAX_CATEGORIES,
        note: Callable[[str], None] = silent,
    ) -> Schema:
        """Return the schema of a table that has been summarised, as :meth:`infer` does."""
        roles = find_roles(
            summary,
            target,
            categorical=frozenset(categorical),
            drop=drop,
            keep=keep,
            max_categories=max_categories,
            note=note,
        )
        for name, kind in roles.kinds.items():
            if kind == "text":
                check_counted(summary, name)
        columns, kinds = tuple(roles.kinds), tuple(roles.kinds.values())
        return cls(columns, kinds, impute, max_categories, left_out=roles.left_out)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Return the names of the columns of a kind."""
        return tuple(name for name, own in zip(self.columns, self.kinds, strict=True) if own == kind)

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Column of the table and kind, "numeric", "text" or "words", of each column of the encoded array."""
        return tuple(
            (name, kind if kind in TEXT_KINDS else "numeric")
            for name, kind in zip(self.columns, self.kinds, strict=True)
            for _ in range(len(parts_of(kind)) if kind in DATE_KINDS else 1)
        )

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
        ndarray of shape (n_rows, n_inputs)
            A date takes several columns: year, month, day of week (0 is Monday), days since 1970 and, with
            times of day, the hour. float64 if all columns are numbers, else object with floats and ``str``.
            NaN marks cells to be filled (only with ``impute``).

        Raises
        ------
        DataError
            As :meth:`check_rows`.
        """
        self.check_rows(table, {}, note, fitted=False)
        return self.encode_block(table)

    def encode_block(self, table: Table) -> NDArray:
        """Return the feature columns of rows that have been checked, as :meth:`encode` does."""
        dtype = np.float64 if TEXT_KINDS.isdisjoint(self.kinds) else object
        X = np.empty((table.n_rows, len(self.inputs)), dtype=dtype)
        start = 0
        for name, kind in zip(self.columns, self.kinds, strict=True):
            values = read_cells(table, name, kind)
            part = expand_dates(values, kind) if kind in DATE_KINDS else values[:, None]
            X[:, start : start + part.shape[1]] = part
            start += part.shape[1]
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
            If a column is not there, or as :meth:`check` and :meth:`check_words`.
        """
        summary = TableSummary(table, numbers=self.of_kind("numeric"))
        for name in self.columns:
            summary.check_column(name, ", which the model needs")
        new = {name: Occurrences() for name in categories}
        unread: dict[str, Occurrences] = {}
        for block in table.blocks():
            summary.add(block)
            self.add_unread(unread, block)
            for name, known in categories.items():
                cells = as_text(block.column(name)).tolist()
                if strange := [i for i, cell in enumerate(cells) if cell not in known]:
                    first = strange[0]
                    new[name].add(len(strange), f"{block.place(first, name)}: {show(cells[first])}")
        self.check(summary, note, fitted=fitted)
        self.check_words(unread, note, fitted=fitted)
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
            if numbers.bad.count:
                self._fill(numbers.bad, decimal_hint(summary, name), note, fitted)

    def add_unread(self, unread: dict[str, Occurrences], block: Table) -> None:
        """Add the cells of a block that hold no date or truth value, in columns of these, by column."""
        for name, kind in zip(self.columns, self.kinds, strict=True):
            if kind != "boolean" and kind not in DATE_KINDS:
                continue
            lost = np.flatnonzero(np.isnan(read_cells(block, name, kind)))
            if len(lost):
                cell = as_text(block.column(name))[lost[0]]
                word = "truth value" if kind == "boolean" else "date"
                what = "missing value" if is_missing(cell) else f"{show(cell)} is no {word}"
                own = unread.setdefault(name, Occurrences())
                own.add(len(lost), f"{block.place(int(lost[0]), name)}: {what}")

    def check_words(
        self,
        unread: Mapping[str, Occurrences],
        note: Callable[[str], None] = silent,
        *,
        fitted: bool = False,
    ) -> None:
        """Check the cells that :meth:`add_unread` found.

        Raises
        ------
        DataError
            If there are any, and the schema does not say that they are to be filled.
        """
        for cells in unread.values():
            self._fill(cells, "", note, fitted)

    def _fill(self, bad: Occurrences, hint: str, note: Callable[[str], None], fitted: bool) -> None:
        """Say of cells without a number that they are filled, or refuse them."""
        place = f"{bad.first}{bad.more(' in this column')}"
        if self.impute is None:
            advice = "--impute median fills such cells, --categorical reads a column as text"
            if fitted:
                advice = "leave such rows out, or fit with --impute median, which fills such cells"
            raise DataError(f"{place}; {advice}{hint}")
        note(f"{place}: filled by the {self.impute} of the training rows")


def check_counted(summary: TableSummary, name: str) -> None:
    """Refuse a column of text that has too many categories to be counted."""
    if summary.texts[name].counts is None:
        raise DataError(
            f"{summary.name}: column {show(name)} holds more than {MOST_TEXTS:,} different texts, too many "
            "for categories; --drop leaves it out"
        )
