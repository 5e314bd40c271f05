"""The kernels that a search compares: as they are given, and those whose scale the training rows set.

The length scales of kernels of a distance in the default grid are multiples of the median distance of the
rows that a kernel is fitted to: of all rows for leave-one-out, of each fold's training rows for folds. No
target is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib.kernels import Laplace, median_distance

from .._kernel import is_precomputed, resolve_kernel
from .._units import Units, row_digests
from ..defaults import Grid, network_kernels

__all__ = ["Candidate", "candidates_of", "given_kernels", "grid_candidates", "settled"]

_NETWORKS = "ntk"
_LOOKED_AT = 10_000  # rows that may be chosen for the median
_COMPARED = 1_000  # rows whose distances are computed
_LEAST_MULTIPLE, _MOST_MULTIPLE = 0.5, 8.0  # of the median distance that length scales are


@dataclass(frozen=True)
class Candidate:
    """A kernel to compare.

    `multiple` is the length scale of a Laplace kernel in median distances by a `norm`, where the rows set it,
    `exponent` the power of the distance; `kernel` is None until they are known.
    """

    kernel: Any
    multiple: float | None = None
    norm: int = 1
    exponent: float = 1.0

    @property
    def is_fixed(self) -> bool:
        """Say if the kernel is the same whatever rows it is fitted to."""
        return self.multiple is None

    @property
    def name(self) -> str:
        """Name of the type of the kernel."""
        return Laplace.__name__ if self.kernel is None else type(self.kernel).__name__

    def scaled(self, distance: float) -> Candidate:
        """Return the candidate for rows of this median distance."""
        if self.multiple is None:
            return self
        kernel = Laplace(self.multiple * distance, norm=self.norm, exponent=self.exponent)
        return replace(self, kernel=kernel)

    def on(self, units: Units, rows: NDArray) -> Any:
        """Return the kernel for training units at some rows; equal rows leave the scale as it is."""
        distance = None if self.is_fixed else typical_distance(units.X[rows], self.norm)
        return self.kernel if distance is None else self.scaled(distance).kernel


def given_kernels(kernels: Any) -> list:
    """Kernels of the parameter `kernels` before it is checked; None stands for those of a grid by name."""
    if isinstance(kernels, str) and kernels == _NETWORKS:
        return [None]
    return list(kernels) if isinstance(kernels, list | tuple) else [kernels]


def grid_candidates(grid: Grid) -> list[Candidate]:
    """Kernels of a default grid."""
    of_distances = [Candidate(None, scale, norm, power) for norm, power, scale in grid.distances]
    return [Candidate(kernel) for kernel in grid.kernels()] + of_distances


def candidates_of(kernels: Any, grid: Grid) -> list[Candidate]:
    """Kernels to compare: the default grid for None, that of kernels of networks for "ntk"."""
    if kernels is None:
        return grid_candidates(grid)
    if isinstance(kernels, str) and kernels == _NETWORKS:
        return [Candidate(kernel) for kernel in network_kernels()]
    if isinstance(kernels, Kernel) or callable(kernels) or is_precomputed(kernels):
        kernels = [kernels]
    if not isinstance(kernels, list | tuple):
        raise ValueError(
            f"kernels must be a list of kernels, one kernel, {_NETWORKS!r}, 'precomputed' or None; "
            f"got {kernels!r}."
        )
    resolved = [resolve_kernel(kernel, "kernels") for kernel in kernels]
    if not resolved:
        raise ValueError("kernels is empty: give at least one kernel, or None for the default grid.")
    if len(resolved) > 1 and any(isinstance(kernel, str) for kernel in resolved):
        raise ValueError("'precomputed' cannot be compared with other kernels: X is one Gram matrix.")
    return [Candidate(kernel) for kernel in resolved]


def settled(candidates: list[Candidate], X: Any) -> list[Candidate]:
    """Candidates with kernels for rows X, without those whose scale these rows do not set."""
    norms = {candidate.norm for candidate in candidates if not candidate.is_fixed}
    scales = {norm: scale for norm in norms if (scale := typical_distance(X, norm)) is not None}
    return [
        one if one.is_fixed else one.scaled(scales[one.norm])
        for one in candidates
        if one.is_fixed or one.norm in scales
    ]


def typical_distance(X: Any, norm: int = 1) -> float | None:
    """Median distance of different rows, the same in any order; None where it is no scale for a kernel.

    Of many rows, those of the smallest digests stand for all: a draw that repetition and order do not change.
    """
    n = X.shape[0]
    n_read = min(n, _LOOKED_AT)
    X = X[np.arange(n_read) * n // n_read]
    _, places = np.unique(row_digests(X), return_index=True)  # in the order of the digests
    if len(places) < 2:
        return None
    scale = median_distance(X[np.sort(places[:_COMPARED])], norm)
    fits = _LEAST_MULTIPLE * scale > 0 and _MOST_MULTIPLE * scale < np.inf
    return scale if fits else None
