"""Training over time, in closed form wherever there is one.

A model that is linear in its parameters, with Gram matrix :math:`K = J J^T` of its tangent features, is
trained by gradient flow, gradient descent, heavy ball or averaged gradient descent; on the square loss one
eigendecomposition answers every time, step size, momentum and penalty. Other convex losses are iterated in
function space. All losses are **sums** over the samples: for a mean, times and step sizes are n times larger.

Optimisers are small objects for models that have to be trained step by step.
"""

from . import landscapes
from ._catalogue import LOSSES, as_loss
from ._closed_forms import gradient_descent, gradient_flow
from ._ensemble import EnsembleTrajectory, ensemble
from ._log_loss import LogLoss
from ._losses import Loss, Risk
from ._records import Trajectory
from ._regression_losses import AbsoluteError, Huber, SquaredError
from ._spectrum import largest_stable_step
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
    "LOSSES",
    "USAM",
    "AbsoluteError",
    "Adam",
    "AveragedMomentum",
    "Batch",
    "EnsembleTrajectory",
    "GradientDescent",
    "HeavyBall",
    "Huber",
    "LogLoss",
    "Loss",
    "Minibatches",
    "Momentum",
    "Muon",
    "Nesterov",
    "Optimizer",
    "Risk",
    "SignDescent",
    "SquaredError",
    "State",
    "Trajectory",
    "as_loss",
    "averaging_weights",
    "ensemble",
    "gradient_descent",
    "gradient_flow",
    "landscapes",
    "largest_stable_step",
    "polar_factor",
]
