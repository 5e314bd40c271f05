"""Training over time, in closed form wherever there is one.

A model that is linear in its parameters, with Gram matrix :math:`K = J J^T` of its tangent features, is
trained by gradient flow, gradient descent, heavy ball or averaged gradient descent; on the square loss one
eigendecomposition answers every time, step size, momentum and penalty. Other convex losses are iterated in
function space. All losses are **sums** over the samples: for a mean, times and step sizes are n times larger.
"""

from ntklib.dynamics._catalogue import LOSSES, as_loss
from ntklib.dynamics._log_loss import LogLoss
from ntklib.dynamics._losses import Loss, Risk
from ntklib.dynamics._records import Trajectory
from ntklib.dynamics._regression_losses import AbsoluteError, Huber, SquaredError

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "Huber",
    "LogLoss",
    "Loss",
    "Risk",
    "SquaredError",
    "Trajectory",
    "as_loss",
]
