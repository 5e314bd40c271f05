"""The contract of the solvers: take a Gram matrix once, solve many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from scipy.linalg.blas import dsymv

from ntklib._core.blocks import row_blocks
from ntklib._core.exponents import units

from ._records import Solution

_IN_SINGLE = 1e12  # weights up to it and down to its inverse leave numbers of float32 in its range
_FEW = 8  # columns up to which one matrix-vector product each is faster
BLOCK = 256  # rows of the strips in which triangles are walked: small beside n, large enough for BLAS


class Factorization(ABC):
    r"""A weighted Gram matrix held ready to be solved with.

    Parameters
    ----------
    gram : array of shape (n, n)
        Symmetric positive semidefinite; float32 or float64.
    weights : array of shape (n,), default=None
        Positive weights w; None is all ones. Work is done on :math:`S = W^{1/2} K W^{1/2}`, since
        :math:`(K + \lambda W^{-1})^{-1} = W^{1/2} (S + \lambda I)^{-1} W^{1/2}`.
    overwrite_gram : bool, default=False
        Work in the memory of `gram`, whose content is lost. Needs a writable, contiguous array.
    double : bool, default=False
        Convert a float32 Gram to float64 before the weights are multiplied in.

    Attributes
    ----------
    root : ndarray of shape (n,) or None
        W^{1/2}, None where all weights are 1.

    Raises
    ------
    ValueError
        If `gram` is not square, holds NaN or infinity, or if a weight is not positive and finite.
    """

    def __init__(self, gram, *, weights=None, overwrite_gram=False, double=False):
        gram = np.asarray(gram)
        if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.shape[0] == 0:
            raise ValueError(f"gram must be a square matrix with at least one row, got shape {gram.shape}.")
        if gram.dtype not in (np.float32, np.float64):
            gram, overwrite_gram = gram.astype(np.float64), True
        if weights is not None:
            weights = np.asarray(weights, dtype=np.float64)
            if weights.shape != (len(gram),) or not (np.isfinite(weights).all() and weights.min() > 0):
                raise ValueError(
                    f"weights must be {len(gram)} positive finite numbers; leave out samples of weight 0."
                )
            double = double or weights.min() < 1 / _IN_SINGLE or weights.max() > _IN_SINGLE
        self.dtype = gram.dtype  # the precision of the entries, whatever they are held in
        if double and gram.dtype == np.float32:
            gram, overwrite_gram = gram.astype(np.float64), True
        self._matrix = self._own(gram, overwrite_gram)
        self.root: np.ndarray | None = None
        if weights is not None:
            self.root = np.sqrt(weights)
            root = self.root.astype(self._matrix.dtype)
            self._matrix *= root[:, None]
            self._matrix *= root
        self.n = len(gram)

    @staticmethod
    def _own(gram: np.ndarray, overwrite: bool) -> np.ndarray:
        """A Fortran-ordered array to work in: `gram`'s own memory (its transposed view) where allowed."""
        if overwrite and gram.flags.writeable and gram.flags.forc:
            return gram if gram.flags.f_contiguous else gram.T
        return np.array(gram.T, order="F") if gram.flags.c_contiguous else np.array(gram, order="F")

    @abstractmethod
    def at(self, penalty: float) -> Factorization:
        """The factorisation to solve with at this penalty: this one, or one that bears a singular system."""

    @abstractmethod
    def solve(self, rhs, penalty: float) -> Solution:
        """Solve (K + penalty W^{-1}) a = rhs for one or many right-hand sides, shape (n,) or (n, k)."""

    @abstractmethod
    def half_solve(self, rhs, penalty: float) -> np.ndarray:
        """Columns whose inner products are rhs^T (K + penalty W^{-1})^{-1} rhs."""

    blur = float(np.finfo(np.float64).eps)
    """Square of the angle by which the null space may be in error."""

    def null_space(self, penalty: float) -> np.ndarray:
        """Orthonormal basis of what S does not reach, (n, n - rank); empty where the system is regular."""
        return np.empty((self.n, 0))

    @abstractmethod
    def inverse_diagonal(self, penalty: float) -> np.ndarray:
        """Diagonal of (K + penalty W^{-1})^{-1}, shape (n,)."""

    @abstractmethod
    def path(self, rhs, penalties) -> Iterator[tuple[Factorization, np.ndarray, np.ndarray]]:
        """At each penalty in turn: the factorisation to solve with, the solution and the inverse diagonal."""

    def _weigh(self, rhs: np.ndarray) -> np.ndarray:
        """W^{1/2} rhs, float64 and two-dimensional: into the scaled system, or back out of it."""
        rhs = np.asarray(rhs, dtype=np.float64)
        rhs = rhs[:, None] if rhs.ndim == 1 else rhs
        if len(rhs) != self.n:
            raise ValueError(f"the right-hand side has {len(rhs)} rows, the Gram matrix {self.n}.")
        return rhs if self.root is None else self.root[:, None] * rhs


def check_penalty(penalty: float) -> float:
    """A finite, nonnegative float."""
    penalty = float(penalty)
    if not (np.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"a penalty must be finite and nonnegative, got {penalty}.")
    return penalty


def relative_residual(residual: np.ndarray, rhs: np.ndarray) -> float:
    """Largest |residual column| / |rhs column|; columns of zeros count by their residual alone."""
    unit = units(rhs, axis=0)  # squares of targets of any size are representable in it
    size = np.linalg.norm(rhs / unit, axis=0)
    return float(np.max(np.linalg.norm(residual / unit, axis=0) / np.where(size > 0, size, 1.0), initial=0.0))


def upper_product(a: np.ndarray, diagonal: np.ndarray, x: np.ndarray) -> np.ndarray:
    """S @ x in float64, S given by the strict upper triangle of `a` and its diagonal."""
    if a.dtype == np.float64 and x.shape[1] <= _FEW:
        spare = (diagonal - a.diagonal())[:, None] * x  # what BLAS reads on the diagonal is not S's
        return spare + np.column_stack([dsymv(1.0, a, column, lower=0) for column in x.T])
    out = diagonal[:, None] * x
    for rows in row_blocks(len(a), BLOCK):
        square = np.triu(a[rows, rows], 1).astype(np.float64, copy=False)
        out[rows] += square @ x[rows] + square.T @ x[rows]
        strip = a[rows, rows.stop :].astype(np.float64, copy=False)
        out[rows] += strip @ x[rows.stop :]
        out[rows.stop :] += strip.T @ x[rows]
    return out


def mirror_upper(a: np.ndarray, diagonal: np.ndarray) -> None:
    """Write the strict upper triangle of `a` over the lower one, and `diagonal` between them, in place."""
    for rows in row_blocks(len(a), BLOCK):
        a[rows.stop :, rows] = a[rows, rows.stop :].T
        square = np.triu(a[rows, rows], 1)
        a[rows, rows] = square + square.T
    np.fill_diagonal(a, diagonal)
