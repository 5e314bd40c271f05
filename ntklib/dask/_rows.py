"""Rows of Dask collections, as the driver of sums over rows sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.exponents import exponents
from ntklib._core.progress import step
from ntklib.solvers.nystrom import RowSums, stack_rows

from ._chunks import ChunkSummary, Recipe, map_block, summarise_chunk, take_rows, take_targets
from ._collections import Chunks, columns_of
from .graph import Graph, add_sums

__all__ = ["NO_ROW", "ChunkRows", "RowSample", "sample_of", "summarise"]

NO_ROW = "X has no row of positive weight: nothing can be fitted."


def summarise(chunks: Chunks, scheduler: Any, *, classification: bool) -> list[ChunkSummary]:
    """Check and summarise all chunks in one pass.

    Raises
    ------
    ValueError
        Naming the first chunk with a fault.
    """
    graph = Graph("summary", chunks.dependencies)
    keys = [
        graph.task("summary", i, summarise_chunk, *chunk, classification)
        for i, chunk in enumerate(chunks.keys)
    ]
    with step("checking chunks", len(keys), "chunks"):
        summaries = graph.compute(graph.task("all", 0, list, keys), scheduler)
    start = 0
    for i, summary in enumerate(summaries):
        if summary.fault is not None:
            raise ValueError(f"chunk {i}, which begins at row {start}: {summary.fault}")
        start += summary.n_rows
    filled = [i for i, one in enumerate(summaries) if one.n_rows]
    mixed = [i for i in filled if summaries[i].sparse != summaries[filled[0]].sparse]
    if mixed:
        raise ValueError(
            f"chunks {filled[0]} and {mixed[0]} of X are not of one kind, dense or sparse: make all of them "
            "sparse, X.map_blocks(scipy.sparse.csr_matrix)."
        )
    return summaries


@dataclass
class RowSample:
    """Rows of positive weight, read where they are asked for, by their numbers.

    Attributes
    ----------
    chunks : Chunks
    sizes : ndarray of int
        Rows of positive weight of each chunk.
    n_features : int
    dtype : numpy.dtype
    sparse : bool
    scheduler : Any
    absent : ndarray or None
        Classes of weight 0.
    """

    chunks: Chunks
    sizes: NDArray
    n_features: int
    dtype: np.dtype
    sparse: bool
    scheduler: Any = field(default=None, repr=False)
    absent: NDArray | None = None

    def __post_init__(self) -> None:
        self._numbers: NDArray = np.empty(0, dtype=np.intp)  # of the rows read last, ascending
        self._rows: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return int(self.sizes.sum()), self.n_features

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Read rows, a slice or an array of numbers; those that were read last are not read again."""
        wanted = np.asarray(range(self.shape[0])[rows] if isinstance(rows, slice) else rows, dtype=np.intp)
        distinct = np.unique(wanted)
        if len(np.setdiff1d(distinct, self._numbers)):
            self._rows, self._numbers = self._read(distinct), distinct
        return self._rows[np.searchsorted(self._numbers, wanted)]

    @property
    def sample(self) -> Any:
        """The rows that were read last, some at least."""
        return self[:1] if self._rows is None else self._rows

    def _read(self, numbers: NDArray) -> Any:
        graph = Graph("rows", self.chunks.dependencies)
        keys = []
        for i, places in places_of(numbers, self.sizes):
            X, y, weights = self.chunks.keys[i]
            parts = X, None if self.absent is None else y, weights
            keys.append(graph.task("rows", i, take_rows, *parts, self.absent, self.dtype, places))
        with step(f"reading {len(numbers):,} rows", len(keys), "chunks"):
            return graph.compute(graph.task("all", 0, stack_rows, keys), self.scheduler)


