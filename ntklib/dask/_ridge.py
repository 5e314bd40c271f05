"""The base of the ridge estimators on Dask collections: what they know of the rows before the sums."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score

from ntklib._core.progress import talk
from ntklib.estimators.ridge.elsewhere import RowsElsewhere, class_weights, fit_elsewhere, many_rows_solver

from ._chunks import ChunkSummary, Recipe
from ._collections import check_axes, chunks_of
from ._estimator import DaskEstimator
from ._rows import NO_ROW, ChunkRows, sample_of, summarise

__all__ = ["HELD_OUT", "DaskRidge"]

HELD_OUT = 1_000_000
"""Rows at most that leave-one-out is of, drawn by their numbers."""


class DaskRidge(DaskEstimator):
    """Ridge regression on centres among the rows of Dask collections."""

    _classifies = False
    _target_names: Any = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit, at once: the chunks are read a few times, so that they had better be persisted.

        Parameters
        ----------
        X : dask.array.Array of shape (n, d) or dask.dataframe.DataFrame
            Dense or CSR chunks, empty ones included; sizes need not be known. Columns of numbers.
        y : dask.array.Array of shape (n,) or (n, n_targets), or dask.dataframe.Series
            Targets; class labels, of shape (n,), in classification. In chunks of the same rows as X, or with
            chunks of known sizes.
        sample_weight : Dask collection of shape (n,), number or None, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts, if all are whole.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X, y or the weights are no Dask collections.
        ValueError
            If a parameter is out of its range, the chunks do not match, or the data are not finite numbers.
        ConnectionError, RuntimeError
            If the scheduler does not answer, or workers do not have this version of ntklib.
        """
        local = self._new_local()
        many_rows_solver(local)
        with talk(type(self).__name__, local.verbose):
            self._keep(self._fit_local(local, self._survey(local, X, y, sample_weight)))
        self._target_names = None if isinstance(y, da.Array) or y.ndim == 1 else y.columns
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score the predictions at the rows of X, at once: R^2, or the accuracy of a classifier.

        Predictions and targets are brought to this machine.

        Parameters
        ----------
        X : dask.array.Array of shape (m, d) or dask.dataframe.DataFrame
            Sizes of chunks need not be known.
        y : dask.array.Array or dask.dataframe.Series
            Targets or labels of as many rows.
        sample_weight : Dask collection of shape (m,) or None, default=None

        Returns
        -------
        float
        """
        scheduler = self._scheduler
        # one by one, since arrays and data frames do not like to be computed together
        values, targets, weights = (
            None if part is None else np.asarray(dask.compute(part, scheduler=scheduler)[0])
            for part in (self.predict(X), y, sample_weight)
        )
        metric = accuracy_score if self._classifies else r2_score
        return float(metric(targets, values, sample_weight=weights))

    @abstractmethod
    def predict(self, X: Any) -> Any:
        """Predict at the rows of X, lazily.

        Parameters
        ----------
        X : dask.array.Array of shape (m, d) or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (m,) or (m, n_targets), or dask.dataframe.Series or DataFrame
            In the chunks of X; of a data frame under its index.
        """

    def _fit_local(self, local: Any, data: RowsElsewhere) -> Any:
        return fit_elsewhere(local, data)

    def _survey(self, local: Any, X: Any, y: Any, sample_weight: Any) -> RowsElsewhere:
        """All that is known of the rows after one pass over them."""
        if y is None:
            raise ValueError(f"{type(self).__name__} needs targets y, got None: it learns to predict them.")
        check_axes(y, "y", self._twin.__name__, most=1 if self._classifies else 2)
        chunks = chunks_of(X, y, sample_weight, self._twin.__name__)
        scheduler = self._scheduler
        summaries = summarise(chunks, scheduler, classification=self._classifies)
        classes = importances = totals = absent = None
        if self._classifies:
            classes, totals = _classes(summaries, type(self).__name__)
            importances = class_weights(local.class_weight, classes, totals)
            if importances is not None:
                totals = totals * importances
                absent = Recipe(np.dtype(float), True, classes, importances).absent
        with np.errstate(over="ignore"):
            if not np.isfinite(sum(one.weight for one in summaries) if totals is None else totals.sum()):
                raise ValueError(
                    "the sample weights, times those of the classes, are too large to be added up."
                )
        if absent is not None:
            summaries = [one.without(absent) for one in summaries]
        rows, names = sample_of(X, chunks, summaries, scheduler, absent)
        filled = [one for one in summaries if one.n_positive]
        whole = all(one.whole for one in summaries)
        recipe = Recipe(rows.dtype, whole, classes, importances)
        held = self._held(len(rows), local)
        ends = _target_ends(filled, classes)
        driver = ChunkRows(rows, recipe, np.abs(ends).max(axis=0), held)
        mean_square = sum(one.squares for one in filled) / (len(rows) * rows.n_features)
        dimension = y.ndim if isinstance(y, da.Array) else np.ndim(y._meta)
        return RowsElsewhere(
            driver,
            rows.n_features,
            names,
            dimension == 1,
            mean_square,
            sum(one.weight for one in filled) if whole else float(len(rows)),
            held,
            driver.held_targets,
            ends,
            classes,
            totals,
        )

    def _held(self, n: int, local: Any) -> NDArray:
        """Numbers of the rows that leave-one-out is of: all, or a draw."""
        if n <= HELD_OUT:
            return np.arange(n)
        rng = np.random.default_rng([many_rows_solver(local).random_state, HELD_OUT])
        return np.sort(rng.choice(n, HELD_OUT, replace=False))


def _classes(summaries: list[ChunkSummary], name: str) -> tuple[NDArray, NDArray]:
    """Classes of all chunks, and the sums of their weights."""
    filled = [one for one in summaries if one.n_positive]
    if not filled:
        raise ValueError(NO_ROW)
    classes, place = np.unique(np.concatenate([one.labels for one in filled]), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name} needs samples of at least 2 classes, got 1 class: {classes.tolist()[0]!r}.")
    weights = np.concatenate([one.label_sums[0] for one in filled if one.label_sums is not None])
    return classes, np.bincount(place, weights=weights)


def _target_ends(summaries: list[ChunkSummary], classes: NDArray | None) -> NDArray:
    """Least and largest of each target, (2, k)."""
    if classes is not None:
        return np.array([[-1.0], [1.0]]).repeat(1 if len(classes) == 2 else len(classes), axis=1)
    ends = np.array([one.ends for one in summaries])
    return np.stack([ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)])
