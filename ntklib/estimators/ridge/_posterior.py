r"""The Gaussian process behind kernel ridge regression: the uncertainty of f at new rows, in units of y.

The prior covariance of target j is :math:`s_j^2 K`, the noise of a sample of weight w has variance
:math:`s_j^2 \alpha_j / w`, and the intercept is a constant with a flat prior. With
:math:`M = (K + \alpha_j W^{-1})^{-1}` and k(x) the kernel between x and the samples, the covariance of f
given these is

.. math:: s_j^2 \Big( K(x, z) - k(x)^T M k(z)
          + \frac{(1 - k(x)^T M 1)(1 - k(z)^T M 1)}{1^T M 1} \Big) .

A sum of fits is the mean of the mixture of their processes, with their weights :math:`v_p`. The covariance of
f is that of the mixture,

.. math:: \sum_p v_p \big( C_p(x, z) + (f_p(x) - f(x)) (f_p(z) - f(z)) \big), \qquad f = \sum_p v_p f_p .
"""

from __future__ import annotations

from copy import copy
from threading import RLock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import require_memory, row_blocks, working_memory
from ntklib._core.threads import parallel_for, single_threaded
from ntklib._core.validation import check_integer, random_generator
from ntklib.solvers import EigenFactor, Factorization, Nystrom, Solver, half_constant

from .._kernel import batches, check_finite_rows, cross_gram, gram, gram_diagonal, is_precomputed
from .._units import Units
from ._estimator import FEW, RidgeEstimator

_CENTRE_COPIES = 16  # of a batch's kernel values, alive at once in all threads
_COLUMNS = 256  # of triangular solves, a block at a time
_BUILDING = RLock()  # held while a model makes what it keeps for its predictions


