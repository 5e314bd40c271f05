"""States of runs of optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ntklib._core.validation import check_real

__all__ = ["ALONE", "State", "checked_multipliers", "movable", "named_arrays"]

ALONE = ""
"""The name of a position that is one array and not a mapping."""


@dataclass(eq=False, repr=False)
class State:
    """State of a run of an optimiser; `Optimizer.start` makes one, `Optimizer.step` changes it in place.

    Attributes
    ----------
    position : ndarray or dict of str to ndarray
        The point reached, C-contiguous, in the structure that the run was started with.
    memory : dict of str to tuple of ndarray
        What the method remembers of each array: momentum, moments, an earlier point.
    multipliers : dict of str to float
        Factors of the learning rate, one an array.
    gradient_sizes : dict of str to float
        Size of the entries of each array's gradient as a power of the width; 1 without a model.
    steps : int
        Steps taken.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.dynamics import Momentum
    >>> momentum = Momentum(0.1)
    >>> state = momentum.start(np.array([1.0, 2.0]))
    >>> half_way = state.copy()
    >>> _ = momentum.step(state, lambda w: w)
    >>> state.position, half_way.position, state.steps
    (array([0.9, 1.8]), array([1., 2.]), 1)
    """

    position: Any
    memory: dict[str, tuple[np.ndarray, ...]]
    multipliers: dict[str, float]
    gradient_sizes: dict[str, float]
    steps: int = 0

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the position by name; an array alone has the empty name."""
        return self.position if isinstance(self.position, dict) else {ALONE: self.position}

    def copy(self) -> State:
        """Return a state that goes its own way from here."""
        memory = {name: tuple(map(np.copy, arrays)) for name, arrays in self.memory.items()}
        position = self.like({name: array.copy() for name, array in self.arrays.items()})
        return replace(
            self,
            position=position,
            memory=memory,
            multipliers=dict(self.multipliers),
            gradient_sizes=dict(self.gradient_sizes),
        )

    def like(self, arrays: dict[str, np.ndarray]) -> Any:
        """Return arrays in the structure of the position."""
        return arrays if isinstance(self.position, dict) else arrays[ALONE]

    def match(self, gradient: Any) -> dict[str, np.ndarray]:
        """Return a gradient as arrays by name, in the shapes, order and types of the position's.

        Raises
        ------
        ValueError
            If its names or shapes are not those of the position.
        """
        named = gradient if isinstance(self.position, dict) else {ALONE: gradient}
        arrays = self.arrays
        if set(named) != set(arrays):
            raise ValueError(f"the gradient has {sorted(named)}, the position has {sorted(arrays)}.")
        matched = {}
        for name, array in arrays.items():
            matched[name] = np.ascontiguousarray(named[name], dtype=array.dtype).reshape(
                np.shape(named[name])
            )
            if matched[name].shape != array.shape:
                what = f"the gradient of {name}" if name else "the gradient"
                raise ValueError(f"{what} has shape {matched[name].shape}, the position {array.shape}.")
        return matched

    def __repr__(self) -> str:
        arrays = self.arrays.values()
        kinds = "/".join(sorted({array.dtype.name for array in arrays}))
        return f"State(steps={self.steps}, {sum(a.size for a in arrays):,} numbers, {kinds})"


def named_arrays(position: Any) -> tuple[dict[str, Any], bool]:
    """Return arrays by name, and whether they came so."""
    named = hasattr(position, "items")
    return (dict(position.items()) if named else {ALONE: position}), named


def movable(array: Any, name: str, copy: bool) -> np.ndarray:
    """Return a C-contiguous array of floats that may be written to."""
    numbers = np.asarray(array)
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"the position must hold real numbers, got an array of {numbers.dtype}.")
    if copy:
        return np.array(numbers, dtype=np.float32 if numbers.dtype == np.float32 else np.float64, order="C")
    if numbers is not array or numbers.dtype not in (np.float32, np.float64):
        raise ValueError(f"copy=False needs arrays of float32 or float64, got {type(array).__name__} {name}.")
    if not (numbers.flags.c_contiguous and numbers.flags.writeable):
        raise ValueError(f"copy=False needs a C-contiguous, writable array {name}; leave it at copy=True.")
    return numbers


def checked_multipliers(multipliers: Any, names: tuple[str, ...], named: bool) -> dict[str, float]:
    """Return one factor for each array."""
    if multipliers is None:
        return dict.fromkeys(names, 1.0)
    if not isinstance(multipliers, Mapping):
        return dict.fromkeys(names, check_real(multipliers, "multipliers", minimum=0))
    if not named:
        raise ValueError("multipliers by name need a position of named arrays; give one number.")
    if missing := [name for name in names if name not in multipliers]:
        raise ValueError(f"multipliers lacks {', '.join(missing)}; every array of the position needs one.")
    return {name: check_real(multipliers[name], f"multipliers[{name!r}]", minimum=0) for name in names}
