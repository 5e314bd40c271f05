"""Compiled layers of the homogeneous activations b sigma_n(z) + a sigma_n(-z).

With u, v jointly Gaussian of correlation rho, E[sigma(u) sigma(v)] over its value at rho = 1 is

    (khat_n(rho) + k khat_n(-rho)),    k = 2 a b / (a^2 + b^2)         (k = 0: z^n 1{z>=0};  k = +-1: abs, z^n)

see ``_series.py`` for khat.  The derivative has degree n - 1 and -k.  A bias b adds to each feature vector
w phi a constant coordinate: it turns a row by alpha = atan2(b, w |phi|) towards a common axis, and

    1 - rho' = 2 sin((alpha_x - alpha_z)/2)^2 + cos(alpha_x) cos(alpha_z) (1 - rho)

(with alpha_x + alpha_z and 1 + rho on the other side): sums of positive terms, so gaps stay accurate
through any number of layers.  The sine is cos cos (tan alpha_x/2 - tan alpha_z/2), exactly 0 for equal rows.  Everything is relative to the rows' lengths, so nothing overflows.

A row of pairs at a time goes through short passes over buffers that stay in the first-level cache.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import compiled, inlined

__all__ = ["angular_layer", "angular_values", "bias_layer"]


@inlined
def _fill_polynomial(c, t, shift, out):
    """out = sum_k c[k] (t - shift)^k by Horner's rule, four coefficients a pass; len(c) % 4 == 0."""
    kind = t.dtype.type
    shift = kind(shift)
    top = len(c)
    c3, c2, c1, c0 = kind(c[top - 1]), kind(c[top - 2]), kind(c[top - 3]), kind(c[top - 4])
    for j in range(t.shape[0]):
        x = t[j] - shift
        out[j] = ((c3 * x + c2) * x + c1) * x + c0
    for k in range(top - 8, -1, -4):
        c3, c2, c1, c0 = kind(c[k + 3]), kind(c[k + 2]), kind(c[k + 1]), kind(c[k])
        for j in range(t.shape[0]):
            x = t[j] - shift
            out[j] = (((out[j] * x + c3) * x + c2) * x + c1) * x + c0


@inlined
def _fill_short(c, t, out):
    """out = sum_k c[k] (1 - t)^k for the near polynomials, whose degree is n."""
    kind = t.dtype.type
    top = len(c) - 1
    for j in range(t.shape[0]):
        out[j] = kind(c[top])
    for k in range(top - 1, -1, -1):
        coefficient = kind(c[k])
        for j in range(t.shape[0]):
            out[j] = out[j] * (kind(1) - t[j]) + coefficient


@inlined
def _times_root_power(root, t, n, out):
    """out *= t^(n + 1/2)."""
    for j in range(t.shape[0]):
        out[j] *= root[j]
    for _ in range(n):
        for j in range(t.shape[0]):
            out[j] *= t[j]


@inlined
def _mix_gap(tau, cos_product, sine_near, sine_far, one):
    """The signed gap after a bias; the sines are those of half the difference and half the sum of the turns."""
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
    t, root = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    G, B, E = np.empty(m, tau.dtype), np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    H, D = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    for i in range(n):
        row, out = tau[i], ntk[i]
        for j in range(m):
            t[j] = abs(row[j])
            root[j] = math.sqrt(t[j])
        _fill_polynomial(far, t, 0.5, G)
        _times_root_power(root, t, degree, G)
        _fill_short(near, t, B)
        if chain:
            _fill_polynomial(far_below, t, 0.5, H)
            _times_root_power(root, t, degree - 1, H)
            _fill_short(near_below, t, D)
            for j in range(m):  # sign and k of the derivative are the opposite ones
                same = D[j] + (-sign - k) * H[j]
                other = -k * D[j] + (one + sign * k) * H[j]
                D[j] = same if math.copysign(one, row[j]) > zero else other
        if not last:
            _fill_short(gap, t, E)
        for j in range(m):
            same = B[j] + (sign + k) * G[j]
            other = k * B[j] + (one + sign * k) * G[j]
            positive = math.copysign(one, row[j]) > zero
            value = same if positive else other
            if not last:
                lack = t[j] * E[j]
                lost = (one + sign * k) * G[j]
                to_one = lack - (sign + k) * G[j] if positive else (one - k) + k * lack - lost
                to_minus_one = (one + k) - k * lack + lost
                row[j] = -max(to_minus_one, zero) if value < zero else max(to_one, zero)
            B[j] = value
        if biased:
            for j in range(m):
                cos_product = cos_x[i] * cos_z[j]
                half = cos_half_x[i] * cos_half_z[j]
                near_half = half * (tan_half_x[i] - tan_half_z[j])
                far_half = half * (tan_half_x[i] + tan_half_z[j])
                sines = (two * half * tan_half_x[i]) * (two * half * tan_half_z[j])
                if not last:
                    row[j] = _mix_gap(row[j], cos_product, near_half, far_half, one)
                B[j] = cos_product * B[j] + sines
                if chain:
                    D[j] *= cos_product
        if chain:
            for j in range(m):
                out[j] = include * B[j] + ratio * D[j] * out[j]
        else:
            for j in range(m):
                out[j] = include * B[j]


@compiled
def angular_values(tau, degree, k, near, far, out):
    """khat_n(rho) + k khat_n(-rho) of a tile of signed gaps."""
    n, m = tau.shape
    kind = tau.dtype.type
    one, zero = kind(1), kind(0)
    k = kind(k)
    sign = one if degree % 2 else -one
    t, root = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    G, B = np.empty(m, tau.dtype), np.empty(m, tau.dtype)
    for i in range(n):
        row = tau[i]
        for j in range(m):
            t[j] = abs(row[j])
            root[j] = math.sqrt(t[j])
        _fill_polynomial(far, t, 0.5, G)
        _times_root_power(root, t, degree, G)
        _fill_short(near, t, B)
        for j in range(m):
            same = B[j] + (sign + k) * G[j]
            other = k * B[j] + (one + sign * k) * G[j]
            out[i, j] = same if math.copysign(one, row[j]) > zero else other
