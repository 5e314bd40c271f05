"""One training of a tangent model: all that it depends on, and the loop that watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.exponents import exponents, scaled_back
from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.dynamics import Loss, Risk

from .._stopping import Watch, warn_of_rise
from .._units import Units
from ._descent import ClosedForm, Descent, Iteration, Stage
from ._models import Tangent
from ._problem import TangentProblem, outputs_before
from ._route import Route, numbers_held, route_seconds

_SPAN = 400  # 2^400 has squares that may be added up
_SMALL = 3_000_000  # numbers of matrices about as large as a cache


@dataclass(frozen=True)
class Training:
    """All that a training depends on but the model and its step size; `before` holds an earlier result.

    Outputs and targets are measured in units of 2^exponent while training.
    """

    units: Units
    loss: Loss
    momentum: float
    route: Route
    iterations: float
    before: Any = None
    exponent: int = 0

    @property
    def unit(self) -> float:
        """2^exponent."""
        return float(np.ldexp(1.0, self.exponent))

    def risk(self, units: Units) -> Risk:
        """The loss bound to the targets of some units, in the unit of this training."""
        loss, _ = self.loss.in_units(self.unit)
        return loss.risk(units.targets / self.unit, units.targets.shape, units.weights)

    def reported(self, losses: Any) -> Any:
        """Losses in the user's unit."""
        return scaled_back(losses, self.loss.in_units(self.unit)[1] * self.exponent)

    def reported_rate(self, descent: Descent) -> float:
        """The step size of a descent in the user's unit."""
        return descent.learning_rate / self._rate_unit

    @property
    def _rate_unit(self) -> float:
        degree = self.loss.in_units(self.unit)[1]
        return float(scaled_back(1.0, (degree - 2) * self.exponent)) if degree else 1.0

    def numbers_held(self, model: Tangent) -> int:
        """Numbers that its matrices take."""
        return numbers_held(model, len(self.units), self.route)

    def descent(self, model: Tangent, learning_rate: Any) -> Descent:
        """Make ready to train, from the beginning."""
        problem = TangentProblem(
            model=model,
            X=self.units.X,
            risk=self.risk(self.units),
            before=self.before,
            unit=self.unit,
            space=self.route.space,
            learning_rate="auto" if learning_rate == "auto" else learning_rate * self._rate_unit,
            momentum=self.momentum,
            iterations=self.iterations,
        )
        with step(f"making ready: {self.route}"):
            return (ClosedForm if self.route.closed else Iteration)(problem)

    def seconds(self, model: Tangent) -> float:
        """Expected duration in seconds."""
        return route_seconds(model, len(self.units), self.route, self.iterations)


def output_exponent(model: Tangent, units: Units, loss: Loss, before: Any = None) -> int:
    """Exponent of a unit in which targets and outputs at the start have squares; 0 for classification.

    That is the unit of the smallest output, or one in which the largest still has squares.
    """
    if loss.in_units(1.0)[1] == 0:
        return 0
    size = np.maximum(np.abs(units.targets), np.abs(outputs_before(model, before, units.X))).max(axis=0)
    by_output = exponents(size[None, size > 0], axis=0)
    return int(max(by_output.min(), by_output.max() - _SPAN)) if by_output.size else 0


def undisturbed(function: Callable[[], Any], numbers: int) -> Any:
    """Call the function, with a single-threaded BLAS where matrices of so few numbers lose by its threads."""
    if numbers > _SMALL:
        return function()
    results: list[Any] = []
    parallel_for(lambda _: results.append(function()), [None], threads=1)
    return results[0]


def held_rows(units: Units, rows: NDArray, training_rows: NDArray) -> Any:
    """Rows to evaluate a model at that was trained on others; of a Gram matrix the columns of these."""
    return units.X[np.ix_(rows, training_rows)] if units.precomputed else units.X[rows]


def watched_descent(training: Training, descent: Descent, view: Any, watch: Watch) -> Stage:
    """Train until the watch or the iterations are over; return its best stage.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    rate = training.reported_rate(descent)
    with step("training", watch.rules.max_iter, "iteration") as watch.gauge:
        for stage in descent.stages(range(watch.rules.max_iter + 1), view):
            over = watch.over(stage.loss, stage.outputs)
            if not isfinite(stage.loss + watch.watched[-1]):
                raise ValueError(
                    f"training diverged after {stage.step} iterations of size {rate:.4g}; "
                    "learning_rate='auto' is half the largest stable step."
                )
            if watch.best == stage.step:
                best = stage
            if over:
                break
    warn_of_rise(training.reported(watch.losses[0]), training.reported(best.loss), rate)
    return best
