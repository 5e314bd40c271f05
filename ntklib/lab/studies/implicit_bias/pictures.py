"""Pictures of what training chooses among all that fits, each drawn from records by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .decay import InfluenceDecay
    from .influence import Influence
    from .margin import MarginPath
    from .norm import MinimumNorm
    from .weights import WeightEffect

__all__ = [
    "draw_alignment",
    "draw_decay",
    "draw_decisions",
    "draw_influence",
    "draw_margin",
    "draw_norm",
    "draw_support",
    "draw_weights",
]


def draw_norm(ax: Any, records: Mapping[str, MinimumNorm], model: str | None = None) -> None:
    """Draw the distances of the methods from the nearest interpolant along training.

    Of one model: None is the tangent model, or the first.
    """
    model = _one_of(records, model)
    record = records[model]
    steps = np.maximum(record.step, 0.5)  # the start, at the left end
    for index, (method, errors) in enumerate(zip(record.method, record.error, strict=True)):
        ax.plot(steps, errors, color=COLORS[index % len(COLORS)], linewidth=1.8, label=str(method))
    style = {"color": "black", "linestyle": "--", "linewidth": 1.0}
    ax.plot(steps, record.predicted, label="gradient descent, closed form", **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(bottom=1e-15)
    ax.set_xlabel("step")
    ax.set_ylabel("distance from the nearest interpolant,\nrelative to that of the start")
    ax.set_title(f"least squares, {model} model", fontsize="medium")
    ax.legend(frameon=False, loc="lower left")
    light_axes(ax)


def draw_margin(ax: Any, records: Mapping[str, MarginPath]) -> None:
    """Draw how directions approach that of the support vector machine, with the predicted rates."""
    _draw_rates(ax, records, "distance", "expected_distance", "distance_rate")
    ax.set_ylabel("distance of the direction from the\nsupport vector machine's")
    light_axes(ax)


def draw_alignment(ax: Any, records: Mapping[str, MarginPath]) -> None:
    """Draw the angle between parameters and negative gradient, with the predicted rates."""
    _draw_rates(ax, records, "angle", "expected_angle", "distance_rate")
    ax.set_ylabel("angle between parameters\nand negative gradient")
    light_axes(ax)


def draw_weights(ax: Any, records: Mapping[str, WeightEffect]) -> None:
    """Draw the effect of importance weights against log t, with the predicted rates."""
    _draw_rates(ax, records, "effect", "expected", "rate")
    for index, record in enumerate(records.values()):
        since = record.separated.max()  # NaN unless both runs separate
        if np.isfinite(since):
            at = int(np.searchsorted(record.log_time, since))
            style = {"color": COLORS[index % len(COLORS)], "markersize": 7, "markeredgecolor": "white"}
            ax.plot(since, record.effect[at], "o", zorder=4, **style)
    ax.plot([], [], "o", color="grey", label="classes are separated")
    ax.set_ylabel("distance between the directions\nwith importance weights and without")
    ax.legend(frameon=False, loc="lower left", fontsize="small")
    light_axes(ax)


def draw_decisions(ax: Any, records: Mapping[str, WeightEffect]) -> None:
    """Draw the share of points between the classes that get the heavier one, without weights dotted."""
    for index, (model, record) in enumerate(records.items()):
        color = COLORS[index % len(COLORS)]
        plain, weighted = record.positive
        ax.plot(record.log_time, plain, ":", color=color, linewidth=1.6)
        ax.plot(record.log_time, weighted, color=color, linewidth=1.8, label=model)
    ax.plot([], [], ":", color="grey", label="without weights")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("log(1 + t)")
    ax.set_ylabel("points halfway between the classes\ngiven the heavier class")
    ax.legend(frameon=False, loc="upper right", fontsize="small")
    light_axes(ax)


def draw_support(ax: Any, records: Mapping[str, MarginPath], model: str | None = None) -> None:
    """Draw the share of every sample in the gradient.

    Of one model: None is the tangent model, or the first.
    """
    model = _one_of(records, model)
    record = records[model]
    support = record.multipliers > 0
    seen = record.log_time <= 1000  # after that shares hardly change
    times, shares = record.log_time[seen], record.share[seen]
    for mine, color, label in (
        (~support, COLORS[-1], f"{(~support).sum()} other samples"),
        (support, COLORS[1], f"{support.sum()} support vectors"),
    ):
        lines = ax.plot(times, shares[:, mine], color=color, linewidth=1.1, alpha=0.75)
        if lines:
            lines[0].set_label(label)
    ends = record.multipliers[support]
    label = "multipliers of the machine"
    ax.plot(np.full(len(ends), times[-1] * 1.15), ends, "<", color=COLORS[0], markersize=6, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(1e-6, 1)
    ax.set_xlabel("log(1 + t)")
    ax.set_ylabel("share of the sample in the gradient")
    ax.set_title(f"{model} model", fontsize="medium")
    ax.legend(frameon=False, loc="lower left")
    light_axes(ax)


def draw_influence(ax: Any, records: Mapping[str, Influence]) -> None:
    """Draw the changes by leaving samples out against their prediction."""
    largest = max(np.abs(record.actual).max() for record in records.values())
    ax.axline((0, 0), slope=1, color="black", linewidth=0.8, zorder=1)
    for index, (name, record) in enumerate(records.items()):
        color = COLORS[index % len(COLORS)]
        style = {"color": color, "markersize": 6, "alpha": 0.85, "linestyle": "none"}
        ax.plot(record.actual, record.corrected, marker="o", label=name, markeredgewidth=0, **style)
        ax.plot(record.actual, record.predicted, marker="o", markerfacecolor="none", **style)
    ax.plot([], [], "o", color="grey", markerfacecolor="none", label="not divided by 1 - h")
    ax.set_xlim(-1.08 * largest, 1.08 * largest)
    ax.set_ylim(-1.08 * largest, 1.08 * largest)
    ax.set_xlabel("change of the output at the sample left out")
    ax.set_ylabel("change that influence predicts,\ndivided by 1 - h")
    ax.legend(frameon=False, loc="upper left", fontsize="small")
    light_axes(ax)


def draw_decay(ax: Any, records: Mapping[str, InfluenceDecay]) -> None:
    """Draw the rank correlations of influence with retraining afresh against weight decay, by depth."""
    for index, (model, record) in enumerate(records.items()):
        color = COLORS[index % len(COLORS)]
        near, afresh = record.rank_correlation, record.rank_correlation_afresh
        ax.plot(record.penalty, np.median(afresh, axis=0), "o-", color=color, linewidth=1.8, label=model)
        ax.plot(record.penalty, afresh.T, "o", color=color, markersize=2.5, alpha=0.6)
        ax.plot(record.penalty, np.median(near, axis=0), "--", color=color, linewidth=1.2)
    ax.plot([], [], "--", color="grey", label="trained on from the minimum")
    ax.set_xscale("log")
    ax.set_xticks(record.penalty, [f"{penalty:g}" for penalty in record.penalty])
    ax.minorticks_off()
    ax.set_xlabel("weight decay")
    ax.set_ylabel("rank correlation of influence\nwith retraining")
    ax.legend(frameon=False, loc="lower right", fontsize="small")
    light_axes(ax)


def _one_of(records: Mapping[str, Any], model: str | None) -> str:
    if model is None:
        return "tangent" if "tangent" in records else next(iter(records))
    if model not in records:
        raise ValueError(f"there is no record of {model!r}; there are {', '.join(records)}")
    return model


def _draw_rates(ax: Any, records: Mapping[str, Any], name: str, expected: str, rate: str) -> None:
    """Draw courses against log t, dashed as theory has them."""
    for index, (model, record) in enumerate(records.items()):
        style = {"color": COLORS[index % len(COLORS)]}
        constant = float(getattr(record, rate))
        label = model
        if np.isfinite(constant):
            label = rf"{model}: in theory $\to$ {constant:.3g} / log t"
            late = record.log_time >= 3  # before, two terms of the expansion say little
            curve = getattr(record, expected)
            ax.plot(record.log_time[late], curve[late], linestyle="--", linewidth=1.4, **style)
        ax.plot(record.log_time, getattr(record, name), linewidth=1.8, label=label, **style)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("log(1 + t)")
    ax.legend(frameon=False, loc="lower left", fontsize="small")
