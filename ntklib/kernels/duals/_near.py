"""Gaps of close rows after a layer of steps or ramps, to full relative accuracy.

A step takes the root of an angle and long rows magnify it, layer after layer, so that a gap that is but
1 - A_xz / (s_x s_z), s_x^2 = A_xx, brings its rounding error to the top.  Here it is a sum of positive terms,
each relatively accurate.  With A0 the value of rows of the same lengths r_x, r_z without an angle,

    1 - rho' = (1 - A0 / (s_x s_z)) + (A0 - A) / (s_x s_z)

The second comes from the angle psi of lengthened rows (``_lengthened.py``), from psi_0 without the gap on:

    cos(psi_0) - cos(psi) = r_x r_z (1 - rho) / (h_x h_z),        d = psi - psi_0

The first is that of two lengths.  A0(p, q) = sum_i B_i(p) B_i(q) + R(p, q), with functions B that hold what
short rows have most of, or long ones: a product is no gap.  With b = B(r_x) - B(r_z) and

    Q = R_xx + R_zz - 2 R_xz,    delta = R_xx - R_zz,    2 M = R_xx + R_zz

    A_xx A_zz - A0^2 = (b_0 B_1 - b_1 B_0)^2 + sum_i (B_x B_z Q - b B_x delta + b^2 R_xx)
                       + M Q - (delta^2 + Q^2)/4

and of close lengths Q and delta are Gauss sums of the derivatives of R in their logarithms.  The loops take
complex numbers too: an imaginary part too small to matter to the real one carries a derivative along.
"""

from __future__ import annotations

import math

import numpy as np

from ntklib._core.jit import compiled, inlined

__all__ = ["comparable", "near_gaps"]

STEP, SMOOTHED, GATED = 0, 1, 2  # as in _lengthened.py: the constants of a loop stand in its file

_RANGE = 1e60  # of lengths; beyond, a layer's gap no longer depends on them
_UNEVEN = 64.0  # ratio of two lengths, whose square multiplies rounding in the differences of sums
_CLOSE = 0.025  # (r_x - r_z) / (r_x + r_z), above which a difference of R has digits enough
_CLOSER = 5e-4  # up to which two points will do
_POINTS, _FEW_POINTS = (np.polynomial.legendre.leggauss(n)[0] / 2 + 0.5 for n in (4, 2))
_WEIGHTS, _FEW_WEIGHTS = (np.polynomial.legendre.leggauss(n)[1] / 2 for n in (4, 2))
_STEP = 1e-100  # imaginary
_SHORT, _LONG = 10, 20  # added to a kind; of long ramps all is over both lengths


def comparable(rx: np.ndarray, rz: np.ndarray) -> np.ndarray:
    """Mask of the lengths, broadcast, for which the sums below keep their digits."""
    rx, rz = np.clip(rx, 1 / _RANGE, _RANGE), np.clip(rz, 1 / _RANGE, _RANGE)
    return np.maximum(rx, rz) <= _UNEVEN * np.minimum(rx, rz)


def near_gaps(
    kind: int, rx: np.ndarray, rz: np.ndarray, gap: np.ndarray, dual: tuple, motion: tuple | None = None
) -> np.ndarray:
    """Return the gaps of n pairs after the layer, shape (n,), or with ``motion`` how they move, (2, n).

    dual: scales, weights, and the square of a constant over that of the steps; motion: derivatives of
    log r_x, log r_z, of the difference of these, and of the gap, each (2, n).
    """
    scales, weights = (np.array(part) for part in dual[:2])
    rx, rz = np.clip(rx, 1 / _RANGE, _RANGE), np.clip(rz, 1 / _RANGE, _RANGE)
    if motion is None:
        out = np.empty(rx.shape)
        _near_gaps(kind, rx, rz, rx - rz, gap, scales, weights, dual[2], out)
        return out
    moved = np.empty((2, len(rx)), np.complex128)
    for k in range(2):
        log_x, log_z, log_apart, by_gap = (part[k] for part in motion)
        x, z = rx * (1 + 1j * _STEP * log_x), rz * (1 + 1j * _STEP * log_z)
        by_apart = (rx - rz) * (log_x + log_z) / 2 + (rx + rz) / 2 * log_apart
        apart = (rx - rz) + 1j * _STEP * by_apart
        _near_gaps(kind, x, z, apart, gap + 1j * _STEP * by_gap, scales, weights, dual[2], moved[k])
    return moved.imag / _STEP


