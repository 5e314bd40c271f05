"""Files that appear whole or not at all, and what goes into them as JSON and CSV."""

from __future__ import annotations

import csv
import errno
import math
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = [
    "csv_text",
    "is_formula",
    "new_folder",
    "not_a_file",
    "open_regular",
    "plain",
    "special",
    "write_atomically",
    "write_together",
]


def special(mode: int) -> str:
    """Name the kind of a file that is neither a regular one nor a folder, from its ``st_mode``."""
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((word for is_kind, word in kinds if is_kind(mode)), "a device")


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading; anything else is refused, and never waited for.

    Raises
    ------
    OSError
        If it is a folder, pipe, socket or device, or cannot be read.
    """

    def check(mode: int) -> None:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"is {special(mode)}", str(path))

    check(os.stat(path).st_mode)  # opening a device can do things
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        check(os.fstat(number).st_mode)  # it may have been exchanged meanwhile
    except OSError:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def not_a_file(path: str | Path) -> str | None:
    """Say why a path is not to be written to, or None: a folder, pipe, socket, device or link is there."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return f"is a link to {os.readlink(path)}; name that file itself, or remove the link"
    return f"is {'a folder' if stat.S_ISDIR(mode) else special(mode)}, the name of a file is needed"


def write_atomically(
    path: str | Path, content: bytes | str | Iterable[str], *, overwrite: bool = True
) -> None:
    """Write a file beside its place and move it there in one step.

    Content that comes in parts is written as it comes.

    Whoever looks sees the old file or the whole new one, never a part; a failure leaves nothing behind.
    Only a regular file is replaced: no link is followed, and none replaced.

    Raises
    ------
    FileExistsError
        If there is such a file and ``overwrite`` is False, or something that is no regular file.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    if (reason := not_a_file(path)) is not None:
        raise FileExistsError(errno.EEXIST, reason, str(path))
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists already; pass overwrite=True to replace it.")
    partial = _partial(path.parent)
    try:
        _write(partial, content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_together(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write files that belong together, the last of which says that all are there.

    All are written beside their places first, so that a full disk changes nothing. Then an earlier last file
    is removed, the others are moved to their places, and the last one is moved at the end: whenever the
    process is killed, a last file stands beside the files it belongs to.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    for name in contents:
        if (reason := not_a_file(folder / name)) is not None:
            raise FileExistsError(errno.EEXIST, reason, str(folder / name))
    partial = {name: _partial(folder) for name in contents}
    *_, last = contents
    try:
        for name, content in contents.items():
            _write(partial[name], content)
        (folder / last).unlink(missing_ok=True)
        for name in contents:
            os.replace(partial[name], folder / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def _partial(folder: Path) -> Path:
    """A name for a file until it is whole."""
    return folder / f".{secrets.token_hex(8)}.part"


def _write(partial: Path, content: bytes | str | Iterable[str]) -> None:
    parts = [content] if isinstance(content, bytes | str) else content
    with partial.open("xb") as file:  # x: a file or link that somebody laid there is not written to
        for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder to write in; if that fails, remove what was made and is still empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # not empty
                path.rmdir()
        raise


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: arrays as lists, records as dictionaries, NaN and infinity as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def is_formula(cell: object) -> bool:
    """Say whether a spreadsheet would take a cell of text for a formula, by how it begins."""
    if not isinstance(cell, str):
        return False  # a negative number is one
    return cell[:1] in {"\t", "\r", "\n"} or cell.lstrip()[:1] in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}


def csv_text(columns: Mapping[str, np.ndarray], *, safe: bool = False, header: bool = True) -> str:
    """Return a table as CSV; every float as the shortest text that reads back to the same number.

    ``safe`` puts a quote mark before text that a spreadsheet would take for a formula, and double quotes
    around all text; ``header=False`` leaves out the line of names, for rows that follow others.
    """
    lines = _Lines()
    writer = csv.writer(
        lines, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC if safe else csv.QUOTE_MINIMAL
    )
    rows = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    for row in chain([columns] if header else [], rows):
        writer.writerow([f"'{cell}" if safe and is_formula(cell) else cell for cell in row])
    return "".join(lines)


class _Lines(list[str]):
    """Lines that end in LF, from a writer that quotes CR and LF alike since it means to end them in both."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")
