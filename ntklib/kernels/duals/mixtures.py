"""Duals of mixtures of smoothed steps and ramps (``_lengthened.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._wide import Wide, narrow, over, weighted_sum, where
from ._lengthened import ANGLE, GATED, SMOOTHED, STEP, Lengthened, excess, mixture_tile
from ._pairs import Pairs, Partials, signed_gaps_of
from ._smooth import SmoothDual

__all__ = ["MixtureDual", "RampDual", "StepDual"]

_STEEP = 8.0  # length from which steps magnify a rounding error enough to pay for sums of angles
_ROUNDING = 32 * np.finfo(np.float64).eps


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

    def _own(self, r: Any, kind: int, terms: Any) -> Any:
        """The first of the sums of rows with themselves, those of short rows replaced."""
        return self._both(Pairs.of_rows(where(narrow(r) > 1, r, 1.0), None), kind, terms)[0]

    def _compiled(self, kind: int, rx: np.ndarray, rz: np.ndarray, tau: np.ndarray) -> list[np.ndarray]:
        return list(mixture_tile(kind, rx, rz, tau, np.array(self.scales), np.array(self.weights)))


@dataclass(frozen=True)
class StepDual(MixtureDual):
    """Dual of height times the mixture of 2 Phi(z/s) - 1, and a constant.

    A = constant^2 + (2/pi) height^2 E[arcsin(S / (h_x h_z))],  D = (2/pi) height^2 E[Delta^(-1/2)].
    """

    height: float = 1.0
    constant: float = 0.0

    def pair(self, p):
        factor = 2 / np.pi * self.height**2
        arcsine, slope = self._both(p, STEP, _step_terms)
        return factor * np.copysign(arcsine, p.tau) + self.constant**2, factor * slope

    def gap(self, p, A, cosine):
        """From A_xx + A_zz - 2 A, a sum of angles psi that are small for long rows not opposite."""
        gap, symmetric = signed_gaps_of(cosine), self.constant == 0
        long = _long(p, _STEEP) & (p.positive | symmetric)
        if not long.any():
            return gap
        factor, total = 2 / np.pi * self.height**2, sum(self.weights) ** 2
        psi_x, psi_z = (self._own(r, ANGLE, _angle_terms) for r in (p.rx[:, 0], p.rz[0]))
        size_x, size_z = (
            np.sqrt(factor * narrow(np.pi / 2 * total - psi) + self.constant**2) for psi in (psi_x, psi_z)
        )
        psi, mean = self._both(p, ANGLE, _angle_terms)[0], (psi_x[:, None] + psi_z[None, :]) / 2
        lack = factor * narrow(psi - mean) - (size_x[:, None] - size_z[None, :]) ** 2 / 2
        exact = np.clip(lack / np.outer(size_x, size_z), 0.0, 1.0)
        return np.where(long, np.copysign(exact, cosine), gap)

    def partials(self, p, A, D):
        factor = 2 / np.pi * self.height**2
        return Partials(*(factor * part for part in self._sums(p, _step_partials)))


def _long(p: Pairs, least: float = 1.0) -> np.ndarray:
    """Pairs of rows that are both far longer than none."""
    return (narrow(p.rx) > least) & (narrow(p.rz) > least)


def _angle_terms(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near = Lengthened.of(p, s, t)
    return near.angle, 1 / near.root


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
        return self._both(p, *self._kind())

    def gap(self, p, A, cosine):
        """From 2 pi A = r_x r_z (pi rho + c), 2 pi A_xx = r_x^2 (pi + c_x) for long rows not opposite.

        Their c are small, and so are the errors that these leave in the gap of parallel rows.
        """
        gap, long = signed_gaps_of(cosine), _long(p) & p.positive
        if not long.any():
            return gap
        c_x, c_z, size_x, size_z = self._own_parts(p)
        c = narrow(self._parts(p)[0] / where(long, p.rx * p.rz, 1.0))
        lost = (c_x + c_z) / 2 - c - ((c_x - c_z) / (size_x + size_z)) ** 2 / 2
        exact = np.clip((np.pi * np.abs(narrow(p.tau)) + lost) / (size_x * size_z), 0.0, 1.0)
        return np.where(long, exact, gap)

    def _own_parts(self, p: Pairs) -> tuple[np.ndarray, ...]:
        """c_x and c_z of long rows, and the roots of 2 pi A_xx / r_x^2 and 2 pi A_zz / r_z^2."""
        kind = self._kind()
        c_x, c_z = (
            narrow(self._own(r, *kind) / where(narrow(r) > 1, r, 1.0) ** 2) for r in (p.rx[:, 0], p.rz[0])
        )
        c_x, c_z = c_x[:, None], c_z[None, :]
        return c_x, c_z, np.sqrt(np.pi + c_x), np.sqrt(np.pi + c_z)

    def cosine_moved(self, p, A, dA, by, sizes, logs):
        """Minus the derivatives of the gap as it is computed there."""
        moved, long = super().cosine_moved(p, A, dA, by, sizes, logs), p.positive & _long(p)
        if p.tau.ndim < 2 or not long.any():
            return moved
        c_x, c_z, size_x, size_z = self._own_parts(p)
        dc_x, dc_z = (
            self._c_moved(Pairs.of_rows(where(narrow(r) > 1, r, 1.0), None), log, log, 0.0)
            for r, log in ((p.rx[:, 0], by.log_x[:, :, 0]), (p.rz[0], by.log_z[:, 0]))
        )
        dc_x, dc_z = dc_x[:, :, None], dc_z[:, None, :]
        product = where(long, p.rx * p.rz, 1.0)
        c = self._parts(p)[0] / product
        apart = (c_x - c_z) / (size_x + size_z)
        d_log_x, d_log_z = dc_x / (2 * size_x**2), dc_z / (2 * size_z**2)
        lost = (
            (dc_x + dc_z) / 2
            - self._c_moved(p, by.log_x, by.log_z, by.rho)
            - apart * (d_log_x * size_x - d_log_z * size_z)
        )
        gap = (np.pi * np.abs(p.tau) + (c_x + c_z) / 2 - c - apart**2 / 2) / (size_x * size_z)
        exact = (np.pi * by.rho - lost) / (size_x * size_z) + gap * (d_log_x + d_log_z)
        return where(long, exact, moved)

    def _c_moved(self, p: Pairs, log_x: Any, log_z: Any, rho: Any) -> Any:
        """Derivatives of c = C / (r_x r_z) of positive pairs."""
        (C, phi), (C_x, C_z, *_) = self._parts(p), self._sums(p, self._slopes_of())
        moved = (C_x - C) * log_x + (C_z - C) * log_z
        return over(moved, p.rx * p.rz) + (phi - np.pi) * rho

    def _kind(self) -> tuple[int, Any]:
        return (GATED, _gated_terms) if self.gated else (SMOOTHED, _smoothed_terms)

    def _slopes_of(self) -> Any:
        return _gated_partials if self.gated else _smoothed_partials

    def partials(self, p, A, D):
        C_x, C_z, *rest = self._sums(p, self._slopes_of())
        kept = np.pi * where(p.positive, p.covariance, 0.0)
        return Partials(*(part / (2 * np.pi) for part in (kept + C_x, kept + C_z, *rest)))


def _smoothed_terms(p: Pairs, s: float, t: float) -> tuple[Any, ...]:
    near = Lengthened.of(p, s, t)
    psi = near.angle
    return near.hx * near.hz * excess(psi), where(p.positive, np.pi - psi, psi)


def _gated_terms(p: Pairs, s: float, t: float) -> tuple[Any, ...]:
    near, S, gap = Lengthened.of(p, s, t), p.covariance, np.abs(p.tau)
    psi, both = near.angle, near.hx * near.hz
    e = (s / near.hx) ** 2 + (t / near.hz) ** 2
    plain = ((p.rx * p.rz) ** 2 * (gap * (2 - gap)) + S * S * e) / near.root - near.size * psi
    long = both * excess(psi) + (s * t * s * t - e * near.delta) / near.root
    C = where(narrow(near.lack / both) < 0.5, long, plain)
    slope = S / near.root * (s * t * s * t / near.delta + e)
    return C, where(p.positive, np.pi - psi, psi) + slope


def _smoothed_partials(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near, S = Lengthened.of(p, s, t), p.covariance
    psi, shares = near.angle, ((s / near.hx) ** 2, (t / near.hz) ** 2)
    whole = near.hx * near.hz * excess(psi)
    C_x, C_z = (whole - near.root * share for share in shares)
    D_x, D_z = (S / near.root * share for share in shares)
    return C_x, C_z, D_x, D_z, p.rx * p.rz / near.root


def _gated_partials(p: Pairs, s: float, t: Any) -> tuple[Any, ...]:
    near, S, gap = Lengthened.of(p, s, t), p.covariance, np.abs(p.tau)
    root, delta, psi, st = near.root, near.delta, near.angle, s * t
    shares = (s / near.hx) ** 2, (t / near.hz) ** 2
    rests = (p.rx / near.hx) ** 2, (p.rz / near.hz) ** 2  # 1 - share
    e = shares[0] + shares[1]
    # C = N / sqrt(Delta) - abs(S) psi,  2 pi D = phi + S M / sqrt(Delta)
    N = (p.rx * p.rz) ** 2 * (gap * (2 - gap)) + S * S * e
    M = st * st / delta + e
    out_C, out_D = [], []
    for share, rest, log in zip(shares, rests, near.log_roots(p, s, t), strict=True):
        turn = S * share / root
        out_C.append(S * turn - near.size * psi + (2 * N - 2 * S * S * share * rest - N * log) / root)
        out_D.append(turn + S / root * (M - 2 * share * rest - M * log - 2 * st * st / delta * log))
    tilt_x, tilt_z = (s * near.hz) ** 2 / delta, (t * near.hx) ** 2 / delta
    D_rho = p.rx * p.rz * ((1 + tilt_x) * (1 + tilt_z) + 2 * (st * S / delta) ** 2) / root
    return *out_C, *out_D, D_rho
