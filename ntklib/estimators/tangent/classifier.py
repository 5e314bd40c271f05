"""Classification by gradient descent on a tangent model."""

from __future__ import annotations

from .._trained import TrainedClassification
from ._estimator import TangentEstimator


class TangentClassifier(TrainedClassification, TangentEstimator):
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
