"""Curves of a training loop: loss, distance, gradients and measurements against the number of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

_LABELS = {
    "loss": "loss",
    "distance": r"distance $|w_t - w_0|$",
    "gradient_norms": "norm of the gradient",
    "ntk_drift": r"drift $|\Theta_t - \Theta_0|_F \,/\, |\Theta_0|_F$",
    "kernel_alignment": "alignment of kernel and targets",
    "min_eigenvalue": r"smallest eigenvalue of $J J^\top$",
    "max_eigenvalue": r"largest eigenvalue of $J J^\top$",
    "sign_changes": "share of preactivations that changed sign",
}


class HistoryDisplay:
    """Curves against the number of steps; the vertical axis is logarithmic where the values span decades.

    Parameters
    ----------
    curves : mapping of str to (steps, values)
        For each curve its name and two equally long arrays; a single curve is drawn without a legend.
    quantity : str, default="loss"
        For the axis: "loss", "distance", "gradient_norms" or the name of a monitor.
    end : str or None, default=None
        Title, such as the reason why training stopped.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If there is no curve, lengths differ, or the quantity is unknown.

    Examples
    --------
    >>> from ntklib.plotting import HistoryDisplay
    >>> display = HistoryDisplay({"loss": ([0, 10, 20], [1.0, 0.1, 0.01])})
    >>> display.quantity
    'loss'
    """

    def __init__(
        self,
        curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        quantity: str = "loss",
        end: str | None = None,
    ) -> None:
        if quantity not in _LABELS:
            raise ValueError(f"quantity must be one of {', '.join(map(repr, _LABELS))}; got {quantity!r}")
        self.curves: dict[str, tuple[NDArray, NDArray]] = {}
        for name, (steps, values) in curves.items():
            t, v = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
            if t.ndim != 1 or t.shape != v.shape or not t.size:
                raise ValueError(f"curve {name!r}: {t.shape} steps and {v.shape} values do not go together")
            self.curves[name] = t, v
        if not self.curves:
            raise ValueError("curves must hold one curve at least")
        self.quantity, self.end = quantity, end

    @classmethod
    def from_history(
        cls, history: Any, *, quantity: str = "loss", ax: Any = None, **plot_kwargs: Any
    ) -> HistoryDisplay:
        """Draw a quantity of the result of ``ntklib.dynamics.train``.

        Parameters
        ----------
        history : History
        quantity : str, default="loss"
            "loss", "distance", "gradient_norms" (a curve for each array), or a monitor that was recorded.
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ValueError
            If the quantity was not recorded.
        """
        if quantity == "gradient_norms":
            curves = {name: (history.steps, norms) for name, norms in history.gradient_norms.items()}
        elif quantity in ("loss", "distance"):
            curves = {quantity: (history.steps, getattr(history, quantity))}
        else:
            curves = {n: (history.monitor_steps, v) for n, v in history.monitors.items() if n == quantity}
        if not curves and quantity in _LABELS:
            raise ValueError(f"{quantity} was not recorded; ask train for it")
        return cls(curves, quantity=quantity, end=history.stop_reason).plot(ax, **plot_kwargs)

    def plot(self, ax: Any = None, **plot_kwargs: Any) -> HistoryDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        HistoryDisplay
            Itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax)
        for index, (name, (steps, values)) in enumerate(self.curves.items()):
            style = {"color": COLORS[index % len(COLORS)], "linewidth": 1.8, "label": name, **plot_kwargs}
            self.ax_.plot(steps, values, **style)
        if self._spans_decades():
            self.ax_.set_yscale("log")
        else:
            self.ax_.set_ylim(bottom=min(0.0, *(float(values.min()) for _, values in self.curves.values())))
        self.ax_.set_xlabel("steps")
        self.ax_.set_ylabel(_LABELS[self.quantity])
        if self.end is not None:
            self.ax_.set_title(self.end, fontsize=10)
        light_axes(self.ax_)
        if len(self.curves) > 1:
            self.ax_.legend(frameon=False, loc="best")
        return self

    def _spans_decades(self) -> bool:
        values = np.concatenate([values for _, values in self.curves.values()])
        return bool((values > 0).all() and values.max() > 30 * values.min())
