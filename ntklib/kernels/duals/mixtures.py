"""Duals of mixtures of smoothed steps and ramps (``_lengthened.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._wide import Wide, narrow, over, weighted_sum, where
from ._lengthened import GATED, SMOOTHED, STEP, Lengthened, excess, mixture_tile
from ._near import comparable, near_gaps
from ._pairs import Motion, Pairs, Partials, signed_gaps_of
from ._smooth import SmoothDual

__all__ = ["MixtureDual", "RampDual", "StepDual"]

_NEAR = 1e-3  # a gap below it, by subtraction, is too coarse for layers that magnify it
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

    def _kind(self) -> tuple[int, float]:
        """Kind of the function f, and the square of a constant added to it over that of its height."""
        raise NotImplementedError  # pragma: no cover

    def gap(self, p, A, cosine):
        """Exact between close rows, where that matters."""
        gap = signed_gaps_of(cosine)
        close = self._close(p, gap)
        if close.any():
            gap[close] = np.copysign(self._near(p, close), gap[close])
        return gap

    def cosine_moved(self, p, A, dA, by, sizes, logs):
        """Minus the derivatives of the gap between close rows."""
        moved = super().cosine_moved(p, A, dA, by, sizes, logs)
        if p.tau.ndim < 2:  # rows with themselves
            return moved
        cosine = narrow(over(A, sizes[0] * sizes[1]))
        close = self._close(p, signed_gaps_of(cosine))
        if close.any():
            exact = np.zeros((2, *p.tau.shape))
            exact[:, close] = -np.sign(cosine[close]) * self._near(p, close, by)
            moved = where(close, exact, moved)
        return moved

    def _close(self, p: Pairs, gap: np.ndarray) -> np.ndarray:
        """Mask of pairs that a layer leaves close, or opposite if f is odd."""
        near = np.abs(gap) < (_NEAR if p.magnified else 0.0)
        if near.any():
            near &= comparable(narrow(p.rx), narrow(p.rz))
        return near & (np.copysign(1.0, gap) > 0) if near.any() and not self._odd else near

    @property
    def _odd(self) -> bool:
        return self._kind() == (STEP, 0.0)

    def _near(self, p: Pairs, at: np.ndarray, by: Motion | None = None) -> np.ndarray:
        """Distances from 1 of what is left of these pairs' correlations, or how they move."""
        kind, constant = self._kind()
        gap, positive = np.abs(narrow(p.tau))[at], p.positive[at]
        same = positive | self._odd
        row = np.broadcast_to(narrow(p.rx), p.tau.shape)[at], np.broadcast_to(narrow(p.rz), p.tau.shape)[at]
        motion = None
        if by is not None:
            parts = [narrow(part) + np.zeros((2, *p.tau.shape)) for part in by[:4]]
            log_x, log_z, apart, rho = (part[:, at] for part in parts)
            motion = log_x, log_z, apart, np.where(self._odd & ~positive, rho, -rho)
        dual = self.scales, self.weights, constant
        return near_gaps(kind, *row, np.where(same, gap, 2 - gap), dual, motion)

    def _sums(self, p: Pairs, terms: Any) -> list[Any]:
        """The mixture of what ``terms`` gives for two scales, one of them an axis of the arrays."""
        weights = np.array(self.weights)
        t = np.array(self.scales).reshape(-1, *(1,) * p.tau.ndim)
        total: list[Any] = []
        for s, weight in zip(self.scales, self.weights, strict=True):
            values = [weighted_sum(weight * weights, part) for part in terms(p, s, t)]
            total = [a + b for a, b in zip(total or [0.0] * len(values), values, strict=True)]
        return total

    def pair(self, p):
        """In compiled loops where floats will do."""
        if p.tau.ndim == 2:
            wide = isinstance(p.rx, Wide) or isinstance(p.rz, Wide)
            return self._from_terms(p) if wide else self._compiled(p.rx.ravel(), p.rz, p.tau)
        r = narrow(p.rx)
        plain = (r > 1e-24) & (r < 1e24)
        some = np.where(plain, r, 1.0)
        values = [v[:, 0] for v in self._compiled(some, some[:, None], np.zeros((len(r), 1)))]
        if plain.all():
            return tuple(values)
        rest = self._from_terms(Pairs.of_rows(p.rx[~plain], None))
        index = np.cumsum(~plain) - 1
        return tuple(where(plain, value, part[index]) for value, part in zip(values, rest, strict=True))

    def _compiled(self, rx: np.ndarray, rz: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scales, weights = np.array(self.scales), np.array(self.weights)
        return mixture_tile(self._kind()[0], rx, rz, tau, scales, weights, *self._outside())

    def _outside(self) -> tuple[float, float]:
        """Factor of the sums, and what is added to that of A."""
        raise NotImplementedError  # pragma: no cover

    def _from_terms(self, p: Pairs) -> tuple[Any, Any]:
        """A and D of pairs in numbers of any size."""
        raise NotImplementedError  # pragma: no cover


@dataclass(frozen=True)
class StepDual(MixtureDual):
    """Dual of height times the mixture of 2 Phi(z/s) - 1, and a constant.

    A = constant^2 + (2/pi) height^2 E[arcsin(S / (h_x h_z))],  D = (2/pi) height^2 E[Delta^(-1/2)].
    """

    height: float = 1.0
    constant: float = 0.0

    def _kind(self):
        return STEP, self.constant**2 / (2 / np.pi * self.height**2)

    def _outside(self):
        return 2 / np.pi * self.height**2, self.constant**2

    def _from_terms(self, p):
        factor, constant = self._outside()
        arcsine, slope = self._sums(p, _step_terms)
        return factor * np.copysign(arcsine, p.tau) + constant, factor * slope

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

    def _kind(self):
        return (GATED if self.gated else SMOOTHED), 0.0

    def _outside(self):
        return 1 / (2 * np.pi), 0.0

    def _from_terms(self, p):
        C, slope = self._sums(p, _gated_terms if self.gated else _smoothed_terms)
        return (np.pi * where(p.positive, p.covariance, 0.0) + C) / (2 * np.pi), slope / (2 * np.pi)

    def partials(self, p, A, D):
        C_x, C_z, *rest = self._sums(p, _gated_partials if self.gated else _smoothed_partials)
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
