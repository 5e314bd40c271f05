"""Cells of a column, read as the kind of the column says."""

from __future__ import annotations

from numpy.typing import NDArray

from ._booleans import parse_booleans
from ._dates import DATE_KINDS, iso_text, parse_dates
from ._numbers import as_text, parse_numbers
from .table import Table

__all__ = ["TEXT_KINDS", "as_text", "iso_text", "read_cells"]

TEXT_KINDS = frozenset({"text", "words"})
"""Kinds of columns that stay text when a table is encoded."""


def read_cells(table: Table, name: str, kind: str) -> NDArray:
    """Return a column as its kind says: texts, or numbers, which for dates are days since 1970."""
    values = table.column(name)
    if kind in TEXT_KINDS:
        return as_text(values)
    if kind == "boolean":
        return parse_booleans(values)
    if kind in DATE_KINDS:
        return parse_dates(as_text(values), kind)
    return parse_numbers(values, table.decimal)
