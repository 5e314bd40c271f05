"""The result of `homogeneity_study`: the criterion of lazy training at weights that have been scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.homogeneity.pictures import HomogeneityStudyDisplay

__all__ = ["STARTS", "HomogeneityStudy"]

STARTS = ("symmetric", "plain")


@dataclass(frozen=True, repr=False, eq=False)
class HomogeneityStudy(StudyResult):
    r"""The criterion at :math:`\lambda w_0`, computed anew and predicted; from `homogeneity_study`.

    The table has a row for each depth, degree, start and factor.

    Attributes
    ----------
    depth, degree : ndarray of int
        Hidden layers, and n of the activation sigma_n.
    start : ndarray of str
        "symmetric", with outputs 0 at the start, or "plain".
    q : ndarray of int
        The outputs' degree in the weights, 1 + n + ... + n^depth.
    factor : ndarray
        lambda.
    kappa, kappa_upper : ndarray
        The ends of the criterion at lambda w_0, computed anew; the upper one is infinite for two and more
        hidden layers.
    predicted : ndarray
        The lower end from what was computed at w_0.
    deviation : ndarray
        ``kappa / predicted - 1``.
    limit : ndarray
        ``|h(w_0)| |D^2h| / |Dh|^2``, what it tends to; 0 for symmetric starts.
    loss_change, differential_change : ndarray
        What a step of gradient descent of a thousandth of the largest stable size changed, relative.
    slope : ndarray
        Power of lambda between this factor and the one before; NaN at the first.
    networks : mapping of str to str
        The network of each depth and degree, as "depth 2, degree 1".
    width, n_samples, n_features, random_state : int
    """

    study = "homogeneity"
    columns = (
        "depth",
        "degree",
        "start",
        "q",
        "factor",
        "kappa",
        "kappa_upper",
        "predicted",
        "deviation",
        "limit",
        "loss_change",
        "differential_change",
        "slope",
    )

    depth: np.ndarray
    degree: np.ndarray
    start: np.ndarray
    q: np.ndarray
    factor: np.ndarray
    kappa: np.ndarray
    kappa_upper: np.ndarray
    predicted: np.ndarray
    deviation: np.ndarray
    limit: np.ndarray
    loss_change: np.ndarray
    differential_change: np.ndarray
    slope: np.ndarray
    networks: Mapping[str, str]
    width: int
    n_samples: int
    n_features: int
    random_state: int

    @property
    def largest_deviation(self) -> float:
        """The largest relative difference between the criterion computed anew and the predicted one."""
        return float(np.abs(self.deviation).max())

    def rows(self, depth: int, degree: int, start: str) -> np.ndarray:
        """Return the indices of the rows of one network, by factor."""
        return np.flatnonzero((self.depth == depth) & (self.degree == degree) & (self.start == start))

    def headline(self) -> str:
        """State the powers and the limits."""
        lines = [
            f"networks of width {self.width} on {self.n_samples} rows of {self.n_features} features, weights "
            f"times {self.factor.min():g} to {self.factor.max():g}",
            "kappa computed anew differs from the prediction by at most "
            f"{self.largest_deviation:.1g}, relatively",
            "at the largest factor:",
        ]
        for depth, degree in dict.fromkeys(zip(self.depth.tolist(), self.degree.tolist(), strict=True)):
            last, other = (self.rows(depth, degree, start)[-1] for start in STARTS)
            lines.append(
                f"  depth {depth}, degree {degree}, q = {self.q[last]}: symmetric {self.kappa[last]:.3g}, "
                f"falling as lambda^{self.slope[last]:.3f}; plain {self.kappa[other]:.3g}, "
                f"tending to {self.limit[other]:.3g}"
            )
        if self.depth.max() > 1:
            lines.append(
                "with several hidden layers |D^2h| is a lower bound, searched from the same random starts at "
                "every factor: these slopes test the power, and not the search"
            )
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> HomogeneityStudyDisplay:
        """Draw the criterion against lambda for symmetric starts: powers without end."""
        return HomogeneityStudyDisplay.from_study(self, ax=ax)

    def plot_plain(self, ax: Any = None) -> HomogeneityStudyDisplay:
        """Draw the criterion against lambda for plain starts: it stops at a limit that is not 0."""
        return HomogeneityStudyDisplay.from_study(self, ax=ax, start="plain")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"symmetric": self.plot, "plain": self.plot_plain}
