"""Networks of finite width, trained for real: the counterparts of the tangent estimators."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..tangent.classifier import TrainedClassifier
from ..tangent.regressor import TrainedRegressor
from ._estimator import TrainedNetwork


class NetworkRegressor(TrainedNetwork, TrainedRegressor):
    r"""A network trained by gradient descent, where :class:`TangentRegressor` trains its tangent model.

    .. math:: w_{k+1} = w_k - \eta D \nabla_w \sum_i s_i\, l(f(x_i; w_k), y_i) + \mu (w_k - w_{k-1}) .

    D holds the network's step multipliers.  The loss is a sum over samples, and there is no intercept but
    what the network has.  With the same parameters and seed both estimators start at the same function and
    step size: what differs is that features move.

    Parameters
    ----------
    network : TwoLayerNet, MLP or None, default=None
        None is ``TwoLayerNet(512)``. Its ``n_outputs`` is set to the number of targets.
    loss : {"squared_error", "huber", "absolute_error"} or Loss, default="squared_error"
    learning_rate : "auto" or float, default="auto"
        eta. "auto" is half the largest step that is stable at the start, :math:`(1 + \mu)/(M \lambda_{\max})`
        with the largest eigenvalue of :math:`J D J^T` (with minibatches the largest of n/b times the first
        batches', too) and the smoothness M of the loss; it is halved and training begins again as long as
        training diverges. The absolute error has no such step: there it is the mean error at the start over
        :math:`\lambda_{\max}` and the root of the number of steps.
    momentum : float, default=0.0
        mu of the heavy ball; at least 0, less than 1.
    max_iter : int, default=1000
        Passes through the samples; with all of them in one batch, steps.
    tol : float or None, default=1e-6
        Stop when the loss (with `early_stopping` the validation loss) has not fallen by more than `tol`
        times its value at the start for `n_iter_no_change` iterations. None: never.
    batch_size : int or None, default=None
        Samples of a step, drawn without replacement; None, or more than there are, is all of them.
    early_stopping : bool, default=False
        Set samples aside, watch the loss on them, and keep the network that was best there.
    validation_fraction : float, default=0.1
        Share of the samples set aside.
    n_iter_no_change : int, default=10
    warm_start : bool, default=False
        Let `fit` go on from where the last one ended, from rest, on the samples it is given.
    random_state : int, RandomState or None, default=None
        Of the parameters at the start, ``network.init(n_features, random_state)`` for an integer, of the
        batches and of the samples set aside.
    verbose : int, default=0
        1 prints the loss ten times, 2 after every iteration.

    Attributes
    ----------
    network_ : TwoLayerNet or MLP
    params_, initial_params_ : Params
        After and before training: ``network_.apply(params_, X)`` are the outputs.
    n_iter_ : int
        Iterations of the last fit that made the model; with `early_stopping` those up to the best.
    loss_curve_ : ndarray
        Loss on the training samples after 0, 1, 2, ... iterations, to the end of training.
    validation_loss_curve_ : ndarray
        On those set aside; only with `early_stopping`.
    learning_rate_ : float
    support_ : ndarray
        Indices of the samples trained on.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only when X has string column names.

    See Also
    --------
    TangentRegressor : The linearisation of the same network, in closed form.
    ntklib.dynamics.train : The training loop, with a record of its course.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NetworkRegressor
    >>> X = np.column_stack([np.linspace(-2, 2, 40), np.ones(40)])
    >>> model = NetworkRegressor(random_state=0).fit(X, np.sin(2 * X[:, 0]))
    >>> bool(model.score(X, np.sin(2 * X[:, 0])) > 0.9)
    True
    """

    def __init__(
        self,
        network=None,
        *,
        loss="squared_error",
        learning_rate="auto",
        momentum=0.0,
        max_iter=1000,
        tol=1e-6,
        batch_size=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.loss = loss
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        y : array-like of shape (n,) or (n, k)
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent.

        Returns
        -------
        self : NetworkRegressor

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes, a parameter is out of its range, or
            training diverges.
        """
        self._train(self._units(X, y, sample_weight)[0])
        return self

    def predict(self, X: Any) -> NDArray:  # type: ignore[override]
        """Predict at the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m,) or (m, k)
        """
        outputs = self._outputs(X)  # says so if there was no fit
        return self._shaped(outputs)


class NetworkClassifier(TrainedNetwork, TrainedClassifier):
    r"""A network trained by gradient descent, where :class:`TangentClassifier` trains its tangent model.

    One output for two classes, one per class for more, trained together on the logistic loss or the softmax
    cross-entropy, or on targets of +1 and -1 with the square loss.

    Parameters
    ----------
    network : TwoLayerNet, MLP or None, default=None
        None is ``TwoLayerNet(512)``. Its ``n_outputs`` is set to the number of outputs.
    loss : {"log_loss", "squared_error"}, default="log_loss"
    learning_rate, momentum, max_iter, tol, batch_size, early_stopping, validation_fraction, n_iter_no_change
        As in :class:`NetworkRegressor`; the samples set aside are stratified.
    warm_start, random_state, verbose
        As in :class:`NetworkRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    network_, params_, initial_params_, n_iter_, loss_curve_, validation_loss_curve_, learning_rate_
        As in :class:`NetworkRegressor`.
    support_, n_features_in_, feature_names_in_
        As in :class:`NetworkRegressor`.

    See Also
    --------
    TangentClassifier : The linearisation of the same network.

    Notes
    -----
    `predict_proba` is there for the log-loss only. On separable classes the log-loss has no minimum: the
    longer training lasts, the more certain the probabilities.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NetworkClassifier(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95, model.predict_proba(X[:2]).shape
    (True, (2, 3))
    """

    def __init__(
        self,
        network=None,
        *,
        loss="log_loss",
        learning_rate="auto",
        momentum=0.0,
        max_iter=1000,
        tol=1e-6,
        batch_size=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.network = network
        self.loss = loss
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkClassifier:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent.

        Returns
        -------
        self : NetworkClassifier

        Raises
        ------
        ValueError
            If the data are not finite or hold one class only, a parameter is out of its range, or training
            diverges.
        """
        units, labels, *_ = self._units(X, y, sample_weight)
        self._train(units, strata=labels)
        return self
