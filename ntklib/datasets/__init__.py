"""Tables of data, read strictly: nothing is changed, guessed over or dropped without being told.

The way of the data is :func:`load_table` (a file or an embedded set) -> :class:`Table` ->
:func:`read_target` and :meth:`Schema.infer` -> ``schema.encode(table)``, an array for the pipeline of
:func:`make_preprocessor`. Whatever is wrong with the input raises :class:`DataError`, whose message is one
line that names the file, the row and the column.
"""

from ntklib.datasets._embedded import EMBEDDED, load_embedded
from ntklib.datasets._files import load_table
from ntklib.datasets._preprocessing import make_preprocessor
from ntklib.datasets._schema import Schema
from ntklib.datasets._table import DataError, Table
from ntklib.datasets._target import Target, read_target

__all__ = [
    "EMBEDDED",
    "DataError",
    "Schema",
    "Table",
    "Target",
    "load_embedded",
    "load_table",
    "make_preprocessor",
    "read_target",
]