@compiled
def _near_gaps(kind, rx, rz, apart, gaps, scales, weights, constant, out):
    for n in range(len(rx)):
        x, z, gap = rx[n], rz[n], gaps[n]
        form, whole = _form(kind, x, z, scales, weights)
        one_x, two_x = _products(form, x, whole, scales, weights, constant)
        one_z, two_z = _products(form, z, whole, scales, weights, constant)
        one_b, two_b = _differences(form, x, z, apart[n], whole, scales, weights)
        u = apart[n] / (x + z)
        same, close = x == z, abs(u.real) < _CLOSE
        ratio = 2.0 * u * (1.0 + u * u * (1.0 / 3.0 + u * u * (0.2 + u * u / 7.0)))  # log(x / z)
        own_x, own_z, both = 0.0 * x, 0.0 * x, 0.0 * x
        second, first, turned = 0.0 * x, 0.0 * x, 0.0 * x
        for a in range(len(scales)):
            for b in range(len(scales)):
                s, t, weight = scales[a], scales[b], weights[a] * weights[b]
                turned += weight * _turned(kind, s, t, x, z, gap)
                for pair in range(1 if same else 3):  # the formula once, which takes long to compile
                    part = weight * _rest(form, s, t, z if pair == 1 else x, x if pair == 0 else z)
                    if pair == 0:
                        own_x += part
                    elif pair == 1:
                        own_z += part
                    else:
                        both += part
        if same:
            own_z, both = own_x, own_x
        if close and not same:
            points, parts = (_POINTS, _WEIGHTS) if abs(u.real) > _CLOSER else (_FEW_POINTS, _FEW_WEIGHTS)
            for i in range(len(points)):
                p = z * _exp(ratio * points[i])
                for j in range(i + 1):
                    q, factor = z * _exp(ratio * points[j]), parts[i] * parts[j] * (1.0 if i == j else 2.0)
                    for a in range(len(scales)):
                        for b in range(len(scales)):
                            along, mixed = _bends(form, scales[a], scales[b], p, q)
                            second += weights[a] * weights[b] * factor * mixed
                            if i == j:
                                first += weights[a] * weights[b] * parts[i] * along
            second, first = ratio * ratio * second, ratio * first
        if not close:
            second, first = own_x + own_z - 2.0 * both, own_x - own_z
        size = _sqrt((one_x * one_x + two_x * two_x + own_x) * (one_z * one_z + two_z * two_z + own_z))
        crossed = one_b * two_z - two_b * one_z
        lost = crossed * crossed + (own_x + own_z) / 2.0 * second - (first * first + second * second) / 4.0
        lost += one_x * one_z * second - one_b * one_x * first + one_b * one_b * own_x
        lost += two_x * two_z * second - two_b * two_x * first + two_b * two_b * own_x
        turned = turned / (x * z) if form > _LONG else turned
        out[n] = lost / (size + one_x * one_z + two_x * two_z + both) / size + turned / size


@inlined
def _form(kind, x, z, scales, weights):
    """Kind of the sums, that of long rows or of any; and the sum of the weights."""
    whole, middle = 0.0, 0.0
    for a in range(len(scales)):
        whole += weights[a]
        middle += weights[a] * scales[a]
    return kind + (_LONG if min(x.real, z.real) > middle / whole else _SHORT), whole


