"""Anisotropic quadratics, where every method can be followed to the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_real

from ._base import Landscape, checked_run, point_field

__all__ = ["Quadratic"]


@dataclass(frozen=True)
class Quadratic(Landscape):
    r"""Anisotropic quadratic, :math:`L(w) = \frac12 \sum_i \lambda_i (w_i - w^*_i)^2`.

    In coordinate i gradient descent multiplies the error by :math:`1 - \eta\lambda_i` at every step. It
    converges if and only if :math:`0 < \eta < 2/\lambda_{max}`, whatever the conditioning, and diverges in
    the steepest coordinate for larger steps.

    Parameters
    ----------
    curvatures : sequence of float
        lambda_i, nonnegative, not all 0.
    minimizer : sequence of float, default=None
        w*; None is the origin.

    References
    ----------
    B. T. Polyak, *Introduction to Optimization*, 1987, sections 1.4 and 3.2.

    Examples
    --------
    >>> from ntklib.dynamics import GradientDescent
    >>> from ntklib.lab.landscapes import Quadratic
    >>> bowl = Quadratic([1.0, 4.0])
    >>> bowl.largest_stable_step(), bowl.best_step
    (0.5, 0.4)
    >>> GradientDescent(0.25).run(bowl.gradient, [1.0, 1.0], 2)[-1], bowl.after([1.0, 1.0], 2, 0.25)
    (array([0.5625, 0.    ]), array([0.5625, 0.    ]))
    """

    curvatures: tuple[float, ...]
    minimizer: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        curvatures = point_field(self.curvatures, "curvatures", minimum=0)
        origin = (0.0,) * len(curvatures)
        minimizer = origin if self.minimizer is None else point_field(self.minimizer, "minimizer")
        if len(minimizer) != len(curvatures):
            raise ValueError(f"there are {len(curvatures)} curvatures; the minimizer has {len(minimizer)}.")
        if max(curvatures) == 0:
            raise ValueError("all curvatures are 0: there is nothing to descend.")
        object.__setattr__(self, "curvatures", curvatures)
        object.__setattr__(self, "minimizer", minimizer)

    def _error(self, w: ArrayLike) -> NDArray:
        return self._points(w, len(self.curvatures)) - np.asarray(self.minimizer)

    def value(self, w: ArrayLike) -> NDArray:
        """Return L(w), shape (...)."""
        return np.square(self._error(w)) @ np.asarray(self.curvatures) / 2

    def gradient(self, w: ArrayLike) -> NDArray:
        """Return lambda_i (w_i - w*_i), shape (..., d)."""
        return self._error(w) * np.asarray(self.curvatures)

    def hessian(self, w: ArrayLike) -> NDArray:
        """Return diag(lambda), shape (..., d, d)."""
        shape = self._error(w).shape
        return np.broadcast_to(np.diag(self.curvatures), (*shape, shape[-1])).copy()

    def trace(self, w: ArrayLike) -> NDArray:
        """Return the sum of the lambda_i, shape (...)."""
        return np.full(self._error(w).shape[:-1], sum(self.curvatures))

    def largest_stable_step(self, momentum: float = 0.0) -> float:
        r"""Return :math:`2(1 + \mu)/\lambda_{max}`, below which descent with momentum mu converges."""
        momentum = check_real(momentum, "momentum", minimum=0)
        return 2 * (1 + momentum) / max(self.curvatures)

    @property
    def best_step(self) -> float:
        r""":math:`2/(\lambda_{max} + \lambda_{min})`, the step that is best in the slowest coordinate."""
        return 2 / (max(self.curvatures) + min(self.curvatures))

    def rate(self, learning_rate: float, momentum: float = 0.0) -> float:
        r"""Return the factor by which the error shrinks a step in the long run; above 1 it grows.

        It is the largest modulus of a root of :math:`z^2 - (1 + \mu - \eta\lambda_i) z + \mu`, over i;
        without momentum the largest :math:`|1 - \eta\lambda_i|`.

        Parameters
        ----------
        learning_rate : float
            eta, nonnegative.
        momentum : float, default=0.0
            mu, at least 0.
        """
        eta = check_real(learning_rate, "learning_rate", minimum=0)
        mu = check_real(momentum, "momentum", minimum=0)
        half = np.abs(1 + mu - eta * np.asarray(self.curvatures)) / 2
        discriminant = half**2 - mu
        moduli = np.where(discriminant < 0, np.sqrt(mu), half + np.sqrt(np.maximum(discriminant, 0)))
        return float(moduli.max())

    def after(self, w: ArrayLike, steps: int, learning_rate: float) -> NDArray:
        r"""Return :math:`w^* + (1 - \eta\lambda)^k (w - w^*)`, where gradient descent is after k steps.

        Parameters
        ----------
        w : array-like of shape (..., d)
        steps : int
            k, at least 0.
        learning_rate : float
            eta, nonnegative.

        Returns
        -------
        ndarray of shape (..., d)
        """
        k, eta = checked_run(steps, learning_rate)
        return np.asarray(self.minimizer) + (1 - eta * np.asarray(self.curvatures)) ** k * self._error(w)
