"""Scales that meet a condition on |h - y / alpha|."""

from __future__ import annotations

from fractions import Fraction
from math import hypot, inf, sqrt

from numpy.typing import NDArray

from .._neurons import EPS

__all__ = ["residual", "scales_within", "within"]


def residual(h0: NDArray, y: NDArray, scale: float) -> float:
    """Return |h_0 - y / alpha|, rounded up: also by what the quotient hides where both are nearly equal."""
    quotient = y / scale
    return (hypot(*(h0 - quotient)) + EPS * hypot(*quotient)) * (1 + 4 * EPS)


def within(h0: NDArray, y: NDArray, scale: float, limit: float) -> bool:
    """Tell if |h_0 - y / alpha| <= c for these very numbers: no rounding decides, not even at equality."""
    if limit == inf:
        return True
    above = residual(h0, y, scale)
    hidden = 8 * EPS * (above + hypot(*(y / scale)))
    if above <= limit or limit < above - hidden:
        return above <= limit
    factor = Fraction(scale)
    pairs = zip(h0.tolist(), y.tolist(), strict=True)
    square = sum((Fraction(h) * factor - Fraction(target)) ** 2 for h, target in pairs)
    return limit >= 0 and square <= (Fraction(limit) * factor) ** 2


def scales_within(h0: NDArray, y: NDArray, limit: float) -> tuple[float, float] | None:
    r"""Return the interval of the scales with :math:`|h_0 - y/\alpha| \le c`, None if there are none.

    With s = 1 / alpha it reads :math:`|y|^2 s^2 - 2 \langle h_0, y \rangle s + |h_0|^2 - c^2 \le 0`: a
    half-line if :math:`|h_0| < c`, else a bounded interval, or nothing.  Its ends are moved inward past
    rounding.
    """
    if limit == inf:
        return 0.0, inf
    limit = min(limit, 1e150)  # whose square is representable
    a, b, d = float(h0 @ h0) - limit**2, float(h0 @ y), float(y @ y)
    if limit < 0:
        return None
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
    step = EPS
    while low < high:
        moved = False
        if not within(h0, y, low, limit):
            low, moved = low * (1 + step), True
        if high < inf and not within(h0, y, high, limit):
            high, moved = high * (1 - step), True
        if not moved:
            return low, high
        step *= 2
    return None
