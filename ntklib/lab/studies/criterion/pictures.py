"""The criterion of lazy training against width, and the norms that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import along, axes_and_figure, light_axes, positive_axis
from ntklib.lab.power_law_pictures import draw_power_laws, width_axis

Law = tuple[ArrayLike, float, float]


class CriterionStudyDisplay:
    """The criterion, and the norms of derivatives, against width on logarithmic axes.

    Parameters
    ----------
    widths : array-like of shape (k,)
    kappa : mapping of str to pair of array-like of shape (k,)
        For each parameterisation the criterion and its standard errors.
    parts : mapping of str to pair of array-like of shape (k,) or None, default=None
        Norms of derivatives and their standard errors, by name.
    laws : mapping of str to (values, exponent, standard error of the exponent) or None, default=None
        The power laws fitted to any of them.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If widths are not positive, there is no criterion, or arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.criterion.pictures import CriterionStudyDisplay
    >>> display = CriterionStudyDisplay([100, 400], {"ntk": ([0.2, 0.1], [0.01, 0.01])})
    >>> display.widths.tolist()
    [100.0, 400.0]
    """

    def __init__(
        self,
        widths: ArrayLike,
        kappa: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        parts: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
        laws: Mapping[str, Law] | None = None,
    ) -> None:
        self.widths = positive_axis(widths, "widths")
        if not kappa:
            raise ValueError("kappa must hold one parameterisation at least")
        self.kappa = {name: self._pair(name, *pair) for name, pair in kappa.items()}
        self.parts = {name: self._pair(name, *pair) for name, pair in (parts or {}).items()}
        self.laws = {name: (self._checked(name, law[0]), *law[1:]) for name, law in (laws or {}).items()}

    def _pair(self, name: str, values: ArrayLike, spread: ArrayLike) -> tuple[NDArray, NDArray]:
        return self._checked(name, values), self._checked(name, spread)

    def _checked(self, name: str, values: ArrayLike) -> NDArray:
        return along(self.widths, "widths", name, values)

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "kappa") -> CriterionStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.criterion_study``.

        Parameters
        ----------
        study : CriterionStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"kappa", "parts"}, default="kappa"
            See `plot`.

        Returns
        -------
        CriterionStudyDisplay
        """
        titles = {"differential": "|Dh|", "second_derivative": "|D²h|"}
        widths = np.unique(study.width)
        kappa, parts, laws = {}, {}, {}
        for law in study.laws:
            rows = study.parameterization == law.parameterization
            draws = study.draws[law.quantity][rows]
            pair = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(draws.shape[1])
            name = law.parameterization
            if law.quantity == "kappa":
                kappa[name] = pair
            else:
                name = f"{titles[law.quantity]}, {name}"
                parts[name] = pair
            laws[name] = (law.fitted(widths), law.fitted.exponent, law.fitted.standard_error)
        return cls(widths, kappa, parts=parts, laws=laws).plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "kappa") -> CriterionStudyDisplay:
        """Draw the criterion, or its parts, with the fitted power laws.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"kappa", "parts"}, default="kappa"

        Returns
        -------
        CriterionStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no parts to draw.
        """
        if what not in ("kappa", "parts"):
            raise ValueError(f"what must be 'kappa' or 'parts', got {what!r}")
        if what == "parts" and not self.parts:
            raise ValueError("there are no parts in this display; pass parts=")
        self.ax_, self.figure_ = axes_and_figure(ax)
        values = self.kappa if what == "kappa" else self.parts
        draw_power_laws(self.ax_, self.widths, values, self.laws)
        self.ax_.set_yscale("log")
        width_axis(self.ax_, self.widths)
        label = r"criterion $\kappa = |h - y|\,|D^2h|/|Dh|^2$" if what == "kappa" else "operator norm"
        self.ax_.set_ylabel(label)
        light_axes(self.ax_)
        if what == "parts":  # room for the legend above lines that go up and down
            self.ax_.set_ylim(top=15 * self.ax_.get_ylim()[1])
        self.ax_.legend(frameon=False, loc="best", fontsize="small")
        return self
