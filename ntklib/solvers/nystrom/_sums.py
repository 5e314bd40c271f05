r"""Sums over rows: all that a regression on centres needs of the data.

Blocks of rows are added in chains of a fixed length, and the chains' sums in a binary tree by their number,
so that the same blocks give the same bytes, whatever computed them and in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import reduce
from math import isqrt
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtpttr, dtrttp

from ntklib._core.blas import add_square
from ntklib._core.namespaces import namespace_of, to_numpy
from ntklib._core.threads import get_threads, parallel_for

__all__ = ["CHAIN", "ROWS", "RowSums", "SumTree", "extend_tree", "fold_sums", "merge_sums", "tree_sum"]

ROWS = 4096
"""Rows of a block."""

CHAIN = 8
"""Blocks of a chain."""


@dataclass
class RowSums:
    """Weighted sums over rows of features p, targets t and their products.

    Attributes
    ----------
    squares : ndarray of shape (M, M), Fortran order
        Sum of w p p^T, its lower triangle; of a single block in the precision of its features.
    products : ndarray of shape (M, k)
        Sum of w p t^T.
    features : ndarray of shape (M,)
        Sum of w p.
    targets, target_squares : ndarray of shape (k,)
        Sums of w t and w t^2.
    diagonal : float
        Sum of w K(x, x).
    weight : float
        Sum of w.
    count : float
        Sum of the counts.
    n_rows : int
    lightest : float
        Least weight of a row; infinite without rows.
    """

    squares: NDArray
    products: NDArray
    features: NDArray
    targets: NDArray
    target_squares: NDArray
    diagonal: float = 0.0
    weight: float = 0.0
    count: float = 0.0
    n_rows: int = 0
    lightest: float = np.inf

    @classmethod
    def zeros(cls, n_centres: int, n_targets: int) -> RowSums:
        """Return the sums over no rows."""
        M, k = n_centres, n_targets
        return cls(np.zeros((M, M), order="F"), np.zeros((M, k)), np.zeros(M), np.zeros(k), np.zeros(k))

    @classmethod
    def of_arrays(cls, features: Any, targets: Any, weights: Any, counts: Any, diagonal: Any) -> RowSums:
        """Return the sums over the rows of a block, arrays of another library, on their device.

        Parameters
        ----------
        features : array of shape (n, M), float32 or float64
            One row a row; squares of float32 are added up in float32.
        targets : array of shape (n, k)
        weights, counts, diagonal : array of shape (n,)
            In float64, as the targets.

        Returns
        -------
        RowSums
            Of arrays of float64; `squares` has both triangles, the numbers are floats.
        """
        xp = namespace_of(features)
        root, double = xp.sqrt(weights), xp.float64
        scaled = features * xp.astype(root, features.dtype)[:, None]
        weighted = xp.astype(root[:, None] * targets, features.dtype)
        return cls(
            xp.astype(scaled.T @ scaled, double),
            xp.astype(scaled.T @ weighted, double),
            xp.astype(scaled.T @ xp.astype(root, features.dtype), double),
            weights @ targets,
            weights @ (targets * targets),
            float(xp.sum(weights * diagonal)),
            float(xp.sum(weights)),
            float(xp.sum(counts)),
            features.shape[0],
            float(xp.min(weights)) if features.shape[0] else np.inf,
        )

    def to_numpy(self) -> RowSums:
        """Return these sums with arrays of NumPy."""
        return replace(
            self,
            squares=np.asfortranarray(to_numpy(self.squares)),
            products=to_numpy(self.products),
            features=to_numpy(self.features),
            targets=to_numpy(self.targets),
            target_squares=to_numpy(self.target_squares),
        )

    @classmethod
    def products_only(cls, n_centres: int, n_targets: int) -> RowSums:
        """Return sums over no rows in which squares and features have no place."""
        sums = cls.zeros(0, n_targets)
        sums.products = np.zeros((n_centres, n_targets))
        return sums

    def add(
        self, features: NDArray, targets: NDArray, weights: NDArray, counts: NDArray, diagonal: NDArray
    ) -> None:
        """Add the rows of a block.

        Parameters
        ----------
        features : ndarray of shape (M, n), Fortran order, float32 or float64
            One column a row; overwritten.
        targets : ndarray of shape (n, k)
        weights, counts, diagonal : ndarray of shape (n,)
        """
        root = np.sqrt(weights)
        if (root != 1).any():
            features *= root.astype(features.dtype)
        weighted = root[:, None] * targets
        if len(weights):
            if features.dtype == np.float32:
                squares = np.zeros(self.squares.shape, np.float32, order="F")
                add_square(features, squares)
                self.squares = self._plus(squares) if self.n_rows else squares
            else:
                add_square(features, self.squares)
        self.products += features @ weighted.astype(features.dtype)
        self.features += features @ root.astype(features.dtype)
        self.targets += weights @ targets
        self.target_squares += weights @ targets**2
        self.diagonal += float(weights @ diagonal)
        self.weight += float(weights.sum())
        self.count += float(counts.sum())
        self.n_rows += len(weights)
        self.lightest = min(self.lightest, float(weights.min(initial=np.inf)))

    def merge(self, other: RowSums) -> RowSums:
        """Add the sums over other rows to these, and return these."""
        self.squares = self._plus(other.squares)
        self.products += other.products
        self.features += other.features
        self.targets += other.targets
        self.target_squares += other.target_squares
        self.diagonal += other.diagonal
        self.weight += other.weight
        self.count += other.count
        self.n_rows += other.n_rows
        self.lightest = min(self.lightest, other.lightest)
        return self

    def copy(self) -> RowSums:
        """Return sums of their own arrays."""
        return deepcopy(self)

    def widened(self) -> RowSums:
        """Return these sums, with squares in float64."""
        return replace(self, squares=self.squares.astype(np.float64, copy=False))

    def packed(self) -> RowSums:
        """Return these sums with squares that are the packed triangle, half as long."""
        return replace(self, squares=dtrttp(self.squares, uplo="L")[0])

    def unpacked(self) -> RowSums:
        """Return a copy of packed sums with squares of shape (M, M)."""
        own = replace(self, squares=np.empty(0)).copy()
        size = (isqrt(8 * len(self.squares) + 1) - 1) // 2
        return replace(own, squares=dtpttr(size, self.squares, uplo="L")[0])

    def _plus(self, squares: NDArray) -> NDArray:
        if not isinstance(squares, np.ndarray):
            return self.squares + squares
        total = self.squares.astype(np.float64, copy=False)
        total += squares
        return total


class SumTree:
    """Sums over blocks that are added in their order: in chains, and these in a binary tree.

    Parameters
    ----------
    zeros : callable
        Makes empty sums.
    """

    def __init__(self, zeros: Callable[[], RowSums]) -> None:
        self.zeros, self.n_blocks = zeros, 0
        self.chain = zeros()
        self.levels: list[tuple[int, RowSums]] = []  # of 2^level chains each, waiting for their neighbour

    def add(self, block: RowSums) -> None:
        """Add the sums over the next block."""
        self.chain.merge(block)
        self.n_blocks += 1
        if self.n_blocks % CHAIN == 0:
            total, level = self.chain, 0
            while self.levels and self.levels[-1][0] == level:
                total, level = self.levels.pop()[1].unpacked().merge(total), level + 1
            self.levels.append((level, total.packed()))
            self.chain = self.zeros()

    def copy(self) -> SumTree:
        """Return a tree that grows apart from this one."""
        other = copy(self)
        other.chain, other.levels = self.chain.copy(), list(self.levels)
        return other

    def total(self, last: RowSums | None = None) -> RowSums:
        """Return the sums over all blocks, and over a last one; the tree stays as it is."""
        levels, total = [sums for _, sums in self.levels], self.chain.copy()
        if last is not None:
            total.merge(last)
        elif levels and self.n_blocks % CHAIN == 0:
            total = levels.pop().unpacked()
        for sums in reversed(levels):
            total = sums.unpacked().merge(total)
        return total


def merge_sums(first: RowSums, second: RowSums) -> RowSums:
    """Sums over the rows of both, which stay as they are."""
    return first.copy().merge(second)


def fold_sums(parts: Sequence[Any], merge: Callable[[Any, Any], Any] = merge_sums) -> Any:
    """Combine the sums over blocks in the order that every driver keeps to: chains of 8, then a binary tree.

    Parameters
    ----------
    parts : sequence of RowSums
        One a block, in the order of the blocks; or stand-ins that `merge` takes, such as delayed calls.
    merge : callable, default=merge_sums
        Combines two of them.

    Returns
    -------
    RowSums
        Or what `merge` returns.

    Examples
    --------
    >>> from ntklib.solvers import fold_sums
    >>> fold_sums("abcdefghijkl", merge=lambda one, other: f"({one}{other})")
    '((((((((ab)c)d)e)f)g)h)(((ij)k)l))'
    """
    chains = [reduce(merge, parts[i : i + CHAIN]) for i in range(0, len(parts), CHAIN)]
    while len(chains) > 1:
        pairs = [merge(*chains[i : i + 2]) for i in range(0, len(chains) - 1, 2)]
        chains = pairs + chains[2 * len(pairs) :]
    return chains[0]


def tree_sum(
    blocks: Iterable[Any], add: Callable[[RowSums, Any], None], zeros: Callable[[], RowSums]
) -> RowSums:
    """Sum over blocks in chains and a binary tree.

    Parameters
    ----------
    blocks : iterable
        What ``add`` takes, in order.
    add : callable
        Adds a block to empty sums; called in several threads.
    zeros : callable
        Makes empty sums.

    Returns
    -------
    RowSums
    """
    tree = SumTree(zeros)
    extend_tree(tree, blocks, add)
    return tree.total()


def extend_tree(tree: SumTree, blocks: Iterable[Any], add: Callable[[RowSums, Any], None]) -> None:
    """Add further blocks to a tree, the sums over each made in any thread."""
    turn = Lock()
    waiting: dict[int, RowSums] = {}  # sums over blocks that were done before their forerunners

    def run(numbered: tuple[int, Any]) -> None:
        number, block = numbered
        sums = tree.zeros()
        add(sums, block)
        with turn:
            waiting[number] = sums
            while tree.n_blocks in waiting:
                tree.add(waiting.pop(tree.n_blocks))

    for batch in _batches(enumerate(blocks, tree.n_blocks), CHAIN * get_threads()):
        parallel_for(run, batch)


def _batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
