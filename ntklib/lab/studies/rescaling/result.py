"""The result of `rescaling_study`: how far one function, written with other weights, is trained elsewhere."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_differences, draw_loss

__all__ = ["RescalingStudy"]


@result("rescaling", pictures={"rescaled": draw_differences})
class RescalingStudy(StudyResult):
    """Training of one function from rescaled weights, W_0 c and W_L / c; from `rescaling_study`.

    The table has a row for each optimiser and factor.  Besides the picture of all there is one for each
    optimiser, ``rescaled-Adam`` for "Adam".
    """

    optimizer: NDArray = column("Name of the optimiser.")
    factor: NDArray = column("c.")
    difference: NDArray = column(
        "Largest difference of an output from that of the network that was not rescaled, over all rows and "
        "steps, relative to the root mean square of the targets; infinite where training diverged."
    )
    compensated_difference: NDArray = column(
        "The same if the steps are rescaled too: by c^power in the layers that were multiplied by c, by "
        "c^-power in the one that was divided by it."
    )
    loss: NDArray = column("What is left of the loss at the end, uncompensated.")
    power: dict[str, float] = entry("By optimiser; see `rescaling_study`.")
    learning_rate: dict[str, float] = entry("By optimiser; NaN where it is a schedule.")
    losses: NDArray = entry("Loss, relative to the start's, at each step; a row for each of the table.")
    differences: NDArray = entry(
        "Largest difference over the rows at each step; a row for each of the table."
    )
    network: str = entry("The network, its widths written as m.")
    width: int = entry("Units of a hidden layer.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    steps: int = entry("Number of steps.")
    random_state: int = entry("Seed.")

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The optimisers, in the order of the table."""
        return tuple(dict.fromkeys(self.optimizer.tolist()))

    def headline(self) -> str:
        """State how far the outputs go apart, with and without rescaled steps."""
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

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures: of the differences, and of the losses under each optimiser."""
        return ("rescaled", *self._loss_pictures)

    @property
    def _loss_pictures(self) -> dict[str, str]:
        """Optimisers by the name of their picture."""
        return {f"rescaled-{name.replace(' ', '-')}": name for name in self.optimizers}

    def _draw(self, ax: Any, picture: str, **options: Any) -> None:
        if picture in self._loss_pictures:
            draw_loss(ax, self, self._loss_pictures[picture])
        else:
            super()._draw(ax, picture)
