"""The result of `valley_study`: how flat the minima are, by learning rate and rho."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_paths, draw_traces

__all__ = ["CONVERGED", "ValleyStudy"]

CONVERGED = 1e-12
"""Loss below which a run has reached a minimum."""


@result("valley", pictures={"paths": draw_paths, "trace": draw_traces})
class ValleyStudy(StudyResult):
    """Ends of runs of sharpness-aware minimisation in the widening valley; from `valley_study`.

    The table has a row for each learning rate and each rho, rho = 0 being gradient descent.  Its figures are
    those of the runs that reached a minimum; NaN where none did.  Raw runs are of shape (n_learning_rates,
    n_rhos, n_starts).  The picture "paths" is of one learning rate, that in the option ``learning_rate`` of
    `plot`: by default the middle one.
    """

    learning_rate: NDArray = column("Step size.")
    rho: NDArray = column("How far along the gradient the second one is taken.")
    converged: NDArray = column("Runs that reached a minimum.")
    diverged: NDArray = column("Runs that left the range of floating-point numbers.")
    trace: NDArray = column("Median of the Hessian's trace at the end.")
    trace_low: NDArray = column("Its lower quartile.")
    trace_high: NDArray = column("Its upper quartile.")
    flow_trace: NDArray = column(
        "Median, over the same starts, of the trace where infinitely small steps end."
    )
    ratio: NDArray = column(
        "Median of the trace relative to gradient descent's, with the same step from the same start."
    )
    flatter: NDArray = column("Share of such pairs in which the trace is smaller than gradient descent's.")
    sharpest: NDArray = column("Largest eigenvalue of the Hessian at any of the ends.")
    sharpest_stable: NDArray = column("The largest at which a minimum can hold the method.")
    traces: NDArray = entry("Trace at the end of each run.")
    flow_traces: NDArray = entry("Trace where the flow would end, of shape (n_rhos, n_starts).")
    losses: NDArray = entry("Loss at the end of each run.")
    paths: NDArray = entry(
        "The first steps from :math:`|u| = 3`, v = 1, in the plane that they stay in: u along u_0, and v; of "
        "shape (n_learning_rates, n_rhos, path_steps + 1, 2)."
    )
    n_starts: int = entry("Number of starts.")
    dimension: int = entry("Length of u.")
    steps: int = entry("Steps at most.")
    random_state: int = entry("Seed.")

    @property
    def grid(self) -> tuple[NDArray, NDArray]:
        """Learning rates and rhos, each once."""
        a, b, _ = self.traces.shape
        return self.learning_rate.reshape(a, b)[:, 0], self.rho.reshape(a, b)[0]

    @property
    def reached(self) -> NDArray:
        """Mask of the runs that reached a minimum, shape (n_learning_rates, n_rhos, n_starts)."""
        return self.losses <= CONVERGED

    def ratios(self) -> NDArray:
        """Traces relative to gradient descent's from the same start, NaN unless both reached a minimum."""
        traces = np.where(self.reached, self.traces, np.nan)
        return traces / traces[:, :1]

    def headline(self) -> str:
        """State how often the minima were flatter, and whether any was too sharp to hold."""
        ratios = self.ratios()[:, 1:]
        pairs = ratios[np.isfinite(ratios)]
        lines = [
            f"valley of dimension {self.dimension} + 1, {self.n_starts} starts, {self.steps} steps at most"
        ]
        if pairs.size:
            lines.append(
                f"flatter than gradient descent's in {np.mean(pairs < 1):.0%} of {pairs.size} pairs of runs "
                f"that both reached a minimum; median trace {np.median(pairs):.3g} times"
            )
        lines.append(
            f"{self.converged.sum()} of {self.reached.size} runs reached a minimum, "
            f"{self.diverged.sum()} diverged"
        )
        if self.converged.any():
            sharpest = np.nanmax(self.sharpest / self.sharpest_stable)
            lines.append(f"the sharpest minimum has {sharpest:.3g} times the curvature that can be held")
        return "\n".join(lines)
