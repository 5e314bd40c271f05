"""Base of all landscapes, and checks that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_integer, check_real

__all__ = ["Landscape", "checked_run", "point_field"]


class Landscape(ABC):
    """Base of all landscapes: a function of points in R^d, an array (..., d) being many of them."""

    @abstractmethod
    def value(self, w: ArrayLike) -> NDArray:
        """Return L(w), shape (...)."""

    @abstractmethod
    def gradient(self, w: ArrayLike) -> NDArray:
        """Return the gradient, shape (..., d); at a kink the subgradient of least norm."""

    @abstractmethod
    def hessian(self, w: ArrayLike) -> NDArray:
        """Return the matrix of second derivatives, shape (..., d, d), almost everywhere."""

    @abstractmethod
    def trace(self, w: ArrayLike) -> NDArray:
        """Return the trace of the Hessian, shape (...), without forming it."""

    def _points(self, w: ArrayLike, dimension: int | None = None) -> NDArray:
        """The points as floats, their last axis checked."""
        points = np.asarray(w, dtype=np.float64)
        if points.ndim == 0 or (dimension is not None and points.shape[-1] != dimension):
            wanted = "at least one coordinate" if dimension is None else f"{dimension} coordinates"
            raise ValueError(f"{type(self).__name__} takes points of {wanted}, got shape {points.shape}.")
        return points


def point_field(values: Any, name: str, *, minimum: float = -np.inf) -> tuple[float, ...]:
    """Return coordinates as a tuple of finite floats, so that a frozen object stays hashable."""
    if np.ndim(values) != 1 or not len(values):
        raise ValueError(f"{name} must be a sequence of numbers, got {values!r}.")
    return tuple(check_real(float(value), name, minimum=minimum) for value in values)


def checked_run(steps: int, learning_rate: float) -> tuple[int, float]:
    """Return a number of steps and a step size, both nonnegative."""
    eta = check_real(learning_rate, "learning_rate", minimum=0)
    return check_integer(steps, "steps", minimum=0), eta
