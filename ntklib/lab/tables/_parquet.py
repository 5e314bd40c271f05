"""Parquet files, read a block of rows at a time; their types decide what is a number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.files import open_regular

from .stream import TableStream, block_rows, check_same_columns
from .table import DataError, Table, check_names, check_text, first_line, show

_BUFFER = 2**18
"""Bytes that are read of a column at a time: a row group may be larger than memory."""


def parquet_stream(paths: Sequence[Path], name: str) -> TableStream:
    """Open Parquet files with the same columns.

    Parameters
    ----------
    paths : sequence of Path
        The files, one or more.
    name : str
        Name of the table.

    Returns
    -------
    TableStream
        In the order of the first file. Numbers are float64, NaN for a missing one; text, categories, dates,
        timestamps, times of day, and truth values (``"True"`` and ``"False"``) are ``str``, "" for a missing
        one.

    Raises
    ------
    DataError
        If pyarrow is not installed, a file is damaged, has a column of another type, or has other columns
        than the first one, or numbers where it has text.
    OSError
        If a file cannot be read, or is no regular file.
    """
    files = [_ParquetFile.open(path) for path in paths]
    first = files[0]
    kinds = dict(first.kinds)
    owners = dict.fromkeys(kinds, first)
    for file in files[1:]:
        check_same_columns(str(file.path), tuple(file.kinds), str(first.path), tuple(first.kinds))
        for column, kind in file.kinds.items():
            if kinds[column] is None:  # a column without a value is of the type that it has elsewhere
                kinds[column], owners[column] = kind, file
            elif kind not in (None, kinds[column]):
                raise DataError(
                    f"{file.path}: column {show(column)} holds {kind}, and {kinds[column]} in "
                    f"{owners[column].path}"
                )

    def read() -> Iterator[Table]:
        for file in files:
            yield from file.blocks(kinds)

    def cut() -> list[Callable[[], Iterator[Table]]]:
        return [part for file in files for part in file.parts(kinds)]

    return TableStream(name, tuple(kinds), read, cut=cut)


@dataclass(frozen=True)
class _ParquetFile:
    """A Parquet file, with what its columns hold: "numbers", "text", or None for nothing at all."""

    path: Path
    fields: dict[str, str]  # by the names that messages use, those in the file
    kinds: dict[str, str | None]

    @classmethod
    def open(cls, path: Path) -> _ParquetFile:
        with _opened(path) as file:
            schema = file.schema_arrow
            index, categories = _remarks(schema)
            names = _names(schema, index)
            check_names(str(path), [name for name, _ in names])
            kinds = {
                name: _kind(path, name, schema.field(field).type, field in categories)
                for name, field in names
            }
            return cls(path, dict(names), kinds)

    def blocks(self, kinds: dict[str, str | None]) -> Iterator[Table]:
        """Iterate over the rows, with the given columns."""
        return self._batches(kinds, None, 1)

    def parts(self, kinds: dict[str, str | None]) -> list[Callable[[], Iterator[Table]]]:
        """Return functions that each iterate over a single block, none of which crosses row groups."""
        blocks: list[Callable[[], Iterator[Table]]] = []
        start, size = 1, block_rows(len(kinds))
        with _opened(self.path) as file:
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                for skipped in range(0, n_rows, size):
                    blocks.append(partial(self._batch, kinds, group, start, skipped // size))
                start += n_rows
        return blocks

    def _batch(self, kinds: dict[str, str | None], group: int, start: int, place: int) -> Iterator[Table]:
        """Iterate over one block of a row group."""
        return islice(self._batches(kinds, [group], start), place, place + 1)

    def _batches(
        self, kinds: dict[str, str | None], groups: Sequence[int] | None, start: int
    ) -> Iterator[Table]:
        """Iterate over the blocks of some row groups, the first row of which has the given number."""
        with _opened(self.path) as file:
            batches = file.iter_batches(
                block_rows(len(kinds)),
                row_groups=groups,
                columns=list(self.fields.values()),
                use_threads=False,
            )
            while (batch := _next(self.path, batches)) is not None:
                if batch.num_rows:
                    values = tuple(
                        _values(self.path, name, kind, batch.column(self.fields[name]))
                        for name, kind in kinds.items()
                    )
                    rows = np.arange(start, start + batch.num_rows)
                    yield Table(str(self.path), tuple(kinds), values, rows)
                    start += batch.num_rows


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(f"{path}: reading Parquet needs pyarrow: pip install 'ntklib[parquet]'") from None
    with open_regular(path) as handle:
        try:
            file = pq.ParquetFile(handle, buffer_size=_BUFFER, pre_buffer=False)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # pyarrow has many exceptions, and they all mean the same here
            raise _unreadable(path, error) from None
        with file:
            yield file


def _next(path: Path, batches: Iterator[Any]) -> Any:
    try:
        return next(batches, None)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # as above
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a readable Parquet file ({first_line(error)})")


def _names(schema: Any, index: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of the names of a column for people and in the file; an index that pandas saved comes first."""
    unnamed = "index" if len(index) == 1 and "index" not in schema.names else "level_{}"
    pairs = [
        (unnamed.format(i) if entry.startswith("__index_level_") else entry, entry)
        for i, entry in enumerate(index)
    ]
    return pairs + [(field, field) for field in schema.names if field not in index]


def _remarks(schema: Any) -> tuple[list[str], frozenset[str]]:
    """Columns that pandas saved as an index, and as categories, which the types of the file do not tell."""
    try:
        remarks = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = [name for name in remarks.get("index_columns", ()) if isinstance(name, str)]
        columns = remarks.get("columns", ())
        categories = {own["field_name"] for own in columns if own["pandas_type"] == "categorical"}
    except (AttributeError, KeyError, TypeError, ValueError):  # of another program than pandas
        return [], frozenset()
    return [name for name in index if name in schema.names], frozenset(categories)


def _kind(path: Path, name: str, kind: Any, category: bool) -> str | None:
    from pyarrow import types

    if types.is_null(kind):
        return None
    inner = kind.value_type if types.is_dictionary(kind) else kind
    is_number = types.is_integer(inner) or types.is_floating(inner)
    if (is_number or types.is_decimal(inner)) and inner is kind and not category:
        return "numbers"
    is_text = str(inner) in {"string", "large_string", "string_view"}
    is_clock = types.is_date(inner) or types.is_time(inner) or types.is_timestamp(inner)
    if is_text or is_number or is_clock or types.is_boolean(inner):
        return "text"
    raise DataError(f"{path}: column {show(name)} has type {kind}; numbers or text are needed")


def _values(path: Path, name: str, kind: str | None, column: Any) -> NDArray:
    """Turn a column of a batch into float64 or an object array of ``str``."""
    import pyarrow as pa

    if kind == "text":
        if pa.types.is_timestamp(column.type):  # to nanoseconds, which no datetime holds
            column = column.cast(pa.string())
        text = ["" if cell is None else str(cell) for cell in column.to_pylist()]
        cells = np.array(text, dtype=object)
        check_text(str(path), f"column {show(name)}", cells)
        return cells
    if pa.types.is_decimal(column.type):
        return np.array([np.nan if cell is None else float(cell) for cell in column.to_pylist()])
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
