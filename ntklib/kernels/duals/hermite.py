"""Duals from Hermite coefficients, for polynomials and for any activation given as a function.

With h_k the orthonormal Hermite polynomials and a_k(r) = E[sigma(r x) h_k(x)], Mehler's formula gives

    E[sigma(u) sigma(v)] = sum_k a_k(r_x) a_k(r_z) rho^k

exact at every correlation, with coefficients that belong to rows and not to pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, sqrt
from typing import Any

import numpy as np

from ntklib._core.jit import compiled

from .._wide import Wide
from ._pairs import Partials
from ._smooth import SmoothDual

__all__ = ["HermiteDual", "PolynomialDual"]

_SHARED = 128  # terms that all pairs are given
_DIGITS = 42.0  # exp(-42), under which rho^k is left out: an error relative to sqrt(A_xx A_zz)


class HermiteDual(SmoothDual):
    """Duals by Mehler's formula; a subclass gives the coefficients of sigma and sigma'."""

    def coefficients(self, r: Any) -> Any:
        """Array (n, 2, terms): a_k(r) of sigma and of sigma'."""
        raise NotImplementedError  # pragma: no cover

    def state(self, r):
        return self.coefficients(r)

    def pair(self, p):
        x, z = p.state_x, p.state_z
        return _mehler(x[:, 0], z[:, 0], p.tau), _mehler(x[:, 1], z[:, 1], p.tau)

    def partials(self, p, A, D):
        (a, b), (az, bz) = (p.state_x[:, 0], p.state_x[:, 1]), (p.state_z[:, 0], p.state_z[:, 1])
        climb = np.sqrt(np.arange(1.0, a.shape[1]))
        return Partials(
            _mehler(_by_log(a), az, p.tau),
            _mehler(a, _by_log(az), p.tau),
            _mehler(_by_log(b), bz, p.tau),
            _mehler(b, _by_log(bz), p.tau),
            _mehler(b[:, 1:] * climb, bz[:, 1:] * climb, p.tau),  # sum_k k b_k b_k rho^(k-1)
        )


def _by_log(a: Any) -> Any:
    """Coefficients of r x sigma'(r x), the derivative in log r: k a_k + sqrt((k + 1)(k + 2)) a_(k+2)."""
    k = np.arange(a.shape[1] - 2)
    return k * a[:, :-2] + np.sqrt((k + 1) * (k + 2)) * a[:, 2:]


def _mehler(x: Any, z: Any, tau: Any) -> Any:
    """sum_k x[i, k] z[j, k] rho^k, or of rows with themselves; to the shorter series' length."""
    terms = min(x.shape[1], z.shape[1])
    x, z = x[:, :terms], z[:, :terms]
    if tau.ndim == 2 and not any(isinstance(part, Wide) for part in (x, z, tau)):
        out, needed = np.empty(tau.shape), np.empty((0, 0))
        if terms > _SHARED:
            with np.errstate(divide="ignore"):
                needed = _DIGITS / np.maximum(-np.log1p(-np.abs(tau)), 1e-300)
        order = np.argsort(-needed, axis=1)
        _mehler_tile(np.ascontiguousarray(x), np.ascontiguousarray(z.T), tau, needed, order, out)
        return out
    if tau.ndim == 1 and not isinstance(x, Wide):
        return np.sum(x * z, axis=1)
    rho, value = np.copysign(1 - np.abs(tau), tau), Wide(0.0)
    for k in range(terms - 1, -1, -1):
        product = x[:, k] * z[:, k] if tau.ndim == 1 else x[:, k][:, None] * z[:, k][None, :]
        value = value * rho + product
    return value


@compiled
def _mehler_tile(x, z, tau, needed, order, out):
    """sum_k x[i, k] z[k, j] rho^k by Horner's rule, without terms that rho^k makes less than a rounding.

    needed: the terms that a pair needs, and order: a row's columns by it; where those are many.
    """
    n, m = tau.shape
    terms = x.shape[1]
    rho = np.empty(m)
    for i in range(n):
        row = out[i]
        for j in range(m):
            rho[j] = np.copysign(1.0 - abs(tau[i, j]), tau[i, j])
            row[j] = 0.0
        active = 0
        for k in range(terms - 1, -1, -1):
            c = x[i, k]
            if k >= _SHARED:
                while active < m and needed[i, order[i, active]] > k:
                    active += 1
                for a in range(active):
                    j = order[i, a]
                    row[j] = row[j] * rho[j] + c * z[k, j]
            else:
                for j in range(m):
                    row[j] = row[j] * rho[j] + c * z[k, j]


@dataclass(frozen=True)
class PolynomialDual(HermiteDual):
    """Dual of He_n / sqrt(n!) at any variance q = r^2.

    He_n(r x) = sum_j n! / (j! (n - 2j)! 2^j) (q - 1)^j r^(n - 2j) He_(n - 2j)(x).
    """

    degree: int

    def coefficients(self, r):
        both = [_hermite(self.degree, r, self.degree + 3)]
        both.append(
            _hermite(self.degree - 1, r, self.degree + 3) * sqrt(self.degree) if self.degree else 0 * both[0]
        )
        return Wide(
            np.stack([part.mantissa for part in both], axis=1),
            np.stack([part.exponent for part in both], axis=1),
        )


def _hermite(n: int, r: Any, terms: int) -> Wide:
    """Coefficients (rows, terms) of He_n / sqrt(n!) at the standard deviations r."""
    mantissa, exponent = np.zeros((len(r), terms)), np.zeros((len(r), terms), np.int64)
    for j in range(n // 2 + 1):
        k = n - 2 * j
        size = sqrt(factorial(n) / factorial(k)) / (factorial(j) * 2**j)
        term = Wide(size) * ((r - 1.0) * (r + 1.0)) ** j * r**k
        mantissa[:, k], exponent[:, k] = term.mantissa, term.exponent
    return Wide(mantissa, exponent)
