"""The part of the search that is the same for regression and classification: parameters, splits, results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib.solvers import Solution

from .._folds import Splits, check_folds, folds
from .._kernel import is_precomputed
from .._routing import Routed, Router
from .._scoring import Criterion
from .._units import Units
from ._expansion import KernelModel
from ._kernel_search import Found, Search, search_kernels
from ._search_parameters import resolve_alphas, resolve_kernels, search_rows


class SearchingModel(Router, KernelModel):
    """Chooses among kernels and penalties; `fit` stores the outcome."""

    def _kernel_parameters(self) -> list:
        kernels = self.kernels  # type: ignore[attr-defined]
        return list(kernels) if isinstance(kernels, (list, tuple)) else [kernels]

    def _start(self) -> list:
        """Kernels to compare; `kernel_` is set to tell whether X is a Gram matrix."""
        check_folds(self.cv, (None, "gcv"))
        kernels = resolve_kernels(self.kernels)  # type: ignore[attr-defined]
        self.kernel_ = kernels[0]
        return kernels

    @property
    def _splits_samples(self) -> bool:
        return self.cv is not None and not isinstance(self.cv, str)

    def _splits(self, X: Any, y: Any, units: Units, routed: Routed, *, classifier: bool) -> Splits | None:
        """Folds as positions among the units; samples of weight 0 drop out of them."""
        if not self._splits_samples:
            return None
        return folds(self.cv, X, y, units, routed, classifier=classifier)

    def _choose(
        self,
        kernels: list,
        units: Units,
        criteria: tuple[Criterion, ...],
        scoring: Any,
        splits: Splits | None,
        strata: Any,
    ) -> Found:
        """Search, and store what was found: the choice and, unless it was made by folds, the fit."""
        gcv = isinstance(self.cv, str)
        if gcv and self.scoring is not None:
            raise ValueError("cv='gcv' is its own criterion: leave scoring=None.")
        keep = bool(self.store_held_out)  # type: ignore[attr-defined]
        if keep and splits is not None:
            times = np.bincount(np.concatenate([test for _, test in splits]), minlength=len(units))
            if (times != 1).any():
                raise ValueError(
                    "store_held_out=True needs folds that hold out every sample once, as KFold's do; these "
                    f"hold out some sample {times[times != 1][0]} times: leave it False, or give another cv."
                )
        search = Search(
            criteria=criteria,
            scoring="negative GCV" if gcv else scoring if isinstance(scoring, str) else "score",
            fit_intercept=self.fit_intercept,
            alphas=resolve_alphas(self.alphas),  # type: ignore[attr-defined]
            splits=splits,
            gcv=gcv,
            keep_held_out=keep,
        )
        limit, seed = self.max_search_samples, self.random_state  # type: ignore[attr-defined]
        found, self.cv_results_ = search_kernels(
            search, kernels, units, search_rows(len(units), limit, seed, strata)
        )
        self.kernel_ = found.path.kernel
        self.alpha_, self.best_score_ = found.path.alpha, found.path.best_score
        self.loo_path_ = found.path
        if (choice := found.choice) is not None:
            self._store(units, choice.dual_coef, choice.intercept, choice.penalties)
            records = choice.solutions
            self.solve_: Solution | tuple | None = records[0] if len(records) == 1 else records
        return found

    def _keep_held_out(self, X: Any, units: Units, held_out: np.ndarray) -> None:
        """Set `held_out_predictions_`, (n, k): a sample of weight 0 is held out by the fit itself."""
        self.__dict__.pop("held_out_predictions_", None)
        if not self.store_held_out:  # type: ignore[attr-defined]
            return
        values = np.empty((X.shape[0], held_out.shape[1]))
        values[units.support] = held_out
        absent = np.setdiff1d(np.arange(len(values)), units.support)
        if len(absent):
            values[absent] = self._expand(X[absent])
        self.held_out_predictions_ = values

    @property
    def _precomputed(self) -> bool:
        return is_precomputed(self.kernel_)
