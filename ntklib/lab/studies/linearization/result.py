"""The result of `linearization_study`: distances between networks and tangent models, and their fits."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from ntklib.lab.power_law import PowerLaw
from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_gaps, draw_loss, draw_training

__all__ = ["GAPS", "LinearizationStudy"]

GAPS = {
    "outputs": "outputs",
    "test_outputs": "outputs on test rows",
    "parameters": "parameters",
    "kernel": "tangent kernel",
}
"""Quantities that are compared, with their names for people."""


@result("linearization", pictures={"gaps": draw_gaps, "training": draw_training, "loss": draw_loss})
class LinearizationStudy(StudyResult):
    r"""Networks against their tangent models along training, by width; from `linearization_study`.

    With f the network, g its tangent model and t the recorded steps, a draw's gap in the outputs is
    :math:`\max_t |f_t - g_t| / \max_t |g_t - g_0|` on the training rows, how far the network gets away from
    its tangent model relative to how far that goes; in the test outputs and parameters alike.  The gap of
    the tangent kernel is its relative change in Frobenius norm between start and end.

    Arrays have one value a width; raw draws are of shape (n_widths, n_draws), paths (n_widths, n_draws,
    n_records).
    """

    width: NDArray = column("Units of the hidden layers.")
    outputs: NDArray = column("Root mean square over the draws of the gap in the outputs.")
    outputs_se: NDArray = column("Its standard error.")
    test_outputs: NDArray = column("Root mean square of the gap in the test outputs; NaN without test rows.")
    test_outputs_se: NDArray = column("Its standard error.")
    parameters: NDArray = column("Root mean square of the gap in the parameters.")
    parameters_se: NDArray = column("Its standard error.")
    kernel: NDArray = column("Root mean square of the gap of the tangent kernel.")
    kernel_se: NDArray = column("Its standard error.")
    sign_changes: NDArray = column(
        "Share of the hidden preactivations with another sign at the end than at the start, mean."
    )
    loss: NDArray = column("Of the network at the end, relative to the start, mean of the draws.")
    tangent_loss: NDArray = column("Of the tangent model at the end, relative to the start, mean.")
    slopes: Mapping[str, PowerLaw] = entry("Fits of the gaps against width, by their names above.")
    gaps: Mapping[str, NDArray] = entry("Gaps of the draws, by their names above.")
    steps: NDArray = entry("Steps that are compared.")
    output_paths: NDArray = entry("Gap in the outputs at each of these steps.")
    loss_paths: NDArray = entry("Loss of the network there, relative to the start.")
    tangent_loss_paths: NDArray = entry("Loss of the tangent model there, relative to the start.")
    network: str = entry("The network, its widths written as m.")
    learning_rate: float = entry("Step size of both.")
    n_samples: int = entry("Number of training rows.")
    n_features: int = entry("Number of inputs.")
    n_draws: int = entry("Number of networks a width.")
    random_state: int = entry("Seed.")

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
