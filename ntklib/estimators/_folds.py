"""The `cv` parameter: folds of the samples as positions among the units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv

from ._routing import Metadata
from ._units import Units

Splits = list[tuple[NDArray, NDArray]]


def check_folds(cv: Any, names: tuple[str | None, ...]) -> None:
    """Refuse a `cv` that is none of the names, no number of folds, no splitter and no splits."""
    text, number = isinstance(cv, str), isinstance(cv, Integral) and not isinstance(cv, bool)
    if cv is None or text:
        known = cv in names
    elif number:
        known = cv >= 2
    else:
        known = (hasattr(cv, "split") or isinstance(cv, Iterable)) and not isinstance(cv, type | Mapping)
    if not known:
        given = "".join(f"{name!r}, " for name in names)
        raise ValueError(
            f"cv must be {given}an integer of at least 2, a splitter such as KFold(5) or a list of pairs "
            f"(train, test) of indices; got {cv!r}."
        )


def folds(cv: Any, X: Any, y: Any, units: Units, metadata: Metadata, *, classifier: bool) -> Splits:
    """Pairs of positions among the units, of the folds that `cv` makes; samples of weight 0 drop out."""
    n = X.shape[0]
    place = np.full(n, -1)
    place[units.support] = np.arange(len(units))
    splits, pairs = [], cv
    if cv is None or isinstance(cv, Integral) or hasattr(cv, "split"):
        pairs = check_cv(cv, y, classifier=classifier).split(X, y, **metadata.split)
    for pair in pairs:
        try:
            train, test = (place[_side(side, n)] for side in pair)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"cv must be made of pairs (train, test) of indices below {n}: {error}"
            ) from None
        splits.append((train[train >= 0], test[test >= 0]))
    if not splits:
        raise ValueError("cv holds no splits; an iterator can be used once only: give a list.")
    return splits


def _side(side: Any, n: int) -> NDArray:
    """One side of a split of n samples, given by indices or a mask, as indices."""
    side = np.asarray(side)
    if side.shape == (n,) and side.dtype == bool:
        return np.flatnonzero(side)
    if side.ndim != 1 or (side.size and side.dtype.kind not in "iu"):
        raise ValueError(f"got {side!r} among them.")
    if side.size and not -n <= side.min() <= side.max() < n:
        raise ValueError(f"got {side.min() if side.min() < -n else side.max()} among them.")
    return side.astype(np.intp)
