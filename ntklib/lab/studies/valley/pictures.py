"""Pictures of paths down the widening valley, and of the flatness of the minima they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import ValleyStudy

__all__ = ["draw_paths", "draw_traces"]


def draw_paths(ax: Any, result: ValleyStudy, learning_rate: float | None = None) -> None:
    """Draw the paths from one start on the loss surface.

    Parameters
    ----------
    ax : matplotlib axes
    result : ValleyStudy
    learning_rate : float or None, default=None
        One of the study's; None is the middle one.

    Raises
    ------
    ValueError
        If there are no paths at that learning rate.
    """
    rates, rhos = result.grid
    known = np.flatnonzero(rates == (rates[rates.size // 2] if learning_rate is None else learning_rate))
    if not known.size:
        names = ", ".join(f"{rate:g}" for rate in rates)
        raise ValueError(f"there are paths at learning rates {names}, not at {learning_rate}")
    row = int(known[0])
    start = result.paths[row, 0, 0]
    xs, ys = np.linspace(0, 1.12 * start[0], 200), np.linspace(-1.05, 1.55, 200) * start[1]
    with np.errstate(divide="ignore"):
        height = np.log10(xs**2 * ys[:, None] ** 2 / 2)
    levels = np.log10(np.prod(start**2) / 2) + np.linspace(-5, 1, 13)
    ax.contourf(xs, ys, height, levels=levels, cmap="Greys", alpha=0.55, extend="both", zorder=0)
    for j, (rho, path) in enumerate(zip(rhos, result.paths[row], strict=True)):
        name = "gradient descent" if rho == 0 else rf"$\rho$ = {rho:g}"
        inside = np.all((path >= [xs[0], ys[0]]) & (path <= [xs[-1], ys[-1]]))
        style = {"color": COLORS[j % len(COLORS)], "linewidth": 1.2, "markersize": 3}
        if not inside:  # it would hide the others
            ax.plot([], [], "x", label=f"{name}: leaves the picture", color=style["color"])
            continue
        ax.plot(*path.T, "o-", label=name, **style)
        ax.plot(*path[-1], "o", color=style["color"], markersize=9, markeredgecolor="white", zorder=4)
    ax.plot(*start, "k*", markersize=11, zorder=5)
    ax.axhline(0, color="black", linewidth=0.8, zorder=1)
    ax.set_xlim(0, xs[-1])
    ax.set_ylim(ys[0], ys[-1])
    ax.set_xlabel(r"$|u|$; at a minimum with $v = 0$ the trace of the Hessian is $|u|^2$")
    ax.set_ylabel(r"$v$")
    ax.set_title(rf"$L = |u|^2 v^2 / 2$, learning rate {rates[row]:g}", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="upper left")


def draw_traces(ax: Any, result: ValleyStudy) -> None:
    """Draw the trace at the end, relative to gradient descent's, against rho."""
    rates, rhos = result.grid
    ratios = result.ratios()
    places = np.arange(rhos.size)
    for index, (rate, rows) in enumerate(zip(rates, ratios, strict=True)):
        reached = [row[np.isfinite(row)] for row in rows]
        some = [j for j in places if reached[j].size]
        quartiles = [np.quantile(reached[j], [0.25, 0.5, 0.75]) for j in some]
        low, middle, high = np.reshape(quartiles, (-1, 3)).T
        shift = 0.14 * (index - (rates.size - 1) / 2)
        style = {"color": COLORS[index % len(COLORS)], "capsize": 3, "markersize": 5}
        spread = (middle - low, high - middle)
        label = f"learning rate {rate:g}"
        ax.errorbar(places[some] + shift, middle, yerr=spread, fmt="o", label=label, **style)
        for j, height in zip(some, high, strict=True):
            if reached[j].size < rows.shape[1]:
                text = f"{reached[j].size}"
                where = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center"}
                ax.annotate(text, (j + shift, height), color=style["color"], fontsize="x-small", **where)
    flow = np.median(result.flow_traces / result.flow_traces[0], axis=1)
    ax.plot(places, flow, color="black", linestyle="--", linewidth=1.2, label="infinitely small steps")
    ax.set_xticks(places, [f"{rho:g}" for rho in rhos])
    ax.set_xlabel(r"$\rho$ (0: gradient descent)")
    ax.set_ylabel("trace of the Hessian at the end,\nrelative to gradient descent's")
    starts = f"{ratios.shape[2]} starts (numbers: those that reached a minimum, if fewer)"
    ax.set_title(f"medians and quartiles of {starts}", fontsize="medium")
    ax.set_ylim(bottom=0)
    light_axes(ax)
    ax.legend(frameon=False, loc="lower left")
