"""Pictures of teachers and students: paths of neurons in the plane, test losses, the mean-field limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.drawing import COLORS, light_axes
from ntklib.lab.power_law_pictures import percent_axis, width_axis

if TYPE_CHECKING:
    from .result import FeatureLearningStudy, NeuronPaths

__all__ = ["draw_laws", "draw_limit", "draw_paths", "draw_scale", "draw_width"]

_PLUS, _MINUS = COLORS[1], COLORS[0]


def draw_paths(ax: Any, result: FeatureLearningStudy) -> None:
    """Draw the paths of the neurons ``|v_j| w_j`` in the plane, small and large scale side by side."""
    ax.axis("off")
    share = 1 / len(result.paths)
    for index, record in enumerate(result.paths.values()):
        panel = ax.inset_axes((index * share, 0.09, share, 0.84))
        _draw_neurons(panel, record)
        panel.set_title(f"weights of scale {record.scale:g} at the start", fontsize="medium")
    style = {"color": "grey", "linestyle": "none"}
    ax.plot([], [], color="grey", linewidth=3.5, alpha=0.45, label="teacher")
    ax.plot([], [], marker="o", label="student, after training", **style)
    ax.plot([], [], marker="o", markerfacecolor="none", markersize=4, label="before", **style)
    for color, label in ((_PLUS, "positive output"), (_MINUS, "negative output")):
        ax.plot([], [], color=color, label=label)
    ax.legend(frameon=False, loc="lower center", ncols=5, fontsize="small", bbox_to_anchor=(0.5, -0.04))


def _draw_neurons(ax: Any, record: NeuronPaths) -> None:
    """Draw the teacher's neurons as bars, the student's paths, starts and ends, and the unit circle."""
    for end, sign in zip(record.teacher, record.teacher_signs, strict=True):
        color = _PLUS if sign > 0 else _MINUS
        ax.plot([0, end[0]], [0, end[1]], color=color, linewidth=5, alpha=0.35, solid_capstyle="round")
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), color="grey", linestyle=":", linewidth=1)
    for path, sign in zip(record.points.transpose(1, 0, 2), record.signs, strict=True):
        color = _PLUS if sign > 0 else _MINUS
        ax.plot(*path.T, color=color, linewidth=1)
        ax.plot(*path[0], "o", color=color, markersize=4, markerfacecolor="none")
        ax.plot(*path[-1], "o", color=color, markersize=5.5)
    reach = 1.1 * max(1.0, float(np.abs(record.points).max()))
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def draw_scale(ax: Any, result: FeatureLearningStudy) -> None:
    """Draw the test loss against the scale of the weights at the start."""
    rows = result.rows("scale")
    scales = result.scale[rows]
    _draw_loss(ax, 0, "after training", scales, result.test_loss[rows], result.test_loss_se[rows])
    _draw_loss(ax, 1, "best in training", scales, result.best_test_loss[rows])
    _draw_level(ax, "black", "tangent model", result.tangent_loss)
    _loss_axis(ax)
    ax.set_xscale("log")
    ax.set_xlabel("scale of the weights at the start (left: features are learned, right: lazy)")
    ax.legend(frameon=False, fontsize="small")


def draw_width(ax: Any, result: FeatureLearningStudy) -> None:
    """Draw the test loss against width, in both parameterisations."""
    ntk, wide = result.rows("ntk"), result.rows("mean_field")
    for index, (name, rows) in enumerate(((r"$1/\sqrt{m}$", ntk), (r"$1/m$", wide[:-1]))):
        _draw_loss(ax, index, name, result.width[rows], result.test_loss[rows], result.test_loss_se[rows])
    _draw_level(ax, COLORS[0], r"analytic NTK, the limit of $1/\sqrt{m}$", result.kernel_loss)
    near = f"width {result.limit.reference_width}, near the limit of $1/m$"
    _draw_level(ax, COLORS[1], near, result.test_loss[wide[-1]])
    _loss_axis(ax)
    width_axis(ax, result.width[ntk])
    ax.set_xlabel("width m")
    ax.legend(frameon=False, fontsize="small")


def _draw_loss(ax: Any, index: int, name: str, x: NDArray, y: NDArray, error: NDArray | None = None) -> None:
    """Draw a curve, dashed if it has no standard errors."""
    style: Any = {"color": COLORS[index], "capsize": 3, "markersize": 5, "linewidth": 1.4}
    bars = 2 * error if error is not None and error.any() else None
    ax.errorbar(x, y, yerr=bars, fmt="--" if bars is None else "o-", label=name, **style)


def _draw_level(ax: Any, color: str, name: str, height: float) -> None:
    ax.axhline(height, color=color, linestyle=":", linewidth=1.4, label=name)


def _loss_axis(ax: Any) -> None:
    percent_axis(ax)
    ax.set_ylabel("test loss, relative to outputs 0\n(bars: two standard errors)")
    light_axes(ax)


def draw_limit(ax: Any, result: FeatureLearningStudy) -> None:
    """Draw the distance of the outputs from those of a very wide student against width."""
    limit = result.limit
    m, M = limit.width, limit.reference_width
    curves = zip(
        limit.step, limit.exponent, limit.exponent_se, limit.distance, limit.distance_se, strict=True
    )
    for index, (step, power, spread, distance, error) in enumerate(curves):
        style: Any = {"color": COLORS[index], "capsize": 3, "markersize": 6}
        name = rf"after {step} steps: power ${power:.2f} \pm {spread:.2f}$"
        ax.errorbar(m, distance, yerr=2 * error, fmt="os"[index % 2], label=name, **style)
        root = np.sqrt(1 / m + 1 / M)
        through = np.exp(np.mean(np.log(distance / root)[m.size // 2 :]))
        ax.plot(m, through * root, "--", color=COLORS[index], linewidth=1.2)
    ax.plot([], [], "--", color="grey", label=r"$\propto (1/m + 1/M)^{1/2}$")
    percent_axis(ax)
    width_axis(ax, m)
    ax.set_xlabel("width m (bars: two standard errors)")
    ax.set_ylabel(f"difference from outputs of width M = {M},\nrelative to the teacher's")
    light_axes(ax)
    ax.legend(frameon=False)


def draw_laws(ax: Any, result: FeatureLearningStudy) -> None:
    """Draw how much of the mass of the neurons is how near to the teacher's, by width."""
    limit = result.limit
    last = len(limit.width)
    widths = [*limit.width, limit.reference_width]
    for index, (m, share) in enumerate(zip(widths, limit.laws, strict=True)):
        tint = 0.85 - 0.85 * index / last  # the wider, the darker
        style = {"color": str(tint), "linewidth": 1.2} if index < last else {"color": COLORS[1]}
        ax.plot(limit.cosine, share, label=f"width {m}", **style)
    ax.set_xlabel("cosine to the nearest teacher neuron of the same sign")
    ax.set_ylabel("share of the neurons' mass\nwhose cosine is at most that")
    ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
    light_axes(ax)
    ax.legend(frameon=False, fontsize="small")
