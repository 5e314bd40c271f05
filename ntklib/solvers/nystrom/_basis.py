r"""Whitened features of rows on centres.

With :math:`K_{MM} = L L^T` of the centres, :math:`\phi(x) = L^{-1} k(C, x)` has
:math:`\phi(x) \cdot \phi(z) = Q(x, z)`, the Nystrom approximation of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.blas import dtrsm, strsm
from scipy.linalg.lapack import dpstrf

from ._pivots import check_finite

__all__ = ["Basis", "make_basis"]


@dataclass(frozen=True)
class Basis:
    """Centres and the triangle that whitens kernel values on them.

    Attributes
    ----------
    centres : array or CSR matrix of shape (M, d)
    kept : ndarray of int, shape (M,)
        Their places among the centres that were given: those that depend on others are left out.
    triangle : ndarray of shape (M, M)
        L, lower; Fortran order.
    offset : ndarray of shape (M,)
        Taken off the features: where they are large beside their spread, sums of their squares lose digits.
    cross : callable
        Kernel matrix of two sets of rows.
    diagonal : callable
        Kernel of every row with itself.
    """

    centres: Any
    kept: NDArray
    triangle: NDArray
    offset: NDArray
    cross: Callable[[Any, Any], NDArray]
    diagonal: Callable[[Any], NDArray]

    def kernel(self, X: Any, dtype: Any) -> NDArray:
        """Kernel values of rows and centres, shape (n, M), computed in the given precision."""
        values = self.cross(X.astype(dtype, copy=False), self.centres.astype(dtype, copy=False))
        return np.asarray(values, dtype=dtype)

    def features(self, X: Any, dtype: Any) -> NDArray:
        """Return phi(x) - offset, one column a row: shape (M, n), Fortran order."""
        values = self.kernel(X, dtype)
        if not values.flags.c_contiguous or not values.flags.owndata:
            values = np.array(values, order="C")
        solve = strsm if values.dtype == np.float32 else dtrsm
        whitened = solve(1.0, self.triangle.astype(dtype, copy=False), values.T, lower=1, overwrite_b=1)
        whitened -= self.offset.astype(dtype)[:, None]
        return whitened

    def coefficients(self, w: NDArray) -> NDArray:
        """Coefficients a of the centres with k(x, C) a = phi(x) . w."""
        return solve_triangular(self.triangle, w, lower=True, trans=1, check_finite=False)


def make_basis(
    cross: Callable[[Any, Any], NDArray], diagonal: Callable[[Any], NDArray], centres: Any, *, centred: bool
) -> Basis:
    """Whiten the kernel on centres, without those that depend on others to working precision.

    Parameters
    ----------
    cross, diagonal : callable
    centres : array or CSR matrix of shape (M, d)
    centred : bool
        Take off the mean over the centres.

    Returns
    -------
    Basis

    Raises
    ------
    ValueError
        If the kernel is 0 on the centres, or not finite.
    """
    double = centres.astype(np.float64, copy=False)
    matrix = np.array(cross(double, double), dtype=np.float64, order="F")
    check_finite(matrix)
    tolerance = len(matrix) * np.finfo(np.float64).eps * float(matrix.diagonal().max())
    factor, order, rank, _ = dpstrf(matrix, lower=1, tol=tolerance, overwrite_a=1)
    if rank == 0 or not matrix.diagonal().max() > 0:
        raise ValueError("the kernel is 0 on the centres: nothing but a constant can be fitted on them.")
    kept = np.asarray(order[:rank], dtype=np.intp) - 1
    triangle = np.asfortranarray(np.tril(factor[:rank, :rank]))
    # phi of a centre is its row of L
    offset = triangle.mean(axis=0) if centred else np.zeros(rank)
    return Basis(centres[kept], kept, triangle, offset, cross, diagonal)
