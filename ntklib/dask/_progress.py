"""Progress of a pass over chunks, wherever its tasks are worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dask.callbacks import Callback

from ntklib._core.progress import current_step

__all__ = ["show_tasks"]

PAUSE = 0.5
"""Seconds between two questions to a scheduler."""


@contextmanager
def show_tasks(group: str, count: int, client: Any) -> Iterator[None]:
    """Show how many tasks of a group are done as the share of the step that is under way.

    Parameters
    ----------
    group : str
        First part of the keys of the tasks.
    count : int
        Number of tasks.
    client : Client or None
        None is the schedulers of this process.
    """
    gauge = current_step()
    if gauge is None or not gauge.total:
        yield
        return
    total, done = gauge.total, 0

    def count_task(key: Any, *_: Any) -> None:  # by the schedulers of this process, in one thread
        nonlocal done
        if isinstance(key, tuple) and key[0] == group:
            done += 1
            gauge.reach(total * done / count)

    over = threading.Event()

    def ask() -> None:
        while not over.wait(PAUSE):
            try:
                finished = client.run_on_scheduler(finished_tasks, group=group)
            except Exception:  # the computation itself says what is wrong with the cluster
                return
            gauge.reach(total * finished / count)

    asking = threading.Thread(target=ask, name="progress of tasks", daemon=True)
    if client is not None:
        asking.start()
    try:
        with Callback(posttask=count_task):
            yield
    finally:
        over.set()
        if client is not None:
            asking.join()
    gauge.reach(total)  # after the last answer, which may be late


def finished_tasks(group: str, dask_scheduler: Any = None) -> int:
    """Number of the tasks of a group that a scheduler has seen done."""
    known = dask_scheduler.task_groups.get(group)
    return sum(known.states.get(state, 0) for state in ("memory", "released", "forgotten")) if known else 0
