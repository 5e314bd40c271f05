"""How the tangent kernel of a finite network approaches its limit with width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, along, axes_and_figure, light_axes, positive_axis
from ntklib.lab._power_law_pictures import draw_power_laws, percent_axis, width_axis


class WidthStudyDisplay:
    """Errors of finite networks' kernels against width on logarithmic axes, or their smallest eigenvalue.

    Parameters
    ----------
    widths : array-like of shape (k,)
    errors : mapping of str to pair of array-like of shape (k,)
        For each norm the relative errors and their standard errors.
    exact : array-like of shape (k,) or None, default=None
        The exact expectation of the first norm's errors; NaN where it is not known.
    slopes : mapping of str to (prefactor, exponent, standard error of the exponent) or None, default=None
        The power law fitted to a norm's errors.
    eigenvalues : pair of array-like of shape (k,) or None, default=None
        Mean smallest eigenvalues and their standard errors.
    limit_eigenvalue : float or None, default=None
        The limit's.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If there are no errors, widths are not positive, or arrays do not go together.

    Examples
    --------
    >>> from ntklib.lab.studies.width.pictures import WidthStudyDisplay
    >>> display = WidthStudyDisplay([10, 1000], {"Frobenius norm": ([0.3, 0.03], [0.01, 0.001])})
    >>> display.widths.tolist()
    [10.0, 1000.0]
    """

    def __init__(
        self,
        widths: ArrayLike,
        errors: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        exact: ArrayLike | None = None,
        slopes: Mapping[str, tuple[ArrayLike, float, float]] | None = None,
        eigenvalues: tuple[ArrayLike, ArrayLike] | None = None,
        limit_eigenvalue: float | None = None,
    ) -> None:
        self.widths = positive_axis(widths, "widths")
        if not errors:
            raise ValueError("errors must hold one norm at least")
        self.errors = {name: self._pair(f"errors[{name!r}]", pair) for name, pair in errors.items()}
        self.exact = None if exact is None else self._checked("exact", exact)
        if unknown := set(slopes or {}) - set(self.errors):
            raise ValueError(f"slopes names {unknown.pop()!r}, which is not among the errors")
        self.slopes = {
            name: (self._checked(f"slopes[{name!r}]", fitted), exponent, error)
            for name, (fitted, exponent, error) in (slopes or {}).items()
        }
        self.eigenvalues = None if eigenvalues is None else self._pair("eigenvalues", eigenvalues)
        self.limit_eigenvalue = limit_eigenvalue

    def _pair(self, name: str, pair: tuple[ArrayLike, ArrayLike]) -> tuple[NDArray, NDArray]:
        values, spread = pair
        return self._checked(name, values), self._checked(name, spread)

    def _checked(self, name: str, values: ArrayLike) -> NDArray:
        return along(self.widths, "widths", name, values)

    @classmethod
    def from_study(cls, study: Any, *, ax: Any = None, what: str = "error") -> WidthStudyDisplay:
        """Draw the result of ``ntklib.lab.studies.width_study``.

        Parameters
        ----------
        study : WidthStudy
        ax : matplotlib axes or None, default=None
            Where to draw.
        what : {"error", "eigenvalue"}, default="error"
            See `plot`.

        Returns
        -------
        WidthStudyDisplay
        """
        laws = {"Frobenius norm": study.slope, "operator norm": study.operator_slope}
        display = cls(
            study.width,
            {
                "Frobenius norm": (study.error, study.error_se),
                "operator norm": (study.operator_error, study.operator_error_se),
            },
            exact=study.exact_error,
            slopes={name: (law(study.width), law.exponent, law.standard_error) for name, law in laws.items()},
            eigenvalues=(study.min_eigenvalue, study.min_eigenvalue_se),
            limit_eigenvalue=study.limit_eigenvalue,
        )
        return display.plot(ax, what=what)

    def plot(self, ax: Any = None, *, what: str = "error") -> WidthStudyDisplay:
        """Draw the errors with their fits, or the smallest eigenvalue.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        what : {"error", "eigenvalue"}, default="error"

        Returns
        -------
        WidthStudyDisplay
            Itself.

        Raises
        ------
        ValueError
            If ``what`` is neither, or there are no eigenvalues to draw.
        """
        if what not in ("error", "eigenvalue"):
            raise ValueError(f"what must be 'error' or 'eigenvalue', got {what!r}")
        if what == "eigenvalue" and self.eigenvalues is None:
            raise ValueError("there are no eigenvalues in this display; pass eigenvalues=")
        self.ax_, self.figure_ = axes_and_figure(ax)
        draw = self._draw_errors if what == "error" else self._draw_eigenvalues
        draw(self.ax_)
        width_axis(self.ax_, self.widths)
        light_axes(self.ax_)
        self.ax_.legend(frameon=False, loc="best")
        return self

    def _draw_errors(self, ax: Any) -> None:
        draw_power_laws(ax, self.widths, self.errors, self.slopes)
        if self.exact is not None and np.isfinite(self.exact).any():
            style = {"color": COLORS[2], "linestyle": "--", "linewidth": 1.8}
            ax.plot(self.widths, self.exact, label="exact expectation, Frobenius norm", zorder=1, **style)
        percent_axis(ax)
        ax.set_ylabel("relative error of the kernel matrix")

    def _draw_eigenvalues(self, ax: Any) -> None:
        assert self.eigenvalues is not None
        values, spread = self.eigenvalues
        ax.errorbar(
            self.widths, values, yerr=2 * spread, fmt="o", color=COLORS[0], capsize=3, label="networks, mean"
        )
        if self.limit_eigenvalue is not None:
            label = f"limit: {self.limit_eigenvalue:.3g}"
            ax.axhline(self.limit_eigenvalue, color=COLORS[1], linestyle="--", linewidth=1.4, label=label)
        ax.set_ylabel("smallest eigenvalue of the kernel matrix")
