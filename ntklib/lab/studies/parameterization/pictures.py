"""Gradients and step sizes of networks against width, parameterisation by parameterisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes, positive_axis

_MARKERS = ("o", "s", "^", "D")
_SWEEP = "sweep-"


class Series(NamedTuple):
    """One quantity against width in one parameterisation: values, standard errors, and its power law."""

    values: ArrayLike
    errors: ArrayLike
    fit: ArrayLike
    exponent: float
    exponent_error: float
    predicted: float


class ParameterizationStudyDisplay:
    """Quantities against width on logarithmic axes with their power laws, or losses against step size.

    Parameters
    ----------
    widths : array-like of shape (k,)
    quantities : mapping of str to mapping of str to tuple
        By quantity and parameterisation: values, standard errors and the fitted law's values, each of shape
        (k,), then the fitted exponent, its standard error, and the predicted one.  Quantities are
        ``first_entry``, ``norm_0``, ..., ``norm_L``, ``largest_step`` or ``unit_step``, ``best_step``,
        ``first_change``.
    sweeps : mapping of str to sequence of array-like of shape (j, 2)
        By parameterisation, for each width the step sizes and what is left of the loss; 1000 is divergence.
    steps : int
        That were taken for those losses.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If shapes do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.parameterization.pictures import ParameterizationStudyDisplay
    >>> falling = ([1.0, 0.5], [0.01, 0.01], [1.0, 0.5], -0.5, 0.01, -0.5)
    >>> ParameterizationStudyDisplay([10, 40], {"first_entry": {"ntk": falling}}).widths.tolist()
    [10.0, 40.0]
    """

    def __init__(
        self,
        widths: ArrayLike,
        quantities: Mapping[str, Mapping[str, tuple[Any, ...]]],
        sweeps: Mapping[str, Any] | None = None,
        *,
        steps: int = 0,
    ) -> None:
        self.widths = positive_axis(widths, "widths")
        self.quantities = {
            name: {key: Series(*series) for key, series in found.items()}
            for name, found in quantities.items()
        }
        for name, found in self.quantities.items():
            for key, series in found.items():
                for part in ("values", "errors", "fit"):
                    if (shape := np.shape(getattr(series, part))) != self.widths.shape:
                        raise ValueError(
                            f"{part} of {name} in {key!r} have shape {shape} for {self.widths.size} widths"
                        )
        self.sweeps = {
            name: [np.asarray(one, float) for one in found] for name, found in (sweeps or {}).items()
        }
        for name, curves in self.sweeps.items():
            if len(curves) != self.widths.size or any(c.ndim != 2 or c.shape[1] != 2 for c in curves):
                raise ValueError(f"sweeps[{name!r}] must hold an array of two columns for each width")
        self.steps = steps

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "steps") -> ParameterizationStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.parameterization_study``.

        Parameters
        ----------
        study : ParameterizationStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : str, default="steps"
            See `plot`.

        Returns
        -------
        ParameterizationStudyDisplay
        """
        rows = {name: study.parameterization == name for name in study.parameterizations}
        widths = study.width[next(iter(rows.values()))]
        quantities: dict[str, dict[str, Series]] = {}
        for law in study.laws:
            at, fitted = rows[law.parameterization], law.fitted
            quantities.setdefault(law.quantity, {})[law.parameterization] = Series(
                study.values(law.quantity)[at],
                study.standard_errors[law.quantity][at],
                fitted(widths),
                fitted.exponent,
                fitted.standard_error,
                law.predicted,
            )
        sweeps = {}
        if study.sweeps:
            sweeps = {name: [study.sweeps[row] for row in np.flatnonzero(at)] for name, at in rows.items()}
        return cls(widths, quantities, sweeps, steps=study.steps).plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "steps") -> ParameterizationStudyDisplay:
        """Draw quantities against width, or losses against step size.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : str, default="steps"
            "steps": largest stable (or unit) and best step size; "entries": of the first layer's gradient;
            "norms": of the first and the output layer's gradient; "change": of the first layer by the first
            step; "sweep-NAME": losses against step size in a parameterisation.

        Returns
        -------
        ParameterizationStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is none of these.
        """
        top = f"norm_{sum(name.startswith('norm_') for name in self.quantities) - 1}"
        reference = "the unit step" if "unit_step" in self.quantities else "the largest stable"
        kinds = {
            "steps": (
                ("largest_step", "unit_step", "best_step"),
                ("largest stable", "unit", "best"),
                "step size",
            ),
            "entries": (("first_entry",), ("",), "rms entry of the first layer's gradient"),
            "norms": (("norm_0", top), ("first layer", "output layer"), "norm of a layer's gradient"),
            "change": (
                ("first_change",),
                ("",),
                f"relative change of the first layer\nin one step, {reference}",
            ),
        }
        known = [*kinds, *(_SWEEP + name for name in self.sweeps)]
        if what not in known:
            raise ValueError(f"what must be one of {', '.join(known)}; got {what!r}")
        self.ax_, self.figure_ = axes_and_figure(ax)
        if what.startswith(_SWEEP):
            self._draw_sweep(self.ax_, what.removeprefix(_SWEEP))
        else:
            self._draw_powers(self.ax_, *kinds[what])
        light_axes(self.ax_)
        return self

    def _draw_powers(self, ax: Any, names: tuple[str, ...], titles: tuple[str, ...], label: str) -> None:
        drawn = [pair for pair in zip(names, titles, strict=True) if pair[0] in self.quantities]
        for line, (quantity, title) in enumerate(drawn):
            for index, (name, series) in enumerate(self.quantities[quantity].items()):
                color = COLORS[index % len(COLORS)]
                filled = {"markerfacecolor": color if line == 0 else "none"}
                words = f"{name}, {title}" if title else name
                power = rf"width$^{{{series.exponent:.3f} \pm {series.exponent_error:.3f}}}$"
                ax.errorbar(
                    self.widths * 1.02 ** (index + 3 * line),  # beside each other
                    series.values,
                    yerr=2 * np.asarray(series.errors),
                    fmt=_MARKERS[index % len(_MARKERS)],
                    color=color,
                    capsize=3,
                    label=f"{words}: {power} ({series.predicted:g})",
                    **filled,
                )
                style = "-" if line == 0 else "--"
                ax.plot(self.widths, series.fit, style, color=color, linewidth=1.2, alpha=0.6)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(self.widths, [f"{width:.0f}" for width in self.widths])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("width (bars: two standard errors; predicted powers in brackets)")
        ax.set_ylabel(label)
        above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}  # the lines leave no room among them
        ax.legend(frameon=False, fontsize="small", ncols=len(drawn), **above)

    def _draw_sweep(self, ax: Any, name: str) -> None:
        from matplotlib import colormaps
        from matplotlib.ticker import NullFormatter

        shades = np.linspace(0.1, 0.85, self.widths.size)
        for width, shade, curve in zip(self.widths, shades, self.sweeps[name], strict=True):
            style = {"color": colormaps["viridis"](shade), "markersize": 4}
            best = curve[np.argmin(curve[:, 1])]
            ax.plot(*curve.T, "o-", label=f"width {width:.0f}", **style)
            ax.plot(*best, "o", color=style["color"], markersize=10, markeredgecolor="white", zorder=4)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())  # they would run into each other
        lowest = min(curve[:, 1].min() for curve in self.sweeps[name])
        ax.set_ylim(0.7 * lowest, 3.0)
        ax.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
        ax.set_xlabel("step size")
        ax.set_ylabel(f"what {self.steps} steps leave of the loss")
        ax.set_title(f"{name} parameterisation (large dots: the best of each width)", fontsize="medium")
        ax.legend(frameon=False, fontsize="small")
