"""Momentum as averaging, with weights computed from the last step backward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ntklib._core.jit import compiled
from ntklib._core.validation import check_integer, check_real

from ._momentum import WithMomentum
from .base import Rule, Schedule

__all__ = ["AveragedMomentum", "averaging_weights"]


def averaging_weights(rates: ArrayLike, momenta: ArrayLike, last: float | None = None) -> np.ndarray:
    r"""Return :math:`\lambda_1, \dots, \lambda_T` of the averaging form of momentum.

    .. math:: \lambda_t = (\gamma_t\beta_t/\gamma_{t-1})(1 + \lambda_{t+1}),\qquad t = T-1, \dots, 1.

    All are nonnegative, and :math:`\beta_t = 0` is no exception.  (Solved forward for
    :math:`\lambda_{t+1}`, the recursion multiplies every error by :math:`\gamma_{t-1}/(\gamma_t\beta_t)`, and
    overflows.)

    Parameters
    ----------
    rates, momenta : array-like of shape (T,)
        Step sizes gamma_0, ..., gamma_{T-1}, positive, and momenta beta_0, ..., beta_{T-1}, in [0, 1).
    last : float, default=None
        lambda_T, at least 0; None is beta_{T-1}/(1 - beta_{T-1}), which makes all weights equal where step
        size and momentum are constant.

    Returns
    -------
    ndarray of shape (T,)

    Raises
    ------
    ValueError
        If a number is not in its range or the lengths differ.

    Examples
    --------
    >>> from ntklib.dynamics import averaging_weights
    >>> averaging_weights([0.1, 0.1, 0.1], [0.5, 0.5, 0.5])
    array([1., 1., 1.])
    >>> averaging_weights([0.1, 0.1, 0.1], [0.5, 0.0, 0.5], last=3.0)
    array([0., 2., 3.])
    """
    gammas, betas = np.asarray(rates, dtype=float), np.asarray(momenta, dtype=float)
    if gammas.ndim != 1 or gammas.shape != betas.shape or not len(gammas):
        raise ValueError(
            f"rates and momenta must be two sequences of one length, got {gammas.shape}, {betas.shape}."
        )
    if not np.all((gammas > 0) & np.isfinite(gammas)) or not np.all((betas >= 0) & (betas < 1)):
        raise ValueError("rates must be positive and finite, momenta at least 0 and less than 1.")
    weights = np.empty(len(gammas))
    weights[-1] = betas[-1] / (1 - betas[-1]) if last is None else check_real(last, "last", minimum=0)
    for t in range(len(gammas) - 1, 0, -1):
        weights[t - 1] = gammas[t] * betas[t] / gammas[t - 1] * (1 + weights[t])
    return weights


@dataclass(frozen=True)
class AveragedMomentum(WithMomentum):
    r"""Momentum as averaging: plain descent on z with larger steps, and the position an average of it.

    .. math:: z_t = z_{t-1} - (1 + \lambda_{t+1})\gamma_t g_t,\qquad
              w_{t+1} = (\lambda_{t+1} w_t + z_t)/(\lambda_{t+1} + 1),\qquad z_{-1} = w_0,

    with `averaging_weights`.  The same steps as `Momentum`.

    Parameters
    ----------
    learning_rate : float or callable
        gamma, or a function of the step that returns it; positive.
    momentum : float or callable, default=0.9
        beta, or a function of the step that returns it; at least 0, less than 1.
    steps : int, default=1000
        Steps there can be at most: the weights are computed from the last one backward.
    last : float, default=None
        lambda_T, see `averaging_weights`; it does not change the steps.

    References
    ----------
    O. Sebbouh, R. M. Gower and A. Defazio, "Almost sure convergence rates for stochastic gradient descent
    and stochastic heavy ball", COLT 2021.

    Examples
    --------
    >>> from ntklib.dynamics import AveragedMomentum
    >>> AveragedMomentum(0.5, momentum=0.5).run(lambda w: w, [8.0], 3).ravel()
    array([ 8.,  4.,  0., -2.])
    """

    learning_rate: Schedule = 0.1
    momentum: Schedule = 0.9
    steps: int = 1000
    last: float | None = None

    _divides_by_rate = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer(self.steps, "steps", minimum=1)

    @cached_property
    def weights(self) -> np.ndarray:
        """lambda_1, ..., lambda_T."""
        gammas, betas = ([value(k) for k in range(self.steps)] for value in (self._rate, self._beta))
        return averaging_weights(gammas, betas, self.last)

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        return (array.copy(),)

    def _rule(self, k: int) -> Rule:
        if k >= self.steps:
            raise ValueError(f"the weights end after {self.steps} steps; construct with more steps.")
        gamma, weight = self._rate(k), float(self.weights[k])

        def move(w, g, memory, multiplier):
            numbers = (w.dtype.type(x) for x in ((1 + weight) * gamma * multiplier, 1 / (1 + weight)))
            _average(w.reshape(-1), memory[0].reshape(-1), g.reshape(-1), *numbers)

        return move


@compiled
def _average(w, z, g, eta, share):
    for i in range(w.size):
        z[i] -= eta * g[i]
        w[i] += share * (z[i] - w[i])
