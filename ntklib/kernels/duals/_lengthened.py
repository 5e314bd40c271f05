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
        lack = (t * p.rx - s * p.rz) ** 2 / (hx * hz + product + s * t) + s * t + product * gap
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
    kind: int, rx: np.ndarray, rz: np.ndarray, tau: np.ndarray, scales: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums over two scales of a tile of floats: arcsines of steps or C of ramps, and slopes.

    rx has the shape (n,), rz (1, m), or (n, m) where each row has columns of its own.
    """
    first, second = np.empty_like(tau), np.empty_like(tau)
    _mixture_tile(kind, rx, rz, tau, scales, weights, _FAR, _EXCESS, first, second)
    return first, second


@inlined
def _horner(c, x):
    value = c[len(c) - 1]
    for k in range(len(c) - 2, -1, -1):
        value = value * x + c[k]
    return value


@compiled
def _mixture_tile(kind, rx, rz, tau, scales, weights, far, excess, first, second):
    """Sums over the scales: arcsines and slopes of steps (kind 0), C and slopes of ramps (1, 2)."""
    n, m = tau.shape
    hz = np.empty(m)
    root, psi, arcsine, lack = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    first[:], second[:] = 0.0, 0.0
    for b in range(len(scales)):
        t = scales[b]
        for i in range(n):
            r, gaps, row = rx[i], tau[i], rz[i if len(rz) > 1 else 0]
            for j in range(m):
                hz[j] = math.sqrt(t * t + row[j] * row[j])
            for a in range(len(scales)):
                s, weight = scales[a], weights[a] * weights[b]
                h = math.sqrt(s * s + r * r)
                for j in range(m):
                    gap, product, both = abs(gaps[j]), r * row[j], h * hz[j]
                    apart = t * r - s * row[j]
                    size = product * (1.0 - gap)
                    lack[j] = apart * apart / (both + product + s * t) + s * t + product * gap
                    root[j] = math.sqrt(lack[j] * (both + size))
                    c, x = lack[j] / both, size / both
                    small = x < 0.5
                    value = _horner(far, (2.0 * x * x if small else c) - 0.5)
                    value *= (x / math.sqrt(2.0) if small else math.sqrt(c)) * math.pi
                    arcsine[j] = value if small else math.pi / 2.0 - value
                    psi[j] = math.pi / 2.0 - value if small else value
                if kind == 0:
                    for j in range(m):
                        first[i, j] += weight * arcsine[j]
                        second[i, j] += weight / root[j]
                elif kind == 1:
                    for j in range(m):
                        positive = math.copysign(1.0, gaps[j]) > 0.0
                        square = psi[j] * psi[j]
                        first[i, j] += weight * h * hz[j] * square * psi[j] * _horner(excess, square)
                        second[i, j] += weight * (math.pi - psi[j] if positive else psi[j])
                else:
                    for j in range(m):
                        positive = math.copysign(1.0, gaps[j]) > 0.0
                        gap, product, both = abs(gaps[j]), r * row[j], h * hz[j]
                        size, square, st = product * (1.0 - gap), psi[j] * psi[j], s * t
                        delta = root[j] * root[j]
                        e = (s / h) * (s / h) + (t / hz[j]) * (t / hz[j])
                        long = (
                            both * square * psi[j] * _horner(excess, square) + (st * st - e * delta) / root[j]
                        )
                        part = gap * (2.0 - gap) * product * product + size * size * e
                        plain = part / root[j] - size * psi[j]
                        first[i, j] += weight * (long if 2.0 * lack[j] < both else plain)
                        slope = size / root[j] * (st * st / delta + e)
                        second[i, j] += weight * (math.pi - psi[j] + slope if positive else psi[j] - slope)
