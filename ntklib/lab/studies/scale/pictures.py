"""Gaps between networks and their linearisations against the scale of the outputs, with their slopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

_MARKERS = ("o", "s", "^", "D")
_GREY = "#9aa0a6"
_LABELS = {
    "movement": r"movement, $|w_t - w_0| \,/\, |w_0|$",
    "parameter_gap": "parameters, network from\n" + r"linearisation, $|w_t - u_t| \,/\, |w_0|$",
    "output_gap": "outputs, network from linearisation,\n" + r"$|f_t - g_t| \,/\, |f_0 - y|$",
}
_TITLES = {
    "centred": r"centred, $h - h(w_0)$",
    "symmetric": "symmetrised",
    "plain": r"plain, $h(w_0) \neq 0$",
    "offset": "symmetrised, a little off",
}


class ScaleStudyDisplay:
    r"""Curves against the scale on logarithmic axes; what may be error is grey.

    Parameters
    ----------
    scales : array-like of shape (k,)
        Ascending.
    gaps : mapping of str to pair of array-like of shape (k,)
        For each model, which is drawn by the name, values and their errors.
    slopes : mapping of str to (predicted, least, greatest, low, high) or None, default=None
        For a model the predicted slope, and the least and the greatest of those that were found between the
        scales ``low`` and ``high``.
    quantity : {"output_gap", "parameter_gap", "movement"}, default="output_gap"
        For the axis.
    trust : float, default=1000.0
        Times its error that a value must be to count.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If scales are not positive and ascending, arrays do not go together, or the quantity is unknown.

    Examples
    --------
    >>> from ntklib.lab.studies.scale.pictures import ScaleStudyDisplay
    >>> display = ScaleStudyDisplay([1, 10, 100], {"centred": ([0.1, 0.01, 1e-3], [1e-9, 1e-9, 1e-5])})
    >>> display.counts["centred"].tolist()
    [True, True, False]
    """

    def __init__(
        self,
        scales: ArrayLike,
        gaps: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        slopes: Mapping[str, tuple[float, float, float, float, float]] | None = None,
        quantity: str = "output_gap",
        trust: float = 1e3,
    ) -> None:
        self.scales: NDArray = np.asarray(scales, dtype=float)
        if self.scales.ndim != 1 or not self.scales.size or not (np.diff(self.scales, prepend=0) > 0).all():
            raise ValueError("scales must be positive numbers in ascending order, one at least")
        if quantity not in _LABELS:
            raise ValueError(f"quantity must be one of {', '.join(map(repr, _LABELS))}; got {quantity!r}")
        self.gaps: dict[str, NDArray] = {}
        self.counts: dict[str, NDArray] = {}
        for name, pair in gaps.items():
            values, errors = (np.asarray(part, dtype=float) for part in pair)
            if values.shape != self.scales.shape or errors.shape != self.scales.shape:
                raise ValueError(
                    f"{name}: {values.shape} values and {errors.shape} errors at {self.scales.size} scales"
                )
            self.gaps[name], self.counts[name] = values, values > trust * errors
        if unknown := set(slopes or {}) - set(self.gaps):
            raise ValueError(f"slopes names {unknown.pop()!r}, which is not among the gaps")
        self.slopes, self.quantity, self.trust = dict(slopes or {}), quantity, trust

    @classmethod
    def from_study(cls, study: Any, *, quantity: str = "output_gap", ax: Any = None) -> ScaleStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.scale_study``.

        Parameters
        ----------
        study : ScaleStudy
        quantity : {"output_gap", "parameter_gap", "movement"}, default="output_gap"
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.

        Returns
        -------
        ScaleStudyDisplay
        """
        if quantity not in _LABELS:
            raise ValueError(f"quantity must be one of {', '.join(map(repr, _LABELS))}; got {quantity!r}")
        errors = study.output_error if quantity == "output_gap" else study.parameter_error
        of = {name: study.model == name for name in study.slopes}
        found = {_TITLES.get(name, name): study.slopes[name][quantity] for name in of}
        display = cls(
            study.scale[next(iter(of.values()))],
            {_TITLES.get(n, n): (getattr(study, quantity)[own], errors[own]) for n, own in of.items()},
            slopes={n: (s.predicted, s.least, s.greatest, s.low, s.high) for n, s in found.items()},
            quantity=quantity,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> ScaleStudyDisplay:
        """Draw the curves, and beside them lines of the predicted slopes.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.

        Returns
        -------
        ScaleStudyDisplay
            Itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax)
        ax = self.ax_
        ax.set_xscale("log")
        ax.set_yscale("log")
        for index, (name, values) in enumerate(self.gaps.items()):
            color, marker = COLORS[index % len(COLORS)], _MARKERS[index % len(_MARKERS)]
            counts, drawn = self.counts[name], values > 0
            ax.plot(self.scales[drawn], values[drawn], color=_GREY, linewidth=1.0, zorder=1)
            ax.plot(self.scales[drawn & ~counts], values[drawn & ~counts], marker, color=_GREY, markersize=4)
            line = np.where(counts, values, np.nan)
            style = {"color": color, "marker": marker, "markersize": 4, "linewidth": 1.4}
            ax.plot(self.scales, line, label=self._label(name), **style)
            self._guide(ax, name, values, color)
        if not all(counts.all() for counts in self.counts.values()):
            ax.plot([], [], "o", color=_GREY, markersize=4, label=f"less than {self.trust:g} times its error")
        ax.set_xlabel(r"scale $\alpha$ of the outputs, at one $\alpha^2 t$")
        ax.set_ylabel(_LABELS[self.quantity])
        light_axes(ax)
        ax.legend(frameon=False, loc="best", fontsize="small")
        return self

    def _label(self, name: str) -> str:
        predicted, least, greatest, *_ = self.slopes.get(name, (np.nan,) * 5)
        if not np.isfinite(least):
            return name
        ends = (round(end, 4) + 0.0 for end in (least, greatest))  # no -0.0000
        found = "slope {:.4f} to {:.4f} ({:g} predicted)".format(*ends, predicted)
        return f"{name}: {found.replace('-', chr(0x2212))}"

    def _guide(self, ax: Any, name: str, values: NDArray, color: str) -> None:
        """A line of the predicted slope along the last decade, below the curve."""
        predicted, least, _, low, high = self.slopes.get(name, (np.nan,) * 5)
        if not np.isfinite(least):
            return
        at = np.array([low, high])
        start = values[np.argmin(np.abs(self.scales - low))]
        ax.plot(at, start / 3 * (at / low) ** predicted, "--", color=color, linewidth=1.2)
