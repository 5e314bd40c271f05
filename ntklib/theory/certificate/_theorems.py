r"""Theorems A, A' and B: which residuals they allow, and what they promise then.

Of the Jacobian at the start they know :math:`\sigma_{\min}` (``low``) and :math:`\sigma_{\max}` (``high``),
and :math:`\beta(B)`, a bound on its Lipschitz constant on the ball of radius B.  Proofs are in
``docs/theory.md``.  Any ball that meets a theorem's condition will do: a rough search costs sharpness only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import inf, isfinite, nextafter, sqrt
from sys import float_info

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from .._neurons import EPS
from .scale_interval import residual, scales_within, within

__all__ = ["THEOREMS", "Promise", "Reach", "Theorem", "times_rate"]

Lipschitz = Callable[[float], float]
"""beta(B), which never falls with B."""

_INWARD = 1 - 32 * EPS
_PRECISION = 1e-7  # of radii that are searched, relative
_LAST_PLACES = 1 + 4 * EPS
"""Relative rounding allowed for in given constants; sigma_min of a network is rounded down by more."""


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
    """Conclusions from sigma_min, sigma_max and beta for a model at e = |h_0 - y/alpha| from its target."""

    def demand(self, h0: NDArray, y: NDArray, scale: float) -> float:
        """Return what must be within reach, rounded up: here e."""
        return residual(h0, y, scale)

    def met(self, h0: NDArray, y: NDArray, scale: float, limit: float) -> bool:
        """Tell if the demand is within a limit, exactly."""
        return within(h0, y, scale, limit)

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

    # In time, by the rate of the loss and the speed alpha^2 sigma_min^2.

    def left(self, rate: float, speed: float, times: NDArray) -> NDArray:
        """Return the share of the residual that is left at most."""
        return np.exp(-times_rate(rate / 2, times))

    def time(self, rate: float, speed: float, left: NDArray) -> NDArray:
        """Return when at most a share of the residual is left."""
        return -2 * np.log(left) / rate

    def slopes(self, end: float, left: NDArray) -> NDArray:
        """Return the least sigma_min(J) over its start: with a share of the residual left, plus in the end.

        ``end`` is the rate over that of the linearised model.
        """
        return np.ones_like(left)

    def formula(self, rate: float, speed: float) -> str:
        """Write down what the loss is multiplied by at most."""
        return f"exp(-{rate:.4g} t)"


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
        return Reach(self.share * radius * low * low / high * _INWARD, radius)

    def promise(self, low: float, high: float, beta: Lipschitz, radius: float, e: float) -> Promise:
        return Promise(low * low / 2 * _INWARD, self.factor * high / low * (e / low) / _INWARD, radius)

    def strain(self, low: float, high: float, beta: Lipschitz, demand: float) -> float:
        radius = demand * high / (self.share * low * low)
        return 2 * radius * beta(radius) / low


class ChizatOyallonBach(Halving):
    """Theorem B: both |h_0| and |y| / alpha have to be small."""

    def demand(self, h0: NDArray, y: NDArray, scale: float) -> float:
        return max(residual(h0, 0 * y, 1.0), residual(0 * h0, y, scale))

    def met(self, h0: NDArray, y: NDArray, scale: float, limit: float) -> bool:
        return within(h0, 0 * y, 1.0, limit) and within(0 * h0, y, scale, limit)

    def scales(self, h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
        if limit == 0 or not within(h0, 0 * y, 1.0, limit):
            return None
        return scales_within(0 * h0, y, limit)


class Sharp(Theorem):
    """Theorem A': a path of length s takes at least sigma_min s - beta s^2 / 2 off the residual."""

    def met(self, h0: NDArray, y: NDArray, scale: float, limit: float) -> bool:
        return within(h0, y, scale, limit * _LAST_PLACES)

    def scales(self, h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
        return scales_within(h0, y, limit * _LAST_PLACES)

    def reach(self, low: float, high: float, beta: Lipschitz) -> Reach:
        edge = _largest_ball(beta, low)
        if not isfinite(edge):
            return Reach(inf, inf)
        if edge == 0:
            return Reach(0.0, 0.0)
        best = minimize_scalar(
            lambda share: -_gain(low, beta, share * edge) / low / edge,
            bounds=(0, 1),
            method="bounded",
            options={"xatol": 1e-4},
        ).x
        # with one beta for all balls it is sigma_min / beta, which may lie between two numbers: the next one
        bend = beta(edge)
        last = min(low / bend, 2 * edge) if bend > 0 else edge
        balls = float(best) * edge, edge, last * (1 + 4 * EPS)
        radius = max(balls, key=lambda ball: _gain(low, beta, ball))
        return Reach(_exact_gain(low, beta(radius), radius), radius)

    def promise(self, low: float, high: float, beta: Lipschitz, radius: float, e: float) -> Promise:
        if e == 0:
            return Promise(2 * low * low * _INWARD, 0.0, 0.0)
        # the smallest ball that the path cannot leave has the least beta; with beta = 0 it is the first here
        ball = e / low
        if beta(ball) > 0 and _gain(low, beta, ball) < e:  # at large scales not even by rounding
            at_threshold = _gain(low, beta, radius) <= e
            ball = radius if at_threshold else _root(lambda b: _gain(low, beta, b) - e, ball, radius)
        while _gain(low, beta, ball) < e and ball < radius:
            ball = min(ball * (1 + _PRECISION), radius)
        # of the difference the rounding is relative to sigma_min^2; at the threshold nothing is left of it
        q = max(low * low * _INWARD - 2 * beta(ball) * e, 0.0)
        path = 2 * e / (low + sqrt(q))  # (sigma_min - sqrt q) / beta, with beta = 0 too
        return Promise(2 * q * _INWARD, path / _INWARD, ball)

    def strain(self, low: float, high: float, beta: Lipschitz, demand: float) -> float:
        if demand == 0:
            return 0.0
        # constant beta asks for the ball of radius 2 demand / low, growing beta for a smaller one
        balls = np.geomspace(1.1, 2, 8) * demand / low
        return min(beta(ball) * ball * ball / (2 * (low * ball - demand)) for ball in balls.tolist())

    def left(self, rate: float, speed: float, times: NDArray) -> NDArray:
        if rate == 0:
            return 1 / (1 + times_rate(speed, times))
        # 1 / (1 + sigma_min^2 (exp(alpha^2 q t) - 1) / q), both parts times exp(-alpha^2 q t)
        exponent = -times_rate(rate / 2, times)
        return np.exp(exponent) / (np.exp(exponent) - speed / (rate / 2) * np.expm1(exponent))

    def time(self, rate: float, speed: float, left: NDArray) -> NDArray:
        needed = (1 / left - 1) / speed
        return needed if rate == 0 else 2 * np.log1p(rate / 2 * needed) / rate

    def slopes(self, end: float, left: NDArray) -> NDArray:
        return np.sqrt(end + (1 - end) * left) + np.sqrt(end)

    def formula(self, rate: float, speed: float) -> str:
        if rate == 0:
            return f"/ (1 + {speed:.4g} t)^2"
        return f"/ (1 + {2 * speed / rate:.4g} (exp({rate / 2:.4g} t) - 1))^2"


THEOREMS: dict[str, Theorem] = {"A": Halving(1 / 6, 6.0), "A'": Sharp(), "B": ChizatOyallonBach(1 / 16, 8.0)}


def times_rate(rate: float, times: NDArray) -> NDArray:
    """Multiply, beyond the largest number too, and without NaN: 0 times infinity is 0 here."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where((times == 0) | (rate == 0), 0.0, rate * times)


def _largest_ball(beta: Lipschitz, target: float) -> float:
    """Return the largest B, nearly, with B beta(B) <= target."""
    at_start = beta(0.0)
    high = min(target / at_start, 1e150) if at_start > 0 else 1.0
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
    """Least loss of |r| / alpha on a path of this length, of sigma_min / beta if that is less."""
    bend = beta(radius)
    return low * low / (2 * bend) if bend * radius > low else (low - bend * radius / 2) * radius


def _exact_gain(low: float, bend: float, radius: float) -> float:
    """The same, rounded down."""
    sigma, length = Fraction(low), Fraction(radius)
    if bend > 0:
        length = min(length, sigma / Fraction(bend))
    gain = sigma * length - Fraction(bend) * length**2 / 2
    if gain > float_info.max:
        return float_info.max
    return float(gain) if Fraction(float(gain)) <= gain else nextafter(float(gain), 0.0)
