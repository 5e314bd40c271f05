"""The two-layer network of the lazy-training papers."""

from __future__ import annotations

from typing import Any

from ntklib.kernels.activations import Activation

from .network import Network

__all__ = ["TwoLayerNet"]


class TwoLayerNet(Network):
    r"""A network of one hidden layer, :math:`f(x) = \alpha\, m^{-1/2} \sum_r v_r \sigma(w_r \cdot x)`.

    That is the NTK parameterisation with ``weight_std=1``; `MLP` has the general formula and all options.

    Parameters
    ----------
    width : int, default=512
        m, the number of hidden units.
    activation : str or Activation, default="relu"
        Any activation of `ntklib.kernels`.
    parameterization : {"ntk", "standard", "mean_field", "mup"}, default="ntk"
    trainable : {"all", "hidden", "output"} or tuple of int, default="all"
        The layers that are trained, by index from 0, the layer that reads the inputs.
    weight_std : float, default=1.0
    bias_std : float, default=0.0
        Exactly 0: no biases.
    input_scaling : {"none", "fan_in"}, default="none"
    symmetric : bool, default=False
        Two copies whose difference starts at f = 0.
    output_init : {"gaussian", "rademacher"}, default="gaussian"
        Law of the output weights: Gaussian, or random signs.
    n_outputs : int, default=1
    scale : float, default=1.0
        :math:`\alpha`, the factor of the outputs; greater than 0.

    Notes
    -----
    As in scikit-learn, options are checked where they are used, by `init` and all that follows.

    References
    ----------
    Chizat, Oyallon & Bach (2019), "On lazy training in differentiable programming"; Jacot et al. (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> net = TwoLayerNet(1000)
    >>> params = net.init(n_features=3, random_state=0)
    >>> net.apply(params, np.ones((2, 3))).shape
    (2,)
    """

    def __init__(
        self,
        width: int = 512,
        *,
        activation: str | Activation = "relu",
        parameterization: str = "ntk",
        trainable: str | tuple[int, ...] = "all",
        weight_std: float = 1.0,
        bias_std: float = 0.0,
        input_scaling: str = "none",
        symmetric: bool = False,
        output_init: str = "gaussian",
        n_outputs: int = 1,
        scale: float = 1.0,
    ) -> None:
        self.width = width
        self.activation = activation
        self.parameterization = parameterization
        self.trainable = trainable
        self.weight_std = weight_std
        self.bias_std = bias_std
        self.input_scaling = input_scaling
        self.symmetric = symmetric
        self.output_init = output_init
        self.n_outputs = n_outputs
        self.scale = scale

    def _widths(self) -> Any:
        return (self.width,)
