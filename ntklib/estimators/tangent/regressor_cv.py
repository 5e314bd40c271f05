"""Regression by gradient descent on a tangent model, stopped by cross-validation."""

from __future__ import annotations

from ._cv import TangentSearch
from .regressor import TangentRegression


class TangentRegressorCV(TangentRegression, TangentSearch):
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
    verbose : int, default=0
        As in :class:`NTKRegressor`.

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
        verbose=0,
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
        self.verbose = verbose
