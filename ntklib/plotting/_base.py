"""What the displays share: axes, the fitted estimator inside a pipeline, its kernel, a sample of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.gaussian_process.kernels import Kernel
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

COLORS = ("#3b7dd8", "#e0702f", "#2f9e6e", "#9a62c7", "#c9497f", "#8a7a2f", "#4aa3b5", "#7d8590")
"""Told apart on white and on dark ground, and by most colour-blind readers when neighbours."""


def axes_and_figure(ax: Any, figsize: tuple[float, float] = (6.4, 4.0)) -> tuple[Any, Any]:
    """Return the axes to draw on and their figure, made where ``ax`` is None."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax, ax.figure


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


def final_step(estimator: Any) -> tuple[Any, Callable[[ArrayLike], Any]]:
    """Return the fitted last step of ``estimator`` and the function that maps raw rows to its input."""
    if isinstance(estimator, Pipeline):
        check_is_fitted(estimator)
        transform = estimator[:-1].transform if len(estimator.steps) > 1 else np.asarray
        return estimator[-1], transform
    check_is_fitted(estimator)
    return estimator, np.asarray


def fitted_kernel(estimator: Any) -> Callable:
    """Return the kernel object a fitted estimator ended with.

    Raises
    ------
    ValueError
        If it has none that can be called on two arrays of rows.
    """
    kernel = getattr(estimator, "kernel_", None)
    if not callable(kernel):
        raise ValueError(
            f"{type(estimator).__name__} has no kernel object to evaluate (kernel_ is {kernel!r}); "
            "use the display's constructor with arrays computed elsewhere"
        )
    return kernel


def gram_of(kernel: Callable, X: Any) -> NDArray:
    """Return the Gram matrix of rows, whether ``kernel`` is a kernel object or a function of two arrays."""
    return np.asarray(kernel(X) if isinstance(kernel, Kernel) else kernel(X, X))


def sample_rows(n_rows: int, max_samples: int | None, random_state: Any) -> NDArray:
    """Return the indices of at most ``max_samples`` rows, drawn without replacement, in ascending order."""
    if max_samples is None or n_rows <= max_samples:
        return np.arange(n_rows)
    if max_samples < 1:
        raise ValueError(f"max_samples must be at least 1, got {max_samples}")
    drawn = check_random_state(random_state).choice(n_rows, size=max_samples, replace=False)
    return np.sort(drawn)


def take_rows(X: Any, indices: NDArray) -> Any:
    """Return rows of a dense or sparse matrix."""
    return X[indices] if hasattr(X, "tocsr") else np.asarray(X)[indices]


def light_axes(ax: Any) -> None:
    """Keep two of the four spines and a faint grid: the data should be the darkest thing on the page."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
