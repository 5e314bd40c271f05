r"""Stacking: a weighted sum of the kernels that were compared, in place of the best of them.

Weights are nonnegative, of sum 1, and make the squared error of held-out predictions least: with one set for
all outputs, a constant added to the targets is added to the predictions. The outcome is one kernel. Fits
:math:`K_k (K_k + \alpha_k I)^{-1} y` with weights w_k become the fit with

.. math:: K = \sum_k w_k \frac{\alpha_1}{\alpha_k} K_k

at a penalty near :math:`\alpha_1`, that of the heaviest kernel; of one kernel, it is the fit itself. So
standard deviations, gradients and every solver work as for any kernel, and one expansion is kept, where a
weighted set of fits would be several.

The weights have seen all targets they were made by. Scores, the penalty and the temperature are therefore of
folds, in each of which weights are made anew from the training rows alone.

References
----------
D. H. Wolpert, "Stacked generalization", Neural Networks 5, 1992.
L. Breiman, "Stacked regressions", Machine Learning 24, 1996.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel

from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.solvers import Solver

from .._folds import Splits
from .._scoring import check_scores
from .._units import Units
from ._candidates import Candidate
from ._halving import Round
from ._kernel_search import KernelSearch, SearchResult, compare_kernels, results_of

__all__ = ["Stack", "check_stackable", "search_stack", "stacking_rounds"]

FOLDS = 5
"""Folds of nested scores, where none are given."""

_FACTORS = np.logspace(1, -1, 5)  # of the penalty that follows from those of the parts


def check_stackable(candidates: list[Candidate], search: KernelSearch) -> None:
    """Refuse what weights of held-out predictions are not known for."""
    wrong = None
    if not all(candidate.kernel is None or isinstance(candidate.kernel, Kernel) for candidate in candidates):
        wrong = "adds kernel objects: functions and 'precomputed' are none"
    elif search.gcv:
        wrong = "needs held-out predictions, which cv='gcv' has not: leave cv=None, or give folds"
    elif len(search.criteria) > 1:
        wrong = "makes one kernel at one penalty for all targets: leave alpha_per_target=False"
    elif search.alphas is not None and search.alphas.min() == 0:
        wrong = "divides kernels by their penalties: give positive alphas"
    if wrong is not None:
        raise ValueError(f"combine='stack' {wrong}.")


def nested_folds(order: NDArray) -> Splits:
    """Folds of units in a random, stratified order."""
    if len(order) < 4:
        raise ValueError(f"combine='stack' needs at least 4 different samples, got {len(order)}.")
    n_folds = min(FOLDS, len(order))
    tests = [np.sort(order[i::n_folds]) for i in range(n_folds)]
    return [(np.setdiff1d(order, test), test) for test in tests]


def stacking_weights(residuals: NDArray) -> NDArray:
    """Weights w >= 0 of sum 1 that make the length of residuals (n, K) times w least.

    The solution of nonnegative least squares with the sum as one more equation is a multiple of them.
    """
    size = np.abs(residuals).max()
    rows = np.vstack([residuals / (size or 1.0), np.ones((1, residuals.shape[1]))])
    solution = nnls(rows, np.r_[np.zeros(len(residuals)), 1.0])[0]
    return solution / solution.sum()


@dataclass(frozen=True)
class Stack(Candidate):
    """A weighted sum of the kernels of some candidates, by a search on the rows that it is fitted to.

    `parts` holds kernels, penalties and weights; `penalty` is that of the heaviest.
    """

    candidates: tuple[Candidate, ...] = ()
    search: KernelSearch | None = None
    parts: Any = None
    penalty: float = 1.0

    @property
    def is_fixed(self) -> bool:
        """Say if the kernel is the same whatever rows it is fitted to."""
        return False

    def on(self, units: Units, rows: NDArray) -> Any:
        """Return the sum for the units at some rows, in units of the penalty of this one."""
        return self.fitted(units, rows, self.penalty).kernel

    def fitted(self, units: Units, rows: NDArray, penalty: float | None = None) -> Stack:
        """Return the stack of the units at some rows."""
        rows = np.sort(rows)
        search, part = self._within(rows), units.take(rows)
        results = [
            search.run(Candidate(candidate.on(units, rows)), units, rows) for candidate in self.candidates
        ]
        importance = np.sqrt(np.ones(len(part)) if part.weights is None else part.weights)[:, None]
        misses = [(importance * (part.targets - result.held_out)).ravel() for result in results]
        weights = stacking_weights(np.stack(misses, axis=1))
        kernels = [result.path.kernel for result in results]
        penalties = np.array([result.path.alpha for result in results])
        if penalty is None:
            penalty = float(penalties[weights.argmax()])
        kernel = weighted_sum(kernels, weights * penalty / penalties)
        parts = {"param_kernel": kernels, "param_alpha": penalties, "weight": weights}
        return replace(self, kernel=kernel, parts=parts, penalty=penalty)

    def _within(self, rows: NDArray) -> KernelSearch:
        """The search of held-out predictions among some rows: by leave-one-out, or by the folds of these."""
        assert self.search is not None
        if self.search.splits is None:
            return self.search
        sides = [[np.intersect1d(side, rows) for side in fold] for fold in self.search.splits]
        splits = [(train, test) for train, test in sides if len(train) and len(test)]
        if not np.array_equal(np.sort(np.concatenate([rows[:0], *(test for _, test in splits)])), rows):
            raise ValueError(
                "combine='stack' needs three folds or more that hold out every sample once, as KFold(3)'s do."
            )
        return replace(self.search, splits=splits, keep_held_out=True)


def weighted_sum(kernels: list[Kernel], coefficients: NDArray) -> Kernel:
    """Sum of kernels times coefficients, without those that are 0."""
    terms = [
        kernel if factor == 1 else ConstantKernel(float(factor), "fixed") * kernel
        for kernel, factor in zip(kernels, coefficients, strict=True)
        if factor > 0
    ]
    return reduce(lambda one, other: one + other, terms)


def stacking_rounds(last: Round) -> list[Round]:
    """Searches of kernels that stacking adds to a comparison: in each nested fold, and on all its rows."""
    part = last.rows[: len(last.rows) * (FOLDS - 1) // FOLDS]
    return [Round(last.n_kernels, part)] * FOLDS + [last]


def search_stack(
    search: KernelSearch,
    candidates: list[Candidate],
    units: Units,
    rounds: list[Round],
    order: NDArray,
    solver: Solver,
) -> tuple[SearchResult, dict]:
    """Compare the kernels, and stack those of the last round; its penalty is chosen by nested folds.

    Returns the stack with its held-out values, and the comparison, the stack last, as a dictionary of columns
    (`cv_results_`).
    """
    compared = compare_kernels(search, candidates, units, rounds, solver)
    rows, done = rounds[-1].rows, []
    splits = nested_folds(order) if search.splits is None else search.splits

    def run(_: int) -> None:
        stack = Stack(None, None, tuple(compared.candidates), search).fitted(units, rows)
        alphas = _FACTORS * stack.penalty if search.alphas is None else search.alphas
        nested = replace(search, splits=splits, alphas=alphas, keep_held_out=True)
        done.append(nested.run(stack, units, rows))

    with step(f"stacking {len(compared.candidates)} kernels on {len(rows):,} rows"):
        parallel_for(run, [0])  # in a pool of one, for BLAS to have one thread
    result = done[0]
    check_scores(result.rank[0], compared.finite and result.finite, f"{search.scoring}, cross-validation")
    return result, results_of([*compared.paths, result.path])
