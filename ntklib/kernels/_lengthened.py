"""Compiled duals of erf and GELU, whose arcsine is the angle between rows lengthened by a coordinate.

If u has standard deviation r, (u, 1) with an independent 1 has length h = hypot(1, r) and makes the angle
a = atan2(1, r) with u; the cosine of two lengthened rows is cos a_x cos a_z rho, and

    1 - cosine = 2 sin((a_x - a_z)/2)^2 + sin a_x sin a_z + cos a_x cos a_z (1 - rho)

a sum of positive terms.  arcsin comes from the polynomial of C_0 (``_series.py``), as
arcsin c = pi/2 - pi sqrt(t) C_0(t), t = 1 - c, and as c pi/sqrt(2) C_0(2 c^2) where c is small.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import compiled, inlined
from ._series import far_polynomial

__all__ = ["arcsine_dual", "gelu_dual"]


def arcsine_dual(rx: np.ndarray, rz: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A and D of erf."""
    A, D = np.empty_like(tau), np.empty_like(tau)
    _erf_tile(*_turns(math.sqrt(2) * rx.ravel()), *_turns(math.sqrt(2) * rz.ravel()), tau, _FAR, A, D)
    return A, D


def gelu_dual(rx: np.ndarray, rz: np.ndarray, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A and D of GELU."""
    A, D = np.empty_like(tau), np.empty_like(tau)
    rx, rz = rx.ravel(), rz.ravel()
    _gelu_tile(rx, *_turns(rx), rz, *_turns(rz), tau, _FAR, A, D)
    return A, D


_FAR = far_polynomial(0, "float64")


def _turns(r: np.ndarray) -> tuple[np.ndarray, ...]:
    """h, cos a, sin a, sin(a/2) and cos(a/2) of each row."""
    h, a = np.hypot(1.0, r), np.arctan2(1.0, r)
    return h, r / h, 1 / h, np.sin(a / 2), np.cos(a / 2)


@inlined
def _fill_arcsine(cx, sx, half_sx, half_cx, cz, sz, half_sz, half_cz, tau, far, arcsine, sine):
    """arcsin of the lengthened cosine for a row of pairs, and the sine of their angle."""
    m = tau.shape[0]
    argument, factor = np.empty(m), np.empty(m)
    for j in range(m):
        near = half_sx * half_cz[j] - half_cx * half_sz[j]
        size = abs(tau[j])
        t = 2.0 * near * near + sx * sz[j] + cx * cz[j] * size
        sine[j] = math.sqrt(t * (2.0 - t))
        c = cx * cz[j] * (1.0 - size)
        small = c < 0.5
        argument[j] = (2.0 * c * c if small else t) - 0.5
        factor[j] = c if small else math.sqrt(t)
    for j in range(m):
        arcsine[j] = 0.0
    for k in range(len(far) - 4, -1, -4):
        c3, c2, c1, c0 = far[k + 3], far[k + 2], far[k + 1], far[k]
        for j in range(m):
            x = argument[j]
            arcsine[j] = (((arcsine[j] * x + c3) * x + c2) * x + c1) * x + c0
    for j in range(m):
        value = factor[j] * arcsine[j]
        small = cx * cz[j] * (1.0 - abs(tau[j])) < 0.5
        size = (math.pi / math.sqrt(2.0)) * value if small else math.pi / 2 - math.pi * value
        arcsine[j] = math.copysign(size, tau[j])


@compiled
def _erf_tile(hx, cx, sx, half_sx, half_cx, hz, cz, sz, half_sz, half_cz, tau, far, A, D):
    n, m = tau.shape
    sine = np.empty(m)
    for i in range(n):
        row = A[i]
        _fill_arcsine(cx[i], sx[i], half_sx[i], half_cx[i], cz, sz, half_sz, half_cz, tau[i], far, row, sine)
        for j in range(m):
            row[j] *= 2.0 / math.pi
            D[i, j] = 4.0 / math.pi / (hx[i] * hz[j] * sine[j])


@compiled
def _gelu_tile(rx, hx, cx, sx, half_sx, half_cx, rz, hz, cz, sz, half_sz, half_cz, tau, far, A, D):
    n, m = tau.shape
    sine, arcsine = np.empty(m), np.empty(m)
    for i in range(n):
        _fill_arcsine(
            cx[i], sx[i], half_sx[i], half_cx[i], cz, sz, half_sz, half_cz, tau[i], far, arcsine, sine
        )
        for j in range(m):
            # ratios of lengths are cosines, so that long rows do not overflow
            t = abs(tau[i, j])
            rho = math.copysign(1.0 - t, tau[i, j])
            product = rx[i] * rz[j]
            ratio = cx[i] * cz[j] / (2.0 * math.pi * sine[j])
            root = hx[i] * hz[j] * sine[j]
            e = sx[i] * sx[i] + sz[j] * sz[j]
            F = 0.25 + arcsine[j] / (2.0 * math.pi)
            A[i, j] = product * (rho * F + ratio * (t * (2.0 - t) + rho * rho * e))
            D[i, j] = F + rho * ratio * (1.0 / root / root + e)
