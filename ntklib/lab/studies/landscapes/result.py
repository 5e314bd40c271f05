"""The result of `landscapes_study`: what gradient descent came to, beside what is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_distance, draw_flat, draw_loss, draw_oscillation, draw_paths, draw_rates

__all__ = ["LandscapesStudy"]


@result(
    "landscapes",
    pictures={
        "loss": draw_loss,
        "distance": draw_distance,
        "paths": draw_paths,
        "rates": draw_rates,
        "oscillation": draw_oscillation,
        "flat": draw_flat,
    },
)
class LandscapesStudy(StudyResult):
    """Gradient descent on simple functions; from `landscapes_study`.

    The table has a row for each function and learning rate.  Measured figures are medians over the starts;
    expected ones are those of infinitely many steps, NaN where they depend on the start.  Courses are those
    from the first start.
    """

    function: NDArray = column("Name of the function; of quadratics, with the second curvature.")
    learning_rate: NDArray = column("Step size.")
    outcome: NDArray = column("Whether most runs converge, diverge, or hop between two points.")
    rate: NDArray = column("Factor of the distance from the minimum a step, over the last ten steps.")
    expected_rate: NDArray = column("The same in theory.")
    hop: NDArray = column("Length of the last step.")
    expected_hop: NDArray = column("The same in theory.")
    loss: NDArray = column("Loss at the end, the mean over two steps.")
    expected_loss: NDArray = column("The same in theory.")
    distance: NDArray = column("Distance from the minimum at the end.")
    steps_to: NDArray = column("Steps until the loss is at most the tolerance; infinite if it never was.")
    error: NDArray = column(
        "Largest distance of a run from its closed form, relative to the larger of the distances from the "
        "minimum there and at the start; NaN where there is none."
    )
    recorded: NDArray = entry("Steps at which distances and losses are kept.")
    distances: NDArray = entry("Distance from the minimum, of shape (n_rows, n_recorded).")
    losses: NDArray = entry("Loss, of shape (n_rows, n_recorded).")
    paths: NDArray = entry("Positions after the first steps, of shape (n_rows, n_positions, 2).")
    curvatures: list[float] = entry("Second curvatures of the quadratics.")
    slope: float = entry("Slope of the cone.")
    threshold: float = entry("Where Huber's function becomes linear.")
    spread: float = entry("Standard deviation of the coordinates of the starts.")
    tolerance: float = entry("Loss to which steps are counted.")
    n_starts: int = entry("Number of starts.")
    steps: int = entry("Steps of every run.")
    random_state: int = entry("Seed.")

    @property
    def functions(self) -> list[str]:
        """Names of the functions, in the order of the table."""
        return list(dict.fromkeys(self.function.tolist()))

    def rows(self, function: str) -> NDArray:
        """Return the rows of the table that are on a function, by ascending learning rate."""
        return np.flatnonzero(self.function == function)

    def headline(self) -> str:
        """State for each function the step sizes that converge, hop and diverge."""
        lines = [f"gradient descent from {self.n_starts} starts, {self.steps} steps"]
        for function in self.functions:
            rates: dict[str, list[str]] = {}
            for row in self.rows(function):
                rates.setdefault(str(self.outcome[row]), []).append(f"{self.learning_rate[row]:g}")
            outcomes = (f"{outcome} at {', '.join(etas)}" for outcome, etas in rates.items())
            lines.append(f"{function}: {'; '.join(outcomes)}")
        known = self.error[np.isfinite(self.error)]
        if known.size:
            lines.append(f"no run is farther from its closed form than {known.max():.1g} of its distance")
        return "\n".join(lines)
