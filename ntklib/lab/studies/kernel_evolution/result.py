"""The result of `kernel_evolution_study`: tangent kernels along training, standard and lazy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_accuracy, draw_distance, draw_velocity

__all__ = ["KernelEvolutionStudy"]


@result(
    "kernel-evolution",
    pictures={"accuracy": draw_accuracy, "distance": draw_distance, "velocity": draw_velocity},
)
class KernelEvolutionStudy(StudyResult):
    """Tangent kernels along training; from `kernel_evolution_study`.

    Means over the draws.  Kernels are those on the fresh rows, and the distance of two is 1 minus the cosine
    between them as matrices.
    """

    regime: NDArray = column('"standard", or "lazy" (centred outputs, scaled up).')
    epoch: NDArray = column("Passes over the training rows.")
    distance: NDArray = column("Distance of the kernel from that at the start.")
    distance_se: NDArray = column("Its standard error.")
    distance_to_end: NDArray = column("Distance of the kernel from that after training.")
    velocity: NDArray = column("Distance to the kernel of the next epoch listed, per epoch; NaN at the last.")
    velocity_se: NDArray = column("Its standard error.")
    kernel_accuracy: NDArray = column(
        "Share of the test rows that kernel regression on the fresh rows classifies correctly by this kernel."
    )
    kernel_accuracy_se: NDArray = column("Its standard error.")
    accuracy: NDArray = column("Share of the test rows that the network classifies correctly.")
    accuracy_se: NDArray = column("Its standard error.")
    loss: NDArray = column("Log loss on the training rows, a mean.")
    gain: Mapping[str, tuple[float, float]] = entry(
        "By regime, accuracy of the last kernel minus that of the first, and its standard error."
    )
    draws: Mapping[str, NDArray] = entry("Draws of the measures, of shape (rows of the table, n_draws).")
    network: str = entry("The network.")
    scale: float = entry("Of the lazy network's outputs.")
    penalty: float = entry("Of kernel regression, relative to the mean of the kernel's diagonal.")
    batch_size: int = entry("Rows of a step.")
    n_train: int = entry("Number of training rows.")
    n_fresh: int = entry("Number of rows for kernel regression.")
    n_test: int = entry("Number of test rows.")
    n_classes: int = entry("Number of classes.")
    n_draws: int = entry("Draws of rows and networks.")
    random_state: int = entry("Seed.")

    def rows(self, regime: str) -> NDArray:
        """Return the indices of a regime's rows in the table."""
        return np.flatnonzero(self.regime == regime)

    def headline(self) -> str:
        """Compare the kernels at the start and after training."""
        lines = [
            f"{self.network}, {self.n_draws} draws: {self.n_train} training rows, {self.n_fresh} fresh rows "
            f"for kernel regression, {self.n_test} test rows, {self.n_classes} classes"
        ]
        for regime, (gain, error) in self.gain.items():
            rows = self.rows(regime)
            first, last = rows[0], rows[-1]
            lines.append(
                f"{regime}: kernel at distance {self.distance[last]:.2g} after {self.epoch[last]} epochs; "
                f"accuracy {self.kernel_accuracy[first]:.1%} -> {self.kernel_accuracy[last]:.1%} "
                f"({gain:+.1%} +- {error:.1%}), network {self.accuracy[last]:.1%}"
            )
        return "\n".join(lines)