class PosteriorEstimator(RidgeEstimator):
    """A regressor that knows how uncertain it is; `_root_scale` holds s, one a target."""

    target_scale: Any

    def _check_penalties(self, penalties: NDArray, solver: Solver) -> None:
        super()._check_penalties(penalties, solver)
        if isinstance(solver, Nystrom) and isinstance(self.target_scale, str) and penalties.min() == 0:
            raise ValueError(
                "target_scale='fit' needs a positive alpha where the fit is on centres: leave out alpha=0, "
                "or give target_scale a number, such as 1.0."
            )

    def _fit_scale(self, n_copies: float, units: Units | None = None) -> None:
        """Set the scale of the coefficients just stored: the given one, or that of greatest likelihood.

        It takes the number of samples and, unless the fit is on centres, the units.
        """
        k = len(self._penalties)
        if not isinstance(self.target_scale, str):
            self._root_scale = np.full(k, np.sqrt(float(self.target_scale)))
            self.target_scale_: Any = np.full(k, float(self.target_scale))
            return
        freedom = n_copies - self._constant
        if freedom <= 0:
            raise ValueError(
                "target_scale='fit' needs at least 2 samples, or 1 without intercept, got n_samples = 1: "
                "give a number."
            )
        if self._centres is not None:
            self._root_scale = self._root_form / np.sqrt(freedom)
        else:
            assert units is not None
            self._root_scale = likely_root_scale(units, self.dual_coef_, freedom, centred=self._constant)
        with np.errstate(over="ignore", under="ignore"):  # the root is used
            self.target_scale_ = np.square(self._root_scale)

    def _scale_fit(self, units: Units) -> None:
        self._fit_scale(units.n_copies, units)

    def _fits(self) -> list[Self]:
        """The fits that predictions are sums of, each as an estimator of its own."""
        parts = self._summed()
        if len(parts) == 1:
            return [self]
        if self._variance_factor is not None:
            return self._variance_factor
        fits = []
        for part in parts:
            fit: Any = copy(self)
            fit.kernel_, fit.X_fit_, fit.dual_coef_, fit.intercept_ = part[1:5]
            fit._penalties, fit._centres, fit._root_scale = part[5:]
            fit._parts = None
            fits.append(fit)
        if 8 * len(fits) * len(self.support_) ** 2 <= working_memory():  # of the factors that they will keep
            self._variance_factor = fits
        return fits

    def _release(self, fit: Self) -> None:
        """Let go of the factor of a fit, unless those of all are kept: one at a time is in memory then."""
        if self._variance_factor is None:
            fit._variance_factor = None

    def _spread(self, X: Any, *, noise: bool, full: bool) -> tuple[NDArray, NDArray]:
        """Variances (m, k) or covariances (m, m, k) of all targets, and the unit that they are in squares of.

        The Gram is factored again on the first call and the factor kept (but not pickled): a fitted model
        that only predicts should not hold an n x n matrix.
        """
        fits = self._fits()
        if len(fits) == 1:
            return self._own_spread(X, noise=noise, full=full), self._root_scale
        unit = np.max([fit._root_scale for fit in fits], axis=0)
        unit[unit == 0] = 1.0
        mean, total = self._expand(X), np.zeros(())
        for fit, part in zip(fits, self._summed(), strict=True):
            scale, apart = fit._root_scale / unit, (fit._expand(X) - mean) / unit
            spread = fit._own_spread(X, noise=noise, full=full) * scale * scale
            self._release(fit)
            spread += apart[:, None] * apart if full else apart**2
            total = total + part.weight * spread
        return total, unit

    def _own_spread(self, X: Any, *, noise: bool, full: bool) -> NDArray:
        """Variances or covariances of a single fit, without the scales of the targets."""
        if is_precomputed(self.kernel_):
            raise ValueError(
                "return_std, return_cov and sample_y need the kernel of the new points with themselves, "
                "which kernel='precomputed' does not give."
            )
        m, penalties = X.shape[0], self._penalties
        if full:
            shape, fewer = (m, m, len(penalties)), "ask for fewer rows"
            require_memory(shape, np.float64, "covariance of predictions", fewer, rows=False, single=False)
            prior = np.array(gram(self.kernel_, X)[0], dtype=np.float64)
        else:
            prior = gram_diagonal(self.kernel_, X)
        check_finite_rows(prior)
        out = np.empty((*prior.shape, len(penalties)))
        for penalty in np.unique(penalties):
            posterior = self._posterior(X, prior, penalty)
            variances = np.einsum("ii->i", posterior) if full else posterior
            np.maximum(variances, 0.0, out=variances)
            if noise:
                variances += penalty
            out[..., penalties == penalty] = posterior[..., None]
        return out

    def _prepared_factor(self) -> Factorization:
        """A factorisation for the penalties of the fit, to which nobody writes any more.

        One penalty has its Cholesky factor; several share an eigendecomposition, since a factor would be
        overwritten for each.
        """
        if self._variance_factor is None:
            with _BUILDING:
                if self._variance_factor is None:
                    # as fits, with the same last bits at any number of threads
                    few, make = len(self.support_) <= FEW, self._prepare_factor
                    self._variance_factor = single_threaded(make) if few else make()
        return self._variance_factor

    def _prepare_factor(self) -> Factorization:
        units = Units(self.X_fit_, np.zeros((len(self.support_), 1)), self._weights, self.support_)
        if len(np.unique(self._penalties)) > 1:
            matrix, ours = gram(self.kernel_, units.X)
            return EigenFactor(matrix, weights=units.weights, overwrite_gram=ours)
        factor = self._factor(units)
        factor.half_solve(np.zeros((factor.n, 1)), self._penalties[0])
        return factor

    def _posterior(self, X: Any, prior: NDArray, penalty: float) -> NDArray:
        """The prior, variances or a covariance matrix, given the training samples."""
        out, n = prior.copy(), len(self.support_)
        # in threads of ours also where there is one batch: BLAS threads of its own would move last bits
        if self._centres is not None:
            centres = self._centres

            def fill(rows: slice) -> None:
                cross = cross_gram(self.kernel_, X[rows], self.X_fit_)
                out[rows] = centres(cross, prior[rows], float(penalty))

            parallel_for(fill, batches(X, _CENTRE_COPIES * n) if prior.ndim == 1 else [slice(None)])
            return out
        if any(getattr(one, "method", "") == "cg" for one in np.ravel(self.solve_)):
            raise ValueError(
                "the solver ConjugateGradient gives no standard deviations: fit with solver='nystrom' (or "
                "'cholesky') for return_std, return_cov and sample_y."
            )
        factor, ones, precision = self._prepared_factor(), None, np.inf
        if self._constant:
            ones, precision = single_threaded(half_constant, factor, penalty)
        for rows in batches(X, n) if prior.ndim == 1 else [slice(None)]:
            half, missing = _half_solved(
                factor, cross_gram(self.kernel_, X[rows], self.X_fit_), penalty, ones
            )
            missing /= np.sqrt(precision)
            if prior.ndim == 1:
                out[rows] += np.square(missing) - np.einsum("ij,ij->j", half, half)
            else:
                out -= single_threaded(np.matmul, half.T, half)
                out += np.outer(missing, missing)
        return out

    def _draw(self, X: Any, n_samples: Any, random_state: Any) -> NDArray:
        """Draws of f at the rows of X, (m, k, n_samples): of a mixture each from one of its processes."""
        count = check_integer(n_samples, "n_samples", minimum=1)
        rng, fits = random_generator(random_state), self._fits()
        if len(fits) == 1:
            return self._own_draws(X, count, rng)
        weights = [part.weight for part in self._summed()]
        which = rng.choice(len(fits), p=weights, size=(len(self._penalties), count))
        out = np.empty((X.shape[0], *which.shape))
        for i in np.unique(which):
            draws = fits[i]._own_draws(X, int((which == i).sum(axis=1).max()), rng)
            self._release(fits[i])
            for j, own in enumerate(which == i):
                out[:, j, own] = draws[:, j, : own.sum()]
        return out

    def _own_draws(self, X: Any, count: int, rng: np.random.Generator) -> NDArray:
        """Draws from the process of a single fit."""
        mean = self._expand(X)
        covariances = self._own_spread(X, noise=False, full=True)
        out = np.empty((*mean.shape, count))
        for penalty in np.unique(self._penalties):
            columns = np.flatnonzero(self._penalties == penalty)
            root = single_threaded(_root, covariances[..., columns[0]])
            for j in columns:
                draws = single_threaded(np.matmul, root, rng.standard_normal((len(mean), count)))
                out[:, j] = mean[:, j, None] + self._root_scale[j] * draws
        return out


