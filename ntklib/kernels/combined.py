"""Sums, products and powers of kernels, of NumPy arrays and of arrays of other libraries.

Those of scikit-learn make NumPy arrays of a constant whatever the rows are, and adding one to an array of
another library fails or leaves its device. Kernels of this package are combined into the classes here, which
are scikit-learn's with constants in the library of the rows.
"""

from __future__ import annotations

from typing import Any

from sklearn.gaussian_process.kernels import ConstantKernel, Exponentiation, Kernel, Product, Sum

from ntklib._core.namespaces import device, namespace_of
from ntklib._core.tokens import Tokened

from .array_api import check_array_rows, refuse_gradient, result_type

__all__ = ["Combinable", "kernel_diagonal", "kernel_matrix"]


class Combinable:
    """Mixin of kernels whose sums, products and powers take arrays of other libraries."""

    def __add__(self, other: Any) -> Any:
        return CombinedSum(self, _kernel(other))

    def __radd__(self, other: Any) -> Any:
        return CombinedSum(_kernel(other), self)

    def __mul__(self, other: Any) -> Any:
        return CombinedProduct(self, _kernel(other))

    def __rmul__(self, other: Any) -> Any:
        return CombinedProduct(_kernel(other), self)

    def __pow__(self, exponent: Any) -> Any:
        return CombinedPower(self, exponent)


class _Combined(Combinable, Tokened):
    """Base of combinations: scikit-learn's of NumPy rows, ours of others."""

    _plain: Any

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        if namespace_of(X, Y) is None:
            return super().__call__(X, Y, eval_gradient=eval_gradient)  # type: ignore[misc]
        refuse_gradient(eval_gradient)
        return kernel_matrix(self, X, Y)

    def diag(self, X: Any) -> Any:
        return super().diag(X) if namespace_of(X) is None else kernel_diagonal(self, X)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        """Say if the other is the same combination of the same kernels, this package's or scikit-learn's."""
        if not isinstance(other, self._plain):
            return False
        parts = [one.get_params(deep=False) for one in (self, other)]  # type: ignore[union-attr]
        return bool(self._plain(**parts[0]) == self._plain(**parts[1]))

    __hash__ = None  # type: ignore[assignment]


class CombinedSum(_Combined, Sum):
    """Sum of two kernels."""

    _plain = Sum


class CombinedProduct(_Combined, Product):
    """Product of two kernels."""

    _plain = Product


class CombinedPower(_Combined, Exponentiation):
    """Power of a kernel."""

    _plain = Exponentiation


def kernel_matrix(kernel: Any, X: Any, Y: Any = None) -> Any:
    """Kernel matrix of two sets of rows; of arrays of other libraries, in theirs and on their device.

    Parameters
    ----------
    kernel : Kernel
        Of rows of other libraries, one of this package, or a sum, product or power of these and of
        scikit-learn's ``ConstantKernel``, whichever way it was put together.
    X, Y : array of shape (n, d) and (m, d)
        Y is X if None.

    Returns
    -------
    array of shape (n, m)

    Raises
    ------
    TypeError
        If the kernel takes NumPy arrays only.
    """
    if (xp := namespace_of(X, Y)) is None:
        return kernel(X, Y)
    check_array_rows(xp, X, Y)
    other = X if Y is None else Y
    constant = (X.shape[0], other.shape[0]), result_type(xp, X, other), device(X)
    return _combine(kernel, lambda leaf: leaf(X, Y), constant, xp)


def kernel_diagonal(kernel: Any, X: Any) -> Any:
    """Kernel of every row with itself, shape (n,); as `kernel_matrix` has it."""
    if (xp := namespace_of(X)) is None:
        return kernel.diag(X)
    check_array_rows(xp, X, None)
    return _combine(kernel, lambda leaf: leaf.diag(X), ((X.shape[0],), X.dtype, device(X)), xp)


def _combine(kernel: Any, value: Any, constant: tuple[Any, Any, Any], xp: Any) -> Any:
    """Put the values of a kernel's parts together; constants have a shape, a type and a device."""
    if isinstance(kernel, Sum):
        return _combine(kernel.k1, value, constant, xp) + _combine(kernel.k2, value, constant, xp)
    if isinstance(kernel, Product):
        return _combine(kernel.k1, value, constant, xp) * _combine(kernel.k2, value, constant, xp)
    if isinstance(kernel, Exponentiation):
        return _combine(kernel.kernel, value, constant, xp) ** float(kernel.exponent)
    if isinstance(kernel, ConstantKernel):
        shape, dtype, place = constant
        return xp.full(shape, float(kernel.constant_value), dtype=dtype, device=place)
    if isinstance(kernel, Combinable):
        return value(kernel)
    raise TypeError(
        "arrays of other libraries have the kernels NTK, NNGP, ArcCosine and Laplace, and their sums, "
        f"products and powers with constants, got {kernel!r}: convert the rows, numpy.asarray(X)."
    )


def _kernel(value: Any) -> Kernel:
    return value if isinstance(value, Kernel) else ConstantKernel(value)
