"""Memory that a task uses again and again, on workers whose allocator would give it back each time."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["kept_memory"]

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt
_KEPT = 2**28, 2**25  # bytes that are kept, and of the largest array among them
_GLIBC = 2**17  # its own threshold of either kind


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for the next tile, and give all of it back in the end.

    Dask starts workers with ``MALLOC_TRIM_THRESHOLD_`` in their environment, by which glibc gives memory back
    when it is freed, and fresh pages cost time. Where that variable is not set, nothing is done.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" and "MALLOC_TRIM_THRESHOLD_" in os.environ else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    before = [_number(f"MALLOC_{name}_THRESHOLD_") for name in ("TRIM", "MMAP")]
    # never below what a user has chosen
    _set(libc, [max(own, kept) for own, kept in zip(before, _KEPT, strict=True)])
    try:
        yield
    finally:
        _set(libc, before)
        libc.malloc_trim(0)


def _number(variable: str) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else _GLIBC


def _set(libc: ctypes.CDLL, thresholds: list[int]) -> None:
    for parameter, value in zip((_TRIM, _MMAP), thresholds, strict=True):
        libc.mallopt(parameter, min(value, 2**31 - 1))
