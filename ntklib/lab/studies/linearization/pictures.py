"""Pictures of how far networks and their tangent models come apart, by width and along training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import light_axes
from ntklib.lab.power_law_pictures import draw_power_laws, percent_axis, width_axis

if TYPE_CHECKING:
    from .result import LinearizationStudy


def draw_gaps(ax: Any, result: LinearizationStudy) -> None:
    """Draw the gaps against width, with the fits."""
    gaps = {
        name.replace("_", " ").replace("kernel", "tangent kernel"): (
            getattr(result, name),
            getattr(result, f"{name}_se"),
            law,
        )
        for name, law in result.slopes.items()
    }
    draw_power_laws(ax, result.width, gaps)
    width_axis(ax, result.width)
    percent_axis(ax)
    ax.set_ylabel("gap between network and tangent model,\nrelative to how far the latter goes")
    _finish(ax)


def draw_training(ax: Any, result: LinearizationStudy) -> None:
    """Draw the gap in the outputs along training, a line a width."""
    _draw_paths(ax, result, result.output_paths)
    percent_axis(ax)
    ax.set_ylabel("gap in the outputs, relative to\nhow far the tangent model goes")
    _finish(ax)


def draw_loss(ax: Any, result: LinearizationStudy) -> None:
    """Draw the losses of networks and, dashed, of tangent models along training."""
    _draw_paths(ax, result, result.loss_paths)
    _draw_paths(ax, result, result.tangent_loss_paths, tangent=True)
    ax.plot([], [], "k--", label="tangent model")
    ax.set_yscale("log")
    ax.set_ylabel("loss, relative to the start")
    _finish(ax)


def _draw_paths(ax: Any, result: LinearizationStudy, paths: NDArray, *, tangent: bool = False) -> None:
    """A line a width, light for narrow networks and dark for wide ones."""
    from matplotlib import colormaps

    shades = colormaps["viridis_r"](np.linspace(0.1, 1.0, result.width.size))
    for width, path, shade in zip(result.width, np.median(paths, axis=1), shades, strict=True):
        seen = path > 0  # both start at the same point
        label = None if tangent else f"width {width:.0f}"
        line = "--" if tangent else "-"
        ax.plot(result.steps[seen], path[seen], line, color=shade, linewidth=1.4, label=label)
    ax.set_xlabel("step of gradient descent (medians of the draws)")


def _finish(ax: Any) -> None:
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")
