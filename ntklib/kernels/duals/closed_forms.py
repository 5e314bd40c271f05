"""Closed-form duals of smooth activations.

With S = E[uv] and variances q_x, q_z.  The Gaussian's is an integral of a normal density, those of sin, cos
and the radial basis function come from its characteristic function (Han et al. 2022, "Fast neural
kernel embeddings for general activations", table 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._wide import narrow, over, positive, where
from ._lengthened import Lengthened
from ._pairs import Motion, Pairs, Partials, cosine_of
from ._smooth import SmoothDual

__all__ = ["CosDual", "GaussianDual", "RBFDual", "SinDual", "half_squares_moved"]


@dataclass(frozen=True)
class GaussianDual(SmoothDual):
    """sigma = exp(-z^2/2):  A = Delta^(-1/2),  D = S Delta^(-3/2),  Delta = (1 + q_x)(1 + q_z) - S^2."""

    carries_lengths: ClassVar[bool] = True

    def pair(self, p):
        near = Lengthened.of(p, 1.0, 1.0)
        return 1 / near.root, p.covariance / near.root / near.delta

    def gap(self, p, A, cosine):
        """1 - cosine^2 = 1 - sqrt((1 + 2q_x)(1 + 2q_z)) / Delta, a sum of positive terms over Delta."""
        t, x, z = np.abs(p.tau), p.rx * p.rx, p.rz * p.rz
        roots = np.sqrt(1 + 2 * x) + np.sqrt(1 + 2 * z)
        excess = x * z * (t * (2 - t)) + 2 * (p.squares_apart / roots) ** 2
        return narrow(excess * A * A) / (1 + cosine)

    def sizes_apart(self, p):
        """Of s = (1 + 2q)^(-1/4)."""
        roots = [np.sqrt(1 + 2 * r * r) for r in (p.rx, p.rz)]
        fourths = [np.sqrt(root) for root in roots]
        product = fourths[0] * fourths[1] * (fourths[0] + fourths[1])
        return -2 * p.squares_apart / (roots[0] + roots[1]) / product

    def growths_apart(self, p, by):
        """Of d log s = -q / (1 + 2q) d log r."""
        x, z = p.rx * p.rx, p.rz * p.rz
        return -(x * by.apart + p.squares_apart / (1 + 2 * z) * by.log_z) / (1 + 2 * x)

    def cosine_moved(self, p, A, dA, by, sizes, logs):
        """From 1 - cosine^2, as in `gap`, where that is small."""
        x, z, rho, gap = p.rx * p.rx, p.rz * p.rz, cosine_of(p.tau), np.abs(p.tau)
        root_x, root_z = np.sqrt(1 + 2 * x), np.sqrt(1 + 2 * z)
        roots, together = root_x + root_z, by.log_x + by.log_z
        difference = p.squares_apart / roots
        excess = x * z * (gap * (2 - gap)) + 2 * difference**2
        moved = (p.squares_apart * together + (x + z) * by.apart) / roots
        moved = moved - difference * (2 * x * by.log_x / root_x + 2 * z * by.log_z / root_z) / roots
        d_excess = 2 * x * z * (gap * (2 - gap) * together - rho * by.rho) + 4 * difference * moved
        cosine = narrow(A / (sizes[0] * sizes[1]))
        near = cosine > 0.5
        exact = -(d_excess * A * A + 2 * excess * A * dA) / (2 * np.where(near, cosine, 1.0))
        return where(near, exact, super().cosine_moved(p, A, dA, by, sizes, logs))

    def partials(self, p, A, D):
        delta, t = Lengthened.of(p, 1.0, 1.0).delta, np.abs(p.tau)
        x, z = p.rx * p.rx, p.rz * p.rz
        both = x * z * (t * (2 - t))
        # half of d log Delta / d log r at a fixed correlation
        log_x, log_z = (x + both) / delta, (z + both) / delta
        rho_slope = p.rx * p.rz * (A / delta + 3 * D * p.covariance / delta)
        return Partials(-A * log_x, -A * log_z, D * (1 - 3 * log_x), D * (1 - 3 * log_z), rho_slope)


@dataclass(frozen=True)
class SinDual(SmoothDual):
    """A = exp(-(q_x + q_z)/2) sinh S,  D = exp(-(q_x + q_z)/2) cosh S."""

    by_distance: ClassVar[bool] = True
    sign: ClassVar[float] = -1.0  # E[sigma(u)^2] = (1 + sign exp(-2q)) / 2

    def pair(self, p):
        return _waves(p)

    def gap(self, p, A, cosine):
        return np.copysign(_WaveGap.of(p, self.sign).value, cosine)

    def cosine_moved(self, p, A, dA, by, sizes, logs):
        """Minus the gap's derivative, where the gap is small."""
        gap = _WaveGap.of(p, self.sign)
        far = super().cosine_moved(p, A, dA, by, sizes, logs)
        return where(gap.value < 0.5, np.copysign(1.0, A) * -gap.moved(p, by), far)

    def moved(self, p, A, D, by):
        plus, minus = self._decays(p, by)
        product = p.rx * p.rz
        # of short rows A is small, and so is the difference
        small = p.covariance * (by.log_x + by.log_z) + product * by.rho
        sine, cosine = _waves(p)
        small = cosine * small - sine * (p.rx * p.rx * by.log_x + p.rz * p.rz * by.log_z)
        return where(positive(1.0 - product), small, (minus - plus) / 2), -(plus + minus) / 2

    @staticmethod
    def _decays(p: Pairs, by: Motion) -> tuple[Any, Any]:
        """-d exp(-E[(u - v)^2] / 2), and that of the sum."""
        difference, total = half_squares_moved(p, by)
        return np.exp(-p.half_square_difference) * difference, np.exp(-p.half_square_sum) * total


