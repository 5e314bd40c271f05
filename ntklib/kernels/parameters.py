"""Architecture of an infinitely wide network from a user's parameters."""

from __future__ import annotations

from typing import Any

from ntklib._core.validation import check_flag, check_integer, check_option, check_real

from .activations import as_activation
from .contract import Architecture, check_trainable

__all__ = ["architecture"]


def architecture(
    *,
    activation: Any,
    depth: Any,
    weight_std: Any,
    bias_std: Any,
    input_scaling: Any,
    trainable: Any,
    normalized: Any = False,
) -> Architecture:
    """Build from a user's parameters, each checked."""
    depth = check_integer(depth, "depth", minimum=1)
    return Architecture(
        activation=as_activation(activation),
        depth=depth,
        weight_std=check_real(weight_std, "weight_std", minimum=0.0, strict=True),
        bias_std=check_real(bias_std, "bias_std", minimum=0.0),
        fan_in=check_option(input_scaling, "input_scaling", ("none", "fan_in")) == "fan_in",
        include=check_trainable(trainable, depth),
        normalized=check_flag(normalized, "normalized"),
    )
