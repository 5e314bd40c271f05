"""Classification by a network of finite width that is trained itself."""

from __future__ import annotations

from .._trained import TrainedClassification
from ._estimator import NetworkEstimator


class NetworkClassifier(TrainedClassification, NetworkEstimator):
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
