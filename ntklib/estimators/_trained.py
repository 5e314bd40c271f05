"""The base of the estimators that are trained by gradient descent: tangent models and networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from ntklib._core.validation import check_integer, check_option, check_real
from ntklib.dynamics import LogLoss, Loss, as_loss
from ntklib.dynamics.function_space.spectrum import check_momentum
from ntklib.networks import Network, TwoLayerNet

from ._base import KernelEstimator
from ._calibration import probabilities
from ._classification import Classification
from ._regression import Regression
from ._scoring import decision_values, predicted_labels
from ._stopping import Stopping
from ._units import Units


class DescentParameters(NamedTuple):
    """Checked parameters of gradient descent; a learning rate is "auto" or a number."""

    loss: Loss
    learning_rate: Any
    momentum: float


class TrainedEstimator(KernelEstimator):
    """A model trained by gradient descent; outputs are (m, k) in here."""

    _losses: tuple[str, ...] = ()
    loss: Any
    learning_rate: Any
    momentum: Any
    max_iter: Any
    tol: Any
    n_iter_no_change: Any
    early_stopping: Any
    validation_fraction: Any
    warm_start: Any
    random_state: Any
    loss_curve_: NDArray
    n_iter_: int
    learning_rate_: float
    _training: Any  # all that the last training depended on, to do it again

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``.
        y : array-like of shape (n,) or (n, k)
            Targets; class labels, of shape (n,), in classification.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes or hold one class only, a parameter is out
            of its range, network and kernel are both given, a step is not stable (the message names the
            largest), or training diverges.
        """
        with self._fitting():
            self._train(self._samples(X, y, sample_weight).units)
        return self

    def _outcome(self) -> str:
        """Say how training ended."""
        loss = self.loss_curve_[self.n_iter_]
        return f"{self.n_iter_:,} iterations of size {self.learning_rate_:.3g}, loss {loss:.6g}"

    @abstractmethod
    def _train(self, units: Units) -> None:
        """Train on the units and store the outcome."""

    @abstractmethod
    def _staged_outputs(self, X: Any) -> Iterator[NDArray]:
        """Outputs after each iteration of the last fit, by training again; (m, k)."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_training")

    @property
    def _goes_on(self) -> bool:
        """True if this fit continues the last one."""
        return bool(self.warm_start) and hasattr(self, "_training")

    def _loss(self) -> Loss:
        loss = self.loss
        if not isinstance(loss, Loss):
            loss = as_loss(check_option(loss, "loss", self._losses))
        if loss.name not in self._losses:
            raise ValueError(f"{type(self).__name__} has no use for {loss!r}; its losses are {self._losses}.")
        return loss

    def _descent_parameters(self) -> DescentParameters:
        rate = self.learning_rate
        if not isinstance(rate, str):
            check_real(rate, "learning_rate", minimum=0, strict=True)
        elif rate != "auto":
            raise ValueError(f"learning_rate must be 'auto' or a positive number, got {rate!r}.")
        return DescentParameters(self._loss(), rate, check_momentum(self.momentum))

    def _stopping(self) -> Stopping:
        max_iter = check_integer(self.max_iter, "max_iter", minimum=1)
        rounds = check_integer(self.n_iter_no_change, "n_iter_no_change", minimum=1)
        tol = 0.0 if self.tol is None else check_real(self.tol, "tol", minimum=0)
        return Stopping(max_iter, tol, max_iter + 2 if self.tol is None else rounds)

    def _seed(self) -> Any:
        """An integer is the network's own seed, so that its start can be made again."""
        if self.random_state is None or isinstance(self.random_state, (int, np.integer)):
            return self.random_state
        return check_random_state(self.random_state).randint(2**31 - 1)

    def _split(self, units: Units) -> tuple[NDArray, NDArray | None]:
        """Rows to train on, and those to watch, if any."""
        every = np.arange(len(units))
        if not self.early_stopping:
            return every, None
        rows, held = train_test_split(
            every, test_size=self.validation_fraction, random_state=self.random_state, stratify=units.labels
        )
        return np.sort(rows), np.sort(held)


class TrainedRegression(Regression, TrainedEstimator):
    """A trained regressor."""

    _losses = ("squared_error", "huber", "absolute_error")

    def staged_predict(self, X: Any) -> Iterator[NDArray]:
        """Predict at the rows of X after each iteration of the last fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Yields
        ------
        ndarray of shape (m,) or (m, k)
            After 1, 2, ..., `n_iter_` iterations; the last are the values of `predict`.

        Notes
        -----
        The training is done again, from its stored samples.
        """
        return map(self._shaped, self._staged_outputs(X))


class TrainedClassification(Classification, TrainedEstimator):
    """A trained classifier, of outputs that are log-odds with the log-loss."""

    _losses = ("log_loss", "squared_error")

    def staged_decision_function(self, X: Any) -> Iterator[NDArray]:
        """Decision values at the rows of X after 1, 2, ..., `n_iter_` iterations of the last fit.

        The training is done again, from its stored samples.
        """
        return map(decision_values, self._staged_outputs(X))

    def staged_predict(self, X: Any) -> Iterator[NDArray]:
        """Classes at the rows of X after 1, 2, ..., `n_iter_` iterations; see `staged_decision_function`."""
        for outputs in self._staged_outputs(X):
            yield self.classes_[predicted_labels(outputs)]

    @available_if(lambda self: self._has_probabilities)
    def staged_predict_proba(self, X: Any) -> Iterator[NDArray]:
        """Probabilities at the rows of X after 1, 2, ..., `n_iter_` iterations."""
        return map(self._probabilities, self._staged_outputs(X))

    def _set_classes(self, classes: NDArray) -> None:
        if self._goes_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes {self.classes_}; these samples have {classes}."
            )
        super()._set_classes(classes)

    @property
    def _absent(self) -> float:
        return 0.0 if isinstance(self._loss(), LogLoss) else -1.0

    @property
    def _temperature(self) -> float | None:
        """Temperature of the log-loss's probabilities: one output f of two classes stands for -f and f."""
        if not isinstance(self._loss(), LogLoss):
            return None
        return 2.0 if len(self.classes_) == 2 else 1.0

    @property
    def _has_probabilities(self) -> bool:
        fitted = getattr(self, "_training", None)  # whose loss counts, whatever the parameter says now
        return isinstance(fitted.loss if fitted else self._loss(), LogLoss)

    def _probabilities(self, outputs: NDArray) -> NDArray:
        return probabilities(outputs, 2.0 if outputs.shape[1] == 1 else 1.0)


def resolve_network(network: Any, n_outputs: int) -> Network:
    """A network of our own with this many outputs: None is the default, others are cloned."""
    if network is None:
        network = TwoLayerNet(512)
    if not isinstance(network, Network):
        raise TypeError(
            f"network must be a TwoLayerNet or an MLP of ntklib.networks, got {network!r}; a kernel goes to "
            "the parameter kernel."
        )
    own = network.get_params()["n_outputs"]
    if own not in (1, n_outputs):
        raise ValueError(
            f"the network has {own} outputs and the targets need {n_outputs}; leave n_outputs=1, fit sets it."
        )
    return clone(network).set_params(n_outputs=n_outputs)
