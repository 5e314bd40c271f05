"""Classification by gradient descent on a tangent model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight

from ntklib.dynamics import LogLoss

from .._calibration import probabilities
from .._kernel import is_precomputed
from .._scoring import predicted_labels
from .._units import Units, make_units
from ..ridge.classifier import classes_and_labels
from ._estimator import TangentEstimator


class TrainedClassifier(ClassifierMixin, TangentEstimator):
    """Labels in; decision values, classes and probabilities out."""

    _losses = ("log_loss", "squared_error")
    classes_: NDArray

    def _units(self, X: Any, y: Any, sample_weight: Any) -> tuple[Units, NDArray, Any, Any]:
        """Samples of positive weight with targets (n, k), their labels, and the checked X and y."""
        X, y = self._validate(X, y)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        y, classes, labels = classes_and_labels(y, weights, type(self).__name__)
        if self._goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes {self.classes_}; these samples have {classes}."
            )
        self.classes_ = classes
        one_hot = labels[:, None] == np.arange(len(classes))
        targets = (one_hot[:, 1:] if len(classes) == 2 else one_hot).astype(np.float64)
        if not isinstance(self._loss(), LogLoss):
            targets = 2 * targets - 1
        units = make_units(X, targets, weights, precomputed=is_precomputed(self.kernel))
        return units, labels[units.support], X, y

    def decision_function(self, X: Any) -> NDArray:
        """Outputs of the trained model: log-odds, or values near +1 for members and -1 for others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
            With ``kernel="precomputed"``, the kernel between the rows and the training samples, (m, n).

        Returns
        -------
        ndarray of shape (m,) for two classes, where positive means ``classes_[1]``, else (m, n_classes)
        """
        return _decision(self._outputs(X))

    def predict(self, X: Any) -> NDArray:
        """Class of the largest decision value at each row of X, shape (m,)."""
        outputs = self._outputs(X)  # says so if there was no fit
        return self.classes_[predicted_labels(outputs)]

    @available_if(lambda self: self._has_probabilities)
    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities, the logistic function or softmax of the decision values.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m, n_classes)
            Columns in the order of ``classes_``; rows sum to 1.
        """
        return self._probabilities(self._outputs(X))

    def staged_decision_function(self, X: Any) -> Iterator[NDArray]:
        """Decision values at the rows of X after 1, 2, ..., `n_iter_` iterations of the last fit.

        The training is done again, from its stored samples.
        """
        return map(_decision, self._staged_outputs(X))

    def staged_predict(self, X: Any) -> Iterator[NDArray]:
        """Classes at the rows of X after 1, 2, ..., `n_iter_` iterations; see `staged_decision_function`."""
        for outputs in self._staged_outputs(X):
            yield self.classes_[predicted_labels(outputs)]

    @available_if(lambda self: self._has_probabilities)
    def staged_predict_proba(self, X: Any) -> Iterator[NDArray]:
        """Probabilities at the rows of X after 1, 2, ..., `n_iter_` iterations."""
        return map(self._probabilities, self._staged_outputs(X))

    @property
    def _has_probabilities(self) -> bool:
        fitted = getattr(self, "_training", None)  # whose loss counts, whatever the parameter says now
        return isinstance(fitted.loss if fitted else self._loss(), LogLoss)

    def _probabilities(self, outputs: NDArray) -> NDArray:
        return probabilities(outputs, log_loss_temperature(outputs.shape[1]))


def log_loss_temperature(n_outputs: int) -> float:
    """Temperature at which `probabilities`, where one output f stands for -f and f, are the log-loss's."""
    return 2.0 if n_outputs == 1 else 1.0


def _decision(outputs: NDArray) -> NDArray:
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


class TangentClassifier(TrainedClassifier):
    r"""Gradient descent on the tangent model of a network, of finite or infinite width, for classes.

    One output for two classes, one per class for more, trained together on the logistic loss or the softmax
    cross-entropy, or on targets of +1 and -1 with the square loss, in closed form. See
    :class:`TangentRegressor` for the model.

    Parameters
    ----------
    network : TwoLayerNet, MLP or None, default=None
        Linearised at the parameters it starts from; None, if there is no kernel, is ``TwoLayerNet(512)``.
        Its ``n_outputs`` is set to the number of outputs, which share its parameters.
    kernel : Kernel, callable, "precomputed" or None, default=None
        The limit of infinite width instead, with f_0 = 0.
    loss : {"log_loss", "squared_error"}, default="log_loss"
    learning_rate, momentum, max_iter, tol, early_stopping, validation_fraction, n_iter_no_change
        As in :class:`TangentRegressor`; the samples set aside are stratified.
    warm_start, random_state, verbose
        As in :class:`TangentRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_iter_, loss_curve_, validation_loss_curve_, learning_rate_, route_
        As in :class:`TangentRegressor`.
    network_, params_, displacement_, or kernel_, X_fit_, dual_coef_
        As in :class:`TangentRegressor`; ``dual_coef_`` is (n_fit, 1) for two classes, (n_fit, n_classes)
        for more.
    support_, n_features_in_, feature_names_in_
        As in :class:`TangentRegressor`.

    See Also
    --------
    TangentClassifierCV : Chooses the number of iterations.
    NTKClassifier : Ridge penalty in place of early stopping.

    Notes
    -----
    `predict_proba` is there for the log-loss only. On separable classes the log-loss has no minimum: the
    longer training lasts, the more certain the probabilities.

    References
    ----------
    J. Lee et al., "Wide neural networks of any depth evolve as linear models under gradient descent", 2019.
    Z. Ji and M. Telgarsky, "The implicit bias of gradient descent on nonseparable data", 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib import NTK, TangentClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = TangentClassifier(kernel=NTK(depth=2)).fit(X, y)
    >>> model.score(X, y) > 0.95, model.predict_proba(X[:2]).shape
    (True, (2, 3))
    """

    def __init__(
        self,
        network=None,
        kernel=None,
        *,
        loss="log_loss",
        learning_rate="auto",
        momentum=0.0,
        max_iter=1000,
        tol=1e-6,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.kernel = kernel
        self.loss = loss
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TangentClassifier:
        """Train the tangent model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``.
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent.

        Returns
        -------
        self : TangentClassifier

        Raises
        ------
        ValueError
            If the data are not finite or hold one class only, network and kernel are both given, or a
            parameter is out of its range.
        """
        units, labels, *_ = self._units(X, y, sample_weight)
        self._train(units, strata=labels)
        return self