@dataclass(frozen=True)
class CosDual(SinDual):
    """A = exp(-(q_x + q_z)/2) cosh S,  D = exp(-(q_x + q_z)/2) sinh S."""

    carries_lengths: ClassVar[bool] = True
    sign: ClassVar[float] = 1.0

    def pair(self, p):
        A, D = _waves(p)
        return D, A

    def sizes_apart(self, p):
        return _WaveGap.of(p, self.sign).apart

    def growths_apart(self, p, by):
        return _WaveGap.of(p, self.sign).growths_apart(p, by)

    def moved(self, p, A, D, by):
        dA, dD = super().moved(p, A, D, by)
        return dD, dA


def _waves(p: Pairs) -> tuple[Any, Any]:
    """exp(-(q_x + q_z)/2) times sinh S and cosh S."""
    plus, minus = np.exp(-p.half_square_difference), np.exp(-p.half_square_sum)
    larger = where(p.positive, plus, minus)
    sinh = -larger * np.expm1(-2 * np.abs(p.covariance)) / 2
    return np.copysign(sinh, p.covariance), (plus + minus) / 2


def half_squares_moved(p: Pairs, by: Motion) -> tuple[Any, Any]:
    """Derivatives of E[(u - v)^2] / 2 and E[(u + v)^2] / 2, the smaller one as small as it is."""
    logs, product = by.log_x + by.log_z, p.rx * p.rz
    apart = p.apart * logs / 2 + (p.rx + p.rz) / 2 * by.apart
    turned = product * np.abs(p.tau) * logs - where(p.positive, product, -product) * by.rho
    near = p.apart * apart + turned
    if by.half_squares is not None:
        near = where(p.close, by.half_squares, near)
    far = 2 * (p.rx * p.rx * by.log_x + p.rz * p.rz * by.log_z) - near
    return where(p.positive, near, far), where(p.positive, far, near)


