"""The base of the estimators on Dask collections: their local twin is what is fitted."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from ntklib._core.threads import set_threads

from ._collections import check_columns, whole_rows
from .client import ClientMixin

__all__ = ["DaskEstimator"]


class DaskEstimator(ClientMixin, BaseEstimator):
    """An estimator on Dask collections, with the parameters of its local twin."""

    _twin: type
    _local: Any

    def to_local(self) -> Any:
        """Return the fitted twin that takes data in memory.

        Returns
        -------
        estimator
            It pickles and predicts without Dask. A copy: what becomes of it leaves this estimator as it is.
        """
        check_is_fitted(self)
        return deepcopy(self._local)

    def __sklearn_is_fitted__(self) -> bool:
        return "_local" in self.__dict__

    def _new_local(self) -> Any:
        """The twin with these parameters, of its own."""
        return self._twin(
            **{name: clone(value, safe=False) for name, value in self.get_params(deep=False).items()}
        )

    def _keep(self, local: Any) -> None:
        """Keep a fitted twin, and show its fitted attributes."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self._local = local
        fitted = {name: value for name, value in vars(local).items() if name.endswith("_") and name[0] != "_"}
        self.__dict__.update(fitted)

    def _lazily(self, X: Any, method: str, dtype: Any, columns: NDArray | None = None) -> Any:
        """A method of the twin on every chunk of X: one value a row, or a column each."""
        check_is_fitted(self)
        X = whole_rows(X, self._twin.__name__)
        check_columns(X, self._local)
        shape = () if columns is None else (len(columns),)
        empty = np.empty((0, *shape), dtype=dtype)
        values: Any
        local = dask.delayed(self._local, pure=True, traverse=False)
        if not isinstance(X, da.Array):
            frame: Any = pd.Series(empty) if columns is None else pd.DataFrame(empty, columns=columns)
            values = partial(_frame_values, method=method, empty=empty, columns=columns)
            return X.map_partitions(values, model=local, meta=frame)
        drop = 1 if columns is None else None
        chunks = None if columns is None else (X.chunks[0], shape)
        values = partial(_values, method=method, empty=empty)
        return da.map_blocks(values, X, model=local, dtype=dtype, drop_axis=drop, chunks=chunks, meta=empty)


def _values(X: Any, model: Any, method: str, empty: NDArray) -> Any:
    """Values of a chunk."""
    if not X.shape[0]:
        return empty
    with set_threads(1):
        return np.asarray(getattr(model, method)(X))


def _frame_values(X: Any, model: Any, method: str, empty: NDArray, columns: NDArray | None) -> Any:
    """Values of a partition, under its index."""
    values = _values(X, model, method, empty)
    if columns is None:
        return pd.Series(values, index=X.index)
    return pd.DataFrame(values, index=X.index, columns=columns)
