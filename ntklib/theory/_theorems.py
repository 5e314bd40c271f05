r"""Theorems A, A' and B: which residuals they allow, and what they promise then.

Of the Jacobian at the start they know :math:`\sigma_{\min}` (``low``) and :math:`\sigma_{\max}` (``high``),
and :math:`\beta(B)`, a bound on its Lipschitz constant on the ball of radius B.  Proofs are in
``docs/theory.md``.  Any ball that meets a theorem's condition will do: a rough search costs sharpness only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from ntklib.theory._scale_interval import residual, scales_within

__all__ = ["THEOREMS", "Promise", "Reach", "Theorem"]

Lipschitz = Callable[[float], float]
"""beta(B), which never falls with B."""

_INWARD = 1 - 1e-9
_PRECISION = 1e-7  # of radii that are searched, relative


@dataclass(frozen=True)
class Reach:
    """The largest demand that a theorem meets, and the ball it does so on."""

    limit: float
    radius: float


@dataclass(frozen=True)
class Promise:
    """The rate of the loss over alpha^2, the distance from the start, and the ball that beta is needed on."""

    rate: float
    distance: float
    radius: float


class Theorem(ABC):
    """What follows from sigma_min, sigma_max and beta for a model at e = |h_0 - y/alpha| from its target."""

    def demand(self, h0: NDArray, y: NDArray, scale: float) -> float:
        """Return what must be within reach: here e."""
        return residual(h0, y, scale)

    def scales(self, h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
        """Return the interval of scales whose demand is within a limit."""
        return scales_within(h0, y, limit)

    @abstractmethod
    def reach(self, low: float, high: float, beta: Lipschitz) -> Reach:
        """Return the largest demand that is met."""

    @abstractmethod
    def promise(self, low: float, high: float, beta: Lipschitz, radius: float, e: float) -> Promise:
        """Return what follows where the demand is met, on a ball within ``radius``."""

    @abstractmethod
    def strain(self, low: float, high: float, beta: Lipschitz, demand: float) -> float:
        """Return the factor that beta would have to be divided by to meet a demand."""


@dataclass(frozen=True)
class Halving(Theorem):
    """Theorems A and B: on a ball where sigma_min at most halves, a share of whose radius the path takes.

    The demand is met up to share B sigma_min^2 / sigma_max, B beta(B) = sigma_min / 2; the distance is at
    most factor sigma_max e / sigma_min^2.
    """

    share: float
    factor: float

    def reach(self, low: float, high: float, beta: Lipschitz) -> Reach:
        radius = _largest_ball(beta, low / 2 * _INWARD)
        return Reach(self.share * radius * low**2 / high * _INWARD, radius)

    def promise(self, low: float, high: float, beta: Lipschitz, radius: float, e: float) -> Promise:
        return Promise(low**2 / 2 * _INWARD, self.factor * high * e / low**2 / _INWARD, radius)

    def strain(self, low: float, high: float, beta: Lipschitz, demand: float) -> float:
        radius = demand * high / (self.share * low**2)
        return 2 * radius * beta(radius) / low


class ChizatOyallonBach(Halving):
    """Theorem B: both |h_0| and |y| / alpha have to be small."""

    def demand(self, h0: NDArray, y: NDArray, scale: float) -> float:
        return max(float(np.linalg.norm(h0)), float(np.linalg.norm(y)) / scale)

    def scales(self, h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
        if np.linalg.norm(h0) > limit or limit == 0:
            return None
        return float(np.linalg.norm(y)) / limit * (1 + 1e-15), inf


class Sharp(Theorem):
    """Theorem A': a path of length s takes at least sigma_min s - beta s^2 / 2 off the residual."""

    def reach(self, low: float, high: float, beta: Lipschitz) -> Reach:
        edge = _largest_ball(beta, low)
        if not isfinite(edge):
            return Reach(inf, inf)
        if edge == 0:
            return Reach(0.0, 0.0)
        found = minimize_scalar(
            lambda ball: -_gain(low, beta, ball),
            bounds=(0, edge),
            method="bounded",
            options={"xatol": 1e-4 * edge},
        )
        radius = max((float(found.x), edge), key=lambda ball: _gain(low, beta, ball))
        return Reach(_gain(low, beta, radius) * _INWARD, radius)

    def promise(self, low: float, high: float, beta: Lipschitz, radius: float, e: float) -> Promise:
        if e == 0:
            return Promise(2 * low**2 * _INWARD, 0.0, 0.0)
        # the smallest ball that the path cannot leave has the least beta; with beta = 0 it is the first here
        ball = e / low
        if beta(ball) > 0 and _gain(low, beta, ball) < e:  # at large scales not even by rounding
            ball = _root(lambda b: _gain(low, beta, b) - e, ball, radius) * (1 + _PRECISION)
        while _gain(low, beta, ball) < e and ball < radius:
            ball = min(ball * (1 + _PRECISION), radius)
        q = max(low**2 - 2 * beta(ball) * e, 0.0)
        path = 2 * e / (low + sqrt(q))  # (sigma_min - sqrt q) / beta, with beta = 0 too
        return Promise(2 * q * _INWARD, path / _INWARD, ball)

    def strain(self, low: float, high: float, beta: Lipschitz, demand: float) -> float:
        if demand == 0:
            return 0.0
        # constant beta asks for the ball of radius 2 demand / low, growing beta for a smaller one
        balls = np.geomspace(1.1, 2, 8) * demand / low
        return min(beta(ball) * ball * ball / (2 * (low * ball - demand)) for ball in balls.tolist())


THEOREMS: dict[str, Theorem] = {"A": Halving(1 / 6, 6.0), "A'": Sharp(), "B": ChizatOyallonBach(1 / 16, 8.0)}


def _largest_ball(beta: Lipschitz, target: float) -> float:
    """Return the largest B, nearly, with B beta(B) <= target."""
    at_start = beta(0.0)
    high = target / at_start if at_start > 0 else 1.0
    while high * beta(high) <= target:
        if at_start > 0:  # beta is constant
            return high
        if high > 1e100:
            return high if beta(high) > 0 else inf
        high *= 2
    low = high / 2
    while low * beta(low) > target:
        low, high = low / 2, low
    if low < 1e-300:
        return 0.0
    ball = _root(lambda b: b * beta(b) - target, low, high) if low * beta(low) < target else low
    while ball * beta(ball) > target:
        ball *= 1 - _PRECISION
    return ball


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a zero between two points of unlike signs, of which the lower is positive."""
    return brentq(function, low, high, xtol=_PRECISION * low, rtol=_PRECISION)


def _gain(low: float, beta: Lipschitz, radius: float) -> float:
    """What a path of this length takes off |r| / alpha at least."""
    return low * radius - beta(radius) * radius**2 / 2
