"""Closed-form duals of smooth activations.

With S = E[uv] and variances q_x, q_z.  Those of erf, GELU and the Gaussian depend on the angle between
rows lengthened by an independent coordinate, Delta = (1 + q_x)(1 + q_z) - S^2 = r_x^2 r_z^2 sin^2, formed
from the gap and never by this subtraction.

Sources: erf, Williams (1997), "Computing with infinite networks", eq. 11; GELU, Tsuchida et al. (2021),
"Avoiding kernel fixed points", in the shorter form that two steps of Gaussian integration by parts give;
sin, cos, exp and the radial basis function from the characteristic function of the normal law (Han et al.
2022, "Fast neural kernel embeddings for general activations", table 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ._lengthened import arcsine_dual, gelu_dual
from ._smooth import Pairs, Partials, SmoothDual

__all__ = ["CosDual", "ErfDual", "ExpDual", "GELUDual", "GaussianDual", "RBFDual", "SinDual"]


def _lengthened(p: Pairs, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths of (factor u, 1) and (factor v, 1), the ones independent, and their Gram determinant's root."""
    hx, hz = np.hypot(1.0, factor * p.rx), np.hypot(1.0, factor * p.rz)
    ax, az = np.arctan2(1.0, factor * p.rx), np.arctan2(1.0, factor * p.rz)
    lack = 2 * np.sin((ax - az) / 2) ** 2 + 1 / hx / hz  # 1 - cos cos
    t = lack + (factor * p.rx / hx) * (factor * p.rz / hz) * np.abs(p.tau)
    return hx, hz, hx * hz * np.sqrt(t * (2 - t))


@dataclass(frozen=True)
class ErfDual(SmoothDual):
    """A = (2/pi) arcsin(2S / sqrt((1 + 2q_x)(1 + 2q_z))),  D = (4/pi) / sqrt((1 + 2q_x)(1 + 2q_z) - 4S^2)."""

    def moments(self, r):
        h = np.hypot(1.0, np.sqrt(2) * r)
        # arcsin(2q / (1 + 2q)) from both sides of 1
        q2 = 2 * r * r
        small = np.arcsin(np.minimum(q2 / (1 + q2), 0.5))
        large = np.pi / 2 - 2 * np.arcsin(np.sqrt(0.5) / np.maximum(h, np.sqrt(0.5)))
        A = 2 / np.pi * np.where(q2 < 1, small, large)
        return A, 4 / np.pi / np.sqrt(1 + 4 * r * r)

    def pair(self, p):
        return arcsine_dual(p.rx, p.rz, p.tau)

    def partials(self, p, A, D):
        hx, hz, root = _lengthened(p, np.sqrt(2))
        common = 4 / np.pi / root
        cube = common / root / root
        return Partials(
            -common * (p.covariance / hx / hx),
            -common * (p.covariance / hz / hz),
            4 * cube * p.covariance,
            -cube * hz * hz,
            -cube * hx * hx,
        )


@dataclass(frozen=True)
class GELUDual(SmoothDual):
    """A = S F + R (q_x q_z - S^2 + S^2 e),  D = F + S R (1/Delta + e),  e = 1/(1 + q_x) + 1/(1 + q_z),

    F = 1/4 + arcsin(S / sqrt((1 + q_x)(1 + q_z))) / (2 pi),  R = 1 / (2 pi sqrt(Delta)).
    """

    def moments(self, r):
        q, h, root = r * r, np.hypot(1.0, r), np.sqrt(1 + 2 * r * r)
        F = 0.25 + np.arctan2((r / h) ** 2, root / h / h) / (2 * np.pi)
        e = 2 / h / h
        ratio = q / root / (2 * np.pi)
        return q * F + (q * e) * ratio, F + ratio * (1 / root / root + e)

    def pair(self, p):
        return gelu_dual(p.rx, p.rz, p.tau)

    def partials(self, p, A, D):
        hx, hz, root = _lengthened(p, 1.0)
        S, delta = p.covariance, root * root
        R = 1 / (2 * np.pi * root)
        ex, ez = 1 / hx / hx, 1 / hz / hz
        e = ex + ez
        t = np.abs(p.tau)
        B = (p.rx * p.rz) ** 2 * (t * (2 - t)) + S * S * e
        shape = 1 / delta + e
        R_s, R_qx, R_qz = S * R / delta, -R * hz * hz / delta / 2, -R * hx * hx / delta / 2
        return Partials(
            -S * S * ex * R / 2 + R_qx * B + R * (p.rz**2 - (S * ex) ** 2),
            -S * S * ez * R / 2 + R_qz * B + R * (p.rx**2 - (S * ez) ** 2),
            R + (R + S * R_s) * shape + 2 * S * S * R / delta / delta,
            -S * ex * R / 2 + S * R_qx * shape - S * R * (hz * hz / delta / delta + ex * ex),
            -S * ez * R / 2 + S * R_qz * shape - S * R * (hx * hx / delta / delta + ez * ez),
        )


