"""Pictures of one function that is written with other weights, and of where optimisers take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import RescalingStudy

_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw_differences(ax: Any, result: RescalingStudy) -> None:
    """Draw the largest difference of an output against the factor, for every optimiser."""
    for index, name in enumerate(result.optimizers):
        rows = result.optimizer == name
        style = {"color": COLORS[index % len(COLORS)], "marker": _MARKERS[index % len(_MARKERS)]}
        ax.plot(result.factor[rows], result.difference[rows], "-", label=name, **style)
        hollow = {**style, "markerfacecolor": "none", "linestyle": ":"}
        ax.plot(result.factor[rows], result.compensated_difference[rows], **hollow)
    worst = float(result.compensated_difference.max())
    label = "with compensating steps: " + ("0" if worst == 0 else f"at most {worst:.1g}")
    ax.plot([], [], "k:", marker="o", markerfacecolor="none", label=label)
    factors = np.unique(result.factor)
    ax.set_xscale("log", base=2)
    ax.set_xticks(factors, [f"{factor:g}" for factor in factors])
    ax.set_xlabel(r"factor $c$: weights $c\,W_0$ and $W_L / c$, the same function")
    ax.set_ylabel("largest difference of an output in training,\nrelative to the targets")
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")


def draw_loss(ax: Any, result: RescalingStudy, optimizer: str) -> None:
    """Draw the loss along training under one optimiser, a line a factor."""
    from matplotlib import colormaps

    rows = np.flatnonzero(result.optimizer == optimizer)
    for row, shade in zip(rows, np.linspace(0.15, 0.85, rows.size), strict=True):
        losses, factor = result.losses[row], result.factor[row]
        finite = np.isfinite(losses)
        label = f"c = {factor:g}" + ("" if finite.all() else ": diverges")
        style = {"color": colormaps["viridis"](shade), "linewidth": 2.6 if factor == 1 else 1.4}
        ax.plot(np.flatnonzero(finite), losses[finite], label=label, **style)
    ax.set_yscale("log")
    ax.set_xlabel("steps")
    ax.set_ylabel("loss, relative to the start")
    title = rf"{optimizer}, from one function written with weights $c\,W_0$ and $W_L / c$"
    ax.set_title(title, fontsize="medium")
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")
