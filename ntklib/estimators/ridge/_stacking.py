"""Stacking: a weighted sum of the fits of the kernels that were compared, in place of the best of them.

Weights are nonnegative, of sum 1, and make the squared error of held-out predictions least, of classes their
log-loss: with one set for all outputs, a constant added to the targets is added to the predictions. The
outcome is the set of fits, each at its own penalty: their weighted sum is what the held-out predictions were
a sum for. One fit of a weighted sum of the kernels is another: where penalties are small, its roughest kernel
decides, whatever its weight.

The weights have seen all targets they were made by. Scores are therefore of folds, in each of which penalties
and weights are made anew from the training rows alone, or the weights alone, which costs next to nothing. The
temperature is fitted to values of the second kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.solvers import CholeskyFactor, Solver, ridge

from .._folds import Splits
from .._kernel import cross_gram, gram, is_precomputed
from .._scoring import check_scores
from .._units import Units
from ._candidates import Candidate
from ._clipping import clipped, limits_of, target_range
from ._halving import Round
from ._kernel_search import KernelSearch, SearchResult, compare_kernels, results_of, side_by_side
from ._stacking_weights import log_loss_weights, squared_error_weights

__all__ = ["StackSearch", "check_stackable", "search_stack", "stacking_rounds"]

FOLDS = 5
"""Folds of nested scores, where none are given."""


class StackSearch(NamedTuple):
    """Searches of the kernels with the weights of their fits, and what folds held out and scored.

    `added_up` are left-out values of the searches, in each fold by weights of the others. They are of fits to
    all rows but one, and so the temperature is fitted to them.
    """

    results: list[SearchResult]
    weights: NDArray
    held_out: NDArray
    score: float
    added_up: NDArray

    @property
    def heaviest(self) -> SearchResult:
        """The search of the kernel of the largest weight."""
        return self.results[int(self.weights.argmax())]


def check_stackable(candidates: list[Candidate], search: KernelSearch) -> None:
    """Refuse what weights of held-out predictions are not known for."""
    wrong = None
    if any(is_precomputed(candidate.kernel) for candidate in candidates):
        wrong = "needs several kernels, and 'precomputed' is one"
    elif search.gcv:
        wrong = "needs held-out predictions, which cv='gcv' has not: leave cv=None, or give folds"
    elif len(search.criteria) > 1:
        wrong = "weighs the fits of all targets alike: leave alpha_per_target=False"
    if wrong is not None:
        raise ValueError(f"combine='stack' {wrong}.")


@dataclass(frozen=True)
class Stacker:
    """A way to weigh the fits of some candidates: by their held-out predictions among given rows."""

    search: KernelSearch
    candidates: list[Candidate]
    units: Units

    def fitted(self, rows: NDArray) -> tuple[list[SearchResult], NDArray]:
        """Return the search of every kernel on ascending rows, and the weights."""
        search = self._within(rows)
        results = [
            search.run(Candidate(candidate.on(self.units, rows)), self.units, rows)
            for candidate in self.candidates
        ]
        return results, self.weights(results, rows)

    def weights(self, results: list[SearchResult], rows: NDArray, among: NDArray | None = None) -> NDArray:
        """Return the weights of these searches on ascending rows, by what they held out `among` these."""
        among = rows if among is None else np.sort(among)
        part, place = self.units.take(among), np.searchsorted(rows, among)
        held_out = [result.held_out[place] for result in results]
        if part.labels is not None:
            return log_loss_weights(held_out, part.labels, part.weights, part.n_copies)
        importance = np.sqrt(np.ones(len(part)) if part.weights is None else part.weights)[:, None]
        misses = [(importance * (part.targets - values)).ravel() for values in held_out]
        return squared_error_weights(np.stack(misses, axis=1))

    def predicted(self, train: NDArray, test: NDArray) -> NDArray:
        """Return values at other rows, by all that follows from the training rows."""
        train = np.sort(train)
        part, X = self.units.take(train), self.units.X
        values = np.zeros((len(test), part.targets.shape[1]))
        for result, weight in zip(*self.fitted(train), strict=True):
            if weight > 0:
                dual, intercept = self._coefficients(result, part)
                cross = cross_gram(result.path.kernel, X[test], X[train])
                values += weight * (cross @ dual + intercept)
        return clipped(values, limits_of(target_range(part.targets)) if self.search.clip else None)

    def _coefficients(self, result: SearchResult, part: Units) -> tuple[NDArray, NDArray]:
        """Coefficients and intercepts of a fit at the penalty that its search chose."""
        if result.choice is not None:
            return result.choice.dual_coef, result.choice.intercept
        matrix, ours = gram(result.path.kernel, part.X)
        factor = CholeskyFactor(matrix, weights=part.weights, overwrite_gram=ours)
        fit = ridge(factor, part.targets, result.path.alpha, fit_intercept=self.search.fit_intercept)
        return fit.dual_coef, fit.intercept

    def _within(self, rows: NDArray) -> KernelSearch:
        """The search of held-out predictions among some rows: by leave-one-out, or by the folds of these."""
        if self.search.splits is None:
            return self.search
        sides = [[np.intersect1d(side, rows) for side in fold] for fold in self.search.splits]
        splits = [(train, test) for train, test in sides if len(train) and len(test)]
        if not np.array_equal(np.sort(np.concatenate([rows[:0], *(test for _, test in splits)])), rows):
            raise ValueError(
                "combine='stack' needs three folds or more that hold out every sample once, as KFold(3)'s do."
            )
        return replace(self.search, splits=splits, keep_held_out=True)


def nested_folds(order: NDArray) -> Splits:
    """Folds of units in a random, stratified order."""
    if len(order) < 4:
        raise ValueError(f"combine='stack' needs at least 4 different samples, got {len(order)}.")
    n_folds = min(FOLDS, len(order))
    tests = [np.sort(order[i::n_folds]) for i in range(n_folds)]
    return [(np.setdiff1d(order, test), test) for test in tests]


def stacking_rounds(last: Round, splits: Splits | None) -> list[Round]:
    """Searches that nested scores add to a comparison: in each fold; with folds, on all rows as well."""
    part = last.rows[: len(last.rows) * (FOLDS - 1) // FOLDS]
    return [Round(last.n_kernels, part)] * FOLDS + [last] * (splits is not None)


def search_stack(
    search: KernelSearch,
    candidates: list[Candidate],
    units: Units,
    rounds: list[Round],
    order: NDArray,
    solver: Solver,
    *,
    also: Callable[[SearchResult], list[SearchResult]] | None = None,
) -> tuple[StackSearch, dict[str, Any]]:
    """Compare the kernels, and weigh the fits of those of the last round on its units.

    Scores are nested. With what is to be weighed `also`, searches on the same units that the best kernel is
    handed to, they are of left-out values, in each fold by weights of the others.

    Returns the weights, with held-out values and the score of folds, and the comparison as a dictionary of
    columns (`cv_results_`).
    """
    compared = compare_kernels(search, candidates, units, rounds, solver, keep=search.splits is None)
    if also is not None:
        compared = replace(compared, results=[*compared.results, *also(compared.winner)])
    rows, stacker = rounds[-1].rows, Stacker(search, compared.candidates, units)
    folds = nested_folds(order) if search.splits is None else search.splits
    splits = [tuple(np.intersect1d(side, rows) for side in fold) for fold in folds]
    held_out, by_fold = np.empty((len(rows), units.targets.shape[1])), np.empty((len(splits), 2))
    added_up = held_out if search.splits is not None else np.empty_like(held_out)
    done: list[tuple[list[SearchResult], NDArray]] = []

    def finish(_: int) -> None:
        known = compared.results
        done.append((known, stacker.weights(known, rows)) if known else stacker.fitted(rows))

    def run(i: int) -> None:
        (train, test), known = splits[i], compared.results
        place = np.searchsorted(rows, test)
        if known:
            of_fits = np.stack([result.held_out[place] for result in known])
            added_up[place] = np.tensordot(stacker.weights(known, rows, train), of_fits, 1)
        held_out[place] = stacker.predicted(train, test) if also is None else added_up[place]
        by_fold[i] = search.criteria[0](held_out[place], test)

    with step(f"stacking {max(len(compared.results), len(compared.candidates))} fits on {len(rows):,} rows"):
        parallel_for(run, range(len(splits)), threads=side_by_side(len(splits), len(rows)))
        parallel_for(finish, [0])  # in a pool of one, for BLAS to have one thread
    # of leave-one-out, as without stacking, all values at once
    scores = np.array([search.criteria[0](held_out, rows)]) if search.splits is None else by_fold
    score = float(scores[:, 0].mean())
    check_scores(score, compared.finite and bool(np.isfinite(scores).all()), f"{search.scoring}, folds")
    stack = StackSearch(*done[0], held_out, float(search.criteria[0].reported(score)), added_up)
    return stack, results_of(compared.paths)
