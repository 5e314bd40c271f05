r"""Whitened features of rows on centres.

With :math:`K_{MM} = L L^T` of the centres, :math:`\phi(x) = L^{-1} k(C, x)` has
:math:`\phi(x) \cdot \phi(z) = Q(x, z)`, the Nystrom approximation of the kernel.

Two things are done to kernel values for the sake of digits and time.  Their means over the centres are taken
off before the triangular solve, whose rounding errors would be those of large numbers.  And what some leading
centres leave of the others is often nearly uncorrelated: then tiles are solved with L's leading columns only,
the others are diagonal, and their sums are whitened in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.blas import dtrmm
from scipy.linalg.lapack import dpstrf, dtrtri

from ._pivots import check_finite, not_definite
from ._sums import RowSums

__all__ = ["Basis", "make_basis"]

LEAST_LEAD = 128
"""Fewest leading centres."""

MAGNIFIED = 1.5
"""Largest magnification of a tile's rounding errors."""


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
    means : ndarray of shape (M,)
        Taken off the kernel values; 0, or nearly their means over the centres.
    offset : ndarray of shape (M,)
        L^{-1} means, which that takes off the features.
    lead : int
        Columns of L that tiles are solved with.
    rest : ndarray of shape (M - lead, M - lead)
        What whitens the other features of a tile, in float64: lower.
    spread : ndarray of shape (M - lead,)
        Roots of the diagonal of what the leading centres leave of the others.
    cross : callable
        Kernel matrix of two sets of rows.
    diagonal : callable
        Kernel of every row with itself.
    """

    centres: Any
    kept: NDArray
    triangle: NDArray
    means: NDArray
    offset: NDArray
    lead: int
    rest: NDArray
    spread: NDArray
    cross: Callable[[Any, Any], NDArray]
    diagonal: Callable[[Any], NDArray]

    def kernel(self, X: Any, dtype: Any) -> NDArray:
        """Kernel values of rows and centres, shape (n, M), computed in the given precision."""
        values = self.cross(X.astype(dtype, copy=False), self.centres.astype(dtype, copy=False))
        return np.asarray(values, dtype=dtype)

    def unwhitened(self, coefficients: NDArray) -> NDArray:
        """Coefficients of a tile's features, of those of phi - offset."""
        return np.vstack([coefficients[: self.lead], self.rest.T @ coefficients[self.lead :]])

    def whiten_sums(self, sums: RowSums) -> RowSums:
        """Turn sums over features of tiles into those over phi - offset, and return them."""
        lead = self.lead
        if lead < len(self.means):
            squares, block = sums.squares, sums.squares[lead:, lead:]
            squares[lead:, :lead] = self._rest_times(squares[lead:, :lead])
            half = self._rest_times(np.tril(block) + np.tril(block, -1).T)
            squares[lead:, lead:] = self._rest_times(half.T)
            sums.products[lead:] = self._rest_times(sums.products[lead:])
            sums.features[lead:] = self.rest @ sums.features[lead:]
        return sums

    def _rest_times(self, values: NDArray) -> NDArray:
        return dtrmm(1.0, self.rest, np.array(values, order="F"), lower=1, overwrite_b=1)

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
    if matrix.diagonal().min() < 0:
        raise not_definite()
    tolerance = len(matrix) * np.finfo(np.float64).eps * float(matrix.diagonal().max())
    factor, order, rank, _ = dpstrf(matrix, lower=1, tol=tolerance, overwrite_a=1)
    if rank == 0 or not matrix.diagonal().max() > 0:
        raise ValueError("the kernel is 0 on the centres: nothing but a constant can be fitted on them.")
    kept = np.asarray(order[:rank], dtype=np.intp) - 1
    triangle = np.asfortranarray(np.tril(factor[:rank, :rank]))
    means = np.zeros(rank)
    if centred:  # phi of a centre is its row of L
        mantissa, exponent = np.frexp(triangle @ triangle.mean(axis=0))
        # of few bits, so that what is taken off is the same in all precisions
        means = np.ldexp(mantissa.astype(np.float32).astype(np.float64), exponent)
    offset = solve_triangular(triangle, means, lower=True, check_finite=False)
    lead, rest, spread = _lead(triangle)
    return Basis(centres[kept], kept, triangle, means, offset, lead, rest, spread, cross, diagonal)


def _lead(triangle: NDArray) -> tuple[int, NDArray, NDArray]:
    """Least number of leading columns that suffices; what whitens the others, and their spreads.

    Rounding errors of a tile's other features, alike and independent, are magnified by the norms of the rows
    of what whitens them.
    """
    M = len(triangle)
    inverse = dtrtri(triangle, lower=1)[0]
    lead = LEAST_LEAD
    while 2 * lead <= M:
        spread = np.linalg.norm(triangle[lead:, lead:], axis=1)
        rest = np.asfortranarray(inverse[lead:, lead:] * spread)  # the inverse's block is that of the block
        if np.linalg.norm(rest, axis=1).max() <= MAGNIFIED:
            return lead, rest, spread
        lead *= 2
    return M, np.empty((0, 0)), np.empty(0)
