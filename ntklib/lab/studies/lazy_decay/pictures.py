"""The loss of a network along training, on a log axis, under the bounds that theorems give for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, along, axes_and_figure, light_axes

_SOLID: tuple[dict[str, Any], ...] = (
    {"linestyle": "-", "linewidth": 2.2, "zorder": 4},
    {"linestyle": (0, (2.5, 2.0)), "linewidth": 2.0, "zorder": 5},
    {"linestyle": "-.", "linewidth": 1.6, "zorder": 4},
    {"linestyle": ":", "linewidth": 1.8, "zorder": 4},
)
_THIN: tuple[Any, ...] = ((0, (7, 2)), (0, (1, 1.2)), (0, (7, 2, 1, 2)), "-")


class LazyDecayDisplay:
    """Losses against time under certified bounds: what was measured stays below what was proved.

    Parameters
    ----------
    times : array-like of shape (T,)
        Ascending, from 0 on.
    losses : mapping of str to array-like of shape (T,)
        Measured, by the name in the legend, such as "network" and "linearisation".
    bounds : mapping of str to array-like of shape (T,)
        Proved for the first of the losses, by name.  A bound that is infinite is not drawn; the legend says
        that it does not hold.
    references : mapping of str to array-like of shape (T,) or None, default=None
        Other curves by name, drawn thin and grey, such as what is proved for the linearisation.
    time_label : str, default="time of the gradient flow"
    title : str, default=""

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If times do not ascend, a curve has another length, or a loss or bound is NaN or negative.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies.lazy_decay.pictures import LazyDecayDisplay
    >>> t = np.linspace(0, 1, 5)
    >>> display = LazyDecayDisplay(t, {"network": np.exp(-3 * t)}, {"theorem A": np.exp(-t)})
    >>> list(display.bounds)
    ['theorem A']
    """

    def __init__(
        self,
        times: ArrayLike,
        losses: Mapping[str, ArrayLike],
        bounds: Mapping[str, ArrayLike],
        *,
        references: Mapping[str, ArrayLike] | None = None,
        time_label: str = "time of the gradient flow",
        title: str = "",
    ) -> None:
        self.times: NDArray = np.asarray(times, dtype=float)
        if self.times.ndim != 1 or self.times.size < 2 or not (np.diff(self.times) > 0).all():
            raise ValueError("times must be a one-dimensional array of at least two ascending numbers")
        if not losses:
            raise ValueError("losses is empty: there is nothing to draw")
        self.losses = {name: self._checked(name, values) for name, values in losses.items()}
        self.bounds = {name: self._checked(name, values) for name, values in bounds.items()}
        self.references = {name: self._checked(name, values) for name, values in (references or {}).items()}
        for name, values in self.losses.items():
            if not np.isfinite(values).all():
                raise ValueError(f"the loss {name!r} is not finite")
        self.time_label, self.title = time_label, title

    def _checked(self, name: str, values: ArrayLike) -> NDArray:
        array = along(self.times, "times", repr(name), values)
        if not (array >= 0).all():
            raise ValueError(f"{name!r} holds NaN or negative numbers, which no loss and no bound is")
        return array

    @classmethod
    def from_study(
        cls,
        study: Any,
        *,
        ax: Any = None,
        width: int | None = None,
        n: int | None = None,
        theorem: str | None = None,
        factor: float = 1.0,
    ) -> LazyDecayDisplay:
        """Draw one run of ``ntklib.lab.studies.lazy_decay_study`` under all bounds that hold for it.

        Parameters
        ----------
        study : LazyDecayStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        width, n : int or None, default=None
            Of the network and its rows; None is the largest.
        theorem : str or None, default=None
            Whose threshold the scale is a multiple of; None is the one with the largest threshold.
        factor : float, default=1
            Which multiple.

        Returns
        -------
        LazyDecayDisplay

        Raises
        ------
        ValueError
            If the study has no such run.
        """
        row = study.find(width=width, n=n, theorem=theorem, factor=factor)
        curves: dict[bytes, tuple[list[str], NDArray]] = {}  # theorems of equal rates share one
        for name, values in study.loss_bounds.items():
            curves.setdefault(values[row].tobytes(), ([], values[row]))[0].append(name)
        bounds = {
            f"bound of theorem{'s' if len(names) > 1 else ''} {' and '.join(names)}": values
            for names, values in curves.values()
        }
        factor = study.factor[row]
        multiple = "" if factor == 1 else f"{factor:g} times "
        display = cls(
            study.times,
            {"network": study.loss[row], "its linearisation": study.linear_loss[row]},
            bounds,
            references={"bound of the linearisation": study.linear_loss_bound[row]},
            time_label=r"time $\alpha^2 \sigma_{\min}^2 t$ of the gradient flow",
            title=f"width {study.width[row]}, n = {study.n[row]}, scale {study.scale[row]:.3g}: {multiple}"
            f"the threshold of theorem {study.theorem[row]}",
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> LazyDecayDisplay:
        """Draw the curves on given or new axes.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.

        Returns
        -------
        LazyDecayDisplay
            Itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax)
        self.ax_.set_yscale("log")
        for index, (name, values) in enumerate(self.losses.items()):
            style = {"color": COLORS[index % 2], **_SOLID[index % len(_SOLID)]}
            self.ax_.plot(self.times, _positive(values), label=name, **style)
        for index, (name, values) in enumerate(self.bounds.items()):
            style = {"color": COLORS[2 + index % (len(COLORS) - 3)], "linestyle": _THIN[index % len(_THIN)]}
            holds = np.isfinite(values).all()
            label = name if holds else f"{name}: does not hold here"
            x, height = (self.times, values) if holds else ([], np.empty(0))
            self.ax_.plot(x, _positive(height), linewidth=1.5, label=label, zorder=3, **style)
        for index, (name, values) in enumerate(self.references.items()):
            style = {"color": COLORS[-1], "linestyle": _THIN[(1 + index) % len(_THIN)]}
            self.ax_.plot(self.times, _positive(values), linewidth=1.2, label=name, zorder=2, **style)
        self._shade()
        self.ax_.set_xlim(self.times[0], self.times[-1])
        self.ax_.set_xlabel(self.time_label)
        self.ax_.set_ylabel("loss")
        self.ax_.set_title(self.title, fontsize="medium")
        light_axes(self.ax_)
        self.ax_.legend(frameon=False, loc="lower left", fontsize="small")
        return self

    def _shade(self) -> None:
        """Tint where the first loss cannot be: above the least of its bounds."""
        finite = [values for values in self.bounds.values() if np.isfinite(values).all()]
        if not finite:
            return
        curves = [*finite, *self.losses.values(), *self.references.values()]
        top = 3 * max(values.max() for values in curves)
        lowest = np.min(finite, axis=0)
        self.ax_.fill_between(self.times, lowest, top, color=COLORS[-1], alpha=0.10, linewidth=0)
        self.ax_.set_ylim(top=top)


def _positive(values: NDArray) -> NDArray:
    """Leave a gap where a loss is 0: a log axis has no such place."""
    return np.where(values > 0, values, np.nan)