class _WaveGap(NamedTuple):
    """The gap of cos (sign 1) or sin (sign -1), as if its correlation were positive.

    With s^2 = (1 + sign e^(-2q)) / 2, near = E[(u - v)^2] / 2 and far = E[(u + v)^2] / 2, which an opposite
    pair exchanges, the gap times s_x s_z is

        (1 - e^(-near)) (1 - sign e^(-far)) / 2 + sign (e^(-q_x) - e^(-q_z))^2 / 4 - (s_x - s_z)^2 / 2
    """

    sign: float
    near: Any
    far: Any
    ends: Any  # e^(-q_x) and e^(-q_z)
    sizes: Any  # s_x and s_z
    difference: Any  # of the ends
    apart: Any  # s_x - s_z

    @classmethod
    def of(cls, p: Pairs, sign: float) -> _WaveGap:
        squares = p.half_square_difference, p.half_square_sum
        near, far = where(p.positive, *squares), where(p.positive, *squares[::-1])
        x, z = p.rx * p.rx, p.rz * p.rz
        ends = np.exp(-x), np.exp(-z)
        sizes = [np.sqrt((-np.expm1(-2 * q) if sign < 0 else 1 + np.exp(-2 * q)) / 2) for q in (x, z)]
        between = p.squares_apart
        larger = np.exp(-where(positive(between), z, x))
        difference = np.copysign(larger * np.expm1(-np.abs(between)), -between)
        apart = sign * over(difference * ((ends[0] + ends[1]) / 2), sizes[0] + sizes[1])
        return cls(sign, near, far, ends, sizes, difference, apart)

    @property
    def _factors(self) -> tuple[Any, Any]:
        rest = 1 + np.exp(-self.far) if self.sign < 0 else -np.expm1(-self.far)
        return -np.expm1(-self.near), rest

    @property
    def value(self) -> np.ndarray:
        some, rest = self._factors
        excess = some * rest / 2 + self.sign * self.difference**2 / 4 - self.apart**2 / 2
        product = self.sizes[0] * self.sizes[1]
        return np.where(positive(product), np.clip(narrow(over(excess, product)), 0.0, 1.0), 1.0)

    def moved(self, p: Pairs, by: Motion) -> Any:
        """Its derivatives, to digits of near: the next layer's E[(u - v)^2] is of that size."""
        some, rest = self._factors
        squares = half_squares_moved(p, by)
        near, far = where(p.positive, *squares), where(p.positive, *squares[::-1])
        x, z = p.rx * p.rx, p.rz * p.rz
        log_x, log_z = self._growth(0, x) * by.log_x, self._growth(1, z) * by.log_z
        ends = self.ends[0] * x * by.log_x - self.ends[1] * z * by.log_z
        fine = self.ends[0] * (x * by.apart + p.squares_apart * by.log_z) + self.difference * z * by.log_z
        ends = where(p.alike, fine, ends)
        sizes = self.apart * log_x + self.sizes[1] * self.growths_apart(p, by)
        excess = (np.exp(-self.near) * near * rest + self.sign * some * np.exp(-self.far) * far) / 2
        excess = excess - self.sign * self.difference * ends - self.apart * sizes
        return over(excess, self.sizes[0] * self.sizes[1]) - self.value * (log_x + log_z)

    def _growth(self, side: int, q: Any) -> Any:
        """d log s / d log r = -sign q e^(-2q) / s^2."""
        return -self.sign * over(q * self.ends[side] ** 2, self.sizes[side] ** 2)

    def growths_apart(self, p: Pairs, by: Motion) -> Any:
        """d log s_x - d log s_z."""
        x, z = p.rx * p.rx, p.rz * p.rz
        coarse = self._growth(0, x) * by.log_x - self._growth(1, z) * by.log_z
        squares = self.sizes[0] ** 2, self.sizes[1] ** 2
        along = over(p.squares_apart * self.ends[0] ** 2, squares[0])
        along = along + over(z * self.difference * (self.ends[0] + self.ends[1]) / 2, squares[0] * squares[1])
        return where(p.alike, self._growth(0, x) * by.apart - self.sign * along * by.log_z, coarse)


@dataclass(frozen=True)
class RBFDual(SmoothDual):
    """sigma = sqrt(2) sin(sqrt(2 gamma) z + pi/4):  A = exp(-gamma E[(u - v)^2]),  D = 2 gamma A."""

    by_distance: ClassVar[bool] = True
    gamma: float

    def pair(self, p):
        A = np.exp(-2 * self.gamma * p.half_square_difference)
        return A, 2 * self.gamma * A

    def gap(self, p, A, cosine):
        return -np.expm1(-2 * self.gamma * narrow(p.half_square_difference))

    def moved(self, p, A, D, by):
        dA = -2 * self.gamma * A * half_squares_moved(p, by)[0]
        return dA, 2 * self.gamma * dA
