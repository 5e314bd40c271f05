"""Curves of training: loss or distance against time, one for each trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

DECADES = 1e-16  # relative to the largest loss; what is below is rounding to anybody but us
LABELS = {"loss": "data loss (sum over samples)", "distance": r"distance $|w_t - w_0|$"}


class TrajectoryDisplay:
    """Curves of training against time or steps, the loss on a logarithmic axis, the distance on a linear one.

    The value at infinite time, if there is one, is drawn as a dashed line.

    Parameters
    ----------
    curves : mapping of str to (times, values)
        For each run its name and two equally long arrays.
    quantity : {"loss", "distance"}, default="loss"
        For the axis.
    time_name : str, default="time"
        For the axis.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If there is no curve, or lengths differ.

    Examples
    --------
    >>> from ntklib.plotting import TrajectoryDisplay
    >>> display = TrajectoryDisplay({"flow": ([0.0, 1.0, 2.0], [1.0, 0.4, 0.2])})
    >>> display.quantity
    'loss'
    """

    def __init__(
        self,
        curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        quantity: str = "loss",
        time_name: str = "time",
    ) -> None:
        self.curves: dict[str, tuple[NDArray, NDArray]] = {}
        for name, (times, values) in curves.items():
            t, v = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
            if t.ndim != 1 or t.shape != v.shape or not t.size:
                raise ValueError(f"curve {name!r}: {t.shape} times and {v.shape} values do not go together")
            order = np.argsort(t)
            self.curves[name] = t[order], v[order]
        if not self.curves:
            raise ValueError("curves must hold one run at least")
        if quantity not in LABELS:
            raise ValueError(f"quantity must be 'loss' or 'distance', got {quantity!r}")
        self.quantity = quantity
        self.time_name = time_name

    @classmethod
    def from_trajectories(
        cls, trajectories: Mapping[str, Any], *, quantity: str = "loss", ax: Any = None, **plot_kwargs: Any
    ) -> TrajectoryDisplay:
        """Draw trajectories beside one another.

        Parameters
        ----------
        trajectories : mapping of str to Trajectory
            Flows have times, descents steps: steps are multiplied by their step size where both are shown.
        quantity : {"loss", "distance"}, default="loss"
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        TrajectoryDisplay

        Raises
        ------
        ValueError
            If there is no trajectory.
        """
        if quantity not in LABELS:
            raise ValueError(f"quantity must be 'loss' or 'distance', got {quantity!r}")
        sizes = [run.learning_rate for run in trajectories.values()]
        in_steps = all(size is not None for size in sizes)
        curves = {
            name: (run.times * (1 if in_steps or size is None else size), getattr(run, quantity))
            for (name, run), size in zip(trajectories.items(), sizes, strict=True)
        }
        mixed = not in_steps and any(size is not None for size in sizes)
        time_name = "steps" if in_steps else "time (steps times step size)" if mixed else "time"
        return cls(curves, quantity=quantity, time_name=time_name).plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> TrajectoryDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``plot``, for every curve.

        Returns
        -------
        TrajectoryDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax)
        self.ax_ = ax
        for number, (name, (times, values)) in enumerate(self.curves.items()):
            color = COLORS[number % len(COLORS)]
            finite = np.isfinite(times)
            ax.plot(
                times[finite], values[finite], **({"color": color, "linewidth": 1.8, "label": name} | kwargs)
            )
            if not finite.all():
                ax.axhline(values[-1], color=color, linestyle="--", linewidth=1.0, alpha=0.7)
        ax.set(xlabel=self.time_name, ylabel=LABELS[self.quantity])
        ax.set_xscale("symlog", linthresh=self._smallest_time())
        ax.set_xlim(left=0)
        largest = max(float(values.max()) for _, values in self.curves.values())
        if self.quantity == "loss" and largest > 0:
            ax.set_yscale("log")
            ax.set_ylim(bottom=max(ax.get_ylim()[0], DECADES * largest))
        else:
            ax.set_ylim(bottom=0)
        light_axes(ax)
        if len(self.curves) > 1:
            ax.legend(frameon=False)
        return self

    def _smallest_time(self) -> float:
        """Up to here the time axis is linear, so that time 0 is on it."""
        positive = [t[(t > 0) & np.isfinite(t)] for t, _ in self.curves.values()]
        return min((float(t[0]) for t in positive if t.size), default=1.0)
