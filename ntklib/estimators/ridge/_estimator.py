"""The base of the four estimators: kernel expansions, and their fit at given penalties."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ntklib._core.namespaces import namespace_of, refuse_arrays
from ntklib._core.threads import single_threaded
from ntklib.kernels import gradient_x
from ntklib.solvers import (
    CentrePosterior,
    CholeskyFactor,
    ConjugateGradient,
    Nystrom,
    Solver,
    leave_one_out,
    ridge,
)
from ntklib.solvers.conjugate_gradient import check_positive
from ntklib.solvers.nystrom import CentreModel
from ntklib.solvers.solver import resolve_solver

from .._base import KernelEstimator
from .._forecast import announce
from .._kernel import (
    adds_noise,
    evaluate_expansion,
    gram,
    is_precomputed,
    resolve_kernel,
    warn_blind,
)
from .._parameters import penalties_of
from .._units import Units, different_units, merge_copies
from ..rows import whole
from ._duration import fit_seconds
from ._many_rows import iterate_units, sum_units
from .learned.importances import FeatureImportances

FEW = 2000  # units up to which a factorisation gains next to nothing by threads, which move its last bits


class Part(NamedTuple):
    """A fit that counts with a weight: sum_i dual_coef_i K(x, x_i) + intercept, one column an output.

    Standard deviations need its penalties, one an output, what it knows of its centres if it is on some, and
    the root of the scale of its targets.
    """

    weight: float
    kernel: Any
    X: Any
    dual_coef: NDArray
    intercept: NDArray
    penalties: NDArray
    centres: CentrePosterior | None
    root_scale: NDArray | None

    def at(self, X: Any) -> tuple[Any, Any, Any, NDArray]:
        """Return kernel, rows to predict at, rows of the fit and coefficients."""
        return self.kernel, X, self.X, self.dual_coef


class RidgeEstimator(FeatureImportances, KernelEstimator):
    """f(x) = sum_i dual_coef_i K(x, x_i) + intercept, one column an output."""

    alpha: Any
    fit_intercept: Any
    solver: Any
    _reads_blocks = True

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the regression, or that of each class and the temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``. Sparse where the
            kernel takes it.
        y : array-like of shape (n,) or (n, n_targets)
            Targets; class labels, of shape (n,), in classification.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts: weight 2 is the
            sample twice. Others are importances of single samples.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes or hold one class only, a penalty or weight
            is negative, or the kernel is not positive semidefinite.
        """
        with self._fitting():
            self.kernel_ = resolve_kernel(self.kernel)
            if (xp := namespace_of(X)) is not None:
                self._fit_arrays(X, y, sample_weight, xp)
            else:
                units = self._samples(X, y, sample_weight).units
                self._fit_at(units, self._penalties_for(units.targets.shape[1]))
            self._shape_fit()
            self.__dict__.pop("_stream", None)  # a fit starts anew
        return self

    def _penalties_for(self, k: int) -> NDArray:
        """Penalty of each of k outputs."""
        penalties = penalties_of(self.alpha, "alpha")
        if is_classifier(self) and penalties.ndim != 0:
            raise ValueError("alpha must be a single number: the classes share one penalty.")
        if penalties.size not in (1, k):
            raise ValueError(
                f"alpha must be one number or one per target ({k}), got shape {penalties.shape}."
            )
        return np.broadcast_to(penalties.ravel(), (k,))

    def _outcome(self) -> str:
        return "; ".join(record.words for record in np.ravel(self.solve_))

    @staticmethod
    def _merged(units: Units, kernels: list) -> Units:
        """Equal samples as one unit, unless one of the kernels makes them differ."""
        return units if any(adds_noise(kernel, units.X) for kernel in kernels) else merge_copies(units)

    @staticmethod
    def _copies(units: Units, kernels: list) -> NDArray:
        """Numbers of the units, the same for those that `_merged` makes one of."""
        apart = any(adds_noise(kernel, units.X) for kernel in kernels)
        return np.arange(len(units)) if apart else different_units(units)[1]

    def _factor(self, units: Units, *, double: bool = False) -> CholeskyFactor:
        matrix, ours = gram(self.kernel_, units.X)
        return CholeskyFactor(matrix, weights=units.weights, overwrite_gram=ours, double=double)

    def _solver(self, units: Units) -> Solver:
        """The solver for these units, which it can fit."""
        return self._resolved(units, exact=self._needs_matrix)

    def _resolved(self, units: Units, **task: Any) -> Solver:
        solver = resolve_solver(self.solver, len(units), **task)
        if not units.precomputed:
            solver.check_rows(units.X)
        return solver

    def _check_penalties(self, penalties: NDArray, solver: Solver) -> None:
        """Refuse penalties that a solver cannot fit at, before any work."""
        if isinstance(solver, ConjugateGradient):
            check_positive(penalties)

    @property
    def _needs_matrix(self) -> bool:
        """Whole kernel matrices only: given ones, and those of kernels with noise of their own."""
        row = np.ones((1, self.n_features_in_))
        return self._precomputed or any(adds_noise(kernel, row) for kernel in self._kernels())

    def _fit_units(
        self, units: Units, penalties: NDArray, solver: Solver | None = None, *, left_out: bool = False
    ) -> NDArray | None:
        """Fit every column of the targets at its penalty, and return leave-one-out values if asked for."""
        solver = self._solver(units) if solver is None else solver
        self._check_penalties(penalties, solver)
        announce(
            f"{len(units):,} rows by {type(solver).__name__}",
            lambda: fit_seconds(self.kernel_, units, solver, left_out=left_out),
        )
        if isinstance(solver, Nystrom):
            return single_threaded(self._fit_on_centres, units, penalties, solver, left_out)
        units = units.owned()
        if isinstance(solver, ConjugateGradient):
            if left_out:
                raise ValueError(
                    "the solver ConjugateGradient has no leave-one-out, which calibration needs: give "
                    "calibrate=False, or solver='nystrom'."
                )
            self._fit_by_iterations(units, penalties, solver)
            return None
        if len(units) <= FEW:
            return single_threaded(self._fit_exactly, units, penalties, left_out)
        return self._fit_exactly(units, penalties, left_out)

    def _fit_exactly(self, units: Units, penalties: NDArray, left_out: bool) -> NDArray | None:
        factor, fits = self._factor(units, double=left_out), []
        dual, intercept = np.empty(units.targets.shape), np.empty(units.targets.shape[1])
        for penalty in np.unique(penalties):
            columns = np.flatnonzero(penalties == penalty)
            fit = ridge(factor, units.targets[:, columns], penalty, fit_intercept=self.fit_intercept)
            dual[:, columns], intercept[columns] = fit.dual_coef, fit.intercept
            fits.append(fit)
        self._store(units, dual, intercept, penalties, [fit.solution for fit in fits])
        return leave_one_out(factor, units.targets, fits[0], counts=units.counts) if left_out else None

    def _fit_on_centres(
        self, units: Units, penalties: NDArray, solver: Nystrom, left_out: bool
    ) -> NDArray | None:
        sums = sum_units(self.kernel_, units, solver, fit_intercept=self.fit_intercept)
        model = sums.fit(penalties, refine=solver.refine)
        self._store_centres(centre_support(units, model), model, penalties)
        return sums.left_out(penalties) if left_out else None

    def _fit_by_iterations(self, units: Units, penalties: NDArray, solver: ConjugateGradient) -> None:
        fit = iterate_units(self.kernel_, units, penalties, solver, fit_intercept=self.fit_intercept)
        self._store(units, fit.dual_coef, fit.intercept, penalties, fit.solutions)

    @abstractmethod
    def _fit_at(self, units: Units, penalties: NDArray, solver: Solver | None = None) -> None:
        """Fit all that there is to fit at these penalties, one an output; None is the solver of the units."""

    def _fit_arrays(self, X: Any, y: Any, sample_weight: Any, xp: Any) -> None:
        """Fit to the rows of an array of another library, in its namespace."""
        refuse_arrays(X)

    @abstractmethod
    def _use_left_out(self, units: Units, values: NDArray) -> None:
        """Complete a fit by the leave-one-out values (n, k)."""

    def _scale_fit(self, units: Units) -> None:
        """Complete a fit that is to be a part of a sum."""

    def _shape_fit(self) -> None:
        """Give the fit the dimension of y."""

    def _clipped(self, values: NDArray) -> NDArray:
        """Predictions by values of all outputs, (m, k): within their limits, where they have any."""
        return values

    def _store(
        self, units: Units, dual: NDArray, intercept: NDArray, penalties: NDArray, solutions: list
    ) -> None:
        """Keep the fit and all that it was made with: parameters may be changed afterwards."""
        warn_blind(self.kernel_, units.X)
        self._centres: CentrePosterior | None = None
        self.X_fit_, self.support_ = units.owned().X, units.support
        self._penalties, self._constant = np.array(penalties), bool(self.fit_intercept)
        self._weights = units.weights
        self._parts: list[tuple] | None = None  # what a Part has, which model files know no type of
        self.dual_coef_: NDArray = dual
        self.intercept_: Any = intercept
        self.solve_: Any = solutions[0] if len(solutions) == 1 else tuple(solutions)
        self._variance_factor: Any = None

    def _store_centres(self, support: NDArray, model: CentreModel, penalties: NDArray) -> None:
        """Keep a fit on centres: the expansion is over these, the rest of the rows is not needed."""
        centres = Units(model.centres, np.empty((len(support), 0)), None, support)
        self._store(centres, model.dual_coef, model.intercept, penalties, model.solutions)
        self._centres, self._root_form = model.posterior, model.root_form

    def _expand(self, X: Any) -> NDArray:
        """Values of all outputs at rows X, (m, k), of which `_rows` has taken care."""
        parts = self._summed()
        values = parts[0].weight * (evaluate_expansion(*parts[0].at(X)) + parts[0].intercept)
        for part in parts[1:]:
            values += part.weight * (evaluate_expansion(*part.at(X)) + part.intercept)
        return values

    def _summed(self) -> list[Part]:
        """The fits that predictions are the sums of: one, unless several were stacked."""
        if (parts := getattr(self, "_parts", None)) is not None:
            return [Part(*part) for part in parts]
        return [self._part(1.0)]

    def _part(self, weight: float) -> Part:
        """The fit just stored, to count with a weight."""
        dual, scale = self.dual_coef_.reshape(len(self.support_), -1), getattr(self, "_root_scale", None)
        return Part(
            weight, self.kernel_, self.X_fit_, dual, self.intercept_, self._penalties, self._centres, scale
        )

    def _gradients(self, X: Any, name: str) -> NDArray:
        """Gradients of all outputs in the rows of X, (m, d, k); ``name`` is the method asked."""
        check_is_fitted(self)
        if is_precomputed(self.kernel_):
            raise ValueError(
                f"{name} needs rows, and kernel='precomputed' has kernel values only: give a kernel object."
            )
        return self._slopes(whole(self._rows(X)))

    def _slopes(self, X: Any) -> NDArray:
        """Gradients of all outputs at checked rows, (m, d, k)."""
        slopes = [part.weight * gradient_x(part.kernel, X, part.X, part.dual_coef) for part in self._summed()]
        return sum(slopes[1:], slopes[0])

    def _outputs(self, X: Any) -> NDArray:
        """Values of all outputs at new rows, (m, k)."""
        check_is_fitted(self)
        return self._expand(self._rows(X))

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_variance_factor" in state:
            state["_variance_factor"] = None
        return state


def centre_support(units: Units, model: CentreModel) -> NDArray:
    """Places of the centres among the samples; -1 for centres that were given."""
    return np.where(model.chosen < 0, -1, units.support[model.chosen])
