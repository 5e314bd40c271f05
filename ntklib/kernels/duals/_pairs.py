"""Pairs of jointly Gaussian rows: their gaps and covariances, and how both move with the hyperparameters."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ntklib._core.jit import compiled

from .._wide import Wide, narrow, over, positive, where

__all__ = [
    "Heading",
    "Motion",
    "Pairs",
    "Partials",
    "Side",
    "clear_equal",
    "cosine_of",
    "cosines",
    "covariances",
    "motion",
    "share",
    "signed_gaps_of",
    "turned",
]


class Pairs(NamedTuple):
    """Two blocks of jointly Gaussian rows: standard deviations, signed gaps and covariances.

    Arrays are of shape (n, 1), (1, m) and (n, m), or all (n,) for rows paired with themselves.
    """

    rx: Any
    rz: Any
    tau: Any
    covariance: Any
    state_x: Any  # what the dual computed once for each row
    state_z: Any
    half_squares: Any = None  # those of close pairs, where they come from the rows themselves
    close: Any = False
    magnified: bool = True  # whether later layers magnify errors of the gaps after this one
    radii_apart: Any = None  # rx - rz, where the layers below are known to have made it small

    @classmethod
    def of_rows(cls, r: Any, state: Any) -> Pairs:
        """Rows paired with themselves."""
        return cls(r, r, np.zeros(len(r)), r * r, state, state)

    @property
    def positive(self) -> np.ndarray:
        """Mask of correlations that are not negative; a gap of -0.0 is that of an opposite pair."""
        return positive(np.copysign(1.0, self.tau))

    @property
    def apart(self) -> Any:
        """rx - rz."""
        return self.rx - self.rz if self.radii_apart is None else self.radii_apart

    @property
    def squares_apart(self) -> Any:
        """q_x - q_z."""
        return self.apart * (self.rx + self.rz)

    @property
    def alike(self) -> np.ndarray:
        """Mask of lengths of which neither is twice the other: differences of functions of them cancel."""
        return positive((self.rx + self.rz) / 4 - np.abs(self.apart))

    @property
    def equal(self) -> np.ndarray:
        """Pairs that coincide."""
        apart = self.apart
        same = apart.mantissa == 0 if isinstance(apart, Wide) else apart == 0
        return same & ~positive(np.abs(self.tau)) & self.positive

    @property
    def half_square_difference(self) -> Any:
        """E[(u - v)^2] / 2, accurate where u and v nearly coincide."""
        return self._half_square(self.positive)

    @property
    def half_square_sum(self) -> Any:
        """E[(u + v)^2] / 2, accurate where u and -v nearly coincide."""
        return self._half_square(~self.positive)

    def _half_square(self, near: np.ndarray) -> Any:
        t = np.abs(self.tau)
        value = self.apart**2 / 2 + self.rx * self.rz * where(near, t, 2 - t)
        return value if self.half_squares is None else where(near & self.close, self.half_squares, value)


class Partials(NamedTuple):
    """Derivatives of A and D in the logarithms of r_x and r_z at a fixed correlation, and of D in that."""

    A_x: Any
    A_z: Any
    D_x: Any
    D_z: Any
    D_rho: Any


class Motion(NamedTuple):
    """Derivatives of pairs in two directions: arrays (2, ...)."""

    log_x: Any  # d log r_x
    log_z: Any
    apart: Any  # d log r_x - d log r_z
    rho: Any  # of the correlation
    half_squares: Any = None  # of close pairs, where they come from the rows themselves


class Heading(NamedTuple):
    """Two directions that pairs move in: how fast (2,) each of these does."""

    in_w: np.ndarray  # log weight_std
    in_b: np.ndarray  # log bias_std
    x: np.ndarray  # log lengths of the first layer's pre-activations, before the bias
    z: np.ndarray
    angle: np.ndarray  # that between the inputs

    @classmethod
    def of_parameters(cls) -> Heading:
        """Log weight_std and log bias_std."""
        first, second = np.eye(2)
        return cls(first, second, first, first, np.zeros(2))

    @classmethod
    def of_inputs(cls) -> Heading:
        """The logarithm of the length of x, and the angle between x and z."""
        first, second = np.eye(2)
        return cls(np.zeros(2), np.zeros(2), first, np.zeros(2), second)


class Side(NamedTuple):
    """Rows of one side as a gradient needs them, layer by layer, in the shape of pairs."""

    lengths: list[Any]
    growth: list[Any]


def share(length: Any, radius: Any) -> Any:
    """cos^2 of the turn that a bias gives, 1 where there is nothing to turn."""
    return where(positive(radius), over(length, radius) ** 2, 1.0)


def motion(
    p: Pairs, x: Side, z: Side, layer: int, d_cosine: Any, bias: float, in_b: np.ndarray, apart: Any = None
) -> Motion:
    """Derivatives of pre-activations, from those of the layer below.

    ``apart``: the difference of the lengths' growths, where it is smaller than their rounding.

    With c = length / r, s = bias / r and m = d log length - d log bias,

        rho' = c_x c_z rho + s_x s_z
        d rho' = c_x c_z d rho + m_x s_x (s_x rho' - s_z) + m_z s_z (s_z rho' - s_x)
    """
    lx, lz, rx, rz = x.lengths[layer], z.lengths[layer], p.rx, p.rz
    growth_x, growth_z = x.growth[layer], z.growth[layer]
    growth_apart = growth_x - growth_z if apart is None else apart
    squares = None if p.half_squares is None else _half_squares_moved(p, x, z, d_cosine, bias, in_b)
    if not bias:
        return Motion(growth_x, growth_z, growth_apart, d_cosine, squares)
    cx2, cz2, sx, sz = (lx / rx) ** 2, (lz / rz) ** 2, bias / rx, bias / rz
    radii_apart = (lx - lz) * (lx + lz) / (rx + rz) if p.radii_apart is None else p.radii_apart
    difference = -radii_apart / rx * (bias / rz)  # s_x - s_z
    mx, mz, gap = growth_x - in_b, growth_z - in_b, np.abs(p.tau)
    tilt = mx * sx - mz * sz if apart is None else growth_apart * sx + mz * difference
    near = difference * tilt - (mx * sx * sx + mz * sz * sz) * gap
    far = -(sx + sz) * (mx * sx + mz * sz) + (mx * sx * sx + mz * sz * sz) * gap
    apart = growth_apart * cx2 - difference * (sx + sz) * mz
    rho = lx / rx * (lz / rz) * d_cosine + where(p.positive, near, far)
    return Motion(mx * cx2 + in_b, mz * cz2 + in_b, apart, rho, squares)


def _half_squares_moved(p: Pairs, x: Side, z: Side, d_cosine: Any, bias: float, in_b: np.ndarray) -> Any:
    """Derivatives of |u -+ v|^2 / 2 of the first layer, from those squares: a sum holds the bias twice."""
    own_bias: Any = Wide(bias) if isinstance(p.half_squares, Wide) else bias
    twice = where(p.positive, 0.0, 2 * own_bias**2)
    lx, lz, gx, gz = x.lengths[0], z.lengths[0], x.growth[0], z.growth[0]
    turned = lx * lz * where(p.positive, -d_cosine, d_cosine)
    squares_apart = (lx - lz) * (lx + lz) if p.radii_apart is None else p.squares_apart
    own = (gx + gz) * (p.half_squares - twice) + (gx - gz) / 2 * squares_apart + turned
    return own + 2 * in_b * twice


@compiled
def covariances(tau, rx, rz):
    """Covariances of a tile of floats from gaps and standard deviations."""
    n, m = tau.shape
    out = np.empty((n, m))
    for i in range(n):
        row, gaps = out[i], tau[i]
        for j in range(m):
            row[j] = math.copysign(1.0 - abs(gaps[j]), gaps[j]) * rx[i] * rz[j]
    return out


@compiled
def cosines(A, size_x, size_z):
    """Cosines A / (size_x size_z) of a tile of floats, 0 where a size is 0."""
    n, m = A.shape
    out = np.empty((n, m))
    for i in range(n):
        row, values = out[i], A[i]
        for j in range(m):
            size = size_x[i] * size_z[j]
            row[j] = values[j] / size if size > 0.0 else 0.0
    return out


@compiled
def signed_gaps_of(cosine):
    """Signed gaps of a tile by subtraction, which will do where what follows is smooth in the cosine."""
    n, m = cosine.shape
    out = np.empty((n, m))
    for i in range(n):
        row, values = out[i], cosine[i]
        for j in range(m):
            gap = 1.0 - abs(values[j])
            row[j] = math.copysign(0.0 if gap < 0.0 else gap, values[j])
    return out


@compiled
def clear_equal(gap, tau, rx, rz):
    """Set the gap of pairs of floats that coincide (`Pairs.equal`) to 0, in place."""
    n, m = gap.shape
    for i in range(n):
        row, before = gap[i], tau[i]
        for j in range(m):
            equal = rx[i] == rz[j] and before[j] == 0.0 and math.copysign(1.0, before[j]) > 0.0
            row[j] = 0.0 if equal else row[j]


def cosine_of(tau: Any) -> Any:
    return np.copysign(1 - np.abs(tau), tau)


def turned(tau: Any, lx: Any, lz: Any, rx: Any, rz: Any, bias: float, apart: Any = None) -> Any:
    """Gaps after a bias, sums of positive terms as in ``_angular.py``; ``apart`` is lx - lz."""
    near, t = positive(np.copysign(1.0, tau)), np.abs(tau)
    cx, cz, sx, sz = lx / rx, lz / rz, bias / rx, bias / rz
    cosines, sines = cx * cz, sx * sz
    apart = (lx - lz if apart is None else apart) / rx * (bias / rz)
    to_one = apart**2 / (1 + cosines + sines) + cosines * where(near, t, 2 - t)
    to_minus_one = sines + (sx**2 + (cx * sz) ** 2) / (1 + cosines) + cosines * t
    return where(near | (narrow(to_minus_one) >= 1), to_one, -to_minus_one)
