"""Pictures of losses under certified bounds, of how loose these are, and of where they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import LazyDecayStudy

_SOLID: tuple[dict[str, Any], ...] = (
    {"linestyle": "-", "linewidth": 2.2, "zorder": 4},
    {"linestyle": (0, (2.5, 2.0)), "linewidth": 2.0, "zorder": 5},
)
_THIN: tuple[Any, ...] = ((0, (7, 2)), (0, (1, 1.2)), (0, (7, 2, 1, 2)), "-")
_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v")


def draw_loss(ax: Any, result: LazyDecayStudy, **run: Any) -> None:
    """Draw the loss of one run, chosen like in `LazyDecayStudy.find`, under the bounds that hold for it."""
    row = result.find(**run)
    curves: dict[bytes, tuple[list[str], NDArray]] = {}  # theorems of equal rates share one
    for name, values in result.loss_bounds.items():
        curves.setdefault(values[row].tobytes(), ([], values[row]))[0].append(name)
    bounds = {
        f"bound of theorem{'s' if len(names) > 1 else ''} {' and '.join(names)}": values
        for names, values in curves.values()
    }
    draw_under_bounds(
        ax,
        result.times,
        {"network": result.loss[row], "its linearisation": result.linear_loss[row]},
        bounds,
        {"bound of the linearisation": result.linear_loss_bound[row]},
    )
    ax.set_xlabel(r"time $\alpha^2 \sigma_{\min}^2 t$ of the gradient flow")
    multiple = "" if result.factor[row] == 1 else f"{result.factor[row]:g} times "
    title = f"width {result.width[row]}, n = {result.n[row]}, scale {result.scale[row]:.3g}: {multiple}"
    ax.set_title(f"{title}the threshold of theorem {result.theorem[row]}", fontsize="medium")


def draw_under_bounds(
    ax: Any,
    times: NDArray,
    losses: Mapping[str, NDArray],
    bounds: Mapping[str, NDArray],
    references: Mapping[str, NDArray],
) -> None:
    """Draw losses against time under what was proved of the first: what that excludes is shaded.

    Parameters
    ----------
    ax : matplotlib axes
    times : ndarray of shape (T,)
    losses : mapping of str to ndarray of shape (T,)
        Measured, two at most, by the name in the legend.
    bounds : mapping of str to ndarray of shape (T,)
        Proved for the first of them.  One that is infinite is not drawn; the legend says that it does not
        hold.
    references : mapping of str to ndarray of shape (T,)
        Other curves, drawn thin and grey.
    """
    ax.set_yscale("log")
    for index, (name, values) in enumerate(losses.items()):
        ax.plot(times, _positive(values), label=name, color=COLORS[index], **_SOLID[index])
    for index, (name, values) in enumerate(bounds.items()):
        style = {"color": COLORS[2 + index % (len(COLORS) - 3)], "linestyle": _THIN[index % len(_THIN)]}
        holds = np.isfinite(values).all()
        label = name if holds else f"{name}: does not hold here"
        x, height = (times, values) if holds else ([], np.empty(0))
        ax.plot(x, _positive(height), linewidth=1.5, label=label, zorder=3, **style)
    for index, (name, values) in enumerate(references.items()):
        style = {"color": COLORS[-1], "linestyle": _THIN[(1 + index) % len(_THIN)]}
        ax.plot(times, _positive(values), linewidth=1.2, label=name, zorder=2, **style)
    finite = [values for values in bounds.values() if np.isfinite(values).all()]
    if finite:
        top = 3 * max(values.max() for values in (*finite, *losses.values(), *references.values()))
        ax.fill_between(times, np.min(finite, axis=0), top, color=COLORS[-1], alpha=0.10, linewidth=0)
        ax.set_ylim(top=top)
    ax.set_xlim(times[0], times[-1])
    ax.set_ylabel("loss")
    light_axes(ax)
    ax.legend(frameon=False, loc="lower left", fontsize="small")


def _positive(values: NDArray) -> NDArray:
    """Leave a gap where a loss is 0: a log axis has no such place."""
    return np.where(values > 0, values, np.nan)


def draw_ratios(ax: Any, result: LazyDecayStudy) -> None:
    """Draw how much of each bound was used, against the scale."""
    known = {(one.width, one.n): one.thresholds for one in result.settings}
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.axhline(1, color=COLORS[-1], linewidth=1.2, label="certified: nothing above")
    for index, (name, rate) in enumerate(result.rate_ratios.items()):
        own = [known[pair][name] for pair in zip(result.width.tolist(), result.n.tolist(), strict=True)]
        x = result.scale / np.array(own)
        style: dict[str, Any] = {"color": COLORS[index % len(COLORS)], "linestyle": "none"}
        style |= {"marker": _MARKERS[index % len(_MARKERS)], "markersize": 6, "alpha": 0.75}
        ax.plot(x, rate, label=f"theorem {name}: rate", **style)
        distance = result.distance_ratios[name]
        ax.plot(x, distance, label=f"theorem {name}: distance", markerfacecolor="none", **style)
    ax.set_xlabel("scale over the threshold of the theorem")
    ax.set_ylabel("certified over measured rate,\nmeasured over certified distance")
    light_axes(ax)
    ax.legend(frameon=False, fontsize="small", loc="best")


def draw_thresholds(ax: Any, result: LazyDecayStudy) -> None:
    """Draw the least certified scales against width, for each n, beside the least that were needed."""
    width, n = (np.array([getattr(one, name) for one in result.settings]) for name in ("width", "n"))
    ax.set_xscale("log")
    ax.set_yscale("log")
    for index, name in enumerate(result.settings[0].thresholds):
        values = np.array([one.thresholds[name] for one in result.settings])
        for place, count in enumerate(np.unique(n)):
            chosen = np.flatnonzero(n == count)
            chosen = chosen[np.argsort(width[chosen])]
            style = {"color": COLORS[index % len(COLORS)], "linestyle": _LINES[place % len(_LINES)]}
            marker = {"marker": _MARKERS[place % len(_MARKERS)], "markersize": 5}
            label = f"theorem {name}, n = {count}"
            ax.plot(width[chosen], values[chosen], linewidth=1.4, label=label, **style, **marker)
    kept: dict[str, Any] = {"color": COLORS[-1], "linestyle": "none", "marker": "v", "markersize": 6}
    label = "promise of theorem A\nkept down to"
    ax.plot(width, [one.kept_down_to for one in result.settings], label=label, **kept)
    ax.set_xticks(np.unique(width), [str(m) for m in np.unique(width)])
    ax.minorticks_off()
    ax.set_xlabel("width")
    ax.set_ylabel(r"scale $\alpha$: certified from here on")
    light_axes(ax)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
