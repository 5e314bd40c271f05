"""Pictures of learning curves: errors, measured over predicted ones, learnability of eigenfunctions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ntklib._core.drawing import COLORS, light_axes
from ntklib.lab.power_law_pictures import percent_axis

if TYPE_CHECKING:
    from .result import LearningCurveStudy

__all__ = ["draw_curve", "draw_learnability", "draw_ratio"]

_MARKERS = ("s", "^", "D", "v", "P")


def draw_curve(ax: Any, result: LearningCurveStudy) -> None:
    """Draw the errors against the number of training rows."""
    kernel = result.rows()
    n = result.n_train[kernel]
    ax.plot(n, result.predicted[kernel], color=COLORS[0], linewidth=1.6, label="predicted")
    label = "predicted for infinitely many rows"
    ax.plot(n, result.uncorrected[kernel], ":", color=COLORS[0], linewidth=1.4, label=label)
    _bars(ax, n, result.error[kernel], result.error_se[kernel], 0, "o", "kernel regression")
    for index, width in enumerate(result.widths):
        rows = result.rows(width)
        name = f"networks of width {width:.0f}"
        _bars(
            ax, n, result.error[rows], result.error_se[rows], index + 1, _MARKERS[index % 5], name, line=True
        )
    percent_axis(ax)
    ax.set_ylabel("mean squared error on unseen rows,\nrelative to outputs 0 (bars: two standard errors)")
    _rows_axis(ax, n)
    ax.legend(frameon=False, fontsize="small")


def draw_ratio(ax: Any, result: LearningCurveStudy) -> None:
    """Draw measured errors of the kernel over predicted ones."""
    kernel = result.rows()
    n, error, spread = result.n_train[kernel], result.error[kernel], result.error_se[kernel]
    pairs = (
        (result.predicted, "predicted for the rows that there are"),
        (result.uncorrected, "for infinitely many"),
    )
    for index, (predicted, name) in enumerate(pairs):
        below = predicted[kernel]
        _bars(ax, n * 1.02**index, error / below, spread / below, index, "os"[index], name, line=True)
    ax.axhline(1, color="grey", linewidth=1, linestyle=":")
    ax.set_ylabel("measured over predicted error\n(bars: two standard errors)")
    _rows_axis(ax, n)
    ax.legend(frameon=False, fontsize="small")


def draw_learnability(ax: Any, result: LearningCurveStudy) -> None:
    """Draw the learnability of eigenfunctions against their number, for every number of training rows."""
    modes = result.learnability
    n = result.n_train[result.rows()]
    for index, size in enumerate(n):
        color = COLORS[index % len(COLORS)]
        ax.plot(modes.mode, modes.predicted[index], color=color, linewidth=1.2, label=f"{size} rows")
        style: Any = {"color": color, "fmt": "o", "markersize": 4, "capsize": 2}
        ax.errorbar(modes.mode, modes.measured[index], yerr=2 * modes.measured_se[index], **style)
    ax.set_xscale("log")
    ax.set_xlabel("number of the eigenfunction, that of the largest eigenvalue first")
    ax.set_ylabel("share that is learned (line: predicted;\nbars: measured, two standard errors)")
    ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
    light_axes(ax)
    ax.legend(frameon=False, fontsize="small")


def _bars(
    ax: Any, x: NDArray, y: NDArray, error: NDArray, index: int, marker: str, name: str, *, line: bool = False
) -> None:
    style: Any = {"color": COLORS[index % len(COLORS)], "capsize": 3, "markersize": 5, "linewidth": 1}
    ax.errorbar(x, y, yerr=2 * error, fmt=f"{marker}--" if line else marker, label=name, **style)


def _rows_axis(ax: Any, n: NDArray) -> None:
    ax.set_xscale("log")
    ticks = n[:: 1 + (n.size - 1) // 8]
    ax.set_xticks(ticks, [f"{size}" for size in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("training rows")
    light_axes(ax)
