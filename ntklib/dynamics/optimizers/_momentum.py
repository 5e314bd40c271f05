"""Momentum in three equivalent forms, by a velocity, as a heavy ball and as averaging, and Nesterov's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ntklib._core.jit import compiled
from ntklib._core.validation import check_integer, check_real

from .base import Optimizer, Rule, Schedule, check_schedule, scheduled

__all__ = ["AveragedMomentum", "HeavyBall", "Momentum", "Nesterov", "WithMomentum", "averaging_weights"]


class WithMomentum(Optimizer):
    """A step size gamma_t and a momentum 0 <= beta_t < 1, numbers or functions of the step."""

    momentum: Schedule

    def __post_init__(self) -> None:
        super().__post_init__()
        check_schedule(self.momentum, "momentum", below=1)

    def _beta(self, k: int) -> float:
        return scheduled(self.momentum, k, "momentum", below=1)


@dataclass(frozen=True)
class Momentum(WithMomentum):
    r"""Gradient descent with momentum: :math:`m_t = \beta_t m_{t-1} + g_t,\ w_{t+1} = w_t - \gamma_t m_t`.

    It starts with :math:`m_{-1} = 0`.  `HeavyBall` and `AveragedMomentum` take the same steps, gradients
    stochastic or not, step sizes and momenta constant or not.

    Parameters
    ----------
    learning_rate : float or callable
        gamma, or a function of the step that returns it; nonnegative.
    momentum : float or callable, default=0.9
        beta, or a function of the step that returns it; at least 0, less than 1.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964;
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> from ntklib.dynamics import Momentum
    >>> Momentum(0.5, momentum=0.5).run(lambda w: w, [8.0], 3).ravel()
    array([ 8.,  4.,  0., -2.])
    """

    learning_rate: Schedule = 0.1
    momentum: Schedule = 0.9

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.zeros_like(array),)

    def _shares(self, beta: float) -> tuple[float, float]:
        """Shares of the momentum and of the gradient in a step."""
        return 1.0, 0.0

    def _rule(self, k: int) -> Rule:
        gamma, beta = self._rate(k), self._beta(k)
        shares = self._shares(beta)

        def move(w, g, memory, multiplier):
            numbers = (w.dtype.type(x) for x in (beta, *(gamma * multiplier * share for share in shares)))
            _roll(w.reshape(-1), memory[0].reshape(-1), g.reshape(-1), *numbers)

        return move


@compiled
def _roll(w, m, g, beta, of_momentum, of_gradient):
    for i in range(w.size):
        m[i] = beta * m[i] + g[i]
        w[i] -= of_momentum * m[i] + of_gradient * g[i]


@dataclass(frozen=True)
class Nesterov(Momentum):
    r"""Nesterov's momentum.

    .. math:: m_t = \beta_t m_{t-1} + g_t,\qquad w_{t+1} = w_t - \gamma_t (g_t + \beta_t m_t).

    The position is the point where the gradient is taken.  With constant step size and momentum it is
    Nesterov's :math:`y_t = x_t + \beta(x_t - x_{t-1})`, where :math:`x_{t+1} = y_t - \gamma\nabla L(y_t)`.

    Parameters
    ----------
    learning_rate : float or callable
        gamma, or a function of the step that returns it; nonnegative.
    momentum : float or callable, default=0.9
        beta, or a function of the step that returns it; at least 0, less than 1.

    References
    ----------
    Y. Nesterov, *Introductory Lectures on Convex Optimization*, 2004, section 2.2; the form is that of
    Y. Bengio, N. Boulanger-Lewandowski and R. Pascanu, "Advances in optimizing recurrent networks", 2013.

    Examples
    --------
    >>> from ntklib.dynamics import Nesterov
    >>> Nesterov(0.5, momentum=0.5).run(lambda w: w, [8.0], 2).ravel()
    array([ 8. ,  2. , -0.5])
    """

    def _shares(self, beta: float) -> tuple[float, float]:
        return beta, 1.0


@dataclass(frozen=True)
class HeavyBall(WithMomentum):
    r"""Momentum as a heavy ball, which remembers the point before instead of a velocity.

    .. math:: w_{t+1} = w_t - \gamma_t g_t + (\gamma_t\beta_t/\gamma_{t-1})(w_t - w_{t-1}),\quad w_{-1} = w_0.

    The same steps as `Momentum`.

    Parameters
    ----------
    learning_rate : float or callable
        gamma, or a function of the step that returns it; positive.
    momentum : float or callable, default=0.9
        beta, or a function of the step that returns it; at least 0, less than 1.

    Examples
    --------
    >>> from ntklib.dynamics import HeavyBall
    >>> HeavyBall(0.5, momentum=0.5).run(lambda w: w, [8.0], 3).ravel()
    array([ 8.,  4.,  0., -2.])
    """

    learning_rate: Schedule = 0.1
    momentum: Schedule = 0.9

    _divides_by_rate = True

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        return (array.copy(),)

    def _rule(self, k: int) -> Rule:
        gamma, beta = self._rate(k), self._beta(k)
        share = gamma * beta / self._rate(k - 1) if k else 0.0

        def move(w, g, memory, multiplier):
            numbers = w.dtype.type(gamma * multiplier), w.dtype.type(share)
            _carry_on(w.reshape(-1), memory[0].reshape(-1), g.reshape(-1), *numbers)

        return move


@compiled
def _carry_on(w, before, g, gamma, share):
    for i in range(w.size):
        moved = w[i] - before[i]
        before[i] = w[i]
        w[i] += share * moved - gamma * g[i]


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
