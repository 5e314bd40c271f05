"""Training within a study, where half a run is no result."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ntklib.dynamics import History, Optimizer, train
from ntklib.lab.parts import digest
from ntklib.networks import Params

__all__ = ["described", "first_move", "step_factors", "train_whole"]


def described(optimizer: Optimizer, steps: int, *, without: str | None = None) -> str:
    """Return what an optimiser is, apart from one field, to compare settings by.

    Schedules are told by their values at each step: the same in every process, unlike a function's address.
    """
    if not is_dataclass(optimizer):
        raise TypeError(f"an optimiser must be a dataclass, whose fields say what it is; got {optimizer!r}.")
    words = []
    for name in [field.name for field in fields(optimizer) if field.name != without]:
        value = getattr(optimizer, name)
        if callable(value):
            words.append(
                f"{name}=schedule {digest(np.array([optimizer.at_step(k, name) for k in range(steps)]))}"
            )
        else:
            words.append(f"{name}={value!r}")
    return f"{type(optimizer).__name__}({', '.join(words)})"


def first_move(
    network: Any, params: Params, X: Any, y: np.ndarray, optimizer: Optimizer
) -> tuple[Params, float]:
    """Return what the first step adds to the parameters if outputs fall short of their targets by y.

    The number is the length of the change of the outputs, to first order in the step's.

    Raises
    ------
    ValueError
        If it is 0.
    """
    # from 0, so that small moves are not lost beside the parameters
    state = optimizer.start({name: np.zeros_like(array) for name, array in params.items()}, model=network)
    optimizer.step(state, lambda position: network.unravel(params, network.vjp(params, X, -y)))
    move = params.replace(**state.position)
    change = float(np.linalg.norm(network.jvp(params, X, network.ravel(move))))
    if change == 0:
        raise ValueError(
            "a network's outputs have no gradient on these rows, so that nothing is trained: the rows are "
            "0, or no unit is active; take other rows, larger widths or another random_state."
        )
    return move, change


def step_factors(network: Any, n_features: int) -> np.ndarray:
    """Return the factor of the learning rate for each trained parameter."""
    factors = network.step_multipliers
    shapes = network.trained_shapes(n_features)
    return np.concatenate([np.full(int(np.prod(shape)), factors[name]) for name, shape in shapes.items()])


def train_whole(*arguments: Any, **options: Any) -> History:
    """Train as `ntklib.dynamics.train` does, except that Ctrl-C ends the study instead of the run.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted.
    """
    history = train(*arguments, **{"progress": True, **options})  # as a part of the study's progress
    if history.status == "interrupted":
        raise KeyboardInterrupt
    return history
