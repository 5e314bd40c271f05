"""Gaussian duals in mpmath: E[s(u)s(v)] and E[s'(u)s'(v)] for (u, v) ~ N(0, [[a, c], [c, b]]).

Closed forms, each derived for this file (Isserlis' theorem, Stein's lemma, moment generating
functions), and two
quadratures that check them and serve the activations without one:

- ``series``: for analytic activations, sum_k a_k(sqrt a) a_k(sqrt b) rho^k with the Hermite
coefficients a_k by
  the trapezoidal rule, which converges geometrically;
- ``polar``: for piecewise powers z^n 1{z>=0} and their like, the radial integral in closed form
and the angular one
  by adaptive quadrature between the kinks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from tests.oracles import Dual, angle_of, arc_cosine, precise


def _rectified(n: int) -> Dual:
    def dual(a: mpf, b: mpf, c: mpf) -> mpf:
        if a == 0 or b == 0:
            return mpf(0) if n else (mpf(1) if a == b else mpf(1) / 2)
        return mp.sqrt(a * b) ** n * arc_cosine(n, angle_of(a, b, c))

    return dual


@functools.cache
def rectified_power(n: int) -> tuple[Dual, Dual]:
    lower = _rectified(n - 1) if n else None
    return _rectified(n), lambda a, b, c: n * n * lower(a, b, c) if lower else mpf(0)


@functools.cache
def ab_relu(negative: Any, positive: Any) -> tuple[Dual, Dual]:
    """s(z) = positive relu(z) - negative relu(-z); u -> -u turns c into -c."""
    p, q = mpf(positive), mpf(negative)
    relu, step = _rectified(1), _rectified(0)
    return (
        lambda a, b, c: (p * p + q * q) * relu(a, b, c) - 2 * p * q * relu(a, b, -c),
        lambda a, b, c: (p * p + q * q) * step(a, b, c) + 2 * p * q * step(a, b, -c),
    )


@functools.cache
def sign() -> tuple[Dual, Dual]:
    def dual(a: mpf, b: mpf, c: mpf) -> mpf:
        return mpf(0) if a == 0 or b == 0 else 1 - 2 * angle_of(a, b, c) / mp.pi

    return dual, lambda a, b, c: mpf(0)


@functools.cache
def _pairings(p: int, q: int) -> list[tuple[int, int]]:
    """(j, ways): choose j pairs (u, v) among p copies of u and q of v, match the rest among themselves."""
    matchings = [1, 0]
    for k in range(2, p + q + 1):
        matchings.append((k - 1) * matchings[k - 2])
    return [
        (j, math.factorial(j) * math.comb(p, j) * math.comb(q, j) * matchings[p - j] * matchings[q - j])
        for j in range(p % 2, min(p, q) + 1, 2)
        if (p - q) % 2 == 0
    ]


def _powers(x: mpf, highest: int) -> list[mpf]:
    out = [mpf(1)]
    for _ in range(highest):
        out.append(out[-1] * x)
    return out


def polynomial(coefficients: list[mpf]) -> tuple[Dual, Dual]:
    """s(z) = sum_i coefficients[i] z^i; E[u^p v^q] by Isserlis' theorem."""
    slope = [i * k for i, k in enumerate(coefficients)][1:]

    def dual_of(poly: list[mpf]) -> Dual:
        terms = [
            (s * t * ways, (p - j) // 2, (q - j) // 2, j)
            for p, s in enumerate(poly)
            for q, t in enumerate(poly)
            if s and t
            for j, ways in _pairings(p, q)
        ]

        def dual(a: mpf, b: mpf, c: mpf) -> mpf:
            of_a, of_b, of_c = _powers(a, len(poly) // 2), _powers(b, len(poly) // 2), _powers(c, len(poly))
            return mp.fsum(factor * of_a[i] * of_b[k] * of_c[j] for factor, i, k, j in terms)

        return dual

    return dual_of(coefficients), dual_of(slope)


@functools.cache
def monomial(n: int) -> tuple[Dual, Dual]:
    return polynomial([mpf(0)] * n + [mpf(1)])


@precise
def hermite(n: int) -> tuple[Dual, Dual]:
    return _hermite(n, mp.prec)


@functools.cache
def _hermite(n: int, precision: int) -> tuple[Dual, Dual]:
    older, old = [mpf(0)], [mpf(1)]
    for k in range(n):
        shifted = [mpf(0), *old]
        older, old = old, [s - k * (older[i] if i < len(older) else 0) for i, s in enumerate(shifted)]
    return polynomial([k / mp.sqrt(mp.factorial(n)) for k in old])


def _det(a: mpf, b: mpf, c: mpf) -> mpf:
    """det(I + Sigma); written out, a coincident pair at norm 1e150 keeps its 1 + a + b."""
    return 1 + a + b + (a * b - c * c)


@functools.cache
def erf() -> tuple[Dual, Dual]:
    return (
        lambda a, b, c: 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * a) * (1 + 2 * b))),
        lambda a, b, c: 4 / (mp.pi * mp.sqrt(_det(2 * a, 2 * b, 2 * c))),
    )


