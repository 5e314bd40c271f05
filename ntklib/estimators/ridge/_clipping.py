"""Predictions that stay near the targets: between the least and the largest, each moved out a little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._units import Units

__all__ = ["clipped", "joined_range", "left_out_limits", "limits_of", "target_range"]

MARGIN = 0.1
"""Share of the range of the targets that is added at either end."""


def target_range(targets: NDArray) -> NDArray:
    """Least and largest target of each column, (2, k)."""
    return np.stack([targets.min(axis=0), targets.max(axis=0)])


def joined_range(first: NDArray | None, second: NDArray) -> NDArray:
    """Range of two sets of targets by their ranges; None is that of no targets."""
    return second if first is None else target_range(np.concatenate([first, second]))


def limits_of(ends: NDArray) -> NDArray:
    """Limits of predictions, (2, ...), for ranges of targets (2, ...)."""
    low, high = ends
    margin = MARGIN * high - MARGIN * low  # the range itself may be beyond the floats
    with np.errstate(over="ignore"):
        return np.stack([low - margin, high + margin])


def left_out_limits(units: Units) -> NDArray:
    """Limits (2, n, k) for each unit, by the targets of all copies but one of it."""
    targets, counts = units.targets, units.counts
    copies = np.ones(len(units)) if counts is None else counts
    ends = np.empty((2, *targets.shape))
    for j, column in enumerate(targets.T):
        for end, (outermost, signed) in enumerate(((column.min(), column), (column.max(), -column))):
            at = column == outermost
            ends[end, :, j] = outermost
            if copies[at].sum() == 1:  # without it the next one is outermost
                ends[end, at, j] = column[~at][signed[~at].argmin()]
    return limits_of(ends)


def clipped(values: NDArray, limits: NDArray | None) -> NDArray:
    """Values between limits (2, ...), if there are any."""
    return values if limits is None else np.clip(values, limits[0], limits[1])
