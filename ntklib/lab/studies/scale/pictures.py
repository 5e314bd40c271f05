"""Pictures of the gaps between networks and their linearisations against the scale of the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

from .measure import TRUST

if TYPE_CHECKING:
    from .result import LocalSlopes, ScaleStudy

_MARKERS = ("o", "s", "^", "D")
_GREY = "#9aa0a6"
_TITLES = {
    "centred": r"centred, $h - h(w_0)$",
    "symmetric": "symmetrised",
    "plain": r"plain, $h(w_0) \neq 0$",
    "offset": "symmetrised, a little off",
}


def draw_outputs(ax: Any, result: ScaleStudy) -> None:
    """Draw the output gaps against the scale."""
    label = "outputs, network from linearisation,\n" + r"$|f_t - g_t| \,/\, |f_0 - y|$"
    _draw(ax, result, "output_gap", "output_error", label)


def draw_parameters(ax: Any, result: ScaleStudy) -> None:
    """Draw the parameter gaps against the scale."""
    label = "parameters, network from\n" + r"linearisation, $|w_t - u_t| \,/\, |w_0|$"
    _draw(ax, result, "parameter_gap", "parameter_error", label)


def draw_movement(ax: Any, result: ScaleStudy) -> None:
    """Draw how far parameters move against the scale."""
    _draw(ax, result, "movement", "parameter_error", r"movement, $|w_t - w_0| \,/\, |w_0|$")


def _draw(ax: Any, result: ScaleStudy, quantity: str, error: str, label: str) -> None:
    """Draw curves on logarithmic axes, and lines of the predicted slopes; what may be error is grey."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    doubtful = False
    for index, (model, slopes) in enumerate(result.slopes.items()):
        rows = result.model == model
        scales, values = result.scale[rows], getattr(result, quantity)[rows]
        counts, drawn = values > TRUST * getattr(result, error)[rows], values > 0
        doubtful |= not counts.all()
        ax.plot(scales[drawn], values[drawn], color=_GREY, linewidth=1.0, zorder=1)
        ax.plot(
            scales[drawn & ~counts],
            values[drawn & ~counts],
            _MARKERS[index % len(_MARKERS)],
            color=_GREY,
            markersize=4,
        )
        style: Any = {"color": COLORS[index % len(COLORS)], "marker": _MARKERS[index % len(_MARKERS)]}
        text = _legend(_TITLES[model], slopes[quantity])
        ax.plot(scales, np.where(counts, values, np.nan), label=text, markersize=4, linewidth=1.4, **style)
        _guide(ax, slopes[quantity], scales, values, style["color"])
    if doubtful:
        ax.plot([], [], "o", color=_GREY, markersize=4, label=f"less than {TRUST:g} times its error")
    ax.set_xlabel(r"scale $\alpha$ of the outputs, at one $\alpha^2 t$")
    ax.set_ylabel(label)
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")


def _legend(title: str, slope: LocalSlopes) -> str:
    if not np.isfinite(slope.least):
        return title
    text = f"slope {slope.ends} ({slope.predicted:g} predicted)"
    return f"{title}: {text.replace('-', chr(0x2212))}"


def _guide(ax: Any, slope: LocalSlopes, scales: np.ndarray, values: np.ndarray, color: str) -> None:
    """Draw a line of the predicted slope along the last decade, below the curve."""
    if np.isfinite(slope.least):
        at = np.array([slope.low, slope.high])
        start = values[np.argmin(np.abs(scales - slope.low))]
        ax.plot(at, start / 3 * (at / slope.low) ** slope.predicted, "--", color=color, linewidth=1.2)
