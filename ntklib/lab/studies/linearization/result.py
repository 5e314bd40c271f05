"""The result of `linearization_study`: distances between networks and tangent models, and their fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib.lab.power_law import PowerLaw
from ntklib.lab.result import StudyResult
from ntklib.lab.studies.linearization.pictures import LinearizationStudyDisplay

__all__ = ["GAPS", "LinearizationStudy"]

GAPS = {
    "outputs": "outputs",
    "test_outputs": "outputs on test rows",
    "parameters": "parameters",
    "kernel": "tangent kernel",
}
"""What is measured, and its name for people."""


@dataclass(frozen=True, repr=False, eq=False)
class LinearizationStudy(StudyResult):
    r"""Networks against their tangent models along training, by width; from `linearization_study`.

    With f the network, g its tangent model and t the recorded steps, a draw's gap in the outputs is
    :math:`\max_t |f_t - g_t| / \max_t |g_t - g_0|` on the training rows, how far the network gets away from
    its tangent model relative to how far that goes; in the test outputs and parameters alike.  The gap of
    the tangent kernel is its relative change in Frobenius norm between start and end.

    Attributes
    ----------
    width : ndarray of int
    outputs, test_outputs, parameters, kernel : ndarray
        Root mean square of the gaps over the draws; the second is NaN without test rows.
    outputs_se, test_outputs_se, parameters_se, kernel_se : ndarray
        Their standard errors.
    sign_changes : ndarray
        Share of the hidden preactivations with another sign at the end than at the start, mean of the draws.
    loss, tangent_loss : ndarray
        Losses of network and tangent model at the end, relative to the start, mean of the draws.
    slopes : mapping of str to PowerLaw
        Fits of the gaps against width, by their names above.
    gaps : mapping of str to ndarray of shape (n_widths, n_draws)
        The draws.
    steps : ndarray of int of shape (n_records,)
        Steps that are compared.
    output_paths, loss_paths, tangent_loss_paths : ndarray of shape (n_widths, n_draws, n_records)
        Gap in the outputs, and losses relative to the start, at each of these steps.
    network : str
        The network, its widths written as m.
    learning_rate : float
    n_samples, n_features, n_draws, random_state : int
    """

    study = "linearization"
    columns = (
        "width",
        "outputs",
        "outputs_se",
        "test_outputs",
        "test_outputs_se",
        "parameters",
        "parameters_se",
        "kernel",
        "kernel_se",
        "sign_changes",
        "loss",
        "tangent_loss",
    )

    width: np.ndarray
    outputs: np.ndarray
    outputs_se: np.ndarray
    test_outputs: np.ndarray
    test_outputs_se: np.ndarray
    parameters: np.ndarray
    parameters_se: np.ndarray
    kernel: np.ndarray
    kernel_se: np.ndarray
    sign_changes: np.ndarray
    loss: np.ndarray
    tangent_loss: np.ndarray
    slopes: Mapping[str, PowerLaw]
    gaps: Mapping[str, np.ndarray]
    steps: np.ndarray
    output_paths: np.ndarray
    loss_paths: np.ndarray
    tangent_loss_paths: np.ndarray
    network: str
    learning_rate: float
    n_samples: int
    n_features: int
    n_draws: int
    random_state: int

    def headline(self) -> str:
        """Say how fast the gaps close as the network grows wider."""
        wide = len(max(GAPS.values(), key=len))
        return "\n".join(
            [
                f"{self.network} at {len(self.width)} widths, {self.n_draws} draws each, on "
                f"{self.n_samples} rows of {self.n_features} features, {self.steps[-1]} steps",
                "largest distance between network and tangent model along training, relative:",
                *(f"  {GAPS[name]:<{wide}} ~ width^{law}" for name, law in self.slopes.items()),
            ]
        )

    def plot(self, ax: Any = None) -> LinearizationStudyDisplay:
        """Draw the gaps against width, with the fits."""
        return LinearizationStudyDisplay.from_study(self, ax=ax)

    def plot_training(self, ax: Any = None) -> LinearizationStudyDisplay:
        """Draw the gap in the outputs along training, a line a width."""
        return LinearizationStudyDisplay.from_study(self, ax=ax, what="training")

    def plot_loss(self, ax: Any = None) -> LinearizationStudyDisplay:
        """Draw the losses of networks and tangent models along training."""
        return LinearizationStudyDisplay.from_study(self, ax=ax, what="loss")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"gaps": self.plot, "training": self.plot_training, "loss": self.plot_loss}
