"""Pictures of gradient descent on simple functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import COLORS, light_axes

from .functions import simple_functions

if TYPE_CHECKING:
    from .functions import SimpleFunction
    from .result import LandscapesStudy

__all__ = ["draw_distance", "draw_flat", "draw_loss", "draw_oscillation", "draw_paths", "draw_rates"]

_FLOOR, _CEILING = 1e-9, 1e3  # of losses and distances that are drawn
_COLUMNS = 3


def draw_loss(ax: Any, result: LandscapesStudy) -> None:
    """Draw the loss against the step: a panel a function, a line a learning rate, hops as bands."""
    _draw_courses(ax, result, "losses", "loss")


def draw_distance(ax: Any, result: LandscapesStudy) -> None:
    """Draw the distance from the minimum against the step, as `draw_loss` draws the loss."""
    _draw_courses(ax, result, "distances", "distance")


def draw_paths(ax: Any, result: LandscapesStudy) -> None:
    """Draw the first steps over the levels of each function; paths that leave the picture are left out."""
    reach = 1.25 * float(np.abs(result.paths[:, 0]).max())
    grid = np.linspace(-reach, reach, 101)
    points = np.stack(np.meshgrid(grid, grid), axis=-1)
    for panel, function, rows in _panels(ax, result):
        panel.contour(grid, grid, function.landscape.value(points), levels=9, colors="0.8", linewidths=0.7)
        for index, row in reversed([*enumerate(rows)]):  # the smallest steps on top
            if np.abs(result.paths[row]).max() <= reach:
                panel.plot(*result.paths[row].T, "o-", color=_color(index), linewidth=0.8, markersize=2.2)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_aspect("equal")


def draw_rates(ax: Any, result: LandscapesStudy) -> None:
    """Draw the factor of the distance a step against the learning rate: above 1 runs diverge."""
    fine = np.linspace(0, 1.05 * result.learning_rate.max(), 301)
    for index, function in enumerate(_functions(result)):
        rows, color = result.rows(function.name), _color(index)
        ax.plot(fine, [function.rate(eta) for eta in fine], "--", color=color, linewidth=1.2)
        style = {"markersize": 9 - index % 5, "color": color, "linestyle": "none"}
        etas, rates = result.learning_rate[rows], result.rate[rows]
        ax.plot(etas, rates, marker="os^Dv"[index % 5], label=function.name, **style)
    ax.plot([], [], "--", color="grey", label="in theory")
    ax.axhline(1, color="black", linewidth=0.8, zorder=1)
    ax.set_xlabel(r"learning rate $\eta$")
    ax.set_ylabel("factor of the distance a step, in the end")
    light_axes(ax)
    ax.legend(frameon=False, loc="lower left", fontsize="small")


def draw_oscillation(ax: Any, result: LandscapesStudy) -> None:
    """Draw the hops that remain, and the loss that they leave, against the learning rate."""
    ax.axis("off")
    titles = {"hop": "length of the hops that remain", "loss": "loss that remains, mean of two steps"}
    for place, (name, title) in enumerate(titles.items()):
        panel = ax.inset_axes((0.08 + 0.52 * place, 0.2, 0.4, 0.72))
        for index, function in enumerate(_functions(result)):
            rows = result.rows(function.name)
            rows = rows[result.outcome[rows] == "hops"]
            etas, color = result.learning_rate[rows], _color(index)
            if rows.size:
                panel.plot(etas, getattr(result, f"expected_{name}")[rows], "--", color=color, linewidth=1.2)
                panel.plot(etas, getattr(result, name)[rows], "o", color=color, markersize=5)
            if rows.size and not place:
                ax.plot([], [], "o", color=color, markersize=5, label=function.name)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel(r"learning rate $\eta$")
        panel.set_title(title, fontsize="small")
        light_axes(panel)
    ax.plot([], [], "--", color="grey", label="in theory")
    ax.legend(frameon=False, loc="lower center", ncols=4, fontsize="small", bbox_to_anchor=(0.5, -0.06))


def draw_flat(ax: Any, result: LandscapesStudy) -> None:
    """Draw distance and loss on the quadratics, relative to the start, at the learning rate nearest 1."""
    rates = np.unique(result.learning_rate)
    eta = rates[np.abs(np.log(rates)).argmin()]
    for index, curvature in enumerate(result.curvatures):
        row = result.rows(f"quadratic {curvature:g}")[int(np.searchsorted(rates, eta))]
        for values, style, title in ((result.distances, "-", "distance"), (result.losses, "--", "loss")):
            course = np.maximum(values[row] / values[row, 0], _FLOOR)
            label = rf"{title}, $\lambda$ = {curvature:g}"
            ax.plot(result.recorded + 1, course, style, color=_color(index), linewidth=1.6, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("step + 1")
    ax.set_ylabel("relative to that at the start")
    ax.set_title(rf"$x^2/2 + \lambda y^2/2$, learning rate {eta:g}", fontsize="medium")
    light_axes(ax)
    ax.legend(frameon=False, loc="lower left", fontsize="small")


def _draw_courses(ax: Any, result: LandscapesStudy, name: str, title: str) -> None:
    first = np.flatnonzero(np.diff(result.recorded) == 1)  # of pairs of steps
    for place, (panel, _, rows) in enumerate(_panels(ax, result)):
        for index, row in enumerate(rows):
            course = np.clip(getattr(result, name)[row], _FLOOR, 10 * _CEILING)
            steps, color = result.recorded + 1, _color(index)
            if result.outcome[row] == "hops":
                pair = np.stack([course[first], course[first + 1]])
                steps, course = steps[first], pair.max(axis=0)
                panel.fill_between(steps, pair.min(axis=0), course, color=color, alpha=0.3, linewidth=0)
            panel.plot(steps, course, color=color, linewidth=1.1)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(_FLOOR, _CEILING)
        panel.tick_params(labelsize="small")
        light_axes(panel)
        if place % _COLUMNS == 0:
            panel.set_ylabel(title, fontsize="small")
        if place + _COLUMNS >= len(result.functions):
            panel.set_xlabel("step + 1", fontsize="small")


def _panels(ax: Any, result: LandscapesStudy) -> Iterator[tuple[Any, SimpleFunction, NDArray]]:
    """Make a panel for each function and yield it with its rows; the last place is the legend's."""
    ax.axis("off")
    functions = _functions(result)
    height = 1 / -(-(len(functions) + 1) // _COLUMNS)

    def box(index: int) -> tuple[float, float, float, float]:
        line, place = divmod(index, _COLUMNS)
        return 0.05 + 0.34 * place, 1 - (line + 0.85) * height, 0.27, 0.72 * height

    for index, function in enumerate(functions):
        panel = ax.inset_axes(box(index))
        panel.set_title(function.name, fontsize="medium")
        yield panel, function, result.rows(function.name)
    for index, eta in enumerate(np.unique(result.learning_rate)):
        ax.plot([], [], color=_color(index), label=rf"$\eta$ = {eta:g}")
    ax.legend(frameon=False, loc="center", fontsize="small", bbox_to_anchor=box(len(functions)))


def _functions(result: LandscapesStudy) -> list[SimpleFunction]:
    return simple_functions(result.curvatures, result.slope, result.threshold)


def _color(index: int) -> str:
    return COLORS[index % len(COLORS)]
