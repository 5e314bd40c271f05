"""Kernel ridge regression and classification on Dask collections that choose kernel and penalty."""

from __future__ import annotations

from typing import Any

from ntklib.estimators import NTKClassifierCV, NTKRegressorCV
from ntklib.estimators.ridge.elsewhere import RowsElsewhere, search_elsewhere

from ._ridge import DaskRidge
from .ridge import DaskClassification, DaskRegression

__all__ = ["DaskNTKClassifierCV", "DaskNTKRegressorCV"]


class DaskSearch(DaskRidge):
    """A ridge estimator that compares kernels on a sample, and penalties on all rows."""

    def _fit_local(self, local: Any, data: RowsElsewhere) -> Any:
        return search_elsewhere(local, data)


class DaskNTKRegressorCV(DaskRegression, DaskSearch):
    """Kernel ridge regression of rows on many machines, with kernel and penalty chosen by leave-one-out.

    Kernels are compared exactly on at most `max_search_samples` rows, drawn by their numbers; then the
    winner's sums over all rows serve every penalty, and a second pass gives leave-one-out values, of a
    million rows at most, drawn by their numbers. The fit is that of :class:`~ntklib.NTKRegressorCV` with
    the solver :class:`~ntklib.solvers.Nystrom`, and the same bytes on any workers; see
    :class:`DaskNTKRegressor`. Equal samples are not merged.

    Parameters
    ----------
    kernels, alphas, fit_intercept, scoring, halving, alpha_per_target, target_scale, clip, random_state
        As in :class:`~ntklib.NTKRegressorCV`, but for "precomputed" kernels.
    solver : {"auto", "nystrom"} or Nystrom, default="auto"
        Choice of centres, by the numbers of the rows; "auto" is "nystrom".
    cv : None or "gcv", default=None
        Leave-one-out, or generalised cross-validation, whose scores are of all rows. Folds are refused,
        since they need all rows on one machine.
    max_search_samples : int or None, default=3000
        Kernels are compared on at most this many rows; None compares each by passes over all.
    combine : {"best"}, default="best"
        "stack" is refused, since its folds need all rows on one machine.
    store_held_out : bool, default=False
        Keep ``held_out_predictions_``.
    verbose : int, default=0
        As in :class:`DaskNTKRegressor`.

    Attributes
    ----------
    client : dask.distributed.Client or None
        As in :class:`DaskNTKRegressor`.
    alpha_, kernel_, best_score_, cv_results_, loo_path_
        As in :class:`~ntklib.NTKRegressorCV`; scores are of the rows that leave-one-out is of.
    held_out_predictions_, held_out_rows_ : ndarray
        With `store_held_out`: predictions of these rows, at the chosen penalty, by the fit without them, and
        the numbers of the rows among those of positive weight.
    dual_coef_, intercept_, X_fit_, target_scale_, prediction_limits_, solve_, n_features_in_
        As in :class:`~ntklib.NTKRegressor`.
    feature_names_in_
    support_ : ndarray of shape (n_fit,)
        Numbers of the centres among the rows of positive weight of all chunks.

    See Also
    --------
    ntklib.NTKRegressorCV : On data in memory; `to_local` returns one.

    Examples
    --------
    >>> import dask.array as da
    >>> from ntklib import NNGP, NTK
    >>> from ntklib.dask import DaskNTKRegressorCV
    >>> from ntklib.solvers import Nystrom
    >>> X = da.linspace(-2, 2, 300, chunks=100)[:, None]
    >>> kernels = [NTK(bias_std=1.0), NNGP(bias_std=1.0)]
    >>> model = DaskNTKRegressorCV(kernels, solver=Nystrom(20), max_search_samples=100)
    >>> model = model.fit(X, da.sin(2 * X[:, 0]))
    >>> model.loo_path_.n_samples, model.to_local().predict([[0.3]]).round(2)
    (300, array([0.56]))
    """

    _twin = NTKRegressorCV
    __init__ = NTKRegressorCV.__init__


class DaskNTKClassifierCV(DaskClassification, DaskSearch):
    """Kernel ridge classification of rows on many machines, with kernel and penalty chosen by leave-one-out.

    As :class:`DaskNTKRegressorCV`, with the scoring of :class:`~ntklib.NTKClassifierCV`; the temperature is
    fitted to the leave-one-out values of the choice.

    Parameters
    ----------
    kernels, alphas, fit_intercept, scoring, halving, class_weight, random_state
        As in :class:`~ntklib.NTKClassifierCV`, but for "precomputed" kernels.
    solver, cv, max_search_samples, store_held_out, verbose
        As in :class:`DaskNTKRegressorCV`; the rows of the comparison are stratified.
    combine : {"auto", "best"}, default="auto"
        The best kernel either way; "stack" is refused, since its folds need all rows on one machine.

    Attributes
    ----------
    client : dask.distributed.Client or None
        As in :class:`DaskNTKRegressor`.
    classes_, temperature_, alpha_, kernel_, best_score_, cv_results_, loo_path_
        As in :class:`~ntklib.NTKClassifierCV`; scores are of the rows that leave-one-out is of.
    held_out_predictions_, held_out_rows_
        As in :class:`DaskNTKRegressorCV`, of decision values.
    dual_coef_, intercept_, X_fit_, solve_, n_features_in_, feature_names_in_
        As in :class:`~ntklib.NTKClassifier`.
    support_ : ndarray of shape (n_fit,)
        Numbers of the centres among the rows of positive weight of all chunks.

    See Also
    --------
    ntklib.NTKClassifierCV : On data in memory; `to_local` returns one.

    Examples
    --------
    >>> import dask.array as da
    >>> from ntklib import NTK
    >>> from ntklib.dask import DaskNTKClassifierCV
    >>> from ntklib.solvers import Nystrom
    >>> X = da.linspace(-2, 2, 300, chunks=100)[:, None]
    >>> model = DaskNTKClassifierCV([NTK(bias_std=1.0)], solver=Nystrom(20)).fit(X, X[:, 0] > 0.5)
    >>> model.to_local().predict([[-1.0], [1.0]]).tolist()
    [False, True]
    """

    _twin = NTKClassifierCV
    __init__ = NTKClassifierCV.__init__
