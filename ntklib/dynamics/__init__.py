"""Training over time, in closed form wherever there is one.

A model that is linear in its parameters, with Gram matrix :math:`K = J J^T` of its tangent features, is
trained by gradient flow, gradient descent, heavy ball or averaged gradient descent; on the square loss one
eigendecomposition answers every time, step size, momentum and penalty. Other convex losses are iterated in
function space. All losses are **sums** over the samples: for a mean, times and step sizes are n times larger.

`train` trains networks, and models made from them, step by step, with optimisers that are small objects;
`integrate_flow` follows the gradient flow of the square loss in parameter space, accurately at any scale.
"""

from . import landscapes
from ._callbacks import Snapshot
from ._catalogue import LOSSES, as_loss
from ._closed_forms import gradient_descent, gradient_flow
from ._ensemble import EnsembleTrajectory, ensemble
from ._flow import integrate_flow
from ._flow_record import Flow
from ._history import History
from ._linear_flow import linearized_flow
from ._log_loss import LogLoss
from ._losses import Loss, Risk
from ._records import Trajectory
from ._regression_losses import AbsoluteError, Huber, SquaredError
from ._spectrum import largest_stable_step
from ._train import train
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
    "Risk",
    "SignDescent",
    "Snapshot",
    "SquaredError",
    "State",
    "Trajectory",
    "as_loss",
    "averaging_weights",
    "ensemble",
    "gradient_descent",
    "gradient_flow",
    "integrate_flow",
    "landscapes",
    "largest_stable_step",
    "linearized_flow",
    "polar_factor",
    "train",
]