@inlined
def _products(form, r, whole, scales, weights, constant):
    """B_0 and B_1 of a row."""
    one, two = 0.0 * r, 0.0 * r
    if form == _LONG + STEP:
        return one + math.sqrt(constant + math.pi / 2.0 * whole * whole), two
    if form > _LONG:
        return one + math.sqrt(math.pi) * whole, two
    if form == _SHORT + STEP:
        one += math.sqrt(constant)
    else:
        two += math.sqrt(math.pi / 2.0) * whole * r
    for a in range(len(scales)):
        h = _sqrt(scales[a] * scales[a] + r * r)
        if form == _SHORT + STEP:
            two += weights[a] * r / h
        elif form == _SHORT + SMOOTHED:
            one += weights[a] * h
    return one, two


@inlined
def _differences(form, x, z, apart, whole, scales, weights):
    """The differences of B_0 and B_1 of two rows whose lengths are apart by that."""
    one, two = 0.0 * x, 0.0 * x
    if form >= _LONG:
        return one, two
    if form != _SHORT + STEP:
        two += math.sqrt(math.pi / 2.0) * whole * apart
    for a in range(len(scales)):
        s = scales[a]
        hx, hz = _sqrt(s * s + x * x), _sqrt(s * s + z * z)
        if form == _SHORT + STEP:
            two += weights[a] * (s / hx) * (s / hz) * ((x + z) * apart / (x * hz + z * hx))
        elif form == _SHORT + SMOOTHED:
            one += weights[a] * ((x + z) * apart / (hx + hz))
    return one, two


@inlined
def _angles(s, t, p, q):
    """Cosine and sine of psi_0, that angle, and s^2/h_x^2 and t^2/h_z^2."""
    hx, hz = _sqrt(s * s + p * p), _sqrt(t * t + q * q)
    cos, ex, ez = p / hx * (q / hz), (s / hx) * (s / hx), (t / hz) * (t / hz)
    sin = _sqrt(ex + (p / hx) * (p / hx) * ez)
    psi = _arcsin(sin) if sin.real < 0.7 else math.pi / 2.0 - _arcsin(cos)
    return cos, sin, psi, ex, ez


@inlined
def _turned(kind, s, t, x, z, gap):
    """A0 - A: of steps times pi/2, of ramps times 2 pi."""
    cos_0, sin_0, psi_0, ex, ez = _angles(s, t, x, z)
    cos, square = cos_0 * (1.0 - gap), cos_0 * cos_0 * gap * (2.0 - gap)
    sin = _sqrt(sin_0 * sin_0 + square)
    psi = _arcsin(sin) if sin.real < 0.7 and cos.real > 0.0 else math.pi / 2.0 - _arcsin(cos)
    d = 2.0 * _arcsin(cos_0 * gap / (2.0 * _sin((psi_0 + psi) / 2.0)))
    if kind == STEP:
        return d
    both = _sqrt(s * s + x * x) * _sqrt(t * t + z * z)
    half, middle = _sin(d / 2.0), psi_0 + d / 2.0
    # the integral of psi sin(psi)
    lost = 2.0 * psi_0 * _sin(middle) * half + 2.0 * d * _sin(middle + d / 4.0) * _sin(d / 4.0)
    lost -= 2.0 * _less_sine(d / 2.0) * _cos(middle)
    ramp = math.pi * x * z * gap - both * lost
    if kind == SMOOTHED:
        return ramp
    return ramp + square / (sin + sin_0) * (both * (ex + ez) + (s * t) * (s * t) / both / (sin * sin_0))