@functools.cache
def gelu() -> tuple[Dual, Dual]:
    """s(z) = z Phi(z), by Stein's lemma; F = E[phi(u)phi(v)], D = det(I + Sigma)."""

    def parts(a: mpf, b: mpf, c: mpf) -> tuple[mpf, mpf, mpf]:
        big, det = (1 + a) * (1 + b), _det(a, b, c)
        return det, 1 / (2 * mp.pi * mp.sqrt(det)), mpf(1) / 4 + mp.asin(c / mp.sqrt(big)) / (2 * mp.pi)

    def dual(a: mpf, b: mpf, c: mpf) -> mpf:
        _, f, both = parts(a, b, c)
        return a * f * (b + (a * b - c * c)) / (1 + a) + c * both + c * c * f / (1 + b)

    def derivative_dual(a: mpf, b: mpf, c: mpf) -> mpf:
        det, f, both = parts(a, b, c)
        return both + c * f * (1 / (1 + a) + 1 / (1 + b) + 1 / det)

    return dual, derivative_dual


def _sine(a: mpf, b: mpf, c: mpf) -> mpf:
    return mp.exp(-(a + b) / 2) * mp.sinh(c)


def _cosine(a: mpf, b: mpf, c: mpf) -> mpf:
    return mp.exp(-(a + b) / 2) * mp.cosh(c)


@functools.cache
def sin() -> tuple[Dual, Dual]:
    return _sine, _cosine


@functools.cache
def cos() -> tuple[Dual, Dual]:
    return _cosine, _sine


@functools.cache
def gaussian() -> tuple[Dual, Dual]:
    return (
        lambda a, b, c: 1 / mp.sqrt(_det(a, b, c)),
        lambda a, b, c: c / mp.sqrt(_det(a, b, c)) ** 3,
    )


@functools.cache
def rbf(gamma: Any) -> tuple[Dual, Dual]:
    g = mpf(gamma)
    return (
        lambda a, b, c: mp.exp(-g * (a + b - 2 * c)),
        lambda a, b, c: 2 * g * mp.exp(-g * (a + b - 2 * c)),
    )


@functools.cache
def exp() -> tuple[Dual, Dual]:
    return (lambda a, b, c: mp.exp((a + b) / 2 + c),) * 2


# The same functions pointwise, for the quadratures and the twins: name -> (s, s').
POINTWISE: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-z * z)),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda z: -mp.sin(z)),
    "gaussian": (lambda z: mp.exp(-z * z / 2), lambda z: -z * mp.exp(-z * z / 2)),
    "exp": (mp.exp, mp.exp),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "logistic": (lambda z: 1 / (1 + mp.exp(-z)), lambda z: 1 / (4 * mp.cosh(z / 2) ** 2)),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), lambda z: 1 / (1 + mp.exp(-z))),
    "silu": (
        lambda z: z / (1 + mp.exp(-z)),
        lambda z: 1 / (1 + mp.exp(-z)) + z / (4 * mp.cosh(z / 2) ** 2),
    ),
}
# Half-width of the strip about the real axis in which the function is analytic (entire ones: wide enough).
STRIP = {"tanh": "1.57", "logistic": "3.14", "softplus": "3.14", "silu": "3.14"}


