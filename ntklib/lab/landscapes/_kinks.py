"""Functions with a kink, where a constant step slides down and then hops to and fro."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_real

from ._base import Landscape, checked_run, point_field

__all__ = ["Cone", "SquarePlusAbs"]


def _slide(distance: NDArray, length: float, steps: int) -> NDArray:
    """End of steps of one length towards 0: down to less than one step, then to and fro across 0.

    A start that is exactly a whole number of steps away ends on 0 and stays, the subgradient there being 0.
    """
    if length == 0:
        return distance.copy()
    rest = np.fmod(distance, length)
    hops = steps - np.rint((distance - rest) / length)
    across = np.where(np.fmod(hops, 2) == 0, rest, np.where(rest == 0, 0.0, rest - length))
    return np.where(hops <= 0, distance - steps * length, across)


@dataclass(frozen=True)
class Cone(Landscape):
    r"""Cone, :math:`L(w) = G |w - w^*|`: the gradient has norm G everywhere, however near the minimum.

    With :math:`\eta = \epsilon/G^2` every step lowers L by epsilon until it is at most epsilon, which takes
    less than :math:`|w_0 - w^*| G/\epsilon` steps; from then on the iterates hop to and fro across the
    minimum and L stays at most epsilon. (With :math:`\eta = G/\epsilon`, which is sometimes printed, they
    hop :math:`G^2/\epsilon` at a time and never come near.)

    Parameters
    ----------
    slope : float, default=1.0
        G, positive.
    minimizer : sequence of float, default=(0.0, 0.0)
        w*.

    References
    ----------
    Y. Nesterov, *Introductory Lectures on Convex Optimization*, 2004, section 3.2.3.

    Examples
    --------
    >>> from ntklib.dynamics import GradientDescent
    >>> from ntklib.lab.landscapes import Cone
    >>> cone = Cone(slope=2.0)
    >>> steps = cone.steps_to([3.0, 4.0], 0.3)
    >>> steps, float(cone.value(cone.after([3.0, 4.0], steps, cone.step_for(0.3))).round(12))
    (33, 0.1)
    """

    slope: float = 1.0
    minimizer: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        check_real(self.slope, "slope", minimum=0, strict=True)
        object.__setattr__(self, "minimizer", point_field(self.minimizer, "minimizer"))

    def _polar(self, w: ArrayLike) -> tuple[NDArray, NDArray]:
        """Distance from the minimiser, shape (..., 1), and direction, 0 at the minimiser itself."""
        error = self._points(w, len(self.minimizer)) - np.asarray(self.minimizer)
        distance = np.linalg.norm(error, axis=-1, keepdims=True)
        return distance, error / np.where(distance == 0, 1.0, distance)

    def value(self, w: ArrayLike) -> NDArray:
        """Return :math:`G |w - w^*|`, shape (...)."""
        return self.slope * self._polar(w)[0][..., 0]

    def gradient(self, w: ArrayLike) -> NDArray:
        """Return :math:`G (w - w^*)/|w - w^*|`, and 0 at the minimiser, shape (..., d)."""
        return self.slope * self._polar(w)[1]

    def hessian(self, w: ArrayLike) -> NDArray:
        """Return :math:`(G/|w - w^*|)(I - n n^T)` with n the direction from the minimiser, shape (..., d, d).

        Raises
        ------
        ValueError
            At the minimiser, where there is none.
        """
        distance, n = self._polar(w)
        bend = self._bend(distance)
        return bend[..., None] * (np.eye(n.shape[-1]) - n[..., :, None] * n[..., None, :])

    def trace(self, w: ArrayLike) -> NDArray:
        """Return :math:`(d - 1) G/|w - w^*|`, shape (...); ValueError at the minimiser."""
        return (len(self.minimizer) - 1) * self._bend(self._polar(w)[0])[..., 0]

    def _bend(self, distance: NDArray) -> NDArray:
        if np.any(distance == 0):
            raise ValueError("a cone has no second derivatives at its tip.")
        return self.slope / distance

    def step_for(self, tolerance: float) -> float:
        """Return the step epsilon/G^2 with which L gets down to epsilon, and stays there."""
        return check_real(tolerance, "tolerance", minimum=0, strict=True) / self.slope**2

    def steps_to(self, w: ArrayLike, tolerance: float) -> int:
        """Return how many steps of `step_for` bring L from L(w) down to epsilon: ceil(L(w)/epsilon) - 1."""
        tolerance = check_real(tolerance, "tolerance", minimum=0, strict=True)
        return max(0, int(np.ceil(self.value(w) / tolerance)) - 1)

    def after(self, w: ArrayLike, steps: int, learning_rate: float) -> NDArray:
        """Return where gradient descent from w is after k steps, which are G eta long each.

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
        distance, direction = self._polar(w)
        return np.asarray(self.minimizer) + _slide(distance, self.slope * eta, k) * direction


@dataclass(frozen=True)
class SquarePlusAbs(Landscape):
    r"""Smooth in one direction, kinked in the other: :math:`L(x, y) = x^2/2 + |y|`.

    A constant step shrinks x by :math:`1 - \eta` a step, while y comes nearer by :math:`\eta` a step and then
    hops to and fro: the loss ends at :math:`\eta/2` on average, and only smaller steps lower it.

    Examples
    --------
    >>> from ntklib.lab.landscapes import SquarePlusAbs
    >>> SquarePlusAbs().after([1.0, 1.0], 4, 0.375).round(4)
    array([0.1526, 0.25  ])
    """

    def value(self, w: ArrayLike) -> NDArray:
        """Return L(w), shape (...)."""
        points = self._points(w, 2)
        return np.square(points[..., 0]) / 2 + np.abs(points[..., 1])

    def gradient(self, w: ArrayLike) -> NDArray:
        """Return (x, sign(y)), shape (..., 2)."""
        points = self._points(w, 2)
        return np.stack([points[..., 0], np.sign(points[..., 1])], axis=-1)

    def hessian(self, w: ArrayLike) -> NDArray:
        """Return diag(1, 0), shape (..., 2, 2)."""
        return np.broadcast_to(np.diag([1.0, 0.0]), (*self._points(w, 2).shape, 2)).copy()

    def trace(self, w: ArrayLike) -> NDArray:
        """Return 1, shape (...)."""
        return np.ones(self._points(w, 2).shape[:-1])

    def largest_stable_step(self) -> float:
        """Return 2: for smaller steps x goes to 0, and y comes within a step of it."""
        return 2.0

    def after(self, w: ArrayLike, steps: int, learning_rate: float) -> NDArray:
        """Return where gradient descent from w is after k steps.

        Parameters
        ----------
        w : array-like of shape (..., 2)
        steps : int
            k, at least 0.
        learning_rate : float
            eta, nonnegative.

        Returns
        -------
        ndarray of shape (..., 2)
        """
        k, eta = checked_run(steps, learning_rate)
        points = self._points(w, 2)
        x, y = points[..., 0], points[..., 1]
        shrunk = np.float64(1 - eta) ** k * x  # infinite where a Python float would raise
        return np.stack([shrunk, np.sign(y) * _slide(np.abs(y), eta, k)], axis=-1)
