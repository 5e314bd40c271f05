"""One training of a tangent model: what it is made of, and the loop that watches it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ntklib._core.scaling import exponents, scaled_back
from ntklib._core.threads import parallel_for
from ntklib.dynamics import Loss, Risk

from .._units import Units
from ._descent import Descent, Stage, start_descent
from ._models import Tangent
from ._problem import Problem, outputs_before
from ._route import Route, numbers_held
from .steps import Patience

_SPAN = 400  # 2^400 has squares that may be added up
_SMALL = 3_000_000  # numbers of matrices about as large as a cache


@dataclass(frozen=True)
class Training:
    """All that a training depends on but the model and its step size; `before` is what had been learned.

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

    def held(self, model: Tangent) -> int:
        """Numbers that its matrices take."""
        return numbers_held(model, len(self.units), self.route)

    def descent(self, model: Tangent, learning_rate: Any) -> Descent:
        """Make ready to train, from the beginning."""
        problem = Problem(model, self.units.X, self.risk(self.units), self.before, self.unit)
        if isinstance(learning_rate, Real):
            learning_rate = learning_rate * self._rate_unit
        return start_descent(problem, self.route, learning_rate, self.momentum, self.iterations)


def output_exponent(model: Tangent, units: Units, loss: Loss, before: Any = None) -> int:
    """Exponent of a unit in which targets and outputs at the start have squares; 0 for classification.

    That is the unit of the smallest output, or one in which the largest still has squares.
    """
    if loss.in_units(1.0)[1] == 0:
        return 0
    size = np.maximum(np.abs(units.targets), np.abs(outputs_before(model, before, units.X))).max(axis=0)
    by_output = exponents(size[None, size > 0], axis=0)
    return int(max(by_output.min(), by_output.max() - _SPAN)) if by_output.size else 0


class Held(NamedTuple):
    """Samples that training is watched on: a view of them, and the loss there."""

    view: Any
    risk: Risk


def undisturbed(function: Callable[[], Any], numbers: int) -> Any:
    """Call it; with a single-threaded BLAS where matrices of so few numbers lose by its threads."""
    if numbers > _SMALL:
        return function()
    found: list[Any] = []
    parallel_for(lambda _: found.append(function()), [None], threads=1)
    return found[0]


def held_rows(units: Units, rows: NDArray, training_rows: NDArray) -> Any:
    """Some rows as the model that was trained on others wants them."""
    return units.X[np.ix_(rows, training_rows)] if units.precomputed else units.X[rows]


class Run(NamedTuple):
    """The stage that is kept, and the losses of all stages on the training and on the held-out samples."""

    stage: Stage
    losses: NDArray
    held_losses: NDArray | None


def run(
    training: Training, descent: Descent, max_iter: int, patience: Patience, held: Held | None, verbose: int
) -> Run:
    """Train until patience or the iterations are over; keep the last stage, or the best on held-out samples.

    Raises
    ------
    ValueError
        If the loss is no longer finite.

    Warns
    -----
    ConvergenceWarning
        If the loss on the training samples is larger than at the start.
    """
    kept, least, rate = None, np.inf, training.reported_rate(descent)
    losses, held_losses = [], []
    every = 1 if verbose > 1 else max(1, max_iter // 10)
    for stage in descent.stages(range(max_iter + 1), None if held is None else held.view):
        watched = stage.loss if held is None else _value(held.risk, stage.outputs)
        if not isfinite(stage.loss + watched):
            raise ValueError(
                f"training diverged after {stage.step} iterations of size {rate:.4g}; "
                "learning_rate='auto' is half the largest stable step."
            )
        losses.append(stage.loss)
        held_losses.append(watched)
        if kept is None or held is None or watched < least:
            kept, least = stage, watched
        over = patience.over(watched)
        if verbose and (over or stage.step % every == 0):
            extra = "" if held is None else f", validation loss {training.reported(watched):.6g}"
            print(f"iteration {stage.step}: loss {training.reported(stage.loss):.6g}{extra}")
        if over:
            break
    assert kept is not None
    if kept.loss > losses[0]:
        warnings.warn(
            f"the loss rose from {training.reported(losses[0]):.4g} to {training.reported(kept.loss):.4g}: "
            f"the learning rate, {rate:.4g}, may be too large.",
            ConvergenceWarning,
            stacklevel=2,
        )
    watched_losses = None if held is None else training.reported(np.array(held_losses))
    return Run(kept, training.reported(np.array(losses)), watched_losses)


def _value(risk: Risk, outputs: Any) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return risk.value(outputs)
