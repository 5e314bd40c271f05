"""Kernel ridge regression at a given kernel and penalty."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ntklib._core.namespaces import namespace_of
from ntklib.solvers import Solver
from ntklib.solvers.nystrom import CentreSums

from .._regression import Regression
from .._units import Units
from ..defaults import DEFAULT_ALPHA
from ._clipping import clipped, limits_of, target_range
from ._posterior import PosteriorEstimator
from .array_api import expand_arrays, fit_arrays
from .stream import Stream, StreamEstimator, streams


class RidgeRegression(Regression, PosteriorEstimator):
    """Kernel ridge regression that predicts, with its uncertainty."""

    clip: Any

    def _fit_at(self, units: Units, penalties: NDArray, solver: Solver | None = None) -> None:
        self._fit_units(units, penalties, solver)
        self._complete(units)

    def _use_left_out(self, units: Units, values: NDArray) -> None:
        self._complete(units)

    def _complete(self, units: Units) -> None:
        self._fit_scale(units.n_copies, units)
        self._fit_limits(target_range(units.targets))

    def _fit_limits(self, ends: NDArray | None) -> None:
        """Set the limits of predictions by the range of the targets, (2, k)."""
        self.__dict__.pop("prediction_limits_", None)
        if self.clip:
            assert ends is not None
            self.prediction_limits_ = limits_of(ends)

    def _clipped(self, values: NDArray) -> NDArray:
        limits = getattr(self, "prediction_limits_", None)
        return clipped(values, None if limits is None else limits.reshape(2, -1))

    def _shape_fit(self) -> None:
        if self._single:
            self.dual_coef_, self.intercept_ = self.dual_coef_[:, 0], self.intercept_.item()
            self.target_scale_ = self.target_scale_.item()
            if self.clip:
                self.prediction_limits_ = self.prediction_limits_[:, 0]

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False, include_noise: bool = False
    ) -> NDArray | tuple[NDArray, NDArray]:
        """Predict at the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
            With ``kernel="precomputed"``, the kernel between the rows and the training samples, (m, n).
        return_std : bool, default=False
            Also return the posterior standard deviation of f(x), as
            :class:`~sklearn.gaussian_process.GaussianProcessRegressor` with the same kernel and ``alpha``
            does, times the square root of ``target_scale_``. An intercept counts as an unknown constant with
            a flat prior. Of a sum of fits it is that of the mixture of their processes, by their weights:
            the mean of their variances and of the squares of what their predictions differ from the sum by.
            The first call factors the Gram again.
        return_cov : bool, default=False
            Also return the posterior covariance of f at the rows.
        include_noise : bool, default=False
            Add the noise of a new sample of weight 1, of variance ``alpha * target_scale_`` (of each fit of a
            sum): the uncertainty of its y rather than of f.

        Returns
        -------
        y : ndarray of shape (m,) or (m, n_targets)
            Within ``prediction_limits_``, where there are any.
        std : ndarray of the same shape
            Only with `return_std`.
        cov : ndarray of shape (m, m) or (m, m, n_targets)
            Only with `return_cov`.

        Raises
        ------
        ValueError
            If X does not match the fitted data, the uncertainty is asked for with ``kernel="precomputed"`` or
            in both forms, or noise is to be included in neither.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import NTKRegressorCV
        >>> X = np.linspace(-2, 2, 30)[:, None]
        >>> model = NTKRegressorCV().fit(X, np.sin(2 * X[:, 0]))
        >>> mean, std = model.predict([[0.1], [3.0]], return_std=True)
        >>> bool(std[0] < std[1])
        True
        """
        check_is_fitted(self)
        if return_std and return_cov:
            raise ValueError("return_std and return_cov exclude one another; the covariance has both.")
        if include_noise and not (return_std or return_cov):
            raise ValueError(
                "include_noise widens what return_std or return_cov return: ask for one of them."
            )
        if (xp := namespace_of(X)) is not None:
            if return_std or return_cov:
                raise ValueError(
                    f"return_std and return_cov need NumPy rows, got an array of {xp.__name__}: convert it, "
                    "numpy.asarray(X)."
                )
            return self._shaped(expand_arrays(self, X, xp))
        X = self._rows(X)
        values = self._shaped(self._clipped(self._expand(X)))
        if not (return_std or return_cov):
            return values
        spread, unit = self._spread(X, noise=include_noise, full=return_cov)
        if return_cov:
            return values, self._shaped(spread * unit * unit)
        return values, self._shaped(np.sqrt(spread) * unit)

    def predict_gradient(self, X: Any) -> NDArray:
        """Differentiate the predictions in the inputs, at the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m, d) or (m, d, n_targets)
            Gradients of f, dense; see :func:`ntklib.kernels.gradient_x` for where f has a kink, as it has at
            training samples with most kernels.

        Raises
        ------
        TypeError
            If the kernel has no gradients in the inputs.
        ValueError
            If X does not match the fitted data, or with ``kernel="precomputed"``.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import NTKRegressor
        >>> X = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
        >>> model = NTKRegressor(alpha=1e-3).fit(X, 3 * X[:, 0])
        >>> model.predict_gradient([[0.2, 0.1]]).round(1) + 0.0
        array([[3., 0.]])
        """
        return self._shaped(self._gradients(X, "predict_gradient"))

    def sample_y(self, X: Any, n_samples: int = 1, random_state: Any = 0) -> NDArray:
        """Draw functions from the posterior, and return their values at the rows of X.

        Of a sum of fits each function is a draw from the process of one of them, chosen by the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)
        n_samples : int, default=1
            Number of functions.
        random_state : int, Generator, RandomState or None, default=0

        Returns
        -------
        ndarray of shape (m, n_samples) or (m, n_targets, n_samples)
            Without noise; targets are independent.

        Raises
        ------
        ValueError
            If X does not match the fitted data, `n_samples` is less than 1, or with ``kernel="precomputed"``.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import NTKRegressor
        >>> X = np.linspace(-2, 2, 30)[:, None]
        >>> NTKRegressor(target_scale="fit").fit(X, np.sin(2 * X[:, 0])).sample_y(X, 5).shape
        (30, 5)
        """
        check_is_fitted(self)
        X = self._rows(X)
        draws = self._draw(X, n_samples, random_state)
        return draws[:, 0] if self._single else draws


class NTKRegressor(StreamEstimator, RidgeRegression):
    r"""Kernel ridge regression with an unpenalised intercept.

    Minimises over functions f of the kernel's space and constants b

    .. math:: \sum_i w_i (y_i - f(x_i) - b)^2 + \alpha \|f\|^2 .

    With :math:`M = (K + \alpha W^{-1})^{-1}` the solution is :math:`f(x) = \sum_i a_i K(x, x_i)`,
    :math:`a = C y`, :math:`C = M - M 1 1^T M / (1^T M 1)`, :math:`b = 1^T M y / (1^T M 1)` (a = M y without
    intercept). It is the posterior mean of a Gaussian process with noise variance :math:`\alpha / w_i`.

    Parameters
    ----------
    kernel : Kernel, callable, "precomputed" or None, default=None
        A :class:`~sklearn.gaussian_process.kernels.Kernel` such as :class:`ntklib.NTK`, whose hyperparameters
        are used as they are; a function of two arrays that returns their Gram matrix; or "precomputed": X is
        the Gram matrix. None is a ReLU NTK of depth 3 with He weights, fan-in scaling and a bias.
    alpha : float or array of shape (n_targets,), default=1.0
        Penalty, one for all targets or one each; nonnegative. It is measured against the kernel's values.
        0 gives the fit of least squares and, among these, of least norm.
    fit_intercept : bool, default=True
        Fit the constant b.
    solver : {"auto", "cholesky", "nystrom", "cg"} or Solver, default="auto"
        Way to solve the system: exactly (:class:`~ntklib.solvers.Cholesky`), on centres
        (:class:`~ntklib.solvers.Nystrom`), or by iterations without the matrix
        (:class:`~ntklib.solvers.ConjugateGradient`).  "auto" is exact up to 30,000 rows and uses centres
        beyond, with an :class:`~ntklib.solvers.ApproximationWarning`.
    target_scale : float or "fit", default=1.0
        s^2, by which the covariance of the process is K times s^2 and the noise :math:`s^2 \alpha / w_i`;
        predictions do not depend on it, standard deviations do. "fit" is the estimate of greatest
        likelihood, :math:`y^T C y / (n - 1)` (n without intercept), one a target, which puts them in the
        units of y; n counts samples, those of whole weights w as w samples.
    clip : bool, default=False
        Clip predictions to the range of the training targets of positive weight, widened by a tenth of it at
        either end. Standard deviations, draws and gradients are those of the function that is not clipped.
    verbose : int, default=0
        True or 1 says on standard error how long work of over ten seconds will take, how far it is, and what
        came of it; 2 writes a line for every finished step.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_fit,) or (n_fit, n_targets)
        Coefficients a.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant b; 0 without intercept.
    X_fit_ : {ndarray, sparse matrix} of shape (n_fit, d)
        The samples of positive weight (with "precomputed", their Gram matrix).
    support_ : ndarray of shape (n_fit,)
        Their indices among the training samples.
    kernel_ : Kernel, callable or str
        The kernel used.
    target_scale_ : float or ndarray of shape (n_targets,)
        s^2.
    prediction_limits_ : ndarray of shape (2,) or (2, n_targets)
        Least and largest prediction; only with `clip`.
    solve_ : Solution or tuple of Solution
        Record of the solve: outcome, rank, residual, condition number; one per distinct penalty.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only when X has string column names.
    feature_importances_ : ndarray of shape (d,)
        Mean square of the derivative of the predictions along each column, over their sum: the diagonal of
        the average gradient outer product, at no more than 1,000 of the rows of `X_fit_`. Standardise columns
        that are to be compared; a constant column has 0. Computed anew each time it is asked for, and absent
        where the kernel has no gradients.

    See Also
    --------
    NTKRegressorCV : Chooses kernel and penalty by exact leave-one-out.
    sklearn.kernel_ridge.KernelRidge : Without intercept, standard deviations or leave-one-out.

    Notes
    -----
    Features are used as they come; a :class:`ScaleWarning` says when they are far from unit scale.
    A fit costs one Gram matrix and its Cholesky factorisation, done in the Gram's own memory.

    References
    ----------
    C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998.
    C. E. Rasmussen and C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press 2006,
    sections 2.2 and 2.7.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKRegressor
    >>> X = np.linspace(-2, 2, 40)[:, None]
    >>> model = NTKRegressor().fit(X, np.sin(2 * X[:, 0]))
    >>> bool(model.score(X, np.sin(2 * X[:, 0])) > 0.95)
    True
    """

    def __init__(
        self,
        kernel=None,
        *,
        alpha=DEFAULT_ALPHA,
        fit_intercept=True,
        solver="auto",
        target_scale=1.0,
        clip=False,
        verbose=0,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.target_scale = target_scale
        self.clip = clip
        self.verbose = verbose

    def _fit_arrays(self, X: Any, y: Any, sample_weight: Any, xp: Any) -> None:
        fit_arrays(self, X, y, sample_weight, xp)

    @available_if(streams)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on learning from further samples; only with the solver ``Nystrom``.

        Until there are `n_init` samples, a parameter of :class:`~ntklib.solvers.Nystrom`, they are kept and
        the fit is exact. Then centres are chosen among these, and all that is kept of a sample are its sums
        with the centres. The fit does not depend on the pieces that samples come in; each call solves anew,
        so let pieces have some thousand rows. `fit` starts anew, and so does `partial_fit` after it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        y : array-like of shape (n,) or (n, n_targets)
        sample_weight : array-like of shape (n,) or float, default=None
            As in `fit`; whole numbers are counts as long as all weights so far are whole.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes, their columns are not those of the first
            call, or `kernel`, `solver` or `fit_intercept` is not that of the first call; nothing has changed
            then.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import NTKRegressor
        >>> from ntklib.solvers import Nystrom
        >>> model = NTKRegressor(solver=Nystrom(20, n_init=100))
        >>> rng = np.random.default_rng(0)
        >>> for _ in range(10):
        ...     X = rng.uniform(-2, 2, size=(50, 1))
        ...     model = model.partial_fit(X, np.sin(2 * X[:, 0]))
        >>> model.X_fit_.shape, bool(abs(model.predict([[0.3]])[0] - np.sin(0.6)) < 0.1)
        ((20, 1), True)
        """
        with self._fitting():
            first = self._begins
            if not first:
                self._check_parameters()
            X, y = self._validate(X, y, reset=first, multi_output=True, y_numeric=True)
            if first:
                self._single = y.ndim == 1
            elif (y.ndim == 1) != self._single or (y.ndim == 2 and y.shape[1] != len(self._penalties)):
                began = "shape (n,)" if self._single else f"shape (n, {len(self._penalties)})"
                raise ValueError(f"y has shape {y.shape}, and the stream began with {began}.")
            targets = y.astype(np.float64).reshape(len(y), -1)
            self._learn(X, targets, np.zeros(len(y), dtype=np.intp), np.ones(len(y)), sample_weight)
        return self

    def _complete_stream(self, stream: Stream, sums: CentreSums) -> None:
        self._fit_scale(sums.regression.sums.count)
        self._fit_limits(stream.targets)
