"""Graphs over chunks, of a fixed number of tasks a chunk, and the client that runs them.

Sums over chunks are added in chains of a fixed number of chunks, and the chains' sums in a binary tree, in
the order in which those over blocks in memory are: the bytes do not depend on who computes what, when, or how
often.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import dask
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import DataNode, List, Task, TaskRef

from ntklib._core.progress import step
from ntklib.solvers import fold_sums

from ._chunks import merge_packed, sum_block
from ._progress import show_tasks
from .client import named_loss

__all__ = ["Graph", "add_sums", "map_parts"]


class Graph:
    """Tasks on the chunks of some collections.

    Parameters
    ----------
    purpose : str
        Kind of its main tasks.
    dependencies : list of Delayed
        One chunk of each collection.
    """

    def __init__(self, purpose: str, dependencies: list[Any]) -> None:
        self.purpose, self.run = purpose, uuid4().hex
        self.tasks: dict[Any, Any] = {}
        self.dependencies = dependencies

    def __len__(self) -> int:
        return len(self.tasks)

    def put(self, name: str, value: Any) -> TaskRef:
        """Add a value that tasks share, sent where it is needed; return the reference to it."""
        key = self._name(name), 0
        self.tasks[key] = DataNode(key, value)
        return TaskRef(key)

    def task(self, kind: str, number: int, function: Callable, *arguments: Any) -> TaskRef:
        """Add a task; arguments are references, lists of them or small values. Return the reference to it.

        What is referred to may be in memory of a cluster, and no task of a graph.
        """
        key = self._name(kind), number
        self.tasks[key] = Task(key, function, *(List(*a) if isinstance(a, list) else a for a in arguments))
        return TaskRef(key)

    def compute(self, wanted: TaskRef, scheduler: Any = None) -> Any:
        """Compute a task; None is the current client, or the scheduler of the configuration.

        Tasks of the kind that the graph is for are shown as the progress of the current step.
        """
        layer, main = self._name("graph"), self._name(self.purpose)
        graph = HighLevelGraph.from_collections(layer, self.tasks, dependencies=self.dependencies)
        # what tasks share lives in the graph, so that a lost worker takes nothing with it: large it may be
        quiet = {"distributed.admin.large-graph-warning-threshold": "1 TB"}
        count = sum(name == main for name, _ in self.tasks)
        with (
            named_loss(scheduler),
            dask.config.set(quiet if "distributed" in sys.modules else {}),
            show_tasks(main, count, scheduler),
        ):
            return dask.compute(Delayed(wanted.key, graph, layer=layer), scheduler=scheduler)[0]

    def _name(self, kind: str) -> str:
        """First part of the keys of a kind: dashboards show it without the number of the run."""
        return f"ntklib-{kind}-{self.run}"


def map_parts(
    function: Callable, parts: Sequence[Any], *shared: Any, title: str, client: Any = None
) -> list[Any]:
    """Apply a function to each of some parts by Dask, and show as a step how many are done.

    Parameters
    ----------
    function : callable
        Takes a part and the shared values.
    parts : sequence
        What a part is sent as, a path for instance.
    *shared
        Values that all calls share, each sent to a worker once.
    title : str
        Of the step.
    client : dask.distributed.Client or None, default=None
        None is Dask's own choice.

    Returns
    -------
    list
        In the order of the parts.

    Examples
    --------
    >>> from ntklib.dask import map_parts
    >>> map_parts(lambda part, more: part + more, [1, 2, 3], 10, title="adding")
    [11, 12, 13]
    """
    graph = Graph("parts", [])
    common = [graph.put(f"shared-{i}", value) for i, value in enumerate(shared)]
    keys = [graph.task("parts", i, function, part, *common) for i, part in enumerate(parts)]
    with step(title, len(keys), "parts"):
        return graph.compute(graph.task("all", 0, list, keys), client)


def add_sums(graph: Graph, add: Any, zeros: Any, chunks: list[tuple], recipe: Any) -> Any:
    """Add the tasks of the sums over all chunks, and return the reference to the total.

    Parameters
    ----------
    graph : Graph
    add, zeros : TaskRef
        The functions that add a block to sums, and that make empty ones.
    chunks : list of tuple
        The rows, targets and weights of each chunk.
    recipe : TaskRef
    """
    parts = [graph.task("sums", i, sum_block, add, zeros, *chunk, recipe) for i, chunk in enumerate(chunks)]

    def merge(first: Any, second: Any) -> Any:
        return graph.task("merge", len(graph), merge_packed, first, second)

    return fold_sums(parts, merge)
