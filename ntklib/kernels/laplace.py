"""Kernels that fall with a power of the distance of two rows, by coordinates or by length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntklib._core.blocks import require_memory, row_blocks
from ntklib._core.namespaces import namespace_of
from ntklib._core.threads import parallel_for
from ntklib._core.tokens import Tokened
from ntklib._core.validation import check_real, check_rows, check_same_features, same_memory

from ._differences import add_differences
from .array_api import laplace_matrix, refuse_gradient
from .combined import Combinable
from .distances import SERIAL_BELOW, TILE, canonical_rows, check_norm, fill_powers
from .input_gradients import InputGradients

__all__ = ["Laplace"]


class Laplace(Combinable, Tokened, InputGradients, Kernel):
    r"""Laplace kernel, and its generalisation to other powers of a distance.

    .. math:: K(x, z) = \exp\left(-\left(\frac{\|x - z\|_p}{L}\right)^q\right)

    With the defaults, p = q = 1, it is the product of one-dimensional Laplace kernels; with p = 2 and q = 2 a
    Gaussian kernel. It is positive definite for :math:`0 < q \le p \le 2`.

    Parameters
    ----------
    length_scale : float, default=1.0
        L, greater than 0, in units of the features; :func:`median_distance` of the rows is one to begin with.
    norm : {1, 2}, default=1
        p.
    exponent : float, default=1.0
        q, greater than 0 and at most `norm`.
    length_scale_bounds : pair of floats or "fixed", default=(1e-5, 1e5)
        Where a fit may move the length scale.

    Raises
    ------
    ValueError
        When called, if a parameter is out of its range.

    See Also
    --------
    NTK : Kernel of an infinitely wide network.

    References
    ----------
    I. J. Schoenberg, "Metric spaces and positive definite functions", Transactions of the American
    Mathematical Society 44, 1938.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import Laplace
    >>> Laplace(length_scale=2.0)(np.array([[0.0, 0.0], [1.0, -1.0]])).round(4)
    array([[1.    , 0.3679],
           [0.3679, 1.    ]])
    """

    def __init__(
        self,
        length_scale: float = 1.0,
        *,
        norm: int = 1,
        exponent: float = 1.0,
        length_scale_bounds: Any = (1e-5, 1e5),
    ) -> None:
        self.length_scale = length_scale
        self.norm = norm
        self.exponent = exponent
        self.length_scale_bounds = length_scale_bounds

    @property
    def hyperparameter_length_scale(self) -> Hyperparameter:
        """Distance over which the kernel falls by the factor e."""
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel k(X, Y) and optionally its gradient.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples_X, n_features)
        Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
            X if None.
        eval_gradient : bool, default=False
            Also return the gradient in the logarithm of the length scale; only if Y is None.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
            Under scikit-learn's ``array_api_dispatch``, of the library and on the device of X.
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if ``eval_gradient``; float64, whatever the precision of X and K.
        """
        scale, norm, exponent = self._checked()
        xp = namespace_of(X, Y)
        if xp is not None:
            refuse_gradient(eval_gradient)
            return laplace_matrix(scale, norm, exponent, X, Y, xp)
        X = check_rows(X)
        symmetric = Y is None or same_memory(X, Y)
        if not symmetric:
            Y = check_rows(Y, "Y")
            check_same_features(X, Y)
        if eval_gradient and Y is not None:
            raise ValueError("the gradient is only available for Y=None.")
        other = X if symmetric else Y
        dtype = np.result_type(X.dtype, other.dtype)
        require_memory((X.shape[0], other.shape[0]), dtype)
        powers = np.empty((X.shape[0], other.shape[0]), dtype)

        def finish(values: NDArray) -> None:
            np.negative(values, out=values)
            np.exp(values, out=values)

        if not eval_gradient:
            fill_powers(X, other, scale, norm, exponent, powers, finish, symmetric=symmetric)
            return powers
        if self.hyperparameter_length_scale.fixed:
            return self(X), np.empty((*powers.shape, 0))
        require_memory((X.shape[0], X.shape[0], 2), np.float64, "Gram gradient", "", single=False)
        fill_powers(X, X, scale, norm, exponent, powers, lambda values: None, symmetric=True)
        K = np.exp(-powers)
        rising = powers.astype(np.float64)
        # of a power beyond the floats, and K = 0, the product is 0
        slope = np.multiply(rising, K, out=np.zeros_like(rising), where=K > 0)
        return K, exponent * slope[:, :, None]

    def _expansion_gradient(self, X: Any, Y: Any, weights: NDArray) -> NDArray:
        """Of K = exp(-r^q), r = D / L: the slopes -q r^(q-1) K / L times the gradients of the distances D."""
        scale, norm, exponent = self._checked()
        if sparse.issparse(X) or sparse.issparse(Y):
            X, Y = canonical_rows(X, 0), canonical_rows(Y, 0)
        else:
            X, Y = (np.ascontiguousarray(part, dtype=np.float64) for part in (X, Y))
        out = np.zeros((len(weights), *X.shape))

        def add(rows: slice) -> None:
            for columns in row_blocks(Y.shape[0], TILE):
                x, y = X[rows], Y[columns]
                distances = np.empty((x.shape[0], y.shape[0]))
                fill_powers(x, y, scale, norm, 1.0, distances, lambda values: None, symmetric=False)
                with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
                    slopes = np.exp(-(distances**exponent))
                    slopes *= -exponent / scale
                    if exponent != norm:  # by length, the gradient of D is the difference over D
                        slopes *= distances ** (exponent - norm)
                # at the cusp the mean slope is 0, and so is it where K is
                slopes[(distances == 0) | ~np.isfinite(slopes)] = 0.0
                for p, weight in enumerate(weights):
                    part = weight[rows if len(weight) > 1 else slice(None), columns] * slopes
                    add_differences(x, y, part, out[p, rows], signs=norm == 1)

        few = max(X.shape[0], Y.shape[0]) < SERIAL_BELOW
        parallel_for(add, list(row_blocks(X.shape[0], TILE)), threads=1 if few else None)
        return out / scale if norm == 2 else out

    def diag(self, X: Any) -> NDArray:
        """Return the diagonal of k(X): ones.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        self._checked()
        xp = namespace_of(X)
        if xp is not None:
            return xp.ones_like(X[:, 0])
        X = check_rows(X)
        return np.ones(X.shape[0], X.dtype)

    def is_stationary(self) -> bool:
        """Return True: only the difference of two rows counts."""
        return True

    def __repr__(self) -> str:
        text = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({text})"

    def _checked(self) -> tuple[float, int, float]:
        scale = check_real(self.length_scale, "length_scale", minimum=0.0, strict=True)
        norm = check_norm(self.norm)
        exponent = check_real(self.exponent, "exponent", minimum=0.0, strict=True)
        if exponent > norm:
            raise ValueError(
                f"exponent must be at most norm={norm}, or the kernel is not positive definite; "
                f"got {exponent}."
            )
        return scale, norm, exponent
