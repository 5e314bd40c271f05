"""How far optimisers take one function that is written with other weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

_MARKERS = ("o", "s", "^", "D", "v", "P")


class RescalingStudyDisplay:
    """Differences of the outputs against the factor of the first layer, or losses along training.

    Parameters
    ----------
    factors : array-like of shape (k,)
        Positive, ascending.
    differences : mapping of str to array-like of shape (k,)
        By optimiser; infinite where training diverged.
    compensated : mapping of str to array-like of shape (k,)
        The same with steps that compensate for the factor.
    losses : mapping of str to array-like of shape (k, steps + 1)
        Relative to the start.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If shapes or names do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.rescaling.pictures import RescalingStudyDisplay
    >>> apart, together, losses = {"Adam": [0, 0.3]}, {"Adam": [0, 1e-9]}, {"Adam": [[1], [1]]}
    >>> display = RescalingStudyDisplay([1.0, 2.0], apart, together, losses)
    >>> display.factors.tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        factors: ArrayLike,
        differences: Mapping[str, ArrayLike],
        compensated: Mapping[str, ArrayLike],
        losses: Mapping[str, ArrayLike],
    ) -> None:
        self.factors: NDArray = np.asarray(factors, dtype=float)
        self.differences: dict[str, NDArray] = {n: np.asarray(v, float) for n, v in differences.items()}
        self.compensated: dict[str, NDArray] = {n: np.asarray(v, float) for n, v in compensated.items()}
        self.losses: dict[str, NDArray] = {n: np.asarray(v, float) for n, v in losses.items()}
        if not (self.differences.keys() == self.compensated.keys() == self.losses.keys()):
            raise ValueError("differences, compensated and losses must have the same optimisers")
        for name, found in (("differences", self.differences), ("compensated", self.compensated)):
            for key, array in found.items():
                if array.shape != self.factors.shape:
                    raise ValueError(
                        f"{name}[{key!r}] has shape {array.shape} for {self.factors.size} factors"
                    )
        for key, array in self.losses.items():
            if array.ndim != 2 or len(array) != self.factors.size:
                raise ValueError(f"losses[{key!r}] has shape {array.shape} for {self.factors.size} factors")

    @classmethod
    def from_study(
        cls, study: Any, *, ax: Any = None, what: str = "difference", optimizer: str | None = None
    ) -> RescalingStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.rescaling_study``.

        Parameters
        ----------
        study : RescalingStudy
        ax : matplotlib axes or None, default=None
        what : {"difference", "loss"}, default="difference"
        optimizer : str or None, default=None
            See `plot`.

        Returns
        -------
        RescalingStudyDisplay
        """
        rows = {name: study.optimizer == name for name in study.optimizers}
        first = next(iter(rows.values()))
        display = cls(
            study.factor[first],
            {name: study.difference[at] for name, at in rows.items()},
            {name: study.compensated_difference[at] for name, at in rows.items()},
            {name: study.losses[at] for name, at in rows.items()},
        )
        return display.plot(ax, what=what, optimizer=optimizer)

    def plot(
        self, ax: Any = None, *, what: str = "difference", optimizer: str | None = None
    ) -> RescalingStudyDisplay:
        """Draw the differences of all optimisers against the factor, or the losses of one along training.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"difference", "loss"}, default="difference"
        optimizer : str or None, default=None
            Whose losses; None is the first.

        Returns
        -------
        RescalingStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there is no such optimiser.
        """
        if what not in ("difference", "loss"):
            raise ValueError(f"what must be 'difference' or 'loss', got {what!r}")
        optimizer = next(iter(self.losses)) if optimizer is None else optimizer
        if optimizer not in self.losses:
            raise ValueError(f"there are {', '.join(self.losses)}, not {optimizer!r}")
        self.ax_, self.figure_ = axes_and_figure(ax)
        if what == "difference":
            self._draw_differences(self.ax_)
        else:
            self._draw_losses(self.ax_, optimizer)
        light_axes(self.ax_)
        self.ax_.legend(frameon=False, loc="best", fontsize="small")
        return self

    def _draw_differences(self, ax: Any) -> None:
        for index, (name, values) in enumerate(self.differences.items()):
            style = {"color": COLORS[index % len(COLORS)], "marker": _MARKERS[index % len(_MARKERS)]}
            ax.plot(self.factors, values, "-", label=name, **style)
            hollow = {**style, "markerfacecolor": "none", "linestyle": ":"}
            ax.plot(self.factors, self.compensated[name], **hollow)
        worst = max(float(values.max()) for values in self.compensated.values())
        label = "with compensating steps: " + ("0" if worst == 0 else f"at most {worst:.1g}")
        ax.plot([], [], "k:", marker="o", markerfacecolor="none", label=label)
        ax.set_xscale("log", base=2)
        ax.set_xticks(self.factors, [f"{factor:g}" for factor in self.factors])
        ax.set_xlabel(r"factor $c$: weights $c\,W_0$ and $W_L / c$, the same function")
        ax.set_ylabel("largest difference of an output in training,\nrelative to the targets")

    def _draw_losses(self, ax: Any, optimizer: str) -> None:
        shades = np.linspace(0.15, 0.85, self.factors.size)
        from matplotlib import colormaps

        for factor, shade, losses in zip(self.factors, shades, self.losses[optimizer], strict=True):
            finite = np.isfinite(losses)
            label = f"c = {factor:g}" + ("" if finite.all() else ": diverges")
            width = 2.6 if factor == 1 else 1.4
            ax.plot(
                np.flatnonzero(finite),
                losses[finite],
                color=colormaps["viridis"](shade),
                label=label,
                linewidth=width,
            )
        ax.set_yscale("log")
        ax.set_xlabel("steps")
        ax.set_ylabel("loss, relative to the start")
        ax.set_title(
            rf"{optimizer}, from one function written with weights $c\,W_0$ and $W_L / c$", fontsize="medium"
        )
