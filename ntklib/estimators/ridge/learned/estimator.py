"""Learned features in the estimators that search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.kernels import Laplace
from ntklib.solvers import ConjugateGradient, Solver

from ..._folds import Splits
from ..._kernel import is_precomputed
from ..._routing import Metadata
from ..._scoring import Criterion
from ..._units import Units
from .._candidates import Candidate
from .._duration import learning_seconds
from .._kernel_search import KernelSearch, SearchResult
from .outcome import LearnedFeatures
from .search import FeatureSearch, LearnedFit, base_candidates, restricted, three_folds

__all__ = ["MOST_ROWS", "LearnsFeatures"]

MOST_ROWS = 3000  # units of the search at most
_LEAST_ROWS = 100  # units below which "auto" learns nothing: folds say little of them
_MOST_COLUMNS = 2000  # beyond which "auto" learns nothing: gradients cost their number
_MOST_FOLDS = 20  # beyond which "auto" learns nothing


class LearnsFeatures:
    """Mixin of the searches: scales of the columns, chosen on folds."""

    learn_features: Any
    kernels: Any
    alpha_per_target: Any = False
    store_held_out: Any
    _splits_samples: Any
    _copies: Any
    _kernels: Any
    fit_intercept: Any
    _default_scoring: str
    learned_features_: LearnedFeatures | None

    def _learn(
        self,
        search: KernelSearch,
        units: Units,
        order: NDArray,
        splits: Splits | None,
        metadata: Metadata,
        winner: SearchResult,
        solver: Solver,
    ) -> SearchResult | None:
        """Learn scales as `learn_features` says, and return the result with them if they are kept.

        `order` are the units that kernels were compared on, at random, and `winner` is the best kernel there.
        The penalty is that of the folds, unless twice as many units or more are to be fitted as took part:
        then the others, which the scales have not seen, judge it anew by leave-one-out on all.
        """
        self.learned_features_ = None
        features = self._feature_search(search, units, order, splits, metadata)
        if features is None:
            return None
        always = self.learn_features == "diagonal"
        choice = features.run(base_candidates(self.kernels), winner.candidate, always=always)
        if choice is not None:
            self.learned_features_ = choice.outcome
        if choice is None or choice.fit is None:
            return None
        result, rows = _result_of(choice.fit, features.rows), features.rows
        if splits is not None or 2 * len(rows) > len(units) or isinstance(solver, ConjugateGradient):
            return result
        return _searched_on_all(search, result, units, features.scoring, solver)

    def _learn_each(
        self, search: KernelSearch, units: Units, order: NDArray, metadata: Metadata, winner: SearchResult
    ) -> list[SearchResult]:
        """Learn scales for each kernel, and return the fits of all rounds, which may be added to a sum."""
        self.learned_features_ = None
        features = self._feature_search(search, units, order, None, metadata)
        if features is None:
            return []
        candidates = base_candidates(self.kernels)
        self.learned_features_, fits = features.each(candidates, winner.candidate)
        return [_result_of(fit, features.rows) for fit in fits]

    def _feature_search(
        self,
        search: KernelSearch,
        units: Units,
        order: NDArray,
        splits: Splits | None,
        metadata: Metadata,
    ) -> FeatureSearch | None:
        """The search for scales as `learn_features` says, if it says any."""
        if self.learn_features is None:
            return None
        rows = np.sort(order[:MOST_ROWS])
        order = np.searchsorted(rows, order[:MOST_ROWS])
        labels = None if units.labels is None else units.labels[rows]
        parts = three_folds(order, labels) if splits is None else restricted(splits, rows)
        if self._is_hindered(units, len(rows), parts):
            return None
        taken, groups = units.take(rows), metadata.split.get("groups")
        groups = None if groups is None else np.asarray(groups)[taken.support]
        # where equal samples were not merged they count once all the same, and folds hold them out together
        copies = self._copies(taken, self._kernels())
        n_different = len(np.unique(copies))
        if n_different < len(rows) and splits is None:
            parts, groups = three_folds(order, labels, copies), copies
        if self._is_hindered(units, n_different if splits is None else len(rows), parts):
            return None
        if n_different < _LEAST_ROWS and self.learn_features == "auto":
            return None
        return FeatureSearch(
            units=taken,
            rows=rows,
            order=order,
            splits=parts,
            groups=groups,
            criterion=search.criteria[0],
            scoring=self._default_scoring if search.gcv else search.scoring,
            penalties=search.grid,
            fit_intercept=self.fit_intercept,
            clip=search.clip,
        )

    def _is_hindered(self, units: Units, n_rows: int, splits: Splits) -> bool:
        """Say if features cannot be learned, by an error where they are to be in any case."""
        reason = self._hindrance(units, n_rows, splits)
        if reason and self.learn_features == "diagonal":
            raise ValueError(f"learn_features='diagonal' {reason}, or leave learn_features=None.")
        return bool(reason)

    def _learning_seconds(self, units: Units, n_rows: int, splits: Splits | None) -> float:
        """Seconds that learning takes, about; 0 where it is left."""
        n_rows, folds = min(n_rows, MOST_ROWS), splits or three_folds(np.arange(3), None)
        if self.learn_features is None or self._hindrance(units, n_rows, folds):
            return 0.0
        kernels = [one.kernel or Laplace() for one in base_candidates(self.kernels)]
        return learning_seconds(kernels, units, n_rows, len(folds))

    def _hindrance(self, units: Units, n_rows: int, splits: Splits) -> str:
        """Say what keeps features from being learned, and what to do; nothing if empty."""
        automatic, d = self.learn_features == "auto", units.X.shape[1]
        if is_precomputed(self.kernels):
            return "needs rows, and kernels='precomputed' has kernel values only: give kernel objects"
        if self.alpha_per_target:
            return "chooses one penalty for all targets: leave alpha_per_target=False"
        if self.store_held_out and n_rows < len(units) and self._splits_samples:
            return f"has folds of {n_rows:,} rows at most: leave store_held_out=False, or cv=None"
        if not splits or n_rows < 3:
            return "needs folds with 2 training rows and 1 held-out row at least: give more rows"
        few = n_rows < _LEAST_ROWS or d < 2
        if automatic and (self.kernels is not None or few or d > _MOST_COLUMNS or len(splits) > _MOST_FOLDS):
            return "is left to whoever asks for it"
        return ""


def _result_of(fit: LearnedFit, rows: NDArray) -> SearchResult:
    """A fit with learned scales as the result of a search on the units at `rows`."""
    candidate, finite = Candidate(fit.path.kernel), bool(np.isfinite(fit.rank).all())
    return SearchResult(candidate, fit.path, fit.rank, finite, None, fit.held_out, learned=rows)


def _searched_on_all(
    search: KernelSearch, result: SearchResult, units: Units, scoring: str, solver: Solver
) -> SearchResult:
    """Search the penalty on all units, by those that the scales were not learned on."""
    assert result.learned is not None
    rest = np.setdiff1d(np.arange(len(units)), result.learned)
    criterion = search.criteria[0]

    def judge(values: NDArray, rows: NDArray) -> tuple[float, float]:
        return criterion(values[rest], rows[rest])

    by_rest = replace(search, criteria=(Criterion(judge, criterion.exponent),), scoring=scoring, gcv=False)
    on_all = by_rest.run_on_all(result.candidate, units, solver)
    assert on_all.choice is not None
    held_out, left_out = on_all.held_out.copy(), on_all.choice.left_out.copy()
    held_out[result.learned] = result.held_out
    left_out[result.learned] = np.nan  # by scales that have seen their labels
    return replace(
        on_all,
        choice=replace(on_all.choice, left_out=left_out),
        path=replace(on_all.path, n_samples=len(rest)),
        held_out=held_out,
        learned=result.learned,
    )
