"""Compiled layers of the homogeneous activations b sigma_n(z) + a sigma_n(-z).

With u, v jointly Gaussian of correlation rho, E[sigma(u) sigma(v)] over its value at rho = 1 is

    khat_n(rho) + k khat_n(-rho),    k = 2 a b / (a^2 + b^2)      (k = 0: z^n 1{z>=0};  k = +-1: abs, z^n)

see ``_series.py`` for khat.  The derivative has degree n - 1 and -k.  A bias b adds to each feature vector
w phi a constant coordinate: it turns a row by a = atan2(b, w |phi|) towards a common axis, and

    1 - rho' = 2 sin((a_x - a_z)/2)^2 + cos(a_x) cos(a_z) (1 - rho)
    1 + rho' = 2 sin((a_x + a_z)/2)^2 + cos(a_x) cos(a_z) (1 + rho)

Both are sums of positive terms, for every angle and every ratio of length to bias, and neither is formed
from the other: rounding cannot turn a close pair into an opposite one.  The sines come from the tangents
of half the turns, 2 sin((a_x -+ a_z)/2)^2 = (1 + cos a_x)(1 + cos a_z)(tan a_x/2 -+ tan a_z/2)^2 / 2, whose
difference is 0 for equal rows; where the bias outweighs the row, from those of pi/2 - a, which are small
there.  Everything is relative to the rows' lengths, so nothing overflows.  A table of turns has the four
rows of `turns`.

A row of pairs at a time goes through short passes over buffers that stay in the first-level cache, each of
which writes to one or two arrays: with more, loops do not vectorise.

Derivatives, as rows and the angles between them move, follow the angle theta and not its cosine: d theta
stays finite at coincident and opposite rows, where d arccos is zero times infinity.
"""

from __future__ import annotations

import math

import numpy as np

from ntklib._core.jit import compiled, inlined

__all__ = [
    "activation_tile",
    "angular_tile",
    "angular_values",
    "bias_tile",
    "biased_roots",
    "moved_tile",
    "one_layer_tile",
    "ramp_tile",
]


@inlined
def _horner(c, x):
    """sum_k c[k] x^k for a tuple of coefficients, whose length the compiler knows."""
    value = c[len(c) - 1]
    for k in range(len(c) - 2, -1, -1):
        value = value * x + c[k]
    return value


@inlined
def _fill_near(c, row, out):
    """out = sum_k c[k] abs(rho)^k for a row of gaps; few coefficients, as many as the degree."""
    kind = row.dtype.type
    one = kind(1)
    top = len(c) - 1
    for j in range(row.shape[0]):
        out[j] = kind(c[top])
    for k in range(top - 1, -1, -1):
        coefficient = kind(c[k])
        for j in range(row.shape[0]):
            out[j] = out[j] * (one - abs(row[j])) + coefficient


@inlined
def _fill_powers(row, degree, power):
    """power = t^(degree - 1/2), or t^(1/2) if the degree is 0."""
    for j in range(row.shape[0]):
        power[j] = math.sqrt(abs(row[j]))
    _raise_powers(row, degree, power)


@inlined
def _raise_powers(row, degree, power):
    for _ in range(degree - 1):
        for j in range(row.shape[0]):
            power[j] *= abs(row[j])


@inlined
def _bias_row(row, i, x, z):
    """Turn a row's gaps by the biases, in place; x and z are tables of turns."""
    one = row.dtype.type(1)
    two, zero = one + one, one - one
    half = one / two
    cos_x, tan_x = x[0, i], x[2, i]
    cos_z, tan_z = z[0], z[2]
    near = _nearer_axis(x, i)
    near_x, axis_x = x[near + 2, i], x[near, i]
    near_z, axis_z = z[near + 2], z[near]
    for j in range(row.shape[0]):
        t = abs(row[j])
        positive = math.copysign(one, row[j]) > zero
        cos_product = cos_x * cos_z[j]
        apart, along = near_x - near_z[j], tan_x + tan_z[j]
        to_one = half * (one + axis_x) * (one + axis_z[j]) * (apart * apart) + cos_product * (
            t if positive else two - t
        )
        to_minus_one = half * (one + cos_x) * (one + cos_z[j]) * (along * along) + cos_product * t
        row[j] = to_one if positive | (to_minus_one >= one) else -to_minus_one


