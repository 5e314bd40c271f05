"""Classification by one kernel ridge regression per class."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d

from ntklib.solvers import leave_one_out

from .._calibration import fit_temperature, probabilities
from .._kernel import is_precomputed, resolve_kernel, tells_nothing
from .._units import Units, make_units
from ..defaults import DEFAULT_ALPHA
from ._expansion import KernelModel
from .regressor import check_penalties


def classes_and_labels(
    y: Any, weights: np.ndarray | None, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels as one axis, the classes of samples of positive weight, and each label's place among these."""
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    present = y if weights is None or not weights.any() else y[weights > 0]
    classes = np.unique(present)
    if len(classes) < 2:
        raise ValueError(f"{name} needs samples of at least 2 classes, got 1 class: {classes[0]!r}.")
    return y, classes, np.searchsorted(classes, y) % len(classes)  # classes of weight 0 go nowhere


def class_factor(
    class_weight: Any, y: np.ndarray, labels: np.ndarray, weights: np.ndarray | None
) -> np.ndarray | None:
    """Weight of each sample's class; "balanced" ones make the weights of all classes sum to the same."""
    if class_weight is None:
        return None
    if not (isinstance(class_weight, str) and class_weight == "balanced") or weights is None:
        return compute_sample_weight(class_weight, y)
    totals = np.bincount(labels, weights=weights)
    return (totals.mean() / totals)[labels]


class PredictingClassifier(ClassifierMixin, KernelModel):
    """Decisions and probabilities from one expansion per class (one in all for two classes)."""

    def _classification_units(
        self, X: Any, y: Any, sample_weight: Any, kernels: list
    ) -> tuple[Units, np.ndarray, Units, Any, np.ndarray]:
        """Set `classes_`; return units with targets of +-1, copies merged, and what they were made from.

        That is the labels 0 to n_classes - 1 of all samples, the units before merging, and the checked X and
        y.
        """
        X, y = self._validate(X, y, multi_output=True)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        y, self.classes_, labels = classes_and_labels(y, weights, type(self).__name__)
        factor = class_factor(self.class_weight, y, labels, weights)
        units = make_units(
            X, self._targets(labels), weights, factor, precomputed=is_precomputed(self.kernel_)
        )
        return self._merged(units, kernels), labels, units, X, y

    def _targets(self, labels: np.ndarray) -> np.ndarray:
        one_hot = labels[:, None] == np.arange(len(self.classes_))
        return np.where(one_hot[:, 1:] if len(self.classes_) == 2 else one_hot, 1.0, -1.0)

    def _fit_calibrated(self, units: Units, labels: np.ndarray, alpha: Any) -> None:
        """Fit at one penalty, and the temperature on the leave-one-out scores of that fit."""
        penalties = check_penalties(alpha, units.targets.shape[1])
        factor = self._factor(units, double=self.calibrate)
        fits = self._fit_units(units, penalties, factor)
        if self.calibrate:
            left_out = leave_one_out(factor, units.targets, fits[0], counts=units.counts)
            self.temperature_ = fit_temperature(left_out, labels, units.weights, units.n_copies)
            self._store_shares(units, labels)

    def decision_function(self, X: Any) -> np.ndarray:
        """Value of the regression of each class, near +1 for members and -1 for others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
            With ``kernel="precomputed"``, the kernel between the rows and the training samples, (m, n).

        Returns
        -------
        ndarray of shape (m,) for two classes, where positive means ``classes_[1]``, else (m, n_classes)
        """
        check_is_fitted(self)
        scores = self._expand(self._validate(X, reset=False))
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Class of the largest decision value at each row of X, shape (m,)."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    @available_if(lambda self: self.calibrate)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities: softmax of the decision values over the fitted temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.

        Notes
        -----
        Absent with ``calibrate=False``. If the kernel cannot tell the training samples apart, since it is 0
        or constant on them, these are the shares of the classes.
        """
        check_is_fitted(self, "temperature_")
        scores = self.decision_function(X)
        if self._shares is not None:
            return np.tile(self._shares, (len(scores), 1))
        return probabilities(scores.reshape(len(scores), -1), self.temperature_)

    def _store_shares(self, units: Units, labels: np.ndarray) -> None:
        """Keep the shares of the classes where the kernel cannot tell the samples apart."""
        self._shares: np.ndarray | None = None
        if self._constant and tells_nothing(self.kernel_, units.X):
            counts = np.bincount(labels, weights=units.weights, minlength=len(self.classes_))
            self._shares = counts / counts.sum()


class NTKClassifier(PredictingClassifier):
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
        self, kernel=None, *, alpha=DEFAULT_ALPHA, fit_intercept=True, class_weight=None, calibrate=True
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.calibrate = calibrate

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NTKClassifier:
        """Fit the regressions and the temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``.
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts: weight 2 is the
            sample twice. Others are importances of single samples.

        Returns
        -------
        self : NTKClassifier

        Raises
        ------
        ValueError
            If the data are not finite or hold one class only, or a penalty or weight is negative.
        """
        self.kernel_ = resolve_kernel(self.kernel)
        units, labels, *_ = self._classification_units(X, y, sample_weight, [self.kernel_])
        if np.ndim(self.alpha) != 0:
            raise ValueError("alpha must be a single number: the classes share one penalty.")
        self._fit_calibrated(units, labels[units.support], self.alpha)
        return self
