"""Which columns a model reads and as what; the same schema encodes the rows of fit and of predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.datasets._numbers import as_text, is_missing, looks_numeric, parse_numbers
from ntklib.datasets._table import DataError, Table


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
    >>> from ntklib.datasets import Schema, Table
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
    ) -> Schema:
        """Find out what each column but the target holds.

        A column of a text format is numeric when more than half of its cells that are not missing are
        numbers; columns named in ``categorical`` are text whatever they hold.

        Raises
        ------
        DataError
            If no column is left, a column is missing in every row, or ``categorical`` names no column.
        """
        for name in categorical:
            table.column(name)
        kinds = {}
        for name, values in zip(table.columns, table.values, strict=True):
            if name == target:
                continue
            kinds[name] = "text" if name in categorical else _kind(table, name, values)
        if not kinds:
            raise DataError(f"{table.name}: no column is left beside the target {target!r}")
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
            If a column is missing, or a numeric column has a cell that is not a finite number and
            ``impute`` is None.
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
        numbers = parse_numbers(values)
        bad = np.flatnonzero(np.isnan(numbers))
        if len(bad) == 0:
            return numbers
        place = f"{table.place(bad[0], name)}: {describe_cell(values[bad[0]])}"
        more = f" (and {len(bad) - 1} more in this column)" if len(bad) > 1 else ""
        if self.impute is None:
            raise DataError(
                f"{place}{more}; --impute median fills such cells, --categorical reads a column as text"
            )
        note(f"{place}{more}: filled by the {self.impute} of the training rows")
        return numbers


def _kind(table: Table, name: str, values: NDArray) -> str:
    if values.dtype != object:
        if np.isnan(values).all():
            raise DataError(f"{table.name}: column {name!r} has no value in any row")
        return "numeric"
    numeric = looks_numeric(values)
    if numeric is None:
        raise DataError(f"{table.name}: column {name!r} has no value in any row")
    return "numeric" if numeric and not table.typed else "text"


def describe_cell(cell: object) -> str:
    """Say what is wrong with a cell that should hold a number."""
    if isinstance(cell, str) and not is_missing(cell):
        return f"{cell!r} is not a finite number"
    if isinstance(cell, float) and np.isinf(cell):
        return "infinite value"
    return "missing value"