@inlined
def _fill_biased_roots(row, i, x, z, apart, power):
    """power = the roots of the gaps that `_bias_row` gives, also where those are too small for a float.

    ``apart`` has (|x| - |z|) / (|x| + |z|) of close rows, NaN of others: sin(a_z - a_x) is that times
    sin(a_x + a_z).
    """
    one = row.dtype.type(1)
    two, zero = one + one, one - one
    half = one / two
    cos_x, tan_x = x[0, i], x[2, i]
    cos_z, tan_z = z[0], z[2]
    near = _nearer_axis(x, i)
    near_x, axis_x = x[near + 2, i], x[near, i]
    near_z, axis_z = z[near + 2], z[near]
    for j in range(row.shape[0]):
        t = abs(row[j])
        positive = math.copysign(one, row[j]) > zero
        along = tan_x + tan_z[j]
        weight = half * (one + cos_x) * (one + cos_z[j])
        close = positive | (weight * (along * along) + cos_x * cos_z[j] * t >= one)
        weight = half * (one + axis_x) * (one + axis_z[j]) if close else weight
        turned = math.sqrt(weight) * (abs(near_x - near_z[j]) if close else along)
        sine = abs(apart[j]) * (cos_x * z[1, j] + x[1, i] * cos_z[j])
        cosine = cos_x * cos_z[j] + x[1, i] * z[1, j]  # of the turn: 1 - sine^2 may be but rounding
        turned = turned if math.isnan(sine) else sine / math.sqrt(one + cosine)
        kept = math.sqrt(cos_x) * math.sqrt(cos_z[j]) * math.sqrt(two - t if close and not positive else t)
        larger, smaller = max(turned, kept), min(turned, kept)
        ratio = smaller / (larger if larger > zero else one)
        power[j] = larger * math.sqrt(one + ratio * ratio)


@inlined
def _nearer_axis(x, i):
    """0 where the row outweighs the bias, 1 where the bias does."""
    return 1 if x[0, i] < x[1, i] else 0


@inlined
def _slopes(row, power, degree, k, D, far_below, slope):
    """Relative E[sigma' sigma'] of a row of gaps: the degree below, with the opposite sign and -k."""
    one = row.dtype.type(1)
    half, zero = one / (one + one), one - one
    sign = one if degree % 2 else -one
    same_k, other_k = sign + k, one + sign * k
    for j in range(row.shape[0]):
        far_part = _horner(far_below, abs(row[j]) - half) * power[j]
        positive = math.copysign(one, row[j]) > zero
        slope[j] = D[j] - same_k * far_part if positive else other_k * far_part - k * D[j]


@inlined
def _values(row, power, degree, k, B, far, raised, value):
    """Relative E[sigma sigma] of a row of gaps; ``raised``: the far part has one power of t more."""
    one = row.dtype.type(1)
    half, zero = one / (one + one), one - one
    sign = one if degree % 2 else -one
    same_k, other_k = sign + k, one + sign * k
    for j in range(row.shape[0]):
        t = abs(row[j])
        far_part = _horner(far, t - half) * power[j] * (t if raised else one)
        positive = math.copysign(one, row[j]) > zero
        value[j] = B[j] + same_k * far_part if positive else k * B[j] + other_k * far_part


@inlined
def _values_and_gaps(row, power, degree, k, B, E, far, value):
    """The same, with the row's gaps turned into those after the activation."""
    one = row.dtype.type(1)
    half, zero = one / (one + one), one - one
    sign = one if degree % 2 else -one
    same_k, other_k = sign + k, one + sign * k
    for j in range(row.shape[0]):
        t = abs(row[j])
        far_part = _horner(far, t - half) * power[j] * (t if degree else one)
        positive = math.copysign(one, row[j]) > zero
        cosine = B[j] + same_k * far_part if positive else k * B[j] + other_k * far_part
        lack = t * E[j]
        lost = other_k * far_part
        to_one = lack - same_k * far_part if positive else (one - k) + k * lack - lost
        to_minus_one = (one + k) - k * lack + lost
        row[j] = -max(to_minus_one, zero) if cosine < zero else max(to_one, zero)
        value[j] = cosine


