"""A pass of sums over many chunks on many workers, played through event by event.

The graph is the recorded one: a task a chunk, chains and a binary tree of additions. A worker does one task
at a time; a task begins when the scheduler has come to it, its worker is free and its parts have arrived.
Chunks that follow each other lie on one worker, as Dask places them; a sum of two is made where the first of
them is.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Costs", "Pass", "record_graph", "simulate"]


@dataclass(frozen=True)
class Costs:
    """Seconds of tasks and messages.

    Attributes
    ----------
    chunk, merge : float
        Seconds of the sums over a chunk, and of adding two of them.
    size : float
        Bytes of the sums.
    bandwidth, latency : float
        Of the network: bytes a second of each worker, and seconds of a message.
    task : float
        Seconds of the scheduler for each task.
    """

    chunk: float
    merge: float
    size: float
    bandwidth: float
    latency: float
    task: float


@dataclass(frozen=True)
class Pass:
    """What came of a simulated pass.

    Attributes
    ----------
    seconds : float
    last_chunk : float
        When the last chunk was done: what is after it is the tree's.
    busy : float
        Share of their time in which workers compute.
    sent : float
        Bytes over the network.
    scheduler : float
        Seconds of work of the scheduler.
    """

    seconds: float
    last_chunk: float
    busy: float
    sent: float
    scheduler: float


def record_graph(n_chunks: int) -> list[tuple[int, ...]]:
    """The tasks of a pass by the numbers of those they need, (), or two of them; chunks are the first."""
    from ntklib.dask.graph import Graph, add_sums

    graph = Graph("sums", [])
    add_sums(graph, "add", "zeros", [(i, None, None) for i in range(n_chunks)], "recipe")
    numbers = {key: i for i, key in enumerate(graph.tasks)}
    tasks: list[tuple[int, ...]] = []
    for task in graph.tasks.values():
        parts = [getattr(part, "key", None) for part in task.args]
        tasks.append(tuple(numbers[key] for key in parts if key in numbers))
    return tasks


def simulate(tasks: list[tuple[int, ...]], n_workers: int, costs: Costs) -> Pass:
    """Play the tasks through on so many workers."""
    n_chunks = sum(not parts for parts in tasks)
    place, waiting, users = _place(tasks, n_chunks, n_workers)
    queues: list[list[int]] = [[] for _ in range(n_workers)]
    sending = [0.0] * n_workers  # when each worker's link out, and its link in, is free again
    receiving = [0.0] * n_workers
    idle = [True] * n_workers
    scheduler = sent = busy = last_chunk = 0.0
    events: list[tuple[float, int, Callable[..., Any], int]] = []
    count = 0

    def at(time: float, action: Callable[..., Any], task: int) -> None:
        nonlocal count
        count += 1
        heapq.heappush(events, (time, count, action, task))

    def ready(time: float, task: int) -> None:
        """The scheduler comes to the task, and its parts set out."""
        nonlocal scheduler, sent
        here, arrived = place[task], time
        for part in tasks[task]:
            there = place[part]
            if there != here:
                start = max(time, sending[there], receiving[here])
                sending[there] = receiving[here] = start + costs.size / costs.bandwidth
                sent += costs.size
                arrived = max(arrived, sending[there] + costs.latency)
        at(arrived + costs.latency, arrive, task)

    def arrive(time: float, task: int) -> None:
        # sums are added before new ones are made, so that few wait in memory
        heapq.heappush(queues[place[task]], -task if tasks[task] else task)
        begin(time, place[task])

    def begin(time: float, worker: int) -> None:
        nonlocal busy
        if idle[worker] and queues[worker]:
            task = abs(heapq.heappop(queues[worker]))
            took = costs.merge if tasks[task] else costs.chunk
            idle[worker], busy = False, busy + took
            at(time + took, finish, task)

    def finish(time: float, task: int) -> None:
        nonlocal last_chunk, scheduler
        idle[place[task]] = True
        if not tasks[task]:
            last_chunk = max(last_chunk, time)
        begin(time, place[task])
        for user in users[task]:
            waiting[user] -= 1
            if waiting[user] == 0:
                scheduler = max(scheduler, time) + costs.task
                at(scheduler, ready, user)

    for task in range(n_chunks):
        scheduler += costs.task
        at(scheduler, ready, task)
    time = 0.0
    while events:
        time, _, action, task = heapq.heappop(events)
        action(time, task)
    return Pass(time, last_chunk, busy / (time * n_workers), sent, costs.task * len(tasks))


def _place(
    tasks: list[tuple[int, ...]], n_chunks: int, n_workers: int
) -> tuple[list[int], list[int], list[list[int]]]:
    """Worker of each task, how many parts each waits for, and who needs it."""
    place: list[int] = []
    users: list[list[int]] = [[] for _ in tasks]
    for task, parts in enumerate(tasks):
        place.append(place[parts[0]] if parts else task * n_workers // n_chunks)
        for part in parts:
            users[part].append(task)
    return place, [len(parts) for parts in tasks], users
