"""Methods that remember nothing: gradient descent, sign descent, and sharpness-aware descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.jit import compiled

from .base import Optimizer, Rule, Schedule, State, check_schedule, scheduled

__all__ = ["USAM", "GradientDescent", "SignDescent"]


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    r"""Gradient descent, :math:`w \leftarrow w - \eta\, g`; stochastic if the gradient is.

    Parameters
    ----------
    learning_rate : float or callable
        eta, or a function of the step that returns it; nonnegative.

    Examples
    --------
    >>> from ntklib.dynamics import GradientDescent
    >>> GradientDescent(0.5).run(lambda w: w, [8.0], 3).ravel()
    array([8., 4., 2., 1.])
    """

    learning_rate: Schedule = 0.1

    def _rule(self, k: int) -> Rule:
        eta = self._rate(k)

        def move(w, g, memory, multiplier):
            _descend(w.reshape(-1), g.reshape(-1), w.dtype.type(eta * multiplier))

        return move


@compiled
def _descend(w, g, eta):
    for i in range(w.size):
        w[i] -= eta * g[i]


@dataclass(frozen=True)
class SignDescent(Optimizer):
    r"""Steepest descent in the maximum norm, :math:`w \leftarrow w - \eta\,\mathrm{sign}(g)`.

    :math:`-\eta |g|_1 \mathrm{sign}(g)` minimises :math:`\langle g, s\rangle + |s|_\infty^2 / (2\eta)`; the
    factor :math:`|g|_1`, taken over each array by itself, is left out unless ``normalized`` is False.

    Parameters
    ----------
    learning_rate : float or callable
        eta, or a function of the step that returns it; nonnegative.
    normalized : bool, default=True
        Every entry moves by eta; False takes the minimiser above, which is shorter the smaller the gradient.

    References
    ----------
    J. Bernstein et al., "signSGD: compressed optimisation for non-convex problems", ICML 2018.

    Examples
    --------
    >>> from ntklib.dynamics import SignDescent
    >>> SignDescent(0.5).run(lambda w: w, [8.0, -0.1], 1)[1]
    array([7.5, 0.4])
    """

    learning_rate: Schedule = 0.01
    normalized: bool = True

    @property
    def step_family(self) -> str:
        """Entries move by the learning rate, times the sum of the gradient's unless normalised."""
        return "entrywise" if self.normalized else "max_norm"

    def _rule(self, k: int) -> Rule:
        eta = self._rate(k)

        def move(w, g, memory, multiplier):
            length = 1.0 if self.normalized else float(np.abs(g).sum(dtype=np.float64))
            _descend_signs(w.reshape(-1), g.reshape(-1), w.dtype.type(eta * multiplier * length))

        return move


@compiled
def _descend_signs(w, g, eta):
    for i in range(w.size):
        w[i] -= eta * np.sign(g[i])


@dataclass(frozen=True)
class USAM(Optimizer):
    r"""Unnormalised sharpness-aware minimisation.

    .. math:: w \leftarrow w - \eta\,\nabla L(w + \rho\,\nabla L(w)).

    Two gradients a step.  Near a minimum with Hessian H it acts like gradient descent on
    :math:`H + \rho H^2`, so that a minimum holds it only if :math:`h (1 + \rho h) < 2/\eta` for every
    eigenvalue h: sharp ones let it go earlier than they let go gradient descent.

    Parameters
    ----------
    learning_rate : float or callable
        eta, or a function of the step that returns it; nonnegative.
    rho : float or callable, default=0.05
        How far along the gradient the second one is taken; nonnegative, 0 being gradient descent.

    Notes
    -----
    Step multipliers multiply both eta and rho, as a change of coordinates does.  The point in between is
    kept in the state's memory.  If ``gradient`` returns the same arrays every time, the return value of
    `step` holds the second gradient.

    References
    ----------
    M. Andriushchenko and N. Flammarion, "Towards understanding sharpness-aware minimization", ICML 2022;
    Y. Dai, K. Ahn and S. Sra, "The crucial role of normalization in sharpness-aware minimization",
    NeurIPS 2023.

    Examples
    --------
    >>> from ntklib.dynamics import USAM
    >>> USAM(0.5, rho=0.5).run(lambda w: w, [8.0], 2).ravel()  # factor 1 - 0.5 (1 + 0.5)
    array([8. , 2. , 0.5])
    """

    learning_rate: Schedule = 0.1
    rho: Schedule = 0.05

    evaluations = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_schedule(self.rho, "rho")

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        return (np.empty_like(array),)

    def _acting(self, state: State, first: Any, gradient: Callable[[Any], Any]) -> dict[str, np.ndarray]:
        rho, here = scheduled(self.rho, state.steps, "rho"), state.match(first)
        probe = {name: memory[0] for name, memory in state.memory.items()}
        for name, w in state.arrays.items():
            reach = w.dtype.type(rho * state.multipliers[name])
            _ascend(probe[name].reshape(-1), w.reshape(-1), here[name].reshape(-1), reach)
        return state.match(gradient(state.like(probe)))

    def _rule(self, k: int) -> Rule:
        return GradientDescent(self.learning_rate)._rule(k)


@compiled
def _ascend(out, w, g, rho):
    for i in range(w.size):
        out[i] = w[i] + rho * g[i]