@compiled
def angular_tile(
    tau, include, degree, k, ratio, near, gap, far, near_below, far_below, biased, x, z, apart
):  # fmt: skip
    """Turn a tile of gaps between inputs into relative kernel values, through all layers, in place.

    apart: see `_fill_biased_roots`, for steps;
    include[l]: whether layer l is trained; x[l], z[l]: the table of its turns;
    ratio = n^2 E[sigma_(n-1)^2] / E[sigma_n^2].
    """
    n, m = tau.shape
    kind = tau.dtype.type
    one, zero = kind(1), kind(0)
    k, ratio = kind(k), kind(ratio)
    depth = len(include) - 1
    power, value, slope, ntk = np.empty(m, kind), np.empty(m, kind), np.empty(m, kind), np.empty(m, kind)
    B, E, D = np.empty(m, kind), np.empty(m, kind), np.empty(m, kind)
    for j in range(m):
        B[j], E[j], D[j] = one, kind(gap[0]), one
    for i in range(n):
        row = tau[i]
        if biased:
            if degree == 0:
                _fill_biased_roots(row, i, x[0], z[0], apart[i], power)
            _bias_row(row, i, x[0], z[0])
        trained = include[0]
        share = one if trained else zero
        for j in range(m):
            ntk[j] = share * math.copysign(one - abs(row[j]), row[j])
        for layer in range(1, depth + 1):
            chain, last = trained and degree > 0, layer == depth
            if degree > 0 or layer > 1 or not biased:
                _fill_powers(row, degree, power)
            if degree > 0:
                _fill_near(near, row, B)
            if chain:
                if degree > 1:
                    _fill_near(near_below, row, D)
                _slopes(row, power, degree, k, D, far_below, slope)
            if last:
                _values(row, power, degree, k, B, far, degree > 0, value)
            else:
                if degree > 1:
                    _fill_near(gap, row, E)
                _values_and_gaps(row, power, degree, k, B, E, far, value)
            if biased:
                added = np.any(include[layer:])  # else the cosines belong to the rows' scale
                cos_x, sin_x = x[layer, 0, i], x[layer, 1, i]
                cos_z, sin_z = z[layer, 0], z[layer, 1]
                for j in range(m):
                    cos_product = cos_x * cos_z[j]
                    value[j] = cos_product * value[j] + sin_x * sin_z[j]
                    if added:
                        slope[j] *= cos_product
                if not last:
                    _bias_row(row, i, x[layer], z[layer])
            share = one if include[layer] else zero
            if chain:
                for j in range(m):
                    ntk[j] = share * value[j] + ratio * slope[j] * ntk[j]
            else:
                for j in range(m):
                    ntk[j] = share * value[j]
            trained = trained or include[layer]
        for j in range(m):
            row[j] = ntk[j]


@inlined
def _ramp_layer(row, i, k, far, far_below, share, chain, added, x, z, ntk):
    """Take a row of pairs through a layer of degree 1 and the scaling of the next layer's bias, in place.

    b_1(c) = c and b_0 = e_1 = 1, so that all of `angular_tile` is one pass: the start of a pass costs as much
    as a hundred pairs in it.
    """
    one = row.dtype.type(1)
    half, zero = one / (one + one), one - one
    both = one + k
    cos_x, sin_x = x[0, i], x[1, i]
    cos_z, sin_z = z[0], z[1]
    of_cosine = chain if added else zero
    of_one = zero if added else chain
    for j in range(row.shape[0]):
        t = abs(row[j])
        positive = math.copysign(one, row[j]) > zero
        root = math.sqrt(t)
        below = both * _horner(far_below, t - half) * root
        part = both * _horner(far, t - half) * root * t
        slope = one - below if positive else below - k
        cosine = (one - t if positive else k * (one - t)) + part
        to_one = (t if positive else (one - k) + k * t) - part
        to_minus_one = (both - k * t) + part
        row[j] = -max(to_minus_one, zero) if cosine < zero else max(to_one, zero)
        product = cos_x * cos_z[j]
        value = product * cosine + sin_x * sin_z[j]
        ntk[j] = share * value + (of_cosine * product + of_one) * slope * ntk[j]


@compiled
def ramp_tile(tau, include, k, far, far_below, biased, x, z):
    """`angular_tile` for degree 1: the ReLU and its relatives."""
    n, m = tau.shape
    kind = tau.dtype.type
    one, zero = kind(1), kind(0)
    depth = len(include) - 1
    ntk = np.empty(m, kind)
    for i in range(n):
        row = tau[i]
        if biased:
            _bias_row(row, i, x[0], z[0])
        share = one if include[0] else zero
        for j in range(m):
            ntk[j] = share * math.copysign(one - abs(row[j]), row[j])
        for layer in range(1, depth + 1):
            share = one if include[layer] else zero
            chain = one if np.any(include[:layer]) else zero
            added = np.any(include[layer:])  # else the cosines belong to the rows' scale
            _ramp_layer(row, i, kind(k), far, far_below, share, chain, added, x[layer], z[layer], ntk)
            if biased and layer < depth:
                _bias_row(row, i, x[layer], z[layer])
        for j in range(m):
            row[j] = ntk[j]


