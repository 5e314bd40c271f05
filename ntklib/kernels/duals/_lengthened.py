"""Duals of smoothed steps and ramps, which see angles between rows lengthened by independent coordinates.

With Phi the normal distribution function and g standard Gaussian, a step smoothed on the scale s is
Phi(z/s) = P(z + s g >= 0), and a ramp is E[(z + s g)_+] or z Phi(z/s).  Activations are mixtures over s of
these (``_mixtures.py``).  E[Phi(u/s) Phi(v/t)] is an arc-cosine function of the rows (u, s) and (v, t), the
added coordinates independent: of lengths h = hypot(s, r), of inner product S = r_x r_z rho and at an angle
psi, here that to the line, from 0 to pi/2.  With r = r_x r_z,

    lack = h_x h_z - abs(S) = (t r_x - s r_z)^2 / (h_x h_z + r + s t) + s t + r (1 - abs(rho))
    Delta = h_x^2 h_z^2 - S^2 = lack (h_x h_z + abs(S)),        1 - cos(psi) = lack / (h_x h_z)

sums of positive terms.  The angle comes from the polynomial of C_0 (``_series.py``) in compiled loops, as
pi sqrt(c) C_0(c), c = 1 - cos(psi), and from arcsin x = x pi/sqrt(2) C_0(2 x^2) where x = cos(psi) is small.

Long opposite rows leave little of what is added up in a ramp: of sqrt(Delta) - abs(S) psi there is

    h_x h_z (sin(psi) - psi cos(psi)) = h_x h_z psi^3 (1/3 - psi^2/30 + ...)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ntklib._core.jit import compiled, inlined

from .._wide import narrow, where
from ._pairs import Pairs
from .series import far_polynomial

__all__ = ["GATED", "SMOOTHED", "STEP", "Lengthened", "excess", "mixture_tile"]

STEP, SMOOTHED, GATED = 0, 1, 2  # a step, E[(z + s g)_+], z Phi(z/s)
_FAR = far_polynomial(0, "float64")
_EXCESS = tuple((-1) ** k * 2 * (k + 1) / math.factorial(2 * k + 3) for k in range(12))


class Lengthened(NamedTuple):
    """Pairs of rows lengthened by s and t."""

    hx: Any
    hz: Any
    size: Any  # abs(S)
    lack: Any
    delta: Any
    root: Any  # sqrt(Delta)

    @classmethod
    def of(cls, p: Pairs, s: float, t: float) -> Lengthened:
        gap, product = np.abs(p.tau), p.rx * p.rz
        hx, hz = np.sqrt(s * s + p.rx * p.rx), np.sqrt(t * t + p.rz * p.rz)
        size = product * (1 - gap)
        apart = t * p.apart + (t - s) * p.rz  # t r_x - s r_z
        lack = apart**2 / (hx * hz + product + s * t) + s * t + product * gap
        delta = lack * (hx * hz + size)
        return cls(hx, hz, size, lack, delta, np.sqrt(delta))

    def log_roots(self, p: Pairs, s: Any, t: Any) -> tuple[Any, Any]:
        """d log sqrt(Delta) / d log r_x and r_z at a fixed correlation."""
        gap = np.abs(p.tau)
        x, z = p.rx * p.rx, p.rz * p.rz
        both = x * z * (gap * (2 - gap))
        return (t * t * x + both) / self.delta, (s * s * z + both) / self.delta

    @property
    def angle(self) -> Any:
        """Psi."""
        half = np.sqrt(self.lack / (self.hx * self.hz) / 2)
        sine = np.clip(narrow(half), 1e-8, 1.0)  # below it the arcsine is linear
        return half * (2 * np.arcsin(sine) / sine)

    @property
    def arcsine(self) -> Any:
        """Pi/2 less psi."""
        cosine = self.size / (self.hx * self.hz)
        sine = np.clip(narrow(cosine), 1e-8, 1.0)
        return where(narrow(cosine) < 0.5, cosine * (np.arcsin(sine) / sine), np.pi / 2 - self.angle)


def excess(psi: Any) -> Any:
    """sin(psi) - psi cos(psi)."""
    return psi * psi * psi * np.polynomial.polynomial.polyval(narrow(psi) ** 2, _EXCESS)


def mixture_tile(
    kind: int,
    rx: np.ndarray,
    rz: np.ndarray,
    tau: np.ndarray,
    scales: np.ndarray,
    weights: np.ndarray,
    factor: float,
    constant: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return A and D of a tile of floats, from sums over two scales times a factor, A with a constant added.

    rx has the shape (n,), rz (1, m), or (n, m) where each row has columns of its own.
    """
    A, D = np.empty_like(tau), np.empty_like(tau)
    _mixture_tile(kind, rx, rz, tau, scales, weights, factor, constant, _FAR, _EXCESS, A, D)
    return A, D


