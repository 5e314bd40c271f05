"""Kernels that fall with a power of the distance of two rows, by coordinates or by length.

Distances are sums over differences, never differences of products, so that close rows keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntklib._core.blocks import require_memory, row_blocks, tiles
from ntklib._core.jit import compiled
from ntklib._core.threads import parallel_for
from ntklib._core.tokens import Tokened
from ntklib._core.validation import check_integer, check_real, check_rows, check_same_features, same_memory

from ._differences import add_differences
from .input_gradients import InputGradients

__all__ = ["Laplace"]

_TILE = 256
_GRADIENT_TILE = 1024
_SERIAL_BELOW = 512  # rows under which starting threads costs more than it brings
_SINGLE = 100  # exponents of length scales whose inverse float32 can multiply with


class Laplace(Tokened, InputGradients, Kernel):
    r"""Laplace kernel, and its generalisation to other powers of a distance.

    .. math:: K(x, z) = \exp\left(-\left(\frac{\|x - z\|_p}{L}\right)^q\right)

    With the defaults, p = q = 1, it is the product of one-dimensional Laplace kernels; with p = 2 and q = 2 a
    Gaussian kernel. It is positive definite for :math:`0 < q \le p \le 2`.

    Parameters
    ----------
    length_scale : float, default=1.0
        L, greater than 0, in units of the features.
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
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if ``eval_gradient``.
        """
        scale, norm, exponent = self._checked()
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
            _fill(X, other, scale, norm, exponent, powers, finish, symmetric=symmetric)
            return powers
        if self.hyperparameter_length_scale.fixed:
            return self(X), np.empty((*powers.shape, 0))
        require_memory((X.shape[0], X.shape[0], 2), np.float64, "Gram gradient")
        _fill(X, X, scale, norm, exponent, powers, lambda values: None, symmetric=True)
        K = np.exp(-powers)
        rising = powers.astype(np.float64)
        # of a power beyond the floats, and K = 0, the product is 0
        slope = np.multiply(rising, K, out=np.zeros_like(rising), where=K > 0)
        return K, exponent * slope[:, :, None]

    def _expansion_gradient(self, X: Any, Y: Any, weights: NDArray) -> NDArray:
        """Of K = exp(-r^q), r = D / L: the slopes -q r^(q-1) K / L times the gradients of the distances D."""
        scale, norm, exponent = self._checked()
        if sparse.issparse(X) or sparse.issparse(Y):
            X, Y = _canonical(X, 0), _canonical(Y, 0)
        else:
            X, Y = (np.ascontiguousarray(part, dtype=np.float64) for part in (X, Y))
        out = np.zeros((len(weights), *X.shape))

        def add(rows: slice) -> None:
            for columns in row_blocks(Y.shape[0], _GRADIENT_TILE):
                x, y = X[rows], Y[columns]
                distances = np.empty((x.shape[0], y.shape[0]))
                _fill(x, y, scale, norm, 1.0, distances, lambda values: None, symmetric=False)
                with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
                    slopes = -exponent / scale * distances ** (exponent - 1) * np.exp(-(distances**exponent))
                    if norm == 2:  # their gradient is the difference over the distance
                        slopes /= distances
                # at the cusp the mean slope is 0, and so is it where K is
                slopes[(distances == 0) | ~np.isfinite(slopes)] = 0.0
                for p, weight in enumerate(weights):
                    part = weight[rows if len(weight) > 1 else slice(None), columns] * slopes
                    add_differences(x, y, part, scale, out[p, rows], signs=norm == 1)

        few = max(X.shape[0], Y.shape[0]) < _SERIAL_BELOW
        parallel_for(add, list(row_blocks(X.shape[0], _TILE)), threads=1 if few else None)
        return out

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
        norm = check_integer(self.norm, "norm", minimum=1)
        exponent = check_real(self.exponent, "exponent", minimum=0.0, strict=True)
        if norm > 2:
            raise ValueError(f"norm must be 1 or 2, got {norm}.")
        if exponent > norm:
            raise ValueError(
                f"exponent must be at most norm={norm}, or the kernel is not positive definite; "
                f"got {exponent}."
            )
        return scale, norm, exponent


def _fill(
    X: Any,
    Z: Any,
    scale: float,
    norm: int,
    exponent: float,
    out: NDArray,
    finish: Callable[[NDArray], None],
    *,
    symmetric: bool,
) -> None:
    """Write finish((|x - z| / scale)^exponent) for all rows x, z, tile by tile."""
    mantissa, power = np.frexp(scale)
    inner = out.dtype if abs(power) < _SINGLE else np.dtype(np.float64)
    # a large length scale divides the rows, a small one the differences, by powers of two: the former cannot
    # overflow then, and where the latter do the kernel is 0
    down, up = max(power, 0), max(-power, 0)
    first, second = inner.type(np.ldexp(1.0, up // 2)), inner.type(np.ldexp(1.0, up - up // 2))
    if sparse.issparse(X) or sparse.issparse(Z):
        x, z = _canonical(X, down), _canonical(Z, down)
        accumulate = _sparse_tiles(x, z, first, second, norm)
    else:
        x, z = (np.ldexp(np.ascontiguousarray(rows, dtype=inner), -down) for rows in (X, Z))

        def accumulate(rows: slice, columns: slice, tile: NDArray) -> None:
            _distances(x[rows], np.ascontiguousarray(z[columns].T), first, second, norm, tile)

    def run(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        values = np.zeros((rows.stop - rows.start, columns.stop - columns.start), inner)
        accumulate(rows, columns, values)
        with np.errstate(over="ignore", under="ignore"):
            if norm == 2:
                np.sqrt(values, out=values)
            values /= inner.type(mantissa)
            if exponent != 1:
                np.power(values, inner.type(exponent), out=values)
            finish(values)
            out[rows, columns] = values
        if symmetric and rows != columns:
            out[columns, rows] = values.T

    work = list(tiles(x.shape[0], z.shape[0], _TILE, symmetric=symmetric))
    parallel_for(run, work, threads=1 if max(x.shape[0], z.shape[0]) < _SERIAL_BELOW else None)


@compiled
def _distances(X, Zt, first, second, norm, out):
    """Add |(x - z) first second|^norm over the features to a tile of zeros; 8 features share a sweep."""
    n, d = X.shape
    m = Zt.shape[1]
    whole = d - d % 8
    for i in range(n):
        row = out[i]
        for k in range(0, whole, 8):
            a0, a1, a2, a3 = X[i, k], X[i, k + 1], X[i, k + 2], X[i, k + 3]
            a4, a5, a6, a7 = X[i, k + 4], X[i, k + 5], X[i, k + 6], X[i, k + 7]
            z0, z1, z2, z3 = Zt[k], Zt[k + 1], Zt[k + 2], Zt[k + 3]
            z4, z5, z6, z7 = Zt[k + 4], Zt[k + 5], Zt[k + 6], Zt[k + 7]
            if norm == 1:
                for j in range(m):
                    low = (abs(a0 - z0[j]) + abs(a1 - z1[j])) + (abs(a2 - z2[j]) + abs(a3 - z3[j]))
                    high = (abs(a4 - z4[j]) + abs(a5 - z5[j])) + (abs(a6 - z6[j]) + abs(a7 - z7[j]))
                    row[j] += (low + high) * first * second
            else:
                for j in range(m):
                    b0, b1 = (a0 - z0[j]) * first * second, (a1 - z1[j]) * first * second
                    b2, b3 = (a2 - z2[j]) * first * second, (a3 - z3[j]) * first * second
                    b4, b5 = (a4 - z4[j]) * first * second, (a5 - z5[j]) * first * second
                    b6, b7 = (a6 - z6[j]) * first * second, (a7 - z7[j]) * first * second
                    low = (b0 * b0 + b1 * b1) + (b2 * b2 + b3 * b3)
                    row[j] += low + ((b4 * b4 + b5 * b5) + (b6 * b6 + b7 * b7))
        for k in range(whole, d):
            a, z = X[i, k], Zt[k]
            for j in range(m):
                b = abs(a - z[j]) * first * second
                row[j] += b if norm == 1 else b * b


def _canonical(X: Any, down: int) -> sparse.csr_array:
    """CSR rows over 2^down in float64, with sorted columns, each named once."""
    rows = sparse.csr_array(X, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.data = np.ldexp(rows.data, -down)
    return rows


def _sparse_tiles(
    x: sparse.csr_array, z: sparse.csr_array, first: Any, second: Any, norm: int
) -> Callable[[slice, slice, NDArray], None]:
    def accumulate(rows: slice, columns: slice, tile: NDArray) -> None:
        _sparse_distances(
            x.data, x.indices, x.indptr[rows.start : rows.stop + 1],
            z.data, z.indices, z.indptr[columns.start : columns.stop + 1],
            first, second, norm, tile,
        )  # fmt: skip

    return accumulate


@compiled
def _sparse_distances(a, a_columns, a_starts, b, b_columns, b_starts, first, second, norm, out):
    """Add the same over the columns where either of two rows is not 0."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            p, q = a_starts[i], b_starts[j]
            total = 0.0
            while p < a_starts[i + 1] or q < b_starts[j + 1]:
                if q == b_starts[j + 1] or (p < a_starts[i + 1] and a_columns[p] < b_columns[q]):
                    difference = a[p]
                    p += 1
                elif p == a_starts[i + 1] or b_columns[q] < a_columns[p]:
                    difference = b[q]
                    q += 1
                else:
                    difference = a[p] - b[q]
                    p += 1
                    q += 1
                part = abs(difference) * first * second
                total += part if norm == 1 else part * part
            out[i, j] = total
