"""Training over time: optimisers, and simple functions on which they can be understood."""

from .optimizers import (
    USAM,
    Adam,
    AveragedMomentum,
    Batch,
    GradientDescent,
    HeavyBall,
    Minibatches,
    Momentum,
    Muon,
    Nesterov,
    Optimizer,
    SignDescent,
    State,
    averaging_weights,
    polar_factor,
)

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
    "SignDescent",
    "State",
    "averaging_weights",
    "polar_factor",
]
