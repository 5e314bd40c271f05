"""Files that appear whole or not at all, and what goes into them as JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["csv_text", "plain", "write_atomically"]


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
