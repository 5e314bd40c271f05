"""How loose certified bounds are: how much of them runs use, and from which scale on they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v")


class LazyBoundsDisplay:
    """Measured over certified, by scale; or the least certified scales, by width and number of rows.

    Parameters
    ----------
    ratios : mapping of str to triple of array-like of shape (k,)
        By theorem: scales over its threshold, certified over measured rates, distances over their bounds.
        NaN is left out.
    settings : pair of array-like of shape (s,) or None, default=None
        Widths and numbers of rows.
    thresholds : mapping of str to array-like of shape (s,) or None, default=None
        The least certified scales, by theorem.
    kept_down_to : array-like of shape (s,) or None, default=None
        The least scales at which the bound was kept nevertheless.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.lazy_decay.bounds_pictures import LazyBoundsDisplay
    >>> display = LazyBoundsDisplay({"A": ([1, 2], [0.2, 0.2], [0.1, 0.1])})
    >>> list(display.ratios)
    ['A']
    """

    def __init__(
        self,
        ratios: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
        *,
        settings: tuple[ArrayLike, ArrayLike] | None = None,
        thresholds: Mapping[str, ArrayLike] | None = None,
        kept_down_to: ArrayLike | None = None,
    ) -> None:
        self.ratios = {name: _alike(f"theorem {name}", *arrays) for name, arrays in ratios.items()}
        self.settings = None if settings is None else _alike("settings", *settings)
        curves = dict(thresholds or {})
        if kept_down_to is not None:
            curves[""] = kept_down_to
        if curves and self.settings is None:
            raise ValueError("thresholds need settings=(widths, numbers of rows)")
        self.thresholds = {
            name: _alike("thresholds", values, *(self.settings or ()))[0] for name, values in curves.items()
        }
        self.kept_down_to = self.thresholds.pop("", None)

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "ratios") -> LazyBoundsDisplay:
        """Draw the result of ``ntklib.lab.studies.lazy_decay_study``.

        Parameters
        ----------
        study : LazyDecayStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"ratios", "thresholds"}, default="ratios"
            See `plot`.

        Returns
        -------
        LazyBoundsDisplay
        """
        known = {(one.width, one.n): one.thresholds for one in study.settings}
        ratios = {}
        for name, rates in study.rate_ratios.items():
            own = [known[key][name] for key in zip(study.width.tolist(), study.n.tolist(), strict=True)]
            ratios[name] = (study.scale / np.array(own), rates, study.distance_ratios[name])
        display = cls(
            ratios,
            settings=([one.width for one in study.settings], [one.n for one in study.settings]),
            thresholds={name: [one.thresholds[name] for one in study.settings] for name in ratios},
            kept_down_to=[one.kept_down_to for one in study.settings],
        )
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "ratios") -> LazyBoundsDisplay:
        """Draw the ratios against the scale, or the thresholds against the width.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"ratios", "thresholds"}, default="ratios"

        Returns
        -------
        LazyBoundsDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no thresholds to draw.
        """
        if what not in ("ratios", "thresholds"):
            raise ValueError(f"what must be 'ratios' or 'thresholds', got {what!r}")
        if what == "thresholds" and not self.thresholds:
            raise ValueError("there are no thresholds in this display; pass settings= and thresholds=")
        self.ax_, self.figure_ = axes_and_figure(ax)
        self.ax_.set_xscale("log")
        self.ax_.set_yscale("log")
        draw = self._draw_ratios if what == "ratios" else self._draw_thresholds
        draw(self.ax_)
        light_axes(self.ax_)
        place = (
            {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if what == "thresholds" else {"loc": "best"}
        )
        self.ax_.legend(frameon=False, fontsize="small", **place)
        return self

    def _draw_ratios(self, ax: Any) -> None:
        ax.axhline(1, color=COLORS[-1], linewidth=1.2, label="certified: nothing above")
        for index, (name, (x, rate, distance)) in enumerate(self.ratios.items()):
            style: dict[str, Any] = {"color": COLORS[index % len(COLORS)], "linestyle": "none"}
            style |= {"marker": _MARKERS[index % len(_MARKERS)], "markersize": 6, "alpha": 0.75}
            ax.plot(x, rate, label=f"theorem {name}: rate", **style)
            ax.plot(x, distance, label=f"theorem {name}: distance", markerfacecolor="none", **style)
        ax.set_xlabel("scale over the threshold of the theorem")
        ax.set_ylabel("certified over measured rate,\nmeasured over certified distance")

    def _draw_thresholds(self, ax: Any) -> None:
        assert self.settings is not None
        width, n = self.settings
        counts = np.unique(n)
        for index, (name, values) in enumerate(self.thresholds.items()):
            for place, count in enumerate(counts):
                chosen = np.flatnonzero(n == count)
                chosen = chosen[np.argsort(width[chosen])]
                style = {"color": COLORS[index % len(COLORS)], "linestyle": _LINES[place % len(_LINES)]}
                marker = {"marker": _MARKERS[place % len(_MARKERS)], "markersize": 5}
                label = f"theorem {name}, n = {count:g}"
                ax.plot(width[chosen], values[chosen], linewidth=1.4, label=label, **style, **marker)
        if self.kept_down_to is not None:
            kept: dict[str, Any] = {"color": COLORS[-1], "linestyle": "none", "marker": "v", "markersize": 6}
            ax.plot(width, self.kept_down_to, label="promise of theorem A\nkept down to", **kept)
        ax.set_xticks(np.unique(width), [f"{m:g}" for m in np.unique(width)])
        ax.minorticks_off()
        ax.set_xlabel("width")
        ax.set_ylabel(r"scale $\alpha$: certified from here on")


def _alike(name: str, *arrays: ArrayLike) -> tuple[NDArray, ...]:
    """Return one-dimensional arrays of one length."""
    found = tuple(np.asarray(values, dtype=float) for values in arrays)
    if found[0].ndim != 1 or any(values.shape != found[0].shape for values in found):
        raise ValueError(f"{name}: arrays of one length are needed, got shapes {[v.shape for v in found]}")
    return found
