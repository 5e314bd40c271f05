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
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._jit import compiled, inlined
from ._series import far_polynomial
from ._smooth import Pairs, Partials, SmoothDual, signed_gaps_of
from ._wide import Wide, narrow, weighted_sum, where

__all__ = ["Lengthened", "MixtureDual", "RampDual", "StepDual"]

_FAR = far_polynomial(0, "float64")
_ROUNDING = 32 * np.finfo(np.float64).eps
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


@dataclass(frozen=True)
class MixtureDual(SmoothDual):
    """sigma = sum_i weights_i f(z; scales_i)."""

    scales: tuple[float, ...]
    weights: tuple[float, ...]

    def error(self, variances: np.ndarray) -> float:
        """A bound on the error of E[sigma(u) sigma(v)] at any correlation: that of rounding."""
        r = np.sqrt(variances)
        return float(_ROUNDING * np.max(self.pair(Pairs.of_rows(r, None))[0]))

    def _sums(self, p: Pairs, terms: Any) -> list[Any]:
        """The mixture of what ``terms`` gives for two scales, one of them an axis of the arrays."""
        weights = np.array(self.weights)
        t = np.array(self.scales).reshape(-1, *(1,) * p.tau.ndim)
        total: list[Any] = []
        for s, weight in zip(self.scales, self.weights, strict=True):
            values = [weighted_sum(weight * weights, part) for part in terms(p, s, t)]
            total = [a + b for a, b in zip(total or [0.0] * len(values), values, strict=True)]
        return total

    def _both(self, p: Pairs, kind: int, terms: Any) -> list[Any]:
        """The same in compiled loops where floats will do."""
        if p.tau.ndim == 2:
            wide = isinstance(p.rx, Wide) or isinstance(p.rz, Wide)
            return self._sums(p, terms) if wide else self._compiled(kind, p.rx.ravel(), p.rz, p.tau)
        r = narrow(p.rx)
        plain = (r > 1e-24) & (r < 1e24)
        some = np.where(plain, r, 1.0)
        values = [v[:, 0] for v in self._compiled(kind, some, some[:, None], np.zeros((len(r), 1)))]
        if plain.all():
            return values
        rest = self._sums(Pairs.of_rows(p.rx[~plain], None), terms)
        index = np.cumsum(~plain) - 1
        return [where(plain, value, part[index]) for value, part in zip(values, rest, strict=True)]

    def _compiled(self, kind: int, rx: np.ndarray, rz: np.ndarray, tau: np.ndarray) -> list[np.ndarray]:
        first, second = np.empty_like(tau), np.empty_like(tau)
        scales, weights = np.array(self.scales), np.array(self.weights)
        _mixture_tile(kind, rx, rz, tau, scales, weights, _FAR, _EXCESS, first, second)
        return [first, second]


_STEP, _SMOOTHED, _GATED = 0, 1, 2


@dataclass(frozen=True)
class StepDual(MixtureDual):
    """Dual of height times the mixture of 2 Phi(z/s) - 1, and a constant:

    A = constant^2 + (2/pi) height^2 E[arcsin(S / (h_x h_z))],  D = (2/pi) height^2 E[Delta^(-1/2)].
    """

    height: float = 1.0
    constant: float = 0.0

    def pair(self, p):
        factor = 2 / np.pi * self.height**2
        arcsine, slope = self._both(p, _STEP, _step_terms)
        return factor * np.copysign(arcsine, p.tau) + self.constant**2, factor * slope

    def partials(self, p, A, D):
        factor = 2 / np.pi * self.height**2
        return Partials(*(factor * part for part in self._sums(p, _step_partials)))


