"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_atomically"]


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
