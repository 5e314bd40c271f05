"""Polynomials that turn a signed gap into the arc-cosine functions, derived in exact arithmetic.

With rho = cos(theta) and t = 1 - abs(rho), the arc-cosine function of degree n, normalised to 1 at
theta = 0, is

    khat_n(rho)  = b_n(abs(rho)) - (-1)^n G_n(t)    for rho >= 0,        1 - b_n(1 - t) = t e_n(1 - t)
    khat_n(-abs(rho)) = G_n(t) = t^(n + 1/2) C_n(t)

b_n and e_n are polynomials with positive coefficients.  C_n is analytic within abs(t) < 2; from
d kappa_n / d rho = n^2 kappa_(n-1) and kappa_n(-1) = 0 its Taylor coefficients are

    C_0: a_k = sqrt(2)/pi binom(2k, k) / ((2k + 1) 8^k),      C_n: a_k <- a_k n^2 / ((k + n + 1/2) (2n - 1))

all positive.  Here they are made the shortest polynomial in t - 1/2 that is exact to the floating-point
type on [0, 1], by cutting the Chebyshev series; so one square root and one polynomial give the function,
without a branch, to full relative accuracy up to theta = pi.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import comb

import numpy as np

__all__ = [
    "double_factorial",
    "far_polynomial",
    "gap_polynomial",
    "near_polynomial",
    "one_layer_polynomials",
]

_TERMS = 100  # 2^-100 of Taylor series is left out
_LENGTHS = {"float64": 20, "float32": 12}
_SQRT2_OVER_PI = Fraction("0.450158158078553034777188895600139")


def double_factorial(n: int) -> int:
    """Return n!! for odd n >= -1, with (-1)!! = 1."""
    product = 1
    for factor in range(n, 1, -2):
        product *= factor
    return product


@cache
def _near_integers(n: int) -> tuple[int, ...]:
    """Coefficients of B_n: B_0 = 1, B_(n+1) = (1 - c^2) B_n' + (2n + 1) c B_n."""
    b = [1]
    for degree in range(n):
        following = [0] * (len(b) + 1)
        for k, value in enumerate(b):
            if k:
                following[k - 1] += k * value
            following[k + 1] += (2 * degree + 1 - k) * value
        b = following
    return tuple(b)


@cache
def near_polynomial(n: int) -> np.ndarray:
    """Coefficients of b_n, lowest power first."""
    scale = double_factorial(2 * n - 1)
    return _frozen([Fraction(value, scale) for value in _near_integers(n)])


@cache
def gap_polynomial(n: int) -> np.ndarray:
    """Coefficients of e_n, lowest power first; 1 - c^m = (1 - c)(1 + c + ... + c^(m-1)) term by term."""
    scale = double_factorial(2 * n - 1)
    b = _near_integers(n)
    return _frozen([Fraction(sum(b[k + 1 :]), scale) for k in range(max(n, 1))])


@cache
def far_polynomial(n: int, dtype: str) -> tuple[float, ...]:
    """Coefficients of C_n in powers of t - 1/2, lowest first."""
    return _shortest(_taylor(n), dtype)


@cache
def one_layer_polynomials(
    n: int, hidden: bool, output: bool, dtype: str
) -> tuple[np.ndarray, tuple[float, ...]]:
    """The NTK of one hidden layer in one pair of polynomials, for n >= 1 (see ``_angular.one_layer_tile``).

    near = output b_n + ratio hidden rho b_(n-1),  far = output t C_n - ratio hidden (1 - t) C_(n-1),
    with ratio = n^2 / (2n - 1), and ``hidden``, ``output`` one or zero as the layers are trained.
    """
    ratio = Fraction(n * n, 2 * n - 1)
    scale, scale_below = double_factorial(2 * n - 1), double_factorial(2 * n - 3)
    near = [output * Fraction(value, scale) for value in _near_integers(n)]
    for k, value in enumerate(_near_integers(n - 1)):
        near[k + 1] += hidden * ratio * Fraction(value, scale_below)
    upper, lower = [Fraction(0), *_taylor(n)], [Fraction(0), *_taylor(n - 1)]
    far = [output * upper[k] - hidden * ratio * (lower[k + 1] - lower[k]) for k in range(_TERMS)]
    return _frozen(near), _shortest(far, dtype)


def _taylor(n: int) -> list[Fraction]:
    """Taylor coefficients of C_n at t = 0, over sqrt(2) / pi."""
    taylor = [Fraction(comb(2 * k, k), (2 * k + 1) * 8**k) for k in range(_TERMS)]
    for degree in range(1, n + 1):
        taylor = [
            a * Fraction(2 * degree**2, (2 * k + 2 * degree + 1) * (2 * degree - 1))
            for k, a in enumerate(taylor)
        ]
    return taylor


def _shortest(taylor: list[Fraction], dtype: str) -> tuple[float, ...]:
    """The polynomial in t - 1/2 that is exact to the type on [0, 1], lowest power first.

    It has 20 coefficients in float64 and 12 in float32, whatever the degree, so that the compiled loops are
    specialised once; where fewer do, the others are zero.
    """
    length = _LENGTHS[dtype]
    # t^k = 2^(1 - 2k) sum_j binom(2k, k - j) T_j(2t - 1), the term j = 0 halved.
    chebyshev = [
        sum((taylor[k] * Fraction(2 * comb(2 * k, k - j), 4**k) for k in range(j, _TERMS)), Fraction())
        for j in range(length)
    ]
    chebyshev[0] /= 2
    tolerance = Fraction(float(np.finfo(dtype).eps)) / 64 * max(map(abs, chebyshev))
    power = [Fraction(0)] * length  # in x = t - 1/2: T_0 = 1, T_1 = 2x, T_(j+1) = 4x T_j - T_(j-1)
    before, now = [Fraction(1)], [Fraction(0), Fraction(2)]
    for c in chebyshev:
        if abs(c) > tolerance:
            for k, value in enumerate(before):
                power[k] += c * value
        following = [Fraction(0)] + [4 * value for value in now]
        for k, value in enumerate(before):
            following[k] -= value
        before, now = now, following
    kind = np.dtype(dtype).type
    return tuple(kind(float(_SQRT2_OVER_PI * value)) for value in power)


def _frozen(values: list[Fraction]) -> np.ndarray:
    array = np.array([float(value) for value in values])
    array.setflags(write=False)
    return array
