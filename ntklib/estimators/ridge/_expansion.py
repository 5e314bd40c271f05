"""What the four estimators share: kernel expansions, their fit at given penalties, prediction in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ntklib._core.blocks import row_blocks, working_memory
from ntklib.solvers import CholeskyFactor, Factorization, RidgeFit, ridge

from .._kernel import accepts_sparse, adds_noise, cross_gram, gram, is_precomputed, warn_blind
from .._parameters import Estimator
from .._units import Units, merge_copies

_DTYPES = (np.float64, np.float32)


class KernelModel(Estimator):
    """f(x) = sum_i dual_coef_i K(x, x_i) + intercept, one column an output."""

    def _kernel_parameters(self) -> list:
        """The kernels that may be used, for the tags."""
        return [self.kernel]  # type: ignore[attr-defined]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        kernels = self._kernel_parameters()
        tags.input_tags.pairwise = any(map(is_precomputed, kernels))
        tags.input_tags.sparse = all(map(accepts_sparse, kernels))
        return tags

    def _validate(self, *data: Any, **options: Any) -> Any:
        """Checked X and y in fit, where X becomes our own to keep; X alone (with reset=False) later."""
        if options.get("reset", True):
            self._check_parameters()
        sparse = "csr" if all(map(accepts_sparse, self._kernel_parameters())) else False
        own = options.get("reset", True)
        return validate_data(self, *data, accept_sparse=sparse, dtype=_DTYPES, copy=own, **options)

    @staticmethod
    def _merged(units: Units, kernels: list) -> Units:
        """Equal samples as one unit, unless one of the kernels makes them differ."""
        return units if any(adds_noise(kernel, units.X) for kernel in kernels) else merge_copies(units)

    def _factor(self, units: Units, *, double: bool = False) -> CholeskyFactor:
        matrix, ours = gram(self.kernel_, units.X)
        return CholeskyFactor(matrix, weights=units.weights, overwrite_gram=ours, double=double)

    def _fit_units(self, units: Units, penalties: np.ndarray, factor: CholeskyFactor) -> list[RidgeFit]:
        """Fit every column of the targets at its penalty; columns that share one are solved together."""
        fits = []
        dual, intercept = np.empty(units.targets.shape), np.empty(units.targets.shape[1])
        for penalty in np.unique(penalties):
            columns = np.flatnonzero(penalties == penalty)
            fit = ridge(factor, units.targets[:, columns], penalty, fit_intercept=self.fit_intercept)
            dual[:, columns], intercept[columns] = fit.dual_coef, fit.intercept
            fits.append(fit)
        self._store(units, dual, intercept, penalties)
        solutions = tuple(fit.solution for fit in fits)
        self.solve_ = solutions[0] if len(solutions) == 1 else solutions
        return fits

    def _store(self, units: Units, dual: np.ndarray, intercept: np.ndarray, penalties: np.ndarray) -> None:
        """Keep the fit and all that it was made with: parameters may be changed afterwards."""
        warn_blind(self.kernel_, units.X)
        self.X_fit_, self.support_ = units.X, units.support
        self._penalties, self._constant = np.array(penalties), bool(self.fit_intercept)
        self._weights = units.weights
        self._n_samples = units.X.shape[0]
        self.dual_coef_: np.ndarray = dual
        self.intercept_: Any = intercept
        self._variance_factor: Factorization | None = None

    def _expand(self, X: Any) -> np.ndarray:
        """Values of all outputs at the rows of X, shape (m, k), one batch of the cross-Gram at a time."""
        dual = self.dual_coef_.reshape(len(self.support_), -1)
        out = np.empty((X.shape[0], dual.shape[1]))
        for rows in self._batches(X.shape[0]):
            out[rows] = self._cross(X[rows]) @ dual
        return out + self.intercept_

    def _cross(self, X: Any) -> np.ndarray:
        if is_precomputed(self.kernel_):
            return X if X.shape[1] == len(self.support_) else X[:, self.support_]
        return cross_gram(self.kernel_, X, self.X_fit_)

    def _batches(self, m: int):
        return row_blocks(m, max(1, working_memory() // (8 * len(self.support_))))

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_variance_factor" in state:
            state["_variance_factor"] = None
        return state
