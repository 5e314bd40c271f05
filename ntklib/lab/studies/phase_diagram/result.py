"""The result of `phase_diagram_study`: what training changed and achieved, by width and output scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_kernel, draw_loss, draw_phases

__all__ = ["PhaseBoundary", "PhaseDiagramStudy"]


@dataclass(frozen=True)
class PhaseBoundary:
    """Largest scale at which the kernel changes by as much as itself, by width: there the phases meet.

    Attributes
    ----------
    width : ndarray of int of shape (k,)
    scale, scale_se : ndarray of shape (k,)
        Geometric mean of the draws, and the standard error of its logarithm; NaN where a draw's kernel
        changes by more, or by less, at all scales.
    exponent, exponent_se : float
        Of the power of the width fitted to it, draw by draw; NaN if a scale is.
    """

    width: NDArray
    scale: NDArray
    scale_se: NDArray
    exponent: float
    exponent_se: float


@result("phase-diagram", pictures={"kernel": draw_kernel, "loss": draw_loss, "phases": draw_phases})
class PhaseDiagramStudy(StudyResult):
    """Networks alpha (f - f_0) trained at several widths and scales; from `phase_diagram_study`.

    Means over the draws; NaN where a network diverged.
    """

    task: NDArray = column('"rows" (those given) or "spiral".')
    width: NDArray = column("Units of the hidden layers.")
    scale: NDArray = column("The factor alpha.")
    control: NDArray = column("Alpha times the root of the width.")
    kernel_change: NDArray = column(
        "Relative change of the tangent kernel on the training rows, Frobenius norm."
    )
    kernel_change_se: NDArray = column("Its standard error.")
    test_loss: NDArray = column("Mean squared error on test rows relative to the targets' mean square.")
    test_loss_se: NDArray = column("Its standard error.")
    test_error: NDArray = column("Share of the test rows whose output has the wrong sign.")
    test_error_se: NDArray = column("Its standard error.")
    train_loss: NDArray = column("At the end, relative to the start.")
    boundaries: Mapping[str, PhaseBoundary] = entry("Of each task.")
    draws: Mapping[str, NDArray] = entry("Draws of the measures, of shape (rows of the table, n_draws).")
    network: str = entry("The network f.")
    n_train: int = entry("Number of training rows.")
    n_draws: int = entry("Draws of rows and networks.")
    random_state: int = entry("Seed.")

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in order."""
        return list(self.boundaries)

    def rows(self, task: str, width: int | None = None) -> NDArray:
        """Return the indices of the rows of a task, of one width or of all."""
        chosen = self.task == task
        return np.flatnonzero(chosen if width is None else chosen & (self.width == width))

    def headline(self) -> str:
        """Tell where the phases meet, and the test losses of both."""
        lines = [f"{self.network}, {self.n_draws} draws, {self.n_train} training rows"]
        for task, boundary in self.boundaries.items():
            lines.append(
                f"{task}: kernel changed by 100 % at alpha ~ width^{boundary.exponent:.2f} +- "
                f"{boundary.exponent_se:.2f} (theory: -1/2)"
            )
            for width in boundary.width:
                rows = self.rows(task, width)
                losses = [
                    f"{self.test_loss[row]:.3g} +- {self.test_loss_se[row]:.1g} at alpha {self.scale[row]:g}"
                    for row in (rows[0], rows[-1])
                ]
                lines.append(f"  width {width}: test loss {', '.join(losses)}")
        return "\n".join(lines)
