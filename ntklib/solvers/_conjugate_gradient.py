r"""Conjugate gradients on :math:`K + \lambda W^{-1}` without the matrix.

The symmetric Gram matrix is computed tile by tile in every iteration; each tile is used twice and never
stored.  The preconditioner is :math:`F F^T + \lambda W^{-1}`, F a randomly pivoted Cholesky factor.

With r the residual of coefficients a, the function f they make and the exact solution f* differ by at most

.. math:: |f - f^*|_H \le |W^{1/2} r| / (2 \sqrt\lambda), \qquad |W^{1/2} (f - f^*)(X)| \le |W^{1/2} r| .
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from ntklib._core.blocks import row_blocks
from ntklib._core.threads import parallel_for

__all__ = ["Iterations", "TiledGram", "conjugate_gradients"]

TILE = 2048
"""Rows of a strip of tiles, constant: sums do not depend on threads or memory."""


class TiledGram:
    """Symmetric Gram matrix as a linear operator.

    Parameters
    ----------
    cross : callable
        Kernel matrix of two sets of rows, or of one with itself.
    X : array or CSR matrix of shape (n, d)
    """

    def __init__(self, cross: Callable[..., NDArray], X: Any) -> None:
        self.cross, self.X, self.n = cross, X, X.shape[0]
        self.products = 0

    def __matmul__(self, v: NDArray) -> NDArray:
        """Return K v for v of shape (n, k), summed in float64."""
        self.products += 1
        strips = list(row_blocks(self.n, TILE))
        own: list[Any] = [None] * len(strips)
        above: list[Any] = [None] * len(strips)

        def multiply(index: int) -> None:
            rows = strips[index]
            mine = np.asarray(self.cross(self.X[rows]), dtype=np.float64) @ v[rows]
            others = np.empty((rows.start, v.shape[1]))
            for columns in strips[:index]:
                tile = np.asarray(self.cross(self.X[rows], self.X[columns]), dtype=np.float64)
                mine += tile @ v[columns]
                others[columns] = tile.T @ v[rows]
            own[index], above[index] = mine, others

        # the last strips are the longest
        parallel_for(multiply, reversed(range(len(strips))))
        result = np.vstack(own)
        for others in above:
            result[: len(others)] += others
        return result


@dataclass(frozen=True)
class Iterations:
    """Outcome of conjugate gradients.

    Attributes
    ----------
    value : ndarray of shape (n, k)
        Coefficients.
    iterations : int
    converged : bool
    residual : ndarray of shape (k,)
        |W^{1/2} r| of each column, of residuals computed anew at the end.
    relative : float
        Largest of these over |W^{1/2} b|.
    """

    value: NDArray
    iterations: int
    converged: bool
    residual: NDArray
    relative: float


def conjugate_gradients(
    gram: TiledGram,
    rhs: NDArray,
    penalty: float,
    *,
    factor: NDArray,
    weights: NDArray | None = None,
    tol: float,
    max_iter: int,
    each: Callable[[int, float], None] | None = None,
) -> Iterations:
    """Solve (K + penalty W^{-1}) a = rhs for all columns at once.

    Parameters
    ----------
    gram : TiledGram
    rhs : ndarray of shape (n, k)
    penalty : float
        Positive.
    factor : ndarray of shape (n, rank)
        F of the preconditioner.
    weights : ndarray of shape (n,) or None, default=None
    tol : float
        Goal for the relative residual, in the norm weighted by W.
    max_iter : int
    each : callable or None, default=None
        Receives the number of iterations done and the largest relative residual.

    Returns
    -------
    Iterations
    """
    w = np.ones(gram.n) if weights is None else weights
    w = w[:, None]
    weighted = w * factor
    inner = cho_factor(factor.T @ weighted + penalty * np.eye(factor.shape[1]), lower=True)

    def precondition(r: NDArray) -> NDArray:
        return (w * r - weighted @ cho_solve(inner, weighted.T @ r)) / penalty

    def size(r: NDArray) -> NDArray:
        return np.sqrt((w * r * r).sum(axis=0))

    goal = size(rhs)
    goal[goal == 0] = 1.0
    a = precondition(rhs)
    r = rhs - gram @ a - penalty * a / w
    done = 0
    while True:  # a restart, where the recurrence has drifted from the true residual
        z = precondition(r)
        p, rz = z.copy(), (r * z).sum(axis=0)
        while done < max_iter and (relative := float((size(r) / goal).max())) > tol:
            if each is not None:
                each(done, relative)
            q = gram @ p + penalty * p / w
            curvature = (p * q).sum(axis=0)
            step = np.divide(rz, curvature, out=np.zeros_like(rz), where=curvature > 0)
            a += step * p
            r -= step * q
            z = precondition(r)
            before, rz = rz, (r * z).sum(axis=0)
            p = z + np.divide(rz, before, out=np.zeros_like(rz), where=before > 0) * p
            done += 1
        r = rhs - gram @ a - penalty * a / w
        residual = size(r)
        relative = float((residual / goal).max())
        if relative <= tol or done >= max_iter:
            return Iterations(a, done, relative <= tol, residual, relative)
