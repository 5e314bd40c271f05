"""Pictures of phases: kernel change and test loss against alpha times the root of the width, and a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes
from ntklib.lab.power_law_pictures import percent_axis

if TYPE_CHECKING:
    from .result import PhaseDiagramStudy

__all__ = ["draw_kernel", "draw_loss", "draw_phases"]

_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw_kernel(ax: Any, result: PhaseDiagramStudy) -> None:
    """Draw the change of the kernel against alpha times the root of the width, a panel a task."""
    for task, panel in _panels(ax, result):
        _curves(panel, result, task, "kernel_change")
        panel.axhline(1, color="grey", linestyle=":", linewidth=1)
        panel.set_yscale("log")
    _width_legend(ax, result)
    _y_label(ax, "relative change of the tangent kernel")


def draw_loss(ax: Any, result: PhaseDiagramStudy) -> None:
    """Draw the test loss against alpha times the root of the width, a panel a task."""
    for task, panel in _panels(ax, result):
        _curves(panel, result, task, "test_loss")
        percent_axis(panel)
    _width_legend(ax, result)
    _y_label(ax, "test loss, relative to outputs 0")


def draw_phases(ax: Any, result: PhaseDiagramStudy) -> None:
    """Draw a map of the change of the kernel over width and alpha, and where it is 100 %."""
    for task, panel in _panels(ax, result):
        rows = result.rows(task)
        style: Any = {"cmap": "coolwarm", "vmin": -2, "vmax": 2, "s": 130, "marker": "s"}
        change = np.log10(result.kernel_change[rows])
        image = panel.scatter(result.width[rows], result.scale[rows], c=change, **style)
        boundary = result.boundaries[task]
        panel.plot(boundary.width, boundary.scale, "k-", linewidth=1.6)
        ends = np.array([result.width.min(), result.width.max()])
        middle = len(boundary.width) // 2
        through = boundary.scale[middle] * np.sqrt(boundary.width[middle] / ends)
        panel.plot(ends, through, "k:", linewidth=1.2)
        panel.set_yscale("log")
        _width_axis(panel, boundary.width)
    beside = ax.inset_axes((0.94, 0.1, 0.02, 0.82))
    bar = ax.figure.colorbar(image, cax=beside, ticks=[-2, -1, 0, 1, 2])
    bar.ax.set_yticklabels(["0.01", "0.1", "1", "10", "100"], fontsize="small")
    bar.ax.set_title("change", fontsize="small")
    ax.plot([], [], "k-", label="kernel changed by 100 %")
    ax.plot([], [], "k:", label=r"$\alpha \propto m^{-1/2}$")
    _legend(ax)
    _y_label(ax, r"scale $\alpha$ (above: lazy, below: features are learned)")


def _panels(ax: Any, result: PhaseDiagramStudy) -> list[tuple[str, Any]]:
    """Axes side by side, one a task."""
    ax.axis("off")
    share = 0.92 / len(result.tasks)
    panels = []
    for index, task in enumerate(result.tasks):
        panel = ax.inset_axes((0.06 + index * share, 0.1, share - 0.08, 0.82))
        panel.set_title(task, fontsize="medium")
        light_axes(panel)
        panels.append((task, panel))
    return panels


def _curves(panel: Any, result: PhaseDiagramStudy, task: str, name: str) -> None:
    mean, error = getattr(result, name), getattr(result, f"{name}_se")
    for index, width in enumerate(result.boundaries[task].width):
        rows = result.rows(task, width)
        style: Any = {"color": COLORS[index % len(COLORS)], "capsize": 2, "markersize": 4, "linewidth": 1.2}
        marker = f"{_MARKERS[index % len(_MARKERS)]}-"
        x, y, bars = result.control[rows], mean[rows], 2 * error[rows]
        panel.errorbar(x, y, yerr=bars, fmt=marker, **style)
    panel.set_xscale("log")
    panel.set_xlabel(r"$\alpha \sqrt{m}$ (bars: two standard errors)")


def _width_legend(ax: Any, result: PhaseDiagramStudy) -> None:
    for index, width in enumerate(np.unique(result.width)):
        style = {"color": COLORS[index % len(COLORS)], "marker": _MARKERS[index % len(_MARKERS)]}
        ax.plot([], [], markersize=4, label=f"width {width}", **style)
    _legend(ax)


def _legend(ax: Any) -> None:
    """One legend for all panels, below them."""
    ax.legend(frameon=False, loc="lower center", ncols=6, fontsize="small", bbox_to_anchor=(0.5, -0.1))


def _width_axis(panel: Any, widths: Any) -> None:
    panel.set_xscale("log")
    panel.set_xticks(widths, [f"{width}" for width in widths])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("width m")
    panel.margins(x=0.15)


def _y_label(ax: Any, text: str) -> None:
    ax.text(-0.035, 0.5, text, transform=ax.transAxes, rotation=90, ha="center", va="center")
