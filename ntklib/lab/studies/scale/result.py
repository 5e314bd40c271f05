"""The result of `scale_study`: gaps to the linearised model by scale, and their local slopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.scale.pictures import ScaleStudyDisplay

from ._measure import MODELS

__all__ = ["PREDICTED", "TRUST", "LocalSlopes", "ScaleStudy", "local_slopes"]

TRUST = 1e3
"""Times the error that a gap must be to count."""

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
            found, worst = slopes[decade[1:]], decade[np.argmin(gaps[decade] / errors[decade])]
            numbers = found.min(), found.max(), scales[decade[0]], scales[end], gaps[worst], errors[worst]
            return slopes, LocalSlopes(predicted, *map(float, numbers))
    return slopes, LocalSlopes(predicted, *[float("nan")] * 6)


@dataclass(frozen=True, repr=False, eq=False)
class ScaleStudy(StudyResult):
    r"""Networks against their linearisations by the scale of their outputs; from `scale_study`.

    A row is a model at a scale :math:`\alpha`.  With w_t the parameters and f_t the outputs of the network
    at the time t of :math:`\alpha^2 t` = ``time``, and u_t, g_t those of its linearisation:

    Attributes
    ----------
    model : ndarray of str
        "centred", "symmetric", "plain" or "offset".
    scale : ndarray
    movement, parameter_gap : ndarray
        :math:`|w_t - w_0| / |w_0|` and :math:`|w_t - u_t| / |w_0|`.
    output_gap : ndarray
        :math:`|f_t - g_t| / |f_0 - y|`.
    movement_slope, parameter_slope, output_slope : ndarray
        Slopes of their logarithms against that of the scale, from the scale before to this one; NaN first.
    parameter_error, output_error : ndarray
        Estimated errors of the gaps, by integration and by rounding, in the same units.
    parameter_rounding, output_rounding : ndarray
        The part of rounding.
    loss, linear_loss : ndarray
        Of network and linearisation at t, relative to the start.
    slopes : mapping of str to mapping of str to LocalSlopes
        By model and by "movement", "parameter_gap", "output_gap": the last decade that counts.
    start_outputs : mapping of str to float
        |h(w_0)| of each model.
    target_norm : float
        |y|.
    network : str
    time : float
        :math:`\alpha^2 t`.
    remaining, rtol, offset : float
    n_samples, n_features, random_state : int
    """

    study = "scale"
    columns = (
        "model",
        "scale",
        "movement",
        "movement_slope",
        "parameter_gap",
        "parameter_slope",
        "parameter_error",
        "output_gap",
        "output_slope",
        "output_error",
        "loss",
        "linear_loss",
    )

    model: np.ndarray
    scale: np.ndarray
    movement: np.ndarray
    movement_slope: np.ndarray
    parameter_gap: np.ndarray
    parameter_slope: np.ndarray
    parameter_error: np.ndarray
    parameter_rounding: np.ndarray
    output_gap: np.ndarray
    output_slope: np.ndarray
    output_error: np.ndarray
    output_rounding: np.ndarray
    loss: np.ndarray
    linear_loss: np.ndarray
    slopes: Mapping[str, Mapping[str, LocalSlopes]]
    start_outputs: Mapping[str, float]
    target_norm: float
    network: str
    time: float
    remaining: float
    rtol: float
    offset: float
    n_samples: int
    n_features: int
    random_state: int

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
        for model, found in self.slopes.items():
            for name, slope in found.items():
                title = MODELS[model] if name == "movement" else ""
                lines.append(f"  {title:<27}{QUANTITIES[name]:<15}{slope.predicted:>9g}  {_words(slope)}")
        for model in ("plain", "offset"):
            size = self.start_outputs[model]
            if size > 0:
                lines.append(
                    f"{MODELS[model]}: |h(w_0)| = {size:.3g}, |y| = {self.target_norm:.3g}; above scale "
                    f"{self.target_norm / size:.3g} it mainly unlearns h(w_0), and gaps tend to constants"
                )
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> ScaleStudyDisplay:
        """Draw the output gaps against the scale."""
        return ScaleStudyDisplay.from_study(self, ax=ax)

    def plot_parameters(self, ax: Any = None) -> ScaleStudyDisplay:
        """Draw the parameter gaps against the scale."""
        return ScaleStudyDisplay.from_study(self, quantity="parameter_gap", ax=ax)

    def plot_movement(self, ax: Any = None) -> ScaleStudyDisplay:
        """Draw how far parameters move against the scale."""
        return ScaleStudyDisplay.from_study(self, quantity="movement", ax=ax)

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"outputs": self.plot, "parameters": self.plot_parameters, "movement": self.plot_movement}


def _words(slope: LocalSlopes) -> str:
    if np.isnan(slope.least):
        return "no decade counts"
    ends = (round(end, 4) + 0.0 for end in (slope.least, slope.greatest))  # no -0.0000
    between, scales = "{:.4f} to {:.4f}".format(*ends), f"{slope.low:.3g} to {slope.high:.3g}"
    return f"{between:<20}  {scales:<16}  {slope.gap:.1e}, {slope.error:.1e}"
