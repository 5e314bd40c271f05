"""The result of `criterion_study`: the criterion of lazy training by width, and the powers fitted to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.draws import mean_and_error
from ntklib.lab.power_law import fit_power_law
from ntklib.lab.result import StudyResult, column, entry, result
from ntklib.lab.width_powers import ScalingLaw, find_law

from .pictures import draw_kappa, draw_parts

__all__ = ["CriterionStudy"]


@result("criterion", pictures={"kappa": draw_kappa, "parts": draw_parts})
class CriterionStudy(StudyResult):
    """The criterion of lazy training against width, by parameterisation; from `criterion_study`.

    The table has a row for each parameterisation and width: means over the draws, and standard errors.
    """

    parameterization: NDArray = column("Parameterisation.")
    width: NDArray = column("Units of the hidden layer.")
    kappa: NDArray = column("``|h - y| |D^2h| / |Dh|^2`` with the lower end of ``|D^2h|``.")
    kappa_se: NDArray = column("Its standard error.")
    kappa_upper: NDArray = column("The same with the upper end of ``|D^2h|``.")
    limit: NDArray = column(
        "``|h| |D^2h| / |Dh|^2``, what is left of it when outputs are scaled up; 0 for symmetric networks."
    )
    limit_se: NDArray = column("Its standard error.")
    residual: NDArray = column("``|h - y|``.")
    differential: NDArray = column("``|Dh|``.")
    second_derivative: NDArray = column("``|D^2h|``, its lower end.")
    laws: tuple[ScalingLaw, ...] = entry(
        "For each parameterisation the powers of ``kappa``, ``differential`` and ``second_derivative``."
    )
    draws: Mapping[str, NDArray] = entry("The draws of the columns, of shape (n_rows, n_draws).")
    network: str = entry("The network, its width written as m.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    n_draws: int = entry("Number of networks a width.")
    random_state: int = entry("Seed.")

    def law(self, parameterization: str, quantity: str = "kappa") -> ScalingLaw:
        """Return the law of a quantity.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        return find_law(self.laws, parameterization, quantity)

    def moments(self, law: ScalingLaw) -> tuple[NDArray, NDArray]:
        """Return the mean of a law's quantity at each width, and its standard error."""
        return mean_and_error(self.draws[law.quantity][self.parameterization == law.parameterization])

    def headline(self) -> str:
        """State the powers of the width."""
        lines = [
            f"{self.network}, {self.n_samples} rows of {self.n_features} features, {self.n_draws} draws",
            "powers of the width (fitted +- standard error, predicted):",
        ]
        widest = np.unique(self.width)[-2:]  # where the limit is nearest
        for law in self.laws:
            mean, error = self.moments(law)
            last = fit_power_law(widest, mean[-2:], error[-2:])
            lines.append(f"  {law}; between the two widest {last.exponent:.3f} +- {last.standard_error:.3f}")
        return "\n".join(lines)
