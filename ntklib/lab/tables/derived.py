"""Numbers that dates and truth values become: a summary of them, once it is known how they are written."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from ._schema import Schema
from .summaries import ExactMoments, Occurrences, TableSummary
from .table import Table


def numbers_of(block: Table, schema: Schema) -> NDArray:
    """Return the columns of numbers of some rows, as they are encoded, in float64."""
    kept = np.array([kind == "numeric" for _, kind in schema.inputs])
    return schema.encode_block(block)[:, kept].astype(np.float64)


class DerivedNumbers:
    """Summary of the columns of numbers that are not read from their cells directly.

    Parameters
    ----------
    schema : Schema

    Attributes
    ----------
    unread : dict of str to Occurrences
        Cells that hold no date or truth value, by column.
    """

    def __init__(self, schema: Schema) -> None:
        kinds = dict(zip(schema.columns, schema.kinds, strict=True))
        self.schema = schema
        self._names = [name for name, kind in schema.inputs if kind == "numeric"]
        places = [j for j, name in enumerate(self._names) if kinds[name] != "numeric"]
        self._moments = {j: ExactMoments() for j in places}
        self.unread: dict[str, Occurrences] = {}

    @property
    def needed(self) -> bool:
        """Say whether there are such columns."""
        return bool(self._moments)

    def add(self, block: Table, numbers: NDArray) -> None:
        """Add rows, whose columns of numbers are ``numbers``."""
        for j, moments in self._moments.items():
            moments.add(numbers[~np.isnan(numbers[:, j]), j])
        self.schema.add_unread(self.unread, block)

    def merge(self, later: DerivedNumbers) -> None:
        """Add the summary of later rows."""
        for j, moments in self._moments.items():
            moments.merge(later._moments[j])
        for name, cells in later.unread.items():
            self.unread.setdefault(name, Occurrences()).merge(cells)

    def moments(self, summary: TableSummary) -> list[ExactMoments]:
        """Return the moments of all columns of numbers, those of others from the summary of the table."""
        return [self._moments.get(j) or copy(summary.moments[name]) for j, name in enumerate(self._names)]
