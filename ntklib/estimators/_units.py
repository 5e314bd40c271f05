"""Units of a regression, made of the samples handed to `fit`.

A unit is a row that is there `count` times, each copy of some `importance`; its weight is their product.
Sample weights that are all whole numbers are counts, other ones importances, as class weights are. A sample
of weight 0 is as if absent. Equal copies may be merged: that leaves the fit as it is, and leave-one-out takes
away one copy, merged or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import _check_sample_weight

from ntklib._core.blocks import row_blocks
from ntklib._core.warning import warn

from .rows import ROWS, RowView, check_finite_values, read_rows


class ScaleWarning(UserWarning):
    """The features are so large or small that the kernel's bias, or its inputs, hardly count."""


@dataclass(frozen=True)
class Units:
    """Rows to fit, with float64 targets of shape (n, k); `importances` and `counts` None mean all ones.

    `support` holds the index of each unit's row among the samples; `precomputed` says that `X` is a Gram
    matrix. For classes `labels` holds the place of each unit's class among them.
    """

    X: Any
    targets: NDArray
    importances: NDArray | None
    support: NDArray
    precomputed: bool = False
    counts: NDArray | None = None
    labels: NDArray | None = None

    def __len__(self) -> int:
        return len(self.support)

    @property
    def weights(self) -> NDArray | None:
        """Counts times importances; None means all ones."""
        if self.counts is None or self.importances is None:
            return self.importances if self.counts is None else self.counts
        return self.counts * self.importances

    def owned(self) -> Units:
        """These units with rows that share no memory with what they were made of."""
        return replace(self, X=self.X.owned()) if isinstance(self.X, RowView) else self

    @property
    def n_copies(self) -> float:
        """Sum of the counts: the number of samples these units stand for."""
        return float(len(self) if self.counts is None else self.counts.sum())

    def take(self, rows: NDArray, counts: NDArray | None = None) -> Units:
        """The units at `rows`, with their own counts or other ones."""
        if counts is None and self.counts is not None:
            counts = self.counts[rows]
        if self.precomputed:
            X = self.X[np.ix_(rows, rows)]
        else:
            X = self.X.take(rows) if isinstance(self.X, RowView) else self.X[rows]
        return Units(
            X,
            self.targets[rows],
            at_rows(self.importances, rows),
            self.support[rows],
            self.precomputed,
            counts,
            at_rows(self.labels, rows),
        )


class Samples(NamedTuple):
    """Checked data of a fit, as they were given and as units."""

    X: Any
    y: NDArray
    units: Units


def at_rows(values: NDArray | None, rows: NDArray) -> NDArray | None:
    """The values at some rows, if there are any."""
    return None if values is None else values[rows]


def make_units(
    X: Any,
    targets: NDArray,
    sample_weight: Any,
    class_factor: Any = None,
    *,
    precomputed: bool,
    labels: NDArray | None = None,
) -> Units:
    """Tell counts from importances, drop samples of weight 0, and warn about features far from unit scale.

    `class_factor` holds the weight of each sample's class, shape (n,): an importance.
    """
    counts = importances = None
    if sample_weight is not None:
        check_finite_values(sample_weight, "sample_weight")
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, copy=True, ensure_non_negative=True
        )
        counts, importances = (weights, None) if (weights == np.floor(weights)).all() else (None, weights)
    if class_factor is not None:
        factor = _check_sample_weight(class_factor, X, dtype=np.float64, ensure_non_negative=True)
        importances = factor if importances is None else importances * factor
    if precomputed and X.shape[0] != X.shape[1]:
        raise ValueError(f"with kernel='precomputed' X must be a square Gram matrix, got shape {X.shape}.")
    if precomputed and not is_symmetric(X):
        raise ValueError("with kernel='precomputed' X must be symmetric, K(x_i, x_j) = K(x_j, x_i).")
    units = Units(X, targets, importances, np.arange(X.shape[0]), precomputed, counts, labels)
    with np.errstate(over="ignore"):
        if units.weights is not None and not np.isfinite(units.weights.sum()):
            raise ValueError("the sample weights, times those of the classes, are too large to be added up.")
    if units.weights is not None and not units.weights.all():
        units = units.take(np.flatnonzero(units.weights))
    if not (precomputed or getattr(units.X, "elsewhere", False)):
        warn_scale(units.X)
    return units


def merge_copies(units: Units) -> Units:
    """One unit for all copies of the same features, targets and importance; their counts add up.

    Rows of a Gram matrix stay as they are, and so do those in given blocks.
    """
    first, member = different_units(units)
    if len(first) == len(units):
        return units
    return units.take(first, np.bincount(member, weights=units.counts).astype(np.float64))


def different_units(units: Units) -> tuple[NDArray, NDArray]:
    """First places of units that `merge_copies` keeps, ascending, and the one of these each unit equals."""
    if units.precomputed or (isinstance(units.X, RowView) and units.X.blocks() is not None):
        return np.arange(len(units)), np.arange(len(units))
    importances = [] if units.importances is None else [units.importances]
    return distinct_rows(units.X, units.targets, *importances)


def is_symmetric(K: NDArray) -> bool:
    """Say if K equals its transpose to a few digits less than its precision."""
    tolerance = 1e3 * np.finfo(K.dtype).eps * float(np.abs(K.diagonal()).max())
    return all(np.abs(K[rows] - K[:, rows].T).max() <= tolerance for rows in row_blocks(len(K), 256))


def warn_scale(X: Any) -> None:
    """Warn when the mean of |x|^2/d is outside [1e-3, 1e3]."""
    squares = np.concatenate([row_norms(block, squared=True) for block in read_rows(X)])
    warn_mean_square(float(np.mean(squares)) / X.shape[1])


def warn_mean_square(scale: float) -> None:
    """Warn when a mean of |x|^2/d is outside [1e-3, 1e3]."""
    if not 1e-3 <= scale <= 1e3:
        warn(
            f"the mean of |x|^2/n_features is {scale:.2g}, far from 1, where the default kernels "
            "and penalties work: put sklearn.preprocessing.StandardScaler() before this estimator.",
            ScaleWarning,
        )


def distinct_rows(X: Any, *others: NDArray) -> tuple[NDArray, NDArray]:
    """First places of the different rows, ascending, and the one of these each row equals; -0.0 equals 0.0.

    Rows are those of X and of the other arrays together.
    """
    _, first, member = np.unique(row_digests(X, *others), return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[member]


def row_digests(X: Any, *others: NDArray) -> NDArray:
    """Digests of the rows of X and of the other arrays together, equal for equal rows."""
    digests = np.empty(X.shape[0], dtype="S16")  # 16 bytes a row, whatever the number of columns
    for rows in row_blocks(len(digests), ROWS):
        digests[rows] = list(_digests(X[rows], *(array[rows] for array in others)))
    return digests


def _digests(X: Any, *others: NDArray) -> Iterator[bytes]:
    if sparse.issparse(X):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    dense = [array + 0.0 for array in (others if sparse.issparse(X) else (X, *others))]
    for i in range(X.shape[0]):
        digest = hashlib.blake2b(digest_size=16)
        for array in dense:
            digest.update(array[i].tobytes())
        if sparse.issparse(X):
            row = slice(X.indptr[i], X.indptr[i + 1])
            digest.update(X.indices[row].tobytes())
            digest.update(X.data[row].tobytes())
        yield digest.digest()
