"""CSV without pandas: strict about the shape, and every cell kept as the text it is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ntklib.datasets._numbers import parse_numbers
from ntklib.datasets._table import DataError, Table, check_names


def read_csv(path: Path, *, delimiter: str = ",") -> Table:
    """Read a CSV file (RFC 4180: quoted fields, CRLF or LF, UTF-8 with or without BOM) with a header line.

    Parameters
    ----------
    path : Path
        The file.
    delimiter : str, default=","
        The character between fields.

    Returns
    -------
    Table
        All columns as text; ``rows`` are line numbers (a quoted field may span lines: the last one counts).

    Raises
    ------
    DataError
        For an empty file, text that is not UTF-8, a header of numbers only, empty or repeated column names,
        a row of the wrong length, a blank line between rows, or an unclosed quote.
    """
    name = str(path)
    records, lines = _records(path, delimiter)
    while records and not records[-1]:  # blank lines at the very end hold no data
        records.pop()
        lines.pop()
    if not records:
        raise DataError(f"{name}: the file is empty")
    header = records[0]
    _check_header(name, header, delimiter)
    for line, record in zip(lines[1:], records[1:], strict=True):
        if not record:
            raise DataError(f"{name}: line {line} is blank in the middle of the data")
        if len(record) != len(header):
            raise DataError(f"{name}: line {line} has {len(record)} fields, the header has {len(header)}")
    cells = np.empty((len(records) - 1, len(header)), dtype=object)
    if len(cells):
        cells[:] = records[1:]
    columns = tuple(np.ascontiguousarray(column) for column in cells.T)
    return Table(name, tuple(header), columns, np.array(lines[1:], dtype=int), row_word="line", typed=False)


def _records(path: Path, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Split the file into records, each with the number of its last line."""
    records: list[list[str]] = []
    lines: list[int] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for record in reader:
                records.append(record)
                lines.append(reader.line_num)
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 text after line {reader.line_num} ({error.reason})") from None
    return records, lines


def _check_header(name: str, header: list[str], delimiter: str) -> None:
    if not header:
        raise DataError(f"{name}: line 1 is blank, a header with the column names is needed")
    if len(header) == 1:
        for other, word in ((";", "';'"), ("\t", "a tab"), ("|", "'|'")):
            if other != delimiter and other in header[0]:
                raise DataError(f"{name}: fields seem to be separated by {word}; say so with --delimiter")
    if np.isfinite(parse_numbers(np.array(header, dtype=object))).all():
        raise DataError(f"{name}: line 1 holds only numbers; a header with the column names is needed")
    check_names(name, header)
