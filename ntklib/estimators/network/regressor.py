"""Regression by a network of finite width that is trained itself."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._trained import TrainedRegression
from ._estimator import NetworkEstimator


class NetworkRegressor(TrainedRegression, NetworkEstimator):
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
    max_iter : int, default=1000
        Passes through the samples; with all of them in one batch, steps.
    batch_size : int or None, default=None
        Samples of a step, drawn without replacement; None, or more than there are, is all of them.
    momentum, tol, early_stopping, validation_fraction, n_iter_no_change, warm_start, verbose
        As in :class:`TangentRegressor`.
    random_state : int, RandomState or None, default=None
        Of the parameters at the start, ``network.init(n_features, random_state)`` for an integer, of the
        batches and of the samples set aside.

    Attributes
    ----------
    network_ : TwoLayerNet or MLP
    params_, initial_params_ : Params
        After and before training: ``network_.apply(params_, X)`` are the outputs.
    n_iter_, loss_curve_, validation_loss_curve_, learning_rate_, support_
        As in :class:`TangentRegressor`.
    n_features_in_, feature_names_in_
        As in :class:`TangentRegressor`.

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

    def predict(self, X: Any) -> NDArray:
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