def _nodes(name: str, sigma: mpf) -> tuple[list[mpf], mpf]:
    """Points and step of the trapezoidal rule for E over g ~ N(0,1) of functions of sigma g."""
    reach = mp.sqrt(2 * mp.dps * mp.log(10)) + 2
    if name == "exp":
        reach += 2 * sigma
    strip = min(mpf(STRIP.get(name, 6)) / sigma, mpf(4))
    step = 2 * mp.pi * strip / (mp.dps * mp.log(10) + strip**2 / 2 + 4 * strip)
    half = int(reach / step) + 1
    return [k * step for k in range(-half, half + 1)], step


def _weights(nodes: list[mpf], step: mpf) -> list[mpf]:
    return [step * mp.npdf(g) for g in nodes]


@functools.cache
def _coefficients(name: str, which: int, sigma: mpf, terms: int, digits: int) -> list[mpf]:
    """E[s(sigma g) h_k(g)] for the normalised Hermite polynomials h_0 ... h_terms."""
    function = POINTWISE[name][which]
    # High Hermite polynomials grow like exp(g^2/4): the tail has to reach further than for the weight alone.
    with mp.workdps(2 * digits):
        nodes, step = _nodes(name, sigma)
        values = [w * function(sigma * g) for w, g in zip(_weights(nodes, step), nodes, strict=True)]
        older, old, out = [mpf(0)] * len(nodes), [mpf(1)] * len(nodes), []
        for k in range(terms + 1):
            out.append(mp.fdot(values, old))
            up, back = 1 / mp.sqrt(k + 1), mp.sqrt(mpf(k) / (k + 1))
            older, old = old, [up * g * h - back * f for g, h, f in zip(nodes, old, older, strict=True)]
        return out


def series(name: str, which: int, a: mpf, b: mpf, c: mpf, digits: int = 25) -> mpf:
    """The dual of activation ``name`` (which: 0 the function, 1 its derivative) by its Mehler series."""
    with mp.workdps(2 * digits):
        rho = c / mp.sqrt(a * b)
        if abs(rho) > 1 - mpf(10) ** (-digits):
            function = POINTWISE[name][which]
            wide = max(mp.sqrt(a), mp.sqrt(b))
            nodes, step = _nodes(name, wide)
            pairs = zip(_weights(nodes, step), nodes, strict=True)
            s, t = mp.sqrt(a), mp.sign(rho) * mp.sqrt(b)
            return mp.fsum(w * function(s * g) * function(t * g) for w, g in pairs)
        if abs(rho) > mpf("0.97"):
            raise ValueError("the series is too long this near to |rho| = 1")
        terms = 8 if rho == 0 else min(1400, int(digits * mp.log(10) / -mp.log(abs(rho))) + 8)
        terms = 1 << (terms - 1).bit_length()
        left = _coefficients(name, which, mp.sqrt(a), terms, digits)
        right = _coefficients(name, which, mp.sqrt(b), terms, digits)
        return mp.fsum(s * t * rho**k for k, (s, t) in enumerate(zip(left, right, strict=True)))


def polar(function: Callable[[Any], Any], order: int, a: mpf, b: mpf, c: mpf, digits: int = 30) -> mpf:
    """E[s(u)s(v)] for s positively homogeneous of ``order`` and smooth away from 0."""
    with mp.workdps(digits):
        theta = angle_of(a, b, c)
        # u = sqrt(a) r cos(t), v = sqrt(b) r cos(t - theta); kinks where a cosine vanishes.
        kinks = sorted(
            {mpf(0), 2 * mp.pi}
            | {(s % (2 * mp.pi)) for t in (0, theta) for s in (t + mp.pi / 2, t - mp.pi / 2)}
        )
        angular = mp.quad(lambda t: function(mp.cos(t)) * function(mp.cos(t - theta)), kinks)
        radial = 2 ** mpf(order) * mp.gamma(order + 1)
        return mp.sqrt(a * b) ** order * radial * angular / (2 * mp.pi)
