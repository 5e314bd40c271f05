"""Classification by one kernel ridge regression per class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._calibration import fit_temperature, probabilities
from .._classification import Classification
from .._kernel import tells_nothing
from .._units import Units
from ..defaults import DEFAULT_ALPHA
from ._estimator import RidgeEstimator


class RidgeClassification(Classification, RidgeEstimator):
    """Decisions and probabilities from one expansion per class (one in all for two classes)."""

    calibrate: Any = True

    def _fit_at(self, units: Units, penalties: NDArray) -> None:
        """Fit at one penalty, and the temperature on the leave-one-out scores of that fit."""
        units = self._merged(units, [self.kernel_])
        left_out = self._fit_units(units, penalties, left_out=bool(self.calibrate))
        if left_out is not None:
            self._use_left_out(units, left_out)

    def _use_left_out(self, units: Units, values: NDArray) -> None:
        """Fit the temperature; keep the shares of the classes where the kernel tells no samples apart."""
        assert units.labels is not None
        self.temperature_ = fit_temperature(values, units.labels, units.weights, units.n_copies)
        self._shares: NDArray | None = None
        if self._constant and tells_nothing(self.kernel_, units.X):
            counts = np.bincount(units.labels, weights=units.weights, minlength=len(self.classes_))
            self._shares = counts / counts.sum()

    @property
    def _has_probabilities(self) -> bool:
        return self.calibrate

    def _probabilities(self, outputs: NDArray) -> NDArray:
        check_is_fitted(self, "temperature_")
        if self._shares is not None:
            return np.tile(self._shares, (len(outputs), 1))
        return probabilities(outputs, self.temperature_)


class NTKClassifier(RidgeClassification):
    r"""Kernel ridge classification: one regression per class on targets of +1 and -1.

    Probabilities are :math:`p(c \mid x) \propto \exp(f_c(x)/T)` (with f and -f for two classes), the
    temperature T minimising the log-loss of the exact leave-one-out scores. Equal samples are merged, and one
    copy is left out; see :class:`NTKRegressorCV`.

    Parameters
    ----------
    kernel : Kernel, callable, "precomputed" or None, default=None
        As in :class:`NTKRegressor`.
    alpha : float, default=1.0
        Penalty; nonnegative.
    fit_intercept : bool, default=True
        Fit an unpenalised constant in each regression.
    solver : {"auto", "cholesky", "nystrom", "cg"} or Solver, default="auto"
        As in :class:`NTKRegressor`; ``ConjugateGradient`` needs ``calibrate=False``.
    class_weight : dict, "balanced" or None, default=None
        Importances of the classes, multiplied into the sample weights; "balanced" ones make the weights of
        all classes sum to the same.
    calibrate : bool, default=True
        Fit the temperature, which costs about as much again as the factorisation. Without it
        there is no `predict_proba`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        T; only with `calibrate`.
    dual_coef_ : ndarray of shape (n_fit, 1) for two classes, else (n_fit, n_classes)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    X_fit_, support_, kernel_, solve_, n_features_in_, feature_names_in_
        As in :class:`NTKRegressor`.

    See Also
    --------
    NTKClassifierCV : Chooses kernel and penalty by exact leave-one-out.

    References
    ----------
    R. Rifkin, G. Yeo and T. Poggio, "Regularized least-squares classification", 2003.
    C. Guo et al., "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKClassifier
    >>> X = np.array([[-2.0], [-1.5], [-1.0], [1.0], [1.5], [2.0]])
    >>> model = NTKClassifier().fit(X, ["low", "low", "low", "high", "high", "high"])
    >>> model.predict([[-1.2], [3.0]]).tolist()
    ['low', 'high']
    """

    def __init__(
        self,
        kernel=None,
        *,
        alpha=DEFAULT_ALPHA,
        fit_intercept=True,
        solver="auto",
        class_weight=None,
        calibrate=True,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.class_weight = class_weight
        self.calibrate = calibrate
