"""Pictures of networks by the scale of their outputs: test accuracy, and what training changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ntklib._core.drawing import COLORS, light_axes
from ntklib.lab.power_law_pictures import percent_axis

if TYPE_CHECKING:
    from .result import LazyAccuracyStudy

_MODELS = {"tangent": "tangent model", "ntk": "analytic NTK", "random_features": "random features"}
_LINES = ("--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")


def draw_accuracy(ax: Any, result: LazyAccuracyStudy) -> None:
    """Draw the test accuracy against the scale, with the linear models' across.

    Bars are of what the networks are better than the tangent model: the standard errors of the accuracies
    themselves are mostly the splits', which all models share.
    """
    style: Any = {"color": COLORS[0], "capsize": 3, "markersize": 6, "linewidth": 1.4, "zorder": 3}
    ax.errorbar(
        result.scale, result.accuracy, yerr=2 * result.advantage_se, fmt="o-", label="network", **style
    )
    for (name, title), color, line in zip(_MODELS.items(), COLORS[1:4], _LINES, strict=True):
        height = result.linear_models[name].accuracy
        label = f"{title}: {100 * height:.1f} %"
        ax.axhline(height, color=color, linestyle=line, linewidth=1.6, label=label)
    ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
    ax.set_ylabel("test accuracy (bars: two standard errors\nof the difference to the tangent model)")
    _finish(ax)


def draw_changes(ax: Any, result: LazyAccuracyStudy) -> None:
    """Draw what changed in training against the scale: signs, kernel, parameters, outputs."""
    changes = {
        "activations that changed sign": result.sign_changes,
        "tangent kernel": result.kernel,
        "parameters": result.movement,
        "test outputs, from the tangent model's": result.distance,
    }
    for (name, values), color, marker in zip(changes.items(), COLORS[:4], _MARKERS, strict=True):
        ax.plot(result.scale, values, color=color, marker=marker, linewidth=1.4, markersize=5, label=name)
    percent_axis(ax)
    ax.set_ylabel("relative change in training")
    _finish(ax)


def _finish(ax: Any) -> None:
    ax.set_xscale("log")
    ax.set_xlabel(r"scale $\alpha$ of the outputs (left: features are learned, right: lazy)")
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")
