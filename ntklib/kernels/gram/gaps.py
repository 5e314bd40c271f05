"""Signed gaps: the angle between two rows, accurate at both of its ends.

A cosine loses half the digits of an angle near 0 and near pi.  A tile therefore holds, for each pair,

    tau = +(1 - rho)  if rho >= 0,        tau = -(1 + rho)  if rho < 0,        rho = cos(theta)

whose magnitude is small, and relatively accurate, at both ends.  The sign of zero counts: +0.0 is a
coincident pair, -0.0 an opposite one.  With half squares m and directions u (see ``_rows.py``),
1 - rho = m_x + m_z - u_x.u_z; where this difference is too small for its rounding error, the pair is
marked with NaN and computed again from the rows themselves, with w = x |z| - z |x|:

    1 - rho = |w|^2 / (2 |x|^2 |z|^2),        w = (x - z) |z| + z (|z| - |x|)

x - z has no rounding error where it matters, and that of the lengths is at a right angle to w.  Rows
that are nearly parallel and of different lengths are left with an error of eps in the angle.  Where that is
magnified, as by a deep network of steps, which takes a root of the angle at every layer, ``fine`` asks for
the gap of close rows from x_k z - z_k x, x_k the largest entry of x, formed without a rounding error to
speak of: 0 for parallel rows; and for (|x| - |z|) / (|x| + |z|), from (x - z).(x + z), since a bias turns
lengths into angles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse

from ntklib._core.jit import compiled, exact, inlined

from .rows import Rows

__all__ = ["close_distances", "products", "signed_gaps"]

# Product errors of c eps make an angle wrong by c eps / sin(theta).  Near 0 that has to stay below 1e-13,
# hence theta > 1e-2 (times what the offset took from the error, in ``fine`` gaps its root: they have to be
# relatively accurate); near pi, where kernels vanish, a few eps.
_NEAR = 1e-4
_NEAR_FLOAT32 = 1e-3
_FAR = 0.045
_FINE = 1e-11  # gaps below, angles under 5e-6, are computed without rounding errors where that matters


def products(x: Rows, z: Rows, rows: slice, columns: slice, out: np.ndarray) -> None:
    """Fill ``out`` with the inner products of a block of directions."""
    u, v = x.directions[rows], z.directions[columns]
    if sparse.issparse(u):
        out[...] = (u @ v.T).toarray()
    else:
        np.matmul(u, v.T, out=out)


def signed_gaps(
    x: Rows, z: Rows, rows: slice, columns: slice, tau: np.ndarray, fine: bool = False
) -> np.ndarray | None:
    """Turn the `products` of a block of rows and columns into signed gaps, in place.

    With ``fine``, return how far the lengths of close rows are apart, over their sum; NaN of others.
    """
    near, under = _NEAR if tau.dtype == np.float64 else _NEAR_FLOAT32, _FINE if fine else 0.0
    apart = np.full(tau.shape if fine else (0, 0), np.nan)
    if not _gaps_from_product(tau, x.half_squares[rows], z.half_squares[columns], near, _FAR, under):
        return apart if fine else None
    gaps = tau.astype(np.float64, copy=False)  # loops are compiled for each type
    if sparse.issparse(x.X):
        _recompute_sparse(
            *_parts(x.X[rows]), x.root[rows], x.exponent[rows],
            *_parts(z.X[columns]), z.root[columns], z.exponent[columns], under, gaps, apart,
        )  # fmt: skip
    else:
        _recompute(
            x.X[rows], x.root[rows], x.exponent[rows],
            z.X[columns], z.root[columns], z.exponent[columns], under, gaps, apart,
        )  # fmt: skip
    if gaps is not tau:
        tau[...] = gaps
    return apart if fine else None


def _parts(X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, columns and starts of CSR rows, always of one type each, since loops are compiled for each."""
    return (
        X.data.astype(np.float64, copy=False),
        X.indices.astype(np.int64, copy=False),
        X.indptr.astype(np.int64, copy=False),
    )


