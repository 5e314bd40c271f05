"""Networks by the scale of their outputs: test accuracy beside linear models', and what training changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, along, axes_and_figure, light_axes, positive_axis
from ntklib.lab.power_law_pictures import percent_axis

_LINES = ("--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v")


class LazyStudyDisplay:
    """Test accuracy of networks against the scale of their outputs, or what training changed in them.

    Parameters
    ----------
    scales : array-like of shape (k,)
    accuracy : pair of array-like of shape (k,)
        The networks' accuracies, and the standard errors of what they are better than the tangent model:
        those of the accuracies themselves are mostly the splits', which all models share.
    linear_models : mapping of str to float or None, default=None
        Accuracies that are drawn across.
    changes : mapping of str to array-like of shape (k,) or None, default=None
        Relative changes in training, by name.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If scales are not positive, or arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.lazy_accuracy.pictures import LazyStudyDisplay
    >>> display = LazyStudyDisplay([0.1, 10.0], ([0.95, 0.93], [0.01, 0.01]), {"NTK": 0.94})
    >>> display.scales.tolist()
    [0.1, 10.0]
    """

    def __init__(
        self,
        scales: ArrayLike,
        accuracy: tuple[ArrayLike, ArrayLike],
        linear_models: Mapping[str, float] | None = None,
        *,
        changes: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.scales = positive_axis(scales, "scales")
        self.accuracy = (self._checked("accuracy", accuracy[0]), self._checked("accuracy", accuracy[1]))
        self.linear_models = dict(linear_models or {})
        self.changes = {name: self._checked(name, values) for name, values in (changes or {}).items()}

    def _checked(self, name: str, values: ArrayLike) -> NDArray:
        return along(self.scales, "scales", name, values)

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "accuracy") -> LazyStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.lazy_study``.

        Parameters
        ----------
        study : LazyStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"accuracy", "changes"}, default="accuracy"
            See `plot`.

        Returns
        -------
        LazyStudyDisplay
        """
        titles = {"tangent": "tangent model", "ntk": "analytic NTK", "random_features": "random features"}
        display = cls(
            study.scale,
            (study.accuracy, study.advantage_se),
            {titles[name]: model.accuracy for name, model in study.linear_models.items()},
            changes={
                "activations that changed sign": study.sign_changes,
                "tangent kernel": study.kernel,
                "parameters": study.movement,
                "test outputs, from the tangent model's": study.distance,
            },
        )
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "accuracy") -> LazyStudyDisplay:
        """Draw the accuracies, or the changes in training, against the scale.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"accuracy", "changes"}, default="accuracy"

        Returns
        -------
        LazyStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no changes to draw.
        """
        if what not in ("accuracy", "changes"):
            raise ValueError(f"what must be 'accuracy' or 'changes', got {what!r}")
        if what == "changes" and not self.changes:
            raise ValueError("there are no changes in this display; pass changes=")
        self.ax_, self.figure_ = axes_and_figure(ax)
        self.ax_.set_xscale("log")
        draw = self._draw_accuracy if what == "accuracy" else self._draw_changes
        draw(self.ax_)
        self.ax_.set_xlabel(r"scale $\alpha$ of the outputs (left: features are learned, right: lazy)")
        light_axes(self.ax_)
        self.ax_.legend(frameon=False, loc="best", fontsize="small")
        return self

    def _draw_accuracy(self, ax: Any) -> None:
        values, spread = self.accuracy
        style = {"color": COLORS[0], "capsize": 3, "markersize": 6, "linewidth": 1.4}
        ax.errorbar(self.scales, values, yerr=2 * spread, fmt="o-", label="network", zorder=3, **style)
        for index, (name, height) in enumerate(self.linear_models.items()):
            color = COLORS[1 + index % (len(COLORS) - 1)]
            label = f"{name}: {100 * height:.1f} %"
            line = _LINES[index % len(_LINES)]
            ax.axhline(height, color=color, linestyle=line, linewidth=1.6, label=label)
        ax.yaxis.set_major_formatter(lambda value, position: f"{100 * value:g} %")
        ax.set_ylabel("test accuracy (bars: two standard errors\nof the difference to the tangent model)")

    def _draw_changes(self, ax: Any) -> None:
        for index, (name, values) in enumerate(self.changes.items()):
            style = {"color": COLORS[index % len(COLORS)], "marker": _MARKERS[index % len(_MARKERS)]}
            ax.plot(self.scales, values, linewidth=1.4, markersize=5, label=name, **style)
        percent_axis(ax)
        ax.set_ylabel("relative change in training")