def sample_of(
    X: Any,
    chunks: Chunks,
    summaries: list[ChunkSummary],
    scheduler: Any,
    absent: NDArray | None = None,
) -> tuple[RowSample, NDArray | None]:
    """Rows of a collection to be read by their numbers, and the names of its columns.

    Parameters
    ----------
    X : dask.array.Array or dask.dataframe.DataFrame
    chunks : Chunks
    summaries : list of ChunkSummary
        Without the rows of absent classes.
    scheduler : Any
    absent : ndarray or None, default=None
        Classes of weight 0.

    Raises
    ------
    ValueError
        If there is no row of positive weight.
    """
    filled = [one for one in summaries if one.n_positive]
    if not filled:
        raise ValueError(NO_ROW)
    n_features, names = columns_of(X)
    sizes = np.array([one.n_positive for one in summaries])
    kind = np.dtype(np.float32 if all(one.single for one in filled) else np.float64)
    return RowSample(chunks, sizes, n_features, kind, filled[0].sparse, scheduler, absent), names


def places_of(numbers: NDArray, sizes: NDArray) -> Iterator[tuple[int, NDArray]]:
    """Numbers of the chunks that hold some rows, and the rows' places in them; ascending."""
    ends = np.cumsum(sizes)
    chunk = np.searchsorted(ends, numbers, side="right")
    for i in np.unique(chunk):
        yield int(i), numbers[chunk == i] - (ends[i] - sizes[i])


@dataclass(frozen=True)
class ChunkRows:
    """Driver of sums over the chunks of Dask collections; see :class:`~ntklib.solvers.nystrom.CentreRows`.

    Attributes
    ----------
    X : RowSample
    recipe : Recipe
    largest : ndarray of shape (k,)
        Largest size of each target.
    held : ndarray of int
        Numbers of the rows that `map` is for, ascending.
    powers : ndarray of int, shape (k,), or None
        Targets are divided by two to these powers.
    """

    X: RowSample
    recipe: Recipe
    largest: NDArray
    held: NDArray
    powers: NDArray | None = None

    def __len__(self) -> int:
        return len(self.X)

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return len(self.largest)

    def exponents(self) -> NDArray:
        """Exponents of the largest of each target."""
        return np.asarray(exponents(self.largest[None], axis=0))

    def fold(self, add: Callable, zeros: Callable[[], RowSums]) -> RowSums:
        """Sum over all chunks, in chains and a binary tree."""
        graph, recipe = self._graph("sums")
        shared = graph.put("add", add), graph.put("zeros", zeros)
        total = add_sums(graph, *shared, self.X.chunks.keys, recipe)
        return graph.compute(total, self.X.scheduler).unpacked()

    def map(self, function: Callable, shape: tuple[int, ...]) -> NDArray:
        """Values of a function at the held rows, of shape (n_held, *shape)."""
        graph, recipe = self._graph("values")
        shared = graph.put("function", function)
        keys = [
            graph.task("values", i, map_block, shared, *self.X.chunks.keys[i], recipe, places)
            for i, places in self._held_places
        ]
        return graph.compute(graph.task("all", 0, np.concatenate, keys), self.X.scheduler)

    def held_targets(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Targets, importances, counts and labels of the held rows."""
        graph, recipe = self._graph("targets")
        keys = [
            graph.task("targets", i, take_targets, *self.X.chunks.keys[i][1:], recipe, places)
            for i, places in self._held_places
        ]
        with step("reading targets", len(keys), "chunks"):
            parts = graph.compute(graph.task("all", 0, list, keys), self.X.scheduler)
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))  # type: ignore[return-value]

    @cached_property
    def _held_places(self) -> list[tuple[int, NDArray | None]]:
        sizes = self.X.sizes
        return [(i, at if len(at) < sizes[i] else None) for i, at in places_of(self.held, sizes)]

    def _graph(self, purpose: str) -> tuple[Graph, Any]:
        graph = Graph(purpose, self.X.chunks.dependencies)
        return graph, graph.put("recipe", replace(self.recipe, powers=self.powers))
