"""How large a step may be, and when to stop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_real
from ntklib.dynamics import Risk, SquaredError
from ntklib.dynamics.function_space.spectrum import check_step


def step_size(
    learning_rate: Any, curvature: float, risk: Risk, error: NDArray, momentum: float, iterations: float
) -> float:
    r"""The step size that a `learning_rate` stands for.

    "auto" is half the largest stable step, :math:`(1 + \mu)/(M \lambda_{\max})`. A loss that is not smooth
    has none: there it is the mean error at the start over :math:`\lambda_{\max} \sqrt{T}`, which in T
    iterations travels far enough and keeps the oscillations at the end small.

    Parameters
    ----------
    learning_rate : "auto" or float
    curvature : float
        Largest eigenvalue of the weighted Gram matrix.
    risk : Risk
    error : ndarray of shape (n, k)
        Targets minus outputs at the start; for losses that are not smooth.
    momentum : float
    iterations : float
        T.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the loss is the squared error and a given step is not stable; the message names the largest.
    """
    if not isinstance(learning_rate, str):
        if isinstance(risk.loss, SquaredError):
            return check_step(learning_rate, curvature, momentum)
        return check_real(learning_rate, "learning_rate", minimum=0, strict=True)
    if learning_rate != "auto":
        raise ValueError(f"learning_rate must be 'auto' or a positive number, got {learning_rate!r}.")
    if curvature == 0:
        return 1.0  # nothing moves
    if risk.loss.smooth:
        return (1 + momentum) / (risk.loss.smoothness(risk.n_outputs) * curvature)
    size = float(np.average(np.abs(error).mean(axis=1), weights=risk.weights))
    return (size or 1.0) / (curvature * np.sqrt(iterations))


class Patience:
    """Stops when a loss has not fallen by more than `tol` times its first value for `rounds` iterations.

    Parameters
    ----------
    tol : float
    rounds : int
    """

    def __init__(self, tol: float, rounds: int) -> None:
        self.tol, self.rounds = tol, rounds
        self.first: float | None = None
        self.best = np.inf
        self.waited = 0

    def over(self, loss: float) -> bool:
        """Take note of a loss; whether to stop."""
        if self.first is None:
            self.first = loss
        self.waited = 0 if loss < self.best - self.tol * self.first else self.waited + 1
        self.best = min(self.best, loss)
        return self.waited >= self.rounds
