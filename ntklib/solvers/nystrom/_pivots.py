r"""Randomly pivoted Cholesky factors of kernel matrices.

With the residual :math:`d_i = K_{ii} - |F_i|^2`, a pivot is drawn with probability :math:`d_i / \sum d`,
and its residual column, scaled, is the next column of :math:`F`, so that :math:`K \approx F F^T`.  Many
pivots are proposed at once and accepted by rejection sampling, which gives the same law.

References
----------
Y. Chen, E. N. Epperly, J. A. Tropp and R. J. Webber (2023), "Randomly pivoted Cholesky"; E. N. Epperly,
J. A. Tropp and R. J. Webber (2024), "Embrace rejection: kernel matrix approximation by accelerated randomly
pivoted Cholesky".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky

from ntklib._core.blas import solve_lower
from ntklib._core.blocks import row_blocks
from ntklib._core.threads import parallel_for

__all__ = ["PivotedCholesky", "check_finite", "not_definite", "pivoted_cholesky"]

ROWS = 2048  # of a block that one thread updates
ROUNDING = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class PivotedCholesky:
    """Partial Cholesky factor of a kernel matrix.

    Attributes
    ----------
    pivots : ndarray of int, shape (rank,)
        Rows in the order in which they were drawn.
    factor : ndarray of shape (n, rank)
        F with K ~ F F^T; exact on the rows and columns of the pivots.
    trace : float
        Trace of K.
    residual : float
        Trace of K - F F^T.
    """

    pivots: NDArray
    factor: NDArray
    trace: float
    residual: float


def pivoted_cholesky(
    cross: Callable[[Any, Any], NDArray],
    diagonal: NDArray,
    X: Any,
    rank: int,
    *,
    rng: np.random.Generator,
    block: int | None = None,
    each: Callable[[int], object] | None = None,
) -> PivotedCholesky:
    """Compute a randomly pivoted Cholesky factor.

    Parameters
    ----------
    cross : callable
        Kernel matrix of two sets of rows.
    diagonal : ndarray of shape (n,)
        K(x, x) for every row.
    X : array or CSR matrix of shape (n, d)
    rank : int
        Number of pivots at most.
    rng : numpy.random.Generator
    block : int or None, default=None
        Pivots proposed at once; None is a quarter of the rank, 1 is the plain algorithm.
    each : callable or None, default=None
        Receives the number of pivots as it grows.

    Returns
    -------
    PivotedCholesky
        With fewer pivots if nothing else is left of K.

    Raises
    ------
    ValueError
        If values are NaN or infinite, or K is not positive semidefinite on the pivots (LinAlgError).
    """
    diagonal = np.asarray(diagonal, dtype=np.float64)
    check_finite(diagonal)
    if len(diagonal) and diagonal.min() < -ROUNDING * diagonal.max():
        raise not_definite()
    n = len(diagonal)
    rank = min(rank, n)
    block = max(1, -(-rank // 4)) if block is None else block
    left, trace = diagonal.copy(), float(diagonal.sum())
    factor = np.empty((n, rank))
    pivots: list[int] = []
    floor = ROUNDING * trace
    while len(pivots) < rank and (total := left.sum()) > floor:
        # sorted lists of unique proposals would be biased: they are taken in the order drawn
        proposed = rng.choice(n, size=block, p=left / total)
        done = len(pivots)
        base = factor[proposed, :done]
        residual = np.asarray(cross(X[proposed], X[proposed]), dtype=np.float64) - base @ base.T
        check_finite(residual)
        accepted = _accept(residual, left[proposed], rng)[: rank - done]
        if not accepted:  # all that is left of these rows is rounding
            left[proposed] = np.minimum(left[proposed], np.maximum(residual.diagonal(), 0.0))
            left[proposed[left[proposed] <= ROUNDING * diagonal[proposed]]] = 0.0
            continue
        new = proposed[accepted]
        try:
            triangle = np.asfortranarray(cholesky(residual[np.ix_(accepted, accepted)], lower=True))
        except LinAlgError:
            raise not_definite() from None
        columns, known = slice(done, done + len(new)), factor[new, :done].T

        def extend(rows: slice, new=new, done=done, columns=columns, triangle=triangle, known=known) -> None:
            # kernels may keep what they return
            part = np.array(cross(X[rows], X[new]), dtype=np.float64, order="C")
            part -= factor[rows, :done] @ known
            solve_lower(triangle, part.T)
            factor[rows, columns] = part
            left[rows] = np.maximum(left[rows] - np.einsum("ij,ij->i", part, part), 0.0)

        parallel_for(extend, row_blocks(n, ROWS))
        left[new] = 0.0
        pivots += new.tolist()
        if each is not None:
            each(len(pivots))
    return PivotedCholesky(
        np.array(pivots, dtype=np.intp), factor[:, : len(pivots)], trace, float(left.sum())
    )


def check_finite(values: NDArray) -> None:
    """Refuse kernel values that are NaN or infinite."""
    if not np.isfinite(values).all():
        raise ValueError(
            "the kernel is NaN or infinite on some rows: scale the features, as StandardScaler does."
        )


def not_definite() -> LinAlgError:
    """Return the error of a kernel that is no inner product."""
    return LinAlgError(
        "the kernel is not positive semidefinite on these rows: it is not a positive definite function, or "
        "not symmetric."
    )


def _accept(residual: NDArray, proposal: NDArray, rng: np.random.Generator) -> list[int]:
    """Positions of the accepted proposals: each with what is left of it over what it was proposed by."""
    left, factor = residual.diagonal().copy(), np.empty_like(residual)
    accepted: list[int] = []
    scale = ROUNDING * proposal
    for j, draw in enumerate(rng.random(len(proposal))):
        if left[j] > scale[j] and draw * proposal[j] < left[j]:
            before, column = factor[: len(accepted)], factor[len(accepted)]
            column[:] = (residual[j] - before[:, j] @ before) / np.sqrt(left[j])
            left -= column**2
            accepted.append(j)
    return accepted
