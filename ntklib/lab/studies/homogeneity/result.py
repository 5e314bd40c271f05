"""The result of `homogeneity_study`: the criterion of lazy training at weights that have been scaled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_plain, draw_symmetric

__all__ = ["STARTS", "HomogeneityStudy"]

STARTS = ("symmetric", "plain")


@result("homogeneity", pictures={"symmetric": draw_symmetric, "plain": draw_plain})
class HomogeneityStudy(StudyResult):
    r"""The criterion at :math:`\lambda w_0`, computed anew and predicted; from `homogeneity_study`.

    The table has a row for each depth, degree, start and factor.
    """

    depth: NDArray = column("Hidden layers.")
    degree: NDArray = column("n of the activation sigma_n.")
    start: NDArray = column('"symmetric", with outputs 0 at the start, or "plain".')
    q: NDArray = column("The outputs' degree in the weights, 1 + n + ... + n^depth.")
    factor: NDArray = column("lambda.")
    kappa: NDArray = column("The lower end of the criterion at lambda w_0, computed anew.")
    kappa_upper: NDArray = column("Its upper end; infinite for two and more hidden layers.")
    predicted: NDArray = column("The lower end from what was computed at w_0.")
    deviation: NDArray = column("``kappa / predicted - 1``.")
    limit: NDArray = column("``|h(w_0)| |D^2h| / |Dh|^2``, what it tends to; 0 for symmetric starts.")
    loss_change: NDArray = column(
        "What a step of gradient descent of a thousandth of the largest stable size changed of the loss, "
        "relative."
    )
    differential_change: NDArray = column("What it changed of the differential, relative.")
    slope: NDArray = column("Power of lambda between this factor and the one before; NaN at the first.")
    networks: Mapping[str, str] = entry('The network of each depth and degree, as "depth 2, degree 1".')
    width: int = entry("Units of every hidden layer.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    random_state: int = entry("Seed.")

    @property
    def largest_deviation(self) -> float:
        """The largest relative difference between the criterion computed anew and the predicted one."""
        return float(np.abs(self.deviation).max())

    @property
    def kinds(self) -> list[tuple[int, int]]:
        """Depth and degree of the networks."""
        return list(dict.fromkeys(zip(self.depth.tolist(), self.degree.tolist(), strict=True)))

    def rows(self, depth: int, degree: int, start: str) -> NDArray:
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
        for depth, degree in self.kinds:
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
