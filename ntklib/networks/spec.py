"""Options of a network, checked: sizes, parameterisation, and which layers are trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any

from ntklib._core.validation import check_flag, check_integer, check_option, check_real
from ntklib.kernels.activations import Activation, as_activation
from ntklib.kernels.contract import check_trainable

from ._expression import expression
from .steps import ArrayScale

__all__ = ["MIRROR", "PARAMETERIZATIONS", "Scaling", "Spec"]

PARAMETERIZATIONS = ("ntk", "standard", "mean_field", "mup")
MIRROR = "mirror_"
"""Prefix of the second copy's arrays in a symmetric network."""


@dataclass(frozen=True)
class Scaling:
    """Numbers of one layer: multipliers in the forward pass, spread of the entries at the start, steps."""

    weight: float
    bias: float
    weight_spread: float
    bias_spread: float


@dataclass(frozen=True)
class Spec:
    """A fully connected network whose options have been checked."""

    widths: tuple[int, ...]
    activation: Activation
    parameterization: str
    include: tuple[bool, ...]
    weight_std: float
    bias_std: float
    fan_in: bool
    symmetric: bool
    rademacher: bool
    n_outputs: int
    scale: float

    @classmethod
    def checked(
        cls,
        *,
        widths: Any,
        activation: Any,
        parameterization: Any,
        trainable: Any,
        weight_std: Any,
        bias_std: Any,
        input_scaling: Any,
        symmetric: Any,
        output_init: Any,
        n_outputs: Any,
        scale: Any,
    ) -> Spec:
        """Build from a user's parameters, each checked."""
        if isinstance(widths, str) or not isinstance(widths, Iterable):
            raise TypeError(f"widths must be a sequence of integers such as (512, 512), got {widths!r}.")
        sizes = tuple(check_integer(width, "each width", minimum=1) for width in widths)
        if not sizes:
            raise ValueError("widths is empty: a network has at least one hidden layer.")
        laws = ("gaussian", "rademacher")
        return cls(
            widths=sizes,
            activation=as_activation(activation),
            parameterization=check_option(parameterization, "parameterization", PARAMETERIZATIONS),
            include=check_trainable(trainable, len(sizes)),
            weight_std=check_real(weight_std, "weight_std", minimum=0.0, strict=True),
            bias_std=check_real(bias_std, "bias_std", minimum=0.0),
            fan_in=check_option(input_scaling, "input_scaling", ("none", "fan_in")) == "fan_in",
            symmetric=check_flag(symmetric, "symmetric"),
            rademacher=check_option(output_init, "output_init", laws) == "rademacher",
            n_outputs=check_integer(n_outputs, "n_outputs", minimum=1),
            scale=check_real(scale, "scale", minimum=0.0, strict=True),
        )

    def to_dict(self) -> dict[str, Any]:
        """The options as a user would give them, plain and in full."""
        return {
            "widths": list(self.widths),
            "activation": expression(self.activation),
            "parameterization": self.parameterization,
            "trainable": [layer for layer, included in enumerate(self.include) if included],
            "weight_std": self.weight_std,
            "bias_std": self.bias_std,
            "input_scaling": "fan_in" if self.fan_in else "none",
            "symmetric": self.symmetric,
            "output_init": "rademacher" if self.rademacher else "gaussian",
            "n_outputs": self.n_outputs,
            "scale": self.scale,
        }

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths)

    @property
    def biases(self) -> bool:
        """True if the layers have biases; a spread of exactly 0 means none."""
        return self.bias_std > 0

    @property
    def copies(self) -> tuple[tuple[str, float], ...]:
        """Prefix of the arrays and coefficient of each copy in the output."""
        if not self.symmetric:
            return (("", self.scale),)
        return (("", self.scale / sqrt(2)), (MIRROR, -self.scale / sqrt(2)))

    def sizes(self, n_features: int) -> tuple[int, ...]:
        """Inputs, hidden widths, outputs."""
        return (n_features, *self.widths, self.n_outputs)

    def scalings(self, n_features: int) -> tuple[Scaling, ...]:
        """The parameterisation, layer by layer."""
        sizes, inside = self.sizes(n_features), self.parameterization in ("standard", "mup")
        result = []
        for layer, inputs in enumerate(sizes[:-1]):
            weight = self.weight_std / sqrt(inputs if layer or self.fan_in else 1)
            if layer == self.depth and self.parameterization in ("mean_field", "mup"):
                weight = self.weight_std / inputs
            factors = (weight, self.bias_std)
            ones = (1.0, 1.0)
            result.append(Scaling(*ones, *factors) if inside else Scaling(*factors, *ones))
        return tuple(result)

    def array_scales(self) -> tuple[tuple[ArrayScale, ArrayScale], ...]:
        """Powers of the widths in weights and bias of each layer; all 1 where steps do not depend on them."""
        if self.parameterization in ("ntk", "standard"):
            return ((ArrayScale(), ArrayScale()),) * (self.depth + 1)
        last, result = self.widths[-1], []
        for layer, (inputs, outputs) in enumerate(zip((1, *self.widths), (*self.widths, 1), strict=True)):
            top = layer == self.depth
            forward = 1 if self.parameterization == "mup" else inputs**2 if top else inputs
            signal = 1 if top else last  # f is a mean over the last hidden layer
            weight = ArrayScale(forward, signal, inputs, outputs)
            result.append((weight, ArrayScale(1, signal, 1, outputs)))
        return tuple(result)

    def steps(self, family: str = "gradient") -> tuple[tuple[float, float], ...]:
        """Step multipliers of the weights and of the bias of each layer, for a family of optimisers."""
        scales = self.array_scales()
        return tuple((weight.multiplier(family), bias.multiplier(family)) for weight, bias in scales)

    def by_array(self, layers: Iterable[tuple[float, float]]) -> dict[str, float]:
        """Name numbers of the weights and of the bias of each layer by array, in both copies."""
        result = {}
        pairs = tuple(layers)
        for prefix, _ in self.copies:
            for layer, (weight, bias) in enumerate(pairs):
                result[f"{prefix}W{layer}"] = weight
                if self.biases:
                    result[f"{prefix}b{layer}"] = bias
        return result

    def shapes(self, n_features: int, *, trained: bool = False) -> dict[str, tuple[int, ...]]:
        """Shape of each array, in the order of the Jacobian's columns; ``trained``: only those trained."""
        sizes = self.sizes(n_features)
        shapes: dict[str, tuple[int, ...]] = {}
        for prefix, _ in self.copies:
            for layer in range(self.depth + 1):
                if trained and not self.include[layer]:
                    continue
                shapes[f"{prefix}W{layer}"] = (sizes[layer + 1], sizes[layer])
                if self.biases:
                    shapes[f"{prefix}b{layer}"] = (sizes[layer + 1],)
        return shapes
