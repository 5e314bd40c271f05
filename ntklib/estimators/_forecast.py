"""Forecast of how long a fit takes: operation counts times speeds that are measured in a moment.

It is made for users who asked to be told, and informs them; nothing depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ntklib._core.progress import about, current_step
from ntklib._core.threads import get_threads

from ._kernel import cross_gram, is_ours, is_precomputed

__all__ = ["LONG", "announce", "call_seconds", "multiplication_seconds", "value_seconds"]

LONG = 10.0
"""Seconds of work from which on its length is said beforehand."""

_SAMPLE = 512


def announce(what: str, seconds: Callable[[], float], *, at_most: bool = False) -> None:
    """Say before long work how long it will take; where no job is under way nothing is measured or said."""
    gauge = current_step()
    if gauge is not None and (expected := seconds()) > LONG:
        gauge.say(f"{what}: {'at most ' if at_most else ''}about {about(expected)}")


def multiplication_seconds(dtype: Any = np.float64) -> float:
    """Seconds that BLAS takes for a multiplication and an addition, with all its threads."""
    A = np.ones((_SAMPLE, _SAMPLE), dtype)
    return call_seconds(lambda: A @ A) / _SAMPLE**3


def value_seconds(kernel: Any, X: Any) -> float:
    """Seconds that a value of the kernel takes, with all threads where it uses them."""
    if is_precomputed(kernel):
        return 0.0
    half = max(min(X.shape[0] // 2, _SAMPLE), 1)
    one, other = X[:half], X[X.shape[0] - half :]
    each = call_seconds(lambda: cross_gram(kernel, one, other)) / half**2
    return each / get_threads() if is_ours(kernel) else each


def call_seconds(action: Callable[[], object]) -> float:
    """Seconds of a second call: the first one may load compiled code."""
    action()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
