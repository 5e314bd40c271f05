r"""Conjugate gradients on :math:`K + \lambda W^{-1}` without the matrix.

The symmetric Gram matrix is computed tile by tile in every iteration; each tile is used twice and never
stored.  The preconditioner is :math:`F F^T + \lambda W^{-1}`, F a randomly pivoted Cholesky factor.

With r the residual of coefficients a, the function f they make and the exact solution f* differ by at most

.. math:: |f - f^*|_H \le |W^{1/2} r| / (2 \sqrt\lambda), \qquad |W^{1/2} (f - f^*)(X)| \le |W^{1/2} r| .
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.exceptions import ConvergenceWarning

from ntklib._core.blocks import row_blocks
from ntklib._core.exponents import exponents, scaled_back
from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib._core.warning import warn

from ._both_products import add_both_products
from .nystrom import check_finite, not_definite, pivoted_cholesky
from .solver import ConjugateGradient

__all__ = [
    "CrossTriangle",
    "Iterations",
    "IterativeFit",
    "IterativeSolution",
    "TiledGram",
    "Triangle",
    "check_positive",
    "conjugate_gradients",
    "ridge_by_iterations",
]

EPS = float(np.finfo(np.float64).eps)
ROUNDING = 64
"""Rounding errors of a kernel value, in units of its precision, that are put up with."""

TILE = 2048
"""Rows of a strip of tiles, constant: sums do not depend on threads or memory."""


class Triangle(Protocol):
    """A symmetric matrix of n rows on and below its diagonal, in strips of rows, computed when asked for."""

    n: int
    strips: list[slice]

    def blocks(self, strip: slice) -> Iterable[tuple[slice, slice, NDArray]]:
        """Rows, columns and values of the blocks of a strip.

        Of equal rows and columns the block is symmetric, all others lie below the diagonal.
        """


class CrossTriangle:
    """Lower triangle of any kernel matrix.

    Parameters
    ----------
    cross : callable
        Kernel matrix of two sets of rows, or of one with itself.
    X : array or CSR matrix of shape (n, d)
    """

    def __init__(self, cross: Callable[..., NDArray], X: Any) -> None:
        self.cross, self.X, self.n = cross, X, X.shape[0]
        self.strips = list(row_blocks(self.n, TILE))

    def blocks(self, strip: slice) -> Iterator[tuple[slice, slice, NDArray]]:
        """Rows, columns and values of the blocks of a strip."""
        yield strip, strip, np.asarray(self.cross(self.X[strip]))
        for columns in row_blocks(strip.start, TILE):
            yield strip, columns, np.asarray(self.cross(self.X[strip], self.X[columns]))


class TiledGram:
    """Symmetric Gram matrix as a linear operator.

    Parameters
    ----------
    triangle : Triangle
    """

    def __init__(self, triangle: Triangle) -> None:
        self.triangle, self.n = triangle, triangle.n

    def __matmul__(self, v: NDArray) -> NDArray:
        """Return K v for v of shape (n, k), summed in float64."""
        vectors, strips = np.ascontiguousarray(v.T, dtype=np.float64), self.triangle.strips
        parts: list[Any] = [None] * len(strips)

        def multiply(index: int) -> None:
            sums = np.zeros((len(vectors), strips[index].stop))
            for rows, columns, block in self.triangle.blocks(strips[index]):
                add_both_products(block, rows, columns, vectors, sums)
                gauge.advance(block.size / (2 if rows == columns else 1))
            parts[index] = sums

        # the last strips are the longest
        with step("product with the kernel matrix", self.n**2 / 2) as gauge:
            parallel_for(multiply, reversed(range(len(strips))))
        total = np.zeros_like(vectors)
        for strip, sums in zip(strips, parts, strict=True):
            total[:, : strip.stop] += sums
        check_finite(total)
        return total.T


@dataclass(frozen=True)
class Iterations:
    """Outcome of conjugate gradients.

    Attributes
    ----------
    value : ndarray of shape (n, k)
        Coefficients.
    iterations : int
    converged : bool
        False after all iterations, and where rounding lets the residual fall no further.
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


