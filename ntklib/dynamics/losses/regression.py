"""Losses of the residual f - y: squared, Huber's, absolute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib._core.validation import check_real

from .base import Loss


@dataclass(frozen=True)
class SquaredError(Loss):
    r"""Half the squared error, :math:`l(f, y) = \tfrac12 |f - y|^2`; m = M = 1.

    Examples
    --------
    >>> from ntklib.dynamics import SquaredError
    >>> SquaredError().value([1.0, 3.0], [0.0, 1.0])
    2.5
    """

    name = "squared_error"

    def strong_convexity(self, n_outputs: int = 1) -> float:
        """Return 1."""
        return 1.0

    def smoothness(self, n_outputs: int = 1) -> float:
        """Return 1."""
        return 1.0

    def in_units(self, unit: float) -> tuple[Loss, int]:
        """Return itself: it grows with the square of its unit."""
        return self, 2

    def _losses(self, f: NDArray, t: NDArray) -> NDArray:
        return 0.5 * np.square(f - t)

    def _slopes(self, f: NDArray, t: NDArray) -> NDArray:
        return f - t

    def _curvatures(self, f: NDArray, t: NDArray) -> NDArray:
        return np.ones_like(f)


@dataclass(frozen=True)
class Huber(Loss):
    r"""Huber's loss: half the squared error up to `delta`, linear beyond; summed over outputs; m = 0, M = 1.

    .. math:: l(f, y) = \tfrac12 r^2 \ (|r| \le \delta), \quad \delta (|r| - \delta/2) \ (|r| > \delta),
              \qquad r = f - y .

    Its second derivative, 1 or 0, is taken as 1 at the seam.

    Parameters
    ----------
    delta : float, default=1.0
        Positive: the residual from which on errors count linearly.

    References
    ----------
    P. J. Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical Statistics 35.

    Examples
    --------
    >>> from ntklib.dynamics import Huber
    >>> Huber(delta=2.0).value([1.0, 5.0], [0.0, 0.0])
    8.5
    """

    delta: float = 1.0
    name = "huber"

    def __post_init__(self) -> None:
        check_real(self.delta, "delta", minimum=0, strict=True)

    def strong_convexity(self, n_outputs: int = 1) -> float:
        """Return 0."""
        return 0.0

    def smoothness(self, n_outputs: int = 1) -> float:
        """Return 1."""
        return 1.0

    def in_units(self, unit: float) -> tuple[Loss, int]:
        """Return Huber's loss with delta in the unit, which grows with the square of that."""
        return Huber(delta=self.delta / unit), 2

    def _losses(self, f: NDArray, t: NDArray) -> NDArray:
        size = np.abs(f - t)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner)

    def _slopes(self, f: NDArray, t: NDArray) -> NDArray:
        return np.clip(f - t, -self.delta, self.delta)

    def _curvatures(self, f: NDArray, t: NDArray) -> NDArray:
        return (np.abs(f - t) <= self.delta).astype(f.dtype)


@dataclass(frozen=True)
class AbsoluteError(Loss):
    r"""Absolute error, :math:`l(f, y) = |f - y|`, summed over outputs; m = 0, M = inf (not smooth).

    Its gradient is the sign of the residual, 0 at residual 0, which is a subgradient.

    Examples
    --------
    >>> from ntklib.dynamics import AbsoluteError
    >>> AbsoluteError().gradient([1.0, 0.0, -2.0], [0.0, 0.0, 0.0]).tolist()
    [1.0, 0.0, -1.0]
    """

    name = "absolute_error"
    smooth = False

    def strong_convexity(self, n_outputs: int = 1) -> float:
        """Return 0."""
        return 0.0

    def smoothness(self, n_outputs: int = 1) -> float:
        """Return infinity."""
        return np.inf

    def in_units(self, unit: float) -> tuple[Loss, int]:
        """Return itself: it grows with its unit."""
        return self, 1

    def _losses(self, f: NDArray, t: NDArray) -> NDArray:
        return np.abs(f - t)

    def _slopes(self, f: NDArray, t: NDArray) -> NDArray:
        return np.sign(f - t)

    def _curvatures(self, f: NDArray, t: NDArray) -> NDArray:
        raise NotImplementedError  # Risk.hessian refuses losses that are not smooth
