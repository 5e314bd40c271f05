"""Draws of a study: measured several at a time, and their means with standard errors and powers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.threads import parallel_for

from .power_law import PowerLaw, fit_power_law
from .seeds import generator

__all__ = ["mean_and_error", "measure_draws", "power_of_width", "root_mean_square"]


def measure_draws(
    measure: Callable[[np.random.Generator], Mapping[str, Any]],
    n_draws: int,
    seed: tuple[int, ...],
    *,
    threads: int | None = None,
) -> dict[str, NDArray]:
    """Call a function with the random numbers of each draw, and return what it measures as arrays by name.

    Parameters
    ----------
    measure : callable
        Receives the generator of a draw and returns numbers by name.
    n_draws : int
    seed : tuple of int
        The study's seed and the key of the part; draw d has the generator of (*seed, d).
    threads : int or None, default=None
        Draws at a time; None is as many as there are threads.

    Returns
    -------
    dict of str to ndarray of shape (n_draws, ...)
    """
    rows: list[Mapping[str, Any]] = [{}] * n_draws

    def draw(index: int) -> None:
        rows[index] = measure(generator(*seed, index))

    parallel_for(draw, range(n_draws), threads=threads)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def mean_and_error(draws: NDArray, axis: int = -1) -> tuple[NDArray, NDArray]:
    """Return the mean along an axis of draws, and its standard error.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.draws import mean_and_error
    >>> mean, error = mean_and_error(np.array([[1.0, 3.0]]))
    >>> mean, error
    (array([2.]), array([1.]))
    """
    return draws.mean(axis=axis), draws.std(axis=axis, ddof=1) / np.sqrt(draws.shape[axis])


def root_mean_square(squares: NDArray) -> tuple[NDArray, NDArray]:
    """Return the root of the mean over the draws of squares, the last axis, and its standard error.

    The standard error is to first order; 0 where the root is.
    """
    mean, spread = mean_and_error(squares)
    root = np.sqrt(mean)
    return root, np.divide(spread, 2 * root, out=np.zeros_like(root), where=root > 0)


def power_of_width(width: NDArray, mean: NDArray, error: NDArray, n_draws: int) -> PowerLaw:
    """Return the power law fitted to means over draws at several widths."""
    return fit_power_law(width, mean, error, degrees_of_freedom=len(width) * (n_draws - 1))
