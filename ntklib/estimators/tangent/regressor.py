"""Regression by gradient descent on a tangent model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.dynamics import SquaredError, ensemble
from ntklib.kernels import NTK

from .._trained import TrainedRegression
from ._estimator import TangentEstimator


class TangentRegression(TrainedRegression, TangentEstimator):
    """A tangent model that predicts targets, and their spread over random starts."""

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False
    ) -> NDArray | tuple[NDArray, NDArray]:
        """Predict at the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
            With ``kernel="precomputed"``, the kernel between the rows and the training samples, (m, n).
        return_std : bool, default=False
            Also return the standard deviation, over random starts, of infinitely wide networks trained for
            as many iterations: see Notes.
        return_cov : bool, default=False
            Also return their covariance.

        Returns
        -------
        y : ndarray of shape (m,) or (m, k)
        std : ndarray of the same shape
            Only with `return_std`.
        cov : ndarray of shape (m, m) or (m, m, k)
            Only with `return_cov`.

        Raises
        ------
        ValueError
            If X does not match the fitted data, or the spread is asked for where it is not known.

        Notes
        -----
        The spread needs ``kernel=NTK(...)``, which has the covariance of the outputs at the start in
        ``kernel.nngp()``, the square loss, and a fit that did not go on from another. It is not the posterior
        of a Gaussian process, and tends to no noise at the training samples.
        """
        values = self._shaped(self._outputs(X))
        if not (return_std or return_cov):
            return values
        if return_std and return_cov:
            raise ValueError("return_std and return_cov exclude one another; the covariance has both.")
        spread = self._spread(self._rows(X), covariance=return_cov)
        return values, self._shaped(np.stack([spread] * self._n_outputs, axis=-1))

    def _spread(self, X: Any, *, covariance: bool) -> NDArray:
        """Standard deviation (m,), or covariance (m, m), of each output over random starts."""
        kernel, training = getattr(self, "kernel_", None), self._training
        if not isinstance(kernel, NTK):
            raise ValueError(
                "the spread over random starts is known for infinitely wide networks only: fit with "
                f"kernel=NTK(...), not with {'a network' if kernel is None else repr(kernel)}."
            )
        if kernel.normalized:
            raise ValueError(
                "a normalized NTK is no network's kernel: no ensemble has it; use normalized=False."
            )
        if not isinstance(training.loss, SquaredError):
            raise ValueError(
                f"with {training.loss.name} the outputs of trained networks are not Gaussian; "
                "return_std and return_cov need loss='squared_error'."
            )
        if training.before is not None:
            raise ValueError("the spread is not known after a warm start; fit once, with a larger max_iter.")
        units, fresh = training.units, kernel.nngp()
        path: Any = ensemble(
            kernel(units.X),
            fresh(units.X),
            units.targets,
            self.n_iter_,
            ntk_test=kernel(X, units.X),
            nngp_test=fresh(X, units.X),
            nngp_test_test=fresh(X) if covariance else fresh.diag(X),
            learning_rate=self.learning_rate_,
            momentum=training.momentum,
            sample_weight=units.weights,
            return_cov=covariance,
        )
        return (path.test_covariance if covariance else path.test_std)[0]


class TangentRegressor(TangentRegression):
    r"""Gradient descent on the tangent model of a network, of finite or infinite width.

    .. math:: f(x) = f_0(x) + \langle \nabla_w f_0(x), w - w_0 \rangle, \qquad
              w_{k+1} = w_k - \eta \nabla_w \sum_i s_i\, l(f_k(x_i), y_i) + \mu (w_k - w_{k-1}) .

    With the square loss every iterate is known in closed form from one eigendecomposition,
    :math:`f_k = y + (I - \eta \Theta)^k (f_0 - y)` on the training samples if :math:`\mu = 0`; other losses
    are iterated. The number of iterations is what regularises: stop early, or search with
    :class:`TangentRegressorCV`. There is no intercept but f_0, and the loss is a sum over samples.

    Parameters
    ----------
    network : TwoLayerNet, MLP or None, default=None
        Linearised at the parameters it starts from; None, if there is no kernel, is ``TwoLayerNet(512)``.
        Its ``n_outputs`` is set to the number of targets, its step multipliers count.
    kernel : Kernel, callable, "precomputed" or None, default=None
        The limit of infinite width instead, with f_0 = 0: :class:`ntklib.NTK`, or what
        :class:`ntklib.NTKRegressor` takes.
    loss : {"squared_error", "huber", "absolute_error"} or Loss, default="squared_error"
        "huber" has delta = 1; ``ntklib.dynamics.Huber(delta)`` is another.
    learning_rate : "auto" or float, default="auto"
        eta. "auto" is half the largest stable step. The absolute error has no such step: there it is
        the mean error at the start over :math:`\lambda_{\max} \sqrt{\mathtt{max\_iter}}`.
    momentum : float, default=0.0
        mu of the heavy ball; at least 0, less than 1.
    max_iter : int, default=1000
    tol : float or None, default=1e-6
        Stop when the loss (with `early_stopping` the validation loss) has not fallen by more than `tol`
        times its value at the start for `n_iter_no_change` iterations. None: never.
    early_stopping : bool, default=False
        Set samples aside, watch the loss on them, and keep the iterate where it was least.
    validation_fraction : float, default=0.1
        Share of the samples set aside.
    n_iter_no_change : int, default=10
    warm_start : bool, default=False
        Let `fit` go on from where the last one ended, from rest, on the samples it is given.
    random_state : int, RandomState or None, default=None
        Of the network's parameters at the start, ``network.init(n_features, random_state)`` for an integer,
        and of the samples set aside.
    verbose : int, default=0
        True or 1 says on standard error how long work of over ten seconds will take, the iteration and the
        loss, and what came of it; 2 writes a line for every iteration.

    Attributes
    ----------
    n_iter_ : int
        Iterations of the last fit that made the model; with `early_stopping` those up to the best.
    loss_curve_ : ndarray
        Loss on the training samples after 0, 1, 2, ... iterations, to the end of training.
    validation_loss_curve_ : ndarray
        On those set aside; only with `early_stopping`.
    learning_rate_ : float
    route_ : str
        Where training took place, function or parameter space, and whether in closed form: the cheaper.
    network_ : TwoLayerNet or MLP
        Only without a kernel, like the next two.
    params_ : Params
        w_0.
    displacement_ : ndarray of shape (p,)
        w - w_0; ``network_.unravel(params_, network_.ravel(params_) + displacement_)`` are parameters.
    kernel_ : Kernel, callable or str
        Only with a kernel, like the next two.
    dual_coef_ : ndarray of shape (n_fit,) or (n_fit, k)
        Coefficients a: f(x) = sum_i a_i K(x, x_i).
    X_fit_ : {ndarray, sparse matrix} of shape (n_fit, d)
    support_ : ndarray
        Indices of the samples trained on.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only when X has string column names.

    See Also
    --------
    TangentRegressorCV : Chooses the number of iterations.
    NTKRegressor : Ridge penalty in place of early stopping.
    ntklib.dynamics.gradient_descent : The same on a Gram matrix.

    References
    ----------
    J. Lee et al., "Wide neural networks of any depth evolve as linear models under gradient descent", 2019.
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", 2019.
    Y. Yao, L. Rosasco and A. Caponnetto, "On early stopping in gradient descent learning", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTK, TangentRegressor
    >>> X = np.column_stack([np.linspace(-2, 2, 40), np.ones(40)])
    >>> y = np.sin(2 * X[:, 0])
    >>> model = TangentRegressor(kernel=NTK(depth=2), max_iter=20_000, tol=None).fit(X, y)
    >>> model.n_iter_, model.score(X, y) > 0.999
    (20000, True)
    >>> mean, std = model.predict(X[:2], return_std=True)
    """

    def __init__(
        self,
        network=None,
        kernel=None,
        *,
        loss="squared_error",
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
