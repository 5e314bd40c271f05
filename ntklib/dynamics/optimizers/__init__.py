"""Optimisers: small frozen objects with one `step`, and states that are explicit and can be copied.

    state = optimizer.start(w)                  # a copy of w, and what the method remembers
    for k in range(1000):
        optimizer.step(state, gradient)         # moves state.position in place

A position is an array, or named arrays (a network's layers).  ``gradient`` is a function of the position;
a step calls it ``optimizer.evaluations`` times.
"""

from ._adam import Adam
from ._averaging import AveragedMomentum, averaging_weights
from ._descent import USAM, GradientDescent, SignDescent
from ._minibatches import Batch, Minibatches
from ._momentum import HeavyBall, Momentum, Nesterov
from ._muon import Muon, polar_factor
from ._state import State
from .base import Optimizer, Schedule

__all__ = [
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
    "averaging_weights",
    "polar_factor",
]
