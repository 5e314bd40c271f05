"""The part of the search that is the same for regression and classification: parameters, splits, results."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from ntklib.estimators._kernel import is_precomputed
from ntklib.estimators._model import KernelModel
from ntklib.estimators._routing import Routed, Router
from ntklib.estimators._scoring import Criterion
from ntklib.estimators._search import (
    Search,
    Splits,
    resolve_alphas,
    resolve_kernels,
    search_kernels,
    search_rows,
)
from ntklib.estimators._units import Units
from ntklib.solvers import Solution


def folds(cv: Any, X: Any, y: Any, units: Units, routed: Routed, *, classifier: bool) -> Splits:
    """Folds of the samples as positions among the units; samples of weight 0 drop out of them."""
    place = np.full(X.shape[0], -1)
    place[units.support] = np.arange(len(units))
    splits = check_cv(cv, y, classifier=classifier).split(X, y, **routed.split)
    positions = [(place[train], place[test]) for train, test in splits]
    return [(train[train >= 0], test[test >= 0]) for train, test in positions]


class SearchingModel(Router, KernelModel):
    """Chooses among kernels and penalties; `fit` stores the outcome."""

    def _kernel_parameters(self) -> list:
        kernels = self.kernels  # type: ignore[attr-defined]
        return list(kernels) if isinstance(kernels, (list, tuple)) else [kernels]

    def _start(self) -> list:
        """Kernels to compare; `kernel_` is set to tell whether X is a Gram matrix."""
        kernels = resolve_kernels(self.kernels)  # type: ignore[attr-defined]
        self.kernel_ = kernels[0]
        return kernels

    @property
    def _splits_samples(self) -> bool:
        cv = self.cv
        if isinstance(cv, str) and cv != "gcv":
            raise ValueError(f"cv must be None, 'gcv', an int, a splitter or splits; got {cv!r}.")
        return cv is not None and not isinstance(cv, str)

    def _splits(self, X: Any, y: Any, units: Units, routed: Routed, *, classifier: bool) -> Splits | None:
        """Folds as positions among the units; samples of weight 0 drop out of them."""
        if not self._splits_samples:
            return None
        return folds(self.cv, X, y, units, routed, classifier=classifier)

    def _choose(
        self,
        kernels: list,
        units: Units,
        criterion: Criterion,
        scoring: Any,
        splits: Splits | None,
        strata: Any,
    ) -> np.ndarray | None:
        """Search, store what was found, and return the leave-one-out values of the winner, if any."""
        gcv = isinstance(self.cv, str)
        if gcv and self.scoring is not None:
            raise ValueError("cv='gcv' is its own criterion: leave scoring=None.")
        search = Search(
            criterion=criterion,
            scoring="negative GCV" if gcv else scoring if isinstance(scoring, str) else "score",
            fit_intercept=self.fit_intercept,
            alphas=resolve_alphas(self.alphas),  # type: ignore[attr-defined]
            splits=splits,
            gcv=gcv,
        )
        limit, seed = self.max_search_samples, self.random_state  # type: ignore[attr-defined]
        found, self.cv_results_ = search_kernels(
            search, kernels, units, search_rows(len(units), limit, seed, strata)
        )
        self.kernel_ = found.path.kernel
        self.alpha_, self.best_score_ = found.path.alpha, found.path.best_score
        self.loo_path_ = found.path
        if found.fit is None:
            return None
        penalties = np.full(units.targets.shape[1], self.alpha_)
        self._store(units, found.fit.dual_coef, found.fit.intercept, penalties)
        self.solve_: Solution | tuple | None = found.fit.solution
        return found.fit.loo_prediction

    @property
    def _precomputed(self) -> bool:
        return is_precomputed(self.kernel_)
