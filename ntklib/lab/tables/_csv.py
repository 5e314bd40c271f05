"""CSV without pandas: strict about the shape, and every cell kept as the text it is."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ntklib._core.files import open_regular

from ._numbers import parse_numbers
from .stream import TableStream, block_rows, check_same_columns
from .table import DataError, Table, check_names, show

_MARKS = (  # UTF-32 before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHUNK = 2**20
_LONGEST_LINE = 2**27  # of ten million columns; what is no text may be one line larger than memory

_NEEDED = "a header with the column names"

_Record = tuple[list[str], int, int]  # fields, first and last line


def csv_stream(
    paths: Sequence[Path],
    name: str,
    *,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str | None = None,
) -> TableStream:
    """Open CSV files (RFC 4180: quoted fields, CRLF or LF) with the same columns in their header lines.

    Parameters
    ----------
    paths : sequence of Path
        The files, one or more.
    name : str
        Name of the table.
    delimiter : str, default=","
        The character between fields.
    decimal : {".", ","}, default="."
        The decimal sign of their numbers.
    encoding : str or None, default=None
        The text encoding; None is UTF-8, or what a byte order mark at the beginning says.

    Returns
    -------
    TableStream
        All columns as text, in the order of the first file; ``rows`` of its blocks are the numbers of the
        lines on which they begin (a quoted field may span lines).

    Raises
    ------
    DataError
        For an empty file, text in another encoding, a NUL character, a header of numbers only, empty or
        repeated column names, other columns than in the first file; while it is read, for a row of the wrong
        length, a blank line between rows, or an unclosed quote.
    OSError
        If a file cannot be read, or is no regular file.
    """
    files = [_CsvFile(path, delimiter, decimal, encoding) for path in paths]
    headers = [file.header() for file in files]
    for file, header in zip(files, headers, strict=True):
        check_same_columns(str(file.path), header, str(files[0].path), headers[0])
    columns = tuple(headers[0])

    def read() -> Iterator[Table]:
        for file in files:
            yield from file.blocks(columns)

    def cut() -> list[Callable[[], Iterator[Table]]]:
        return [partial(file.blocks, columns) for file in files]

    return TableStream(name, columns, read, typed=False, decimal=decimal, cut=cut)


@dataclass(frozen=True)
class _CsvFile:
    """A CSV file and how it is written."""

    path: Path
    delimiter: str
    decimal: str
    encoding: str | None

    def header(self) -> list[str]:
        """Return the checked header."""
        for header, line, _ in self._records():
            if not header:
                raise DataError(
                    f"{self.path}: line {line} is blank, a header with the column names is needed"
                )
            _check_header(str(self.path), header, self.delimiter, self.decimal)
            return header
        raise DataError(f"{self.path}: only blank lines; {_NEEDED}, and rows, are needed")

    def blocks(self, columns: tuple[str, ...]) -> Iterator[Table]:
        """Iterate over the rows, with their columns in the given order."""
        records = self._records()
        header = next(records)[0]
        order = {name: position for position, name in enumerate(header)}
        positions = [order[name] for name in columns]
        rows, size = self._rows(records, len(header)), block_rows(len(header))
        while block := list(islice(rows, size)):
            cells = np.empty((len(block), len(header)), dtype=object)
            cells[:] = [record for record, _ in block]
            values = tuple(np.ascontiguousarray(cells[:, position]) for position in positions)
            lines = np.array([line for _, line in block])
            yield Table(
                str(self.path), columns, values, lines, row_word="line", typed=False, decimal=self.decimal
            )

    def _rows(self, records: Iterator[_Record], length: int) -> Iterator[tuple[list[str], int]]:
        """Iterate over the records behind the header, each of which is to have the given length."""
        for record, first, last in records:
            if not record:
                raise DataError(f"{self.path}: line {first} is blank in the middle of the data")
            if len(record) != length:
                place = f"line {first}" if first == last else f"the record on lines {first} to {last}"
                raise DataError(f"{self.path}: {place} has {len(record)} fields, the header has {length}")
            yield record, first

    def _records(self) -> Iterator[_Record]:
        """Iterate over the records with the lines they span; blank lines at the end are none."""
        name = str(self.path)
        with open_regular(self.path) as file:
            codec, start = _codec(name, file, self.encoding)
            text = io.TextIOWrapper(file, encoding=codec, newline="")
            reader = csv.reader(_lines(name, text), delimiter=self.delimiter, strict=True)
            blank, first = 0, 1
            try:
                for record in reader:
                    last = reader.line_num
                    if record:
                        if blank:
                            yield [], blank, blank
                            blank = 0
                        yield record, first, last
                    else:
                        blank = blank or first
                    first = last + 1
            except csv.Error as error:
                raise DataError(f"{name}: {_malformed(error, first, reader.line_num)}") from None
            except UnicodeError:
                raise DataError(_undecodable(name, file, codec, start, self.encoding)) from None
            finally:
                text.detach()  # or it would close the file


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


def _malformed(error: csv.Error, first: int, last: int) -> str:
    """Say what is wrong with a record that begins on a line, and where it was noticed."""
    if "unexpected end" in str(error):
        return f"line {first}: a quote that opens in the record on this line is never closed"
    if "field limit" in str(error):
        return f"line {first}: {error}; is a quote never closed in the record that begins on this line?"
    return f"line {last}: {error}" + f", in the record that begins on line {first}" * (last > first)


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
    """Say where a file stops being text; it is read again, for a place within it all."""
    file.seek(start)
    decoder = codecs.getincrementaldecoder(codec)()
    at, byte, line, has_nul, end = start, b"", 1, False, ""
    while True:
        chunk = file.read(_CHUNK)
        has_nul = has_nul or b"\0" in chunk
        try:
            text = decoder.decode(chunk, final=not chunk)
            line += _line_breaks(text, end)
            end = text[-1:] or end
        except UnicodeDecodeError as error:  # in bytes that were kept back, and the chunk behind them
            data, place = bytes(error.object), error.start
            at += place - (len(data) - len(chunk))
            byte = data[place : place + 1]
            line += _line_breaks(data[:place].decode(codec, "ignore"), end)
            break
        except UnicodeError:  # of the odder codecs, which give no place
            break
        at += len(chunk)
        if not chunk:
            break
    known = "--encoding utf-16-le or utf-16-be" if has_nul else "--encoding latin-1 or cp1252"
    way_out = known if encoding is None else "another --encoding"
    return (
        f"{name}: not {codec.upper()} text: line {line}, byte 0x{byte.hex()} at position {at} of the "
        f"file; if it is text, {way_out} may read it"
    )


def _line_breaks(text: str, before: str) -> int:
    """Count the line breaks of either kind in a text that goes on after the character ``before``."""
    pairs = text.count("\r\n") + (before == "\r" and text[:1] == "\n")
    return text.count("\n") + text.count("\r") - pairs


def _check_header(name: str, header: list[str], delimiter: str, decimal: str) -> None:
    if len(header) == 1:
        for other, word in ((";", "';'"), ("\t", "a tab"), ("|", "'|'")):
            if other != delimiter and other in header[0]:
                raise DataError(f"{name}: fields seem to be separated by {word}; say so with --delimiter")
    if np.isfinite(parse_numbers(np.array(header, dtype=object), decimal)).all():
        raise DataError(f"{name}: line 1 holds only numbers; {_NEEDED} is needed")
    check_names(name, header)
