"""The criterion of lazy training against the factor that all weights are multiplied by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, along, axes_and_figure, light_axes, positive_axis

_MARKERS = ("o", "s", "^", "D", "v", "P")


class HomogeneityStudyDisplay:
    """The criterion computed anew, marks, on the lines predicted, and the limits it tends to.

    Parameters
    ----------
    factors : array-like of shape (k,)
        lambda.
    kappa : mapping of str to pair of array-like of shape (k,)
        For each network the criterion computed and predicted.
    limits : mapping of str to float or None, default=None
        What it tends to, drawn across; those that are 0 are left out.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If factors are not positive, there is no network, or arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.homogeneity.pictures import HomogeneityStudyDisplay
    >>> display = HomogeneityStudyDisplay([1, 2], {"depth 1": ([0.4, 0.1], [0.4, 0.1])})
    >>> display.factors.tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        factors: ArrayLike,
        kappa: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self.factors = positive_axis(factors, "factors")
        if not kappa:
            raise ValueError("kappa must hold one network at least")
        self.kappa = {
            name: (self._checked(name, found), self._checked(name, predicted))
            for name, (found, predicted) in kappa.items()
        }
        self.limits = dict(limits or {})
        if unknown := set(self.limits) - set(self.kappa):
            raise ValueError(f"limits names {unknown.pop()!r}, which is not among the networks")

    def _checked(self, name: str, values: ArrayLike) -> NDArray:
        return along(self.factors, "factors", name, values)

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, start: str = "symmetric") -> HomogeneityStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.homogeneity_study``.

        Parameters
        ----------
        study : HomogeneityStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        start : {"symmetric", "plain"}, default="symmetric"
            Which networks.

        Returns
        -------
        HomogeneityStudyDisplay

        Raises
        ------
        ValueError
            If ``start`` is neither.
        """
        if start not in ("symmetric", "plain"):
            raise ValueError(f"start must be 'symmetric' or 'plain', got {start!r}")
        kappa, limits, chosen = {}, {}, study.start == start
        for depth, degree, q in dict.fromkeys(zip(study.depth, study.degree, study.q, strict=True)):
            rows = chosen & (study.depth == depth) & (study.degree == degree)
            name = f"depth {depth}, $\\sigma_{{{degree}}}$: q = {q}"
            kappa[name] = study.kappa[rows], study.predicted[rows]
            limits[name] = float(study.limit[rows][0])
        return cls(np.unique(study.factor), kappa, limits=limits).plot(ax)

    def plot(self, ax: Any = None) -> HomogeneityStudyDisplay:
        """Draw all networks.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.

        Returns
        -------
        HomogeneityStudyDisplay
            Itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax)
        ax = self.ax_
        ax.set_xscale("log")
        ax.set_yscale("log")
        for index, (name, (found, predicted)) in enumerate(self.kappa.items()):
            color, marker = COLORS[index % len(COLORS)], _MARKERS[index % len(_MARKERS)]
            ax.plot(self.factors, predicted, color=color, linewidth=1.2, alpha=0.7)
            ax.plot(self.factors, found, marker, color=color, markersize=5, label=name)
            if self.limits.get(name, 0.0) > 0:
                ax.axhline(self.limits[name], color=color, linestyle=":", linewidth=1.2)
        if any(limit > 0 for limit in self.limits.values()):
            ax.plot([], [], color="gray", linestyle=":", label="limit, $|h|\\,|D^2h|/|Dh|^2$")
        ax.plot([], [], color="gray", linewidth=1.2, label="predicted from $\\lambda = 1$")
        ax.set_xticks(self.factors, [f"{factor:g}" for factor in self.factors])
        ax.set_xticks([], minor=True)
        ax.set_xlabel(r"factor $\lambda$ of all weights")
        ax.set_ylabel(r"criterion $\kappa(\lambda w_0)$")
        light_axes(ax)
        ax.legend(frameon=False, loc="best", fontsize="small")
        return self
