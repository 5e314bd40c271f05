"""Rows of an array that stay where they are: chosen, converted and checked a block at a time.

The ridge estimators take a :class:`RowView` for X, in `fit` and in predictions. Rows on other machines are a
subclass of it, with `shape`, `dtype`, ``[...]``, `take`, `blocks` and a `driver` of their own: fits on
centres, searches and calibration then run as they do on one machine, with the same bytes for the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config

from ntklib._core.blocks import row_blocks
from ntklib.solvers.nystrom import CentreRows

__all__ = ["RowView", "check_finite_rows", "check_finite_values", "whole"]

ROWS = 4096  # read at once


@dataclass(frozen=True)
class RowView:
    """Some rows of an array, as floats; nothing is copied before it is read.

    The array may be a memory map, larger than memory, and of any kind of numbers.

    Attributes
    ----------
    source : ndarray, memory map or CSR matrix of shape (n, d)
    index : ndarray of int or None
        The rows it holds, ascending; None is all.
    ends : tuple of int or None
        Ends of the blocks of the source that sums are made of; None is blocks of a constant number of rows.
        Where they are given, equal rows are not merged, as that would take rows from block to block; the fit
        is the same.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.estimators.rows import RowView
    >>> rows = RowView(np.arange(6).reshape(3, 2)).take(np.array([0, 2]))
    >>> rows.shape, rows[1:].tolist()
    ((2, 2), [[4.0, 5.0]])
    """

    elsewhere: ClassVar[bool] = False
    """Rows that are dear to read: they are neither checked nor measured before the fit."""

    source: Any
    index: NDArray | None = None
    ends: tuple[int, ...] | None = None

    @property
    def dtype(self) -> np.dtype:
        """Float32 for float32, else float64."""
        return np.dtype(np.float32 if self.source.dtype == np.float32 else np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of columns."""
        n, d = self.source.shape
        return (n if self.index is None else len(self.index)), d

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Read rows, a slice or an array of places."""
        part = self.source[rows if self.index is None else self.index[rows]]
        return part.astype(self.dtype, copy=False)

    def take(self, rows: NDArray) -> RowView:
        """View fewer rows, at ascending places."""
        return replace(self, index=rows if self.index is None else self.index[rows])

    def owned(self) -> Any:
        """Return an array of all these rows that shares no memory with the source."""
        return self.source.astype(self.dtype, copy=True) if self.index is None else self[:]

    def driver(self, targets: NDArray, weights: NDArray | None, counts: NDArray | None) -> CentreRows:
        """Return what runs through these rows, block by block, with their targets, weights and counts."""
        return CentreRows(self, targets, weights, counts, blocks=self.blocks())

    def blocks(self) -> list[slice] | None:
        """Blocks of these rows where the source's are given, else None."""
        if self.ends is None:
            return None
        ends = np.asarray(self.ends)
        if self.index is not None:
            ends = np.searchsorted(self.index, ends)
        starts = np.concatenate([[0], ends[:-1]])
        return [slice(int(start), int(stop)) for start, stop in zip(starts, ends, strict=True)]


def whole(X: Any) -> Any:
    """Return all rows of a view as an array; an array as it is."""
    return X[:] if isinstance(X, RowView) else X


def read_rows(X: Any) -> Iterator[Any]:
    """Rows of an array or a view, a block at a time."""
    return (X[rows] for rows in row_blocks(X.shape[0], ROWS))


def check_finite_rows(X: Any, name: str = "X") -> None:
    """Refuse NaN and infinity, naming the first row that has any.

    Parameters
    ----------
    X : ndarray, CSR matrix or RowView of shape (n, d) or (n,)
    name : str, default="X"

    Raises
    ------
    ValueError
        Naming the row and the column.
    """
    if X.dtype.kind == "O" and len(X.shape) == 1:
        check_no_missing(X, name)
    if X.dtype.kind not in "fc" and not isinstance(X, RowView):
        return
    start = 0
    for block in read_rows(X):
        values = block.data if sparse.issparse(block) else block
        with np.errstate(over="ignore", invalid="ignore"):
            clean = bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())
        if not clean:
            row, column, value = _first_bad(block)
            kind = "NaN" if np.isnan(value) else "infinity or a value too large for its dtype"
            at = f"row {start + row}" + ("" if len(X.shape) == 1 else f", column {column}")
            raise ValueError(
                f"Input {name} contains {kind} in {at}: leave such rows out, or fill in missing values, as "
                "sklearn.impute.SimpleImputer does."
            )
        start += block.shape[0]


def check_no_missing(values: Iterable[Any], name: str) -> None:
    """Refuse None, NaN and pandas.NA among objects, such as labels, naming the first row that is one."""
    for row, value in enumerate(values):
        if value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value):
            raise ValueError(f"Input {name} has no value in row {row}, but {value}: leave such rows out.")


def check_finite_values(values: Any, name: str) -> None:
    """Refuse NaN and infinity in an array or series of the caller, as :func:`check_finite_rows`.

    What is neither is left to scikit-learn, and so are numbers that it is told not to look at.
    """
    if get_config()["assume_finite"]:
        return
    if isinstance(values, list | tuple):
        check_no_missing(values, name)
    elif hasattr(values, "__array__"):
        values = np.asarray(values)
        if values.ndim in (1, 2):
            check_finite_rows(values, name)


def _first_bad(block: Any) -> tuple[int, int, float]:
    """Row, column and value of the first number that is not finite."""
    if sparse.issparse(block):
        block = block.tocoo()
        bad = np.flatnonzero(~np.isfinite(block.data))
        at = bad[np.lexsort((block.col[bad], block.row[bad]))[0]]
        return int(block.row[at]), int(block.col[at]), float(block.data[at])
    row, *column = np.argwhere(~np.isfinite(block))[0]
    return int(row), int(column[0]) if column else 0, float(block[(row, *column)])
