"""Sums of a stream of rows on centres that are fixed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib._core.blocks import row_blocks
from ntklib._core.exponents import exponents
from ntklib._core.threads import parallel_for

from ..solver import Nystrom
from ._basis import Basis, make_basis
from ._sums import ROWS, RowSums, SumTree, extend_tree
from .fit import CentreSums, choose_centres
from .regression import CentreRegression
from .rows import Block, CentreRows, add_block

__all__ = ["CentreStream", "stack_rows"]


@dataclass(frozen=True)
class CentreStream:
    """Sums over the rows that have come so far, in tiles of float64.

    Rows wait until there is a block of them, so that the sums do not depend on how the stream is cut. They
    cannot be refined, since the rows are gone.

    Attributes
    ----------
    basis : Basis
    tree : SumTree
        Of whole blocks.
    powers : ndarray of int, shape (k,)
        Targets are divided by two to these powers.
    chosen : ndarray of int, shape (M,)
        Places of the centres among the rows they were chosen from; -1 for centres that were given.
    rule : str
        How they were chosen.
    waiting : Block or None
        Fewer rows than a block has.
    """

    basis: Basis
    tree: SumTree = field(repr=False)
    powers: NDArray
    chosen: NDArray
    rule: str
    waiting: Block | None = field(default=None, repr=False)

    @classmethod
    def start(
        cls, cross: Any, diagonal: Any, X: Any, targets: NDArray, solver: Nystrom, *, fit_intercept: bool
    ) -> CentreStream:
        """Choose centres among the first rows, of which no sums are made yet."""
        chosen, centres = choose_centres(cross, diagonal, X, solver, solver.stream_centers())
        basis = make_basis(cross, diagonal, centres, centred=fit_intercept)
        tree = SumTree(partial(RowSums.zeros, len(basis.kept), targets.shape[1]))
        return cls(basis, tree, np.asarray(exponents(targets, axis=0)), chosen[basis.kept], solver.rule)

    def extended(self, block: Block) -> CentreStream:
        """Return the sums with further rows: X in float64, targets, weights and counts."""
        joined = block if self.waiting is None else join_blocks(self.waiting, block)
        whole = len(joined[1]) // ROWS * ROWS
        rows = CentreRows(*joined, powers=self.powers)
        tree = self.tree.copy()
        add = partial(add_block, self.basis, np.float64)
        extend_tree(tree, row_blocks(whole, ROWS), lambda sums, at: add(sums, rows.block(at)))
        rest: Any = tuple(part[whole:] for part in joined) if whole < len(joined[1]) else None
        return replace(self, tree=tree, waiting=rest)

    def sums(self, *, whole_weights: bool, fit_intercept: bool) -> CentreSums:
        """Return the sums over all rows, ready for fits; weights that are whole numbers are counts."""
        last = None
        if self.waiting is not None:
            block = CentreRows(*self.waiting, powers=self.powers).block(slice(None))
            last = self.tree.zeros()
            parallel_for(lambda sums: add_block(self.basis, np.float64, sums, block), [last])
        total = self.tree.total(last)
        if not whole_weights:
            total.count = float(total.n_rows)
        whitened = self.basis.whiten_sums(total)
        regression = CentreRegression(self.basis, whitened, fit_intercept=fit_intercept)
        return CentreSums(regression, self.powers, self.chosen, self.rule, None)


def join_blocks(first: Block, second: Block) -> Block:
    """One block below the other."""
    others = (np.concatenate(pair) for pair in zip(first[1:], second[1:], strict=True))
    return (stack_rows([first[0], second[0]]), *others)  # type: ignore[return-value]


def stack_rows(parts: list[Any]) -> Any:
    """Rows of arrays, or of CSR matrices, one below the other."""
    return sparse.vstack(parts, format="csr") if sparse.issparse(parts[0]) else np.concatenate(parts)
