r"""One function, other weights: :math:`W_0 \to c W_0`, :math:`W_L \to W_L / c`, and how steps see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ntklib._core.validation import check_real
from ntklib.dynamics import Optimizer
from ntklib.kernels import Homogeneous
from ntklib.networks import Params

__all__ = ["WithMultipliers", "can_be_rescaled", "rescale", "scale_factors", "step_power"]


def can_be_rescaled(network: Any) -> bool:
    """Say if the activation is homogeneous, so that the last layer can make up for another first one."""
    activation = network.spec.activation
    return isinstance(activation, Homogeneous) and activation.parts()[0] >= 1


def scale_factors(network: Any, factor: float) -> dict[str, float]:
    r"""Return what each array is multiplied by, so that the function stays the same.

    With :math:`\sigma(c z) = c^n \sigma(z)`, the first layer by c, hidden biases of layer l by
    :math:`c^{n^l}`, the output weights by :math:`c^{-n^L}`.

    Raises
    ------
    ValueError
        If the activation is not homogeneous, or the factor not positive.
    """
    factor = check_real(factor, "factor", minimum=0, strict=True)
    if not can_be_rescaled(network):
        raise ValueError(
            f"{network.spec.activation!r} is not homogeneous: what multiplies its input cannot be made up "
            "for behind it. Use one such as 'relu'."
        )
    spec = network.spec
    degree = spec.activation.parts()[0]
    factors = {}
    for name in spec.shapes(1):
        kind, layer = name.removeprefix("mirror_")[0], int(name.removeprefix("mirror_")[1:])
        power = 0
        if layer == spec.depth:
            power = -(degree**layer) if kind == "W" else 0
        elif kind == "b" or layer == 0:
            power = degree**layer
        factors[name] = factor**power
    return factors


def rescale(network: Any, params: Params, factor: float) -> Params:
    r"""Return parameters of the same function with the first layer multiplied by a factor.

    The output weights are divided by it (by its :math:`n^L`-th power for an activation of degree n and L
    hidden layers); hidden biases go with their layers.

    Parameters
    ----------
    network : TwoLayerNet or MLP
        With a homogeneous activation.
    params : Params
    factor : float
        Positive.

    Returns
    -------
    Params

    Raises
    ------
    ValueError
        If the activation is not homogeneous, or the factor not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.lab.studies import rescale
    >>> net = TwoLayerNet(100)
    >>> params = net.init(3, random_state=0)
    >>> other = rescale(net, params, 4.0)
    >>> bool(np.array_equal(net.apply(other, np.eye(3)), net.apply(params, np.eye(3))))
    True
    """
    factors = scale_factors(network, factor)
    return params.replace(**{name: params[name] * params.dtype.type(factors[name]) for name in params.names})


def step_power(optimizer: Optimizer) -> float:
    r"""Return the power of a layer's scale that its steps must be multiplied by to be the same steps.

    An array multiplied by c has a gradient divided by c.  If a step goes with the q-th power of the gradient,
    it is :math:`c^{-q}` times as long, and to be the same relative to the array it would have to be c times
    as long: the power is 1 + q.
    """
    return 1.0 + optimizer.step_powers.gradient


class WithMultipliers:
    """A network whose step multipliers are multiplied by factors, for `ntklib.dynamics.train`."""

    def __init__(self, network: Any, factors: Mapping[str, float]) -> None:
        self.network, self.n_outputs, self.unravel = network, network.n_outputs, network.unravel
        self.gradient_sizes, self._factors = network.gradient_sizes, factors

    def multipliers_for(self, family: str) -> dict[str, float]:
        """Return the network's, times the factors."""
        return {name: own * self._factors[name] for name, own in self.network.multipliers_for(family).items()}

    def on_rows(self, params: Params, X: Any) -> Any:
        """Return the network on fixed rows, with these multipliers."""
        on = self.network.on_rows(params, X)
        on.model = self
        return on
