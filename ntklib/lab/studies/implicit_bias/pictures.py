"""What training chooses among all that fits: the pictures of the study of implicit bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

_KINDS = ("norm", "margin", "support", "weights", "influence")


class ImplicitBiasDisplay:
    """Courses of training on logarithmic axes, from the records of a study of implicit bias.

    Parameters
    ----------
    norm : mapping of str to record, default=None
        By model: ``method``, ``step``, ``error``, ``predicted``.
    margin : mapping of str to record, default=None
        By model: ``log_time``, ``distance``, ``expected_distance``, ``distance_rate``, ``share`` and
        ``multipliers``.
    weights : mapping of str to record, default=None
        By model: ``log_time``, ``effect``, ``expected``, ``rate``, ``separated``.
    influence : mapping of str to record, default=None
        By model: ``predicted``, ``corrected``, ``actual``.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from ntklib.lab.studies.implicit_bias.pictures import ImplicitBiasDisplay
    >>> half, whole = np.array([0.1]), np.array([0.2])
    >>> changes = SimpleNamespace(predicted=half, corrected=whole, actual=whole)
    >>> ImplicitBiasDisplay(influence={"kernel ridge": changes}).kinds
    ('influence',)
    """

    def __init__(
        self,
        *,
        norm: Mapping[str, Any] | None = None,
        margin: Mapping[str, Any] | None = None,
        weights: Mapping[str, Any] | None = None,
        influence: Mapping[str, Any] | None = None,
    ) -> None:
        self.norm = dict(norm or {})
        self.margin = dict(margin or {})
        self.weights = dict(weights or {})
        self.influence = dict(influence or {})

    @property
    def kinds(self) -> tuple[str, ...]:
        """Pictures that there are records for."""
        return tuple(kind for kind in _KINDS if getattr(self, "margin" if kind == "support" else kind))

    @classmethod
    def from_study(cls, study: Any, ax: Any = None, *, what: str = "margin") -> ImplicitBiasDisplay:
        """Draw the result of ``ntklib.lab.studies.implicit_bias_study``.

        Parameters
        ----------
        study : ImplicitBiasStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"norm", "margin", "support", "weights", "influence"}, default="margin"
            See `plot`.

        Returns
        -------
        ImplicitBiasDisplay
        """
        display = cls(norm=study.norm, margin=study.margin, weights=study.weights, influence=study.influence)
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "margin", model: str | None = None) -> ImplicitBiasDisplay:
        """Draw one of the pictures.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"norm", "margin", "support", "weights", "influence"}, default="margin"
            Distance from the nearest interpolant along training; distance of the directions from the support
            vector machine's against log t, with the predicted rates; share of every sample in the gradient;
            effect of importance weights against log t; changes by leaving samples out against their
            prediction.
        model : str or None, default=None
            The one whose course is drawn for "norm" and "support"; None is the tangent model, or the first.

        Returns
        -------
        ImplicitBiasDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is no record for what is asked.
        """
        if what not in _KINDS:
            raise ValueError(f"what must be one of {', '.join(map(repr, _KINDS))}, got {what!r}")
        if what not in self.kinds:
            raise ValueError(f"there is no record for {what!r} in this display; it has {self.kinds}")
        records = self.margin if what == "support" else getattr(self, what)
        if model is None:
            model = "tangent" if "tangent" in records else next(iter(records))
        elif model not in records:
            raise ValueError(f"there is no record of {model!r}; there are {', '.join(records)}")
        self.ax_, self.figure_ = axes_and_figure(ax)
        getattr(self, f"_draw_{what}")(self.ax_, model)
        light_axes(self.ax_)
        return self

    def _draw_norm(self, ax: Any, model: str) -> None:
        record = self.norm[model]
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

    def _draw_margin(self, ax: Any, model: str) -> None:
        self._draw_rates(ax, self.margin, "distance", "expected_distance", "distance_rate")
        ax.set_ylabel("distance of the direction from the\nsupport vector machine's")

    def _draw_weights(self, ax: Any, model: str) -> None:
        self._draw_rates(ax, self.weights, "effect", "expected", "rate")
        for index, record in enumerate(self.weights.values()):
            since = record.separated.max()  # NaN unless both runs separate
            if np.isfinite(since):
                at = int(np.searchsorted(record.log_time, since))
                style = {"color": COLORS[index % len(COLORS)], "markersize": 7, "markeredgecolor": "white"}
                ax.plot(since, record.effect[at], "o", zorder=4, **style)
        ax.plot([], [], "o", color="grey", label="classes are separated")
        ax.set_ylabel("distance between the directions\nwith importance weights and without")
        ax.legend(frameon=False, loc="lower left", fontsize="small")

    @staticmethod
    def _draw_rates(ax: Any, records: Mapping[str, Any], name: str, expected: str, rate: str) -> None:
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

    def _draw_support(self, ax: Any, model: str) -> None:
        record = self.margin[model]
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

    def _draw_influence(self, ax: Any, model: str) -> None:
        largest = max(np.abs(record.actual).max() for record in self.influence.values())
        ax.axline((0, 0), slope=1, color="black", linewidth=0.8, zorder=1)
        for index, (name, record) in enumerate(self.influence.items()):
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