@dataclass(frozen=True)
class GaussianDual(SmoothDual):
    """sigma = exp(-z^2/2):  A = Delta^(-1/2),  D = S Delta^(-3/2)."""

    def moments(self, r):
        root = np.sqrt(1 + 2 * r * r)
        return 1 / root, (r / root) ** 2 / root

    def pair(self, p):
        _, _, root = _lengthened(p, 1.0)
        return 1 / root, p.covariance / root / root / root

    def partials(self, p, A, D):
        hx, hz, root = _lengthened(p, 1.0)
        S = p.covariance
        cube = 1 / root / root / root
        fifth = cube / root / root
        return Partials(
            -hz * hz * cube / 2, -hx * hx * cube / 2, cube + 3 * S * S * fifth,
            -1.5 * S * hz * hz * fifth, -1.5 * S * hx * hx * fifth,
        )  # fmt: skip


@dataclass(frozen=True)
class SinDual(SmoothDual):
    """A = exp(-(q_x + q_z)/2) sinh S,  D = exp(-(q_x + q_z)/2) cosh S."""

    by_distance: ClassVar[bool] = True

    def moments(self, r):
        q2 = 2 * r * r
        return -np.expm1(-q2) / 2, (1 + np.exp(-q2)) / 2

    def pair(self, p):
        plus, minus = np.exp(-p.half_square_difference), np.exp(-p.half_square_sum)
        size = np.abs(p.covariance)
        sinh = np.copysign(-np.maximum(plus, minus) * np.expm1(-2 * size) / 2, p.covariance)
        return sinh, (plus + minus) / 2

    def partials(self, p, A, D):
        return Partials(-A / 2, -A / 2, A, -D / 2, -D / 2)


@dataclass(frozen=True)
class CosDual(SinDual):
    """A = exp(-(q_x + q_z)/2) cosh S,  D = exp(-(q_x + q_z)/2) sinh S."""

    def moments(self, r):
        A, D = super().moments(r)
        return D, A

    def pair(self, p):
        A, D = super().pair(p)
        return D, A


@dataclass(frozen=True)
class ExpDual(SmoothDual):
    """A = D = exp((q_x + q_z)/2 + S)."""

    def moments(self, r):
        A = np.exp(2 * r * r)
        return A, A

    def pair(self, p):
        A = np.exp(p.half_square_sum)
        return A, A.copy()  # the recursion writes to A

    def partials(self, p, A, D):
        return Partials(A / 2, A / 2, A, A / 2, A / 2)


@dataclass(frozen=True)
class RBFDual(SmoothDual):
    """sigma = sqrt(2) sin(sqrt(2 gamma) z + pi/4):  A = exp(-gamma E[(u - v)^2]),  D = 2 gamma A."""

    by_distance: ClassVar[bool] = True
    gamma: float

    def moments(self, r):
        return np.ones_like(r), np.full_like(r, 2 * self.gamma)

    def pair(self, p):
        A = np.exp(-2 * self.gamma * p.half_square_difference)
        return A, 2 * self.gamma * A

    def partials(self, p, A, D):
        g = self.gamma
        return Partials(-g * A, -g * A, 2 * g * D, -g * D, -g * D)
