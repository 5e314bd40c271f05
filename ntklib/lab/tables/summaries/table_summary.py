"""Summary of a table, from which its schema, its target and its preprocessing follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from ntklib._core.progress import step

from .._numbers import as_text, parse_numbers
from ..stream import TableStream
from ..table import Table, unknown_column
from .cells import LARGEST, NumberSummary, TextSummary
from .moments import ExactMoments


class TableSummary:
    """Summary of the rows of a table.

    Parameters
    ----------
    table : Table or TableStream
        Whose rows are to be added, or other ones with these columns.
    text : collection of str, default=()
        Columns that are text whatever they hold.
    numbers : collection of str or None, default=None
        Columns whose cells are only to be read as numbers, without categories and moments.

    Attributes
    ----------
    n_rows : int
    numbers : dict of str to NumberSummary
        Of all columns but those in ``text``, and those that the source says are text.
    moments : dict of str to ExactMoments
        Mean and variance of the finite numbers of these columns.
    texts : dict of str to TextSummary
        Of all columns but those that the source says are numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Table, TableSummary
    >>> sizes, kinds = np.array([1.0, 2.0]), np.array(["oak", "elm"], dtype=object)
    >>> table = Table("toy", ("size", "kind"), (sizes, kinds), np.array([1, 2]))
    >>> one, other = TableSummary(table), TableSummary(table)
    >>> one.add(table)
    >>> other.add(table.take(np.array([1])))
    >>> one.merge(other)
    >>> one.moments["size"].mean, dict(one.texts["kind"].counts)
    (1.6666666666666667, {'oak': 1, 'elm': 2})
    """

    def __init__(
        self,
        table: Table | TableStream,
        *,
        text: Collection[str] = (),
        numbers: Collection[str] | None = None,
    ) -> None:
        self.name, self.columns = table.name, table.columns
        self.typed, self.decimal, self.target = table.typed, table.decimal, table.target
        self._names = frozenset(table.columns)
        self.as_text = frozenset(text)
        self._only = None if numbers is None else tuple(numbers)
        self.n_rows = 0
        self.numbers: dict[str, NumberSummary] = {}
        self.moments: dict[str, ExactMoments] = {}
        self.texts: dict[str, TextSummary] = {}

    def add(self, table: Table) -> None:
        """Add rows."""
        self.n_rows += table.n_rows
        for name in table.columns if self._only is None else self._only:
            self._add_column(table, name)

    def _add_column(self, table: Table, name: str) -> None:
        values = table.column(name)
        is_text = name in self.as_text or (self.typed and values.dtype == object and self._only is None)
        all_present = False
        if not is_text:
            numbers = parse_numbers(values, self.decimal)
            self.numbers.setdefault(name, NumberSummary()).add(table, name, numbers)
            all_present = not np.isnan(numbers).any()
            if self._only is None:
                usable = numbers[np.abs(numbers) <= LARGEST]
                self.moments.setdefault(name, ExactMoments()).add(usable)
        if is_text or values.dtype == object:
            cells = as_text(values).tolist()
            text = self.texts.setdefault(name, TextSummary(counts=Counter() if self._only is None else None))
            text.add(cells, doubtful=self._doubtful(name), all_present=all_present)

    def merge(self, later: TableSummary) -> None:
        """Add the summary of later rows of the same table."""
        self.n_rows += later.n_rows
        for name, summary in later.numbers.items():
            self.numbers.setdefault(name, NumberSummary()).merge(summary)
        for name, moments in later.moments.items():
            self.moments.setdefault(name, ExactMoments()).merge(moments)
        for name, text in later.texts.items():
            self.texts.setdefault(name, TextSummary()).merge(text, doubtful=self._doubtful(name))

    def check_column(self, name: str, needed_for: str = "") -> None:
        """Refuse the name of no column.

        Raises
        ------
        DataError
            That suggests the nearest name, or lists them.
        """
        if name not in self._names:
            raise unknown_column(self.name, self.columns, name, needed_for)

    def _doubtful(self, name: str) -> bool:
        return name in self.numbers and self.numbers[name].looks_numeric is True

    def looks_numeric(self, name: str) -> bool | None:
        """Say whether a column is to be read as numbers; None if all its cells are missing."""
        if name in self.numbers:
            return self.numbers[name].looks_numeric
        return False if name in self.as_text or self.texts[name].present else None

    @property
    def uncounted(self) -> frozenset[str]:
        """Columns that turned out to be text late, after their texts were no longer counted."""
        return frozenset(
            name
            for name, text in self.texts.items()
            if text.counts is None and name in self.numbers and not self.looks_numeric(name)
        )


def summarise(table: Table | TableStream, *, text: Collection[str] = ()) -> TableSummary:
    """Summarise all rows of a table, in one pass, or in two where a column of numbers turns out to be text.

    Parameters
    ----------
    table : Table or TableStream
    text : collection of str, default=()
        Columns that are text whatever they hold.

    Returns
    -------
    TableSummary

    Raises
    ------
    DataError
        If ``text`` names no column, or the table cannot be read.
    """
    summary = TableSummary(table, text=text)
    for name in text:
        summary.check_column(name)
    with step("summarising", unit="rows") as done:
        for block in table.blocks():
            summary.add(block)
            done.reach(summary.n_rows)
    if late := summary.uncounted:
        return summarise(table, text=summary.as_text | late)
    return summary
