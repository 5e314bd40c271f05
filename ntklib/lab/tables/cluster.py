"""Passes over the parts of a table by Dask, on many machines or in the threads of this one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from typing import Any

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from ntklib.dask import map_parts

from ._preprocessing import learn_numbers, preprocessor_of
from ._schema import Schema
from .derived import DerivedNumbers, numbers_of
from .encoding import EncodedRows
from .squash import squash_columns
from .stream import TableStream
from .summaries import MedianSearch, TableSummary
from .table import DataError, Table, UnreadableError, no_rows, silent
from .target import TargetColumn

__all__ = ["ClusterTable"]


class ClusterTable:
    """A table whose parts are read by the workers of a cluster, from the same paths as here.

    What it returns has the bytes that the table has in memory.

    Parameters
    ----------
    table : Table or TableStream
    client : dask.distributed.Client or None
        None is Dask's scheduler of this process.

    Attributes
    ----------
    sizes : list of int
        Rows of each part, known after `summarise`.
    """

    def __init__(self, table: Table | TableStream, client: Any = None) -> None:
        self.table, self.client = table, client
        self.parts = table.parts() if isinstance(table, TableStream) else [_held(table)]
        self.sizes: list[int] = []

    def summarise(self, *, text: Collection[str] = ()) -> TableSummary:
        """Summarise all rows, as :func:`~ntklib.lab.tables.summarise` does.

        Raises
        ------
        DataError
            If ``text`` names no column, or a part cannot be read.
        """
        whole = TableSummary(self.table, text=text)
        for name in text:
            whole.check_column(name)
        summaries = self._each("summarising", summarise_part, frozenset(text))
        self.sizes = [one.n_rows for one in summaries]
        if not sum(self.sizes):
            raise no_rows(self.table.name, self.table.typed)
        for one in summaries:
            whole.merge(one)
        late = whole.uncounted
        return self.summarise(text=whole.as_text | late) if late else whole

    def encode(
        self, schema: Schema, target: TargetColumn, *, note: Callable[[str], None] = silent
    ) -> EncodedRows:
        """Preprocess all rows, as :func:`~ntklib.lab.tables.encode_rows` does: X and y are Dask arrays.

        Parameters
        ----------
        schema : Schema
            Of the features; its cells have been checked.
        target : TargetColumn
            The target, with the summary of the table.
        note : callable, default: nothing
            Receives a line for each column of dates or truth values that has cells to be filled.

        Raises
        ------
        DataError
            If a cell holds no date or truth value and the schema does not say that it is to be filled.
        """
        preprocessor = preprocessor_of(schema, target.summary)
        derived = DerivedNumbers(schema)
        if derived.needed:
            for one in self._each("reading dates and truth values", derive_part, schema):
                derived.merge(one)
            schema.check_words(derived.unread, note)
        moments = derived.moments(target.summary)
        medians = self._medians(schema, len(moments)) if schema.impute is not None and moments else None
        learn_numbers(preprocessor, moments, medians, target.summary.n_rows)
        width = max(part.stop for part in preprocessor.output_indices_.values())
        recipe = dask.delayed((schema, preprocessor, target), traverse=False)
        blocks = [dask.delayed(encode_part)(part, recipe) for part in self.parts]
        X = [
            da.from_delayed(block[0], (n, width), np.float64)
            for block, n in zip(blocks, self.sizes, strict=True)
        ]
        y = [
            da.from_delayed(block[1], (n,), target.dtype) for block, n in zip(blocks, self.sizes, strict=True)
        ]
        return EncodedRows(da.concatenate(X), da.concatenate(y), preprocessor)

    def squash(self, X: da.Array, numbers: slice) -> da.Array:
        """Squash some columns of the encoded rows."""
        squashed: da.Array = da.map_blocks(squash_part, X, numbers, dtype=X.dtype)
        return squashed

    def _medians(self, schema: Schema, n_columns: int) -> NDArray:
        """Medians of the columns of numbers, in a few passes."""
        search = MedianSearch(n_columns)
        while not search.done:
            for one in self._each("looking for medians", count_part, schema, search):
                search.merge(one)
            search.end_pass()
        return search.medians

    def _each(self, title: str, function: Any, *shared: Any) -> list[Any]:
        """Results of a function of each part."""
        return map_parts(function, self.parts, *shared, title=title, client=self.client)


def read_part(part: TableStream) -> Iterator[Table]:
    """Blocks of a part; on a worker a file that cannot be read is its fault, since it was read to be cut.

    Raises
    ------
    DataError
        Naming the worker.
    """
    try:
        yield from part.read()
    except UnreadableError as error:
        worker = _worker()
        if worker is None:
            raise
        raise DataError(
            f"the worker {worker} does not find the files of this machine ({error}): it needs the same files "
            "at the same absolute paths, on a disk that all machines share for instance"
        ) from None


def _worker() -> str | None:
    """Address of the worker that computes, or None: a scheduler of this process."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return str(distributed.get_worker().address)
    except ValueError:
        return None


def summarise_part(part: TableStream, text: frozenset[str]) -> TableSummary:
    """Summarise the rows of a part."""
    summary = TableSummary(part, text=text)
    for block in read_part(part):
        summary.add(block)
    return summary


def count_part(part: TableStream, schema: Schema, search: MedianSearch) -> MedianSearch:
    """Count the numbers of a part in one pass of a search for medians."""
    counts = deepcopy(search)
    for block in read_part(part):
        counts.add(numbers_of(block, schema))
    return counts


def derive_part(part: TableStream, schema: Schema) -> DerivedNumbers:
    """Summarise the numbers that dates and truth values of a part become."""
    summary = DerivedNumbers(schema)
    for block in read_part(part):
        summary.add(block, numbers_of(block, schema))
    return summary


def squash_part(X: NDArray, numbers: slice) -> NDArray:
    """Squash some columns of a copy of some rows."""
    return squash_columns(X.copy(), numbers)


def encode_part(
    part: TableStream, recipe: tuple[Schema, ColumnTransformer, TargetColumn]
) -> tuple[NDArray, NDArray]:
    """Rows and targets of a part as numbers."""
    schema, preprocessor, target = recipe
    width = max(columns.stop for columns in preprocessor.output_indices_.values())
    X, y = [np.empty((0, width))], [np.empty(0, target.dtype)]
    for block in read_part(part):
        X.append(preprocessor.transform(schema.encode_block(block)))
        y.append(target.read(block))
    return np.concatenate(X), np.concatenate(y).astype(target.dtype)


def _held(table: Table) -> TableStream:
    """A table in memory as its only part."""
    names = {name: getattr(table, name) for name in ("typed", "decimal", "target")}
    return TableStream(table.name, table.columns, table.blocks, **names)
