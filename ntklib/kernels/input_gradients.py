"""Gradients of kernel expansions in the inputs, of our kernels and of what scikit-learn makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    Exponentiation,
    Kernel,
    Product,
    Sum,
    WhiteKernel,
)

from ntklib._core.blocks import require_memory, row_blocks, working_memory
from ntklib._core.validation import check_rows, check_same_features

__all__ = ["InputGradients", "expansion_gradients", "gradient_x", "is_composed"]


def gradient_x(kernel: Kernel, X: Any, Y: Any, weights: Any) -> NDArray:
    r"""Gradients of a kernel expansion in its inputs.

    .. math:: \nabla f(x_i), \qquad f(x) = \sum_j w_j K(x, y_j)

    Parameters
    ----------
    kernel : Kernel
        An `NTK`, `NNGP`, `ArcCosine`, `Laplace` or `Scaled`, or a sum, product or power of these and of
        scikit-learn's ``ConstantKernel`` and ``WhiteKernel``, which is 0 between two matrices.
    X : array-like or CSR matrix of shape (n, d)
    Y : array-like or CSR matrix of shape (m, d)
    weights : array-like of shape (m,) or (m, k)
        A column for each of k functions.

    Returns
    -------
    ndarray of shape (n, d) or (n, d, k)
        Dense; float32 if X and Y are.

    Raises
    ------
    TypeError
        If the kernel has no gradients in the inputs.
    ValueError
        If shapes do not match or a number is not finite.

    Notes
    -----
    Where K(x, y_j) has a kink, as most kernels do at x = y_j, its derivative is the mean of the slopes from
    opposite sides. A kernel that jumps at a row of zeros (steps without a bias, normalized kernels without
    one) has no derivative there: it counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import Laplace, gradient_x
    >>> X, Y = np.array([[0.5, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> gradient_x(Laplace(norm=2) + Laplace(), X, Y, [1.0, 0.0]).round(3)
    array([[-1.213,  0.   ]])
    """
    X, Y = check_rows(X), check_rows(Y, "Y")
    check_same_features(X, Y)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim not in (1, 2) or weights.shape[0] != Y.shape[0] or 0 in weights.shape:
        raise ValueError(
            f"weights must have the shape (m,) or (m, k) with a row for each of the {Y.shape[0]} rows of Y; "
            f"got {weights.shape}."
        )
    if not np.isfinite(weights).all():
        raise ValueError("weights must be finite numbers; got NaN or infinity.")
    columns = weights.reshape(len(weights), -1).T[:, None]
    k, (n, d), dtype = len(columns), X.shape, np.result_type(X.dtype, Y.dtype)
    require_memory((n, d, k), dtype, "array of gradients", "use fewer columns of weights")
    out = np.empty((n, d, k), dtype)
    width = k * (Y.shape[0] + 2 * d) if is_composed(kernel) else k * d
    for rows in row_blocks(n, max(1, working_memory() // (8 * width))):
        out[rows] = np.moveaxis(expansion_gradients(kernel, X[rows], Y, columns), 0, 2)
    return out[:, :, 0] if weights.ndim == 1 else out


class InputGradients:
    """Mixin of kernels that have gradients in the inputs."""

    def gradient_x(self, X: Any, Y: Any, weights: Any) -> NDArray:
        r"""Return the gradients of :math:`f(x) = \sum_j w_j K(x, y_j)` in x at the rows of X.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, d)
        Y : array-like or CSR matrix of shape (m, d)
        weights : array-like of shape (m,) or (m, k)

        Returns
        -------
        ndarray of shape (n, d) or (n, d, k)

        See Also
        --------
        ntklib.kernels.gradient_x : The same for sums, products and powers of kernels, with the details.
        """
        return gradient_x(self, X, Y, weights)  # type: ignore[arg-type]

    def _expansion_gradient(self, X: Any, Y: Any, weights: NDArray) -> NDArray:
        """Return gradients (k, n, d) of sum_j weights[p, i, j] K(x_i, y_j); (k, 1, m) holds for all i."""
        raise NotImplementedError  # pragma: no cover


def is_composed(kernel: Any) -> bool:
    """Say if gradients need weights of pairs."""
    return isinstance(kernel, (Sum, Product, Exponentiation)) or getattr(kernel, "_composed", False)


def expansion_gradients(kernel: Any, X: Any, Y: Any, weights: NDArray) -> NDArray:
    """Return gradients (k, n, d) at checked rows, for weights (k, n, m) or (k, 1, m)."""
    if isinstance(kernel, InputGradients):
        return kernel._expansion_gradient(X, Y, weights)
    if isinstance(kernel, Sum):
        return expansion_gradients(kernel.k1, X, Y, weights) + expansion_gradients(kernel.k2, X, Y, weights)
    if isinstance(kernel, Product):
        return _factor(kernel.k1, X, Y, weights, kernel.k2) + _factor(kernel.k2, X, Y, weights, kernel.k1)
    if isinstance(kernel, Exponentiation):
        power = kernel.exponent
        with np.errstate(divide="ignore"):
            slope = power * np.asarray(kernel.kernel(X, Y), dtype=np.float64) ** (power - 1)
        return expansion_gradients(kernel.kernel, X, Y, _times(weights, slope))
    if isinstance(kernel, (ConstantKernel, WhiteKernel)):
        return np.zeros((len(weights), *X.shape))
    raise TypeError(
        f"{kernel!r} has no gradients in the inputs: give an NTK, NNGP, ArcCosine or Laplace kernel, or "
        "sums, products and powers of these and of constants."
    )


def _factor(kernel: Any, X: Any, Y: Any, weights: NDArray, other: Any) -> NDArray:
    """Part of a product's gradients that one factor has, the other one being constant."""
    if isinstance(kernel, (ConstantKernel, WhiteKernel)):
        return np.zeros((len(weights), *X.shape))
    if isinstance(other, ConstantKernel):
        return expansion_gradients(kernel, X, Y, weights * other.constant_value)
    return expansion_gradients(kernel, X, Y, _times(weights, np.asarray(other(X, Y), dtype=np.float64)))


def _times(weights: NDArray, values: NDArray) -> NDArray:
    """Weights times values, those beyond the floats as the largest float: 0 times it is 0."""
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        return np.clip(weights * np.clip(values, -largest, largest), -largest, largest)