@inlined
def _horner(c, x):
    value = c[len(c) - 1]
    for k in range(len(c) - 2, -1, -1):
        value = value * x + c[k]
    return value


@inlined
def _turn(gap, r, z, h, hz, s, t, far):
    """Psi if abs(S) is not small against the lengths, else pi/2 - psi, and whether it is; lack and Delta.

    One division serves for two.
    """
    product, both, apart = r * z, h * hz, t * r - s * z
    size, sum_of_all = product * (1.0 - gap), both + product + s * t
    over_both = 1.0 / (both * sum_of_all)
    lack = apart * apart * (both * over_both) + s * t + product * gap
    over_both *= sum_of_all
    c, x = lack * over_both, size * over_both
    small = x < 0.5
    value = _horner(far, (2.0 * x * x if small else c) - 0.5)
    value *= x * (math.pi / math.sqrt(2.0)) if small else math.sqrt(c) * math.pi
    return value, small, lack, lack * (both + size)


@compiled
def _mixture_tile(kind, rx, rz, tau, scales, weights, factor, constant, far, excess, A, D):
    """Sums over the scales: arcsines and slopes of steps (kind 0), C and slopes of ramps (1, 2)."""
    n, m = tau.shape
    lengths = np.empty((len(scales), m))
    for i in range(n):
        r, gaps, first, second = rx[i], tau[i], A[i], D[i]
        row = rz[i if len(rz) > 1 else 0]
        if i == 0 or len(rz) > 1:
            for b in range(len(scales)):
                hz, t = lengths[b], scales[b]
                for j in range(m):
                    hz[j] = math.sqrt(t * t + row[j] * row[j])
        first[:], second[:] = 0.0, 0.0
        for b in range(len(scales)):
            t, hz = scales[b], lengths[b]
            for a in range(len(scales)):
                s, weight = scales[a], weights[a] * weights[b]
                h = math.sqrt(s * s + r * r)
                if kind == 0:
                    for j in range(m):
                        value, small, _, delta = _turn(abs(gaps[j]), r, row[j], h, hz[j], s, t, far)
                        first[j] += weight * (value if small else math.pi / 2.0 - value)
                        second[j] += weight / math.sqrt(delta)
                elif kind == 1:
                    for j in range(m):
                        value, small, _, _ = _turn(abs(gaps[j]), r, row[j], h, hz[j], s, t, far)
                        psi = math.pi / 2.0 - value if small else value
                        positive = math.copysign(1.0, gaps[j]) > 0.0
                        square = psi * psi
                        first[j] += weight * h * hz[j] * square * psi * _horner(excess, square)
                        second[j] += weight * (math.pi - psi if positive else psi)
                else:
                    for j in range(m):
                        gap = abs(gaps[j])
                        value, small, lack, delta = _turn(gap, r, row[j], h, hz[j], s, t, far)
                        psi = math.pi / 2.0 - value if small else value
                        positive = math.copysign(1.0, gaps[j]) > 0.0
                        product, both, st, square = r * row[j], h * hz[j], s * t, psi * psi
                        size, over_root = product * (1.0 - gap), 1.0 / math.sqrt(delta)
                        e = (s / h) * (s / h) + (t / hz[j]) * (t / hz[j])
                        long = both * square * psi * _horner(excess, square)
                        long += (st * st - e * delta) * over_root
                        part = gap * (2.0 - gap) * product * product + size * size * e
                        plain = part * over_root - size * psi
                        first[j] += weight * (long if 2.0 * lack < both else plain)
                        slope = size * over_root * (st * over_root * (st * over_root) + e)
                        second[j] += weight * (math.pi - psi + slope if positive else psi - slope)
        if kind == 0:
            for j in range(m):
                first[j] = factor * math.copysign(first[j], gaps[j]) + constant
                second[j] *= factor
        else:
            for j in range(m):
                covariance = r * row[j] * (1.0 - abs(gaps[j]))
                half = math.pi * covariance if math.copysign(1.0, gaps[j]) > 0.0 else 0.0
                first[j] = factor * (half + first[j]) + constant
                second[j] *= factor
