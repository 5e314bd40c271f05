"""Suprema of derivatives of activations over intervals, which bounds on balls of parameters are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import pi
from typing import Any

import numpy as np

__all__ = ["power_suprema", "supremum", "wave_suprema"]


def supremum(
    function: Callable[[Any], np.ndarray], low: np.ndarray, high: np.ndarray, turns: Iterable[float]
) -> np.ndarray:
    """Return the largest |function| on each interval: it is at an end, or at a turning point inside."""
    best = np.maximum(np.abs(function(low)), np.abs(function(high)))
    for point in turns:
        inside = (low <= point) & (point <= high)
        best = np.maximum(best, np.where(inside, np.abs(function(point)), 0.0))
    return best


def wave_suprema(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest |cos| and the largest |sin| on each interval."""

    def reaches(shift: float) -> np.ndarray:  # whether a multiple of pi, shifted, is inside
        return np.floor((high - shift) / pi) >= np.ceil((low - shift) / pi)

    cosines = np.maximum(np.abs(np.cos(low)), np.abs(np.cos(high)))
    sines = np.maximum(np.abs(np.sin(low)), np.abs(np.sin(high)))
    return np.where(reaches(0.0), 1.0, cosines), np.where(reaches(pi / 2), 1.0, sines)


def power_suprema(
    degree: int, a: float, b: float, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the suprema for b z^degree, z >= 0, and a (-z)^degree, z < 0.

    The second derivative's is infinite, on whatever interval, if the function or its derivative jumps at 0:
    then no bound on it is one on how far the derivative changes.
    """
    jumps = degree == 0 or (degree == 1 and a != -b)
    both = []
    for order in (1, 2):
        power = degree - order
        factor = float(np.prod([degree - i for i in range(order)]))
        if factor == 0:
            both.append(np.zeros(np.broadcast(low, high).shape))
            continue
        right = np.where(high >= 0, abs(b) * np.maximum(high, 0.0) ** power, 0.0)
        left = np.where(low <= 0, abs(a) * np.maximum(-low, 0.0) ** power, 0.0)
        both.append(factor * np.maximum(left, right))
    if jumps:
        both[1] = np.full_like(both[1], np.inf)
    return both[0], both[1]
