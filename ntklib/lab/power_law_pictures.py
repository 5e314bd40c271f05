"""Quantities against width on logarithmic axes, with the power laws fitted to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import COLORS

from .power_law import PowerLaw

_MARKERS = ("o", "s", "^", "D")


def draw_power_laws(
    ax: Any, widths: NDArray, series: Mapping[str, tuple[NDArray, NDArray, PowerLaw | None]]
) -> None:
    """Draw for each name values with bars of two standard errors, and the power law fitted to them."""
    for index, (name, (middle, spread, law)) in enumerate(series.items()):
        color = COLORS[index % len(COLORS)]
        label = name
        if law is not None and np.isfinite(law.exponent):
            label = rf"{name}: width$^{{{law.exponent:.3f} \pm {law.standard_error:.3f}}}$"
            ax.plot(widths, law(widths), color=color, linewidth=1.2, alpha=0.6)
        style = {"color": color, "capsize": 3, "markersize": 6, "label": label}
        beside = widths * 1.03 ** (index - (len(series) - 1) / 2)
        ax.errorbar(beside, middle, yerr=2 * spread, fmt=_MARKERS[index % len(_MARKERS)], **style)


def width_axis(ax: Any, widths: NDArray) -> None:
    """Make the x axis one of widths."""
    ax.set_xscale("log")
    ticks = widths[:: 1 + (widths.size - 1) // 10]
    ax.set_xticks(ticks, [f"{width:.0f}" for width in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("width (bars: two standard errors)")


def percent_axis(ax: Any) -> None:
    """Make the y axis one of relative sizes, in percent."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
    ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
    ax.yaxis.set_minor_formatter(NullFormatter())
