"""The section on the lazy-training theorem: losses under what was promised of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib.lab.studies.lazy_decay.pictures import draw_under_bounds
from ntklib.plotting import HistoryDisplay

from ._figures import picture
from ._format import large, plain_number
from ._theorem import LazyTraining

if TYPE_CHECKING:
    from ._records import Analysis


def theorem(analysis: Analysis) -> dict[str, Any] | None:
    """Promises on a wide network before it is trained, and what came of them."""
    lazy = analysis.theorem
    if lazy is None:
        return None
    steps = np.arange(len(lazy.run.loss))
    curves = {"loss": (steps, lazy.run.loss), "proved afterwards": (steps, lazy.run.loss_bound)}
    return {
        "lazy": lazy,
        "promises": _promises(lazy),
        "flow": picture(
            "theorem-flow",
            lambda ax: _draw_flow(ax, lazy),
            alt="loss of a network against time, below the bounds of two theorems",
        ),
        "descent": picture(
            "theorem-run",
            HistoryDisplay(curves).plot,
            alt="loss of gradient descent against steps, below the bound proved for it",
        ),
    }


def _draw_flow(ax: Any, lazy: LazyTraining) -> None:
    draw_under_bounds(
        ax,
        lazy.times,
        {"network": lazy.loss, "its linear model": lazy.linear_loss},
        {f"promised by theorem {name}": one.loss_bound for name, one in lazy.promises.items()},
        {"promised of the linear model": lazy.linear_loss_bound},
    )
    ax.set_xlabel("time t")


def _promises(lazy: LazyTraining) -> list[tuple[str, ...]]:
    """Rows of the table of promises: a title, the value of each theorem, and what was measured."""
    promises = [lazy.promises[name] for name in ("A", "A'")]
    start = f"loss at the end, from {lazy.loss[0]:.3g}: at most"
    dash = large(None)
    return [
        ("holds from scale", *(plain_number(one.scale_threshold) for one in promises), dash),
        (start, *(f"{one.loss_bound[-1]:.2g}" for one in promises), f"{lazy.loss[-1]:.2g}"),
        (
            "weights move by at most",
            *(f"{one.distance_bound:.3g}" for one in promises),
            f"{lazy.distance:.3g}",
        ),
        ("width for scale 1, about", *(large(one.certifying_width) for one in promises), dash),
    ]
