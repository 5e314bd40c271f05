"""Kernel ridge classification that chooses its kernel and penalty."""

from __future__ import annotations

from ..defaults import CLASSIFICATION_GRID, CLASSIFIER_SCORING
from ._cv import RidgeSearch
from .classifier import RidgeClassification


class NTKClassifierCV(RidgeClassification, RidgeSearch):
    r"""Kernel ridge classification with kernel and penalty chosen by exact leave-one-out.

    One regression per class on targets of +1 and -1 (one in all for two classes). Held-out decision values
    come from one factorisation per kernel, as in :class:`NTKRegressorCV`, and the temperature of
    :meth:`predict_proba` is fitted to those of the choice.

    Parameters
    ----------
    kernels : list of kernels, kernel, "ntk" or None, default=None
        As in :class:`NTKRegressorCV`; but None is a grid of three ReLU kernels, the NTK of depth 1 and 3 and
        the NNGP of depth 1, the same three Laplace kernels, and two of the Euclidean distance, at 0.5 times
        its median, and with exponent 2 (Gaussian) at twice.
    alphas, fit_intercept, store_held_out, random_state
        As in :class:`NTKRegressorCV`.
    solver : {"auto", "cholesky", "nystrom", "cg"} or Solver, default="auto"
        Way to solve the system of the chosen kernel, as in :class:`NTKRegressor`; "auto" is exact up to
        10,000 rows.  ``Nystrom`` searches the penalty on all rows; with ``ConjugateGradient`` kernel, penalty
        and all that leave-one-out gives are of the comparison on `max_search_samples`.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer, applied to the classes, decision values or calibrated probabilities of
        held-out samples, with the weights; one that takes none is given the values of every copy. Equal
        scores are decided by the squared loss. None is the negative log-loss of
        the probabilities that the best temperature makes of the held-out decision values: it tells apart
        what the accuracy, a count of samples, does not.
    cv : None, "gcv", int, splitter or iterable of splits, default=None
        As in :class:`NTKRegressorCV`; the folds of an int are stratified.
    max_search_samples : int or None, default=3000
        As in :class:`NTKRegressorCV`; the subset is stratified.
    halving : bool, default=True
        As in :class:`NTKRegressorCV`; the units of every round are stratified.
    combine : {"auto", "best", "stack"}, default="auto"
        As in :class:`NTKRegressorCV`; the weights are in the proportion that makes the log-loss of held-out
        decision values least. The temperature is fitted to leave-one-out values, and those of folds with
        learned scales, added up in each of five folds by weights of the other four (with `cv`, to the values
        that its folds hold out).
    learn_features : {"auto", "diagonal"} or None, default="auto"
        As in :class:`NTKRegressorCV`; the folds are stratified, and decide by `scoring`. Where one kernel is
        chosen, the temperature is fitted to the values that they hold out; where the penalty is searched
        again, to those of the units that did not take part.
    class_weight : dict, "balanced" or None, default=None
        Importances of the classes, as in :class:`NTKClassifier`.
    verbose : int, default=0
        As in :class:`NTKRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        Scale of the decision values in :meth:`predict_proba`.
    alpha_, kernel_, best_score_, cv_results_, loo_path_, learned_features_, stack_
        As in :class:`NTKRegressorCV`.
    held_out_predictions_ : ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
        Decision values of each sample by the fit without it, as in :class:`NTKRegressorCV`. Only with
        `store_held_out`.
    dual_coef_ : ndarray of shape (n_fit, 1) for two classes, else (n_fit, n_classes)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    X_fit_, support_, solve_, n_features_in_, feature_names_in_,
    feature_importances_
        As in :class:`NTKRegressor`.

    See Also
    --------
    NTKClassifier : At a given kernel and penalty.

    References
    ----------
    R. Rifkin, G. Yeo and T. Poggio, "Regularized least-squares classification", 2003.
    An, Liu and Venkatesh, "Fast cross-validation algorithms for least squares support vector
    machine and kernel ridge regression", Pattern Recognition 40, 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib import NTKClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NTKClassifierCV().fit(X, y)
    >>> model.score(X, y) > 0.95, model.predict_proba(X[:2]).shape
    (True, (2, 3))
    """

    _default_scoring = CLASSIFIER_SCORING
    _grid = CLASSIFICATION_GRID

    def __init__(
        self,
        kernels=None,
        alphas=None,
        *,
        fit_intercept=True,
        solver="auto",
        scoring=None,
        cv=None,
        max_search_samples=3000,
        halving=True,
        combine="auto",
        learn_features="auto",
        class_weight=None,
        store_held_out=False,
        random_state=0,
        verbose=0,
    ):
        self.kernels = kernels
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.scoring = scoring
        self.cv = cv
        self.max_search_samples = max_search_samples
        self.halving = halving
        self.combine = combine
        self.learn_features = learn_features
        self.class_weight = class_weight
        self.store_held_out = store_held_out
        self.random_state = random_state
        self.verbose = verbose
