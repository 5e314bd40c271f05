"""What an infinitely wide network is, apart from its inputs: the record that all dual families read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._validation import check_flag, check_integer, check_option, check_real
from .activations import Activation, as_activation

__all__ = ["Architecture", "check_trainable"]


@dataclass(frozen=True)
class Architecture:
    """A fully connected network of infinite width; layer 0 reads the inputs, layer ``depth`` is the output.

    ``include[l]`` says whether the parameters of layer l are trained: all of them give the NTK, the last
    one alone gives the NNGP kernel.
    """

    activation: Activation
    depth: int
    weight_std: float
    bias_std: float
    fan_in: bool
    include: tuple[bool, ...]
    normalized: bool = False

    @classmethod
    def checked(
        cls,
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
        return cls(
            activation=as_activation(activation),
            depth=depth,
            weight_std=check_real(weight_std, "weight_std", minimum=0.0, strict=True),
            bias_std=check_real(bias_std, "bias_std", minimum=0.0),
            fan_in=check_option(input_scaling, "input_scaling", ("none", "fan_in")) == "fan_in",
            include=check_trainable(trainable, depth),
            normalized=check_flag(normalized, "normalized"),
        )


def check_trainable(trainable: Any, depth: int) -> tuple[bool, ...]:
    """Return for each of the ``depth + 1`` layers whether it is trained.

    "all"; "hidden", all but the output layer; "output", that one only; or the layers' indices, 0 the first.
    """
    layers = depth + 1
    named = {"all": range(layers), "hidden": range(depth), "output": (depth,)}
    if isinstance(trainable, str):
        chosen: Iterable[int] = named[check_option(trainable, "trainable", tuple(named))]
    elif isinstance(trainable, Iterable):
        chosen = [check_integer(index, "each index in trainable", minimum=0) for index in trainable]
        if not chosen:
            raise ValueError("trainable is empty: the kernel would be zero; name at least one layer.")
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"trainable={trainable!r} names a layer twice; name each once.")
        if max(chosen) >= layers:
            raise ValueError(
                f"trainable names layer {max(chosen)}, but at depth {depth} the layers are 0 to {depth}."
            )
    else:
        raise TypeError(
            f"trainable must be 'all', 'hidden', 'output' or a tuple of layer indices, got {trainable!r}."
        )
    return tuple(layer in chosen for layer in range(layers))
