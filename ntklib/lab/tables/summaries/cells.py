"""Summaries of the cells of one column: as numbers, and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .._numbers import describe_cell, is_infinite, is_missing, mostly_numbers
from ..table import Table

LARGEST = 1e150
"""Numbers beyond it cannot be standardised: their squares, summed over 1e8 rows, are not representable."""

MOST_TEXTS = 500_000
"""Different texts of a column that are counted: a model file has room for about as many."""

_DOUBTFUL = 10_000
"""Different texts that are counted of a column that looks as if it held numbers."""

_SAMPLE = 1000
_IDENTIFIER_ROWS = 5


@dataclass
class Occurrences:
    """Number of cells of some kind, with the first of them: where it stands, and what is to be said of it."""

    count: int = 0
    first: str = ""

    def add(self, count: int, first: str) -> None:
        """Add some cells, the first of which is described by ``first``."""
        self.first = self.first if self.count else first
        self.count += count

    def merge(self, later: Occurrences) -> None:
        """Add the cells of later rows."""
        if later.count:
            self.add(later.count, later.first)

    def more(self, where: str = "") -> str:
        """Say that there are others than the first."""
        return f" (and {self.count - 1} more{where})" if self.count > 1 else ""


@dataclass
class NumberSummary:
    """Cells of a column, as numbers.

    Attributes
    ----------
    rows, finite, infinite, missing : int
        Numbers of all cells and of those of a kind; others are text that is no number.
    low, high : float
        Extremes of the finite numbers.
    whole : bool
        If all finite numbers are whole.
    sample : list of float
        The first thousand of them.
    bad, large : Occurrences
        Cells without a finite number, and numbers too large to be standardised.
    """

    rows: int = 0
    finite: int = 0
    infinite: int = 0
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True
    sample: list[float] = field(default_factory=list)
    bad: Occurrences = field(default_factory=Occurrences)
    large: Occurrences = field(default_factory=Occurrences)

    def add(self, table: Table, name: str, numbers: NDArray) -> None:
        """Add a column of a table, whose cells were read as ``numbers``, NaN where there is none."""
        self.rows += len(numbers)
        low, high = float(numbers.min()), float(numbers.max())
        if np.isnan(low):
            stray = np.isnan(numbers)
            self._add_stray(table, name, np.flatnonzero(stray))
            if stray.all():
                return
            low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
            self.finite += len(numbers) - int(np.count_nonzero(stray))
        else:
            self.finite += len(numbers)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.whole = self.whole and bool((np.floor(numbers) == numbers)[~np.isnan(numbers)].all())
        if (room := _SAMPLE - len(self.sample)) > 0:
            self.sample += numbers[~np.isnan(numbers)][:room].tolist()
        if max(-low, high) > LARGEST:
            large = np.flatnonzero(np.abs(numbers) > LARGEST)
            place = table.place(large[0], name)
            self.large.add(len(large), f"{place}: {numbers[large[0]]:.4g}")

    def _add_stray(self, table: Table, name: str, stray: NDArray) -> None:
        """Add the cells at some rows, which hold no finite number."""
        cells = table.column(name)[stray]
        if cells.dtype == object:
            self.infinite += sum(map(is_infinite, cells))
            self.missing += sum(map(is_missing, cells))
        else:
            self.infinite += int(np.count_nonzero(np.isinf(cells)))
            self.missing += int(np.count_nonzero(np.isnan(cells)))
        place = table.place(stray[0], name)
        self.bad.add(len(stray), f"{place}: {describe_cell(cells.tolist()[0])}")

    def merge(self, later: NumberSummary) -> None:
        """Add the cells of later rows."""
        self.rows += later.rows
        self.finite += later.finite
        self.infinite += later.infinite
        self.missing += later.missing
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)
        self.whole = self.whole and later.whole
        self.sample += later.sample[: _SAMPLE - len(self.sample)]
        self.bad.merge(later.bad)
        self.large.merge(later.large)

    @property
    def looks_numeric(self) -> bool | None:
        """Say whether most cells are numbers, missing ones left out; None if all are missing."""
        return mostly_numbers(self.finite + self.infinite, self.rows - self.missing)

    @property
    def all_different(self) -> bool:
        """Say whether none of the first numbers is there twice, among at least five."""
        return len(set(self.sample)) == len(self.sample) >= _IDENTIFIER_ROWS

    @property
    def spread(self) -> float:
        """Largest difference of two numbers."""
        return self.high - self.low if self.finite else 0.0


@dataclass
class TextSummary:
    """Cells of a column, as text.

    Attributes
    ----------
    first, present : list of str
        The first thousand cells, and the first thousand that are not missing.
    counts : Counter or None
        How often each text is there; None where there were too many to count.
    """

    first: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    counts: Counter[str] | None = field(default_factory=Counter)

    def add(self, cells: list[str], *, doubtful: bool = False, all_present: bool = False) -> None:
        """Add some cells.

        ``doubtful`` says that the column looks as if it held numbers, ``all_present`` that none is missing.
        """
        if len(self.present) < _SAMPLE:
            self._keep(cells, cells if all_present else (cell for cell in cells if not is_missing(cell)))
        if self.counts is not None:
            self.counts.update(cells)
            self._limit(doubtful)

    def merge(self, later: TextSummary, *, doubtful: bool) -> None:
        """Add the cells of later rows."""
        self._keep(later.first, later.present)
        if self.counts is None or later.counts is None:
            self.counts = None
        else:
            self.counts.update(later.counts)
            self._limit(doubtful)

    def _keep(self, first: list[str], present: Iterable[str]) -> None:
        self.first += first[: _SAMPLE - len(self.first)]
        self.present += islice(present, _SAMPLE - len(self.present))

    def _limit(self, doubtful: bool) -> None:
        if self.counts is not None and len(self.counts) > (_DOUBTFUL if doubtful else MOST_TEXTS):
            self.counts = None

    @property
    def all_different(self) -> bool:
        """Say whether no text is there twice, missing ones left out, among at least five.

        Where there were too many to count, the first thousand decide.
        """
        if self.counts is None:
            return len(set(self.present)) == len(self.present) >= _IDENTIFIER_ROWS
        present = [count for cell, count in self.counts.items() if not is_missing(cell)]
        return len(present) >= _IDENTIFIER_ROWS and max(present) == 1
