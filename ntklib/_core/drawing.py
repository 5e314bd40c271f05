"""Axes, colours and checks that all pictures share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLORS = ("#3b7dd8", "#e0702f", "#2f9e6e", "#9a62c7", "#c9497f", "#8a7a2f", "#4aa3b5", "#7d8590")
"""Told apart on white and on dark ground, and by most colour-blind readers when neighbours."""


def axes_and_figure(ax: Any, figsize: tuple[float, float] = (6.4, 4.0)) -> tuple[Any, Any]:
    """Return the axes to draw on and their figure, made where ``ax`` is None."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax, ax.figure


def light_axes(ax: Any) -> None:
    """Keep two of the four spines and a faint grid: the data should be the darkest thing on the page."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def positive_axis(values: ArrayLike, name: str) -> NDArray:
    """Return the positions on a logarithmic axis."""
    array: NDArray = np.asarray(values, dtype=float)
    if array.ndim != 1 or array.size == 0 or not (array > 0).all():
        raise ValueError(f"{name} must be a one-dimensional array of positive numbers, not empty")
    return array


def along(axis: NDArray, unit: str, name: str, values: ArrayLike) -> NDArray:
    """Return numbers that belong to the positions on an axis, one to each."""
    array: NDArray = np.asarray(values, dtype=float)
    if array.shape != axis.shape:
        raise ValueError(f"{name} has shape {array.shape}, but there are {axis.size} {unit}")
    return array
