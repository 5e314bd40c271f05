"""Signed gaps: the angle between two rows, accurate at both of its ends.

A cosine loses half the digits of an angle near 0 and near pi.  A tile therefore holds, for each pair,

    tau = +(1 - rho)  if rho >= 0,        tau = -(1 + rho)  if rho < 0,        rho = cos(theta)

whose magnitude is small, and relatively accurate, at both ends.  The sign of zero counts: +0.0 is a
coincident pair, -0.0 an opposite one.  With half squares m and directions u (see ``_rows.py``),
1 - rho = m_x + m_z - u_x.u_z; where this difference is too small for its rounding error, the pair is
marked with NaN and computed again from the sums over (u_x - u_z)^2 or (u_x + u_z)^2.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from .._jit import compiled, inlined
from ._rows import Rows

__all__ = ["signed_gaps"]

# Product errors of c eps make an angle wrong by c eps / sin(theta).  Near 0 that has to stay below 1e-13,
# hence theta > 1e-2 (times what the offset took from the error); near pi, where kernels vanish, a few eps.
_NEAR = 1e-4
_NEAR_FLOAT32 = 1e-3
_FAR = 0.045


def signed_gaps(x: Rows, z: Rows, rows: slice, columns: slice, tau: np.ndarray) -> None:
    """Fill the tile ``tau`` with the signed gaps of a block of rows and columns."""
    u, v = x.directions[rows], z.directions[columns]
    if sparse.issparse(u):
        tau[...] = (u @ v.T).toarray()
    else:
        np.matmul(u, v.T, out=tau)
    near = _NEAR if tau.dtype == np.float64 else _NEAR_FLOAT32
    marked = _gaps_from_product(tau, x.half_squares[rows], z.half_squares[columns], near, _FAR)
    if marked and sparse.issparse(u):
        _recompute_sparse(u, v, tau)
    elif marked:
        _recompute(u, v, 2 * x.offset, tau)


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
def _recompute(u, v, twice_offset, tau):
    n, m = tau.shape
    for i in range(n):
        for j in range(m):
            if math.isnan(tau[i, j]):
                gap = _half_square(u[i], v[j])
                if gap <= tau.dtype.type(1):
                    tau[i, j] = gap
                else:
                    tau[i, j] = -_half_square_of_sum(u[i], v[j], twice_offset)


@inlined
def _half_square(a, b):
    """|a - b|^2 / 2, in four running sums."""
    kind = a.dtype.type
    s0, s1, s2, s3 = kind(0), kind(0), kind(0), kind(0)
    d = a.shape[0]
    whole = d - d % 4
    for k in range(0, whole, 4):
        e0, e1, e2, e3 = a[k] - b[k], a[k + 1] - b[k + 1], a[k + 2] - b[k + 2], a[k + 3] - b[k + 3]
        s0 += e0 * e0
        s1 += e1 * e1
        s2 += e2 * e2
        s3 += e3 * e3
    for k in range(whole, d):
        e0 = a[k] - b[k]
        s0 += e0 * e0
    return kind(0.5) * ((s0 + s1) + (s2 + s3))


@inlined
def _half_square_of_sum(a, b, twice_offset):
    """|a + b + 2 offset|^2 / 2."""
    kind = a.dtype.type
    total = kind(0)
    for k in range(a.shape[0]):
        e = (a[k] + b[k]) + twice_offset[k]
        total += e * e
    return kind(0.5) * total


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
