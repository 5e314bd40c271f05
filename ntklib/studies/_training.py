"""Training within a study, where half a run is no result."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib.dynamics import History, Optimizer, train
from ntklib.networks import Params

__all__ = ["first_move", "train_whole"]


def first_move(
    network: Any, params: Params, X: Any, y: np.ndarray, optimizer: Optimizer
) -> tuple[Params, float]:
    """Return what the first step adds to the parameters if outputs fall short of their targets by y.

    The number is the length of the change of the outputs, to first order in the step's.
    """
    # from 0, so that small moves are not lost beside the parameters
    state = optimizer.start({name: np.zeros_like(array) for name, array in params.items()}, model=network)
    optimizer.step(state, lambda position: network.unravel(params, network.vjp(params, X, -y)))
    move = params.replace(**state.position)
    return move, float(np.linalg.norm(network.jvp(params, X, network.ravel(move))))


def train_whole(*arguments: Any, **options: Any) -> History:
    """Train as `ntklib.dynamics.train` does, except that Ctrl-C ends the study instead of the run.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted.
    """
    history = train(*arguments, **options)
    if history.status == "interrupted":
        raise KeyboardInterrupt
    return history
