"""The singular values of a Jacobian, from its tangent kernel, with what rounding may have done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.networks import Params
from ntklib.networks.params import in_float64

from ._neurons import EPS, Neurons

__all__ = ["JacobianSpectrum", "jacobian_spectrum"]


@dataclass(frozen=True)
class JacobianSpectrum:
    """Extreme singular values of J = Dh(w), rounded outward."""

    sigma_min: float  # at most the smallest one; 0 if that cannot be told from 0
    sigma_max: float  # at least the largest one
    eigenvalues: NDArray  # of J J^T as computed, ascending (n k,)
    eigenvalue_error: float  # bound on their rounding errors


def jacobian_spectrum(model: Any, params: Params, X: Any, neurons: Neurons) -> JacobianSpectrum:
    """Return the extreme singular values of the Jacobian of a network of one hidden layer.

    The error of an eigenvalue is at most the norm of the error of the matrix (Weyl).  That is bounded by what
    rounding does to the preactivations, to sums of as many products as there are neurons and features, and in
    the eigenvalue routine, whose errors are those of a matrix as close as its order times the unit roundoff.
    """
    params = in_float64(params)
    several = model.n_outputs > 1
    kernel = model.ntk(params, X, output="full" if several else "trace").astype(np.float64, copy=False)
    order = kernel.shape[0] * model.n_outputs
    values = np.linalg.eigvalsh(kernel.reshape(order, order))
    trace, top = float(np.trace(kernel.reshape(order, order))), max(float(values[-1]), 0.0)
    shift = _jacobian_error(neurons)
    products = 2 * (len(neurons.z) + neurons.rows.shape[1] + 16) * EPS * trace
    error = products + 2 * np.sqrt(trace) * shift + shift**2 + 16 * order * EPS * top
    return JacobianSpectrum(
        sigma_min=float(np.sqrt(max(values[0] - error, 0.0)) * (1 - 4 * EPS)),
        sigma_max=float(np.sqrt(top + error) * (1 + 4 * EPS)),
        eigenvalues=values,
        eigenvalue_error=float(error),
    )


def _jacobian_error(neurons: Neurons) -> float:
    """Frobenius norm of what the errors of preactivations and activations make of the Jacobian."""
    sigma, z, k = neurons.activation, neurons.z, neurons.output.shape[1]
    value, slope = np.abs(sigma(z)), np.abs(sigma.derivative(z))
    rise, bend = neurons.steepest()
    total = 0.0
    if neurons.trains_output:
        total += k * float(np.square(rise * neurons.z_error + 8 * EPS * value).sum())
    if neurons.trains_hidden:
        one = (bend * neurons.z_error + 8 * EPS * slope) * neurons.output_lengths[:, None] * neurons.lengths
        total += float(np.square(one).sum())
    return neurons.factor * float(np.sqrt(total))
