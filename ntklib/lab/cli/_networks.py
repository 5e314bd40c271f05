"""Options of commands on the network of a study."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ._command import default_text, positive

if TYPE_CHECKING:
    from ntklib.lab.study import Networks
    from ntklib.networks import MLP, TwoLayerNet

_OPTIONS: dict[str, dict[str, Any]] = {
    "depth": {"type": positive, "metavar": "L", "help": "hidden layers"},
    "parameterization": {"choices": ("ntk", "standard", "mean_field", "mup"), "help": "powers of the width"},
    "trainable": {"choices": ("all", "hidden", "output"), "help": "layers that are trained"},
    "weight_std": {"type": float, "metavar": "S", "help": "of the weights"},
    "bias_std": {"type": float, "metavar": "S", "help": "of the biases; 0 is without biases"},
    "input_scaling": {
        "choices": ("none", "fan_in"),
        "help": "fan_in divides the first layer by the root of the number of inputs",
    },
    "output_init": {"choices": ("gaussian", "rademacher"), "help": "law of the output weights"},
    "scale": {"type": float, "metavar": "A", "help": "factor of the outputs"},
    "symmetric": {
        "action": argparse.BooleanOptionalAction,
        "help": "two copies whose outputs cancel at the start",
    },
}


def add_network_options(
    parser: argparse.ArgumentParser, networks: Networks, network: TwoLayerNet | MLP
) -> None:
    """Add the options that a study offers, with the defaults of a network."""
    group = parser.add_argument_group("network")
    default = network.get_params()
    if networks.width:
        group.add_argument(
            "--width",
            type=positive,
            default=network.hidden_widths[0],
            metavar="M",
            help=f"units of every hidden layer (default: {network.hidden_widths[0]})",
        )
    for name in networks.options:
        if name == "activation":
            sigma = group.add_mutually_exclusive_group()
            text = f"by name (default: {default[name]})"
            sigma.add_argument("--activation", default=default[name], metavar="NAME", help=text)
            text = "the activation z^N for z >= 0, 0 below"
            sigma.add_argument("--degree", type=int, metavar="N", help=text)
            continue
        keywords = dict(_OPTIONS[name])
        value = network.depth if name == "depth" else default[name]
        keywords["help"] += f" (default: {default_text(value)})"
        group.add_argument(f"--{name.replace('_', '-')}", default=value, **keywords)


def read_network(
    arguments: argparse.Namespace, networks: Networks, network: TwoLayerNet | MLP
) -> TwoLayerNet | MLP:
    """Return the network asked for; of width 1 where the study goes through widths."""
    from ntklib.kernels import RectifiedPower
    from ntklib.networks import MLP, TwoLayerNet

    options = {name: getattr(arguments, name) for name in networks.options if name != "depth"}
    if getattr(arguments, "degree", None) is not None:
        options["activation"] = RectifiedPower(arguments.degree)
    options = {**network.get_params(), **options}
    for name in ("width", "widths"):
        options.pop(name, None)
    width = arguments.width if networks.width else 1
    depth = arguments.depth if "depth" in networks.options else 1
    return TwoLayerNet(width, **options) if depth == 1 else MLP((width,) * depth, **options)