@compiled
def one_layer_tile(tau, degree, k, near, far):
    """The NTK of one hidden layer without bias, degree >= 1, in place: one polynomial instead of two.

    The far parts of E[sigma sigma] and E[sigma' sigma'] share sqrt(t) t^(degree - 1).
    """
    n, m = tau.shape
    kind = tau.dtype.type
    power, B, value = np.empty(m, kind), np.empty(m, kind), np.empty(m, kind)
    for i in range(n):
        row = tau[i]
        _fill_powers(row, degree, power)
        _fill_near(near, row, B)
        _values(row, power, degree, kind(k), B, far, False, value)
        for j in range(m):
            row[j] = value[j]


@compiled
def bias_tile(tau, x, z):
    """Gaps of inputs to gaps of first-layer pre-activations, in place; x and z are tables of turns."""
    for i in range(tau.shape[0]):
        _bias_row(tau[i], i, x, z)


@compiled
def biased_roots(tau, x, z, apart, roots):
    """The roots of the gaps that `bias_tile` gives, also where those are too small for a float."""
    for i in range(tau.shape[0]):
        _fill_biased_roots(tau[i], i, x, z, apart[i], roots[i])


@compiled
def activation_tile(tau, roots, degree, k, near, gap, far):
    """Gaps of pre-activations, given with their roots, to gaps after the activation, in place."""
    n, m = tau.shape
    kind = tau.dtype.type
    value, B, E = np.empty(m, kind), np.empty(m, kind), np.empty(m, kind)
    for i in range(n):
        _raise_powers(tau[i], degree, roots[i])
        _fill_near(near, tau[i], B)
        _fill_near(gap, tau[i], E)
        _values_and_gaps(tau[i], roots[i], degree, kind(k), B, E, far, value)


@compiled
def angular_values(tau, degree, k, near, far, out):
    """khat_n(rho) + k khat_n(-rho) of a tile of signed gaps."""
    n, m = tau.shape
    kind = tau.dtype.type
    power, B = np.empty(m, kind), np.empty(m, kind)
    for i in range(n):
        _fill_powers(tau[i], degree, power)
        _fill_near(near, tau[i], B)
        _values(tau[i], power, degree, kind(k), B, far, degree > 0, out[i])


@inlined
def _turn_rho(row, distance, i, x, z, length, turn, lengths, turns, bias, d_rho):
    """Apply a bias to derivatives of cosines; turns of close rows differ as the distance of lengths says."""
    cos_x, sin_x, cos_z, sin_z = x[0, i], x[1, i], z[0], z[1]
    for j in range(row.shape[0]):
        t, known = abs(row[j]), not math.isnan(distance[j])
        gap = t if math.copysign(1.0, row[j]) > 0.0 else 2.0 - t
        product_x, product_z = sin_x * cos_z[j], cos_x * sin_z[j]
        fine = distance[j] * (product_z + product_x)
        sine = fine if known else product_z - product_x
        shared = fine * (cos_x * cos_z[j] - sin_x * sin_z[j]) * (length - bias)
        across = shared if known & (length == lengths[j]) else turn - turns[j]
        leaning = product_x * turn + product_z * turns[j]
        d_rho[j] = cos_x * cos_z[j] * d_rho[j] + sine * across + gap * leaning


@inlined
def _add_layer(i, x, z, turn, turns, share, ratio, added, d_rho, ntk, slope, d_slope, d_ntk):
    """Derivatives of the NTK's sum over layers, along a direction."""
    cos_x, sin_x, cos_z, sin_z = x[0, i], x[1, i], z[0], z[1]
    of_product, of_one = ratio * added, ratio * (1.0 - added)
    for j in range(d_ntk.shape[0]):
        leaning = sin_x * cos_z[j] * turn + cos_x * sin_z[j] * turns[j]
        passed = d_ntk[j] * slope[j] + ntk[j] * d_slope[j]
        product = of_product * cos_x * cos_z[j] + of_one
        d_ntk[j] = share * d_rho[j] + product * passed - of_product * leaning * ntk[j] * slope[j]


@inlined
def _turn_gaps(row, distance, i, x, z, degree, root):
    """Turn gaps by a bias, with their roots, and distances of lengths into those at the next layer.

    With u = tan((pi/2 - a)/2) of the turns, radii are apart by ((u_x + u_z) / (1 + u_x u_z))^2 times as much.
    """
    for j in range(row.shape[0]):
        if not math.isnan(distance[j]):
            pair = slice(j, j + 1)
            _fill_biased_roots(row[pair], i, x, z[:, pair], distance[pair], root[pair])
            part = (x[3, i] + z[3, j]) / (1.0 + x[3, i] * z[3, j])
            of_radii, powers = distance[j] * part * part, 0.0
            for _ in range(degree):
                powers = (powers + of_radii) / (1.0 + powers * of_radii)
            distance[j] = powers
    _bias_row(row, i, x, z)
    for j in range(row.shape[0]):
        root[j] = math.sqrt(abs(row[j])) if math.isnan(distance[j]) else root[j]
    for j in range(row.shape[0]):
        row[j] = row[j] if math.isnan(distance[j]) else math.copysign(root[j] * root[j], row[j])


