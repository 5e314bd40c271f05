"""Tables of data, read strictly: nothing is changed, guessed over or dropped without being told.

A table in memory goes from :func:`load_table` (a file or an embedded set) -> :class:`Table` ->
:func:`read_target` and :meth:`Schema.infer` -> ``schema.encode(table)``, an array for the pipeline of
:func:`make_preprocessor`. Files of any size go from :func:`open_tables` -> :class:`TableStream` ->
:func:`summarise` -> :meth:`Schema.of` and :meth:`TargetColumn.of` -> :func:`encode_rows`.

Whatever is wrong with the input raises :class:`DataError`, whose message is one line that names the file,
the row and the column.
"""

from ._dates import DATE_KINDS
from ._embedded import EMBEDDED, load_embedded
from ._files import load_table, open_tables
from ._preprocessing import make_preprocessor, with_squash
from ._roles import MAX_CATEGORIES
from ._schema import KINDS, Schema
from ._uses import ColumnUse, column_uses, input_columns
from .encoding import EncodedRows, encode_rows
from .squash import Squash
from .stream import TableStream
from .summaries import ExactMoments, MedianSearch, TableSummary, summarise
from .table import DataError, Table
from .target import Target, TargetColumn, read_target
from .words import WordHasher

__all__ = [
    "DATE_KINDS",
    "EMBEDDED",
    "KINDS",
    "MAX_CATEGORIES",
    "ColumnUse",
    "DataError",
    "EncodedRows",
    "ExactMoments",
    "MedianSearch",
    "Schema",
    "Squash",
    "Table",
    "TableStream",
    "TableSummary",
    "Target",
    "TargetColumn",
    "WordHasher",
    "column_uses",
    "encode_rows",
    "input_columns",
    "load_embedded",
    "load_table",
    "make_preprocessor",
    "open_tables",
    "read_target",
    "summarise",
    "with_squash",
]
