"""Timing shared by the scripts: actions that take turns, in a process that keeps its pages."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

__all__ = ["Actions", "medians", "processor", "processor_times", "restart_with_kept_pages"]

TUNABLES = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=200000000000"
Actions = dict[str, Callable[[], object]]


def medians(actions: Actions, repeats: int, *, pause: float = 0.0) -> dict[str, float]:
    """Median time of each action; each time it runs once before, so that none pays for its forerunner.

    In a pause, in seconds, the idle threads of BLAS stop spinning: for actions that take no longer than that.
    """
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            time.sleep(pause)
            action()
            start = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in times.items()}


def processor_times(actions: Actions, repeats: int) -> dict[str, float]:
    """Least processor time of each action in this thread, which other programs hardly lengthen.

    For actions on one thread; they take turns, and each runs once before.
    """
    times = dict.fromkeys(actions, float("inf"))
    for _ in range(repeats):
        for name, action in actions.items():
            action()
            start = time.thread_time()
            action()
            times[name] = min(times[name], time.thread_time() - start)
    return times


def restart_with_kept_pages() -> None:
    """Start the script again with glibc keeping freed memory, slow to get anew on virtual machines."""
    if os.environ.get("GLIBC_TUNABLES") != TUNABLES and sys.platform == "linux":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "GLIBC_TUNABLES": TUNABLES})


def processor() -> str:
    """Name of the processor, as far as the system tells it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
