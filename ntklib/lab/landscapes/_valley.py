"""The widening valley, where all minima fit equally well and differ in flatness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_real

from ._base import Landscape

__all__ = ["WideningValley"]


@dataclass(frozen=True)
class WideningValley(Landscape):
    r"""Widening valley, :math:`L(u, v) = \frac12 |u|^2 v^2`; a point is :math:`w = (u_1, \dots, u_d, v)`.

    Its minima are v = 0, where the Hessian has the single eigenvalue :math:`|u|^2`, and u = 0, where it has
    :math:`v^2`, d times. The flow of gradient descent keeps :math:`|u|^2 - v^2` and stops where it first
    meets a minimum; that of unnormalised sharpness-aware minimisation,
    :math:`\dot w = -\nabla L(w + \rho\nabla L(w))`, keeps :math:`(1 + \rho|u|^2)/(1 + \rho v^2)` and stops at
    a flatter one.

    References
    ----------
    A. Orvieto, H. Kersting, F. Proske, F. Bach and A. Lucchi, "Anticorrelated noise injection for improved
    generalization", ICML 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import USAM
    >>> from ntklib.lab.landscapes import WideningValley
    >>> valley, start = WideningValley(), np.array([1.0, 2.0, 1.0])
    >>> USAM(0.01, rho=0.1).run(valley.gradient, start, 1)[-1].round(6)
    array([0.97525, 1.9505 , 0.90925])
    >>> valley.usam_step(start, 0.01, 0.1).round(6)
    array([0.97525, 1.9505 , 0.90925])
    >>> [round(float(valley.trace(valley.flow_limit(start, rho))), 9) for rho in (0.0, 0.5)]
    [4.0, 2.666666667]
    """

    def _parts(self, w: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
        """u of shape (..., d), its square and v of shape (..., 1)."""
        points = self._points(w)
        if points.shape[-1] < 2:
            raise ValueError(f"a point of the valley has at least 2 coordinates, got shape {points.shape}.")
        u, v = points[..., :-1], points[..., -1:]
        return u, np.sum(u * u, axis=-1, keepdims=True), v

    def value(self, w: ArrayLike) -> NDArray:
        """Return L(w), shape (...)."""
        _, square, v = self._parts(w)
        return (square * v * v)[..., 0] / 2

    def gradient(self, w: ArrayLike) -> NDArray:
        """Return :math:`(v^2 u, |u|^2 v)`, shape (..., d + 1)."""
        u, square, v = self._parts(w)
        return np.concatenate([v * v * u, square * v], axis=-1)

    def hessian(self, w: ArrayLike) -> NDArray:
        """Return :math:`[[v^2 I, 2 v u], [2 v u^T, |u|^2]]`, shape (..., d + 1, d + 1)."""
        u, square, v = self._parts(w)
        top = np.concatenate([(v * v)[..., None] * np.eye(u.shape[-1]), (2 * v * u)[..., None]], axis=-1)
        return np.concatenate([top, np.concatenate([2 * v * u, square], axis=-1)[..., None, :]], axis=-2)

    def trace(self, w: ArrayLike) -> NDArray:
        """Return :math:`d v^2 + |u|^2`, shape (...)."""
        u, square, v = self._parts(w)
        return (u.shape[-1] * v * v + square)[..., 0]

    def sharpness(self, w: ArrayLike) -> NDArray:
        """Return the largest eigenvalue of the Hessian, shape (...).

        At a minimum it is :math:`|u|^2` or :math:`v^2`.
        """
        _, square, v = self._parts(w)
        p, q = square[..., 0], (v * v)[..., 0]
        # beside v^2 it has the eigenvalues of [[v^2, 2 v |u|], [2 v |u|, |u|^2]]
        return (p + q + np.sqrt((p - q) ** 2 + 16 * p * q)) / 2

    def usam_step(self, w: ArrayLike, learning_rate: float, rho: float = 0.0) -> NDArray:
        r"""Return where one step of unnormalised sharpness-aware minimisation leads, in closed form.

        .. math::
            u_+ = u (1 - \eta a b^2 v^2),\quad v_+ = v (1 - \eta a^2 b |u|^2),\qquad
            a = 1 + \rho v^2,\ b = 1 + \rho |u|^2.

        Parameters
        ----------
        w : array-like of shape (..., d + 1)
        learning_rate : float
            eta, nonnegative.
        rho : float, default=0.0
            Nonnegative; 0 is gradient descent.

        Returns
        -------
        ndarray of shape (..., d + 1)
        """
        eta = check_real(learning_rate, "learning_rate", minimum=0)
        rho = check_real(rho, "rho", minimum=0)
        u, square, v = self._parts(w)
        a, b = 1 + rho * v * v, 1 + rho * square
        return np.concatenate(
            [u * (1 - eta * a * b * b * v * v), v * (1 - eta * a * a * b * square)], axis=-1
        )

    def flow_limit(self, w: ArrayLike, rho: float = 0.0) -> NDArray:
        r"""Return the minimum at which the flow from w ends: the limit of small steps.

        Where :math:`|u_0|^2 > v_0^2` it has v = 0 and
        :math:`|u|^2 = (|u_0|^2 - v_0^2)/(1 + \rho v_0^2)`, elsewhere the other way round.

        Parameters
        ----------
        w : array-like of shape (..., d + 1)
        rho : float, default=0.0
            Nonnegative; 0 is the gradient flow.

        Returns
        -------
        ndarray of shape (..., d + 1)
        """
        rho = check_real(rho, "rho", minimum=0)
        u, p, v = self._parts(w)
        q = v * v
        excess, least = np.abs(p - q), np.minimum(p, q)
        most = np.maximum(p, q)
        shrink = np.sqrt(excess / (1 + rho * least) / np.where(most == 0, 1.0, most))
        return np.concatenate([u * np.where(p > q, shrink, 0.0), v * np.where(p > q, 0.0, shrink)], axis=-1)

    def sharpest_stable(self, learning_rate: float, rho: float = 0.0) -> float:
        r"""Return the largest Hessian eigenvalue h of a minimum that can hold the method.

        Near a minimum the step multiplies the error by :math:`1 - \eta h (1 + \rho h)`; the bound is the
        positive root of :math:`h (1 + \rho h) = 2/\eta`, which is :math:`2/\eta` for gradient descent.

        Parameters
        ----------
        learning_rate : float
            eta, positive.
        rho : float, default=0.0
            Nonnegative.

        Examples
        --------
        >>> from ntklib.lab.landscapes import WideningValley
        >>> WideningValley().sharpest_stable(0.1), WideningValley().sharpest_stable(0.1, rho=0.2)
        (20.0, 7.807764064044151)
        """
        eta = check_real(learning_rate, "learning_rate", minimum=0, strict=True)
        rho = check_real(rho, "rho", minimum=0)
        return 4 / eta / (1 + float(np.sqrt(1 + 8 * rho / eta)))
