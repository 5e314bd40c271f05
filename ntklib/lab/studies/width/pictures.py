"""Pictures of the tangent kernel's approach to its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes
from ntklib.lab.power_law_pictures import draw_power_laws, percent_axis, width_axis

if TYPE_CHECKING:
    from .result import WidthStudy


def draw_error(ax: Any, result: WidthStudy) -> None:
    """Draw the errors against width, with the fits and the exact expectation."""
    norms = {
        "Frobenius norm": (result.error, result.error_se, result.slope),
        "operator norm": (result.operator_error, result.operator_error_se, result.operator_slope),
    }
    draw_power_laws(ax, result.width, norms)
    if np.isfinite(result.exact_error).any():
        label = "exact expectation, Frobenius norm"
        ax.plot(result.width, result.exact_error, "--", color=COLORS[2], linewidth=1.8, label=label, zorder=1)
    percent_axis(ax)
    ax.set_ylabel("relative error of the kernel matrix")
    _finish(ax, result)


def draw_eigenvalue(ax: Any, result: WidthStudy) -> None:
    """Draw the smallest eigenvalue against width, with that of the limit."""
    bars = 2 * result.min_eigenvalue_se
    style: Any = {"fmt": "o", "color": COLORS[0], "capsize": 3, "label": "networks, mean"}
    ax.errorbar(result.width, result.min_eigenvalue, yerr=bars, **style)
    label = f"limit: {result.limit_eigenvalue:.3g}"
    ax.axhline(result.limit_eigenvalue, color=COLORS[1], linestyle="--", linewidth=1.4, label=label)
    ax.set_ylabel("smallest eigenvalue of the kernel matrix")
    _finish(ax, result)


def _finish(ax: Any, result: WidthStudy) -> None:
    width_axis(ax, result.width)
    light_axes(ax)
    ax.legend(frameon=False, loc="best")
