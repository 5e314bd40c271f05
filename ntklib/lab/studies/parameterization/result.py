"""The result of `parameterization_study`: gradients and steps against width, fitted powers, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.scaling import ScalingLaw
from ntklib.lab.studies.parameterization.pictures import ParameterizationStudyDisplay

from ..rescaling.result import RescalingStudy

__all__ = ["ParameterizationStudy"]


@dataclass(frozen=True, repr=False, eq=False)
class ParameterizationStudy(StudyResult):
    """Gradients and step sizes of networks against width; from `parameterization_study`.

    The table has a row for each parameterisation and width.

    Attributes
    ----------
    parameterization : ndarray of str
    width : ndarray of int
    first_entry : ndarray
        Root mean square of the entries of the first layer's gradient at the start.
    first_norm, output_norm : ndarray
        Root mean square, over the draws, of the norm of the first and of the output layer's gradient.
    largest_step : ndarray
        2 over the mean largest eigenvalue of the kernel weighted by the step multipliers; in the table of
        gradient descent, NaN for other optimisers.
    unit_step : ndarray
        Step size whose first move would change the outputs by the targets' length, to first order, harmonic
        mean over the draws; in the table of other optimisers, NaN for gradient descent.
    best_step : ndarray
        Step size that leaves the smallest loss after ``steps`` steps, geometric mean over the draws; NaN if
        there were none.
    first_change : ndarray
        What the first step, with the largest stable or the unit step size, changes of the first layer's
        entries, relative to their size; geometric mean over the draws.
    hidden_norms : ndarray of shape (n_rows, depth - 1)
        Norms of the gradients of the layers in between.
    laws : tuple of ScalingLaw
        Fitted and predicted power of each quantity in each parameterisation.
    draws : dict of str to ndarray of shape (n_rows, n_draws)
        Every quantity of every network.
    standard_errors : dict of str to ndarray of shape (n_rows,)
    sweeps : tuple of ndarray of shape (k, 2)
        For each row the step sizes tried, and what they leave of the loss, geometric mean over the draws; it
        is cut at 1000, which stands for divergence.  Empty if nothing was trained.
    rescaling : RescalingStudy or None
        The rescaled pair of networks; None if the network's activation is not homogeneous or nothing was
        trained.
    network : str
        The network, its widths written as m.
    optimizer : str
        The optimiser without its learning rate.
    n_samples, n_features, n_draws, steps, random_state : int
    """

    study = "parameterization"

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """Fields that make up the table: with the step size that was measured for this optimiser."""
        step = "largest_step" if np.isnan(self.unit_step).all() else "unit_step"
        gradients = ("first_entry", "first_norm", "output_norm")
        return ("parameterization", "width", *gradients, step, "best_step", "first_change")

    parameterization: np.ndarray
    width: np.ndarray
    first_entry: np.ndarray
    first_norm: np.ndarray
    output_norm: np.ndarray
    largest_step: np.ndarray
    unit_step: np.ndarray
    best_step: np.ndarray
    first_change: np.ndarray
    hidden_norms: np.ndarray
    laws: tuple[ScalingLaw, ...]
    draws: dict[str, np.ndarray]
    standard_errors: dict[str, np.ndarray]
    sweeps: tuple[np.ndarray, ...]
    rescaling: RescalingStudy | None
    network: str
    optimizer: str
    n_samples: int
    n_features: int
    n_draws: int
    steps: int
    random_state: int

    @property
    def parameterizations(self) -> tuple[str, ...]:
        """The parameterisations, in the order of the table."""
        return tuple(dict.fromkeys(self.parameterization.tolist()))

    def values(self, quantity: str) -> np.ndarray:
        """Return a quantity by the name of its law, one value a row of the table."""
        if not quantity.startswith("norm_"):
            return np.asarray(getattr(self, quantity))
        norms = np.column_stack([self.first_norm, self.hidden_norms, self.output_norm])
        return norms[:, int(quantity.removeprefix("norm_"))]

    def law(self, parameterization: str, quantity: str) -> ScalingLaw:
        """Return the fitted and predicted power of one quantity.

        Raises
        ------
        KeyError
            If there is none of these names.
        """
        for law in self.laws:
            if (law.parameterization, law.quantity) == (parameterization, quantity):
                return law
        known = ", ".join(dict.fromkeys(law.quantity for law in self.laws))
        raise KeyError(f"no law of {quantity!r} in {parameterization!r}; there are {known}.")

    def headline(self) -> str:
        """List fitted powers beside predicted ones, and what rescaling does."""
        lines = [
            f"{self.network} on {self.n_samples} rows of {self.n_features} features, {self.n_draws} draws, "
            f"{self.optimizer}",
            "powers of the width, fitted +- standard error (predicted):",
        ]
        quantities = list(dict.fromkeys(law.quantity for law in self.laws))
        lines.append(f"{'':>14}" + "".join(f"{name:>26}" for name in self.parameterizations))
        for quantity in quantities:
            cells = ""
            for name in self.parameterizations:
                law = self.law(name, quantity)
                fit = law.fitted
                cells += f"{fit.exponent:>10.3f} +- {fit.standard_error:.3f} ({law.predicted:>4g})"
            lines.append(f"{quantity:<14}{cells}")
        if self.rescaling is not None:
            lines += ["", self.rescaling.headline()]
        return "\n".join(lines)

    def plot(self, ax: Any = None, *, what: str = "steps") -> ParameterizationStudyDisplay:
        """Draw a quantity against width, or "sweep-NAME", the loss against step size in one parameterisation.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
        what : {"steps", "entries", "norms", "change"} or str, default="steps"

        Returns
        -------
        ParameterizationStudyDisplay
        """
        return ParameterizationStudyDisplay.from_study(self, ax=ax, what=what)

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        sweeps = [f"sweep-{name}" for name in self.parameterizations] if self.sweeps else []
        names = ("steps", "entries", "norms", "change", *sweeps)
        own = {name: partial(self.plot, what=name) for name in names}
        return own if self.rescaling is None else {**own, **self.rescaling.pictures()}
