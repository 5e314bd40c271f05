"""One training of a tangent model: what it is made of, and the loop that watches it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ntklib._threads import parallel_for
from ntklib.dynamics import Loss, Risk
from ntklib.estimators._tangent_descent import Descent, Stage, start_descent
from ntklib.estimators._tangent_models import Tangent
from ntklib.estimators._tangent_problem import Problem
from ntklib.estimators._tangent_route import Route, numbers_held
from ntklib.estimators._tangent_steps import Patience
from ntklib.estimators._units import Units

_SMALL = 3_000_000  # numbers of matrices about as large as a cache


@dataclass(frozen=True)
class Training:
    """All that a training depends on but the model and its step size; `before` is what had been learned."""

    units: Units
    loss: Loss
    momentum: float
    route: Route
    iterations: float
    before: Any = None

    def held(self, model: Tangent) -> int:
        """Numbers that its matrices take."""
        return numbers_held(model, len(self.units), self.route)

    def descent(self, model: Tangent, learning_rate: Any) -> Descent:
        """Make ready to train, from the beginning."""
        units = self.units
        problem = Problem.of(model, units.X, units.targets, units.weights, self.loss, self.before)
        return start_descent(problem, self.route, learning_rate, self.momentum, self.iterations)


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


def run(descent: Descent, max_iter: int, patience: Patience, held: Held | None, verbose: int) -> Run:
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
    kept, least = None, np.inf
    losses, held_losses = [], []
    every = 1 if verbose > 1 else max(1, max_iter // 10)
    for stage in descent.stages(range(max_iter + 1), None if held is None else held.view):
        watched = stage.loss if held is None else _value(held.risk, stage.outputs)
        if not isfinite(stage.loss + watched):
            raise ValueError(
                f"training diverged after {stage.step} iterations of size {descent.learning_rate:.4g}; "
                "learning_rate='auto' is half the largest stable step."
            )
        losses.append(stage.loss)
        held_losses.append(watched)
        if kept is None or held is None or watched < least:
            kept, least = stage, watched
        over = patience.over(watched)
        if verbose and (over or stage.step % every == 0):
            extra = "" if held is None else f", validation loss {watched:.6g}"
            print(f"iteration {stage.step}: loss {stage.loss:.6g}{extra}")
        if over:
            break
    assert kept is not None
    if kept.loss > losses[0]:
        warnings.warn(
            f"the loss rose from {losses[0]:.4g} to {kept.loss:.4g}: the learning rate, "
            f"{descent.learning_rate:.4g}, may be too large.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Run(kept, np.array(losses), None if held is None else np.array(held_losses))


def _value(risk: Risk, outputs: Any) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return risk.value(outputs)
