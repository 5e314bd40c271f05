"""Signed gaps: the angle between two rows, accurate at both of its ends.

A cosine loses half the digits of an angle near 0 and near pi.  A tile therefore holds, for each pair,

    tau = +(1 - rho)  if rho >= 0,        tau = -(1 + rho)  if rho < 0,        rho = cos(theta)

whose magnitude is small, and relatively accurate, at both ends.  The sign of zero counts: +0.0 is a
coincident pair, -0.0 an opposite one.  With half squares m and directions u (see ``_rows.py``),
1 - rho = m_x + m_z - u_x.u_z; where this difference is too small for its rounding error, the pair is
marked with NaN and computed again from the rows themselves, with w = x |z| - z |x|:

    1 - rho = |w|^2 / (2 |x|^2 |z|^2),        w = (x - z) |z| + z (|z| - |x|)

x - z has no rounding error where it matters, and that of the lengths is at a right angle to w.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from .._jit import compiled, inlined
from ._rows import Rows

__all__ = ["close_half_squares", "products", "signed_gaps"]

# Product errors of c eps make an angle wrong by c eps / sin(theta).  Near 0 that has to stay below 1e-13,
# hence theta > 1e-2 (times what the offset took from the error); near pi, where kernels vanish, a few eps.
_NEAR = 1e-4
_NEAR_FLOAT32 = 1e-3
_FAR = 0.045


def products(x: Rows, z: Rows, rows: slice, columns: slice, out: np.ndarray) -> None:
    """Fill ``out`` with the inner products of a block of directions."""
    u, v = x.directions[rows], z.directions[columns]
    if sparse.issparse(u):
        out[...] = (u @ v.T).toarray()
    else:
        np.matmul(u, v.T, out=out)


def signed_gaps(x: Rows, z: Rows, rows: slice, columns: slice, tau: np.ndarray) -> None:
    """Turn the `products` of a block of rows and columns into signed gaps, in place."""
    near = _NEAR if tau.dtype == np.float64 else _NEAR_FLOAT32
    if not _gaps_from_product(tau, x.half_squares[rows], z.half_squares[columns], near, _FAR):
        return
    if sparse.issparse(x.X):
        _recompute_sparse(x.directions[rows], z.directions[columns], tau)
    else:
        _recompute(
            x.X[rows], x.root[rows], x.exponent[rows], z.X[columns], z.root[columns], z.exponent[columns], tau
        )


def close_half_squares(X: np.ndarray, Z: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """|x - z|^2 / 2, or |x + z|^2 / 2 where tau is negative, of close pairs; NaN of the others."""
    out = np.full(tau.shape, np.nan)
    _fill_half_squares(X, Z, tau, _NEAR, out)
    return out


@compiled
def _gaps_from_product(tau, half_x, half_z, near, far):
    """Turn products into signed gaps in place; mark with NaN what has to be computed again, and count it."""
    n, m = tau.shape
    kind = tau.dtype.type
    one, two, nan = kind(1), kind(2), kind(np.nan)
    near, far = kind(near), kind(far)
    total = 0
    for i in range(n):
        row = tau[i]
        marks = 0
        for j in range(m):
            scale = half_x[i] + half_z[j]
            gap = scale - row[j]
            opposite = two - gap
            tiny = near * scale * scale
            value = gap if gap <= one else -opposite
            bad = (gap < tiny) | (opposite < far)
            marks += bad
            row[j] = nan if bad else value
        total += marks
    return total


@compiled
def _recompute(X, root_x, exponent_x, Z, root_z, exponent_z, tau):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            if math.isnan(tau[i, j]):
                a, b = int(exponent_x[i]), int(exponent_z[j])
                rx, rz = root_x[i], root_z[j]
                if rx == 0.0 or rz == 0.0:
                    tau[i, j] = 1.0
                    continue
                if abs(a - b) <= 2:
                    # of two scales the one that brings the lengths together: close rows then differ exactly
                    top = max(a, b)
                    wide_x, wide_z = math.ldexp(rx, a - top), math.ldexp(rz, b - top)
                    if abs(wide_x - wide_z) < abs(rx - rz):
                        rx, rz, a, b = wide_x, wide_z, top, top
                gap = _half_square(X[i], rx, a, Z[j], rz, b, 1.0)
                if gap > 1.0:
                    gap = -_half_square(X[i], rx, a, Z[j], rz, b, -1.0)
                tau[i, j] = gap


@inlined
def _half_square(x, rx, a, z, rz, b, sign):
    """|x / |x| - sign z / |z||^2 / 2 of rows scaled by 2^-a and 2^-b, in two running sums."""
    a1, a2 = math.ldexp(1.0, -a // 2), math.ldexp(1.0, -a - (-a // 2))
    b1, b2 = sign * math.ldexp(1.0, -b // 2), math.ldexp(1.0, -b - (-b // 2))
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


@compiled
def _fill_half_squares(X, Z, tau, near, out):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            if abs(tau[i, j]) < near:
                sign = math.copysign(1.0, tau[i, j])
                total = 0.0
                for k in range(X.shape[1]):
                    e = np.float64(X[i, k]) - sign * np.float64(Z[j, k])
                    total += e * e
                out[i, j] = 0.5 * total


def _recompute_sparse(u: sparse.csr_array, v: sparse.csr_array, tau: np.ndarray) -> None:
    i, j = np.nonzero(np.isnan(tau))
    for part in range(0, i.size, 4096):
        a, b = u[i[part : part + 4096]], v[j[part : part + 4096]]
        gap = _half_squares_of_rows(a - b)
        tau[i[part : part + 4096], j[part : part + 4096]] = np.where(
            gap <= 1, gap, -_half_squares_of_rows(a + b)
        )


def _half_squares_of_rows(a: sparse.csr_array) -> np.ndarray:
    return np.asarray(a.multiply(a).sum(axis=1)).ravel() / 2
