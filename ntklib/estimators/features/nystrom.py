"""Features of any kernel on few centres."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ntklib._core.blas import solve_lower
from ntklib._core.blocks import row_blocks
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_integer, check_option, random_generator
from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom import check_finite, choose_centres, make_basis
from ntklib.solvers.solver import CENTER_RULES, check_count

from .._kernel import (
    accepts_sparse,
    adds_noise,
    cross_gram,
    gram_diagonal,
    is_precomputed,
    resolve_kernel,
    warn_blind,
)
from ._map import FeatureMap, error_rows, fill_rows, relative_error

_ROWS = 1024  # of a block
_SMALLEST_PIVOT = 1e-5  # relative to the largest: rounding of float32 becomes 2e-5 of a feature there


class NystromFeatures(FeatureMap):
    r"""Features of any kernel, from its values on few centres.

    With the centres C and :math:`k(C, C) = L L^T` a row x becomes :math:`\phi(x) = L^{-1} k(C, x)`.  The
    inner product :math:`\langle\phi(x), \phi(z)\rangle = k(x, C)\, k(C, C)^{-1} k(C, z)` is exact where x or
    z is a centre.  What it lacks of k(x, z) is the covariance that a Gaussian process of covariance k keeps
    when its values on the centres are known; so

    .. math:: r(x) = k(x, x) - |\phi(x)|^2 \ge 0, \qquad
              |k(x, z) - \langle\phi(x), \phi(z)\rangle| \le \sqrt{r(x)\, r(z)},

    r being its variance.  `error_bound` returns the bound.  Ridge regression on the features is what
    ``solver="nystrom"`` of the kernel estimators fits.

    Parameters
    ----------
    kernel : Kernel or callable, default=None
        A kernel object such as ``NTK()``, or a function of two arrays that returns their kernel matrix.  None
        is the default kernel of ``NTKRegressor``.
    n_components : int, default=1000
        Number of centres.
    centers : {"rpcholesky", "uniform", "kmeans++"} or array of shape (m, d), default="rpcholesky"
        Choice of rows of X: by randomly pivoted Cholesky, uniformly, or spread out by distance; or the
        centres themselves, with as many components.
    subset : int or "auto", default="auto"
        Rows at most, drawn uniformly, among which "rpcholesky" and "kmeans++" choose; "auto" as in
        :class:`~ntklib.solvers.Nystrom`.
    random_state : int, Generator, RandomState or None, default=0
        Draws the centres, then the rows for ``error_``.
    verbose : int, default=0
        True or 1 says on standard error how far the choice of centres is.

    Attributes
    ----------
    components_ : ndarray or CSR matrix of shape (m, d)
        C.
    component_indices_ : ndarray of int, shape (m,)
        The rows of X that they are; -1 for centres that were given.
    triangle_ : ndarray of shape (m, m)
        L.
    n_components_ : int
        m: fewer than asked for where there are fewer rows, or rows whose features depend on others'.
    kernel_ : Kernel or callable
    error_ : float
        Relative error against the exact kernel, :math:`|\Phi \Phi^T - K|_F / |K|_F`, on the pairs of at most
        500 training rows drawn without replacement; pairs of a row with itself count.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only when X has string column names.

    See Also
    --------
    ntklib.solvers.Nystrom : The same centres as a solver, with leave-one-out and standard deviations.
    ArcCosineFeatures : Random features that do not look at the data.
    sklearn.kernel_approximation.Nystroem : Uniform centres, and the root of k(C, C) in place of L.

    References
    ----------
    C. Williams and M. Seeger (2001), "Using the Nystrom method to speed up kernel machines"; Y. Chen,
    E. N. Epperly, J. A. Tropp and R. J. Webber (2023), "Randomly pivoted Cholesky".

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTK, NystromFeatures
    >>> X = np.random.default_rng(0).normal(size=(400, 3))
    >>> kernel = NTK(depth=2, bias_std=1.0)
    >>> model = NystromFeatures(kernel, n_components=100).fit(X)
    >>> features = model.transform(X)
    >>> features.shape, model.error_ < 0.01
    ((400, 100), True)
    >>> bool(np.all(np.abs(kernel(X) - features @ features.T) <= model.error_bound(X) + 1e-9))
    True
    """

    def __init__(
        self,
        kernel=None,
        n_components=1000,
        *,
        centers="rpcholesky",
        subset="auto",
        random_state=0,
        verbose=0,
    ):
        self.kernel = kernel
        self.n_components = n_components
        self.centers = centers
        self.subset = subset
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> NystromFeatures:
        """Choose the centres, and measure the error on some rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Sparse if the kernel takes sparse rows.
        y : None
            Ignored.

        Returns
        -------
        self : NystromFeatures

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as above, X is not made of finite numbers, or the kernel is 0 on all centres
            or not finite.
        MemoryError
            If what chooses the centres would not fit.
        """
        with self._fitting():
            self._fit_rows(self._rows(X, reset=True))
        return self

    def _fit_rows(self, X: Any) -> None:
        """Fit to checked rows, of which some are read by their numbers."""
        m = check_integer(self.n_components, "n_components", minimum=1)
        if isinstance(self.centers, str):
            check_option(self.centers, "centers", CENTER_RULES)
        check_count(self.subset, "subset")
        rng = random_generator(self.random_state)
        self.kernel_ = resolve_kernel(self.kernel)
        if is_precomputed(self.kernel_):
            raise ValueError(
                "kernel must be a kernel object or a function, not 'precomputed': features are made of "
                "its values on rows and centres."
            )
        if adds_noise(self.kernel_, np.ones((1, X.shape[1]))):
            raise ValueError(
                "kernel must have no noise of its own, such as WhiteKernel, since no features have: "
                "leave it to the penalty of the model that is fitted on them."
            )
        warn_blind(self.kernel_, X)
        cross, diagonal = partial(_cross, self.kernel_), partial(_diagonal, self.kernel_)
        rule = Nystrom(m, centers=self.centers, subset=self.subset, random_state=rng)
        rule.check_factor(X.shape[0], rule.count(X.shape[0]), "choose a smaller n_components")
        chosen, centres = choose_centres(cross, diagonal, X, rule)
        basis = make_basis(cross, diagonal, centres, centred=False)
        self.components_, self.component_indices_ = basis.centres, chosen[basis.kept]
        self.triangle_ = basis.triangle
        self.n_components_ = len(basis.kept)
        sample = error_rows(X, rng)
        self.error_ = relative_error(self._features(sample), cross(sample, sample))

    def transform(self, X: Any) -> NDArray:
        """Return the features of the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)

        Returns
        -------
        ndarray of shape (n, m)
            Float32 if X is: within 1e-4 of the root of k(x, x), computed in float64 where need be.

        Raises
        ------
        ValueError
            If X does not match the rows of `fit`, or the kernel is not finite.
        MemoryError
            If the features would not fit.
        """
        check_is_fitted(self)
        return self._features(self._rows(X, reset=False))

    def error_bound(self, X: Any, Y: Any = None) -> NDArray:
        """Return the bound on what the inner products of features lack of the kernel, but for rounding.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        Y : {array-like, sparse matrix} of shape (l, d), default=None
            X if None.

        Returns
        -------
        ndarray of shape (n, l)
            The diagonal, with Y=None, is r(x).

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import ArcCosine, NystromFeatures
        >>> model = NystromFeatures(ArcCosine(1), centers=[[1.0, 0.0]]).fit(np.eye(2))
        >>> model.error_bound(np.eye(2)).round(4)  # 1/2 - (1 / 2 pi)^2 / (1/2) in the last place
        array([[0.    , 0.    ],
               [0.    , 0.4493]])
        """
        check_is_fitted(self)
        roots = self._root_variance(self._rows(X, reset=False))
        return np.outer(roots, roots if Y is None else self._root_variance(self._rows(Y, reset=False)))

    @property
    def _accepts_sparse(self) -> bool:
        return accepts_sparse(self.kernel)

    def _features(self, X: Any) -> NDArray:
        single = X.dtype == np.float32 and self._single_suffices
        triangle = self.triangle_.astype(np.float32, order="F") if single else self.triangle_

        def block(rows: slice) -> NDArray:
            values = self._whitened(X[rows], triangle)
            if single and not np.isfinite(values).all():  # the kernel's values are too large
                values = self._whitened(X[rows], self.triangle_)
            check_finite(values)
            return values

        return fill_rows(block, X.shape[0], self.n_components_, X.dtype)

    def _whitened(self, X: Any, triangle: NDArray) -> NDArray:
        """Features of a block of rows, computed in the precision of the triangle."""
        tile = triangle.dtype
        values = cross_gram(self.kernel_, *(rows.astype(tile, copy=False) for rows in (X, self.components_)))
        values = np.array(values, dtype=tile, order="C")  # kernels may keep what they return
        solve_lower(np.asfortranarray(triangle), values.T)
        return values

    @property
    def _single_suffices(self) -> bool:
        """Say if features of float32 rows may be computed in float32: whitening magnifies its rounding."""
        pivots = self.triangle_.diagonal()
        return bool(pivots.min() ** 2 >= _SMALLEST_PIVOT * pivots.max() ** 2 and 1e-15 < pivots.max() < 1e15)

    def _root_variance(self, X: Any) -> NDArray:
        roots = np.empty(X.shape[0])

        def fill(rows: slice) -> None:
            phi = self._whitened(X[rows], self.triangle_)
            lack = _diagonal(self.kernel_, X[rows]) - np.einsum("ij,ij->i", phi, phi)
            check_finite(lack)
            roots[rows] = np.sqrt(np.maximum(lack, 0.0))

        parallel_for(fill, row_blocks(X.shape[0], _ROWS))
        return roots


def _cross(kernel: Any, X: Any, Y: Any) -> NDArray:
    """Kernel matrix in float64: that of float32 rows may not fit in float32."""
    return cross_gram(kernel, X.astype(np.float64, copy=False), Y.astype(np.float64, copy=False))


def _diagonal(kernel: Any, X: Any) -> NDArray:
    return gram_diagonal(kernel, X.astype(np.float64, copy=False))
