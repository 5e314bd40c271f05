"""The result of `scale_study`: gaps to the linearised model by scale, and their local slopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .measure import MODELS, TRUST
from .pictures import draw_movement, draw_outputs, draw_parameters

__all__ = ["PREDICTED", "LocalSlopes", "ScaleStudy", "local_slopes"]

QUANTITIES = {"movement": "movement", "parameter_gap": "parameter gap", "output_gap": "output gap"}

PREDICTED = {
    "centred": {"movement": -1.0, "parameter_gap": -2.0, "output_gap": -1.0},
    "symmetric": {"movement": -1.0, "parameter_gap": -2.0, "output_gap": -2.0},
    "plain": dict.fromkeys(QUANTITIES, 0.0),
    "offset": dict.fromkeys(QUANTITIES, 0.0),
}
"""Powers of the scale as it grows."""


@dataclass(frozen=True)
class LocalSlopes:
    """Slopes d log(gap)/d log(scale) between adjacent scales, over the last decade that counts.

    Which decade that is depends on the gaps and their estimated errors in the same runs.

    Attributes
    ----------
    predicted : float
    least, greatest : float
        NaN if there are no two scales in a decade whose gaps are above a thousand times their errors.
    low, high : float
        The scales between which they are.
    gap, error : float
        At the scale where the gap is least above its error.
    """

    predicted: float
    least: float
    greatest: float
    low: float
    high: float
    gap: float
    error: float

    @property
    def deviation(self) -> float:
        """Largest distance of a slope from the predicted one."""
        return max(abs(self.least - self.predicted), abs(self.greatest - self.predicted))

    @property
    def ends(self) -> str:
        """The least and the greatest slope to four digits."""
        least, greatest = (round(end, 4) + 0.0 for end in (self.least, self.greatest))  # no -0.0000
        return f"{least:.4f} to {greatest:.4f}"

    def __str__(self) -> str:
        if np.isnan(self.least):
            return "no decade counts"
        scales = f"{self.low:.3g} to {self.high:.3g}"
        return f"{self.ends:<20}  {scales:<16}  {self.gap:.1e}, {self.error:.1e}"


def local_slopes(
    scales: np.ndarray, gaps: np.ndarray, errors: np.ndarray, predicted: float
) -> tuple[np.ndarray, LocalSlopes]:
    """Return the slope from the scale before to each (NaN first), and those of the last decade that counts.

    Parameters
    ----------
    scales : ndarray of shape (k,)
        Ascending.
    gaps, errors : ndarray of shape (k,)
    predicted : float

    Returns
    -------
    slopes : ndarray of shape (k,)
    LocalSlopes
    """
    slopes = np.full(len(scales), np.nan)
    both = (gaps[1:] > 0) & (gaps[:-1] > 0)
    steps = np.log(scales[1:] / scales[:-1])
    slopes[1:][both] = np.log(gaps[1:][both] / gaps[:-1][both]) / steps[both]
    counts = gaps > TRUST * errors
    for end in range(len(scales) - 1, 0, -1):
        decade = np.flatnonzero(scales[: end + 1] >= 0.0999 * scales[end])
        if len(decade) > 1 and counts[decade].all():
            within, worst = slopes[decade[1:]], decade[np.argmin(gaps[decade] / errors[decade])]
            numbers = within.min(), within.max(), scales[decade[0]], scales[end], gaps[worst], errors[worst]
            return slopes, LocalSlopes(predicted, *map(float, numbers))
    return slopes, LocalSlopes(predicted, *[float("nan")] * 6)


@result("scale", pictures={"outputs": draw_outputs, "parameters": draw_parameters, "movement": draw_movement})
class ScaleStudy(StudyResult):
    r"""Networks against their linearisations by the scale of their outputs; from `scale_study`.

    A row is a model at a scale :math:`\alpha`.  w_t are the parameters and f_t the outputs of the network at
    the time t of :math:`\alpha^2 t` = ``time``, u_t and g_t those of its linearisation.  Slopes are those of
    logarithms against that of the scale, from the scale before to this one; NaN first.
    """

    model: NDArray = column('"centred", "symmetric", "plain" or "offset".')
    scale: NDArray = column("Factor of the outputs.")
    movement: NDArray = column(r":math:`|w_t - w_0| / |w_0|`.")
    movement_slope: NDArray = column("Its slope.")
    parameter_gap: NDArray = column(r":math:`|w_t - u_t| / |w_0|`.")
    parameter_slope: NDArray = column("Its slope.")
    parameter_error: NDArray = column("Its estimated error, by integration and by rounding.")
    parameter_rounding: NDArray = entry("The part of rounding in it.")
    output_gap: NDArray = column(r":math:`|f_t - g_t| / |f_0 - y|`.")
    output_slope: NDArray = column("Its slope.")
    output_error: NDArray = column("Its estimated error, by integration and by rounding.")
    output_rounding: NDArray = entry("The part of rounding in it.")
    loss: NDArray = column("Of the network at t, relative to the start.")
    linear_loss: NDArray = column("Of the linearisation at t, relative to the start.")
    slopes: Mapping[str, Mapping[str, LocalSlopes]] = entry(
        'By model and by "movement", "parameter_gap", "output_gap": the last decade that counts.'
    )
    start_outputs: Mapping[str, float] = entry("``|h(w_0)|`` of each model.")
    target_norm: float = entry("``|y|``.")
    network: str = entry("The network.")
    time: float = entry(r":math:`\alpha^2 t`.")
    remaining: float = entry("Share of the loss that the linearisation of the centred model has left.")
    rtol: float = entry("Tolerance of a step.")
    offset: float = entry("By how much the last model is off.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    random_state: int = entry("Seed.")

    def headline(self) -> str:
        """Say with which powers of the scale the gaps close, and how well that is known."""
        lines = [
            f"{self.network} on {self.n_samples} rows of {self.n_features} features, at alpha^2 t = "
            f"{self.time:.4g}",
            "local slopes in a decade of scales; which one is read off these runs themselves, the last with "
            f"gaps {TRUST:g} times their estimated errors or more:",
            f"  {'':<27}{'':<15}{'predicted':>9}  {'local slopes':<20}  {'decade chosen':<16}  "
            "least gap, error",
        ]
        for model, of_model in self.slopes.items():
            for name, slope in of_model.items():
                title = MODELS[model] if name == "movement" else ""
                lines.append(f"  {title:<27}{QUANTITIES[name]:<15}{slope.predicted:>9g}  {slope}")
        for model in ("plain", "offset"):
            size = self.start_outputs[model]
            if size > 0:
                lines.append(
                    f"{MODELS[model]}: |h(w_0)| = {size:.3g}, |y| = {self.target_norm:.3g}; above scale "
                    f"{self.target_norm / size:.3g} it mainly unlearns h(w_0), and gaps tend to constants"
                )
        return "\n".join(lines)
