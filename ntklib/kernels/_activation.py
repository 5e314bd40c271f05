"""What an activation is: values, derivatives with their bounds over intervals, and a Gaussian dual."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._suprema import supremum

if TYPE_CHECKING:
    from ._dual import Dual

__all__ = ["Activation", "as_floats"]


class Activation:
    """Base of all activations: sigma(z), elementwise, and the Gaussian dual that kernels need.

    Two activations are equal if they are the same function by construction; they hash, pickle and print
    as the expression that makes them.
    """

    def __call__(self, z: Any) -> np.ndarray:
        """Return sigma(z)."""
        raise NotImplementedError  # pragma: no cover

    def derivative(self, z: Any) -> np.ndarray:
        """Return sigma'(z), almost everywhere."""
        raise NotImplementedError  # pragma: no cover

    def second_derivative(self, z: Any) -> np.ndarray:
        """Return sigma''(z), almost everywhere."""
        raise NotImplementedError  # pragma: no cover

    def derivative_bounds(self, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the suprema of |sigma'| and of |sigma''| over intervals.

        Parameters
        ----------
        low, high : array-like of float
            Ends of the intervals, which belong to them; ``low <= high``, of shapes that go together.

        Returns
        -------
        first, second : ndarray
            ``second`` is infinite where sigma' jumps (step, ReLU), whatever the interval: it bounds how far
            sigma' changes.

        Raises
        ------
        ValueError
            If nothing is known of the derivatives between points, as for a `NumericalActivation`.

        Examples
        --------
        >>> from ntklib.kernels import RectifiedPower
        >>> RectifiedPower(2).derivative_bounds([-3.0, -3.0], [-1.0, 2.0])
        (array([0., 4.]), array([0., 2.]))
        """
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        first, second = self._turning_points()
        slope = supremum(self.derivative, low, high, first)
        return slope, supremum(self.second_derivative, low, high, second)

    def _turning_points(self) -> tuple[Iterable[float], Iterable[float]]:
        """Where |sigma'| and |sigma''| may be largest inside an interval: zeros of the next derivative."""
        raise ValueError(
            f"{self!r} tells its derivatives at points only, so that no bound over an interval is known; "
            "use one of the named activations."
        )

    @property
    def dual(self) -> Dual:
        """The Gaussian dual that the infinite-width kernels use."""
        raise NotImplementedError  # pragma: no cover

    def __sklearn_clone__(self) -> Activation:
        return self


def as_floats(z: Any) -> np.ndarray:
    """Return an array of float32 if it was that, of float64 otherwise."""
    z = np.asarray(z)
    return z if z.dtype == np.float32 else z.astype(np.float64)
