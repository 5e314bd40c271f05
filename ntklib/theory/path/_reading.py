"""A run of gradient descent as its certificate reads it: refused unless the record says enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.dynamics import GradientDescent, History, SquaredError

__all__ = ["RecordedPath", "read_path"]

_OPTIONS = (
    "train(..., optimizer='gradient_descent', record=Recording(every=1, monitors=['min_eigenvalue', "
    "'max_eigenvalue']))"
)


@dataclass(frozen=True)
class RecordedPath:
    """T points of a run, and S readings on the way."""

    times: NDArray  # sums of the learning rates (T,)
    loss: NDArray  # as trained (T,)
    residual: NDArray  # norms (T,)
    distance: NDArray  # from the start (T,)
    weight: float  # loss = weight |residual|^2 / 2
    rates: NDArray  # factors of J^T r in the steps (T - 1,)
    moves: NDArray  # lengths of the steps (T - 1,)
    readings: NDArray  # points at which eigenvalues were read (S,)
    eigenvalues: NDArray  # the smallest ones of J J^T (S,)
    largest: NDArray | None  # the largest ones, if they were read too (S,)

    @property
    def radius(self) -> float:
        """Radius of a ball about the start that holds the path."""
        return float(self.distance.max())


def read_path(history: History) -> RecordedPath:
    """Return what is needed of a record.

    Raises
    ------
    TypeError, ValueError
        If it is no record of plain gradient descent on the unweighted square loss of all rows, or lacks
        steps, gradients or readings: which, and the options to train with.
    """
    if not isinstance(history, History):
        raise TypeError(f"history must be what ntklib.dynamics.train returns, got {type(history).__name__}.")
    _check_training(history)
    _check_record(history)
    multiplier = _multiplier(history)
    weight = 1.0 if history.reduction == "sum" else 1.0 / history.X.shape[0]
    optimizer, taken = history.optimizer, len(history.steps) - 1
    rates = np.array([optimizer.at_step(k) for k in range(taken)])
    return RecordedPath(
        times=np.concatenate([[0.0], np.cumsum(rates)])
        if callable(optimizer.learning_rate)
        else history.steps * float(optimizer.learning_rate),
        loss=history.loss,
        residual=np.sqrt(2 * history.loss / weight),
        distance=history.distance,
        weight=weight,
        rates=rates * multiplier * weight,
        moves=rates * multiplier * history.gradient_norm[:taken],
        readings=history.monitor_steps,
        eigenvalues=history.monitors["min_eigenvalue"],
        largest=history.monitors.get("max_eigenvalue"),
    )


def _check_training(history: History) -> None:
    if type(history.criterion) is not SquaredError:
        raise ValueError(
            f"the run was trained on {history.criterion.name}; the bound is for loss='squared_error'."
        )
    if history.risk.weights is not None:
        raise ValueError(
            "the run was trained with sample weights; the bound is for the unweighted square loss."
        )
    if type(history.optimizer) is not GradientDescent:
        raise ValueError(
            f"the run was trained with {type(history.optimizer).__name__}; the bound is for plain gradient "
            f"descent: {_OPTIONS}."
        )
    if history.batch_size is not None:
        raise ValueError("the run was trained on minibatches; the bound is for all rows: batch_size=None.")
    if history.params.dtype != np.float64:
        raise ValueError(
            f"the run was trained in {history.params.dtype}, whose rounding the bound does not cover; pass X "
            "and params in float64."
        )


def _check_record(history: History) -> None:
    missing = []
    if not np.array_equal(history.steps, np.arange(len(history.steps))):
        missing.append("every=1")
    if not history.gradient_norms:
        missing.append("gradient_norms=True")
    if "min_eigenvalue" not in history.monitors:
        missing.append("monitors=['min_eigenvalue']")
    if missing:
        raise ValueError(
            "the record lacks steps, gradients or eigenvalues on the way; train again with record=Recording("
            f"{', '.join(missing)})."
        )


def _multiplier(history: History) -> float:
    """The one step multiplier of all trained arrays."""
    multipliers = history.model.step_multipliers
    trained = history.model.trained_shapes(history.X.shape[1])
    values = {multipliers[name] for name in trained}
    if len(values) > 1:
        raise ValueError(
            f"trained arrays move with different step multipliers, {sorted(values)}; the bound is for one: "
            "parameterization='ntk' or 'standard', or 'mean_field' without biases."
        )
    return values.pop()
