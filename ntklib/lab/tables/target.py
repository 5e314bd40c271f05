"""The column to predict, and whether predicting it is regression or classification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ._hints import note_spellings, target_hint
from ._numbers import as_text, is_missing, parse_numbers
from ._schema import check_counted
from .stream import TableStream
from .summaries import Occurrences, TableSummary, summarise
from .table import DataError, Table, show, silent

MAX_NUMERIC_CLASSES = 20
MIN_ROWS_PER_CLASS = 5


@dataclass(frozen=True)
class Target:
    """The target of a table, ready for an estimator.

    Parameters
    ----------
    name : str
        The column's name.
    task : {"regression", "classification"}
        What predicting it is.
    reason : str
        Why, for people.
    values : ndarray of shape (n_rows,)
        float64 for regression; int64 or ``str`` class labels for classification.
    """

    name: str
    task: str
    reason: str
    values: NDArray


def read_target(
    table: Table,
    name: str | None = None,
    *,
    task: str = "auto",
    categorical: bool = False,
    note: Callable[[str], None] = silent,
) -> Target:
    """Read the target column and choose the task.

    Under ``task="auto"`` text is classification, and so are numbers that are all whole, take at most 20
    distinct values, and repeat each at least 5 times on average; everything else is regression.

    Parameters
    ----------
    table : Table
        The data.
    name : str or None, default=None
        The target column; None is the one the table itself names.
    task : {"auto", "regression", "classification"}, default="auto"
        What predicting it is.
    categorical : bool, default=False
        Read the labels as text even where they look like numbers ("01" stays "01").
    note : callable, default: nothing
        Receives one line if labels of text look like something else, such as numbers with a decimal comma.

    Returns
    -------
    Target

    Raises
    ------
    DataError
        If there is no such column, a value is missing or infinite, all values are equal, or the values do
        not suit the task.

    Examples
    --------
    >>> from ntklib.lab.tables import load_table, read_target
    >>> target = read_target(load_table("digits"))
    >>> target.task, target.reason
    ('classification', "'digit' takes 10 distinct whole values")
    """
    name = target_name(table, name)
    alone = replace(table, columns=(name,), values=(table.column(name, " to predict"),))
    column = TargetColumn.of(alone, summarise(alone, text=(name,) if categorical else ()), name)
    return column.decide(column.read(alone), task=task, categorical=categorical, note=note)


def target_name(table: Table | TableStream, name: str | None) -> str:
    """Return the name of the target: the one given, or else the one that the table names.

    Raises
    ------
    DataError
        If there is neither.
    """
    chosen = name if name is not None else table.target
    if chosen is None:
        raise DataError(f"{table.name}: which column is to be predicted? name it with --target")
    return chosen


@dataclass(frozen=True)
class TargetColumn:
    """The target of a table that is read block by block.

    Parameters
    ----------
    name : str
        The column's name.
    summary : TableSummary
        Of the table.
    text : bool
        Whether its cells are labels of text.
    """

    name: str
    summary: TableSummary
    text: bool

    @classmethod
    def of(cls, table: Table | TableStream, summary: TableSummary, name: str) -> TargetColumn:
        """Return the target column of a table that has been summarised.

        Raises
        ------
        DataError
            If there is no such column, there are fewer than five rows, or a value is missing or infinite.
        """
        summary.check_column(name, " to predict")
        if summary.n_rows < 5:
            raise DataError(f"{summary.name}: {summary.n_rows} rows are too few to learn from (5 at least)")
        text = not summary.looks_numeric(name)
        if not text and (bad := summary.numbers[name].bad).count:
            raise DataError(
                f"{bad.first} in the target{bad.more()}; leave out rows whose target is not known"
            )
        if text:
            check_counted(summary, name)
            _refuse_blank(table, summary, name)
        return cls(name, summary, text)

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        if not self.text:
            return np.dtype(np.float64)
        return np.dtype(f"U{max(map(len, self.summary.texts[self.name].counts or ()))}")

    def read(self, block: Table) -> NDArray:
        """Return the values in some rows."""
        cells = block.column(self.name)
        return as_text(cells).astype(str) if self.text else parse_numbers(cells, block.decimal)

    def decide(
        self,
        values: NDArray,
        *,
        task: str = "auto",
        categorical: bool = False,
        note: Callable[[str], None] = silent,
    ) -> Target:
        """Choose the task for the values of all rows, as :func:`read_target` does.

        Raises
        ------
        DataError
            If all values are equal, or they do not suit the task.
        """
        name, summary = self.name, self.summary
        counts = summary.texts[name].counts if name in summary.texts else None
        distinct = len(counts or ()) if self.text else len(np.unique(values))
        if distinct == 1:
            lost = " as 64-bit numbers; --categorical reads it as text" if len(counts or ()) > 1 else ""
            raise DataError(f"{summary.name}: the target {show(name)} has the same value in every row{lost}")
        chosen, reason = _choose(name, values, distinct)
        if task != "auto":
            chosen, reason = task, f"asked for by --task {task}"
        hint = target_hint(summary, name) if self.text and not categorical else ""
        if chosen == "regression" and self.text:
            raise DataError(
                f"{summary.name}: the target {show(name)} is text, which regression cannot predict{hint}"
            )
        if chosen == "classification" and not self.text:
            if not _whole(values):
                raise DataError(
                    f"{summary.name}: the target {show(name)} has fractional values or some beyond 2**53, "
                    f"which are no classes; --categorical {show(name)} reads them as text"
                )
            values = values.astype(np.int64)
        if chosen == "classification" and distinct > len(values) / 2:
            raise DataError(
                f"{summary.name}: the target {show(name)} has {distinct} classes in {len(values)} rows: "
                f"an identifier, or a number for --task regression?{hint}"
            )
        if self.text and not categorical:
            if hint:
                note(f"{summary.name}: the target {show(name)} is read as text{hint}")
            note_spellings(summary, [name], note)
            self._note_missing(note)
        return Target(name, chosen, reason, values)

    def _note_missing(self, note: Callable[[str], None]) -> None:
        """Say which labels may be no classes, but spellings of a missing value."""
        counts: Mapping[str, int] = self.summary.texts[self.name].counts or {}
        for label in sorted(cell for cell in counts if is_missing(cell)):
            note(
                f"{self.summary.name}: the target {show(self.name)} is {show(label)} in {counts[label]} "
                "rows, used as a class; leave these rows out if it stands for a missing value"
            )


def centred_numbers(values: NDArray, task: str) -> NDArray:
    """Return a target as numbers of mean 0 and mean square 1, for models of one output.

    Of classes, the later half in sorted order counts as 1 and the others as -1, before that.

    Raises
    ------
    DataError
        If all values are the same.

    Examples
    --------
    >>> import numpy as np
    >>> centred_numbers(np.array(["a", "b", "b", "a"]), "classification").tolist()
    [-1.0, 1.0, 1.0, -1.0]
    """
    if task == "classification":
        classes, index = np.unique(values, return_inverse=True)
        values = np.where(index >= len(classes) // 2, 1.0, -1.0)
    centred = values - values.mean()
    size = np.sqrt(np.mean(centred**2))
    if size == 0:
        raise DataError("the target is the same in all rows that were drawn")
    return centred / size


def _whole(values: NDArray) -> bool:
    return bool(np.all(values == np.floor(values)) and np.all(np.abs(values) < 2**53))


def _choose(name: str, values: NDArray, distinct: int) -> tuple[str, str]:
    if values.dtype != np.float64:
        return "classification", f"{show(name)} is text with {distinct} distinct values"
    if not _whole(values):
        return "regression", f"{show(name)} has fractional values"
    if distinct <= MAX_NUMERIC_CLASSES and distinct * MIN_ROWS_PER_CLASS <= len(values):
        return "classification", f"{show(name)} takes {distinct} distinct whole values"
    return "regression", f"{show(name)} takes {distinct} distinct values in {len(values)} rows"


def _refuse_blank(table: Table | TableStream, summary: TableSummary, name: str) -> None:
    counts: Mapping[str, int] = summary.texts[name].counts or {}
    blank = Occurrences(sum(count for cell, count in counts.items() if not cell.strip()))
    if not blank.count:
        return
    for block in table.blocks():
        for i, cell in enumerate(as_text(block.column(name))):
            if not cell.strip():
                place = block.place(i, name)
                raise DataError(
                    f"{place}: missing value in the target{blank.more()}; leave out rows whose target is not "
                    "known"
                )
