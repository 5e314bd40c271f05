"""The hidden neurons of a network of one hidden layer on given rows: what its curvature is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone

from ntklib.kernels import Activation
from ntklib.networks import Params
from ntklib.networks.binding import bind, check_inputs, check_params
from ntklib.networks.network import Network
from ntklib.networks.params import in_float64
from ntklib.networks.taylor_models import CenteredModel

__all__ = ["Neurons", "base_network", "unscaled"]

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Neurons:
    r"""M neurons on n rows: :math:`h_{ij} = c \sum_r v_{jr} \sigma(z_{ir})`, :math:`z_{ir} = w_r \cdot x_i`.

    A bias is one more weight, and its multiplier one more column of the rows; a symmetric network has the
    neurons of both copies.  The second derivative of h is block diagonal over the neurons.
    """

    activation: Activation
    z: NDArray  # preactivations (M, n)
    z_error: NDArray  # bounds on their rounding errors (M, n)
    weights: NDArray  # rows w_r (M, q)
    output: NDArray  # rows v_r, without the signs of the copies (M, k)
    rows: NDArray  # x_i, with the multipliers of the parameterisation (n, q)
    factor: float  # c, over the root of two in a symmetric network
    trains_hidden: bool
    trains_output: bool

    @classmethod
    def of(cls, model: Any, params: Params, X: Any) -> Neurons:
        """Look at a network, or a centred one, at its own scale.

        Raises
        ------
        ValueError
            If it has more than one hidden layer, or squares of rows overflow.
        TypeError
            If it is neither a network nor one that was centred.
        """
        network = base_network(model)
        if network.depth != 1:
            raise ValueError(
                f"the second derivative is bounded for networks of one hidden layer, and this one has "
                f"{network.depth}; lazy_criterion measures deeper ones from below."
            )
        spec, params, X = network.spec, in_float64(params), check_inputs(params, X)
        copies = bind(spec, check_params(spec, params), params.dtype)
        X = (X.toarray() if sparse.issparse(X) else X).astype(np.float64, copy=False)
        first, last = copies[0].layers
        rows = first.weight_multiplier * X
        weights = np.concatenate([copy.layers[0].weight for copy in copies])
        if first.bias is not None:
            rows = np.hstack([rows, np.full((len(rows), 1), first.bias_multiplier)])
            biases = np.concatenate([copy.layers[0].bias for copy in copies])
            weights = np.hstack([weights, biases[:, None]])
        if not np.abs(rows).max(initial=0.0) < 1e150:
            raise ValueError("the rows are so large that their squares overflow; scale them.")
        # any order of summation: |error| <= q u sum |w_j x_j|, doubled to cover the rows' own rounding
        error = (weights.shape[1] + 2) * EPS * (np.abs(weights) @ np.abs(rows).T)
        return cls(
            activation=spec.activation,
            z=weights @ rows.T,
            z_error=error,
            weights=weights,
            output=np.concatenate([copy.layers[1].weight.T for copy in copies]),
            rows=rows,
            factor=abs(copies[0].coefficient) * last.weight_multiplier,
            trains_hidden=spec.include[0],
            trains_output=spec.include[1],
        )

    @property
    def lengths(self) -> NDArray:
        """Lengths of the rows, (n,)."""
        return np.linalg.norm(self.rows, axis=1)

    @property
    def output_lengths(self) -> NDArray:
        """Lengths of the output weights, (M,)."""
        return np.linalg.norm(self.output, axis=1)

    def distinct(self) -> Neurons:
        """Return the neurons of the first copy, if those of the second are the same."""
        half = slice(0, len(self.weights) // 2)
        parts = {name: getattr(self, name) for name in ("z", "z_error", "weights", "output")}
        twice = len(self.weights) % 2 == 0 and all(
            np.array_equal(parts[name][half], parts[name][half.stop :]) for name in ("weights", "output")
        )
        return replace(self, **{name: array[half] for name, array in parts.items()}) if twice else self

    def steepest(self) -> tuple[NDArray, NDArray]:
        """Return the largest |sigma'| and |sigma''| within the errors of the preactivations, (M, n) each.

        Where an activation jumps, or is known at points only, they are those at the preactivations.
        """
        sigma, z = self.activation, self.z
        rise, bend = np.abs(sigma.derivative(z)), np.abs(sigma.second_derivative(z))
        try:
            with np.errstate(over="ignore"):
                first, second = sigma.derivative_bounds(z - self.z_error, z + self.z_error)
        except ValueError:
            return rise, bend
        return first, np.where(np.isfinite(second), second, bend)

    def output_rounding(self, size: float) -> float:
        """Return the norm of what rounding may do to outputs of a norm ``size``, summed in any order."""
        value = np.abs(self.activation(self.z))
        slope = self.steepest()[0] * self.z_error
        weights = self.factor * np.abs(self.output).T
        rounding = (2 * len(value) + 16) * EPS  # of sums; a bias is no larger than the output and all terms
        return float(np.linalg.norm(weights @ (2 * rounding * value + slope))) + rounding * size


def base_network(model: Any) -> Network:
    """Return the network that a model is, or that it was centred from."""
    if isinstance(model, CenteredModel):
        return base_network(model.model)
    if not isinstance(model, Network):
        raise TypeError(
            f"net must be a TwoLayerNet, an MLP, or net.centered_at(params), got {type(model).__name__}."
        )
    return model


def unscaled(model: Any) -> Any:
    """Return h, the model whose outputs times ``scale`` are this one's."""
    if isinstance(model, CenteredModel):
        return CenteredModel(unscaled(model.model), model.params)
    return clone(base_network(model)).set_params(scale=1.0)
