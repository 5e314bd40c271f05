"""The result of `parameterization_study`: gradients and steps against width, and their powers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result
from ntklib.lab.width_powers import ScalingLaw, find_law

from ..rescaling import RescalingStudy
from .pictures import draw_change, draw_entries, draw_norms, draw_steps, draw_sweep

__all__ = ["ParameterizationStudy"]

_SWEEP = "sweep-"


@result(
    "parameterization",
    pictures={"steps": draw_steps, "entries": draw_entries, "norms": draw_norms, "change": draw_change},
)
class ParameterizationStudy(StudyResult):
    """Gradients and step sizes of networks against width; from `parameterization_study`.

    The table has a row for each parameterisation and width; it leaves out the one of ``largest_step`` and
    ``unit_step`` that does not go with the optimiser.  If networks were trained, there is a picture
    ``sweep-NAME`` of each parameterisation, and with ``rescaling`` its pictures.
    """

    parameterization: NDArray = column("Name of the parameterisation.")
    width: NDArray = column("Units of the hidden layers.")
    first_entry: NDArray = column(
        "Root mean square of the entries of the first layer's gradient at the start."
    )
    first_norm: NDArray = column(
        "Root mean square, over the draws, of the norm of the first layer's gradient."
    )
    output_norm: NDArray = column("The same of the output layer's.")
    largest_step: NDArray = column(
        "2 over the mean largest eigenvalue of the kernel weighted by the step multipliers; NaN for "
        "optimisers other than gradient descent."
    )
    unit_step: NDArray = column(
        "Step size whose first move would change the outputs by the targets' length, to first order, "
        "harmonic mean over the draws; NaN for gradient descent."
    )
    best_step: NDArray = column(
        "Step size that leaves the smallest loss after ``steps`` steps, geometric mean over the draws; NaN "
        "if there were none."
    )
    first_change: NDArray = column(
        "What the first step, with the largest stable or the unit step size, changes of the first layer's "
        "entries, relative to their size; geometric mean over the draws."
    )
    hidden_norms: NDArray = entry(
        "Norms of the gradients of the layers in between, of shape (n_rows, depth - 1)."
    )
    laws: tuple[ScalingLaw, ...] = entry(
        "Fitted and predicted power of each quantity in each parameterisation."
    )
    draws: dict[str, NDArray] = entry("Every quantity of every network, of shape (n_rows, n_draws).")
    standard_errors: dict[str, NDArray] = entry("By quantity, of shape (n_rows,).")
    sweeps: tuple[NDArray, ...] = entry(
        "For each row the step sizes tried, and what they leave of the loss, geometric mean over the draws; "
        "it is cut at 1000, which stands for divergence.  Empty if nothing was trained."
    )
    rescaling: RescalingStudy | None = entry(
        "The rescaled pair of networks; None if the network's activation is not homogeneous or nothing was "
        "trained."
    )
    network: str = entry("The network, its widths written as m.")
    optimizer: str = entry("The optimiser without its learning rate.")
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    n_draws: int = entry("Number of networks a width.")
    steps: int = entry("Number of steps of the short trainings.")
    random_state: int = entry("Seed.")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """Fields that make up the table: with the step size that was measured for this optimiser."""
        other = "unit_step" if np.isnan(self.unit_step).all() else "largest_step"
        return tuple(name for name in self._columns if name != other)

    @property
    def parameterizations(self) -> tuple[str, ...]:
        """The parameterisations, in the order of the table."""
        return tuple(dict.fromkeys(self.parameterization.tolist()))

    def values(self, quantity: str) -> NDArray:
        """Return a quantity by the name of its law, one value a row of the table."""
        if not quantity.startswith("norm_"):
            return np.asarray(getattr(self, quantity))
        norms = np.column_stack([self.first_norm, self.hidden_norms, self.output_norm])
        return norms[:, int(quantity.removeprefix("norm_"))]

    def law(self, parameterization: str, quantity: str) -> ScalingLaw:
        """Return the fitted and predicted power of one quantity.

        Raises
        ------
        KeyError
            If there is none of these names.
        """
        return find_law(self.laws, parameterization, quantity)

    def headline(self) -> str:
        """List fitted powers beside predicted ones, and what rescaling does."""
        lines = [
            f"{self.network} on {self.n_samples} rows of {self.n_features} features, {self.n_draws} draws, "
            f"{self.optimizer}",
            "powers of the width, fitted +- standard error (predicted):",
        ]
        quantities = list(dict.fromkeys(law.quantity for law in self.laws))
        lines.append(f"{'':>14}" + "".join(f"{name:>26}" for name in self.parameterizations))
        for quantity in quantities:
            cells = ""
            for name in self.parameterizations:
                law = self.law(name, quantity)
                fit = law.fitted
                cells += f"{fit.exponent:>10.3f} +- {fit.standard_error:.3f} ({law.predicted:>4g})"
            lines.append(f"{quantity:<14}{cells}")
        if self.rescaling is not None:
            lines += ["", self.rescaling.headline()]
        return "\n".join(lines)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures, those of sweeps and of the rescaled pair if there are any."""
        sweeps = [_SWEEP + name for name in self.parameterizations] if self.sweeps else []
        return (*super().pictures, *sweeps, *(self.rescaling.pictures if self.rescaling else ()))

    def _draw(self, ax: Any, picture: str, **options: Any) -> None:
        if picture.startswith(_SWEEP):
            draw_sweep(ax, self, picture.removeprefix(_SWEEP), **options)
        elif self.rescaling is not None and picture in self.rescaling.pictures:
            self.rescaling.plot(ax, picture=picture, **options)
        else:
            super()._draw(ax, picture, **options)
