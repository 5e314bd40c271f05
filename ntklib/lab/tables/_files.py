"""Find out what the user means by data arguments, and read ``.npz`` files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from glob import glob, has_magic
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ntklib._core.files import open_regular, special

from ._csv import csv_stream
from ._embedded import EMBEDDED, load_embedded
from ._parquet import parquet_stream
from .stream import TableStream
from .table import DataError, Table, UnreadableError, check_text, first_line, shorten, show

_TEXT = {".csv": ",", ".tsv": "\t"}
_STREAMED = (*_TEXT, ".parquet", ".pq")


def load_table(
    source: str | Path,
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str | None = None,
) -> Table:
    """Load an embedded data set by name, or a ``.csv``, ``.tsv``, ``.npz`` or ``.parquet`` file.

    Parameters
    ----------
    source : str or Path
        ``"digits"``, ``"diabetes"``, ``"breast_cancer"``, ``"wine"``, or the path of a file.
    delimiter : str or None, default=None
        For text files; None is a comma, or a tab for ``.tsv``.
    decimal : {".", ","}, default="."
        The decimal sign of numbers that are written as text.
    encoding : str or None, default=None
        Of text files; None is UTF-8, or what a byte order mark at the beginning says.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        If the file is missing, unreadable, a pipe, socket or device, of an unknown kind, or malformed.

    Examples
    --------
    >>> from ntklib.lab.tables import load_table
    >>> table = load_table("wine")
    >>> table.n_rows, table.target, table.columns[0]
    (178, 'cultivar', 'alcohol')
    """
    if str(source) in EMBEDDED:
        return load_embedded(str(source))
    path = Path(source)
    with _readable(path):
        if _check_kind(path) == ".npz":
            return _read_npz(path, _check_decimal(decimal))
    stream = _stream([path], str(path), delimiter, decimal, encoding)
    with _readable(path):
        return stream.table()


def open_tables(
    sources: Sequence[str | Path],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str | None = None,
    absolute: bool = False,
) -> Table | TableStream:
    """Open files of any size with the same columns as one table, or load a data set as :func:`load_table`.

    Parameters
    ----------
    sources : sequence of str or Path
        Paths of ``.csv`` and ``.tsv`` or of ``.parquet`` files, folders that hold such files, and patterns
        such as ``"data/*.parquet"``. Their rows follow each other in the sorted order of the paths. A single
        source may also be what :func:`load_table` takes.
    delimiter, decimal, encoding
        As for :func:`load_table`.
    absolute : bool, default=False
        Keep absolute paths: parts of the table can then be read by processes in other folders.

    Returns
    -------
    Table or TableStream
        A stream for text and Parquet files.

    Raises
    ------
    DataError
        As :func:`load_table`, and if nothing matches, a file is named twice, or files differ in their
        columns.
    """
    if len(sources) == 1 and (str(sources[0]) in EMBEDDED or Path(sources[0]).suffix.lower() == ".npz"):
        return load_table(sources[0], decimal=decimal)
    paths = sorted(path for source in sources for path in _expand(source))
    for path, following in pairwise(paths):
        if path == following:
            raise DataError(f"{path}: is named twice")
    if absolute:
        paths = [path.absolute() for path in paths]
    return _stream(paths, ", ".join(map(str, sources)), delimiter, decimal, encoding)


def _expand(source: str | Path) -> list[Path]:
    """The files that a path, a folder or a pattern stands for."""
    path = Path(source)
    with _readable(path):
        if path.is_dir():
            paths = [entry for entry in path.iterdir() if entry.suffix.lower() in _STREAMED]
            paths = [entry for entry in paths if entry.name[0] not in "._"]
            if not paths:
                raise DataError(f"{source}: a folder without .csv, .tsv or .parquet files")
        elif has_magic(str(source)) and not os.path.lexists(path):
            paths = [Path(name) for name in glob(str(source), recursive=True)]
            if not paths:
                raise DataError(f"{source}: no file matches")
        else:
            paths = [path]
    return paths


def _stream(
    paths: Sequence[Path], name: str, delimiter: str | None, decimal: str, encoding: str | None
) -> TableStream:
    if delimiter is not None and len(delimiter) != 1:
        raise DataError(f"the delimiter has to be one character, got {show(delimiter)}")
    if delimiter is not None and delimiter in '"\r\n\0':
        raise DataError(f"the delimiter cannot be {delimiter!r}, which has another meaning in text files")
    _check_decimal(decimal)
    suffixes = []
    for path in paths:
        with _readable(path):
            suffixes.append(_check_kind(path))
    for path, suffix in zip(paths, suffixes, strict=True):
        if suffix not in _STREAMED:
            raise DataError(f"{path}: only .csv, .tsv and .parquet files can be read together")
        if suffix != suffixes[0]:
            raise DataError(f"{path}: is of another kind than {paths[0]}; name files of one kind")
    with _readable(paths[0]):
        if suffixes[0] in _TEXT:
            delimiter = delimiter or _TEXT[suffixes[0]]
            stream = csv_stream(paths, name, delimiter=delimiter, decimal=decimal, encoding=encoding)
        else:
            stream = parquet_stream(paths, name)
    states = [_state(path) for path in paths]

    def checked(read: Callable[[], Iterator[Table]]) -> Iterator[Table]:
        with _readable(name):
            yield from read()
            for path, state in zip(paths, states, strict=True):
                if _state(path) != state:
                    raise UnreadableError(f"{path}: has changed while it was read")

    def cut() -> list[Callable[[], Iterator[Table]]]:
        assert stream.cut is not None
        with _readable(name):
            return [partial(checked, read) for read in stream.cut()]

    return replace(stream, read=partial(checked, stream.read), cut=cut)


def _state(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@contextmanager
def _readable(source: str | Path) -> Iterator[None]:
    """Turn the errors of a file system into one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        names, place = ", ".join(EMBEDDED), error.filename or source
        raise UnreadableError(
            f"{place}: no such file, and no embedded data set of that name ({names})"
        ) from None
    except OSError as error:
        place = error.filename or source
        raise UnreadableError(f"{place}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise DataError(f"{source}: does not fit in memory") from None


def _check_kind(path: Path) -> str:
    """Return what kind of file there is by the end of its name, and refuse what is none or unknown."""
    try:
        status = os.stat(path)
    except ValueError as error:  # a NUL in the name, or half a surrogate pair
        raise DataError(f"{path}: cannot be read ({error})") from None
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise DataError(f"{path}: is a folder, a .csv, .npz or .parquet file is needed")
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: is {special(mode)}, a .csv, .npz or .parquet file is needed")
    suffix = path.suffix.lower()
    if suffix not in (*_STREAMED, ".npz"):
        raise DataError(f"{path}: unknown kind of file {show(suffix)}; known: .csv, .tsv, .npz, .parquet")
    if status.st_size == 0:
        raise DataError(f"{path}: the file is empty: it has no bytes; write it again, or name another one")
    return ".parquet" if suffix == ".pq" else suffix


def _check_decimal(decimal: str) -> str:
    if decimal not in {".", ","}:
        raise DataError(f"the decimal sign has to be '.' or ',', got {show(decimal)}")
    return decimal


def _read_npz(path: Path, decimal: str) -> Table:
    """Read arrays ``X`` (n_rows, n_columns), optionally ``y`` (n_rows,) and ``feature_names``."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zlib, struct, zipfile and numpy each have their own
        raise DataError(f"{path}: not a readable .npz file of plain arrays ({first_line(error)})") from None
    known = {"X", "y", "feature_names"}
    if "X" not in arrays:
        raise DataError(f"{path}: no array 'X' (it holds: {shorten(list(arrays)) or 'nothing'})")
    if extra := sorted(set(arrays) - known):
        raise DataError(f"{path}: unknown array {show(extra[0])}; only X, y and feature_names are read")
    X = arrays["X"]
    if X.ndim != 2:
        raise DataError(f"{path}: array 'X' has shape {X.shape}, two dimensions are needed")
    if 0 in X.shape:
        raise DataError(f"{path}: array 'X' has shape {X.shape}: no {'columns' if len(X) else 'rows'}")
    names = _feature_names(path, arrays.get("feature_names"), X.shape[1])
    columns = [_array_column(path, "X", column) for column in X.T]
    if "y" in arrays:
        y = arrays["y"]
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != (len(X),):
            raise DataError(
                f"{path}: array 'y' has shape {y.shape}, the {len(X)} rows of 'X' need ({len(X)},)"
            )
        names.append("y")
        columns.append(_array_column(path, "y", y))
    rows = np.arange(1, len(X) + 1)
    # strings in an array may well be numbers, as in a CSV file: what they are is found out from the cells
    typed = X.dtype.kind != "U"
    return Table(
        str(path),
        tuple(names),
        tuple(columns),
        rows,
        typed=typed,
        target="y" if "y" in arrays else None,
        decimal=decimal,
    )


def _feature_names(path: Path, names: NDArray | None, n_columns: int) -> list[str]:
    if names is None:
        return [f"x{i}" for i in range(n_columns)]
    if names.shape != (n_columns,) or names.dtype.kind != "U":
        raise DataError(f"{path}: array 'feature_names' has to hold {n_columns} strings")
    check_text(str(path), "array 'feature_names'", names)
    return names.tolist()


def _array_column(path: Path, array: str, column: NDArray) -> NDArray:
    """Turn one column into float64 or an object array of ``str``."""
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    if column.dtype.kind == "U":
        check_text(str(path), f"array {array!r}", column)
        return column.astype(object)
    raise DataError(f"{path}: array {array!r} has type {column.dtype}; numbers or strings are needed")
