"""The one compile policy for every Numba loop in the library.

Loops run without the GIL in threads of our own (``_threads.py``), never in a Numba threading layer: the
``omp`` layer dies after a fork and ``workqueue`` aborts under two Python threads.  Machine code is cached
on disk, so a new process pays for loading it and not for compiling it (``ntklib warmup`` fills the cache).

``contract`` lets the compiler fuse a multiplication and an addition.  Nothing else of fast-math is on:
the sign of zero tells opposite rows from equal ones, see ``kernels/_gaps.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """Compile ``function`` with the library's policy."""
    return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a scalar or row formula for use inside `compiled` loops of the same file."""
    return numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, inline="never")(function)
