"""From cells of text to numbers and back, without guessing."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .table import show

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""Spellings of a missing number, compared in lower case and without surrounding blanks."""

_REMEMBERED = 1024
"""Cells that are remembered with what was found of them: text comes again and again in most columns."""


@lru_cache(_REMEMBERED)
def is_missing(cell: str) -> bool:
    """Say whether a cell spells a missing value."""
    return cell.strip().lower() in MISSING


def parse_numbers(cells: NDArray, decimal: str = ".") -> NDArray:
    """Return the cells as float64, NaN wherever a cell is not a finite number.

    Surrounding blanks are allowed, underscores (``1_000`` is a number to Python) are not, and a number too
    large for float64 is refused rather than turned into infinity. With the decimal sign ``","`` a cell with a
    point in it is no number: it may be a date, or a point between thousands.

    Examples
    --------
    >>> import numpy as np
    >>> parse_numbers(np.array([" 1.5", "1_000", "1e999", "2"], dtype=object))
    array([1.5, nan, nan, 2. ])
    >>> parse_numbers(np.array(["1,5", "1.5", "1.000,5", "2"], dtype=object), ",")
    array([1.5, nan, nan, 2. ])
    """
    if cells.dtype != object:
        values = cells.astype(np.float64)
    else:
        texts = cells.tolist()
        if decimal != ".":
            texts = ["" if "." in text else text.replace(decimal, ".") for text in texts]
        try:  # the whole column at once: ten times faster than asking cell by cell
            values = np.array(list(map(float, texts)))
        except ValueError:
            values = np.array([_number_or_nan(text) for text in texts])
        if "_" in "".join(texts):
            values[np.array(["_" in text for text in texts], dtype=bool)] = np.nan
    values[np.isinf(values)] = np.nan
    return values


@lru_cache(_REMEMBERED)
def _number_or_nan(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def as_text(values: NDArray) -> NDArray:
    """Return a column as an object array of ``str``; whole numbers are written without a fraction.

    Examples
    --------
    >>> import numpy as np
    >>> as_text(np.array([3.0, 0.5])).tolist()
    ['3', '0.5']
    """
    if values.dtype == object:
        return values
    text = [
        "" if np.isnan(v) else str(int(v)) if v == np.floor(v) and abs(v) < 2**53 else repr(v)
        for v in values.tolist()
    ]
    return np.array(text, dtype=object)


@lru_cache(_REMEMBERED)
def is_infinite(cell: str) -> bool:
    """Say whether a cell spells a number that is infinite, or too large for float64."""
    return bool(np.isinf(_number_or_nan(cell)))


def mostly_numbers(numbers: int, present: int) -> bool | None:
    """Say whether more than half of the cells that are not missing are numbers; None if all are missing.

    A column with a few stray strings, or with infinite numbers, which count here, is therefore numeric: they
    can be reported, and do not turn the column into categories.
    """
    return 2 * numbers > present if present else None


def looks_numeric(cells: NDArray, numbers: NDArray) -> bool | None:
    """Decide by :func:`mostly_numbers` whether a column of text, read as ``numbers``, holds numbers."""
    stray = cells[np.isnan(numbers)].tolist()
    present = len(cells) - sum(map(is_missing, stray))
    return mostly_numbers(len(cells) - len(stray) + sum(map(is_infinite, stray)), present)


def describe_cell(cell: object) -> str:
    """Say what is wrong with a cell that should hold a number."""
    if isinstance(cell, str) and not is_missing(cell):
        return f"{show(cell)} is not a finite number"
    if isinstance(cell, float) and np.isinf(cell):
        return "infinite value"
    return "missing value"
