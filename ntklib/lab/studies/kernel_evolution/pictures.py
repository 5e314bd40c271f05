"""Pictures of tangent kernels along training: accuracy, distance and velocity against the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import KernelEvolutionStudy

__all__ = ["draw_accuracy", "draw_distance", "draw_velocity"]


def draw_accuracy(ax: Any, result: KernelEvolutionStudy) -> None:
    """Draw the accuracy of networks, and of their kernels on fresh rows, against the epoch."""
    for index, regime in enumerate(result.gain):
        rows = result.rows(regime)
        _curve(
            ax, result, rows, "kernel_accuracy", index, f"kernel of the {regime} network, on fresh rows", "o-"
        )
        _curve(ax, result, rows, "accuracy", index, f"{regime} network", "s:")
    low = result.kernel_accuracy.min() - 0.02
    ax.set_ylim(bottom=min(low, result.accuracy[result.epoch >= 1].min()))
    ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:.3g} %")
    _finish(ax, result, "test accuracy")


def draw_distance(ax: Any, result: KernelEvolutionStudy) -> None:
    """Draw the distance from the first kernel, and to the last, against the epoch."""
    for index, regime in enumerate(result.gain):
        rows = result.rows(regime)
        _curve(ax, result, rows[1:], "distance", index, f"{regime}: from the start", "o-")
        ends = rows[:-1]
        style: Any = {"color": COLORS[index], "linewidth": 1.2, "label": f"{regime}: to the end"}
        ax.plot(_shifted(result.epoch[ends]), result.distance_to_end[ends], ":", **style)
    ax.set_yscale("log")
    _finish(ax, result, "distance of the kernel, 1 minus the cosine")


def draw_velocity(ax: Any, result: KernelEvolutionStudy) -> None:
    """Draw the velocity of the kernel against the epoch."""
    for index, regime in enumerate(result.gain):
        _curve(ax, result, result.rows(regime)[:-1], "velocity", index, regime, "o-")
    ax.set_yscale("log")
    _finish(ax, result, "velocity of the kernel, distance per epoch")


def _shifted(epoch: NDArray) -> NDArray:
    """Positions on a logarithmic axis that has a place for 0."""
    return np.asarray(epoch) + 1.0


def _curve(
    ax: Any, result: KernelEvolutionStudy, rows: NDArray, name: str, index: int, label: str, marker: str
) -> None:
    style: Any = {"color": COLORS[index], "capsize": 2, "markersize": 4, "linewidth": 1.3, "label": label}
    mean, error = getattr(result, name)[rows], getattr(result, f"{name}_se")[rows]
    ax.errorbar(_shifted(result.epoch[rows]), mean, yerr=2 * error, fmt=marker, **style)


def _finish(ax: Any, result: KernelEvolutionStudy, label: str) -> None:
    epochs = np.unique(result.epoch)
    ax.set_xscale("log")
    ax.set_xticks(_shifted(epochs), [f"{epoch}" for epoch in epochs])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("epoch (bars: two standard errors)")
    ax.set_ylabel(label)
    light_axes(ax)
    ax.legend(frameon=False, fontsize="small")
