"""Kernel ridge regression and classification on Dask collections, at a given kernel and penalty."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from ntklib.estimators import NTKClassifier, NTKRegressor

from ._ridge import DaskRidge

__all__ = ["DaskClassification", "DaskNTKClassifier", "DaskNTKRegressor", "DaskRegression"]


class DaskRegression(RegressorMixin, DaskRidge):
    """Lazy predictions of a regression."""

    score = DaskRidge.score

    def predict(self, X: Any) -> Any:
        single = self.__sklearn_is_fitted__() and np.ndim(self._local.dual_coef_) == 1
        count = 1 if not self.__sklearn_is_fitted__() or single else self._local.dual_coef_.shape[1]
        names = np.arange(count) if self._target_names is None else self._target_names
        return self._lazily(X, "predict", np.float64, None if single else names)

    predict.__doc__ = DaskRidge.predict.__doc__


class DaskClassification(ClassifierMixin, DaskRidge):
    """Lazy decisions and probabilities of a classification."""

    _classifies = True
    score = DaskRidge.score

    def predict(self, X: Any) -> Any:
        return self._lazily(X, "predict", getattr(self, "classes_", np.empty(0)).dtype)

    predict.__doc__ = DaskRidge.predict.__doc__

    def decision_function(self, X: Any) -> Any:
        """Decision values of the local twin, lazily.

        Parameters
        ----------
        X : dask.array.Array of shape (m, d) or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (m,) for two classes, else (m, n_classes); or a Dask Series or DataFrame
        """
        classes = getattr(self, "classes_", np.empty(0))
        return self._lazily(X, "decision_function", np.float64, classes if len(classes) > 2 else None)

    @available_if(lambda self: getattr(self, "calibrate", True))
    def predict_proba(self, X: Any) -> Any:
        """Class probabilities of the local twin, lazily.

        Parameters
        ----------
        X : dask.array.Array of shape (m, d) or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (m, n_classes), or dask.dataframe.DataFrame with a column a class
        """
        return self._lazily(X, "predict_proba", np.float64, getattr(self, "classes_", np.empty(0)))


class DaskNTKRegressor(DaskRegression):
    """Kernel ridge regression on centres, of rows on many machines.

    The fit is that of :class:`~ntklib.NTKRegressor` with the solver :class:`~ntklib.solvers.Nystrom`: sums
    over the rows of a chunk are made where the chunk is, and added up in an order that depends on the chunks
    alone. The same chunks give the same bytes, whatever the workers, and whichever of them die meanwhile.

    Parameters
    ----------
    kernel : Kernel, callable or None, default=None
        As in :class:`~ntklib.NTKRegressor`, but for "precomputed". A function must be one that pickles.
    alpha : float or array of shape (n_targets,), default=1.0
        Penalty; nonnegative.
    fit_intercept : bool, default=True
        Fit an unpenalised constant.
    solver : {"auto", "nystrom"} or Nystrom, default="auto"
        Choice of centres, by the numbers of the rows; "auto" is "nystrom".
    target_scale, clip : default=1.0, False
        As in :class:`~ntklib.NTKRegressor`.
    verbose : int, default=0
        True or 1 shows on standard error how far the passes over the chunks are, on a cluster as well.

    Attributes
    ----------
    client : dask.distributed.Client or None
        Client of `fit`; may be set. None is the local scheduler, or what Dask's configuration says.
    dual_coef_, intercept_, X_fit_, kernel_, target_scale_, solve_, n_features_in_, feature_names_in_
        As in :class:`~ntklib.NTKRegressor`.
    support_ : ndarray of shape (n_fit,)
        Numbers of the centres among the rows of positive weight of all chunks.

    See Also
    --------
    ntklib.NTKRegressor : On data in memory; `to_local` returns one.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from ntklib.dask import DaskNTKRegressor
    >>> from ntklib.solvers import Nystrom
    >>> X = da.linspace(-2, 2, 300, chunks=100)[:, None]
    >>> model = DaskNTKRegressor(solver=Nystrom(20)).fit(X, da.sin(X[:, 0]))
    >>> model.predict(X).chunks, model.to_local().predict([[0.3]]).round(2)
    (((100, 100, 100),), array([0.3]))
    """

    _twin = NTKRegressor

    __init__ = NTKRegressor.__init__


class DaskNTKClassifier(DaskClassification):
    """Kernel ridge classification on centres, of rows on many machines.

    The fit is that of :class:`~ntklib.NTKClassifier` with the solver :class:`~ntklib.solvers.Nystrom`, and
    the same bytes on any workers; see :class:`DaskNTKRegressor`.

    Parameters
    ----------
    kernel : Kernel, callable or None, default=None
        As in :class:`~ntklib.NTKClassifier`, but for "precomputed". A function must be one that pickles.
    alpha : float, default=1.0
        Penalty; nonnegative.
    fit_intercept : bool, default=True
        Fit an unpenalised constant in each regression.
    solver : {"auto", "nystrom"} or Nystrom, default="auto"
        Choice of centres, by the numbers of the rows; "auto" is "nystrom".
    class_weight : dict, "balanced" or None, default=None
        Importances of the classes.
    calibrate : bool, default=True
        Fit the temperature on leave-one-out scores, of a million rows at most, drawn by their numbers:
        another pass. Equal samples are not merged.
    verbose : int, default=0
        As in :class:`DaskNTKRegressor`.

    Attributes
    ----------
    client : dask.distributed.Client or None
        As in :class:`DaskNTKRegressor`.
    classes_, temperature_, dual_coef_, intercept_, X_fit_, kernel_, solve_, n_features_in_, feature_names_in_
        As in :class:`~ntklib.NTKClassifier`.
    support_ : ndarray of shape (n_fit,)
        Numbers of the centres among the rows of positive weight of all chunks.

    See Also
    --------
    ntklib.NTKClassifier : On data in memory; `to_local` returns one.

    Examples
    --------
    >>> import dask.array as da
    >>> from ntklib.dask import DaskNTKClassifier
    >>> from ntklib.solvers import Nystrom
    >>> X = da.linspace(-2, 2, 300, chunks=100)[:, None]
    >>> model = DaskNTKClassifier(solver=Nystrom(20)).fit(X, X[:, 0] > 0.5)
    >>> model.predict(X).dtype, model.to_local().predict([[-1.0], [1.0]]).tolist()
    (dtype('bool'), [False, True])
    """

    _twin = NTKClassifier

    __init__ = NTKClassifier.__init__
