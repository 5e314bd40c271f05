"""The tangent kernel's own features: rows of a network's Jacobian, or a random projection of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import DataDimensionalityWarning
from sklearn.utils.validation import check_is_fitted

from ntklib._core.blocks import require_memory, row_blocks, working_memory
from ntklib._core.jit import compiled
from ntklib._core.progress import talk
from ntklib._core.validation import check_integer, random_generator
from ntklib._core.warning import warn
from ntklib.networks import EmpiricalNTK, Network, TwoLayerNet
from ntklib.networks.binding import check_inputs, check_params

from .._kernel import warn_blind
from ._map import FeatureMap

_BLOCK = 2**26  # bytes; larger blocks are slower, since their memory is fresh every time


class TangentFeatures(FeatureMap):
    r"""Features whose inner products are the tangent kernel of a network of finite width.

    A row x becomes its derivatives in the trained parameters, :math:`\phi(x) = Df(x; w) \in R^p`, so that
    :math:`\langle\phi(x), \phi(z)\rangle = \Theta(x, z)`.  Of k outputs the derivatives follow each other,
    :math:`\phi(x) \in R^{kp}`, and the inner product is the kernel summed over outputs (its trace).

    With ``n_components=q`` every one of the kp entries is added, with a random sign, to one of q components
    drawn at random.  The inner product stays right on average, and over those draws its variance is

    .. math:: \frac{1}{q} \Big(\Theta(x, x)\, \Theta(z, z) + \Theta(x, z)^2
              - 2 \sum_i \phi_i(x)^2 \phi_i(z)^2 \Big),

    a little less than that of a dense Gaussian projection, for one pass over the entries.  Relative to
    :math:`|\phi(x)| |\phi(z)|` the standard error is at most :math:`\sqrt{2/q}`; `standard_error` returns it.

    Parameters
    ----------
    network : TwoLayerNet or MLP, default=None
        None is ``TwoLayerNet(512)``.
    params : Params, default=None
        w; None draws them in `fit`, the ones of ``EmpiricalNTK(network, random_state=random_state)``.
    n_components : int, default=None
        q; None keeps all kp features.
    random_state : int, Generator, RandomState or None, default=0
        Draws the parameters, then the projection.
    verbose : int, default=0
        True or 1 says on standard error how far a projection is.

    Attributes
    ----------
    network_ : TwoLayerNet or MLP
    params_ : Params
        w.
    n_components_ : int
        Number of features, q or kp.
    components_ : ndarray of shape (kp,) or None
        The component that each entry is added to; None without a projection.
    signs_ : ndarray of shape (kp,) or None
        Its sign, 1 or -1.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only when X has string column names.

    See Also
    --------
    ntklib.EmpiricalNTK : The kernel itself, which costs less than its features for all but the smallest
        networks.
    sklearn.random_projection.SparseRandomProjection : Projects a matrix that is there already.

    Notes
    -----
    Projected, the Jacobian is made in blocks of rows that fit in scikit-learn's ``working_memory``, and the
    projection takes five bytes an entry.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel", section 4; Weinberger et al. (2009), "Feature hashing for
    large scale multitask learning", lemma 2 (the variance).

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import EmpiricalNTK, TangentFeatures
    >>> from ntklib.networks import TwoLayerNet
    >>> X, net = np.eye(3), TwoLayerNet(100)
    >>> features = TangentFeatures(net).fit_transform(X)
    >>> features.shape, bool(np.allclose(features @ features.T, EmpiricalNTK(net)(X)))
    ((3, 400), True)
    >>> TangentFeatures(net, n_components=50).fit_transform(X).shape
    (3, 50)
    """

    def __init__(self, network=None, *, params=None, n_components=None, random_state=0, verbose=0):
        self.network = network
        self.params = params
        self.n_components = n_components
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> TangentFeatures:
        """Draw parameters for rows like those of X, and the projection.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Only its width and its type count.
        y : None
            Ignored.

        Returns
        -------
        self : TangentFeatures

        Raises
        ------
        TypeError
            If the network is none of this library's, or ``n_components`` is no integer.
        ValueError
            If X is not made of finite numbers, the parameters belong to another network or to rows of
            another width, or ``n_components`` is less than 1.
        """
        with self._fitting():
            X = self._rows(X, reset=True)
            network = TwoLayerNet() if self.network is None else self.network
            if not isinstance(network, Network):
                raise TypeError(f"network must be a TwoLayerNet, an MLP or None, got {network!r}.")
            rng = random_generator(self.random_state)
            self.network_ = clone(network)
            if self.params is None:
                self.params_ = self.network_.init(X.shape[1], rng, dtype=X.dtype)
            else:
                check_inputs(self.params, X[:1])
                self.params_ = check_params(self.network_.spec, self.params)
            warn_blind(EmpiricalNTK(self.network_, self.params_), X)
            size = network.n_outputs * self.network_.n_params(X.shape[1])
            self.n_components_, self.components_, self.signs_ = size, None, None
            if self.n_components is not None:
                self.n_components_ = check_integer(self.n_components, "n_components", minimum=1)
                if self.n_components_ >= size:
                    warn(
                        f"n_components={self.n_components_} projects {size} tangent features to no fewer, "
                        "which only adds an error; use n_components=None to keep them as they are.",
                        DataDimensionalityWarning,
                    )
                require_memory((size, 5), np.int8, "projection")
                self.components_ = rng.integers(self.n_components_, size=size, dtype=np.int32)
                self.signs_ = 2 * rng.integers(2, size=size, dtype=np.int8) - 1
        return self

    def transform(self, X: Any) -> NDArray:
        """Return the features of the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)

        Returns
        -------
        ndarray of shape (n, n_components)
            Float32 if X and the parameters are.

        Raises
        ------
        ValueError
            If X does not match the rows of `fit`.
        MemoryError
            If the features would not fit.
        """
        check_is_fitted(self)
        X = self._rows(X, reset=False)
        n, dtype = X.shape[0], np.result_type(self.params_.dtype, X.dtype)
        if self.components_ is None:
            shape, instead = (n, self.n_components_), "project them with n_components"
            require_memory(shape, dtype, "array of tangent features", instead)
            return self.network_.jacobian(self.params_, X).reshape(n, -1)
        result = np.zeros((n, self.n_components_), dtype)
        step = max(1, min(working_memory(), _BLOCK) // (2 * dtype.itemsize * len(self.components_)))
        with talk("TangentFeatures", self.verbose, n, "rows") as gauge:
            for rows in row_blocks(n, step):
                entries = self.network_.jacobian(self.params_, X[rows]).reshape(rows.stop - rows.start, -1)
                _add_to_components(entries, self.components_, self.signs_, result[rows])
                gauge.reach(rows.stop)
        return result

    def standard_error(self, X: Any, Y: Any = None) -> NDArray:
        r"""Return the standard error that the projection gives to the inner products of features.

        :math:`\sqrt{(\Theta(x, x) \Theta(z, z) + \Theta(x, z)^2) / q}`, which leaves out the last term of
        the variance: an upper bound, by about one part in the network's width.  0 without a projection.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        Y : {array-like, sparse matrix} of shape (m, d), default=None
            X if None.

        Returns
        -------
        ndarray of shape (n, m)

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import TangentFeatures
        >>> X, model = np.eye(2), TangentFeatures(n_components=800).fit(np.eye(2))
        >>> error = np.diag(model.standard_error(X))
        >>> bool(np.allclose(error, 0.05 * model.network_.ntk_diag(model.params_, X)))
        True
        """
        check_is_fitted(self)
        X = self._rows(X, reset=False)
        Y = None if Y is None else self._rows(Y, reset=False)
        kernel = self.network_.ntk(self.params_, X, Y)
        if self.components_ is None:
            return np.zeros_like(kernel)
        mine = self.network_.ntk_diag(self.params_, X)
        theirs = mine if Y is None else self.network_.ntk_diag(self.params_, Y)
        return np.sqrt((np.outer(mine, theirs) + kernel**2) / self.n_components_)


@compiled
def _add_to_components(entries, components, signs, out):  # pragma: no cover - measured apart
    """Add each entry of a row, with its sign, to its component."""
    rows, size = entries.shape
    for i in range(rows):
        for j in range(size):
            out[i, components[j]] += signs[j] * entries[i, j]
