"""The result of `criterion_study`: the criterion of lazy training by width, and the powers fitted to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.power_law import fit_power_law
from ntklib.lab.result import StudyResult
from ntklib.lab.scaling import ScalingLaw
from ntklib.lab.studies.criterion.pictures import CriterionStudyDisplay

__all__ = ["CriterionStudy"]


@dataclass(frozen=True, repr=False, eq=False)
class CriterionStudy(StudyResult):
    """The criterion of lazy training against width, by parameterisation; from `criterion_study`.

    The table has a row for each parameterisation and width: means over the draws, and standard errors.

    Attributes
    ----------
    parameterization : ndarray of str
    width : ndarray of int
    kappa, kappa_se : ndarray
        ``|h - y| |D^2h| / |Dh|^2`` with what was found of ``|D^2h|``, its lower end.
    kappa_upper : ndarray
        With its upper end.
    limit, limit_se : ndarray
        ``|h| |D^2h| / |Dh|^2``, what is left of it when outputs are scaled up; 0 for symmetric networks.
    residual, differential, second_derivative : ndarray
        ``|h - y|``, ``|Dh|`` and ``|D^2h|``, the parts.
    laws : tuple of ScalingLaw
        For each parameterisation the powers of ``kappa``, ``differential`` and ``second_derivative``.
    draws : mapping of str to ndarray of shape (n_rows, n_draws)
        The draws of the columns.
    network : str
        The network, its width written as m.
    n_samples, n_features, n_draws, random_state : int
    """

    study = "criterion"
    columns = (
        "parameterization",
        "width",
        "kappa",
        "kappa_se",
        "kappa_upper",
        "limit",
        "limit_se",
        "residual",
        "differential",
        "second_derivative",
    )

    parameterization: np.ndarray
    width: np.ndarray
    kappa: np.ndarray
    kappa_se: np.ndarray
    kappa_upper: np.ndarray
    limit: np.ndarray
    limit_se: np.ndarray
    residual: np.ndarray
    differential: np.ndarray
    second_derivative: np.ndarray
    laws: tuple[ScalingLaw, ...]
    draws: Mapping[str, np.ndarray]
    network: str
    n_samples: int
    n_features: int
    n_draws: int
    random_state: int

    def law(self, parameterization: str, quantity: str = "kappa") -> ScalingLaw:
        """Return the law of a quantity.

        Raises
        ------
        KeyError
            If there is none of that name.
        """
        for law in self.laws:
            if (law.parameterization, law.quantity) == (parameterization, quantity):
                return law
        raise KeyError(f"no law of {quantity!r} in the {parameterization!r} parameterisation.")

    def headline(self) -> str:
        """State the powers of the width."""
        lines = [
            f"{self.network}, {self.n_samples} rows of {self.n_features} features, {self.n_draws} draws",
            "powers of the width (fitted +- standard error, predicted):",
        ]
        for law in self.laws:
            wide, error = self._widest(law)
            lines.append(f"  {law}; between the two widest {wide:.3f} +- {error:.3f}")
        return "\n".join(lines)

    def _widest(self, law: ScalingLaw) -> tuple[float, float]:
        """The power between the last two widths, where the limit is nearest, and its standard error."""
        rows = np.flatnonzero(self.parameterization == law.parameterization)[-2:]
        draws = self.draws[law.quantity][rows]
        mean, error = draws.mean(axis=1), draws.std(axis=1, ddof=1) / np.sqrt(draws.shape[1])
        fitted = fit_power_law(self.width[rows], mean, error)
        return fitted.exponent, fitted.standard_error

    def plot(self, ax: Any = None) -> CriterionStudyDisplay:
        """Draw the criterion against width with the fitted powers."""
        return CriterionStudyDisplay.from_study(self, ax=ax)

    def plot_parts(self, ax: Any = None) -> CriterionStudyDisplay:
        """Draw the norms of the first and second derivative against width."""
        return CriterionStudyDisplay.from_study(self, ax=ax, what="parts")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"kappa": self.plot, "parts": self.plot_parts}
