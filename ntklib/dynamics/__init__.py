"""Training over time, in closed form wherever there is one.

A model that is linear in its parameters, with Gram matrix :math:`K = J J^T` of its tangent features, is
trained by gradient flow, gradient descent, heavy ball or averaged gradient descent; on the square loss one
eigendecomposition answers every time, step size, momentum and penalty. Other convex losses are iterated in
function space. All losses are **sums** over the samples: for a mean, times and step sizes are n times larger.

`train` trains networks, and models made from them, step by step, with optimisers that are small objects;
`integrate_flow` follows the gradient flow of the square loss in parameter space, accurately at any scale.
"""

from .flow.integration import integrate_flow
from .flow.linear import linearized_flow
from .flow.record import Flow
from .function_space.closed_forms import gradient_descent, gradient_flow
from .function_space.ensemble import EnsembleTrajectory, ensemble
from .function_space.records import Trajectory
from .function_space.spectrum import largest_stable_step
from .losses import LOSSES, AbsoluteError, Huber, LogLoss, Loss, Risk, SquaredError, as_loss
from .optimizers import (
    OPTIMIZERS,
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
    as_optimizer,
    averaging_weights,
    polar_factor,
)
from .training.history import History, Snapshot
from .training.recording import Recording
from .training.train import train

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "USAM",
    "AbsoluteError",
    "Adam",
    "AveragedMomentum",
    "Batch",
    "EnsembleTrajectory",
    "Flow",
    "GradientDescent",
    "HeavyBall",
    "History",
    "Huber",
    "LogLoss",
    "Loss",
    "Minibatches",
    "Momentum",
    "Muon",
    "Nesterov",
    "Optimizer",
    "Recording",
    "Risk",
    "SignDescent",
    "Snapshot",
    "SquaredError",
    "State",
    "Trajectory",
    "as_loss",
    "as_optimizer",
    "averaging_weights",
    "ensemble",
    "gradient_descent",
    "gradient_flow",
    "integrate_flow",
    "largest_stable_step",
    "linearized_flow",
    "polar_factor",
    "train",
]
