"""Pictures of the criterion of lazy training against the factor that all weights are multiplied by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ntklib._core.drawing import COLORS, light_axes

if TYPE_CHECKING:
    from .result import HomogeneityStudy

_MARKERS = ("o", "s", "^", "D", "v", "P")


def draw_symmetric(ax: Any, result: HomogeneityStudy) -> None:
    """Draw the criterion against lambda for symmetric starts: powers without end."""
    _draw(ax, result, "symmetric")


def draw_plain(ax: Any, result: HomogeneityStudy) -> None:
    """Draw the criterion against lambda for plain starts: it stops at a limit that is not 0."""
    _draw(ax, result, "plain")


def _draw(ax: Any, result: HomogeneityStudy, start: str) -> None:
    """Draw what was computed anew, marks, on the lines predicted, and the limits."""
    factors, limited = np.unique(result.factor), False
    ax.set_xscale("log")
    ax.set_yscale("log")
    for index, (depth, degree) in enumerate(result.kinds):
        rows = result.rows(depth, degree, start)
        color, marker = COLORS[index % len(COLORS)], _MARKERS[index % len(_MARKERS)]
        label = f"depth {depth}, $\\sigma_{{{degree}}}$: q = {result.q[rows[0]]}"
        ax.plot(factors, result.predicted[rows], color=color, linewidth=1.2, alpha=0.7)
        ax.plot(factors, result.kappa[rows], marker, color=color, markersize=5, label=label)
        if (limit := result.limit[rows[0]]) > 0:
            limited = True
            ax.axhline(limit, color=color, linestyle=":", linewidth=1.2)
    if limited:
        ax.plot([], [], color="gray", linestyle=":", label="limit, $|h|\\,|D^2h|/|Dh|^2$")
    ax.plot([], [], color="gray", linewidth=1.2, label="predicted from $\\lambda = 1$")
    ax.set_xticks(factors, [f"{factor:g}" for factor in factors])
    ax.set_xticks([], minor=True)
    ax.set_xlabel(r"factor $\lambda$ of all weights")
    ax.set_ylabel(r"criterion $\kappa(\lambda w_0)$")
    light_axes(ax)
    ax.legend(frameon=False, loc="best", fontsize="small")
