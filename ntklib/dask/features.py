"""Nystrom features of the rows of Dask collections."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ntklib._core.progress import talk
from ntklib.estimators import NystromFeatures

from ._collections import chunks_of
from ._estimator import DaskEstimator
from ._rows import sample_of, summarise

__all__ = ["DaskNystromFeatures"]


class DaskNystromFeatures(TransformerMixin, DaskEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Features of any kernel from its values on few centres, of rows on many machines.

    The centres, chosen among rows that are drawn by their numbers, and so the features are those of
    :class:`~ntklib.NystromFeatures` on the same rows in memory, whatever the chunks.

    Parameters
    ----------
    kernel, n_components, centers, subset, random_state, verbose
        As in :class:`~ntklib.NystromFeatures`. A function must be one that pickles.

    Attributes
    ----------
    client : dask.distributed.Client or None
        As in :class:`DaskNTKRegressor`.
    components_, component_indices_, triangle_, n_components_, kernel_, error_
        As in :class:`~ntklib.NystromFeatures`.
    n_features_in_, feature_names_in_
        As in :class:`~ntklib.NystromFeatures`.

    See Also
    --------
    ntklib.NystromFeatures : On data in memory; `to_local` returns one.

    Examples
    --------
    >>> import dask.array as da
    >>> from ntklib.dask import DaskNystromFeatures
    >>> X = da.linspace(-2, 2, 300, chunks=100)[:, None]
    >>> model = DaskNystromFeatures(n_components=20).fit(X)
    >>> model.transform(X).chunks, model.error_ < 0.01
    (((100, 100, 100), (20,)), True)
    """

    _twin = NystromFeatures
    __init__ = NystromFeatures.__init__

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose the centres, and measure the error on some rows, at once.

        Parameters
        ----------
        X : dask.array.Array of shape (n, d) or dask.dataframe.DataFrame
            As in :class:`DaskNTKRegressor`.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is no Dask collection.
        ValueError
            If a parameter is out of its range, X is not made of finite numbers, or the kernel is 0 on all
            centres or not finite.
        ConnectionError, RuntimeError
            If the scheduler does not answer, or workers do not have this version of ntklib.
        """
        local = self._new_local()
        with talk(type(self).__name__, local.verbose):
            chunks, scheduler = chunks_of(X, None, None, self._twin.__name__), self._scheduler
            summaries = summarise(chunks, scheduler, classification=False)
            rows, names = sample_of(X, chunks, summaries, scheduler)
            if rows.sparse and not local._accepts_sparse:
                raise ValueError(
                    f"the kernel {local.kernel} takes no sparse rows: give dense chunks, "
                    "X.map_blocks(lambda x: x.toarray())."
                )
            local.n_features_in_ = rows.n_features
            if names is not None:
                local.feature_names_in_ = names
            local._fit_rows(rows)
            self._keep(local)
        return self

    def transform(self, X: Any) -> Any:
        """Return the features of the rows of X, lazily.

        Parameters
        ----------
        X : dask.array.Array of shape (m, d) or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (m, n_components), or dask.dataframe.DataFrame
            In the chunks of X; of a data frame under its index. Float32 if X is.
        """
        check_is_fitted(self)
        kind = np.dtype(np.float32 if _is_single(X) else np.float64)
        return self._lazily(X, "transform", kind, self.get_feature_names_out())

    def set_output(self, *, transform: str | None = None) -> Self:
        """Refuse containers in memory: features are lazy, in the kind of collection that X is.

        Parameters
        ----------
        transform : {"default"} or None, default=None

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If another container is asked for.
        """
        if transform not in (None, "default"):
            raise ValueError(
                f"transform={transform!r} would hold all features in memory: those of a Dask data frame are "
                "one, too, model.transform(dask.dataframe.from_dask_array(X)), and "
                "model.transform(X).compute() is in memory."
            )
        return self

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the features, as the local twin does."""
        check_is_fitted(self)
        return self._local.get_feature_names_out(input_features)


def _is_single(X: Any) -> bool:
    """Say if all rows of a collection are in float32."""
    kinds = X.dtypes if hasattr(X, "dtypes") else [getattr(X, "dtype", None)]
    return all(kind == np.float32 for kind in kinds)
