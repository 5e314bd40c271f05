"""Momentum in two of its three equivalent forms (``_averaging.py`` has the third), and Nesterov's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ntklib._core.jit import compiled

from .base import Optimizer, Rule, Schedule, check_schedule, scheduled

__all__ = ["HeavyBall", "Momentum", "Nesterov", "WithMomentum"]


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
        """What the step takes of the momentum and of the gradient."""
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
