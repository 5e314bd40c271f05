"""Regression by gradient descent on a tangent model, stopped by cross-validation."""

from __future__ import annotations

from typing import Any

from .._scoring import Criterion, regression_criterion
from ._cv import SearchingTangent
from .regressor import TrainedRegressor


class TangentRegressorCV(TrainedRegressor, SearchingTangent):
    r"""Gradient descent on a tangent model, with the number of iterations chosen by cross-validation.

    One training per fold answers all numbers of iterations; with the square loss it is one
    eigendecomposition, however many they are. The model is then trained on all samples for the best number.
    A network has the same parameters at the start in all folds and in the end.

    Parameters
    ----------
    network, kernel, loss, learning_rate, momentum, random_state
        As in :class:`TangentRegressor`. "auto" step sizes follow the samples of each fold: a fold's and all
        samples' iterations then mean the same.
    max_iters : array of int of shape (T,) or None, default=None
        What to choose from. None is four numbers a decade, up to a million with the square loss, to a
        thousand with others.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer of predictions, for each fold; None is minus the mean, over held-out
        samples, of the loss that is trained on. Equal scores are decided by that.
    cv : int, splitter or iterable of splits, default=5

    Attributes
    ----------
    max_iter_, n_iter_ : int
        The best number of iterations.
    best_score_ : float
        Its score, averaged over the folds.
    cv_results_ : dict of arrays
        "param_max_iter", "split0_test_score", ..., "mean_test_score", "std_test_score", "rank_test_score";
        makes a pandas.DataFrame.
    stopping_path_ : StoppingPath
        The same as a record that draws itself: ``stopping_path_.plot()``.
    learning_rate_, route_, network_, params_, displacement_, kernel_, dual_coef_, X_fit_, support_
        As in :class:`TangentRegressor`.
    n_features_in_, feature_names_in_
        As in :class:`TangentRegressor`.

    See Also
    --------
    TangentRegressor : For a given number of iterations, or stopped on samples set aside.
    NTKRegressorCV : Chooses kernel and ridge penalty by exact leave-one-out.

    References
    ----------
    Y. Yao, L. Rosasco and A. Caponnetto, "On early stopping in gradient descent learning", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTK, TangentRegressorCV
    >>> X = np.random.default_rng(0).standard_normal((60, 2))
    >>> model = TangentRegressorCV(kernel=NTK(bias_std=1.0)).fit(X, X[:, 0] * X[:, 1])
    >>> model.max_iter_ > 1000, model.best_score_ > -0.02
    (True, True)
    """

    def __init__(
        self,
        network=None,
        kernel=None,
        *,
        max_iters=None,
        loss="squared_error",
        learning_rate="auto",
        momentum=0.0,
        scoring=None,
        cv=5,
        random_state=None,
    ):
        self.network = network
        self.kernel = kernel
        self.max_iters = max_iters
        self.loss = loss
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.scoring = scoring
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> TangentRegressorCV:
        """Choose the number of iterations, and train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``.
        y : array-like of shape (n,) or (n, k)
            All targets share the number of iterations.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts; a scorer that takes
            no weights is given the values of every copy.
        **params : dict
            ``groups``, for a splitter by groups. With scikit-learn's metadata routing, all that the splitter
            and the scorer ask for.

        Returns
        -------
        self : TangentRegressorCV

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes, network and kernel are both given, a
            parameter is out of its range, or a step is not stable.
        """
        units, X, y = self._units(X, y, sample_weight)
        routed = self._route(X, sample_weight, params)

        def judge(scoring: Any) -> Criterion:
            return regression_criterion(scoring, units, lambda rows: routed.score_at(X, units.support[rows]))

        self._search(units, X, y, routed, classifier=False, judge=judge)
        self._shape()
        return self
