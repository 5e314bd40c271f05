"""CSV without pandas: strict about the shape, and every cell kept as the text it is."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ntklib._core.files import open_regular

from ._numbers import parse_numbers
from .table import DataError, Table, check_names, show

_MARKS = (  # UTF-32 before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_LINE = 2**27  # of ten million columns; what is no text may be one line larger than memory


def read_csv(path: Path, *, delimiter: str = ",", decimal: str = ".", encoding: str | None = None) -> Table:
    """Read a CSV file (RFC 4180: quoted fields, CRLF or LF) with a header line.

    Parameters
    ----------
    path : Path
        The file.
    delimiter : str, default=","
        The character between fields.
    decimal : {".", ","}, default="."
        The decimal sign of its numbers.
    encoding : str or None, default=None
        The text encoding; None is UTF-8, or what a byte order mark at the beginning says.

    Returns
    -------
    Table
        All columns as text; ``rows`` are line numbers (a quoted field may span lines: the last one counts).

    Raises
    ------
    DataError
        For an empty file, text in another encoding, a NUL character, a header of numbers only, empty or
        repeated column names, a row of the wrong length, a blank line between rows, or an unclosed quote.
    OSError
        If the file cannot be read, or is no regular file.
    """
    name = str(path)
    with open_regular(path) as file:
        codec, start = _codec(name, file, encoding)
        try:
            records, lines = _records(name, file, codec, delimiter)
        except UnicodeError:
            raise DataError(_undecodable(name, file, codec, start, encoding)) from None
    while records and not records[-1]:  # blank lines at the very end hold no data
        records.pop()
        lines.pop()
    if not records:
        raise DataError(f"{name}: the file is empty")
    header = records[0]
    _check_header(name, header, delimiter, decimal)
    for line, record in zip(lines[1:], records[1:], strict=True):
        if not record:
            raise DataError(f"{name}: line {line} is blank in the middle of the data")
        if len(record) != len(header):
            raise DataError(f"{name}: line {line} has {len(record)} fields, the header has {len(header)}")
    cells = np.empty((len(records) - 1, len(header)), dtype=object)
    if len(cells):
        cells[:] = records[1:]
    columns = tuple(np.ascontiguousarray(column) for column in cells.T)
    rows = np.array(lines[1:], dtype=int)
    return Table(name, tuple(header), columns, rows, row_word="line", typed=False, decimal=decimal)


def _codec(name: str, file: BinaryIO, encoding: str | None) -> tuple[str, int]:
    """Find the codec of a file, and move to where its text begins, behind a byte order mark."""
    start = file.read(4)
    mark, marked = next(((m, codec) for m, codec in _MARKS if start.startswith(m)), (b"", None))
    file.seek(len(mark))
    if encoding is None:
        return marked or "utf-8", len(mark)
    try:
        known = codecs.lookup(encoding).name
        "a".encode(encoding).decode(encoding)  # "hex" is a codec, but not of text
    except (LookupError, ValueError):
        raise DataError(
            f"unknown encoding {show(encoding)}; known are utf-8, utf-16, latin-1, cp1252 and what else "
            "Python has"
        ) from None
    if marked is None:
        return known, 0
    if known not in {marked, marked[:6].rstrip("-"), f"{marked}-sig"}:
        raise DataError(
            f"{name}: its byte order mark says {marked.upper()}, not {encoding}; leave --encoding out"
        )
    return marked, len(mark)


def _records(name: str, file: BinaryIO, codec: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Split the file into records, each with the number of its last line."""
    records: list[list[str]] = []
    lines: list[int] = []
    text = io.TextIOWrapper(file, encoding=codec, newline="")
    reader = csv.reader(_lines(name, text), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            records.append(record)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num}: {error}") from None
    finally:
        text.detach()  # or it would close the file
    return records, lines


def _lines(name: str, text: io.TextIOWrapper) -> Iterator[str]:
    for number in itertools.count(1):
        line = text.readline(_LONGEST_LINE)
        if not line:
            return
        if "\0" in line:
            raise DataError(
                f"{name}: line {number} holds a NUL character: no text, or UTF-16 without a byte order mark "
                "(--encoding utf-16-le or utf-16-be)"
            )
        if len(line) == _LONGEST_LINE:
            raise DataError(
                f"{name}: line {number} is longer than {_LONGEST_LINE} characters, no line of a table"
            )
        yield line


def _undecodable(name: str, file: BinaryIO, codec: str, start: int, encoding: str | None) -> str:
    """Say where a file stops being text; the whole of it is read again, for a place within it all."""
    file.seek(start)
    data = file.read()
    at, byte = 0, data[:1]
    try:
        data.decode(codec)
    except UnicodeDecodeError as error:
        at, byte = error.start, data[error.start : error.start + 1]
    except UnicodeError:  # of the odder codecs, which give no place
        pass
    line = data[:at].decode(codec, "ignore").count("\n") + 1
    known = "--encoding utf-16-le or utf-16-be" if b"\0" in data else "--encoding latin-1 or cp1252"
    way_out = known if encoding is None else "another --encoding"
    return (
        f"{name}: not {codec.upper()} text: line {line}, byte 0x{byte.hex()} at position {start + at} of the "
        f"file; if it is text, {way_out} may read it"
    )


def _check_header(name: str, header: list[str], delimiter: str, decimal: str) -> None:
    if not header:
        raise DataError(f"{name}: line 1 is blank, a header with the column names is needed")
    if len(header) == 1:
        for other, word in ((";", "';'"), ("\t", "a tab"), ("|", "'|'")):
            if other != delimiter and other in header[0]:
                raise DataError(f"{name}: fields seem to be separated by {word}; say so with --delimiter")
    if np.isfinite(parse_numbers(np.array(header, dtype=object), decimal)).all():
        raise DataError(f"{name}: line 1 holds only numbers; a header with the column names is needed")
    check_names(name, header)