def _half_solved(
    factor: Factorization, cross: NDArray, penalty: float, ones: NDArray | None
) -> tuple[NDArray, NDArray]:
    """Half solves of the kernel values of some rows, (n, m), and what a constant lacks at these, (m,)."""
    half, missing = np.empty((factor.n, len(cross)), order="F"), np.zeros(len(cross))

    def fill(block: slice) -> None:
        half[:, block] = factor.half_solve(cross[block].T, penalty)
        if ones is not None:
            missing[block] = 1 - ones @ half[:, block]

    parallel_for(fill, row_blocks(len(cross), _COLUMNS))
    return half, missing


def _root(covariance: NDArray) -> NDArray:
    """R of R R^T, of a matrix that is positive semidefinite but for rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def likely_root_scale(units: Units, dual: NDArray, freedom: float, *, centred: bool) -> NDArray:
    r"""The s of greatest (restricted) likelihood, :math:`s^2 = y^T C y / (n - 1)`, one a target.

    `dual` is C y, `freedom` the number of samples less the intercept. The quadratic form is computed in units
    of the largest target, in which it is representable.
    """
    y = units.targets
    if centred:  # C 1 = 0: a constant makes no difference but costs digits
        y = y - np.average(y, axis=0, weights=units.weights)
    unit = np.abs(y).max(axis=0)
    unit = np.where(unit > 0, unit, 1.0)
    form = np.einsum("ij,ij->j", y / unit, dual.reshape(y.shape) / unit)
    return unit * np.sqrt(np.maximum(form, 0.0) / freedom)
