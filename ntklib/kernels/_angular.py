"""Compiled layers of the homogeneous activations b sigma_n(z) + a sigma_n(-z).

With u, v jointly Gaussian of correlation rho, E[sigma(u) sigma(v)] over its value at rho = 1 is

    khat_n(rho) + k khat_n(-rho),    k = 2 a b / (a^2 + b^2)      (k = 0: z^n 1{z>=0};  k = +-1: abs, z^n)

see ``_series.py`` for khat.  The derivative has degree n - 1 and -k.  A bias b adds to each feature vector
w phi a constant coordinate: it turns a row by alpha = atan2(b, w |phi|) towards a common axis, and

    1 - rho' = 2 sin((alpha_x - alpha_z)/2)^2 + cos(alpha_x) cos(alpha_z) (1 - rho)

(with alpha_x + alpha_z and 1 + rho on the other side): sums of positive terms, so gaps stay accurate
through any number of layers.  The sine is computed as cos cos (tan alpha_x/2 - tan alpha_z/2), exactly 0
for equal rows.  Everything is relative to the rows' lengths, so nothing overflows.

A row of pairs at a time goes through short passes over buffers that stay in the first-level cache.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import compiled, inlined

__all__ = ["angular_layer", "angular_values", "bias_layer"]


@inlined
def _fill_far(c, t, out):
    """out = sum_k c[k] (t - 1/2)^k by Horner's rule, eight coefficients a pass; len(c) % 4 == 0."""
    kind = t.dtype.type
    half = kind(0.5)
    k = len(c) - 4
    c3, c2, c1, c0 = kind(c[k + 3]), kind(c[k + 2]), kind(c[k + 1]), kind(c[k])
    for j in range(t.shape[0]):
        x = t[j] - half
        out[j] = ((c3 * x + c2) * x + c1) * x + c0
    if k % 8:
        k -= 4
        c3, c2, c1, c0 = kind(c[k + 3]), kind(c[k + 2]), kind(c[k + 1]), kind(c[k])
        for j in range(t.shape[0]):
            x = t[j] - half
            out[j] = (((out[j] * x + c3) * x + c2) * x + c1) * x + c0
    for k in range(k - 8, -1, -8):  # noqa: B020
        c7, c6, c5, c4 = kind(c[k + 7]), kind(c[k + 6]), kind(c[k + 5]), kind(c[k + 4])
        c3, c2, c1, c0 = kind(c[k + 3]), kind(c[k + 2]), kind(c[k + 1]), kind(c[k])
        for j in range(t.shape[0]):
            x = t[j] - half
            top = (((out[j] * x + c7) * x + c6) * x + c5) * x + c4
            out[j] = (((top * x + c3) * x + c2) * x + c1) * x + c0


@inlined
def _fill_short(c, t, out):
    """out = sum_k c[k] (1 - t)^k for the near polynomials, whose degree is n."""
    kind = t.dtype.type
    one = kind(1)
    top = len(c) - 1
    if top == 0:
        out[:] = kind(c[0])
        return
    high, low = kind(c[top]), kind(c[top - 1])
    for j in range(t.shape[0]):
        out[j] = high * (one - t[j]) + low
    for k in range(top - 2, -1, -1):
        coefficient = kind(c[k])
        for j in range(t.shape[0]):
            out[j] = out[j] * (one - t[j]) + coefficient


@inlined
def _fill_powers(row, degree, t, power):
    """t = abs(row) and power = t^(degree - 1/2), or t^(1/2) if the degree is 0."""
    for j in range(row.shape[0]):
        t[j] = abs(row[j])
        power[j] = math.sqrt(t[j])
    for _ in range(degree - 1):
        for j in range(row.shape[0]):
            power[j] *= t[j]


@inlined
def _mix_gap(tau, cos_product, sine_near, sine_far, one):
    """The signed gap after a bias; the sines are of half the difference and half the sum of the turns."""
    two = one + one
    positive = math.copysign(one, tau) > one - one
    sine = sine_near if positive else sine_far
    gap = two * sine * sine + cos_product * abs(tau)
    signed = -gap if gap <= one else two - gap
    return gap if positive else signed


