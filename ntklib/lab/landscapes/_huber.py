"""Huber's function, where a constant step slides and then contracts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_real

from ._base import Landscape, checked_run

__all__ = ["HuberLandscape"]


@dataclass(frozen=True)
class HuberLandscape(Landscape):
    r"""Huber's function, :math:`L(w) = \sum_i h(w_i)`: quadratic near 0, linear far from it.

    .. math:: h(z) = z^2/2\ \text{for}\ |z| \le \delta,\qquad \delta |z| - \delta^2/2\ \text{beyond}.

    Far from 0 gradient descent comes nearer by :math:`\eta\delta` a step, near it the error shrinks by
    :math:`1 - \eta`. It converges from everywhere if and only if :math:`0 < \eta < 2`; beyond, it does not
    diverge but hops between two points, at most :math:`(\eta - 1)\delta` away.

    Parameters
    ----------
    threshold : float, default=1.0
        delta, positive.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", 1964.

    Examples
    --------
    >>> from ntklib.dynamics import GradientDescent
    >>> from ntklib.lab.landscapes import HuberLandscape
    >>> huber = HuberLandscape()
    >>> huber.after([4.0], 8, 0.5), GradientDescent(0.5).run(huber.gradient, [4.0], 8)[-1]
    (array([0.25]), array([0.25]))
    """

    threshold: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.threshold, "threshold", minimum=0, strict=True)

    def value(self, w: ArrayLike) -> NDArray:
        """Return the sum of h(w_i), shape (...)."""
        size = np.abs(self._points(w))
        inside = np.minimum(size, self.threshold)
        return np.sum(inside * (size - inside / 2), axis=-1)

    def gradient(self, w: ArrayLike) -> NDArray:
        """Return w_i cut off at -delta and delta, shape (..., d)."""
        return np.clip(self._points(w), -self.threshold, self.threshold)

    def hessian(self, w: ArrayLike) -> NDArray:
        """Return diag(1 where abs(w_i) <= delta, 0 elsewhere), shape (..., d, d)."""
        points = self._points(w)
        return (np.abs(points) <= self.threshold)[..., None] * np.eye(points.shape[-1])

    def trace(self, w: ArrayLike) -> NDArray:
        """Return how many coordinates are at most delta in size, shape (...)."""
        return np.sum(np.abs(self._points(w)) <= self.threshold, axis=-1).astype(float)

    def largest_stable_step(self) -> float:
        """Return 2: gradient descent converges from everywhere for smaller steps, and for no larger ones."""
        return 2.0

    def after(self, w: ArrayLike, steps: int, learning_rate: float) -> NDArray:
        """Return where gradient descent from w is after k steps.

        Parameters
        ----------
        w : array-like of shape (..., d)
        steps : int
            k, at least 0.
        learning_rate : float
            eta, at least 0, less than 2.

        Returns
        -------
        ndarray of shape (..., d)

        Raises
        ------
        ValueError
            For steps of 2 or more, which do not converge.
        """
        k, eta = checked_run(steps, learning_rate)
        if eta >= 2:
            raise ValueError(f"gradient descent hops between two points for steps of 2 or more, got {eta}.")
        points = self._points(w)
        size, delta = np.abs(points), self.threshold
        if eta == 0:
            return points.copy()
        outside = np.clip(np.ceil((size - delta) / (eta * delta)), 0, k)
        return np.sign(points) * (size - outside * eta * delta) * (1 - eta) ** (k - outside)
