"""Which scales meet a condition on |h - y / alpha|."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from ntklib.theory._neurons import EPS

__all__ = ["residual", "scales_within"]


def residual(h0: NDArray, y: NDArray, scale: float) -> float:
    """Return |h_0 - y / alpha|, and what rounding of the quotient may hide where both are nearly equal."""
    quotient = y / scale
    return float(np.linalg.norm(h0 - quotient) + EPS * np.linalg.norm(quotient))


def scales_within(h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
    r"""Return the interval of the scales with :math:`|h_0 - y/\alpha| \le c`, None if there are none.

    With s = 1 / alpha it reads :math:`|y|^2 s^2 - 2 \langle h_0, y \rangle s + |h_0|^2 - c^2 \le 0`: a
    half-line if :math:`|h_0| < c`, else a bounded interval, or nothing.  Its ends are moved inward past
    rounding.
    """
    a, b, d = float(h0 @ h0) - limit**2, float(h0 @ y), float(y @ y)
    if limit < 0 or not np.isfinite(a + b + d):
        return (0.0, inf) if limit == inf else None
    if d == 0:
        return (0.0, inf) if a <= 0 else None
    below = b * b - a * d
    if below < 0:
        return None
    root = sqrt(below)
    # the sum that does not cancel gives one solution, the product of both the other
    far = b + root if b >= 0 else b - root
    ends = sorted((far / d, a / far)) if far else [0.0, 0.0]
    if ends[1] <= 0:
        return None
    low, high = 1 / ends[1], 1 / ends[0] if ends[0] > 0 else inf
    return _inward(h0, y, limit, low, high)


def _inward(h0: NDArray, y: NDArray, limit: float, low: float, high: float) -> tuple[float, float] | None:
    step = 1e-15
    while low < high:
        moved = False
        if residual(h0, y, low) > limit:
            low, moved = low * (1 + step), True
        if high < inf and residual(h0, y, high) > limit:
            high, moved = high * (1 - step), True
        if not moved:
            return low, high
        step *= 2
    return None
