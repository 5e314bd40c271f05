"""Adam: steps scaled entry by entry by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.jit import compiled
from ntklib._core.validation import check_real

from ._state import State
from .base import Optimizer, Rule, Schedule, check_schedule

__all__ = ["Adam"]


@dataclass(frozen=True)
class Adam(Optimizer):
    r"""Adam, with bias correction.

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t,\quad v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2,\quad
        w \leftarrow w - \eta\,\frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon},

    entry by entry, t = 1, 2, ..., both moments starting at 0.

    Parameters
    ----------
    learning_rate : float or callable, default=0.001
        eta, or a function of the step that returns it; nonnegative.
    betas : tuple of float, default=(0.9, 0.999)
        beta_1 and beta_2, at least 0, less than 1.
    epsilon : float, default=1e-8
        Positive.

    Notes
    -----
    Steps of a model's arrays see the gradient in units of its entries' size (``model.gradient_sizes``, a
    power of the width, 1 in the parameterisations "ntk" and "standard"), so that epsilon counts as much at
    any width.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; K. Everett
    et al., "Scaling exponents across parameterizations and optimizers", ICML 2024 (epsilon against width).

    Examples
    --------
    >>> from ntklib.dynamics import Adam
    >>> Adam(0.5).run(lambda w: w, [8.0, -0.1], 1)[1].round(6)  # the first step is one of sign descent
    array([7.5, 0.4])
    """

    learning_rate: Schedule = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if np.shape(self.betas) != (2,):
            raise ValueError(f"betas must be two numbers, got {self.betas!r}.")
        for name, beta in zip(("betas[0]", "betas[1]"), self.betas, strict=True):
            check_schedule(check_real(beta, name, minimum=0), name, below=1)
        check_real(self.epsilon, "epsilon", minimum=0, strict=True)

    @property
    def step_family(self) -> str:
        """Entries move by about the learning rate."""
        return "entrywise"

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        return np.zeros_like(array), np.zeros_like(array)

    def _acting(self, state: State, first: Any, gradient: Callable[[Any], Any]) -> dict[str, np.ndarray]:
        units = state.gradient_sizes
        return {
            name: g if units[name] == 1 else g / g.dtype.type(units[name])
            for name, g in state.match(first).items()
        }

    def _rule(self, k: int) -> Rule:
        eta = self._rate(k)
        # both corrections are divided out once, not entry by entry; with them the rule reads
        # w -= step m / (sqrt(v) + guard)
        first, second = (1 - beta ** (k + 1) for beta in self.betas)
        root = float(np.sqrt(second))
        step, guard = eta * root / first, self.epsilon * root

        def move(w, g, memory, multiplier):
            # shares, not betas: 1 - 0.999 in float32 is off by 5e-5, and the corrections are not
            shares = (1 - beta for beta in self.betas)
            numbers = (w.dtype.type(x) for x in (*shares, step * multiplier, guard))
            _adapt(w.reshape(-1), *(moment.reshape(-1) for moment in memory), g.reshape(-1), *numbers)

        return move


@compiled
def _adapt(w, m, v, g, first, second, step, guard):
    for i in range(w.size):
        m[i] += first * (g[i] - m[i])
        v[i] += second * (g[i] * g[i] - v[i])
        w[i] -= step * m[i] / (np.sqrt(v[i]) + guard)