@np.errstate(over="ignore", invalid="ignore")  # an error tells
def conjugate_gradients(
    gram: TiledGram,
    rhs: NDArray,
    penalty: float,
    *,
    factor: NDArray,
    weights: NDArray | None = None,
    rounding: NDArray | None = None,
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
    rounding : ndarray of shape (n,) or None, default=None
        r such that K_ij is wrong by at most r_i r_j; None is 0.
    tol : float
        Goal for the relative residual, in the norm weighted by W.
    max_iter : int
    each : callable or None, default=None
        Receives the number of iterations done and the largest relative residual.

    Returns
    -------
    Iterations

    Raises
    ------
    ValueError
        If weights and penalty leave the range of floats, or a direction of negative curvature shows that K is
        not positive semidefinite (LinAlgError).
    """
    w = np.ones(gram.n) if weights is None else weights
    w = w[:, None]
    inner = penalty * np.eye(factor.shape[1])
    for rows in row_blocks(gram.n, TILE):  # no copy of the factor
        part = np.sqrt(w[rows]) * factor[rows]
        inner += part.T @ part
    out_of_range = ValueError(
        "the preconditioner cannot be factored: alpha, the features or the sample weights are too far "
        "from 1, or from each other; scale them, or give solver='cholesky'."
    )
    try:
        inner = cho_factor(inner, lower=True, overwrite_a=True)
    except (LinAlgError, ValueError):
        raise out_of_range from None

    def precondition(r: NDArray) -> NDArray:
        return w * (r - factor @ cho_solve(inner, factor.T @ (w * r), check_finite=False)) / penalty

    def size(r: NDArray) -> NDArray:
        return np.sqrt((w * r * r).sum(axis=0))

    goal = size(rhs)
    goal[goal == 0] = 1.0
    a = precondition(rhs)
    r = rhs - gram @ a - penalty * a / w
    if not np.isfinite(size(r)).all():
        raise out_of_range
    done, before = 0, np.inf
    best = np.zeros_like(a), size(rhs), float(bool(rhs.any()))
    while True:  # a restart, where the recurrence has drifted from the true residual
        z = precondition(r)
        p, rz = z.copy(), (r * z).sum(axis=0)
        while done < max_iter and (relative := float((size(r) / goal).max())) > tol:
            if each is not None:
                each(done, relative)
            q = gram @ p + penalty * p / w
            curvature = (p * q).sum(axis=0)
            noise = 0.0 if rounding is None else (rounding @ abs(p)) ** 2
            if (curvature < -noise - gram.n * EPS * abs(p * q).sum(axis=0)).any():
                raise not_definite()
            step = np.divide(rz, curvature, out=np.zeros_like(rz), where=curvature > 0)
            if not step.any():  # nothing but rounding is left of the directions
                break
            a += step * p
            r -= step * q
            z = precondition(r)
            last, rz = rz, (r * z).sum(axis=0)
            p = z + np.divide(rz, last, out=np.zeros_like(rz), where=last > 0) * p
            done += 1
        r = rhs - gram @ a - penalty * a / w
        residual = size(r)
        relative = float((residual / goal).max())
        if not relative > best[2]:
            best = a.copy(), residual, relative
        if not tol < relative <= before / 2 or done >= max_iter:  # what restarts do not halve is rounding
            a, residual, relative = best
            return Iterations(a, done, relative <= tol, residual, relative)
        before = relative


@dataclass(frozen=True)
class IterativeSolution:
    """Record of a solve by conjugate gradients at one penalty.

    Attributes
    ----------
    outcome : {"ok", "not converged"}
    method : str
        "cg".
    penalty : float
    rank : int
        Of the preconditioner.
    iterations : int
    residual : float
        Relative residual, the largest of all targets, computed anew at the end.
    distance : float
        Bound on the weighted root mean square over the rows of the difference to the exact fit, the largest
        of all targets; in units of the targets.  With an intercept, for the same intercept.
    """

    outcome: str
    method: str
    penalty: float
    rank: int
    iterations: int
    residual: float
    distance: float

    @property
    def words(self) -> str:
        """The record in words, as estimators with ``verbose`` say it."""
        poor = "" if self.outcome == "ok" else f" ({self.outcome})"
        return (
            f"{self.iterations} iterations of conjugate gradients{poor} with a preconditioner of rank "
            f"{self.rank:,}, relative residual {self.residual:.1e}"
        )


@dataclass(frozen=True)
class IterativeFit:
    """Kernel ridge regression by conjugate gradients, one column a target.

    Attributes
    ----------
    dual_coef : ndarray of shape (n, k)
    intercept : ndarray of shape (k,)
    solutions : list of IterativeSolution
        One a distinct penalty.
    """

    dual_coef: NDArray
    intercept: NDArray
    solutions: list[IterativeSolution]


def _show(gauge: Any, tol: float) -> Callable[[int, float], None]:
    """Return a function that shows an iteration: the share of the digits that are won is what is done."""
    first: list[float] = []

    def each(done: int, relative: float) -> None:
        first[:] = first or [relative]
        share = np.log(first[0] / relative) / np.log(first[0] / tol) if first[0] > tol else 1.0
        gauge.reach(float(np.clip(share, 0, 1)), f"iteration {done + 1}, relative residual {relative:.1e}")

    return each


def check_positive(penalties: NDArray) -> None:
    """Refuse a penalty of 0."""
    if penalties.min() <= 0:
        raise ValueError("alpha must be positive for conjugate gradients; solver='cholesky' takes alpha=0.")


def ridge_by_iterations(
    cross: Callable[..., NDArray],
    diagonal: NDArray,
    X: Any,
    targets: NDArray,
    penalties: NDArray,
    solver: ConjugateGradient,
    *,
    triangle: Triangle | None = None,
    weights: NDArray | None = None,
    fit_intercept: bool = True,
) -> IterativeFit:
    """Fit every target at its penalty.

    Parameters
    ----------
    cross : callable
        Kernel matrix of two sets of rows, or of one with itself.
    diagonal : ndarray of shape (n,)
        Kernel of every row with itself.
    X : array or CSR matrix of shape (n, d)
    targets : ndarray of shape (n, k)
    penalties : ndarray of shape (k,)
        Positive.
    solver : ConjugateGradient
    triangle : Triangle or None, default=None
        The kernel matrix of X, where there is something faster than `cross`.
    weights : ndarray of shape (n,) or None, default=None
    fit_intercept : bool, default=True

    Returns
    -------
    IterativeFit

    Raises
    ------
    ValueError
        If a penalty is 0, or the kernel is not positive semidefinite on the rows (LinAlgError).
    MemoryError
        If the factor of the preconditioner cannot fit.

    Warns
    -----
    ConvergenceWarning
        If the residual is above the tolerance after all iterations.
    """
    check_positive(penalties)
    n, rank = X.shape[0], solver.count(X.shape[0])
    solver.check_rows(X)
    rng = np.random.default_rng(solver.random_state)
    with step("preconditioner", rank, "pivot") as gauge:
        factor = pivoted_cholesky(cross, diagonal, X, rank, rng=rng, each=gauge.reach).factor
    total = np.ones(n) if weights is None else weights
    powers = np.asarray(exponents(targets, axis=0))
    mean = np.average(np.ldexp(targets, -powers), axis=0, weights=weights) * fit_intercept
    rhs = np.ldexp(targets, -powers) - mean
    dual, intercept = np.empty(targets.shape), np.empty(targets.shape[1])
    rounding = np.sqrt(ROUNDING * np.finfo(X.dtype).eps * np.maximum(diagonal, 0.0))
    gram, solutions = TiledGram(triangle or CrossTriangle(cross, X)), []
    for penalty in np.unique(penalties):
        columns = np.flatnonzero(penalties == penalty)
        both = np.hstack([rhs[:, columns], np.ones((n, int(fit_intercept)))])
        with step("conjugate gradients", 1.0) as gauge:
            result = conjugate_gradients(
                gram, both, float(penalty), factor=factor, weights=weights, rounding=rounding,
                tol=solver.tol, max_iter=solver.max_iter, each=_show(gauge, solver.tol) if gauge else None,
            )  # fmt: skip
        a, level = result.value[:, : len(columns)], np.zeros(len(columns))
        if fit_intercept:
            ones = result.value[:, -1]
            level = a.sum(axis=0) / (ones.sum() or 1.0)  # 0 where nothing was better than coefficients of 0
            a = a - np.outer(ones, level)
        dual[:, columns] = scaled_back(a, powers[columns])
        intercept[columns] = scaled_back(mean[columns] + level, powers[columns])
        # the residual of y - level, from those of y and of ones
        size = result.residual[: len(columns)] + abs(level) * (result.residual[-1] if fit_intercept else 0.0)
        if not result.converged:
            more = "raise max_iter, the rank of the preconditioner or alpha, or take solver='nystrom'"
            if result.iterations < solver.max_iter:
                more = "rounding lets it fall no further; scale the features, or raise alpha or tol"
            warn(
                f"conjugate gradients stopped after {result.iterations} iterations at a relative residual of "
                f"{result.relative:.2g}, above tol={solver.tol:g}: {more}.",
                ConvergenceWarning,
            )
        solutions.append(
            IterativeSolution(
                outcome="ok" if result.converged else "not converged",
                method="cg",
                penalty=float(penalty),
                rank=factor.shape[1],
                iterations=result.iterations,
                residual=result.relative,
                distance=float(scaled_back(size / np.sqrt(total.sum()), powers[columns]).max()),
            )
        )
    return IterativeFit(dual, intercept, solutions)