def _step_terms(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near = Lengthened.of(p, s, t)
    return near.arcsine, 1 / near.root


def _step_partials(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near, S = Lengthened.of(p, s, t), p.covariance
    log_x, log_z = near.log_roots(p, s, t)
    slope = S / near.root
    return (
        slope * (s / near.hx) ** 2,
        slope * (t / near.hz) ** 2,
        -log_x / near.root,
        -log_z / near.root,
        p.rx * p.rz * slope / near.delta,
    )


@dataclass(frozen=True)
class RampDual(MixtureDual):
    """Dual of the mixture of z Phi(z/s) (``gated``) or of E[(z + s g)_+]; A = (pi max(S, 0) + C) / (2 pi).

    With phi = pi - psi for S > 0, else psi,

        C = E[sqrt(Delta) - abs(S) psi],                                  D = E[phi] / (2 pi)

    and if gated, with e = s^2/h_x^2 + t^2/h_z^2,

        C = E[(r_x^2 r_z^2 - S^2 + S^2 e) / sqrt(Delta) - abs(S) psi],
        D = E[phi + S (s^2 t^2/Delta + e) / sqrt(Delta)] / (2 pi)
    """

    gated: bool = True

    def pair(self, p):
        C, slope = self._parts(p)
        return (np.pi * where(p.positive, p.covariance, 0.0) + C) / (2 * np.pi), slope / (2 * np.pi)

    def _parts(self, p: Pairs) -> list[Any]:
        """C and 2 pi D."""
        return self._both(p, *((_GATED, _gated_terms) if self.gated else (_SMOOTHED, _smoothed_terms)))

    def gap(self, p, A, cosine):
        """From 2 pi A = r_x r_z (pi rho + c), 2 pi A_xx = r_x^2 (pi + c_x) for long rows not opposite.

        Their c are small, and so are the errors that these leave in the gap of parallel rows.
        """
        gap = signed_gaps_of(cosine)
        long = (narrow(p.rx) > 1) & (narrow(p.rz) > 1) & p.positive
        if not long.any():
            return gap
        own = []
        for r in (p.rx[:, 0], p.rz[0]):
            r = where(narrow(r) > 1, r, 1.0)
            own.append(narrow(self._parts(Pairs.of_rows(r, None))[0] / (r * r)))
        c_x, c_z = own[0][:, None], own[1][None, :]
        size_x, size_z = np.sqrt(np.pi + c_x), np.sqrt(np.pi + c_z)
        c = narrow(self._parts(p)[0] / where(long, p.rx * p.rz, 1.0))
        lost = (c_x + c_z) / 2 - c - ((c_x - c_z) / (size_x + size_z)) ** 2 / 2
        exact = np.clip((np.pi * np.abs(narrow(p.tau)) + lost) / (size_x * size_z), 0.0, 1.0)
        return np.where(long, exact, gap)

    def partials(self, p, A, D):
        terms = _gated_partials if self.gated else _smoothed_partials
        return Partials(*(part / (2 * np.pi) for part in self._sums(p, terms)))


def _excess(psi: Any) -> Any:
    """sin(psi) - psi cos(psi)."""
    return psi * psi * psi * np.polynomial.polynomial.polyval(narrow(psi) ** 2, _EXCESS)


def _smoothed_terms(p: Pairs, s: float, t: float) -> tuple[Any, ...]:
    near = Lengthened.of(p, s, t)
    psi = near.angle
    return near.hx * near.hz * _excess(psi), where(p.positive, np.pi - psi, psi)


def _gated_terms(p: Pairs, s: float, t: float) -> tuple[Any, ...]:
    near, S, gap = Lengthened.of(p, s, t), p.covariance, np.abs(p.tau)
    psi, both = near.angle, near.hx * near.hz
    e = (s / near.hx) ** 2 + (t / near.hz) ** 2
    plain = ((p.rx * p.rz) ** 2 * (gap * (2 - gap)) + S * S * e) / near.root - near.size * psi
    long = both * _excess(psi) + (s * t * s * t - e * near.delta) / near.root
    C = where(narrow(near.lack / both) < 0.5, long, plain)
    slope = S / near.root * (s * t * s * t / near.delta + e)
    return C, where(p.positive, np.pi - psi, psi) + slope


def _smoothed_partials(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near, S = Lengthened.of(p, s, t), p.covariance
    psi, shares = near.angle, ((s / near.hx) ** 2, (t / near.hz) ** 2)
    # 2 pi A = S phi + sqrt(Delta)
    whole = where(p.positive, np.pi * S, 0.0) + near.hx * near.hz * _excess(psi)
    A_x, A_z = (whole - near.root * share for share in shares)
    D_x, D_z = (S / near.root * share for share in shares)
    return A_x, A_z, D_x, D_z, p.rx * p.rz / near.root


def _gated_partials(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near, S, gap = Lengthened.of(p, s, t), p.covariance, np.abs(p.tau)
    root, delta, psi, st = near.root, near.delta, near.angle, s * t
    shares = (s / near.hx) ** 2, (t / near.hz) ** 2
    rests = (p.rx / near.hx) ** 2, (p.rz / near.hz) ** 2  # 1 - share
    e = shares[0] + shares[1]
    # 2 pi A = S phi + N / sqrt(Delta),  2 pi D = phi + S M / sqrt(Delta)
    N = (p.rx * p.rz) ** 2 * (gap * (2 - gap)) + S * S * e
    M = st * st / delta + e
    angle = where(p.positive, np.pi - psi, psi)
    out_A, out_D = [], []
    for share, rest, log in zip(shares, rests, near.log_roots(p, s, t), strict=True):
        turn = S * share / root
        out_A.append(S * angle + S * turn + (2 * N - 2 * S * S * share * rest - N * log) / root)
        out_D.append(turn + S / root * (M - 2 * share * rest - M * log - 2 * st * st / delta * log))
    tilt_x, tilt_z = (s * near.hz) ** 2 / delta, (t * near.hx) ** 2 / delta
    D_rho = p.rx * p.rz * ((1 + tilt_x) * (1 + tilt_z) + 2 * (st * S / delta) ** 2) / root
    return *out_A, *out_D, D_rho


@inlined
def _horner(c, x):
    value = c[len(c) - 1]
    for k in range(len(c) - 2, -1, -1):
        value = value * x + c[k]
    return value


@compiled
def _mixture_tile(kind, rx, rz, tau, scales, weights, far, excess, first, second):
    """Sums over the scales of a tile: arcsines and slopes of steps (kind 0), C and slopes of ramps (1, 2)."""
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
