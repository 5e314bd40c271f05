"""Pictures of the criterion of lazy training against width, and of the norms that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import light_axes
from ntklib.lab.power_law_pictures import draw_power_laws, width_axis

if TYPE_CHECKING:
    from .result import CriterionStudy

_TITLES = {"differential": "|Dh|", "second_derivative": "|D²h|"}


def draw_kappa(ax: Any, result: CriterionStudy) -> None:
    """Draw the criterion against width with the fitted powers."""
    _draw(ax, result, {"kappa": "{}"}, r"criterion $\kappa = |h - y|\,|D^2h|/|Dh|^2$")


def draw_parts(ax: Any, result: CriterionStudy) -> None:
    """Draw the norms of the first and second derivative against width."""
    _draw(ax, result, {name: f"{title}, {{}}" for name, title in _TITLES.items()}, "operator norm")
    ax.set_ylim(top=15 * ax.get_ylim()[1])  # room for the legend above lines that go up and down


def _draw(ax: Any, result: CriterionStudy, titles: dict[str, str], label: str) -> None:
    series = {
        titles[law.quantity].format(law.parameterization): (*result.moments(law), law.fitted)
        for law in result.laws
        if law.quantity in titles
    }
    widths = np.unique(result.width).astype(float)
    draw_power_laws(ax, widths, series)
    ax.set_yscale("log")
    width_axis(ax, widths)
    ax.set_ylabel(label)
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")
