"""Networks in words, for results that are read and kept."""

from __future__ import annotations

from ntklib.networks import MLP, TwoLayerNet

__all__ = ["network_text"]


def network_text(network: TwoLayerNet | MLP, *, width: str | None = None) -> str:
    """Network on one line: the options that are not the default, the same in every process.

    Parameters
    ----------
    network : TwoLayerNet or MLP
    width : str or None, default=None
        Symbol to stand for the width of every hidden layer; None gives the widths themselves.
    """
    options, defaults = network.get_params(deep=False), type(network)().get_params(deep=False)
    texts = {name: repr(value) for name, value in options.items() if repr(value) != repr(defaults[name])}
    if not isinstance(network.activation, str):
        texts["activation"] = network.to_dict()["activation"]
    if width is not None and isinstance(network, TwoLayerNet):
        texts["width"] = width
    elif width is not None:
        texts["widths"] = f"({', '.join([width] * network.depth)}{',' if network.depth == 1 else ''})"
    return f"{type(network).__name__}({', '.join(f'{name}={texts[name]}' for name in sorted(texts))})"
