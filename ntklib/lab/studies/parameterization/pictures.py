"""Pictures of gradients and step sizes against width, parameterisation by parameterisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import ParameterizationStudy

_MARKERS = ("o", "s", "^", "D")


def draw_steps(ax: Any, result: ParameterizationStudy) -> None:
    """Draw the largest stable (or the unit) and the best step size."""
    titles = {"largest_step": "largest stable", "unit_step": "unit", "best_step": "best"}
    _draw_powers(ax, result, titles, "step size")


def draw_entries(ax: Any, result: ParameterizationStudy) -> None:
    """Draw the size of the entries of the first layer's gradient."""
    _draw_powers(ax, result, {"first_entry": ""}, "rms entry of the first layer's gradient")


def draw_norms(ax: Any, result: ParameterizationStudy) -> None:
    """Draw the norms of the first and the output layer's gradient."""
    top = f"norm_{result.hidden_norms.shape[1] + 1}"
    _draw_powers(ax, result, {"norm_0": "first layer", top: "output layer"}, "norm of a layer's gradient")


def draw_change(ax: Any, result: ParameterizationStudy) -> None:
    """Draw what the first step changes of the first layer."""
    reference = "the unit step" if "unit_step" in result.columns else "the largest stable"
    label = f"relative change of the first layer\nin one step, {reference}"
    _draw_powers(ax, result, {"first_change": ""}, label)


def _draw_powers(ax: Any, result: ParameterizationStudy, titles: Mapping[str, str], label: str) -> None:
    """Quantities against width, those of them that were measured, with their power laws."""
    drawn = [name for name in titles if name in result.draws]
    widths = np.unique(result.width)
    for line, quantity in enumerate(drawn):
        for index, name in enumerate(result.parameterizations):
            color, rows = COLORS[index % len(COLORS)], result.parameterization == name
            law = result.law(name, quantity)
            words = f"{name}, {titles[quantity]}" if titles[quantity] else name
            power = rf"width$^{{{law.fitted.exponent:.3f} \pm {law.fitted.standard_error:.3f}}}$"
            ax.errorbar(
                widths * 1.02 ** (index + 3 * line),  # beside each other
                result.values(quantity)[rows],
                yerr=2 * result.standard_errors[quantity][rows],
                fmt=_MARKERS[index % len(_MARKERS)],
                color=color,
                capsize=3,
                label=f"{words}: {power} ({law.predicted:g})",
                markerfacecolor=color if line == 0 else "none",
            )
            style = "-" if line == 0 else "--"
            ax.plot(widths, law.fitted(widths), style, color=color, linewidth=1.2, alpha=0.6)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(widths, [f"{width:.0f}" for width in widths])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("width (bars: two standard errors; predicted powers in brackets)")
    ax.set_ylabel(label)
    above: Any = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}  # the lines leave no room among them
    ax.legend(frameon=False, fontsize="small", ncols=len(drawn), **above)
    light_axes(ax)


def draw_sweep(ax: Any, result: ParameterizationStudy, parameterization: str) -> None:
    """Draw the losses against step size in one parameterisation, a line a width."""
    from matplotlib import colormaps
    from matplotlib.ticker import NullFormatter

    rows = np.flatnonzero(result.parameterization == parameterization)
    curves = [result.sweeps[row] for row in rows]
    for row, shade, curve in zip(rows, np.linspace(0.1, 0.85, rows.size), curves, strict=True):
        style: Any = {"color": colormaps["viridis"](shade)}
        ax.plot(*curve.T, "o-", label=f"width {result.width[row]}", markersize=4, **style)
        best = curve[np.argmin(curve[:, 1])]
        ax.plot(*best, "o", markersize=10, markeredgecolor="white", zorder=4, **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())  # they would run into each other
    ax.set_ylim(0.7 * min(curve[:, 1].min() for curve in curves), 3.0)
    ax.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    ax.set_xlabel("step size")
    ax.set_ylabel(f"what {result.steps} steps leave of the loss")
    title = f"{parameterization} parameterisation (large dots: the best of each width)"
    ax.set_title(title, fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    light_axes(ax)
