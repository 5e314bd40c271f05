"""Memory-bounded tiling: how large a block may be, and what is refused before it is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from sklearn import get_config

from .cgroups import group_memory

__all__ = ["available_memory", "require_memory", "row_blocks", "tiles", "working_memory"]


def working_memory() -> int:
    """Bytes that temporary arrays may take (``sklearn.get_config()["working_memory"]``, in MiB there)."""
    return int(get_config()["working_memory"] * 2**20)


def available_memory() -> int | None:
    """Bytes of main memory that can be allocated without swapping, or None where the system does not say.

    Limits of the process' control groups, as containers have them, count.
    """
    free = [bytes_ for bytes_ in (_system_memory(), group_memory()) if bytes_ is not None]
    return min(free, default=None)


def _system_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


_NYSTROEM = "give the estimator solver='nystrom' (or use sklearn.kernel_approximation.Nystroem)"


def require_memory(
    shape: tuple[int, ...],
    dtype: np.typing.DTypeLike,
    what: str = "Gram matrix",
    instead: str = _NYSTROEM,
    *,
    rows: bool = True,
    single: bool = True,
) -> None:
    """Raise MemoryError, with the figure and the ways out, if an array of this shape cannot fit.

    ``rows`` says whether fewer rows would help, ``single`` whether float32 would.
    """
    dtype = np.dtype(dtype)
    needed = dtype.itemsize
    for length in shape:
        needed *= int(length)
    free = available_memory()
    if free is not None and needed > free:
        size = " x ".join(f"{length:,}" for length in shape)
        ways = ["subsample the rows"] * rows + ["use float32"] * (single and dtype.itemsize > 4)
        ways += [instead] * bool(instead)
        ways[-1] = f"or {ways[-1]}" if len(ways) > 1 else ways[-1]
        raise MemoryError(
            f"a {size} {dtype.name} {what} needs {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are "
            f"available; {', '.join(ways)}."
        )


def row_blocks(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into slices of at most ``size``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def tiles(n: int, m: int, size: int, *, symmetric: bool) -> Iterator[tuple[slice, slice]]:
    """Cut an n x m matrix into tiles; of a symmetric one only those on and below the diagonal."""
    for rows in row_blocks(n, size):
        for columns in row_blocks(rows.stop if symmetric else m, size):
            yield rows, columns
