"""The column to predict, and whether predicting it is regression or classification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._hints import decimal_hint, note_lookalikes
from ._numbers import as_text, looks_numeric, parse_numbers
from ._schema import describe_cell
from .table import DataError, Table, show

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
    note: Callable[[str], None] = lambda message: None,
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
    if name is None:
        if table.target is None:
            raise DataError(f"{table.name}: which column is to be predicted? name it with --target")
        name = table.target
    raw = table.column(name, " to predict")
    if table.n_rows < 5:
        raise DataError(f"{table.name}: {table.n_rows} rows are too few to learn from (5 at least)")
    text = categorical
    if raw.dtype == object and not text:
        text = table.typed or not looks_numeric(raw, parse_numbers(raw, table.decimal))
    values = _labels(table, name, raw) if text else _numbers(table, name, raw)
    distinct = np.unique(values)
    if len(distinct) == 1:
        lost = " as 64-bit numbers; --categorical reads it as text" if len(set(raw.tolist())) > 1 else ""
        raise DataError(f"{table.name}: the target {show(name)} has the same value in every row{lost}")
    chosen, reason = _choose(name, values, distinct)
    if task != "auto":
        chosen, reason = task, f"asked for by --task {task}"
    if chosen == "regression" and text:
        raise DataError(
            f"{table.name}: the target {show(name)} is text, which regression cannot predict"
            + ("" if categorical else decimal_hint(table, name))
        )
    if chosen == "classification" and not text:
        if not _whole(values):
            raise DataError(
                f"{table.name}: the target {show(name)} has fractional values or some beyond 2**53, which "
                f"are no classes; --categorical {show(name)} reads them as text"
            )
        values = values.astype(np.int64)
    if chosen == "classification" and len(distinct) > table.n_rows / 2:
        raise DataError(
            f"{table.name}: the target {show(name)} has {len(distinct)} classes in {table.n_rows} rows: "
            "an identifier, or a number for --task regression?"
            + (decimal_hint(table, name) if text and not categorical else "")
        )
    if text and not categorical:
        note_lookalikes(table, [name], note)
    return Target(name, chosen, reason, values)


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


def _choose(name: str, values: NDArray, distinct: NDArray) -> tuple[str, str]:
    k = len(distinct)
    if values.dtype != np.float64:
        return "classification", f"{show(name)} is text with {k} distinct values"
    if not _whole(values):
        return "regression", f"{show(name)} has fractional values"
    if k <= MAX_NUMERIC_CLASSES and k * MIN_ROWS_PER_CLASS <= len(values):
        return "classification", f"{show(name)} takes {k} distinct whole values"
    return "regression", f"{show(name)} takes {k} distinct values in {len(values)} rows"


def _labels(table: Table, name: str, raw: NDArray) -> NDArray:
    labels = as_text(raw)
    for i, cell in enumerate(labels):
        if not cell.strip():
            raise DataError(f"{table.place(i, name)}: missing value in the target")
    return labels.astype(str)


def _numbers(table: Table, name: str, raw: NDArray) -> NDArray:
    values = parse_numbers(raw, table.decimal)
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise DataError(f"{table.place(bad[0], name)}: {describe_cell(raw[bad[0]])} in the target{more}")
    return values
