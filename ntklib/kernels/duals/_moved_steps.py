"""Derivatives of the kernels of steps as rows and the angles between them move.

A step has no slope, so that what is trained below the last layer adds nothing. The angle between steps may be
the root of one too small for float64: the first layer is in extended precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._angular import activation_tile, angular_values, bias_tile, biased_roots
from ._motion import RowMotion
from .series import far_polynomial, gap_polynomial, near_polynomial

__all__ = ["moved_steps"]


def moved_steps(
    k: float,
    x: np.ndarray,
    z: np.ndarray,
    tau: np.ndarray,
    apart: Any,
    angles: np.ndarray,
    by_x: RowMotion,
    by_z: RowMotion,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines at the last layer and their derivatives, as inputs move.

    Parameters
    ----------
    k : float
        2 a b / (a^2 + b^2) of the step.
    x, z : ndarray of shapes (depth + 1, 4, n) and (depth + 1, 4, m)
        Tables of turns.
    tau : ndarray of shape (n, m)
    apart : ndarray of shape (n, m) or None
        As in `signed_gaps`.
    angles : ndarray of shape (2, 1)
        Derivatives of the angles between inputs.
    by_x, by_z : RowMotion

    Returns
    -------
    ndarray of shape (n, m)
    ndarray of shape (2, n, m)
    """
    near, gap, far = near_polynomial(0), gap_polynomial(0), far_polynomial(0, tau.dtype.name)
    value, last = np.copysign(1 - np.abs(tau), tau), len(x) - 1
    d_rho = -angles[:, :, None] * np.sqrt(np.abs(tau) * (2 - np.abs(tau)))
    for layer in range(last + 1):
        dtype = np.float64 if layer else np.longdouble
        value, d_rho, tau, roots = _turned(x, z, by_x, by_z, layer, value, tau, d_rho, dtype, apart)
        if layer == last:
            break
        apart = None if apart is None else 0.0 * apart  # after a step close rows have one length
        sine = roots * np.sqrt(2 - np.abs(tau))
        d_theta = -np.divide(d_rho, sine, out=np.zeros_like(d_rho), where=sine > 0).astype(np.float64)
        d_rho = -(1 - k) / np.pi * d_theta
        value = np.empty_like(tau)
        angular_values(tau, 0, k, near, far, value)
        activation_tile(tau, roots, 0, k, near, gap, far)
    return value, d_rho.astype(np.float64)


def _turned(
    x: np.ndarray,
    z: np.ndarray,
    by_x: RowMotion,
    by_z: RowMotion,
    layer: int,
    value: Any,
    tau: Any,
    d_rho: Any,
    dtype: Any,
    apart: Any,
) -> Any:
    """Apply a layer's bias to cosines and gaps, and to the derivatives of the cosines, these in a type."""
    cos_x, sin_x = x[layer, :2, :, None].astype(dtype)
    cos_z, sin_z = z[layer, :2, None, :].astype(dtype)
    d_ax, d_az = by_x.turn(x, layer, dtype)[:, :, None], by_z.turn(z, layer, dtype)[:, None, :]
    gap = np.where(np.copysign(1.0, tau) > 0, np.abs(tau), 2 - np.abs(tau))
    cos = cos_x * cos_z
    product_x, product_z = sin_x * cos_z, cos_x * sin_z
    sine, d_sine = product_z - product_x, d_ax - d_az
    if apart is not None:
        fine = apart * (product_z + product_x)
        sine = np.where(np.isnan(apart), sine, fine)
        m_x, m_z = by_x.log_lengths[layer], by_z.log_lengths[layer]
        together = m_x[:, :, None] == m_z[:, None, :]
        shared = fine * (cos - sin_x * sin_z) * (m_x - by_x.log_bias)[:, :, None]
        d_sine = np.where(together & ~np.isnan(apart), shared, d_sine)
    d_new = cos * d_rho + sine * d_sine
    d_new = d_new + gap * (product_x * d_ax + product_z * d_az)
    mixed, roots = tau.copy(), np.empty_like(tau)
    bias_tile(mixed, x[layer], z[layer])
    apart = np.full_like(tau, np.nan) if apart is None else apart
    biased_roots(tau, x[layer], z[layer], apart, roots)
    mixed = np.where(np.isnan(apart), mixed, np.copysign(roots**2, mixed))
    return (cos * value + sin_x * sin_z).astype(np.float64), d_new, mixed, roots
