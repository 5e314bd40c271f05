"""Paths of optimisers down the widening valley, and the flatness of the minima they end in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes


class ValleyStudyDisplay:
    """Paths on the surface of the valley, or how flat the minima are, from a study of it.

    Parameters
    ----------
    learning_rates : array-like of shape (a,)
    rhos : array-like of shape (b,)
        The first is 0, gradient descent.
    paths : array-like of shape (a, b, k, 2)
        From one start, the coordinate of u along u_0, and v.
    ratios : array-like of shape (a, b, n)
        Trace of the Hessian at the end of each run, relative to gradient descent's; NaN where one of the two
        reached no minimum.
    flow_ratios : array-like of shape (b, n)
        The same for infinitely small steps.

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
    >>> import numpy as np
    >>> from ntklib.lab.studies.valley.pictures import ValleyStudyDisplay
    >>> path = np.array([[[[2.0, 1.0], [1.9, 0.5]]]])
    >>> display = ValleyStudyDisplay([0.1], [0.0], path, [[[1.0]]], [[1.0]])
    >>> display.paths.shape
    (1, 1, 2, 2)
    """

    def __init__(
        self,
        learning_rates: ArrayLike,
        rhos: ArrayLike,
        paths: ArrayLike,
        ratios: ArrayLike,
        flow_ratios: ArrayLike,
    ) -> None:
        self.learning_rates: NDArray = np.asarray(learning_rates, dtype=float)
        self.rhos: NDArray = np.asarray(rhos, dtype=float)
        self.paths: NDArray = np.asarray(paths, dtype=float)
        self.ratios: NDArray = np.asarray(ratios, dtype=float)
        self.flow_ratios: NDArray = np.asarray(flow_ratios, dtype=float)
        a, b = self.learning_rates.size, self.rhos.size
        shapes = {"paths": (a, b, 4), "ratios": (a, b, 3), "flow_ratios": (b, 2)}
        for name, (*leading, ndim) in shapes.items():
            shape = getattr(self, name).shape
            if len(shape) != ndim or shape[: len(leading)] != tuple(leading):
                raise ValueError(f"{name} has shape {shape}; there are {a} learning rates and {b} rhos")

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "paths") -> ValleyStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.valley_study``.

        Parameters
        ----------
        study : ValleyStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"paths", "trace"}, default="paths"
            See `plot`.

        Returns
        -------
        ValleyStudyDisplay
        """
        a, b, _ = study.traces.shape
        display = cls(
            study.learning_rate.reshape(a, b)[:, 0],
            study.rho.reshape(a, b)[0],
            study.paths,
            study.ratios(),
            study.flow_traces / study.flow_traces[0],
        )
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "paths", learning_rate: float | None = None) -> Any:
        """Draw the paths at one learning rate, or the trace at the end against rho at all of them.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"paths", "trace"}, default="paths"
        learning_rate : float or None, default=None
            Of the paths; None is the middle one.

        Returns
        -------
        ValleyStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no paths at that learning rate.
        """
        if what not in ("paths", "trace"):
            raise ValueError(f"what must be 'paths' or 'trace', got {what!r}")
        middle = self.learning_rates[self.learning_rates.size // 2]
        found = np.flatnonzero(self.learning_rates == (middle if learning_rate is None else learning_rate))
        if not found.size:
            rates = ", ".join(f"{rate:g}" for rate in self.learning_rates)
            raise ValueError(f"there are paths at learning rates {rates}, not at {learning_rate}")
        self.ax_, self.figure_ = axes_and_figure(ax)
        if what == "paths":
            self._draw_paths(self.ax_, int(found[0]))
        else:
            self._draw_traces(self.ax_)
        return self

    def _draw_paths(self, ax: Any, row: int) -> None:
        start = self.paths[row, 0, 0]
        xs, ys = np.linspace(0, 1.12 * start[0], 200), np.linspace(-1.05, 1.55, 200) * start[1]
        with np.errstate(divide="ignore"):
            height = np.log10(xs**2 * ys[:, None] ** 2 / 2)
        levels = np.log10(np.prod(start**2) / 2) + np.linspace(-5, 1, 13)
        ax.contourf(xs, ys, height, levels=levels, cmap="Greys", alpha=0.55, extend="both", zorder=0)
        for j, (rho, path) in enumerate(zip(self.rhos, self.paths[row], strict=True)):
            name = "gradient descent" if rho == 0 else rf"$\rho$ = {rho:g}"
            inside = np.all((path >= [xs[0], ys[0]]) & (path <= [xs[-1], ys[-1]]))
            style = {"color": COLORS[j % len(COLORS)], "linewidth": 1.2, "markersize": 3}
            if not inside:  # it would hide the others
                ax.plot([], [], "x", label=f"{name}: leaves the picture", color=style["color"])
                continue
            ax.plot(*path.T, "o-", label=name, **style)
            ax.plot(*path[-1], "o", color=style["color"], markersize=9, markeredgecolor="white", zorder=4)
        ax.plot(*start, "k*", markersize=11, zorder=5)
        ax.axhline(0, color="black", linewidth=0.8, zorder=1)
        ax.set_xlim(0, xs[-1])
        ax.set_ylim(ys[0], ys[-1])
        ax.set_xlabel(r"$|u|$; at a minimum with $v = 0$ the trace of the Hessian is $|u|^2$")
        ax.set_ylabel(r"$v$")
        ax.set_title(rf"$L = |u|^2 v^2 / 2$, learning rate {self.learning_rates[row]:g}", fontsize="medium")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="upper left")

    def _draw_traces(self, ax: Any) -> None:
        places = np.arange(self.rhos.size)
        for index, (rate, rows) in enumerate(zip(self.learning_rates, self.ratios, strict=True)):
            reached = [row[np.isfinite(row)] for row in rows]
            some = [j for j in places if reached[j].size]
            quartiles = [np.quantile(reached[j], [0.25, 0.5, 0.75]) for j in some]
            low, middle, high = np.reshape(quartiles, (-1, 3)).T
            shift = 0.14 * (index - (self.learning_rates.size - 1) / 2)
            style = {"color": COLORS[index % len(COLORS)], "capsize": 3, "markersize": 5}
            spread = (middle - low, high - middle)
            label = f"learning rate {rate:g}"
            ax.errorbar(places[some] + shift, middle, yerr=spread, fmt="o", label=label, **style)
            for j, height in zip(some, high, strict=True):
                if reached[j].size < rows.shape[1]:
                    text = f"{reached[j].size}"
                    where = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center"}
                    ax.annotate(text, (j + shift, height), color=style["color"], fontsize="x-small", **where)
        flow = np.median(self.flow_ratios, axis=1)
        ax.plot(places, flow, color="black", linestyle="--", linewidth=1.2, label="infinitely small steps")
        ax.set_xticks(places, [f"{rho:g}" for rho in self.rhos])
        ax.set_xlabel(r"$\rho$ (0: gradient descent)")
        ax.set_ylabel("trace of the Hessian at the end,\nrelative to gradient descent's")
        starts = f"{self.ratios.shape[2]} starts (numbers: those that reached a minimum, if fewer)"
        ax.set_title(f"medians and quartiles of {starts}", fontsize="medium")
        ax.set_ylim(bottom=0)
        light_axes(ax)
        ax.legend(frameon=False, loc="lower left")