@compiled
def moved_tile(tau, apart, angles, include, degree, k, ratio, polynomials, x, z, by_x, by_z, bias, moved):
    """Write derivatives of relative kernel values along two directions, (2, n, m); gaps are overwritten.

    apart: distances of the lengths of close rows, NaN of others; angles: derivatives of angles of inputs;
    x, z: tables of turns; by_x, by_z: derivatives of the logarithms of lengths and of turns at every layer,
    and of the logarithms of scales; bias: of the logarithm of the bias.
    """
    n, m = tau.shape
    near, gap, far, near_below, far_below, near_second, far_second = polynomials
    (lengths_x, turns_x, scales_x), (lengths_z, turns_z, scales_z) = by_x, by_z
    depth = len(include) - 1
    distance, value, root, power = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    ntk, slope, bend = np.empty(m), np.empty(m), np.empty(m)
    rho, d_slope = np.empty((2, m)), np.empty((2, m))
    B, E, D = np.ones(m), np.full(m, gap[0]), np.ones(m)
    for i in range(n):
        row = tau[i]
        distance[:] = apart[i]
        ntk[:], slope[:], d_slope[:] = 0.0, 0.0, 0.0
        for j in range(m):
            value[j] = math.copysign(1.0 - abs(row[j]), row[j])
        for p in range(2):
            d_rho = rho[p]
            for j in range(m):
                d_rho[j] = -angles[p, 0] * math.sqrt(abs(row[j]) * (2.0 - abs(row[j])))
        moved[:, i] = 0.0
        for layer in range(depth + 1):
            added = 1.0 if np.any(include[layer:]) else 0.0  # else the cosines belong to the rows' scale
            share = 1.0 if include[layer] else 0.0
            xl, zl = x[layer], z[layer]
            cos_x, sin_x, cos_z, sin_z = xl[0, i], xl[1, i], zl[0], zl[1]
            for p in range(2):
                turn, turns = turns_x[layer, p, i], turns_z[layer, p]
                length, lengths = lengths_x[layer, p, i], lengths_z[layer, p]
                _turn_rho(row, distance, i, xl, zl, length, turn, lengths, turns, bias[p, 0], rho[p])
                _add_layer(
                    i, xl, zl, turn, turns, share, ratio, added, rho[p], ntk, slope, d_slope[p], moved[p, i]
                )  # fmt: skip
            for j in range(m):
                value[j] = cos_x * cos_z[j] * value[j] + sin_x * sin_z[j]
            for j in range(m):
                product = ratio * (added * cos_x * cos_z[j] + (1.0 - added))
                ntk[j] = share * value[j] + product * ntk[j] * slope[j]
            if layer == depth:
                break
            _turn_gaps(row, distance, i, xl, zl, degree, root)
            _fill_near(near, row, B)
            if degree > 1:
                _fill_powers(row, degree - 2, power)
                _fill_near(near_second, row, D)
                _values(row, power, degree - 2, k, D, far_second, degree > 2, bend)
                _fill_near(gap, row, E)
                _fill_near(near_below, row, D)
            _raise_powers(row, degree, root)
            _slopes(row, root, degree, k, D, far_below, slope)
            for p in range(2):
                d_rho, d_below = rho[p], d_slope[p]
                if degree > 1:
                    curvature = (degree - 1) ** 2 / (2 * degree - 3)
                    for j in range(m):
                        d_below[j] = curvature * bend[j] * d_rho[j]
                else:
                    for j in range(m):
                        sine = root[j] * math.sqrt(2.0 - abs(row[j]))
                        turned = d_rho[j] / (sine if sine > 0.0 else 1.0)
                        d_below[j] = (1.0 + k) / math.pi * (turned if sine > 0.0 else 0.0)
                for j in range(m):
                    d_rho[j] = ratio * slope[j] * d_rho[j]
            _values_and_gaps(row, root, degree, k, B, E, far, value)
        for p in range(2):
            line, scale_x, scale_z = moved[p, i], scales_x[p, i], scales_z[p]
            for j in range(m):
                line[j] += ntk[j] * (scale_x + scale_z[j])
