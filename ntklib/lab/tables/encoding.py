"""All rows of a table as numbers ready for an estimator, in two passes over the table and bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from ntklib._core.blocks import row_blocks
from ntklib._core.progress import step
from ntklib._core.scratch import scratch_array

from ._preprocessing import learn_numbers, preprocessor_of
from ._schema import Schema
from .derived import DerivedNumbers
from .stream import TableStream
from .summaries import MedianSearch
from .table import DataError, Table, silent
from .target import TargetColumn

_CELLS = 2**20
"""Numbers of a block in passes over the encoded rows."""


_PARTS = ("numeric", "text", "words")


class EncodedRows(NamedTuple):
    """Rows and targets in the order of the table, and the fitted preprocessor that encodes new rows alike."""

    X: NDArray
    y: NDArray
    preprocessor: ColumnTransformer


def encode_rows(
    table: Table | TableStream,
    schema: Schema,
    target: TargetColumn,
    *,
    note: Callable[[str], None] = silent,
) -> EncodedRows:
    """Preprocess all rows of a table that has been summarised and checked.

    Arrays of more than a quarter of the working memory are in temporary files. They have the same bytes
    however the table is cut into blocks.

    Parameters
    ----------
    table : Table or TableStream
        The table.
    schema : Schema
        Of its features; its cells have been checked.
    target : TargetColumn
        Its target, with the summary of the table.
    note : callable, default: nothing
        Receives a line for each column of dates or truth values that has cells to be filled.

    Returns
    -------
    EncodedRows
        With ``X`` as ``preprocessor.transform`` encodes the rows, float64 of shape (n_rows, n_features).

    Raises
    ------
    DataError
        If there is no room on the disk, the rows are not those that were summarised, or a cell holds no date
        or truth value and the schema does not say that it is to be filled.
    """
    summary = target.summary
    preprocessor = preprocessor_of(schema, summary)
    parts = {name: own for name, own in preprocessor.output_indices_.items() if name in _PARTS}
    places = {name: np.array([kind == name for _, kind in schema.inputs]) for name in parts}
    width = max(own.stop for own in parts.values())
    n_numbers = parts["numeric"].stop if "numeric" in parts else 0
    try:
        X = scratch_array((summary.n_rows, width), np.float64, f"the encoded rows of {table.name}")
        y = scratch_array((summary.n_rows,), target.dtype, f"the targets of {table.name}")
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}") from None
    numbers = X[:, :n_numbers]
    derived = DerivedNumbers(schema)
    with step("encoding", summary.n_rows, "rows") as done:
        for rows, block in _numbered(table, summary.n_rows):
            cells = schema.encode_block(block)
            for name, place in places.items():
                own = cells[:, place]
                if name != "numeric":
                    own = preprocessor.named_transformers_[name].transform(own)
                X[rows, parts[name]] = own
            derived.add(block, numbers[rows])
            y[rows] = target.read(block)
            done.reach(rows.stop)
    schema.check_words(derived.unread, note)
    medians = None if schema.impute is None or not n_numbers else _medians(numbers)
    learn_numbers(preprocessor, derived.moments(summary), medians, summary.n_rows)
    if n_numbers:
        scale = preprocessor.named_transformers_["numeric"]
        for rows in _row_blocks(numbers):
            numbers[rows] = scale.transform(numbers[rows])
    return EncodedRows(X, y, preprocessor)


def _numbered(table: Table | TableStream, n_rows: int) -> Iterator[tuple[slice, Table]]:
    """The blocks of a table with the places of their rows, which have to be as many as before."""
    stop = 0
    for block in table.blocks():
        start, stop = stop, stop + block.n_rows
        if stop > n_rows:
            break
        yield slice(start, stop), block
    if stop != n_rows:
        raise DataError(f"{table.name}: has changed while it was read")


def _medians(numbers: NDArray) -> NDArray:
    search = MedianSearch(numbers.shape[1])
    while not search.done:
        for rows in _row_blocks(numbers):
            search.add(numbers[rows])
        search.end_pass()
    return search.medians


def _row_blocks(numbers: NDArray) -> Iterator[slice]:
    return row_blocks(len(numbers), max(_CELLS // max(numbers.shape[1], 1), 1))
