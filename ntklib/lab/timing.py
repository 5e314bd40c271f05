"""Times of pieces of a study, from which it forecasts how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["seconds_of"]


def seconds_of(job: Callable[[], object], *, warm: bool = False) -> float:
    """Return the seconds that a call takes.

    Parameters
    ----------
    job : callable
    warm : bool, default=False
        Call it once before: the first call pays for what is loaded and compiled.
    """
    if warm:
        job()
    began = time.perf_counter()
    job()
    return time.perf_counter() - began
