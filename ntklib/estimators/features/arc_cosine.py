"""Random features of the arc-cosine kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_is_fitted

from ntklib._core.blocks import require_memory
from ntklib._core.exponents import exponents, scaled_back
from ntklib._core.validation import check_integer, check_option, random_generator
from ntklib.kernels import ArcCosine, arc_cosine_kernel

from .._kernel import warn_blind
from ._map import FeatureMap, error_rows, fill_rows, relative_error

_MAX_DEGREE = 75  # the variance is a kernel of twice the degree, and 300!! leaves the range of floats


class ArcCosineFeatures(FeatureMap):
    r"""Random features of the arc-cosine kernel: a hidden layer of drawn neurons.

    A row x becomes :math:`\phi(x) = m^{-1/2} \sigma_n(W x)` with :math:`\sigma_n(t) = t^n 1\{t \ge 0\}`, and
    :math:`\langle\phi(x), \phi(z)\rangle` is the kernel :math:`\kappa_n(x, z)` of ``ArcCosine(n)`` on
    average.  The m rows of W are independent, and either standard Gaussian or uniform on the sphere of radius
    r, :math:`r^{2n} = d (d + 2) \cdots (d + 2n - 2)`, so :math:`\sqrt{d}` for n = 1.  The variance is

    .. math:: \frac{1}{m} \big(c\, \kappa_{2n}(x, z) - \kappa_n(x, z)^2\big), \qquad c_{Gauss} = 1, \quad
              c_{sphere} = \prod_{k=0}^{n-1} \frac{d + 2k}{d + 2n + 2k},

    on the sphere never more than for Gaussian weights, d / (d + 2) for n = 1.  `standard_error` returns its
    root.

    Parameters
    ----------
    degree : int, default=1
        n, from 0, the step, and 1, the ReLU, to 75.
    n_components : int, default=1000
        m.
    sampling : {"gaussian", "sphere"}, default="gaussian"
    random_state : int, Generator, RandomState or None, default=0
        Draws W, then the rows for ``error_``.

    Attributes
    ----------
    components_ : ndarray of shape (m, d)
        W.
    n_components_ : int
        m.
    kernel_ : ArcCosine
        The kernel that is approximated.
    error_ : float
        Relative error against the exact kernel, :math:`|\Phi \Phi^T - K|_F / |K|_F`, on the pairs of at most
        500 training rows drawn without replacement; pairs of a row with itself count.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only when X has string column names.

    See Also
    --------
    NystromFeatures : Features of any kernel, which are chosen by the data.
    TangentFeatures : Features of the NTK of a network of finite width.

    Notes
    -----
    The kernel has no bias.  With a column of b added to X it is ``NNGP(1, RectifiedPower(n), bias_std=b)``
    less b^2.

    References
    ----------
    Cho & Saul (2009), "Kernel methods for deep learning"; Rahimi & Recht (2008), "Random features for
    large-scale kernel machines".

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import ArcCosine, ArcCosineFeatures
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> model = ArcCosineFeatures(degree=1, n_components=2000, sampling="sphere").fit(X)
    >>> features = model.transform(X)
    >>> z_scores = (features @ features.T - ArcCosine(1)(X)) / model.standard_error(X)
    >>> features.shape, bool(np.abs(z_scores).max() < 5), model.error_ < 0.05
    ((50, 2000), True, True)
    """

    def __init__(self, degree=1, n_components=1000, *, sampling="gaussian", random_state=0):
        self.degree = degree
        self.n_components = n_components
        self.sampling = sampling
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> ArcCosineFeatures:
        """Draw the neurons for rows like those of X, and measure the error on some of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        y : None
            Ignored.

        Returns
        -------
        self : ArcCosineFeatures

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as above, or X is not made of finite numbers.
        MemoryError
            If the neurons would not fit.
        """
        with self._fitting():
            X = self._rows(X, reset=True)
            degree = check_integer(self.degree, "degree", minimum=0)
            if degree > _MAX_DEGREE:
                raise ValueError(f"degree must be at most {_MAX_DEGREE}, got {degree}.")
            m = check_integer(self.n_components, "n_components", minimum=1)
            on_sphere = check_option(self.sampling, "sampling", ("gaussian", "sphere")) == "sphere"
            self.kernel_ = ArcCosine(degree)
            warn_blind(self.kernel_, X)
            rng, d = random_generator(self.random_state), X.shape[1]
            fewer = "choose fewer n_components"
            require_memory((m, d), np.float64, "array of neurons", fewer, rows=False, single=False)
            neurons = rng.standard_normal((m, d))
            self._spread = 1.0  # c of the variance
            if on_sphere:
                moments = d + 2.0 * np.arange(2 * degree)
                radius = np.exp(np.log(moments[:degree]).mean() / 2) if degree else 1.0
                neurons *= radius / np.linalg.norm(neurons, axis=1, keepdims=True)
                self._spread = float(np.prod(moments[:degree] / moments[degree:]))
            self.components_ = neurons.astype(X.dtype, copy=False)
            self.n_components_ = m
            sample = error_rows(X, rng).astype(np.float64)
            sample = _divided(sample, exponents(_largest(sample)))  # relative to numbers of any size
            self.error_ = relative_error(self._features(sample), self.kernel_(sample))
        return self

    def transform(self, X: Any) -> NDArray:
        """Return the features of the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)

        Returns
        -------
        ndarray of shape (n, m)
            Float32 if X is.  Infinite where a number is too large for that.

        Raises
        ------
        ValueError
            If X does not match the rows of `fit`.
        MemoryError
            If the features would not fit.
        """
        check_is_fitted(self)
        return self._features(self._rows(X, reset=False))

    def standard_error(self, X: Any, Y: Any = None) -> NDArray:
        """Return the standard error of the inner products of features, over draws of the neurons.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        Y : {array-like, sparse matrix} of shape (l, d), default=None
            X if None.

        Returns
        -------
        ndarray of shape (n, l)

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import ArcCosineFeatures
        >>> model = ArcCosineFeatures(n_components=500).fit(np.eye(2))
        >>> variance = (1.5 - 0.5**2) / 500  # E relu(w)^4 less the square of E relu(w)^2
        >>> bool(np.isclose(model.standard_error(np.eye(2))[0, 0], np.sqrt(variance)))
        True
        """
        check_is_fitted(self)
        X = self._rows(X, reset=False)
        Y = X if Y is None else self._rows(Y, reset=False)
        (x, x_powers), (y, y_powers) = (_short(rows.astype(np.float64)) for rows in (X, Y))
        n = self.kernel_.degree
        squares, mean = arc_cosine_kernel(x, y, degree=2 * n), arc_cosine_kernel(x, y, degree=n)
        variance = self._spread * squares - mean**2
        root = np.sqrt(np.maximum(variance, 0.0) / self.n_components_)
        return scaled_back(root, n * (x_powers[:, None] + y_powers))

    def _features(self, X: Any) -> NDArray:
        n, m = self.kernel_.degree, self.n_components_
        neurons = self.components_.astype(X.dtype, copy=False).T

        def block(rows: slice) -> NDArray:
            short, powers = _short(X[rows])
            values = np.asarray(short @ neurons)
            if n == 0:
                return np.where(values >= 0, X.dtype.type(m**-0.5), X.dtype.type(0))
            np.maximum(values, 0, out=values)
            base = values.copy() if n > 1 else values
            for _ in range(n - 1):
                values *= base
            values *= X.dtype.type(m**-0.5)
            return scaled_back(values, n * powers[:, None]) if powers.any() else values

        return fill_rows(block, X.shape[0], m, X.dtype)


def _short(X: Any) -> tuple[Any, NDArray]:
    """Rows of lengths from 1/2 to 1, and the powers of two that they were divided by; zeros stay zeros."""
    powers = exponents(_largest(X)[:, None], axis=1)
    X = _divided(X, powers)
    more = exponents(row_norms(X)[:, None], axis=1) + 1
    return _divided(X, more), powers + more


def _largest(X: Any) -> NDArray:
    """Largest absolute value of each row."""
    ends = X.max(axis=1), X.min(axis=1)
    high, low = (end.toarray().ravel() for end in ends) if sparse.issparse(X) else ends
    return np.maximum(high, -low)


def _divided(X: Any, powers: Any) -> Any:
    """Rows over powers of two, one for each or one for all."""
    powers = np.broadcast_to(powers, X.shape[0])
    if not sparse.issparse(X):
        return np.ldexp(X, -powers[:, None])
    X = X.copy()
    X.data = np.ldexp(X.data, -np.repeat(powers, np.diff(X.indptr)))
    return X