@compiled
def bias_layer(tau, ntk, include, cos_x, cos_half_x, tan_half_x, cos_z, cos_half_z, tan_half_z):
    """Turn gaps of inputs into gaps of first-layer pre-activations, in place, and start the NTK."""
    n, m = tau.shape
    one = tau.dtype.type(1)
    include = tau.dtype.type(include)
    for i in range(n):
        for j in range(m):
            half = cos_half_x[i] * cos_half_z[j]
            near, far = half * (tan_half_x[i] - tan_half_z[j]), half * (tan_half_x[i] + tan_half_z[j])
            value = _mix_gap(tau[i, j], cos_x[i] * cos_z[j], near, far, one)
            tau[i, j] = value
            ntk[i, j] = include * math.copysign(one - abs(value), value)


@compiled
def angular_layer(
    tau, ntk, degree, k, ratio, near, gap, far, near_below, far_below, include, chain, last, biased,
    cos_x, cos_half_x, tan_half_x, cos_z, cos_half_z, tan_half_z,
):  # fmt: skip
    """Take gaps ``tau`` and relative NTKs ``ntk`` of one layer to those of the next, in place.

    include: whether the next layer's own weights count; chain: whether any layer below counts;
    last: no layer follows, so that ``tau`` need not be updated.  ratio = n^2 E[sigma_(n-1)^2]/E[sigma_n^2].
    """
    n, m = tau.shape
    kind = tau.dtype.type
    one, two, zero = kind(1), kind(2), kind(0)
    k, ratio, include = kind(k), kind(ratio), kind(include)
    sign = one if degree % 2 else -one
    same_k, other_k = sign + k, one + sign * k
    t, power, value = np.empty(m, tau.dtype), np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    G, H = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    B, E, D = np.empty(m, tau.dtype), np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    for i in range(n):
        row, out = tau[i], ntk[i]
        _fill_powers(row, degree, t, power)
        _fill_far(far, t, G)
        _fill_short(near, t, B)
        if chain:  # the derivative, of degree - 1, whose sign and k are the opposite ones
            _fill_far(far_below, t, H)
            if degree > 1 or i == 0:
                _fill_short(near_below, t, D)
            for j in range(m):
                positive = math.copysign(one, row[j]) > zero
                far_part = H[j] * power[j]
                slope = D[j] - same_k * far_part if positive else other_k * far_part - k * D[j]
                out[j] *= ratio * (cos_x[i] * cos_z[j]) * slope
        else:
            out[:] = zero
        if last:
            for j in range(m):
                far_part = G[j] * power[j] * (t[j] if degree else one)
                positive = math.copysign(one, row[j]) > zero
                value[j] = B[j] + same_k * far_part if positive else k * B[j] + other_k * far_part
        else:
            if degree > 1 or i == 0:
                _fill_short(gap, t, E)
            for j in range(m):
                far_part = G[j] * power[j] * (t[j] if degree else one)
                positive = math.copysign(one, row[j]) > zero
                cosine = B[j] + same_k * far_part if positive else k * B[j] + other_k * far_part
                lack = t[j] * E[j]
                lost = other_k * far_part
                to_one = lack - same_k * far_part if positive else (one - k) + k * lack - lost
                to_minus_one = (one + k) - k * lack + lost
                row[j] = -max(to_minus_one, zero) if cosine < zero else max(to_one, zero)
                value[j] = cosine
        if biased:
            for j in range(m):
                cos_product = cos_x[i] * cos_z[j]
                half = cos_half_x[i] * cos_half_z[j]
                if not last:
                    near_half = half * (tan_half_x[i] - tan_half_z[j])
                    far_half = half * (tan_half_x[i] + tan_half_z[j])
                    row[j] = _mix_gap(row[j], cos_product, near_half, far_half, one)
                sines = (two * half * tan_half_x[i]) * (two * half * tan_half_z[j])
                value[j] = cos_product * value[j] + sines
        for j in range(m):
            out[j] += include * value[j]


@compiled
def angular_values(tau, degree, k, near, far, out):
    """khat_n(rho) + k khat_n(-rho) of a tile of signed gaps."""
    n, m = tau.shape
    kind = tau.dtype.type
    one, zero = kind(1), kind(0)
    k = kind(k)
    sign = one if degree % 2 else -one
    t, power = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    G, B = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    for i in range(n):
        row = tau[i]
        _fill_powers(row, degree, t, power)
        _fill_far(far, t, G)
        _fill_short(near, t, B)
        for j in range(m):
            far_part = G[j] * power[j] * (t[j] if degree else one)
            same = B[j] + (sign + k) * far_part
            other = k * B[j] + (one + sign * k) * far_part
            out[i, j] = same if math.copysign(one, row[j]) > zero else other
