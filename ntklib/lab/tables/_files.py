"""Find out what the user means by a data argument, and read ``.npz`` and ``.parquet`` files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.files import open_regular, special

from ._csv import read_csv
from ._embedded import EMBEDDED, load_embedded
from .table import DataError, Table, check_text, shorten, show


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
    path = Path(source)
    if str(source) in EMBEDDED:
        return load_embedded(str(source))
    if delimiter is not None and len(delimiter) != 1:
        raise DataError(f"the delimiter has to be one character, got {show(delimiter)}")
    if delimiter is not None and delimiter in '"\r\n\0':
        raise DataError(f"the delimiter cannot be {delimiter!r}, which has another meaning in text files")
    if decimal not in {".", ","}:
        raise DataError(f"the decimal sign has to be '.' or ',', got {show(decimal)}")
    suffix = path.suffix.lower()
    try:
        try:
            mode = os.stat(path).st_mode
        except ValueError as error:  # a NUL in the name, or half a surrogate pair
            raise DataError(f"{source}: cannot be read ({error})") from None
        if stat.S_ISDIR(mode):
            raise DataError(f"{source}: is a folder, a .csv, .npz or .parquet file is needed")
        if not stat.S_ISREG(mode):
            raise DataError(f"{source}: is {special(mode)}, a .csv, .npz or .parquet file is needed")
        if suffix in {".csv", ".tsv"}:
            delimiter = delimiter or ("\t" if suffix == ".tsv" else ",")
            return read_csv(path, delimiter=delimiter, decimal=decimal, encoding=encoding)
        if suffix == ".npz":
            return _read_npz(path, decimal)
        if suffix in {".parquet", ".pq"}:
            return _read_parquet(path)
    except (FileNotFoundError, NotADirectoryError):
        names = ", ".join(EMBEDDED)
        raise DataError(f"{source}: no such file, and no embedded data set of that name ({names})") from None
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise DataError(f"{source}: does not fit in memory") from None
    raise DataError(f"{source}: unknown kind of file {show(suffix)}; known: .csv, .tsv, .npz, .parquet")


def _read_npz(path: Path, decimal: str) -> Table:
    """Read arrays ``X`` (n_rows, n_columns), optionally ``y`` (n_rows,) and ``feature_names``."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, MemoryError):
        raise
    except Exception as error:  # zlib, struct, zipfile and numpy each have their own
        raise DataError(f"{path}: not a readable .npz file of plain arrays ({_reason(error)})") from None
    known = {"X", "y", "feature_names"}
    if "X" not in arrays:
        raise DataError(f"{path}: no array 'X' (it holds: {shorten(list(arrays)) or 'nothing'})")
    if extra := sorted(set(arrays) - known):
        raise DataError(f"{path}: unknown array {show(extra[0])}; only X, y and feature_names are read")
    X = arrays["X"]
    if X.ndim != 2:
        raise DataError(f"{path}: array 'X' has shape {X.shape}, two dimensions are needed")
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


def _read_parquet(path: Path) -> Table:
    """Read a Parquet file by pandas; its types decide what is a number."""
    try:
        import pandas as pd
        import pyarrow  # noqa: F401  (pandas would look for it only later, with a longer message)
    except ImportError:
        raise DataError(
            f"{path}: reading Parquet needs pandas and pyarrow: pip install 'ntklib[parquet]'"
        ) from None
    try:
        frame = pd.read_parquet(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # pyarrow has many exceptions, and they all mean the same here
        raise DataError(f"{path}: not a readable Parquet file ({_reason(error)})") from None
    if not isinstance(frame.index, pd.RangeIndex):  # an index saved along is a column like the others
        frame = frame.reset_index()
    columns = []
    for position, name in enumerate(frame.columns):
        series = frame.iloc[:, position]
        kind = series.dtype
        if pd.api.types.is_bool_dtype(kind) or (
            pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
        ):
            columns.append(series.to_numpy(dtype=np.float64, na_value=np.nan))
        elif isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_string_dtype(kind):
            columns.append(_text_of(str(path), series))
        else:
            raise DataError(f"{path}: column {show(str(name))} has type {kind}; numbers or text are needed")
    return Table(str(path), tuple(map(str, frame.columns)), tuple(columns), np.arange(1, len(frame) + 1))


def _text_of(path: str, series: Any) -> NDArray:
    """Turn a pandas column into an object array of ``str``, "" for a missing value."""
    missing = series.isna()
    text = ["" if gap else str(v) for v, gap in zip(series, missing, strict=True)]
    cells = np.array(text, dtype=object)
    check_text(path, f"column {show(str(series.name))}", cells)
    return cells


def _reason(error: Exception) -> str:
    """The first line of an error's message, or its name."""
    return next(iter(str(error).splitlines()), type(error).__name__)
