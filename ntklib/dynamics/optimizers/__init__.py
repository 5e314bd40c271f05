"""Optimisers: small frozen objects with one `step`, and states that are explicit and can be copied.

    state = optimizer.start(w)                  # a copy of w, and what the method remembers
    for k in range(1000):
        optimizer.step(state, gradient)         # moves state.position in place

A position is an array, or named arrays (a network's layers).  ``gradient`` is a function of the position;
a step calls it ``optimizer.evaluations`` times.
"""

from __future__ import annotations

from collections.abc import Callable

from ntklib._core.validation import check_option

from ._adam import Adam
from ._descent import USAM, GradientDescent, SignDescent
from ._minibatches import Batch, Minibatches
from ._momentum import AveragedMomentum, HeavyBall, Momentum, Nesterov, averaging_weights
from ._muon import Muon, polar_factor
from ._state import State
from .base import Optimizer, Schedule

__all__ = [
    "OPTIMIZERS",
    "USAM",
    "Adam",
    "AveragedMomentum",
    "Batch",
    "GradientDescent",
    "HeavyBall",
    "Minibatches",
    "Momentum",
    "Muon",
    "Nesterov",
    "Optimizer",
    "Schedule",
    "SignDescent",
    "State",
    "as_optimizer",
    "averaging_weights",
    "polar_factor",
]

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "gradient_descent": GradientDescent,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adam": Adam,
    "sign_descent": SignDescent,
    "muon": Muon,
    "usam": USAM,
}


def as_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Return the optimiser of a name, with its default parameters, or the optimiser itself.

    Parameters
    ----------
    optimizer : str or Optimizer
        A name as in `train`.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        If there is no optimiser of that name.

    Examples
    --------
    >>> from ntklib.dynamics import as_optimizer
    >>> as_optimizer("nesterov")
    Nesterov(learning_rate=0.1, momentum=0.9)
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    return OPTIMIZERS[check_option(optimizer, "optimizer", OPTIMIZERS)]()
