"""The result of `rescaling_study`: how far one function, written with other weights, is trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.rescaling.pictures import RescalingStudyDisplay

__all__ = ["RescalingStudy"]


@dataclass(frozen=True, repr=False, eq=False)
class RescalingStudy(StudyResult):
    """Training of one function from rescaled weights, W_0 c and W_L / c; from `rescaling_study`.

    The table has a row for each optimiser and factor.

    Attributes
    ----------
    optimizer : ndarray of str
    factor : ndarray of float
        c.
    difference : ndarray
        Largest difference of an output from that of the network that was not rescaled, over all rows and
        steps, relative to the root mean square of the targets; infinite where training diverged.
    compensated_difference : ndarray
        The same if the steps are rescaled too: by c^power in the layers that were multiplied by c, by
        c^-power in the one that was divided by it.
    loss : ndarray
        What is left of the loss at the end, uncompensated.
    power : dict of str to float
        By optimiser; see `rescaling_study`.
    learning_rate : dict of str to float
        By optimiser; NaN where it is a schedule.
    losses, differences : ndarray of shape (n_rows, steps + 1)
        Loss, relative to the start's, and largest difference over the rows, at each step.
    network : str
        The network, its widths written as m.
    width, n_samples, n_features, steps, random_state : int
    """

    study = "rescaling"
    columns = ("optimizer", "factor", "difference", "compensated_difference", "loss")

    optimizer: np.ndarray
    factor: np.ndarray
    difference: np.ndarray
    compensated_difference: np.ndarray
    loss: np.ndarray
    power: dict[str, float]
    learning_rate: dict[str, float]
    losses: np.ndarray
    differences: np.ndarray
    network: str
    width: int
    n_samples: int
    n_features: int
    steps: int
    random_state: int

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The optimisers, in the order of the table."""
        return tuple(dict.fromkeys(self.optimizer.tolist()))

    def headline(self) -> str:
        """Say how far the outputs go apart, and that rescaled steps bring them together."""
        lines = [
            f"one function, W_0 times c and W_L over c; {self.network}, m = {self.width}, "
            f"{self.steps} steps on {self.n_samples} rows",
        ]
        for name in self.optimizers:
            rows = self.optimizer == name
            lines.append(
                f"{name}: outputs go apart by up to {self.difference[rows].max():.2g}; with steps times "
                f"c^{self.power[name]:g} and c^-{self.power[name]:g} by "
                f"{self.compensated_difference[rows].max():.2g}"
            )
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> RescalingStudyDisplay:
        """Draw the largest difference against the factor."""
        return RescalingStudyDisplay.from_study(self, ax=ax)

    def plot_loss(self, ax: Any = None, *, optimizer: str | None = None) -> RescalingStudyDisplay:
        """Draw the loss along training under one optimiser (the first), a line a factor."""
        return RescalingStudyDisplay.from_study(self, ax=ax, what="loss", optimizer=optimizer)

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        paths = {
            f"rescaled-{name.replace(' ', '-')}": partial(self.plot_loss, optimizer=name)
            for name in self.optimizers
        }
        return {"rescaled": self.plot, **paths}
