"""The base of the estimators that choose among kernels and penalties."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import check_random_state

from ntklib._core.naming import describe_choice
from ntklib._core.threads import single_threaded
from ntklib._core.validation import check_option
from ntklib.solvers import Cholesky, ConjugateGradient, Nystrom, Solver

from .._folds import Splits, check_folds, folds
from .._forecast import announce
from .._parameters import penalties_of
from .._routing import Metadata, RoutingMixin
from .._scoring import Criterion, refuses_weights
from .._units import Units
from ..defaults import REGRESSION_GRID, Grid
from ._candidates import Candidate, candidates_of, given_kernels, settled
from ._clipping import clipped, left_out_limits
from ._duration import search_seconds
from ._estimator import RidgeEstimator, centre_support
from ._halving import comparison_rounds
from ._kernel_search import KernelSearch, SearchResult, search_kernels
from ._many_rows import check_blockwise
from ._stacking import StackSearch, check_stackable, search_stack, stacking_rounds
from .learned import LearnsFeatures

LEAST_STACKED, MOST_STACKED = 100, 1000
"""Units from which on, and below which, ``combine="auto"`` adds up fits: of fewer, weights are mostly noise;
of more, kernels are halved."""


class RidgeSearch(LearnsFeatures, RoutingMixin, RidgeEstimator):
    """Kernel ridge regressions at the kernel and penalty that are best on held-out samples."""

    kernels: Any
    alphas: Any
    max_search_samples: Any
    halving: Any
    store_held_out: Any
    random_state: Any
    combine: Any
    stack_: dict[str, Any]
    clip: Any = False
    _default_scoring: str
    _grid: Grid = REGRESSION_GRID

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose kernel and penalty, and fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernels="precomputed"``.
        y : array-like of shape (n,) or (n, n_targets)
            Targets, which share the penalty unless `alpha_per_target` is set; class labels, of shape (n,), in
            classification.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts: weight 2 is the
            sample twice. Others are importances of single samples.
        **params : dict
            ``groups``, for a splitter by groups. With scikit-learn's metadata routing, all that the splitter
            and the scorer ask for.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes or hold one class only, a parameter or
            weight is out of its range, or fewer than two different samples are left.
        """
        with self._fitting():
            check_folds(self.cv, (None, "gcv"))
            candidates = candidates_of(self.kernels, self._grid)
            X, y, units = self._samples(X, y, sample_weight)
            candidates = settled(candidates, units.X)
            metadata, splits = self._route(X, sample_weight, params), None
            if self._splits_samples:
                splits = folds(self.cv, X, y, units, metadata, classifier=is_classifier(self))
            elif not (metadata.score or self.store_held_out or refuses_weights(self.scoring)):
                units = self._merged(units, [candidate.kernel for candidate in candidates])
            result, rows, solver = self._search(candidates, units, metadata, splits)
            held_out = single_threaded(self._fit_chosen, units, rows, result, solver)
            self._keep_held_out(X, units, held_out)
            self._shape_fit()
        return self

    def _fit_chosen(self, units: Units, rows: NDArray, result: SearchResult, solver: Solver) -> NDArray:
        """Fit all units as the search has chosen on those at `rows`; return held-out values."""
        choice, penalties = result.choice, np.full(units.targets.shape[1], self.alpha_)
        if result.added_up is not None:
            self._fit_stack(units, solver)
            self._use_left_out(units.take(rows) if is_classifier(self) else units, result.added_up)
        elif result.learned is not None and choice is None:
            return self._fit_learned(units, penalties, result.held_out, result.learned, solver)
        elif choice is None:
            self._fit_at(units, penalties, solver)
        elif len(choice.left_out) < len(units):
            self._fit_units(units, choice.penalties, solver)
            self._use_left_out(units.take(rows) if is_classifier(self) else units, choice.left_out)
        else:
            if choice.model is not None:
                self._store_centres(centre_support(units, choice.model), choice.model, choice.penalties)
            else:
                self._store(units, choice.dual_coef, choice.intercept, choice.penalties, choice.solutions)
            self._use_left_out(units, choice.left_out)
        return result.held_out

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Write the parameters, and after them, as a comment, what a fit has chosen."""
        text = super().__repr__(N_CHAR_MAX)
        chosen = " + ".join(describe_choice(self)) if hasattr(self, "alpha_") else ""
        return f"{text}  # chosen: {chosen}" if chosen else text

    def _outcome(self) -> str:
        score = np.array2string(np.asarray(self.best_score_), precision=4)
        learned = f"; {self.learned_features_.words}" if self.learned_features_ else ""
        return f"{' + '.join(describe_choice(self))}, held-out score {score}{learned}; {super()._outcome()}"

    def _solver(self, units: Units) -> Solver:
        """The solver for these units, on which decompositions are made."""
        exact = self._needs_matrix or self._splits_samples
        return self._resolved(units, search=True, exact=exact)

    def _kernels(self) -> list:
        return given_kernels(self.kernels)

    @property
    def _splits_samples(self) -> bool:
        return self.cv is not None and not isinstance(self.cv, str)

    def _criteria(self, units: Units, metadata: Metadata) -> tuple[Criterion, ...]:
        """Criteria to choose by: one for all outputs, or one each for outputs with penalties of their own."""
        return (self._criterion(self.scoring, units, metadata),)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_option(self.combine, "combine", ("auto", "best", "stack"))

    def _stacks(self, units: Units, kernels: list, rows: NDArray, solver: Solver) -> bool:
        """Say if fits are added up, of kernels compared on the units at `rows`."""
        if self.combine != "auto":
            return self.combine == "stack"
        plain = self.kernels is None and self.cv is None and self.learn_features != "diagonal"
        whole = len(rows) == len(units) and isinstance(solver, Cholesky)
        if not (plain and whole) or self.alpha_per_target:
            return False
        # where equal samples were not merged they count once all the same
        return LEAST_STACKED <= len(self._merged(units, kernels)) < MOST_STACKED

    def _search(
        self,
        candidates: list[Candidate],
        units: Units,
        metadata: Metadata,
        splits: Splits | None,
        solver: Solver | None = None,
    ) -> tuple[SearchResult, NDArray, Solver]:
        """Search, store the choice, and return it with the units kernels were compared on and the solver.

        None is the solver of the units.
        """
        criteria = self._criteria(units, metadata)
        gcv, scoring = isinstance(self.cv, str), self.scoring
        if gcv and scoring is not None:
            raise ValueError("cv='gcv' is its own criterion: leave scoring=None.")
        scoring = self._default_scoring if scoring is None else scoring
        keep = bool(self.store_held_out)
        if keep and splits is not None:
            times = np.bincount(np.concatenate([test for _, test in splits]), minlength=len(units))
            if (times != 1).any():
                raise ValueError(
                    "store_held_out=True needs folds that hold out every sample once, as KFold's do; these "
                    f"hold out some sample {times[times != 1][0]} times: leave it False, or give another cv."
                )
        search = KernelSearch(
            criteria=criteria,
            scoring="negative GCV" if gcv else scoring if isinstance(scoring, str) else "score",
            fit_intercept=self.fit_intercept,
            alphas=None if self.alphas is None else np.atleast_1d(penalties_of(self.alphas, "alphas")),
            splits=splits,
            gcv=gcv,
            clip=bool(self.clip),
            keep_held_out=keep,
        )
        order = search_order(len(units), self.random_state, units.labels)[: self.max_search_samples]
        kernels = [candidate.kernel for candidate in candidates]
        rounds = comparison_rounds(len(kernels), order, splits, halving=self.halving)
        rows = rounds[-1].rows
        solver = self._solver(units) if solver is None else solver
        if search.alphas is not None:
            self._check_penalties(search.alphas, solver)
        stacks = self._stacks(units, kernels, rows, solver)
        nested = stacks and self.combine == "stack"
        if stacks:
            check_stackable(candidates, search)
            if self.learn_features == "diagonal":
                raise ValueError(
                    "learn_features='diagonal' is for one kernel: leave combine='best', or "
                    "learn_features=None."
                )
            self.learned_features_ = None
        if not isinstance(solver, Cholesky):
            for kernel in kernels:
                check_blockwise(kernel, units.X.shape[1], solver)
        if stacks and keep and len(rows) < len(units):
            raise ValueError(
                "store_held_out=True with combine='stack' needs all rows in the comparison: give a larger "
                "max_search_samples."
            )
        if isinstance(solver, Nystrom) and keep and splits is not None and len(rows) < len(units):
            raise ValueError(
                "store_held_out=True needs folds on all rows: give solver='cholesky', or leave cv=None."
            )
        if isinstance(solver, ConjugateGradient) and keep:
            raise ValueError(
                "store_held_out=True needs leave-one-out on all rows, which the solver ConjugateGradient has "
                "not: give solver='nystrom'."
            )
        passes = [*stacking_rounds(rounds[-1], splits), *rounds] if nested else rounds
        if not getattr(units.X, "elsewhere", False):  # other machines have other speeds
            announce(
                f"{len(kernels)} kernels on at most {len(rows):,} rows, the best on {len(units):,}",
                lambda: (
                    search_seconds(kernels, units, passes, solver)
                    + (0.0 if nested else self._learning_seconds(units, len(rows), splits))
                ),
            )
        self.__dict__.pop("stack_", None)
        if stacks:

            def also(winner: SearchResult) -> list[SearchResult]:
                return self._learn_each(search, units, order, metadata, winner)

            stack, self.cv_results_ = search_stack(
                search, candidates, units, rounds, order, solver, also=None if nested else also
            )
            result = self._describe_sum(stack)
        else:
            result, self.cv_results_ = search_kernels(
                search,
                candidates,
                units,
                rounds,
                solver,
                instead=lambda winner: self._learn(search, units, order, splits, metadata, winner, solver),
            )
        path = self.loo_path_ = result.path
        self.kernel_, self.alpha_, self.best_score_ = path.kernel, path.alpha, path.best_score
        if stacks:
            self.best_score_ = stack.score
        return result, rows, solver

    def _describe_sum(self, stack: StackSearch) -> SearchResult:
        """Store what is added up, and return it as the result of the heaviest."""
        if self.learned_features_ is not None:
            scaled = [one.learned is not None for one in stack.results]
            kept = bool(stack.weights[scaled].any())
            self.learned_features_ = replace(self.learned_features_, kept=kept)
        paths = [one.path for one in stack.results]
        self.stack_ = {
            "param_kernel": [path.kernel for path in paths],
            "param_alpha": np.array([path.alpha for path in paths]),
            "weight": stack.weights,
        }
        return replace(stack.heaviest, held_out=stack.held_out, added_up=stack.added_up)

    def _fit_learned(
        self, units: Units, penalties: NDArray, held_out: NDArray, rows: NDArray, solver: Solver
    ) -> NDArray:
        """Fit all units at learned scales; complete held-out values, where they are to be kept.

        Units that the scales were not learned on have seen none of them: these are left out one by one.
        """
        rest = bool(self.store_held_out) and len(rows) < len(units)
        left_out = self._fit_units(units, penalties, solver, left_out=rest)
        self._use_left_out(units.take(rows) if is_classifier(self) else units, held_out)
        if left_out is None:
            return held_out
        values = clipped(left_out, left_out_limits(units) if self.clip else None)
        values[rows] = held_out
        return values

    def _fit_stack(self, units: Units, solver: Solver) -> None:
        """Fit all kernels of positive weight; the heaviest last, whose fit the attributes describe."""
        kernels, penalties, weights = self.stack_.values()
        parts: list[tuple] = []
        for k in sorted(np.flatnonzero(weights), key=lambda k: (weights[k], -k)):
            self.kernel_ = kernels[k]
            self._fit_units(units, np.full(units.targets.shape[1], penalties[k]), solver)
            if parts and self._centres is None:
                self.X_fit_ = parts[0][2]  # the same rows
            self._scale_fit(units)
            parts.append(tuple(self._part(float(weights[k]))))
        self._parts = parts

    def _keep_held_out(self, X: Any, units: Units, held_out: NDArray) -> None:
        """Set `held_out_predictions_`: a sample of weight 0 is held out by the fit itself."""
        self.__dict__.pop("held_out_predictions_", None)
        if not self.store_held_out:
            return
        values = np.empty((X.shape[0], held_out.shape[1]))
        values[units.support] = held_out
        absent = np.setdiff1d(np.arange(len(values)), units.support)
        if len(absent):
            rows = X[absent] if self._precomputed else self._view(X).take(absent)
            values[absent] = self._clipped(self._expand(self._fitted_columns(rows)))
        single = values.shape[1] == 1 and (is_classifier(self) or self._single)
        self.held_out_predictions_ = values[:, 0] if single else values


def search_order(n: int, random_state: Any, strata: NDArray | None = None) -> NDArray:
    """All units in an order whose every beginning is a draw at random without replacement.

    Each stratum keeps its share in every beginning, and one unit at least as soon as there are as many units
    as strata.
    """
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    shuffled = rng.permutation(n)
    if strata is None:
        return shuffled
    place = np.empty(n)
    for label in np.unique(strata):
        members = shuffled[strata[shuffled] == label]
        place[members] = np.arange(len(members)) / len(members)
    return shuffled[np.argsort(place[shuffled], kind="stable")]
