"""Rows of a regression on centres, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import row_blocks
from ntklib._core.exponents import exponents
from ntklib._core.progress import current_step
from ntklib._core.threads import parallel_for

from ._basis import Basis
from ._sums import ROWS, RowSums, tree_sum
from ._tiles import TileFeatures

__all__ = ["Block", "CentreRows", "add_block", "tiles_of"]

Block = tuple[Any, NDArray, NDArray, NDArray]
"""Rows, targets, weights and counts."""


@dataclass(frozen=True)
class CentreRows:
    """Rows, targets, weights and counts, in blocks; and the driver that runs through them.

    All that regression on centres does with rows is `fold` and `map`, to read X at the centres, their number,
    `n_targets` and the `exponents` of the targets. A driver for rows that are elsewhere has these; it gives
    the same bytes if its blocks are the same and it adds their sums up as :func:`fold_sums` does. Functions
    of blocks pickle if the kernel does; to show progress is the driver's part.

    Attributes
    ----------
    X : array, memory map, CSR matrix or view of shape (n, d)
    targets : ndarray of shape (n, k)
    weights, counts : ndarray of shape (n,) or None
        None is ones; weights are counts times importances.
    powers : ndarray of int, shape (k,), or None
        The targets are divided by two to these powers when they are read.
    blocks : list of slice or None
        None is a constant number of rows, 4,096.
    """

    X: Any
    targets: NDArray
    weights: NDArray | None = None
    counts: NDArray | None = None
    powers: NDArray | None = None
    blocks: list[slice] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return self.targets.shape[1]

    def exponents(self) -> NDArray:
        """Exponents of the largest of each target, shape (k,)."""
        return np.asarray(exponents(self.targets, axis=0))

    def block(self, rows: slice) -> Block:
        """Rows, targets, weights and counts of some rows."""
        targets = np.asarray(self.targets[rows], dtype=np.float64)
        if self.powers is not None:
            targets = np.ldexp(targets, -self.powers)
        ones = np.ones(len(targets))
        weights = ones if self.weights is None else np.asarray(self.weights[rows], dtype=np.float64)
        counts = ones if self.counts is None else np.asarray(self.counts[rows], dtype=np.float64)
        return self.X[rows], targets, weights, counts

    def fold(self, add: Callable[[RowSums, Block], None], zeros: Callable[[], RowSums]) -> RowSums:
        """Sum over all blocks, in chains and a binary tree.

        Parameters
        ----------
        add : callable
            Adds a block (X, targets, weights, counts) to sums.
        zeros : callable
            Makes empty sums.
        """
        done = _counter()

        def run(sums: RowSums, rows: slice) -> None:
            add(sums, self.block(rows))
            done(rows)

        return tree_sum(self._slices(), run, zeros)

    def map(self, function: Callable[[Block], NDArray], shape: tuple[int, ...]) -> NDArray:
        """Arrays of all blocks, one below the other: ``shape`` is that of a row."""
        out, done = np.empty((len(self.targets), *shape)), _counter()

        def fill(rows: slice) -> None:
            out[rows] = function(self.block(rows))
            done(rows)

        parallel_for(fill, self._slices())
        return out

    def _slices(self) -> Iterable[slice]:
        return row_blocks(len(self.targets), ROWS) if self.blocks is None else self.blocks


def tiles_of(block: Block, size: int = ROWS) -> list[Block]:
    """Cut a block into parts of at most so many rows, none of them empty."""
    if len(block[1]) <= size:
        return [block] if len(block[1]) else []
    X, *others = block
    return [(X[rows], *(one[rows] for one in others)) for rows in row_blocks(len(block[1]), size)]


def add_block(basis: Basis, dtype: Any, sums: RowSums, block: Block) -> None:
    """Add the features of a block's rows to empty sums, in tiles of the given precision."""
    features = TileFeatures(basis, dtype)
    for X, targets, weights, counts in tiles_of(block):
        sums.add(features(X), targets, weights, counts, basis.diagonal(X))


def _counter() -> Callable[[slice], None]:
    """Return what counts the rows of a slice as done, in the step that is under way."""
    gauge = current_step()
    return (lambda rows: None) if gauge is None else (lambda rows: gauge.advance(rows.stop - rows.start))
