"""Files that appear whole or not at all, and what goes into them as JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["csv_text", "new_folder", "plain", "write_atomically", "write_together"]


def write_atomically(path: str | Path, content: bytes | str, *, overwrite: bool = True) -> None:
    """Write a file beside its place and move it there in one step.

    Whoever looks sees the old file or the whole new one, never a part; a failure leaves nothing behind.

    Raises
    ------
    FileExistsError
        If there is such a file and ``overwrite`` is False.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    if not overwrite and path.exists():
        raise FileExistsError(f"{path} exists already; pass overwrite=True to replace it.")
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
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
    partial = {name: folder / f".{name}.{os.getpid()}.part" for name in contents}
    *_, last = contents
    try:
        for name, content in contents.items():
            write_atomically(partial[name], content)
        (folder / last).unlink(missing_ok=True)
        for name in contents:
            os.replace(partial[name], folder / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


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


def csv_text(columns: Mapping[str, np.ndarray]) -> str:
    """Return a table as CSV; every float as the shortest text that reads back to the same number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True))
    return text.getvalue()
