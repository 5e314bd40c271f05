"""Work on a single chunk, done by the workers: pure functions of the chunk, at one thread each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.extmath import row_norms
from sklearn.utils.multiclass import check_classification_targets

from ntklib._core.threads import set_threads
from ntklib.estimators.ridge.elsewhere import class_targets
from ntklib.estimators.rows import check_finite_rows, read_rows
from ntklib.solvers.nystrom import RowSums

from ._memory import kept_memory

__all__ = [
    "SAME_ROWS",
    "ChunkSummary",
    "Recipe",
    "block_of",
    "map_block",
    "merge_packed",
    "numbers_of",
    "sum_block",
    "summarise_chunk",
    "take_rows",
    "take_targets",
]

SAME_ROWS = (
    "make arrays of both, of known sizes: X.to_dask_array(lengths=True) of a data frame or series, "
    "X.compute_chunk_sizes() of an array; then one is cut as the other."
)
"""Calls that mend chunks which do not match, in words."""


@dataclass(frozen=True)
class ChunkSummary:
    """Small facts about a chunk; rows of weight 0 count in `n_rows` only.

    Attributes
    ----------
    n_rows, n_positive : int
        Rows, and those of positive weight.
    fault : str or None
        First thing that is wrong with the chunk.
    single : bool
        The rows are in float32.
    sparse : bool
    squares : float
        Sum of the squared lengths of the rows.
    ends : ndarray of shape (2, k) or None
        Least and largest of each target; None in classification, and without rows.
    whole : bool
        All weights are whole numbers.
    weight : float
        Sum of the weights.
    labels : ndarray
        Distinct labels, in classification.
    label_sums : ndarray of shape (3, n_labels)
        Sums over the rows of each: of weights, of ones, of squared lengths.
    """

    n_rows: int = 0
    n_positive: int = 0
    fault: str | None = None
    single: bool = True
    sparse: bool = False
    squares: float = 0.0
    ends: NDArray | None = None
    whole: bool = True
    weight: float = 0.0
    labels: NDArray | None = None
    label_sums: NDArray | None = None

    def without(self, classes: NDArray) -> ChunkSummary:
        """The summary as if the rows of some classes were of weight 0."""
        if self.labels is None or self.label_sums is None:
            return self
        weight, count, squares = self.label_sums[:, np.isin(self.labels, classes)].sum(axis=1)
        return replace(
            self,
            n_positive=self.n_positive - int(count),
            weight=self.weight - weight,
            squares=self.squares - squares,
        )


@dataclass(frozen=True)
class Recipe:
    """All that turns a chunk into a block of rows, targets, weights and counts.

    Attributes
    ----------
    dtype : numpy.dtype
    whole : bool
        All weights of all chunks are whole numbers: they are counts.
    classes : ndarray or None
        None in regression.
    importances : ndarray of shape (n_classes,) or None
    powers : ndarray of int, shape (k,), or None
        Targets are divided by two to these powers.
    """

    dtype: np.dtype
    whole: bool
    classes: NDArray | None = None
    importances: NDArray | None = None
    powers: NDArray | None = None

    @property
    def absent(self) -> NDArray | None:
        """Classes of weight 0, whose rows are as if absent; None where there are none."""
        if self.classes is None or self.importances is None or self.importances.all():
            return None
        return self.classes[self.importances == 0]


def summarise_chunk(X: Any, y: Any, weights: Any, classification: bool) -> ChunkSummary:
    """Check a chunk and summarise it; a fault is returned, so that it can be reported with its place."""
    try:
        with set_threads(1):
            return _summary(X, y, weights, classification)
    except (TypeError, ValueError) as error:
        return ChunkSummary(fault=str(error))


def _summary(X: Any, y: Any, weights: Any, classification: bool) -> ChunkSummary:
    X, y = numbers_of(X), None if y is None else _array(y)
    n = X.shape[0]
    for name, part in (("y", y), ("sample_weight", weights if np.ndim(weights) else None)):
        if part is not None and len(part) != n:
            raise ValueError(f"X has {n} rows there and {name} {len(part)}: {SAME_ROWS}")
    check_finite_rows(X)
    w = _weights(weights, n)
    if not (np.isfinite(w).all() and w.min(initial=0) >= 0):
        raise ValueError("sample weights must be finite and nonnegative.")
    kept = w > 0
    squares = np.concatenate([np.zeros(0), *(row_norms(rows, squared=True) for rows in read_rows(X[kept]))])
    ends = labels = sums = None
    if y is not None:
        _refuse_complex(y, "y")
        check_finite_rows(y, "y")
        own = y[kept]
        if len(own) and not classification:
            targets = own.astype(np.float64).reshape(len(own), -1)
            ends = np.stack([targets.min(axis=0), targets.max(axis=0)])
        elif len(own):
            check_classification_targets(own)
            labels, place = np.unique(own, return_inverse=True)
            sums = np.array([np.bincount(place, part) for part in (w[kept], np.ones(len(own)), squares)])
    with np.errstate(over="ignore"):
        weight = float(w.sum())
    return ChunkSummary(
        n_rows=n,
        n_positive=int(kept.sum()),
        single=X.dtype == np.float32,
        sparse=not isinstance(X, np.ndarray),
        squares=float(squares.sum()),
        ends=ends,
        whole=bool((w == np.floor(w)).all()),
        weight=weight,
        labels=labels,
        label_sums=sums,
    )


def _refuse_complex(values: Any, name: str) -> None:
    """Refuse complex numbers, whose imaginary parts would be lost."""
    if getattr(getattr(values, "dtype", None), "kind", None) == "c":
        raise ValueError(f"{name} holds complex numbers: give their real parts, {name}.real.")


def numbers_of(X: Any) -> Any:
    """Rows of a chunk as floats, an array or a CSR matrix."""
    _refuse_complex(X, "X")
    return check_array(
        X,
        accept_sparse="csr",
        dtype=(np.float64, np.float32),
        ensure_all_finite=False,
        ensure_min_samples=0,
        input_name="X",
    )


def block_of(X: Any, y: Any, weights: Any, recipe: Recipe) -> tuple[Any, NDArray, NDArray, NDArray]:
    """Rows of positive weight, their targets, weights and counts."""
    targets, importances, counts, _, kept = _targets(y, weights, recipe)
    rows = numbers_of(X).astype(recipe.dtype, copy=False)
    return (rows if kept is None else rows[kept]), targets, counts * importances, counts


def _targets(y: Any, weights: Any, recipe: Recipe) -> tuple[NDArray, NDArray, NDArray, Any, Any]:
    """Targets, importances, counts and labels of the rows of positive weight; and the rows, None for all."""
    y = _array(y)
    w = _present(y, _weights(weights, len(y)), recipe.absent)
    kept = None if w.all() else np.flatnonzero(w)
    if kept is not None:
        y, w = y[kept], w[kept]
    ones, labels = np.ones(len(w)), None
    counts, importances = (w, ones) if recipe.whole else (ones, w)
    if recipe.classes is None:
        targets = y.astype(np.float64)
        targets = targets[:, None] if y.ndim == 1 else targets
    else:
        labels = np.searchsorted(recipe.classes, y)
        targets = class_targets(labels, len(recipe.classes))
        if recipe.importances is not None:
            importances = importances * recipe.importances[labels]
    if recipe.powers is not None:
        targets = np.ldexp(targets, -recipe.powers)
    return targets, importances, counts, labels, kept


def sum_block(
    add: Callable, zeros: Callable[[], RowSums], X: Any, y: Any, weights: Any, recipe: Recipe
) -> RowSums:
    """Sums over a chunk, their squares a packed triangle."""
    with set_threads(1), kept_memory():
        sums = zeros()
        add(sums, block_of(X, y, weights, recipe))
        return sums.packed()


def merge_packed(first: RowSums, second: RowSums) -> RowSums:
    """Sums over the rows of both, whose squares are packed triangles."""
    return first.unpacked().merge(second.unpacked()).packed()


def map_block(
    function: Callable, X: Any, y: Any, weights: Any, recipe: Recipe, places: NDArray | None
) -> NDArray:
    """Values of a function at some of the rows of positive weight; None is all."""
    with set_threads(1), kept_memory():
        block = block_of(X, y, weights, recipe)
        return function(block if places is None else tuple(part[places] for part in block))


def take_rows(X: Any, y: Any, weights: Any, absent: NDArray | None, dtype: Any, places: NDArray) -> Any:
    """Rows of a chunk at some places among those of positive weight; y may be None if no class is absent."""
    X = numbers_of(X)
    kept = np.flatnonzero(_present(_array(y), _weights(weights, X.shape[0]), absent))
    return X[kept[places]].astype(dtype, copy=False)


def take_targets(
    y: Any, weights: Any, recipe: Recipe, places: NDArray | None
) -> tuple[NDArray, NDArray, NDArray, Any]:
    """Targets, importances, counts and labels of some of the rows of positive weight; None is all."""
    *parts, labels, _ = _targets(y, weights, recipe)
    parts = [*parts, np.zeros(len(parts[0]), dtype=np.intp) if labels is None else labels]
    return tuple(part if places is None else part[places] for part in parts)  # type: ignore[return-value]


def _array(y: Any) -> NDArray:
    values = np.asarray(y)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 and hasattr(y, "columns") else values


def _present(y: NDArray, weights: NDArray, absent: NDArray | None) -> NDArray:
    """Weights, 0 for the rows of absent classes."""
    return weights if absent is None else np.where(np.isin(y, absent), 0.0, weights)


def _weights(weights: Any, n: int) -> NDArray:
    if np.ndim(weights) == 0:
        return np.full(n, 1.0 if weights is None else float(weights))
    values = np.asarray(weights, dtype=np.float64)
    return values[:, 0] if values.ndim == 2 else values
