r"""Ridge regression on centres (Nystrom, subset of regressors).

With whitened features :math:`\Phi`, weighted means taken off (:math:`P`, and targets likewise) and
:math:`s^2, V` the eigendecomposition of :math:`P^T W P`, the fit at a penalty is
:math:`P V (s^2 + \lambda)^{-1} V^T P^T W y`.  One pass over the rows serves every penalty and target.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ntklib._core.progress import step
from ntklib._core.threads import single_threaded

from ._basis import Basis
from ._inverse import CentreSpectrum, CentreTriangle, factored, inverse_values
from ._pivots import check_finite, not_definite
from ._sums import RowSums
from ._tiles import TileFeatures, strip_rows
from .rows import Block, CentreRows, add_block, tiles_of

__all__ = ["CentreFit", "CentrePosterior", "CentreRegression"]

MAX_REFINEMENTS = 10
GOAL = 1e-10
NEGATIVE = 1e-3  # share of the trace by which features may exceed it: rounding of float32 is far below


@dataclass(frozen=True)
class CentreFit:
    """Fit at one penalty: f(x) = k(x, C) dual_coef + intercept.

    Attributes
    ----------
    penalty : float
    dual_coef : ndarray of shape (M, k)
    intercept : ndarray of shape (k,)
    residual : float
        Relative residual of the system for the coefficients, computed in float64.
    refinements : int
        Steps of refinement.
    degrees_of_freedom : float
    """

    penalty: float
    dual_coef: NDArray
    intercept: NDArray
    residual: float
    refinements: int
    degrees_of_freedom: float


@dataclass(frozen=True)
class CentrePosterior:
    """Posterior variances of f for targets of scale 1: the deterministic training conditional.

    What the centres lack of the prior stays as it is.

    Attributes
    ----------
    triangle, offset : ndarray
        Of the basis.
    mean : ndarray of shape (M,)
        Weighted mean of the features less their offset.
    inverse : CentreSpectrum or CentreTriangle
        Of the sums of squares.
    weight : float
        Sum of the weights; infinite without intercept.
    """

    triangle: NDArray
    offset: NDArray
    mean: NDArray
    inverse: CentreSpectrum | CentreTriangle
    weight: float

    def __call__(self, cross: NDArray, prior: NDArray, penalty: float) -> NDArray:
        """Return the posterior variances of f at some rows, or their covariances.

        Parameters
        ----------
        cross : ndarray of shape (m, M)
            Kernel of the rows with the centres.
        prior : ndarray of shape (m,) or (m, m)
            Kernel of the rows with themselves, or with each other.
        penalty : float

        Returns
        -------
        ndarray
            Shaped like the prior.
        """
        phi = solve_triangular(self.triangle, np.asarray(cross, np.float64).T, lower=True)
        centred = self.inverse.half(phi - (self.offset + self.mean)[:, None], penalty)
        constant = penalty / self.weight
        if prior.ndim == 1:
            outside = np.maximum(prior - (phi**2).sum(axis=0), 0.0)
            return outside + (centred**2).sum(axis=0) + constant
        return prior - phi.T @ phi + centred.T @ centred + constant


class CentreRegression:
    """Sums over rows turned into fits at any penalty.

    Parameters
    ----------
    basis : Basis
    sums : RowSums
        Of the basis' features.
    fit_intercept : bool
    """

    def __init__(self, basis: Basis, sums: RowSums, *, fit_intercept: bool) -> None:
        check_finite(sums.squares)
        self.basis, self.sums, self.fit_intercept = basis, sums, fit_intercept
        weight = sums.weight if fit_intercept else 1.0
        self.mean = sums.features / weight * fit_intercept
        self.target_mean = sums.targets / weight * fit_intercept
        self.moments = sums.products - weight * np.outer(self.mean, self.target_mean)
        self._triangle: CentreTriangle | None = None  # of the last penalty
        if sums.diagonal < self._squares * (1 - NEGATIVE):
            raise not_definite()

    @classmethod
    def of(
        cls,
        basis: Basis,
        rows: CentreRows,
        *,
        fit_intercept: bool = True,
        dtype: Any = np.float64,
    ) -> CentreRegression:
        """Sum over rows in tiles of the given precision."""
        zeros = partial(RowSums.zeros, len(basis.kept), rows.n_targets)
        with step(f"sums on {len(basis.kept):,} centres", len(rows), "rows"):
            sums = rows.fold(partial(add_block, basis, dtype), zeros)
        return cls(basis, basis.whiten_sums(sums.widened()), fit_intercept=fit_intercept)

    def _matrix(self) -> NDArray:
        """P^T W P, its lower triangle."""
        weight = self.sums.weight if self.fit_intercept else 1.0
        return np.asfortranarray(self.sums.squares - weight * np.outer(self.mean, self.mean))

    @cached_property
    def spectrum(self) -> CentreSpectrum:
        """Eigendecomposition of P^T W P."""
        return CentreSpectrum.of(self._matrix())

    @cached_property
    def _projected(self) -> NDArray:
        return single_threaded(np.matmul, self.spectrum.vectors.T, self.moments)

    def inverse(self, penalty: float) -> CentreSpectrum | CentreTriangle:
        """Inverse of P^T W P + penalty, by a Cholesky factor if there is no eigendecomposition as yet."""
        if "spectrum" in self.__dict__:
            return self.spectrum
        if self._triangle is None or self._triangle.penalty != penalty:
            self._triangle = factored(self._matrix(), penalty)
        return self.spectrum if self._triangle is None else self._triangle

    def degrees_of_freedom(self, penalty: float) -> float:
        """Trace of the matrix that maps targets to fitted values, intercept included."""
        return self.inverse(penalty).trace(penalty) + self.fit_intercept

    def free(self, penalty: float) -> float:
        """Sum of the counts less the degrees of freedom, from terms that do not cancel."""
        values = self.spectrum.values[self.spectrum.values > 0]
        shares = penalty / (values + penalty)
        return float(self.sums.count - self.fit_intercept - len(values) + shares.sum())

    @property
    def _variation(self) -> NDArray:
        """Weighted sum of squares about the mean, for each target."""
        return self.sums.target_squares - self.sums.weight * self.target_mean**2

    @cached_property
    def _outside(self) -> NDArray:
        """Weighted sum of squares of what no fit reaches, for each target."""
        total = self._variation
        outside = total - inverse_values(self.spectrum.values, [0.0])[:, 0] @ self._projected**2
        return np.where(outside > len(self.moments) * np.finfo(np.float64).eps * total, outside, 0.0)

    @property
    def _noise(self) -> float:
        """Rounding errors of the right-hand side of the system."""
        rounding = len(self.moments) * np.finfo(np.float64).eps
        return float(rounding * np.sqrt(self._squares) * np.sqrt(self.sums.target_squares.sum()))

    def objective(self, penalty: float) -> NDArray:
        """Least value of the sum of w (y - f - b)^2 plus the penalty times |f|^2, for each target."""
        w = single_threaded(self.inverse(penalty).solve, self.moments, penalty)
        reached = np.einsum("ij,ij->j", self.moments, w)
        return np.maximum(self._variation - reached, 0.0)

    def distance(self, penalty: float) -> NDArray:
        r"""Bound on the distance to the exact fit, for each target.

        With t the trace of what the centres lack of the kernel,
        :math:`\sum w (f - f^*)^2 + \lambda |f - f^*|^2` is at most
        :math:`J(\lambda) - J(\lambda + t) \lambda / (\lambda + t)`, J the objective.
        """
        lack = self.lack
        if penalty == 0:
            return self.objective(0.0)
        nearest = self.objective(penalty + lack) * (penalty / (penalty + lack))
        return np.maximum(self.objective(penalty) - nearest, 0.0)

    def spread(self, penalty: float) -> float:
        """Mean weight over the least, both with what the penalty adds: by it light rows lose digits."""
        sums = self.sums
        level = penalty * sums.weight / sums.diagonal if sums.diagonal else np.inf
        return (
            1.0 if np.isinf(level) else float((level + sums.weight / sums.n_rows) / (level + sums.lightest))
        )

    @property
    def lack(self) -> float:
        """Trace of what the centres lack of the weighted kernel matrix of the rows."""
        return max(self.sums.diagonal - self._squares, 0.0)

    @property
    def _squares(self) -> float:
        """Weighted sum of |phi|^2, of phi itself and not less its offset."""
        offset, sums = self.basis.offset, self.sums
        return float(sums.squares.trace() + 2 * offset @ sums.features + sums.weight * offset @ offset)

    def residual_squares(self, penalty: float) -> NDArray:
        """Weighted sum of the squared residuals of each target."""
        values = self.spectrum.values
        shrunk = penalty * inverse_values(values, [penalty])[:, 0]
        return self._outside + (shrunk**2 * inverse_values(values, [0.0])[:, 0]) @ self._projected**2

    def fit(self, penalty: float, rows: CentreRows | None = None) -> CentreFit:
        """Fit at a penalty; refine by residuals over the rows if they are given.

        Refinement needs no products of features: with vectors whitened, not tiles, it costs the kernel's
        values in float64.
        """
        return single_threaded(self._fit, self.inverse(penalty), penalty, rows)

    def _fit(
        self, inverse: CentreSpectrum | CentreTriangle, penalty: float, rows: CentreRows | None
    ) -> CentreFit:
        w, level = inverse.solve(self.moments, penalty), self.target_mean
        residual, steps = np.nan, 0
        best = np.inf, w, level
        least = min(1.0, np.sqrt(self.sums.weight))  # small weights leave it comparable with the gradient
        while rows is not None:
            gradient, excess, size = self._gradient(w, level, penalty, rows)
            both = np.hypot(_norm(gradient), _norm(excess) * least)
            residual, before = float(both / size) if size > self._noise else 0.0, best[0]
            if residual < before:
                best = residual, w, level
            if not GOAL < residual <= before / 2 or steps == MAX_REFINEMENTS:
                residual, w, level = best
                break
            steps += 1
            w = w + inverse.solve(gradient, penalty)
            level = level + excess / np.sqrt(self.sums.weight)
        return CentreFit(
            penalty,
            self.basis.coefficients(w),
            level - (self.basis.offset + self.mean) @ w,
            residual,
            steps,
            self.degrees_of_freedom(penalty),
        )

    def _gradient(
        self, w: NDArray, level: NDArray, penalty: float, rows: CentreRows
    ) -> tuple[NDArray, NDArray, float]:
        """Residuals in float64 of the systems for w and for the level, and their scale."""
        basis, mean, k = self.basis, self.target_mean, w.shape[1]
        a, offset = basis.coefficients(w), basis.offset + self.mean
        shift, size = offset @ w, strip_rows(len(w), np.float64)

        def add(sums: RowSums, block: Block) -> None:
            for X, targets, weights, _ in tiles_of(block, size):
                values = basis.kernel(X, np.float64)
                errors = weights[:, None] * np.hstack(
                    [targets - level - (values @ a - shift), targets - mean]
                )
                sums.products += values.T @ errors
                sums.targets += errors.sum(axis=0)

        with step("residuals in float64", len(rows), "rows"):
            sums = rows.fold(add, partial(RowSums.products_only, len(w), 2 * k))
        both = solve_triangular(basis.triangle, sums.products, lower=True, check_finite=False)
        both -= np.outer(offset, sums.targets)
        excess = sums.targets[:k] / np.sqrt(self.sums.weight) * self.fit_intercept
        return both[:, :k] - penalty * w, excess, _norm(both[:, k:])

    def held_out(self, penalties: NDArray, rows: CentreRows, dtype: Any = np.float64) -> NDArray:
        """Predictions of rows by the fits without one copy of each, shape (n, k, n_penalties)."""
        basis, total, level, intercept = self.basis, self.sums.weight, self.target_mean, self.fit_intercept
        scale, k = inverse_values(self.spectrum.values, penalties), len(level)
        coordinates = (self._projected[:, :, None] * scale[:, None, :]).reshape(len(scale), -1)
        # tiles are whitened and rotated in one product
        vectors = basis.unwhitened(self.spectrum.vectors).astype(dtype)
        mean = (self.spectrum.vectors.T @ self.mean).astype(dtype)

        def values(block: Block) -> NDArray:
            parts, features = [np.empty((0, k, len(penalties)))], TileFeatures(basis, dtype)
            for X, targets, weights, counts in tiles_of(block):
                rotated = features(X).T @ vectors
                rotated -= mean
                leverage = weights[:, None] * (np.square(rotated) @ scale.astype(dtype)).astype(np.float64)
                if intercept:
                    leverage += (weights / total)[:, None]
                fitted = (rotated @ coordinates.astype(dtype)).astype(np.float64).reshape(len(targets), k, -1)
                error = targets[:, :, None] - fitted - level[:, None]
                free = 1 - leverage / counts[:, None]
                # where nothing but rounding is free, nothing is known of a fit without the row
                free[free < (1e-4 if dtype == np.float32 else 1e-9)] = np.nan
                parts.append(targets[:, :, None] - error / free[:, None, :])
            return np.concatenate(parts)

        with step("leave-one-out", len(rows), "rows"):
            return rows.map(values, (k, len(penalties)))

    def posterior(self, penalties: NDArray) -> CentrePosterior:
        """Arrays that posterior variances at these penalties are computed from."""
        basis, weight = self.basis, self.sums.weight if self.fit_intercept else np.inf
        inverse = self.inverse(float(penalties[0])) if len(np.unique(penalties)) == 1 else self.spectrum
        return CentrePosterior(basis.triangle, basis.offset, self.mean, inverse, weight)


def _norm(values: NDArray) -> float:
    """Euclidean norm of all values, whose squares may leave the range of floats."""
    unit = float(np.ldexp(1.0, int(np.frexp(abs(values).max(initial=0.0))[1]) - 1))
    return float(np.linalg.norm(values / unit)) * unit if unit > 0 else 0.0
