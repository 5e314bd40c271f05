"""Dask collections as chunks of rows that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
from dask.delayed import Delayed
from dask.task_spec import TaskRef
from numpy.typing import NDArray

from ._chunks import SAME_ROWS

__all__ = ["Chunks", "check_axes", "check_columns", "chunks_of", "columns_of", "whole_rows"]


@dataclass(frozen=True)
class Chunks:
    """References to the chunks of rows, targets and weights, in order, and what they depend on.

    Attributes
    ----------
    keys : list of tuple
        Of the rows, targets and weights of each chunk; None where there are none, a number for weights that
        are all the same.
    dependencies : list of Delayed
        One chunk of each collection.
    """

    keys: list[tuple[Any, Any, Any]]
    dependencies: list[Delayed]


def chunks_of(X: Any, y: Any, sample_weight: Any, local: str) -> Chunks:
    """Match the chunks of X, y and weights.

    Parameters
    ----------
    X : dask.array.Array of shape (n, d) or dask.dataframe.DataFrame
    y : dask.array.Array, dask.dataframe.Series, or None
    sample_weight : Dask collection, number or None
    local : str
        Class that takes data in memory.

    Raises
    ------
    TypeError
        If one of them is no Dask collection.
    ValueError
        If their chunks do not match, naming the call that mends it.
    """
    X = whole_rows(X, local)
    columns: list[list[Any]] = [_parts(X)]
    for name, part in (("y", y), ("sample_weight", sample_weight)):
        if part is None or (name == "sample_weight" and isinstance(part, Real)):
            columns.append([part] * len(columns[0]))
            continue
        check_axes(part, name, local, most=1 if name == "sample_weight" else 2)
        columns.append(_parts(_matched(part, X, name)))
    keys: list[Any] = [
        tuple(TaskRef(part.key) if isinstance(part, Delayed) else part for part in row)
        for row in zip(*columns, strict=True)
    ]
    return Chunks(keys, [column[0] for column in columns if isinstance(column[0], Delayed)])


def whole_rows(X: Any, local: str) -> Any:
    """Rows as a Dask collection whose chunks hold all columns, which are numbers."""
    X = _collection(X, "X", local)
    if X.ndim != 2:
        column = "X[:, None]" if isinstance(X, da.Array) else "X.to_frame()"
        hint = f": {column} makes a column" if X.ndim == 1 else ""
        raise ValueError(f"X must have rows and columns, got {X.ndim} dimensions{hint}.")
    if isinstance(X, da.Array) and np.isnan(X.shape[1]):
        raise ValueError(
            "X has an unknown number of columns: X.compute_chunk_sizes() counts them, in a pass."
        )
    if columns_of(X)[0] == 0:
        raise ValueError("X has no columns: nothing can be learnt from its rows.")
    if not isinstance(X, da.Array):
        strange = [str(name) for name, kind in X.dtypes.items() if getattr(kind, "kind", "O") not in "iufb"]
        if strange:
            raise ValueError(
                f"the columns {', '.join(strange)} of X hold no numbers: leave them out, "
                "X.drop(columns=[...]), or encode them, dask.dataframe.get_dummies(X.categorize())."
            )
        return X
    return X.rechunk({1: -1}) if X.numblocks[1] > 1 else X


def columns_of(X: Any) -> tuple[int, NDArray | None]:
    """Number of features, and their names where they are strings."""
    if isinstance(X, da.Array):
        return int(X.shape[1]), None
    names = np.asarray(X.columns, dtype=object)
    return len(names), names if all(isinstance(name, str) for name in names) else None


def check_columns(X: Any, model: Any) -> None:
    """Refuse rows whose columns are not those of a fit."""
    count, names = columns_of(X)
    if count != model.n_features_in_:
        raise ValueError(
            f"X has {count} features, but {type(model).__name__} is expecting "
            f"{model.n_features_in_} features as input."
        )
    fitted = getattr(model, "feature_names_in_", None)
    if names is not None and fitted is not None and list(names) != list(fitted):
        raise ValueError(
            f"The feature names should match those that were passed during fit, {list(fitted)}; got "
            f"{list(names)}: X[list(model.feature_names_in_)] has them in order."
        )


def check_axes(part: Any, name: str, local: str, *, most: int) -> None:
    """Refuse targets or weights that are no collection, or have too many axes or columns."""
    part = _collection(part, name, local)
    single = not isinstance(part, da.Array) and part.ndim == 2 and len(part.columns) == 1
    if 1 <= part.ndim <= most or single:
        return
    shape = "(n,)" if most == 1 else "(n,) or (n, n_targets)"
    hint = ""
    if part.ndim == 2:
        hint = f": give {name}[:, 0]" if isinstance(part, da.Array) else f": give {name}[{part.columns[0]!r}]"
    raise ValueError(f"{name} must have shape {shape}, got {_shape(part)}{hint}.")


def _shape(part: Any) -> str:
    if isinstance(part, da.Array):
        return f"{part.ndim} dimensions"
    return f"a data frame of {len(part.columns)} columns"


def _collection(value: Any, name: str, local: str) -> Any:
    if isinstance(value, da.Array | dd.DataFrame | dd.Series):
        return value
    maker = "array.from_array(..., chunks=...) makes a Dask array"
    if type(value).__module__.startswith("pandas"):
        maker = "dataframe.from_pandas(..., npartitions=...) makes a Dask collection"
    raise TypeError(
        f"{name} must be a Dask array or data frame, got {type(value).__name__}: {local} takes data in "
        f"memory, and dask.{maker} of them."
    )


def _matched(part: Any, X: Any, name: str) -> Any:
    """Targets or weights in chunks of the same rows as those of X."""
    if isinstance(part, da.Array):
        part = part.rechunk({1: -1}) if part.ndim == 2 and part.numblocks[1] > 1 else part
        if isinstance(X, da.Array) and not np.isnan(sum(X.chunks[0]) + sum(part.chunks[0])):
            if part.shape[0] != X.shape[0]:
                raise ValueError(f"X has {X.shape[0]} rows and {name} {part.shape[0]}.")
            return part if part.chunks[0] == X.chunks[0] else part.rechunk({0: X.chunks[0]})
    counts = _n_chunks(X), _n_chunks(part)
    if counts[0] != counts[1]:
        raise ValueError(f"X has {counts[0]} chunks and {name} {counts[1]}, of unknown sizes: {SAME_ROWS}")
    return part


def _n_chunks(part: Any) -> int:
    return part.numblocks[0] if isinstance(part, da.Array) else part.npartitions


def _parts(collection: Any) -> list[Delayed]:
    delayed = collection.to_delayed()
    return list(delayed.ravel()) if isinstance(delayed, np.ndarray) else list(delayed)
