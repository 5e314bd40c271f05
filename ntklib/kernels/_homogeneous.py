"""Deep kernels of homogeneous activations, relative to the rows' lengths at every layer.

Row-wise quantities are in extended precision, so that lengths of 1e150 can be raised to powers; pairs
only see angles (``_angular.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from ._angular import activation_tile, angular_tile, angular_values, bias_tile, one_layer_tile
from ._architecture import Architecture
from ._rows import Rows
from ._series import (
    double_factorial,
    far_polynomial,
    gap_polynomial,
    near_polynomial,
    one_layer_polynomials,
)

__all__ = ["HomogeneousDual"]


@dataclass(frozen=True)
class _Plan:
    """Row-wise quantities, one row of each array a layer."""

    cos: np.ndarray  # (depth + 1, n): the cosine of the turn a layer's bias gives
    cos_half: np.ndarray
    tan_half: np.ndarray
    turn: np.ndarray  # the angle itself, float64
    scale: np.ndarray  # (n,) standard deviation of the output's NNGP, np.longdouble
    relative_diagonal: np.ndarray  # (n,) K_xx / scale^2
    zero: np.ndarray  # (n,) rows on which the first layer's pre-activation vanishes
    log_scale_gradient: np.ndarray  # (2, depth + 1, n): d log length / d log (weight_std, bias_std)

    def take(self, rows: slice) -> _Plan:
        return _Plan(
            np.ascontiguousarray(self.cos[:, rows]),
            np.ascontiguousarray(self.cos_half[:, rows]),
            np.ascontiguousarray(self.tan_half[:, rows]),
            self.turn[:, rows],
            self.scale[rows],
            self.relative_diagonal[rows],
            self.zero[rows],
            self.log_scale_gradient[:, :, rows],
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

    def plan(self, net: Architecture, rows: Rows) -> _Plan:
        """Carry the rows' lengths through the layers."""
        lengths, dtype = rows.lengths, rows.dtype
        w, b = np.longdouble(net.weight_std), np.longdouble(net.bias_std)
        length = w * lengths / (np.sqrt(np.longdouble(rows.X.shape[1])) if net.fan_in else 1)
        zero = (lengths == 0) & (b == 0)
        turns, gradients = [], []
        gradient = np.stack([np.ones(len(lengths)), np.zeros(len(lengths))])
        relative = np.zeros(len(lengths))
        for layer in range(net.depth + 1):
            radius = np.hypot(length, b)
            turn = np.arctan2(b, length).astype(np.float64) if b else np.zeros(len(lengths))
            cos2 = np.cos(turn) ** 2
            gradient = gradient * cos2 + np.stack([np.zeros(len(turn)), np.sin(turn) ** 2])
            relative = (
                net.include[layer] + cos2 * self.ratio * relative if layer else relative + net.include[0]
            )
            turns.append(turn)
            gradients.append(gradient)
            length = w * np.sqrt(np.longdouble(self.second_moment)) * radius**self.degree
            if self.degree == 0:
                length = np.where(radius == 0, w * abs(self.at_zero), length)
            gradient = self.degree * gradient + np.array([[1.0], [0.0]])
        turn = np.stack(turns)
        return _Plan(
            np.cos(turn).astype(dtype),
            np.cos(turn / 2).astype(dtype),
            np.tan(turn / 2).astype(dtype),
            turn,
            radius,
            relative,
            zero,
            np.stack(gradients, axis=1),
        )

    def tile(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray) -> np.ndarray:
        """Return K / (scale_x scale_z) of a tile of signed gaps, in their place."""
        self._set_zero_rows(x, z, tau)
        n, below = self.degree, max(self.degree - 1, 0)
        kind = tau.dtype.name
        if net.depth == 1 and net.bias_std == 0 and n > 0:
            one_layer_tile(tau, n, self.k, *one_layer_polynomials(n, *net.include, kind))
            return tau
        angular_tile(
            tau, np.array(net.include), n, self.k, self.ratio,
            near_polynomial(n), gap_polynomial(n), far_polynomial(n, kind),
            near_polynomial(below), far_polynomial(below, kind), net.bias_std > 0,
            x.cos, x.cos_half, x.tan_half, z.cos, z.cos_half, z.tan_half,
        )  # fmt: skip
        return tau

    def _set_zero_rows(self, x: _Plan, z: _Plan, tau: np.ndarray) -> None:
        """A zero row's feature is sigma(0), a constant: give it the angle that has that covariance."""
        if self.degree or not self.at_zero or not (x.zero.any() or z.zero.any()):
            return
        correlation = np.sign(self.at_zero) * (self.a + self.b) / 2 / sqrt(self.second_moment)
        gap = 1 - np.cos(np.pi * (1 - correlation) / (1 - self.k))
        tau[x.zero[:, None] ^ z.zero[None, :]] = gap if gap <= 1 else gap - 2
        tau[x.zero[:, None] & z.zero[None, :]] = 0.0

    def gradient(self, net: Architecture, x: _Plan, z: _Plan, tau: np.ndarray) -> np.ndarray:
        """Return d K / d log (weight_std, bias_std) over scale_x scale_z, shape (2, n, m).

        It follows the angle theta instead of its cosine: d theta stays finite at coincident and opposite
        rows, where d arccos is zero times infinity.
        """
        self._set_zero_rows(x, z, tau)
        n, k = self.degree, self.k
        ntk = np.zeros_like(tau)
        d_ntk = np.zeros((2, *tau.shape))
        d_rho_before = np.zeros((2, *tau.shape))
        slope = np.zeros_like(tau)  # relative E[sigma' sigma'] of the layer just passed, and its derivative
        d_slope = np.zeros((2, *tau.shape))
        value = np.copysign(1 - np.abs(tau), tau)
        for layer in range(net.depth + 1):
            value, d_rho, tau, product, d_product = _turn_gradient(x, z, layer, value, tau, d_rho_before)
            ntk, d_ntk = (
                net.include[layer] * value + self.ratio * product * ntk * slope,
                net.include[layer] * d_rho
                + self.ratio * (d_product * (ntk * slope) + product * (d_ntk * slope + ntk * d_slope)),
            )
            if layer == net.depth:
                break
            sine = np.sqrt(np.abs(tau) * (2 - np.abs(tau)))
            d_theta = -np.divide(d_rho, sine, out=np.zeros_like(d_rho), where=sine > 0)
            if n == 0:
                d_rho_before = -(1 - k) / np.pi * d_theta
            else:
                slope = self._values(tau, n - 1, -k)
                d_slope = (
                    -(1 + k) / np.pi * d_theta
                    if n == 1
                    else (n - 1) ** 2 / (2 * n - 3) * self._values(tau, n - 2, k) * d_rho
                )
                d_rho_before = self.ratio * slope * d_rho
            value = self._values(tau, n, k)
            activation_tile(
                tau, n, k, near_polynomial(n), gap_polynomial(n), far_polynomial(n, tau.dtype.name)
            )
        final = x.log_scale_gradient[:, -1, :, None] + z.log_scale_gradient[:, -1, None, :]
        return d_ntk + ntk * final

    def _values(self, tau: np.ndarray, degree: int, k: float) -> np.ndarray:
        out = np.empty_like(tau)
        angular_values(tau, degree, k, near_polynomial(degree), far_polynomial(degree, tau.dtype.name), out)
        return out

    def diagonal_gradient(self, net: Architecture, x: _Plan) -> np.ndarray:
        """Return d K_xx / d log (weight_std, bias_std) over scale_x^2, shape (2, n)."""
        relative = np.zeros(x.turn.shape[1])
        d_relative = np.zeros((2, x.turn.shape[1]))
        for layer in range(net.depth + 1):
            d_turn = _turn_derivative(x, layer)
            cos2, d_cos2 = np.cos(x.turn[layer]) ** 2, -np.sin(2 * x.turn[layer]) * d_turn
            relative, d_relative = (
                net.include[layer] + self.ratio * cos2 * relative,
                self.ratio * (d_cos2 * relative + cos2 * d_relative),
            )
        return d_relative + 2 * relative * x.log_scale_gradient[:, -1]


