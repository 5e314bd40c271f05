"""The section on what drives the predictions: importance of columns, and partial dependence on the first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

from ._dependence import Dependence
from ._figures import draw_intervals, label_text, picture
from ._importance import Importance

if TYPE_CHECKING:
    from ._records import Analysis

N_DRAWN, N_DEPENDENCES = 12, 4


def drivers(analysis: Analysis) -> dict[str, Any] | None:
    """Columns whose values matter to the predictions of held-out rows, and how."""
    importance = analysis.importance
    if importance is None:
        return None
    clear = [name for name, low in zip(importance.columns, importance.low, strict=True) if low > 0]
    drawn = min(N_DRAWN, len(importance.columns))
    return {
        "importance": importance,
        "clear": clear,
        "drawn": drawn,
        "picture": picture(
            "importance",
            lambda ax: _draw_importance(ax, importance, drawn),
            alt="importance of the first columns with their intervals",
            size=(5.6, 0.32 * drawn + 0.9),
        ),
        "dependences": [
            picture(
                f"dependence-{i}",
                partial(_draw_dependence, one=one, analysis=analysis),
                alt=f"mean prediction against {one.column}",
                size=(3.6, 2.9),
            )
            for i, one in enumerate(analysis.dependences)
        ],
        "several": any(len(one.curves) > 1 for one in analysis.dependences),
    }


def _draw_importance(ax: Any, importance: Importance, drawn: int) -> None:
    rows = zip(importance.cost[:drawn], importance.low[:drawn], importance.high[:drawn], strict=True)
    names = [label_text(name) for name in importance.columns[:drawn]]
    change = "R² lost" if importance.measure == "R²" else "log-loss added"
    draw_intervals(ax, names, list(rows), f"{change} when the column is shuffled", first=False)
    ax.axvline(0, color=COLORS[-1], linewidth=0.8)


def _range(one: Dependence) -> list[float]:
    return [float(end) for curve in one.curves.values() for end in (curve.min(), curve.max())]


def _draw_dependence(ax: Any, one: Dependence, analysis: Analysis) -> None:
    for color, (name, curve) in zip(COLORS, one.curves.items(), strict=False):
        style = "o" if one.labels is not None else "-"
        values = np.round(one.values).astype("datetime64[D]") if one.dates else one.values
        ax.plot(values, curve, style, color=color, label=label_text(name))
    if one.labels is not None:
        labels = [label_text(text, 12) or "(empty)" for text in one.labels]
        ax.set_xticks(one.values, labels, rotation=45, ha="right")
    if one.dates:
        ax.tick_params(axis="x", rotation=45)
    ax.set_xlabel(label_text(one.column))
    ends = [end for other in analysis.dependences for end in _range(other)]
    margin = 0.05 * (max(ends) - min(ends))
    ax.set_ylim(min(ends) - margin, max(ends) + margin)  # the same for all: steep lines matter most
    if analysis.data.task == "regression":
        ax.set_ylabel(label_text(f"mean {analysis.data.target}"))
    else:
        only = next(iter(one.curves)) if len(one.curves) == 1 else ""
        ax.set_ylabel(label_text(f"probability of {only}" if only else "probability"))
    if len(one.curves) > 1:
        ax.legend(frameon=False, fontsize=9)
    light_axes(ax)
