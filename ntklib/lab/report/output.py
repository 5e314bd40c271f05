"""Files that appear whole or not at all, and folders that are never overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ntklib._core import files as _files
from ntklib.lab.tables import DataError


def check_writable(path: Path, *, force: bool) -> None:
    """Refuse a file that exists (unless ``force``), anything there that is no regular file, a closed folder.

    Meant to be called before any work is done, so that an hour's fit is not lost to a typing error.

    Raises
    ------
    DataError
        With one line that says what and where.
    """
    if (reason := _files.not_a_file(path)) is not None:
        raise DataError(f"{path}: {reason}")
    if _exists(path) and not force:
        raise DataError(f"{path}: exists already; --force overwrites it")
    check_folder(path.parent)


def _exists(path: Path) -> bool:
    try:
        os.lstat(path)
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        raise DataError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None


def check_folder(folder: Path) -> None:
    """Refuse a folder that does not exist or cannot be written in.

    Raises
    ------
    DataError
        With one line that says what and where.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: no permission to write in this folder")


def write_atomically(path: Path, content: bytes | str | Iterable[str]) -> None:
    """Write a file whole or not at all, with a failure as DataError."""
    try:
        _files.write_atomically(path, content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None


def find_folder(out: str | Path | None, files: tuple[str, ...], *, default: str, force: bool) -> Path:
    """Find the folder for some files without touching earlier ones. It is not made: nothing is written yet.

    Parameters
    ----------
    out : str, Path or None
        The folder asked for; None is ``default``, or ``default-2``, ``default-3``, ... where that already
        holds results.
    files : tuple of str
        Names of the files to be written.
    default : str
        See above.
    force : bool
        Take the folder even if it holds such files.

    Returns
    -------
    Path
        A folder that exists and can be written in, or can be made.

    Raises
    ------
    DataError
        If a folder asked for holds such files and ``force`` is False, or it cannot be made or written in.
    """

    def taken(folder: Path) -> list[str]:
        return [name for name in files if os.path.lexists(folder / name)]

    folder = Path(default if out is None else out)
    if out is None and not force:
        number = 2
        while taken(folder) or (os.path.lexists(folder) and not folder.is_dir()):
            folder, number = Path(f"{default}-{number}"), number + 1
    _exists(folder)  # or raise an error for a name that cannot be
    if (existing := taken(folder)) and not force:
        names = ", ".join(existing[:4]) + (", ..." if len(existing) > 4 else "")
        raise DataError(f"{folder}: holds {names} already; --force overwrites them")
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():  # a link that leads nowhere is none either
        place = "" if there == folder else f"cannot be made, {there} "
        raise DataError(f"{folder}: {place}is a file, a folder is needed")
    check_folder(there)
    for name in files:
        if (reason := _files.not_a_file(folder / name)) is not None:
            raise DataError(f"{folder / name}: {reason}")
    return folder
