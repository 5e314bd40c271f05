"""Classification by gradient descent on a tangent model, stopped by cross-validation."""

from __future__ import annotations

from numpy.typing import NDArray

from .._calibration import fit_temperature, probabilities
from .._trained import TrainedClassification
from .._units import Samples
from ._cv import TangentSearch
from ._stopping_search import StoppingSearch


class TangentClassifierCV(TrainedClassification, TangentSearch):
    r"""Gradient descent on a tangent model, with the number of iterations chosen by cross-validation.

    As :class:`TangentRegressorCV`, for classes. With the square loss, too, there are probabilities: the
    softmax of the decision values over the temperature that suits those of the held-out samples best.

    Parameters
    ----------
    network, kernel, loss, learning_rate, momentum, random_state
        As in :class:`TangentClassifier`.
    max_iters : array of int of shape (T,) or None, default=None
        As in :class:`TangentRegressorCV`.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer of classes, decision values or probabilities, for each fold (with the square
        loss probabilities at the best temperature for the fold); None is minus the mean, over held-out
        samples, of the loss that is trained on. Equal scores are decided by that.
    cv : int, splitter or iterable of splits, default=5
        The folds of an int are stratified.
    verbose : int, default=0
        As in :class:`NTKRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        Scale of the decision values in :meth:`predict_proba`; with the log-loss 1, for two classes 2.
    max_iter_, n_iter_, best_score_, cv_results_, stopping_path_
        As in :class:`TangentRegressorCV`.
    learning_rate_, route_, network_, params_, displacement_, kernel_, dual_coef_, X_fit_, support_
        As in :class:`TangentClassifier`.
    n_features_in_, feature_names_in_
        As in :class:`TangentRegressor`.

    See Also
    --------
    TangentClassifier : For a given number of iterations, or stopped on samples set aside.
    NTKClassifierCV : Chooses kernel and ridge penalty by exact leave-one-out.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib import NTK, TangentClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = TangentClassifierCV(kernel=NTK(), loss="squared_error").fit(X, y)
    >>> model.score(X, y) > 0.95, model.predict_proba(X[:2]).shape
    (True, (2, 3))
    """

    def __init__(
        self,
        network=None,
        kernel=None,
        *,
        max_iters=None,
        loss="log_loss",
        learning_rate="auto",
        momentum=0.0,
        scoring=None,
        cv=5,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.kernel = kernel
        self.max_iters = max_iters
        self.loss = loss
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.scoring = scoring
        self.cv = cv
        self.random_state = random_state
        self.verbose = verbose

    def _use_held_out(self, samples: Samples, search: StoppingSearch) -> None:
        units, temperature = samples.units, self._temperature
        if temperature is None:
            held = units.take(search.held_rows)
            assert held.labels is not None
            temperature = fit_temperature(search.held_outputs, held.labels, held.weights, held.n_copies)
        self.temperature_ = temperature

    @property
    def _has_probabilities(self) -> bool:
        return True

    def _probabilities(self, outputs: NDArray) -> NDArray:
        return probabilities(outputs, self.temperature_)
