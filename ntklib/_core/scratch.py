"""Large arrays that a job needs for a while: in memory if they are small, else in a file without a name."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .blocks import working_memory

__all__ = ["scratch_array"]


def scratch_array(shape: tuple[int, ...], dtype: DTypeLike, what: str) -> NDArray:
    """Array of zeros, in a temporary file if it takes more than a quarter of the working memory.

    The file is in the folder for temporary files (``TMPDIR``) and has no name, so that it is gone with the
    array, however the process ends. Its room on the disk is taken at once: a disk that fills up later is no
    matter.

    Raises
    ------
    OSError
        If there is not as much room on the disk, with the figures, or ``TMPDIR`` names no folder that can be
        written to.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size <= working_memory() // 4:
        return np.zeros(shape, dtype)
    folder, wanted = tempfile.gettempdir(), os.environ.get("TMPDIR")
    if wanted and not os.access(wanted, os.W_OK | os.X_OK):  # tempfile takes another in silence
        raise OSError(errno.EACCES, f"TMPDIR names no folder that {what} can be written to", wanted)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise _full(size, free, what, folder)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            _take_room(file.fileno(), size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise _full(size, free, what, folder) from None
        return np.memmap(file, dtype, "r+", shape=shape)


def _take_room(number: int, size: int) -> None:
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(number, 0, size)
            return
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot promise room
            raise
    os.truncate(number, size)


def _full(size: int, free: int, what: str, folder: str) -> OSError:
    return OSError(
        errno.ENOSPC,
        f"{what} take {size / 2**30:.1f} GiB on the disk and {free / 2**30:.1f} GiB are free; set TMPDIR to "
        "a folder with more room",
        folder,
    )
