"""Means over random draws, with their standard errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["MonteCarloMean"]


@dataclass(frozen=True, repr=False)
class MonteCarloMean:
    """A mean over initialisations, with its error: see `Network.ntk_mean`.

    Parameters
    ----------
    mean : ndarray
    standard_error : ndarray
        Of every entry of the mean.
    draws : int
        Initialisations.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    draws: int

    def __repr__(self) -> str:
        return (
            f"MonteCarloMean({self.mean.shape}, {self.draws} draws, "
            f"largest standard error {self.standard_error.max():.2g})"
        )

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray]) -> MonteCarloMean:
        """Return the mean of independent draws, two at least, one in memory at a time."""
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for count, array in enumerate(arrays, start=1):
            change = array.astype(np.float64, copy=False) - mean
            mean = mean + change / count
            squares = squares + change * (array - mean)
        return cls(mean, np.sqrt(squares / (count - 1) / count), count)
