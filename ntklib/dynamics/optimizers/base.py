"""The frame of all optimisers: schedules, and one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from ntklib._core.validation import check_integer, check_real
from ntklib.networks.steps import StepFamily, as_family

from ._state import ALONE, State, checked_multipliers, movable, named_arrays

__all__ = ["Optimizer", "Rule", "Schedule", "check_schedule", "scheduled"]

Schedule = float | Callable[[int], float]
"""A number, or a function of the step k = 0, 1, ... that returns one."""

Rule = Callable[[np.ndarray, np.ndarray, tuple[np.ndarray, ...], float], None]
"""Moves one array in place, given its gradient, what is remembered of it, and its step multiplier."""


def check_schedule(value: Any, name: str, *, below: float = np.inf, positive: bool = False) -> None:
    """Raise unless ``value`` is a function or a number of at least 0 (or above it) and below ``below``."""
    if callable(value):
        return
    check_real(value, name, minimum=0, strict=positive)
    if value >= below:
        raise ValueError(f"{name} must be less than {below:g}, got {value}.")


def scheduled(value: Schedule, k: int, name: str, *, below: float = np.inf, positive: bool = False) -> float:
    """Return the value of a schedule at step k, checked."""
    number = value(k) if callable(value) else value
    check_schedule(number, f"{name}({k})" if callable(value) else name, below=below, positive=positive)
    return float(number)


class Optimizer(ABC):
    """Base of all optimisers.

    A subclass is a frozen dataclass with a field ``learning_rate`` and a method ``_rule`` that returns what
    to do with one array at step k; every array is moved by itself, in place, in one pass where that is
    possible, and in its own precision.

    `step_family` says how long its steps are, which decides by what a model's step multipliers multiply them.
    A subclass with other steps than the gradient's sets it:

    - "gradient", the default: in proportion to the gradient;
    - "entrywise": every entry by about the learning rate, as in Adam;
    - "orthogonal": every singular value by the learning rate, as in Muon, or the whole array by that length;
    - "max_norm": every entry by the learning rate times the sum of the gradient's absolute entries.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from ntklib.dynamics import Optimizer
    >>> from ntklib.networks import TwoLayerNet
    >>> @dataclass(frozen=True)
    ... class Bounded(Optimizer):
    ...     learning_rate: float = 0.01
    ...     step_family = "entrywise"
    ...     def _rule(self, k):
    ...         def move(w, g, memory, multiplier):
    ...             w -= self.learning_rate * multiplier * np.tanh(1e6 * g)
    ...         return move
    >>> net = TwoLayerNet(100, parameterization="mup")
    >>> Bounded().start(net.init(3, random_state=0), model=net).multipliers
    {'W0': 1.0, 'W1': 0.01}
    """

    learning_rate: Schedule

    evaluations: ClassVar[int] = 1
    """Gradients that one step evaluates."""

    _divides_by_rate: ClassVar[bool] = False

    @property
    def step_family(self) -> str:
        """Length of steps: "gradient", "entrywise", "orthogonal" or "max_norm"."""
        return "gradient"

    @property
    def step_powers(self) -> StepFamily:
        """Powers of the size of the gradient's entries, and of the root of their number, in a step's."""
        return as_family(self.step_family)

    def __post_init__(self) -> None:
        check_schedule(self.learning_rate, "learning_rate", positive=self._divides_by_rate)

    def at_step(self, k: int, name: str = "learning_rate") -> float:
        """Return what a number or a schedule is at step k.

        Parameters
        ----------
        k : int
        name : str, default="learning_rate"

        Raises
        ------
        TypeError, ValueError
            If a schedule returns no number of at least 0.

        Examples
        --------
        >>> from ntklib.dynamics import GradientDescent
        >>> GradientDescent(lambda k: 1 / (k + 1)).at_step(3)
        0.25
        """
        return scheduled(getattr(self, name), k, name)

    def start(
        self,
        position: Any,
        *,
        model: Any = None,
        multipliers: Mapping[str, float] | float | None = None,
        copy: bool = True,
    ) -> State:
        """Return the state of a run that begins at ``position``.

        Parameters
        ----------
        position : array-like or mapping of str to array-like
            Kept in float32 if it is that, in float64 otherwise.
        model : TwoLayerNet, MLP, or a model made from one, default=None
            Whose arrays these are: the learning rate is multiplied by its step multipliers for this
            optimiser's `step_family`.
        multipliers : mapping of str to float or float, default=None
            Further factors of the learning rate: for a mapping one for every array in it, others being
            ignored.
        copy : bool, default=True
            False moves the given arrays themselves; they must be C-contiguous, writable floats.

        Returns
        -------
        State

        Raises
        ------
        TypeError
            If the position does not hold real numbers.
        ValueError
            If an array has no multiplier, or cannot be moved in place, or `step_family` is unknown.
        """
        arrays, named = named_arrays(position)
        if not arrays:
            raise ValueError("there are no arrays to move.")
        arrays = {name: movable(array, name, copy) for name, array in arrays.items()}
        factors, sizes = checked_multipliers(multipliers, tuple(arrays), named), dict.fromkeys(arrays, 1.0)
        if model is not None:
            own = checked_multipliers(model.multipliers_for(self.step_family), tuple(arrays), named)
            factors = {name: factor * own[name] for name, factor in factors.items()}
            sizes = {name: model.gradient_sizes[name] for name in arrays}
        return State(
            position=arrays if named else arrays[ALONE],
            memory={name: self._memory(array) for name, array in arrays.items()},
            multipliers=factors,
            gradient_sizes=sizes,
        )

    def step(self, state: State, gradient: Callable[[Any], Any]) -> Any:
        """Take one step: move ``state`` in place.

        Parameters
        ----------
        state : State
        gradient : callable
            Receives a position, returns the gradient there in the same structure.  It is called
            ``self.evaluations`` times and must be one function during a step: with minibatches, draw the
            batch before.  It may return the same arrays every time; they are never written to.

        Returns
        -------
        ndarray or mapping of str to ndarray
            What ``gradient`` returned at the position before the step.

        Raises
        ------
        ValueError
            If the gradient does not fit the position, or a schedule returns what it should not.
        """
        rule = self._rule(state.steps)
        first = gradient(state.position)
        acting = self._acting(state, first, gradient)
        for name, array in state.arrays.items():
            rule(array, acting[name], state.memory[name], state.multipliers[name])
        state.steps += 1
        return first

    def run(self, gradient: Callable[[np.ndarray], np.ndarray], position: Any, steps: int) -> np.ndarray:
        """Return the positions of a run, the first one included.

        Parameters
        ----------
        gradient : callable
            Receives an array, returns the gradient there.
        position : array-like
        steps : int
            At least 0.

        Returns
        -------
        ndarray of shape (steps + 1, ...)
        """
        state = self.start(np.asarray(position))
        shape = (check_integer(steps, "steps", minimum=0) + 1, *state.position.shape)
        path = np.empty(shape, dtype=state.position.dtype)
        path[0] = state.position
        for k in range(steps):
            self.step(state, gradient)
            path[k + 1] = state.position
        return path

    def _memory(self, array: np.ndarray) -> tuple[np.ndarray, ...]:
        """Arrays that are remembered of one that is moved, at the start."""
        return ()

    def _acting(self, state: State, first: Any, gradient: Callable[[Any], Any]) -> dict[str, np.ndarray]:
        """The gradient that the rule receives: the one at the position, unless a subclass asks elsewhere."""
        return state.match(first)

    @abstractmethod
    def _rule(self, k: int) -> Rule:
        """Return the function that moves one array at step k."""

    def _rate(self, k: int) -> float:
        return scheduled(self.learning_rate, k, "learning_rate", positive=self._divides_by_rate)
