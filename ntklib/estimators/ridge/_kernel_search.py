r"""The search for a kernel and a penalty.

For each kernel one factorisation of the weighted Gram gives every penalty's leave-one-out predictions.
Kernels are compared on at most `max_search_samples` units, in rounds on more and more of them; then the
winner's penalty is searched again on all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import working_memory
from ntklib._core.exponents import scaled_back
from ntklib._core.progress import step
from ntklib._core.threads import get_threads, parallel_for
from ntklib.solvers import ConjugateGradient, Nystrom, RidgeFit, Solver, path_factor, ridge, ridge_path
from ntklib.solvers.nystrom import CentreModel, CentreSums

from .._folds import Splits
from .._kernel import cross_gram, gram
from .._scoring import Criterion, check_scores, comparable, ranking
from .._units import Units
from ..defaults import default_penalties
from ._candidates import Candidate
from ._clipping import clipped, left_out_limits, limits_of, target_range
from ._halving import Round, survivors
from ._many_rows import sum_units
from .penalty_path import PenaltyPath

_COPIES = 5  # n x n arrays alive at once in the search of one kernel, at most
_SIDE_BY_SIDE = 2000  # units above which a factorisation makes good use of all threads


@dataclass(frozen=True)
class BestFits:
    """The best fits: penalties (k,), coefficients and left-out values by output; records of their solves.

    `model` is the fit on centres, where it is one.
    """

    penalties: NDArray
    dual_coef: NDArray
    intercept: NDArray
    left_out: NDArray
    solutions: list[Any] = field(default_factory=list)
    model: CentreModel | None = None


@dataclass(frozen=True)
class SearchResult:
    """A candidate's path, the pair its best is ranked by, if all scores are `finite`, and the choice.

    The choice is None if it was made by folds; `held_out` are the values of left-out samples. Where scales of
    the columns were learned, `learned` are the places of the units that took part, and the values are theirs
    if the choice is None. Of a sum of fits `added_up` are the values that the temperature is fitted to.
    """

    candidate: Candidate
    path: PenaltyPath
    rank: tuple[float, float]
    finite: bool
    choice: BestFits | None
    held_out: NDArray
    learned: NDArray | None = None
    added_up: NDArray | None = None


@dataclass(frozen=True)
class KernelSearch:
    """A way to hold out predictions and judge them, by one criterion for all outputs or one for each."""

    criteria: tuple[Criterion, ...]
    scoring: str
    fit_intercept: bool
    alphas: NDArray | None = None
    splits: Splits | None = None
    gcv: bool = False
    clip: bool = False
    keep_held_out: bool = False

    @property
    def method(self) -> str:
        """Name of the way predictions are held out."""
        return "cross-validation" if self.splits is not None else "gcv" if self.gcv else "leave-one-out"

    def run(
        self, candidate: Candidate, units: Units, rows: NDArray, solver: Solver | None = None
    ) -> SearchResult:
        """Search the penalties for one kernel on the units at `rows`: exactly, or as a solver solves."""
        kernel = candidate.kernel
        part = units if len(rows) == len(units) else units.take(rows)
        if len(part) < 2:
            raise ValueError("choosing a penalty needs at least 2 different samples, got n_samples = 1.")
        limits = left_out_limits(part) if self.clip and self.splits is None else None
        if isinstance(solver, Nystrom) and self.splits is None:
            sums = sum_units(kernel, part, solver, fit_intercept=self.fit_intercept)
            alphas = self.grid(sums.scale)
            ranks, best = self._from_centres(sums, part, rows, alphas, limits, refine=solver.refine)
            return self._result(candidate, part, alphas, ranks, best, clipped(best.left_out, limits))
        matrix, ours = gram(kernel, part.X)
        alphas = self.grid(float(np.average(matrix.diagonal(), weights=part.weights)))
        if self.splits is None:
            factor = path_factor(matrix, weights=part.weights, overwrite_gram=ours)
            fits = ridge_path(
                factor, part.targets, alphas, fit_intercept=self.fit_intercept, counts=part.counts
            )
            ranks, choice = self._from_path(fits, part, rows, limits)
            held_out = clipped(choice.left_out, limits)
            for penalty in np.unique(choice.penalties):  # the path keeps no records of its solves
                columns = part.targets[:, choice.penalties == penalty]
                fit = ridge(factor, columns, penalty, fit_intercept=self.fit_intercept)
                choice.solutions.append(fit.solution)
        else:
            ranks, held_out = self._from_splits(candidate, matrix, units, rows, alphas)
            choice = None
        return self._result(candidate, part, alphas, ranks, choice, held_out)

    def run_on_all(self, candidate: Candidate, units: Units, solver: Solver) -> SearchResult:
        """Search the penalties for one kernel on all units, as a solver solves."""
        final: list[SearchResult] = []
        with step(f"best kernel on {len(units):,} rows"):  # in a pool of one, for BLAS to have one thread
            parallel_for(
                lambda rows: final.append(self.run(candidate, units, rows, solver)), [np.arange(len(units))]
            )
        return final[0]

    def grid(self, scale: float) -> NDArray:
        """Penalties, the largest first, for a Gram matrix of this mean diagonal."""
        return np.sort(default_penalties(scale) if self.alphas is None else self.alphas)[::-1]

    def _result(
        self,
        candidate: Candidate,
        part: Units,
        alphas: NDArray,
        ranks: NDArray,
        choice: BestFits | None,
        held_out: NDArray,
    ) -> SearchResult:
        """The best of the ranks (p, n_criteria, 2), and all of them as a path."""
        order = comparable(ranks)
        best = best_places(order)
        shared = len(best) == 1
        scores = np.stack([one.reported(ranks[:, j, 0]) for j, one in enumerate(self.criteria)], axis=1)
        top = scores[best, range(len(best))]
        path = PenaltyPath(
            alphas=alphas,
            scores=scores.mean(axis=1),
            alpha=float(alphas[best[0]]) if shared else alphas[best],
            best_score=float(top[0]) if shared else top,
            method=self.method,
            scoring=self.scoring,
            kernel=candidate.kernel,
            n_samples=len(part),
            target_scores=None if shared else scores,
        )
        if held_out.ndim == 3:
            held_out = held_out[best[0]]
        return SearchResult(
            candidate,
            path,
            self._overall(order[best, range(len(best))]),
            bool(np.isfinite(ranks).all()),
            choice,
            held_out,
        )

    def _overall(self, ranks: NDArray) -> tuple[float, float]:
        """Mean over the criteria of their best ranks, (n_criteria, 2), in the largest of their units."""
        exponents = np.array([one.exponent for one in self.criteria])
        score, tie = scaled_back(ranks, (exponents - exponents.max())[:, None]).mean(axis=0)
        return float(score), float(tie)

    def _from_path(
        self, fits: Iterable[RidgeFit], part: Units, rows: NDArray, limits: NDArray | None
    ) -> tuple[NDArray, BestFits]:
        """Ranks, (p, n_criteria, 2), and the best fit of each criterion's outputs."""
        k, shared = part.targets.shape[1], len(self.criteria) == 1
        ranks: list[list[tuple[float, float]]] = []
        kept: list[Any] = [None] * len(self.criteria)
        best = [(-np.inf, -np.inf)] * len(self.criteria)
        for fit in fits:
            assert fit.loo_prediction is not None
            held_out, of_fit = clipped(fit.loo_prediction, limits), []
            for j, criterion in enumerate(self.criteria):
                columns = slice(0, k) if shared else slice(j, j + 1)
                if self.gcv:
                    judged = self._gcv(fit, part, columns, criterion.exponent // 2)
                else:
                    judged = criterion(held_out[:, columns], rows)
                rank = tuple(comparable(judged))
                if not ranks or rank > best[j]:
                    own = fit.dual_coef, fit.intercept[None], fit.loo_prediction
                    penalties = np.full(part.targets[:1, columns].shape, fit.penalty)
                    kept[j], best[j] = [penalties, *(values[:, columns].copy() for values in own)], rank
                of_fit.append(judged)
            ranks.append(of_fit)
        penalties, dual, intercept, left_out = (np.hstack(parts) for parts in zip(*kept, strict=True))
        return np.array(ranks), BestFits(penalties[0], dual, intercept[0], left_out)

    def _from_centres(
        self,
        sums: CentreSums,
        part: Units,
        rows: NDArray,
        alphas: NDArray,
        limits: NDArray | None,
        *,
        refine: bool,
    ) -> tuple[NDArray, BestFits]:
        """Ranks, (p, n_criteria, 2), and the best fit on centres."""
        k, n_criteria = part.targets.shape[1], len(self.criteria)
        columns = [slice(0, k)] if n_criteria == 1 else [slice(j, j + 1) for j in range(k)]
        held_out = np.empty(0) if self.gcv else sums.held_out(alphas)
        ranks = np.empty((len(alphas), n_criteria, 2))
        for i, alpha in enumerate(alphas):
            values = held_out if self.gcv else clipped(held_out[:, :, i], limits)
            for j, criterion in enumerate(self.criteria):
                if self.gcv:
                    ranks[i, j] = sums.gcv(float(alpha), columns[j], criterion.exponent // 2), 0.0
                else:
                    ranks[i, j] = criterion(values[:, columns[j]], rows)
        penalties = np.empty(k)
        for at, best in zip(columns, best_places(comparable(ranks)), strict=True):
            penalties[at] = alphas[best]
        model = sums.fit(penalties, refine=refine)
        if self.gcv:
            left_out = sums.left_out(penalties)
        else:
            place = np.array([np.flatnonzero(alphas == penalty)[0] for penalty in penalties])
            left_out = held_out[:, np.arange(k), place]
        choice = BestFits(penalties, model.dual_coef, model.intercept, left_out, model.solutions, model)
        return ranks, choice

    def _gcv(self, fit: RidgeFit, part: Units, columns: slice, exponent: int) -> tuple[float, float]:
        """-(sum_i w_i r_i^2 / sum_i w_i) / (1 - df/N)^2, N the sum of the counts, averaged over some outputs.

        df/N is the mean over all copies of H_ii/k_i, which leave-one-out takes one by one. In units of
        2^(2 exponent).
        """
        weights = np.ones(len(part)) if part.weights is None else part.weights
        assert fit.degrees_of_freedom is not None
        assert fit.residual is not None
        share = 1 - fit.degrees_of_freedom / part.n_copies
        if share <= 1e-12:  # 0 but for rounding: the fit has as many parameters as samples
            return -np.inf, 0.0
        residual = np.ldexp(fit.residual[:, columns], -exponent)
        loss = float((weights @ np.square(residual)).mean() / weights.sum())
        return -loss / share**2, 0.0

    def _from_splits(
        self, candidate: Candidate, matrix: NDArray, units: Units, rows: NDArray, alphas: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Mean of the criterion over the folds, weighted equally as the folds are, and what they left out."""
        assert self.splits is not None
        part = units if len(rows) == len(units) else units.take(rows)
        place = np.full(int(rows.max()) + 1, -1)
        place[rows] = np.arange(len(rows))
        totals = np.zeros((len(alphas), 1, 2))
        kept = np.empty((len(alphas), *part.targets.shape)) if self.keep_held_out else np.empty(0)
        for fold in self.splits:
            train, test = (place[side[side < len(place)]] for side in fold)
            train, test = train[train >= 0], test[test >= 0]
            if len(train) == 0 or len(test) == 0:
                raise ValueError("a fold of cv has no training or no test samples left among those searched.")
            weights = None if part.weights is None else part.weights[train]
            if candidate.is_fixed:
                inner, cross = matrix[np.ix_(train, train)], matrix[np.ix_(test, train)]
            else:
                fitted, kernel = part.X[train], candidate.on(units, rows[train])
                inner, cross = gram(kernel, fitted)[0], cross_gram(kernel, part.X[test], fitted)
            factor = path_factor(inner, weights=weights, overwrite_gram=True)
            limits = limits_of(target_range(part.targets[train])) if self.clip else None
            path = ridge_path(factor, part.targets[train], alphas, fit_intercept=self.fit_intercept)
            for i, fit in enumerate(path):
                values = clipped(cross @ fit.dual_coef + fit.intercept, limits)
                totals[i, 0] += self.criteria[0](values, rows[test])
                if self.keep_held_out:
                    kept[i, test] = values
        return totals / len(self.splits), kept


def best_places(ranks: NDArray) -> list[int]:
    """Place of the best of comparable ranks (p, n_criteria, 2) by each criterion, the first of equal ones."""
    p, n_criteria, _ = ranks.shape
    return [max(range(p), key=lambda i: (*ranks[i, j], -i)) for j in range(n_criteria)]


@dataclass(frozen=True)
class Comparison:
    """Candidates and best result of the last round, and all its results where they were to be kept.

    `paths` are of all rounds; `finite` says if all scores are.
    """

    candidates: list[Candidate]
    results: list[SearchResult]
    winner: SearchResult
    paths: list[PenaltyPath]
    finite: bool


def compare_kernels(
    search: KernelSearch,
    candidates: list[Candidate],
    units: Units,
    rounds: list[Round],
    solver: Solver,
    *,
    keep: bool = False,
) -> Comparison:
    """Compare the kernels round by round, and `keep` all results of the last.

    Only kernels of the last round can win, by their scores in it. Comparisons are exact, unless all units are
    compared on and the solver is not.
    """
    paths: list[PenaltyPath] = []
    results: list[SearchResult] = []
    finite = True
    for this, following in zip(rounds, [*rounds[1:], None], strict=True):
        exact = len(this.rows) < len(units) or isinstance(solver, ConjugateGradient)
        kept = results if keep and following is None else None
        outcomes, winner = _compare(search, candidates, units, this.rows, None if exact else solver, kept)
        paths += [outcome.path for outcome in outcomes]
        finite = finite and all(outcome.finite for outcome in outcomes)
        if following is not None:
            ranks = [outcome.rank for outcome in outcomes]
            candidates = [candidates[i] for i in survivors(ranks, following.n_kernels)]
    return Comparison(candidates, results, winner, paths, finite)


def search_kernels(
    search: KernelSearch,
    candidates: list[Candidate],
    units: Units,
    rounds: list[Round],
    solver: Solver,
    instead: Callable[[SearchResult], SearchResult | None],
) -> tuple[SearchResult, dict]:
    """Compare the kernels, then search the winner's penalty on all units, as the solver solves.

    `ConjugateGradient`, and `Nystrom` with folds, keep the penalty of the comparison. A winner that has
    another result `instead` gives way to it.

    Returns the winner on all units, and the comparison as a dictionary of columns (`cv_results_`).
    """
    compared = compare_kernels(search, candidates, units, rounds, solver)
    winner = compared.winner
    by_folds = isinstance(solver, Nystrom) and search.splits is not None
    if (other := instead(winner)) is not None:
        winner = other
    elif len(rounds[-1].rows) < len(units) and not by_folds and not isinstance(solver, ConjugateGradient):
        winner = search.run_on_all(winner.candidate, units, solver)
    check_scores(winner.rank[0], compared.finite and winner.finite, f"{search.scoring}, {search.method}")
    return winner, results_of(compared.paths)


class _Outcome(NamedTuple):
    """A kernel's path, the pair it is ranked by, and if all its scores are finite."""

    path: PenaltyPath
    rank: tuple[float, float]
    finite: bool


def _compare(
    search: KernelSearch,
    candidates: list[Candidate],
    units: Units,
    rows: NDArray,
    solver: Solver | None,
    kept: list[SearchResult] | None,
) -> tuple[list[_Outcome], SearchResult]:
    """Outcomes of the search of each kernel's penalty on the units at `rows`, and the best result.

    BLAS has one thread throughout, for the same bytes at any number.
    """
    n = len(candidates)
    outcomes: list[Any] = [None] * n
    results: list[Any] = [None] * n
    best: list[tuple[tuple[float, float], int, SearchResult]] = []
    lock = Lock()

    def run(i: int) -> None:
        with step(f"kernel {i + 1} of {n}"):
            one = search.run(candidates[i], units, rows, solver)
        gauge.advance()
        if kept is not None:
            results[i] = one
        with lock:  # keep one fit only, if not asked for more: each holds the left-out values of all units
            outcomes[i] = _Outcome(one.path, one.rank, one.finite)
            best[:] = [max([*best, (one.rank, -i, one)], key=lambda entry: entry[:2])]

    with step(f"comparing kernels on {len(rows):,} rows", n) as gauge:
        parallel_for(run, range(n), threads=side_by_side(n, len(rows)))
    if kept is not None:
        kept[:] = results
    return outcomes, best[0][2]


def side_by_side(n: int, n_rows: int) -> int:
    """Threads that share out n searches on so many units, as far as `working_memory` allows.

    Beyond `_SIDE_BY_SIDE` units they take turns, and the factorisation of each has all threads.
    """
    fit = working_memory() // (_COPIES * 8 * n_rows**2) if n_rows <= _SIDE_BY_SIDE else 1
    return max(min(get_threads(), n, fit), 1)


def results_of(paths: list[PenaltyPath]) -> dict[str, NDArray]:
    """The comparison of kernels as a dictionary of columns; scores on fewer units rank behind."""
    sizes = [len(path.alphas) for path in paths]
    scores = np.concatenate([path.scores for path in paths])
    n_samples = np.repeat([path.n_samples for path in paths], sizes)
    ranks = np.empty(len(scores), dtype=np.intp)
    for n in np.unique(n_samples):
        ranks[n_samples == n] = (n_samples > n).sum() + ranking(scores[n_samples == n])
    kernels = np.empty(len(paths), dtype=object)
    kernels[:] = [path.kernel for path in paths]
    by_target = [path.target_scores for path in paths if path.target_scores is not None]
    targets: Any = np.concatenate(by_target).T if by_target else []
    return {
        "n_samples": n_samples,
        "param_kernel": np.repeat(kernels, sizes),
        "param_alpha": np.concatenate([path.alphas for path in paths]),
        **{f"target{j}_test_score": column for j, column in enumerate(targets)},
        "mean_test_score": scores,
        "rank_test_score": ranks,
    }
