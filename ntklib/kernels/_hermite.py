"""Duals from Hermite coefficients, for polynomials and for any activation given as a function.

With h_k the orthonormal Hermite polynomials and a_k(r) = E[sigma(r x) h_k(x)], Mehler's formula gives

    E[sigma(u) sigma(v)] = sum_k a_k(r_x) a_k(r_z) rho^k

exact at every correlation, with coefficients that belong to rows and not to pairs.  The coefficients come
from the trapezoidal rule, whose error falls geometrically for analytic functions of rapid decay.  What is
left out is known from Parseval's identity: E[sigma(r x)^2] - sum_k a_k(r)^2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, sqrt

import numpy as np

from .._blocks import row_blocks
from .._jit import compiled
from ._smooth import Pairs, Partials, SmoothDual

__all__ = ["HermiteDual", "PolynomialDual", "QuadratureDual"]

_REACH = 13.0  # exp(-x^2/4), which bounds the integrand, is 4e-19 there
_MAX_TERMS = 8192
_MAX_NODES = 2**15
_TARGET = 1e-13  # relative truncation aimed at
_ROUNDING = 32 * np.finfo(np.float64).eps


class HermiteDual(SmoothDual):
    """Duals by Mehler's formula; a subclass gives the coefficients of sigma and sigma'."""

    def coefficients(self, r: np.ndarray) -> np.ndarray:
        """Array (n, 2, terms): a_k(r) of sigma and of sigma'."""
        raise NotImplementedError  # pragma: no cover

    def state(self, r):
        return self.coefficients(r)

    def moments(self, r):
        A, D = np.moveaxis(np.sum(self.coefficients(r.ravel()) ** 2, axis=2), 1, 0)
        return A.reshape(r.shape), D.reshape(r.shape)

    def pair(self, p):
        x, z = _common(p)
        return _mehler(x[:, 0], z[:, 0], p.tau), _mehler(x[:, 1], z[:, 1], p.tau)

    def partials(self, p, A, D):
        (a, b), (az, bz) = np.moveaxis(_common(p)[0], 1, 0), np.moveaxis(_common(p)[1], 1, 0)
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


def _common(p: Pairs) -> tuple[np.ndarray, np.ndarray]:
    terms = min(p.state_x.shape[2], p.state_z.shape[2])
    return p.state_x[:, :, :terms], p.state_z[:, :, :terms]


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


@dataclass(frozen=True)
class QuadratureDual(HermiteDual):
    """Dual of any function, with coefficients by the trapezoidal rule."""

    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]

    def coefficients(self, r):
        distinct, index = np.unique(r, return_inverse=True)
        blocks = [self._expand(distinct[rows])[0] for rows in row_blocks(len(distinct), 256)]
        terms = max(block.shape[2] for block in blocks)
        padded = [np.pad(block, ((0, 0), (0, 0), (0, terms - block.shape[2]))) for block in blocks]
        return np.concatenate(padded)[index]

    def error(self, variances: np.ndarray) -> float:
        """A bound on what E[sigma(u) sigma(v)] lacks at any correlation, rounding included."""
        return self._expand(np.sqrt(variances))[1]

    def _expand(self, r: np.ndarray) -> tuple[np.ndarray, float]:
        terms = 32
        while True:
            coefficients, squares, quadrature = self._resolved(r, terms)
            tails = np.maximum(squares - np.sum(coefficients**2, axis=2), 0.0)
            if np.all(tails <= _TARGET * squares) or terms >= _MAX_TERMS:
                error = float(np.max(tails[:, 0] + _ROUNDING * squares[:, 0]) + quadrature)
                return coefficients, error
            terms *= 2

    def _resolved(self, r: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Coefficients on a grid halved until they settle; the grid before is every other node."""
        nodes = 256
        while True:
            half = nodes // 2
            x = np.linspace(-_REACH, _REACH, nodes + 1)
            root = np.sqrt(np.exp(-(x**2) / 2) / sqrt(2 * np.pi))
            values = np.stack(
                [np.asarray(f(r[:, None] * x), np.float64) * root for f in (self.function, self.derivative)],
                axis=1,
            )
            basis = _hermite_functions(x, root, terms)
            step = x[1] - x[0]
            fine = values @ basis.T * step
            coarse = values[:, :, ::2] @ basis[:, ::2].T * (2 * step)
            squares = np.sum(values**2, axis=2) * step
            size = np.sqrt(squares)[:, :, None]
            change = np.abs(fine - coarse)
            if np.all(change <= 1e-9 * size) or 2 * nodes > _MAX_NODES:
                # the error of a geometrically converging rule is the square of its last change
                settled = np.max(change[:, 0] / np.where(size > 0, size, 1)[:, 0], initial=0.0)
                lost = settled**2 if settled <= 1e-9 else settled
                return fine, squares, float(2 * lost * np.max(squares[:, 0]))
            nodes = 4 * half


def _hermite_functions(x: np.ndarray, root: np.ndarray, terms: int) -> np.ndarray:
    """h_k(x) sqrt(density(x)), k < terms, by the three-term recursion, which is stable upward."""
    out = np.empty((terms, len(x)))
    out[0] = root
    out[1] = x * root
    for k in range(1, terms - 1):
        out[k + 1] = (x * out[k] - sqrt(k) * out[k - 1]) / sqrt(k + 1)
    return out
