"""The base of the four estimators: kernel expansions, and their fit at given penalties."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ntklib.solvers import CholeskyFactor, Factorization, RidgeFit, ridge

from .._base import KernelEstimator
from .._kernel import adds_noise, evaluate_expansion, gram, warn_blind
from .._parameters import penalties_of
from .._units import Units, merge_copies


class RidgeEstimator(KernelEstimator):
    """f(x) = sum_i dual_coef_i K(x, x_i) + intercept, one column an output."""

    fit_intercept: Any

    @staticmethod
    def _merged(units: Units, kernels: list) -> Units:
        """Equal samples as one unit, unless one of the kernels makes them differ."""
        return units if any(adds_noise(kernel, units.X) for kernel in kernels) else merge_copies(units)

    def _factor(self, units: Units, *, double: bool = False) -> CholeskyFactor:
        matrix, ours = gram(self.kernel_, units.X)
        return CholeskyFactor(matrix, weights=units.weights, overwrite_gram=ours, double=double)

    def _fit_units(self, units: Units, penalties: NDArray, factor: CholeskyFactor) -> list[RidgeFit]:
        """Fit every column of the targets at its penalty; columns that share one are solved together."""
        fits = []
        dual, intercept = np.empty(units.targets.shape), np.empty(units.targets.shape[1])
        for penalty in np.unique(penalties):
            columns = np.flatnonzero(penalties == penalty)
            fit = ridge(factor, units.targets[:, columns], penalty, fit_intercept=self.fit_intercept)
            dual[:, columns], intercept[columns] = fit.dual_coef, fit.intercept
            fits.append(fit)
        self._store(units, dual, intercept, penalties, [fit.solution for fit in fits])
        return fits

    def _store(
        self, units: Units, dual: NDArray, intercept: NDArray, penalties: NDArray, solutions: list
    ) -> None:
        """Keep the fit and all that it was made with: parameters may be changed afterwards."""
        warn_blind(self.kernel_, units.X)
        self.X_fit_, self.support_ = units.X, units.support
        self._penalties, self._constant = np.array(penalties), bool(self.fit_intercept)
        self._weights = units.weights
        self.dual_coef_: NDArray = dual
        self.intercept_: Any = intercept
        self.solve_: Any = solutions[0] if len(solutions) == 1 else tuple(solutions)
        self._variance_factor: Factorization | None = None

    def _expand(self, X: Any) -> NDArray:
        """Values of all outputs at rows X, (m, k), of which `_rows` has taken care."""
        dual = self.dual_coef_.reshape(len(self.support_), -1)
        return evaluate_expansion(self.kernel_, X, self.X_fit_, dual) + self.intercept_

    def _outputs(self, X: Any) -> NDArray:
        """Values of all outputs at new rows, (m, k)."""
        check_is_fitted(self)
        return self._expand(self._rows(X))

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_variance_factor" in state:
            state["_variance_factor"] = None
        return state


def check_penalties(alpha: Any, n_targets: int) -> NDArray:
    """One finite, nonnegative penalty per target."""
    penalties = penalties_of(alpha, "alpha")
    if penalties.size not in (1, n_targets):
        raise ValueError(
            f"alpha must be one number or one per target ({n_targets}), got shape {penalties.shape}."
        )
    return np.broadcast_to(penalties.ravel(), (n_targets,))