def _turn_derivative(plan: _Plan, layer: int) -> np.ndarray:
    """d alpha / d log (weight_std, bias_std): alpha = atan2(b, h), and log radius moved by h and by b."""
    turn = plan.turn[layer]
    tangent = np.tan(np.where(turn > 0, turn, 0.0))
    # d log radius = cos^2 d log h + sin^2 d log b  =>  d log h - d log b = (d log radius - d log b) / cos^2
    d_log_b = np.array([[0.0], [1.0]])
    return tangent * (d_log_b - plan.log_scale_gradient[:, layer])


def _turn_gradient(x: _Plan, z: _Plan, layer: int, value: Any, tau: Any, d_rho: Any) -> Any:
    """Apply a layer's bias to cosines and gaps, and to the derivatives of the cosines."""
    ax, az = x.turn[layer][:, None], z.turn[layer][None, :]
    d_ax = _turn_derivative(x, layer)[:, :, None]
    d_az = _turn_derivative(z, layer)[:, None, :]
    gap = np.where(np.copysign(1.0, tau) > 0, np.abs(tau), 2 - np.abs(tau))
    cos, sin = np.cos(ax) * np.cos(az), np.sin(ax) * np.sin(az)
    product_x, product_z = np.sin(ax) * np.cos(az), np.cos(ax) * np.sin(az)
    d_new = cos * d_rho + np.sin(az - ax) * (d_ax - d_az) + product_x * gap * d_ax + product_z * gap * d_az
    d_cos = -product_x * d_ax - product_z * d_az
    mixed = tau.copy()
    bias_tile(
        mixed,
        np.cos(ax[:, 0]), np.cos(ax[:, 0] / 2), np.tan(ax[:, 0] / 2),
        np.cos(az[0]), np.cos(az[0] / 2), np.tan(az[0] / 2),
    )  # fmt: skip
    return cos * value + sin, d_new, mixed, cos, d_cos
