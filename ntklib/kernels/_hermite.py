"""Duals from Hermite coefficients, for polynomials and for any activation given as a function.

With h_k the orthonormal Hermite polynomials and a_k(r) = E[sigma(r x) h_k(x)], Mehler's formula gives

    E[sigma(u) sigma(v)] = sum_k a_k(r_x) a_k(r_z) rho^k

exact at every correlation, with coefficients that belong to rows and not to pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, sqrt

import numpy as np

from .._jit import compiled
from ._smooth import Partials, SmoothDual

__all__ = ["HermiteDual", "PolynomialDual"]


class HermiteDual(SmoothDual):
    """Duals by Mehler's formula; a subclass gives the coefficients of sigma and sigma'."""

    def coefficients(self, r: np.ndarray) -> np.ndarray:
        """Array (n, 2, terms): a_k(r) of sigma and of sigma'."""
        raise NotImplementedError  # pragma: no cover

    def state(self, r):
        return self.coefficients(r)

    def pair(self, p):
        x, z = p.state_x, p.state_z
        return _mehler(x[:, 0], z[:, 0], p.tau), _mehler(x[:, 1], z[:, 1], p.tau)

    def partials(self, p, A, D):
        (a, b), (az, bz) = np.moveaxis(p.state_x, 1, 0), np.moveaxis(p.state_z, 1, 0)
        k = np.arange(a.shape[1])
        # sum_k k b_k b_k rho^(k-1), over r_x r_z for the derivative in S
        climb = np.sqrt(k[1:])
        inner = _mehler(b[:, 1:] * climb, bz[:, 1:] * climb, p.tau)
        product = p.rx * p.rz
        return Partials(
            _mehler(_by_variance(a, p.rx), az, p.tau),
            _mehler(a, _by_variance(az, p.rz), p.tau),
            np.divide(inner, product, out=np.zeros_like(inner), where=product > 0),
            _mehler(_by_variance(b, p.rx), bz, p.tau),
            _mehler(b, _by_variance(bz, p.rz), p.tau),
        )

    def pair_of_rows(self, p):
        A, D = np.moveaxis(np.sum(p.state_x**2, axis=2), 1, 0)
        return A.reshape(p.rx.shape), D.reshape(p.rx.shape)

    def partials_of_rows(self, p, A, D):
        a = p.state_x[:, 0]
        A_q = np.sum(a * _by_variance(a, p.rx), axis=1).reshape(p.rx.shape)
        zero = np.zeros_like(A_q)
        return Partials(A_q, A_q, zero, zero, zero)


def _by_variance(a: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Coefficients of sigma''/2, the derivative in the variance at a fixed covariance.

    They are sqrt((k + 1)(k + 2)) a_(k+2) / (2q); a row of variance zero does not move.
    """
    k = np.arange(a.shape[1] - 2)
    numerator = np.zeros_like(a)
    numerator[:, :-2] = np.sqrt((k + 1) * (k + 2)) * a[:, 2:]
    q = r.reshape(-1, 1) ** 2
    return np.divide(numerator, 2 * q, out=np.zeros_like(a), where=q > 0)


def _mehler(x: np.ndarray, z: np.ndarray, tau: np.ndarray) -> np.ndarray:
    out = np.empty(tau.shape)
    _mehler_tile(np.ascontiguousarray(x), np.ascontiguousarray(z.T), tau, out)
    return out


@compiled
def _mehler_tile(x, z, tau, out):
    """sum_k x[i, k] z[k, j] rho^k by Horner's rule."""
    n, m = tau.shape
    terms = x.shape[1]
    rho = np.empty(m)
    for i in range(n):
        row = out[i]
        for j in range(m):
            rho[j] = np.copysign(1.0 - abs(tau[i, j]), tau[i, j])
            row[j] = 0.0
        for k in range(terms - 1, -1, -1):
            c = x[i, k]
            for j in range(m):
                row[j] = row[j] * rho[j] + c * z[k, j]


@dataclass(frozen=True)
class PolynomialDual(HermiteDual):
    """Dual of He_n / sqrt(n!) at any variance q = r^2.

    He_n(r x) = sum_j n! / (j! (n - 2j)! 2^j) (q - 1)^j r^(n - 2j) He_(n - 2j)(x).
    """

    degree: int

    def coefficients(self, r):
        out = np.zeros((len(r), 2, self.degree + 3))
        _fill_hermite(self.degree, r, out[:, 0])
        if self.degree:
            _fill_hermite(self.degree - 1, r, out[:, 1])
            out[:, 1] *= sqrt(self.degree)
        return out


def _fill_hermite(n: int, r: np.ndarray, out: np.ndarray) -> None:
    for j in range(n // 2 + 1):
        k = n - 2 * j
        size = sqrt(factorial(n) / factorial(k)) / (factorial(j) * 2**j)
        out[:, k] = size * ((r - 1) * (r + 1)) ** j * r**k
