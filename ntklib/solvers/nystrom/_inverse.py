r"""The inverse of A + penalty, A the sums of squares of centred features.

An eigendecomposition has it for every penalty, a Cholesky factor for one, at a tenth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular
from scipy.linalg.lapack import dpotrf, dtrtri

from ntklib._core.progress import step

__all__ = ["CentreSpectrum", "CentreTriangle", "factored", "inverse_values"]

SAFE = 100.0
"""Penalty over the rounding of A from which a Cholesky factor is as good as an eigendecomposition."""


def inverse_values(values: NDArray, penalties: NDArray | list[float]) -> NDArray:
    """1 / (s^2 + penalty), a column a penalty; 0 where s is: there the targets have no part."""
    shifted = values[:, None] + penalties
    return np.divide(1.0, shifted, out=np.zeros_like(shifted), where=values[:, None] > 0)


@dataclass(frozen=True)
class CentreSpectrum:
    """Eigendecomposition A = V diag(values) V^T.

    Attributes
    ----------
    values : ndarray of shape (M,)
        0 where rounding leaves nothing else: such directions are left out, the answer of least norm.
    vectors : ndarray of shape (M, M)
    """

    values: NDArray
    vectors: NDArray

    @classmethod
    def of(cls, matrix: NDArray) -> CentreSpectrum:
        """Decompose a matrix, its lower triangle, in its memory."""
        with step(f"eigendecomposition for {len(matrix):,} centres"):
            values, vectors = eigh(matrix, lower=True, overwrite_a=True, check_finite=False, driver="evd")
        return cls(np.where(values > _rounding(len(values), values.max(initial=0.0)), values, 0.0), vectors)

    def solve(self, rhs: NDArray, penalty: float) -> NDArray:
        """(A + penalty)^{-1} rhs."""
        return self.vectors @ (inverse_values(self.values, [penalty]) * (self.vectors.T @ rhs))

    def trace(self, penalty: float) -> float:
        """Trace of (A + penalty)^{-1} A."""
        return float(self.values @ inverse_values(self.values, [penalty])[:, 0])

    def half(self, rhs: NDArray, penalty: float) -> NDArray:
        """A root H of penalty (A + penalty)^{-1} = H^T H, times rhs."""
        shrunk = np.ones_like(self.values)
        np.divide(penalty, self.values + penalty, out=shrunk, where=self.values > 0)
        return np.sqrt(shrunk)[:, None] * (self.vectors.T @ rhs)


@dataclass(frozen=True)
class CentreTriangle:
    """Cholesky factor of A + penalty, for this penalty.

    Attributes
    ----------
    penalty : float
    triangle : ndarray of shape (M, M)
        Lower; Fortran order.
    """

    penalty: float
    triangle: NDArray

    def solve(self, rhs: NDArray, penalty: float) -> NDArray:
        """(A + penalty)^{-1} rhs."""
        return self._solved(self._solved(rhs), trans=1)

    def trace(self, penalty: float) -> float:
        """Trace of (A + penalty)^{-1} A."""
        inverse = dtrtri(self.triangle, lower=1)[0]
        return len(inverse) - penalty * float(np.einsum("ij,ij->", inverse, inverse))

    def half(self, rhs: NDArray, penalty: float) -> NDArray:
        """A root H of penalty (A + penalty)^{-1} = H^T H, times rhs."""
        return np.sqrt(penalty) * self._solved(rhs)

    def _solved(self, rhs: NDArray, trans: int = 0) -> NDArray:
        return solve_triangular(self.triangle, rhs, lower=True, trans=trans, check_finite=False)


def factored(matrix: NDArray, penalty: float) -> CentreTriangle | None:
    """Cholesky factor at a penalty in the memory of a matrix; None where the penalty is near its rounding."""
    diagonal = np.einsum("ii->i", matrix)
    if not penalty > SAFE * _rounding(len(matrix), diagonal.sum()):
        return None
    diagonal += penalty
    triangle, info = dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
    return CentreTriangle(penalty, triangle) if info == 0 else None


def _rounding(size: int, largest: float) -> float:
    return size * float(np.finfo(np.float64).eps) * float(largest)
