"""Sums on centres over rows that are arrays of other libraries, made on their device.

Centres are chosen and the small systems solved by NumPy; kernel values, features and sums are where the rows
are. The array API standard has no triangular solve: tiles are whitened by the inverse of the triangle, and
once more by what that leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri

from ntklib._core.blocks import row_blocks
from ntklib._core.exponents import exponents
from ntklib._core.namespaces import namespace_of, on_device, to_numpy
from ntklib._core.progress import step

from ..solver import Nystrom
from ._basis import Basis, make_basis
from ._sums import RowSums
from .fit import CentreSums, choose_centres
from .regression import CentreRegression

__all__ = ["ArrayFeatures", "sum_arrays"]

NUMBERS = 2**26
"""Features of a block: half a gigabyte in float64."""


@dataclass(frozen=True)
class ArrayFeatures:
    """Whitened features of rows, less their offset, on a device.

    Attributes
    ----------
    cross : callable
        Kernel matrix of two sets of rows.
    centres : array of shape (M, d)
    triangle, inverse : array of shape (M, M)
        L and its inverse, lower.
    means : array of shape (M,)
        Taken off the kernel values.
    """

    cross: Callable[[Any, Any], Any]
    centres: Any
    triangle: Any
    inverse: Any
    means: Any

    @classmethod
    def of(cls, basis: Basis, like: Any) -> ArrayFeatures:
        """Move a basis to the device of rows, in their precision."""
        inverse = np.tril(dtrtri(basis.triangle, lower=1)[0])
        arrays = basis.centres, basis.triangle, inverse, basis.means
        return cls(basis.cross, *(on_device(values, like, like.dtype) for values in arrays))

    def __call__(self, X: Any) -> Any:
        """Return the features of some rows, shape (n, M)."""
        values = self.cross(X, self.centres) - self.means
        features = values @ self.inverse.T
        return features + (values - features @ self.triangle.T) @ self.inverse.T


def sum_arrays(
    cross: Callable[[Any, Any], NDArray],
    diagonal: Callable[[Any], NDArray],
    X: Any,
    targets: NDArray,
    weights: NDArray,
    counts: NDArray,
    solver: Nystrom,
    *,
    fit_intercept: bool,
) -> CentreSums:
    """Choose centres and sum over the rows, on their device.

    Parameters
    ----------
    cross, diagonal : callable
        Kernel matrix of two sets of rows, and kernel of rows with themselves: of NumPy arrays and of arrays
        like X.
    X : array of shape (n, d), float32 or float64
    targets : ndarray of shape (n, k)
    weights, counts : ndarray of shape (n,)
    solver : Nystrom
    fit_intercept : bool

    Returns
    -------
    CentreSums
        Without rows: there is no refinement, and no leave-one-out.
    """
    xp = namespace_of(X)
    chosen, centres = choose_centres(cross, diagonal, _Reader(X), solver)
    basis = make_basis(cross, diagonal, centres, centred=fit_intercept)
    powers = np.asarray(exponents(targets, axis=0))
    unit = np.ldexp(targets, -powers)
    features, total, size = ArrayFeatures.of(basis, X), None, max(1, NUMBERS // len(basis.kept))
    with step(f"sums on {len(basis.kept):,} centres", len(targets), "rows") as gauge:
        for rows in row_blocks(X.shape[0], size):
            part = X[rows, :]
            t, w, c = (on_device(values[rows], X, xp.float64) for values in (unit, weights, counts))
            block = RowSums.of_arrays(features(part), t, w, c, xp.astype(diagonal(part), xp.float64))
            total = block if total is None else total.merge(block)
            gauge.advance(part.shape[0])
    assert total is not None
    regression = CentreRegression(basis, total.to_numpy(), fit_intercept=fit_intercept)
    return CentreSums(regression, powers, chosen[basis.kept], solver.rule, None)


class _Reader:
    """Rows of an array that are read into NumPy by their numbers."""

    def __init__(self, X: Any) -> None:
        self.X, self.xp = X, namespace_of(X)
        self.shape = tuple(X.shape)
        self.dtype = np.dtype(np.float32 if X.dtype == self.xp.float32 else np.float64)

    def __getitem__(self, rows: Any) -> NDArray:
        numbers = np.arange(self.shape[0])[rows] if isinstance(rows, slice) else np.asarray(rows)
        return to_numpy(self.xp.take(self.X, on_device(numbers, self.X), axis=0))