def close_distances(x: Any, z: Any, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|x - z| of close pairs, |x + z| where tau is negative, and the sines of their angles; NaN of others.

    Of rows that have X, root and exponent, as `Rows` do.
    """
    distance, sine = np.full(tau.shape, np.nan), np.full(tau.shape, np.nan)
    if sparse.issparse(x.X):
        _fill_distances_sparse(
            *_parts(x.X), x.root, x.exponent, *_parts(z.X), z.root, z.exponent, tau, _NEAR, distance, sine
        )
    else:
        _fill_distances(x.X, x.root, x.exponent, z.X, z.root, z.exponent, tau, _NEAR, distance, sine)
    return distance, sine


@compiled
def _gaps_from_product(tau, half_x, half_z, near, far, fine):
    """Turn products into signed gaps in place; mark with NaN what has to be computed again, and count it."""
    n, m = tau.shape
    kind = tau.dtype.type
    one, two, nan = kind(1), kind(2), kind(np.nan)
    near, far, fine = kind(near), kind(far), kind(fine)
    total = 0
    for i in range(n):
        row = tau[i]
        marks = 0
        for j in range(m):
            scale = half_x[i] + half_z[j]
            gap = scale - row[j]
            opposite = two - gap
            tiny = near * scale * (scale if fine == kind(0) else one)
            value = gap if gap <= one else -opposite
            bad = (gap < max(tiny, fine)) | (opposite < far)
            marks += bad
            row[j] = nan if bad else value
        total += marks
    return total


@compiled
def _recompute(X, root_x, exponent_x, Z, root_z, exponent_z, fine, tau, apart):
    n, m = tau.shape
    x, z = np.empty(X.shape[1]), np.empty(X.shape[1])
    for i in range(n):
        loaded = False
        for j in range(m):
            if math.isnan(tau[i, j]):
                loaded = _load_pair(X, i, Z, j, loaded, x, z)
                _write_pair(x, root_x[i], exponent_x[i], z, root_z[j], exponent_z[j], fine, i, j, tau, apart)


@inlined
def _load_pair(X, i, Z, j, loaded, x, z):
    """Copy two rows, unless the first is there: formulas of pairs are compiled for one kind of rows."""
    for k in range(len(x)):
        z[k] = Z[j, k]
        if not loaded:
            x[k] = X[i, k]
    return True


@compiled
def _recompute_sparse(
    data_x, indices_x, start_x, root_x, exponent_x,
    data_z, indices_z, start_z, root_z, exponent_z, fine, tau, apart,
):  # fmt: skip
    """The same for rows in CSR format with sorted indices, on the columns that either has entries in."""
    n, m = tau.shape
    length = _longest(start_x) + _longest(start_z)
    x, z = np.empty(length), np.empty(length)
    for i in range(n):
        for j in range(m):
            if not math.isnan(tau[i, j]):
                continue
            d = _merged(data_x, indices_x, start_x, i, data_z, indices_z, start_z, j, x, z)
            _write_pair(
                x[:d], root_x[i], exponent_x[i], z[:d], root_z[j], exponent_z[j], fine, i, j, tau, apart
            )


@inlined
def _longest(starts):
    """Entries of the fullest row: NumPy's functions for this would take seconds to compile."""
    most = 0
    for i in range(len(starts) - 1):
        most = max(most, starts[i + 1] - starts[i])
    return most


@inlined
def _merged(data_x, indices_x, start_x, i, data_z, indices_z, start_z, j, x, z):
    """Write two rows of CSR matrices on the columns that either has entries in, and return their number."""
    a, end_x, b, end_z, d = start_x[i], start_x[i + 1], start_z[j], start_z[j + 1], 0
    while a < end_x or b < end_z:
        in_x = a < end_x and (b == end_z or indices_x[a] <= indices_z[b])
        in_z = b < end_z and (a == end_x or indices_z[b] <= indices_x[a])
        x[d] = data_x[a] if in_x else 0.0
        z[d] = data_z[b] if in_z else 0.0
        a, b, d = a + in_x, b + in_z, d + 1
    return d


@inlined
def _write_pair(x, rx, a, z, rz, b, fine, i, j, tau, apart):
    """The signed gap of rows of lengths rx 2^a and rz 2^b; if it is small, how far the lengths are apart."""
    if rx == 0.0 or rz == 0.0:
        tau[i, j] = 1.0
        return
    if abs(a - b) <= 2:
        # of two scales the one that brings the lengths together: close rows then differ exactly
        top = max(a, b)
        wide_x, wide_z = math.ldexp(rx, int(a - top)), math.ldexp(rz, int(b - top))
        if abs(wide_x - wide_z) < abs(rx - rz):
            rx, rz, a, b = wide_x, wide_z, top, top
    for sign in (1.0, -1.0):  # the formula once, which takes long to compile
        gap = _half_square(x, rx, a, z, rz, b, sign)
        if not gap > 1.0:
            break
    if gap < fine:
        if gap > 0.0 or rx != rz:
            gap = _fine_gap(x, rx, a, z, rz, b)
        if sign > 0.0:
            apart[i, j] = _apart(x, rx, a, z, rz, b)
    tau[i, j] = math.copysign(gap, sign)


@inlined
def _scales(a):
    """Two powers of two whose product is 2^-a; one alone may be out of range."""
    return math.ldexp(1.0, int(-a // 2)), math.ldexp(1.0, int(-a - (-a // 2)))


@inlined
def _half_square(x, rx, a, z, rz, b, sign):
    """|x / |x| - sign z / |z||^2 / 2 of rows scaled by 2^-a and 2^-b, in two running sums."""
    a1, a2 = _scales(a)
    b1, b2 = _scales(b)
    b1 *= sign
    change = rz - rx
    s0, s1 = 0.0, 0.0
    d = x.shape[0]
    for k in range(0, d - 1, 2):
        p, q = np.float64(x[k]) * a1 * a2, np.float64(z[k]) * b1 * b2
        w = (p - q) * rz + q * change
        s0 += w * w
        p, q = np.float64(x[k + 1]) * a1 * a2, np.float64(z[k + 1]) * b1 * b2
        w = (p - q) * rz + q * change
        s1 += w * w
    if d % 2:
        p, q = np.float64(x[d - 1]) * a1 * a2, np.float64(z[d - 1]) * b1 * b2
        w = (p - q) * rz + q * change
        s0 += w * w
    return 0.5 * (s0 + s1) / (rx * rz) / (rx * rz)


@inlined
def _fine_gap(x, rx, a, z, rz, b):
    """1 - |cos theta| from sin theta."""
    sine = _fine_sine(x, rx, a, z, rz, b)
    return sine * sine / (1.0 + math.sqrt(1.0 - min(sine * sine, 1.0)))


@inlined
def _fine_sine(x, rx, a, z, rz, b):
    """Sin theta from the part of e = x_k z - z_k x that is at a right angle to x, scaled to stay in range."""
    a1, a2 = _scales(a)
    b1, b2 = _scales(b)
    k = 0
    for i in range(1, x.shape[0]):
        if abs(x[i]) > abs(x[k]):
            k = i
    pk, qk = np.float64(x[k]) * a1 * a2, np.float64(z[k]) * b1 * b2
    top = 0.0
    for i in range(x.shape[0]):
        top = max(top, abs(_difference(pk, np.float64(z[i]) * b1 * b2, qk, np.float64(x[i]) * a1 * a2)))
    if top == 0.0:
        return 0.0
    square, along = 0.0, 0.0
    for i in range(x.shape[0]):
        p = np.float64(x[i]) * a1 * a2
        e = _difference(pk, np.float64(z[i]) * b1 * b2, qk, p) / top
        square += e * e
        along += e * p
    return top * math.sqrt(max(square - (along / rx) * (along / rx), 0.0)) / (abs(pk) * rz)


@inlined
def _apart(x, rx, a, z, rz, b):
    """(|x| - |z|) / (|x| + |z|)."""
    if a != b:
        ratio = math.ldexp(rz / rx, int(max(min(b - a, 1000), -1000)))
        return (1.0 - ratio) / (1.0 + ratio)
    a1, a2 = _scales(a)
    total = 0.0
    for i in range(x.shape[0]):
        p, q = np.float64(x[i]) * a1 * a2, np.float64(z[i]) * a1 * a2
        total += (p - q) * (p + q)
    return total / (rx + rz) / (rx + rz)


@exact
def _difference(a, b, c, d):
    """a b - c d from products of 106 bits, each the sum of two floats (Dekker)."""
    ab, cd = a * b, c * d
    a1, a2 = _split(a)
    b1, b2 = _split(b)
    c1, c2 = _split(c)
    d1, d2 = _split(d)
    lost_ab = ((a1 * b1 - ab) + a1 * b2 + a2 * b1) + a2 * b2
    lost_cd = ((c1 * d1 - cd) + c1 * d2 + c2 * d1) + c2 * d2
    return (ab - cd) + (lost_ab - lost_cd)


@exact
def _split(a):
    """A float as the sum of two of 26 bits."""
    wide = 134217729.0 * a
    high = wide - (wide - a)
    return high, a - high


@compiled
def _fill_distances(X, root_x, exponent_x, Z, root_z, exponent_z, tau, near, distance, sine):
    n, m = tau.shape
    x, z = np.empty(X.shape[1]), np.empty(X.shape[1])
    for i in range(n):
        loaded = False
        for j in range(m):
            if abs(tau[i, j]) < near:
                loaded = _load_pair(X, i, Z, j, loaded, x, z)
                rx, rz, a, b = root_x[i], root_z[j], exponent_x[i], exponent_z[j]
                _write_distance(x, rx, a, z, rz, b, i, j, tau, distance, sine)


@compiled
def _fill_distances_sparse(
    data_x, indices_x, start_x, root_x, exponent_x,
    data_z, indices_z, start_z, root_z, exponent_z, tau, near, distance, sine,
):  # fmt: skip
    n, m = tau.shape
    length = _longest(start_x) + _longest(start_z)
    x, z = np.empty(length), np.empty(length)
    for i in range(n):
        for j in range(m):
            if abs(tau[i, j]) < near:
                d = _merged(data_x, indices_x, start_x, i, data_z, indices_z, start_z, j, x, z)
                rx, rz, a, b = root_x[i], root_z[j], exponent_x[i], exponent_z[j]
                _write_distance(x[:d], rx, a, z[:d], rz, b, i, j, tau, distance, sine)


@inlined
def _write_distance(x, rx, a, z, rz, b, i, j, tau, distance, sine):
    """The length of x - z, or x + z, in units of its largest entry, and the sine of the angle."""
    sign = math.copysign(1.0, tau[i, j])
    top, total = 0.0, 0.0
    for k in range(x.shape[0]):
        top = max(top, abs(np.float64(x[k]) - sign * np.float64(z[k])))
    for k in range(x.shape[0] if top > 0.0 else 0):
        e = (np.float64(x[k]) - sign * np.float64(z[k])) / top
        total += e * e
    distance[i, j] = top * math.sqrt(total)
    sine[i, j] = _fine_sine(x, rx, a, z, rz, b) if top > 0.0 else 0.0