@inlined
def _rest(form, s, t, p, q):
    """R."""
    cos, sin, psi, ex, ez = _angles(s, t, p, q)
    if form == _LONG + STEP:
        return -psi
    if form == _LONG + SMOOTHED:  # tan(psi) - psi
        return (psi * (sin * sin / (1.0 + cos)) - _less_sine(psi)) / cos
    if form == _LONG + GATED:
        return ex * ez * cos / sin - _less_sine(2.0 * psi) / 2.0
    alpha = _arcsin(cos) if cos.real < 0.7 else math.pi / 2.0 - psi
    if form == _SHORT + STEP:  # alpha - sin(alpha)
        return _less_sine(alpha)
    if form == _SHORT + SMOOTHED:
        return _sqrt(s * s + p * p) * _sqrt(t * t + q * q) * (alpha * cos - cos * cos / (1.0 + sin))
    return p * q * ((ex + ez) * cos / sin + alpha)


@inlined
def _bends(form, s, t, p, q):
    """Derivatives of R: that in log p and log q together, and that in one and then the other."""
    hx, hz = _sqrt(s * s + p * p), _sqrt(t * t + q * q)
    cos, ex, ez = p / hx * (q / hz), (s / hx) * (s / hx), (t / hz) * (t / hz)
    square = ex + (p / hx) * (p / hx) * ez
    sin, e, both = _sqrt(square), ex + ez, ex * ez
    tan = cos / sin
    if form == _LONG + STEP:
        return e * tan, both * tan / square
    if form == _SHORT + STEP:
        less = cos * cos / (1.0 + sin)
        return e * tan * less, both * tan * less * (1.0 + sin + square) / square
    if form == _LONG + SMOOTHED:
        return -e / tan, both / (sin * cos)
    turn = both * tan
    if form == _LONG + GATED:
        u, v = ex / square - 2.0 * (1.0 - ex), ez / square - 2.0 * (1.0 - ez)
        more = 2.0 * both * (cos / square) * (cos / square) - 2.0 * (cos * cos - square)
        return 2.0 * sin * cos * e + turn * (u + v), turn * (u * v + more)
    alpha = _arcsin(cos)
    if form == _SHORT + SMOOTHED:
        value, turned = hx * hz * (alpha * cos - cos * cos / (1.0 + sin)), hx * hz * alpha * cos
        by_p, by_q = (1.0 - ex) * value + ex * turned, (1.0 - ez) * value + ez * turned
        mixed = (1.0 - ex) * by_q + ex * ((1.0 - ez) * turned + ez * hx * hz * (cos + alpha * sin) * tan)
        return by_p + by_q, mixed
    value = e * tan + alpha
    along = 2.0 * value + tan * (ex * (e / square - 1.0 + 2.0 * ex) + ez * (e / square - 1.0 + 2.0 * ez))
    mixed = turn / square * (e / square + 2.0 * e - 3.0 + 2.0 * e * tan * tan)
    return p * q * along, p * q * (along - value + mixed)


@inlined
def _less_sine(x):
    """An angle less its sine."""
    if abs(x.real) > 0.5:
        return x - _sin(x)
    square, value = x * x, 0.0 * x + 1.0
    for k in range(8, 0, -1):
        value = 1.0 - square / ((2.0 * k + 2.0) * (2.0 * k + 3.0)) * value
    return x * square / 6.0 * value


# Functions of a float, whose slope carries a derivative along in a small imaginary part: functions of complex
# numbers would take longer, to run and to compile.


@inlined
def _moved(value, slope, x):
    return value if x.imag == 0.0 else value + slope * (x - x.real)  # the first for all floats


@inlined
def _sqrt(x):
    root = math.sqrt(x.real)
    return _moved(root, 0.5 / root if root > 0.0 else 0.0, x)


@inlined
def _arcsin(x):
    cosine = math.sqrt((1.0 - x.real) * (1.0 + x.real))
    return _moved(math.asin(x.real), 1.0 / cosine if cosine > 0.0 else 0.0, x)


@inlined
def _sin(x):
    return _moved(math.sin(x.real), math.cos(x.real), x)


@inlined
def _cos(x):
    return _moved(math.cos(x.real), -math.sin(x.real), x)


@inlined
def _exp(x):
    value = math.exp(x.real)
    return _moved(value, value, x)
