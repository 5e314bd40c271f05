"""Deep kernels of homogeneous activations, relative to the rows' lengths at every layer.

Row-wise quantities are in extended precision, their lengths without a limit to their range
(``_wide.py``); pairs only see angles (``_angular.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._wide import Wide, extended, positive, power, turns
from ..contract import Architecture
from ..gram.rows import Rows
from ._angular import angular_tile, moved_tile, one_layer_tile, ramp_tile
from ._motion import RowMotion
from ._moved_steps import moved_steps
from .series import double_factorial, far_polynomial, gap_polynomial, near_polynomial, one_layer_polynomials

__all__ = ["HomogeneousDual"]

# directions: the first of two, the second, and neither
_FIRST, _SECOND, _NEITHER = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]]), np.zeros((2, 1))


@dataclass(frozen=True)
class AngularPlan:
    """Row-wise quantities, one entry of the first axis a layer."""

    turns: np.ndarray  # (depth + 1, 4, n): the turns that the biases give (`turns`)
    scale: Wide  # (n,) standard deviation of the output's NNGP, times what untrained last layers pass on
    relative_diagonal: np.ndarray  # (n,) K_xx / scale^2
    zero: np.ndarray  # (n,) rows on which the first layer's pre-activation vanishes

    def take(self, rows: slice) -> AngularPlan:
        return AngularPlan(
            np.ascontiguousarray(self.turns[:, :, rows]),
            self.scale[rows],
            self.relative_diagonal[rows],
            self.zero[rows],
        )


@dataclass(frozen=True)
class HomogeneousDual:
    """Dual of sigma(z) = b sigma_n(z) + a sigma_n(-z), with sigma_n(z) = z^n 1{z >= 0}."""

    degree: int
    a: float
    b: float
    at_zero: float = 0.0  # sigma(0); not zero only for a step

    @property
    def k(self) -> float:
        return 2 * self.a * self.b / (self.a**2 + self.b**2)

    @property
    def second_moment(self) -> float:
        """E[sigma(z)^2] of a standard Gaussian."""
        return (self.a**2 + self.b**2) * double_factorial(2 * self.degree - 1) / 2

    @property
    def ratio(self) -> float:
        """n^2 E[sigma_(n-1)^2] / E[sigma_n^2]."""
        n = self.degree
        return n * n / (2 * n - 1) if n else 0.0

    def _passes(self, net: Architecture, layer: int) -> bool:
        """Say if the cosines that a layer passes on are part of the scale, since nothing is added later."""
        return not any(net.include[layer:])

    def magnifies(self, net: Architecture) -> bool:
        """A second layer of steps sees the root of the angle."""
        return self.degree == 0 and net.depth > 1

    def needs_float64(self, net: Architecture) -> bool:
        """Roots of roots of angles would magnify float32's errors."""
        return self.magnifies(net)

    def _growth(self, net: Architecture) -> tuple[int, int]:
        """Power of the first lengths, and of two beside it, that later lengths and their squares reach."""
        growth = max(2, self.degree) * max(self.degree, 1) ** net.depth
        weight, bias, spread = (
            abs(frexp(number)[1]) + 1 for number in (net.weight_std, net.bias_std, self.second_moment)
        )
        return growth, growth * (bias + (net.depth + 1) * (2 * weight + spread))

    def plan(self, net: Architecture, rows: Rows) -> AngularPlan:
        """Carry the rows' lengths through the layers."""
        w = np.longdouble(net.weight_std)
        one = np.ones(rows.n, np.longdouble)
        length: Any = Wide(rows.root * one, rows.exponent)
        length = length * (w / np.sqrt(np.longdouble(rows.X.shape[1])) if net.fan_in else w)
        zero = (length.mantissa == 0) & (net.bias_std == 0)
        spread = w * np.sqrt(np.longdouble(self.second_moment))
        length = extended(length, *self._growth(net))
        bias_square = (net.bias_std * one) ** 2
        tables = np.empty((net.depth + 1, 4, rows.n), rows.dtype)
        relative, passed_on = np.zeros(rows.n, np.longdouble), Wide(one)
        for layer in range(net.depth + 1):
            radius = np.sqrt(length**2 + bias_square) if net.bias_std else length
            turn = turns(length, radius, net.bias_std)
            tables[layer] = turn
            passed = 1.0 if self._passes(net, layer) else turn[0] ** 2
            relative = net.include[layer] + passed * (self.ratio if layer else 1.0) * relative
            if self._passes(net, layer):
                passed_on = passed_on * turn[0]
            if self.degree:
                length = power(radius, self.degree) * spread
            else:
                constant = np.where(positive(radius), spread, w * abs(self.at_zero))
                length = Wide(constant) if isinstance(radius, Wide) else constant
        return AngularPlan(tables, radius * passed_on, relative, zero)

    def tile(
        self, net: Architecture, x: AngularPlan, z: AngularPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return K / (scale_x scale_z) of a tile of signed gaps, in their place."""
        self._set_zero_rows(x, z, tau)
        n, below = self.degree, max(self.degree - 1, 0)
        if net.depth == 1 and net.bias_std == 0 and n > 0:
            one_layer_tile(tau, n, self.k, *one_layer_polynomials(n, *net.include, tau.dtype.name))
            return tau
        kind, include, biased = tau.dtype.name, np.array(net.include), net.bias_std > 0
        if n == 1:
            far, far_below = far_polynomial(1, kind), far_polynomial(0, kind)
            ramp_tile(tau, include, self.k, far, far_below, biased, x.turns, z.turns)
            return tau
        angular_tile(
            tau, include, n, self.k, self.ratio,
            near_polynomial(n), gap_polynomial(n), far_polynomial(n, kind),
            near_polynomial(below), far_polynomial(below, kind), biased, x.turns, z.turns,
            self._apart(tau, apart),
        )  # fmt: skip
        return tau

    def _apart(self, tau: np.ndarray, apart: np.ndarray | None) -> np.ndarray:
        """Distances of the lengths of rows, which only steps look at, if they were computed."""
        if apart is not None:
            return apart
        return np.full(tau.shape if self.degree == 0 else (0, 0), np.nan, tau.dtype)

    def _set_zero_rows(self, x: AngularPlan, z: AngularPlan, tau: np.ndarray) -> None:
        """A zero row's feature is sigma(0), a constant: give it the angle that has that covariance."""
        if self.degree or not self.at_zero or not (x.zero.any() or z.zero.any()):
            return
        correlation = np.sign(self.at_zero) * (self.a + self.b) / 2 / sqrt(self.second_moment)
        gap = 1 - np.cos(np.pi * (1 - correlation) / (1 - self.k))
        tau[x.zero[:, None] ^ z.zero[None, :]] = gap if gap <= 1 else gap - 2
        tau[x.zero[:, None] & z.zero[None, :]] = 0.0

    def gradient(
        self, net: Architecture, x: AngularPlan, z: AngularPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d K / d log (weight_std, bias_std) over scale_x scale_z, shape (2, n, m)."""
        by_x, by_z = self._retuned(net, x), self._retuned(net, z)
        return self._moved(net, x, z, tau, apart, by_x, by_z, _NEITHER)

    def input_gradient(
        self, net: Architecture, x: AngularPlan, z: AngularPlan, tau: np.ndarray, apart: Any = None
    ) -> np.ndarray:
        """Return d K / d (log length of x, angle) over scale_x scale_z, shape (2, n, m)."""
        by_x, by_z = self._lengthened(net, x), RowMotion.none(*z.turns[:, 0].shape)
        return self._moved(net, x, z, tau, apart, by_x, by_z, _SECOND)

    def _retuned(self, net: Architecture, x: AngularPlan) -> RowMotion:
        """Rows' lengths at every layer as weight_std and bias_std grow: derivatives in their logarithms."""
        return self._motion(net, x, _FIRST, _FIRST, _SECOND)

    def _lengthened(self, net: Architecture, x: AngularPlan) -> RowMotion:
        """Rows' lengths at every layer as their own length grows: derivatives in its logarithm, and 0."""
        return self._motion(net, x, _FIRST, _NEITHER, _NEITHER)

    def _motion(
        self, net: Architecture, x: AngularPlan, start: NDArray, by_weight: NDArray, by_bias: NDArray
    ) -> RowMotion:
        """Rows' lengths at every layer as the first grow by ``start``, weights and biases as stated."""
        growth = start + np.zeros((2, x.turns.shape[2]))
        lengths, passed = np.empty((net.depth + 1, *growth.shape)), np.zeros_like(growth)
        for layer in range(net.depth + 1):
            lengths[layer] = growth
            cos2, sin2 = x.turns[layer, :2].astype(np.float64) ** 2
            if self._passes(net, layer):
                passed = passed + sin2 * (growth - by_bias)
            scale = cos2 * growth + sin2 * by_bias
            growth = self.degree * scale + by_weight
        return RowMotion(lengths, scale + passed, by_bias)

    def _moved(
        self,
        net: Architecture,
        x: AngularPlan,
        z: AngularPlan,
        tau: np.ndarray,
        apart: Any,
        by_x: RowMotion,
        by_z: RowMotion,
        angles: np.ndarray,
    ) -> np.ndarray:
        """Derivatives of K over scale_x scale_z as rows move and, by ``angles``, those between them."""
        self._set_zero_rows(x, z, tau)
        n, kind, scales = self.degree, tau.dtype.name, not net.normalized
        if n == 0:
            value, moved = moved_steps(self.k, x.turns, z.turns, tau, apart, angles, by_x, by_z)
            if scales:
                moved += value * (by_x.log_scales[:, :, None] + by_z.log_scales[:, None, :])
            return net.include[-1] * moved
        second = max(n - 2, 0)
        polynomials = (
            near_polynomial(n), gap_polynomial(n), far_polynomial(n, kind),
            near_polynomial(n - 1), far_polynomial(n - 1, kind),
            near_polynomial(second), far_polynomial(second, kind),
        )  # fmt: skip
        out = np.empty((2, *tau.shape))
        moved_tile(
            tau, np.full_like(tau, np.nan) if apart is None else apart, angles, np.array(net.include),
            n, self.k, self.ratio, polynomials, x.turns, z.turns,
            by_x.tables(x.turns, scales=scales), by_z.tables(z.turns, scales=scales), by_x.log_bias, out,
        )  # fmt: skip
        return out

    def diagonal_gradient(self, net: Architecture, x: AngularPlan) -> np.ndarray:
        """Return d K_xx / d log (weight_std, bias_std) over scale_x^2, shape (2, n)."""
        return self._diagonal_moved(net, x, self._retuned(net, x))

    def diagonal_input_gradient(self, net: Architecture, x: AngularPlan) -> np.ndarray:
        """Return d K_xx / d log length over scale_x^2, shape (n,)."""
        return self._diagonal_moved(net, x, self._lengthened(net, x))[0]

    def _diagonal_moved(self, net: Architecture, x: AngularPlan, by: RowMotion) -> np.ndarray:
        relative = np.zeros(x.scale.mantissa.shape)
        d_relative = np.zeros(by.log_scales.shape)
        for layer in range(net.depth + 1):
            cos, sin = x.turns[layer, :2]
            cos2, d_cos2 = cos**2, -2 * sin * cos * by.turn(x.turns, layer)
            if self._passes(net, layer):
                cos2, d_cos2 = np.ones_like(cos2), np.zeros_like(d_cos2)
            relative, d_relative = (
                net.include[layer] + self.ratio * cos2 * relative,
                self.ratio * (d_cos2 * relative + cos2 * d_relative),
            )
        return d_relative if net.normalized else d_relative + 2 * relative * by.log_scales
