"""Kernel ridge classification that chooses its kernel and penalty."""

from __future__ import annotations

from typing import Any

from .._calibration import fit_temperature
from .._scoring import classification_criterion, refuses_weights
from ..defaults import CLASSIFIER_SCORING
from ._cv import SearchingModel
from .classifier import PredictingClassifier


class NTKClassifierCV(PredictingClassifier, SearchingModel):
    r"""Kernel ridge classification with kernel and penalty chosen by exact leave-one-out.

    One regression per class on targets of +1 and -1 (one in all for two classes). Held-out decision values
    come from one eigendecomposition per kernel, as in :class:`NTKRegressorCV`, and the temperature of
    :meth:`predict_proba` is fitted to those of the choice.

    Parameters
    ----------
    kernels, alphas, fit_intercept, store_held_out, random_state
        As in :class:`NTKRegressorCV`.
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
    class_weight : dict, "balanced" or None, default=None
        Importances of the classes, as in :class:`NTKClassifier`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        Scale of the decision values in :meth:`predict_proba`.
    alpha_, kernel_, best_score_, cv_results_, loo_path_
        As in :class:`NTKRegressorCV`.
    held_out_predictions_ : ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
        Decision values of each sample by the fit without it, as in :class:`NTKRegressorCV`. Only with
        `store_held_out`.
    dual_coef_ : ndarray of shape (n_fit, 1) for two classes, else (n_fit, n_classes)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    X_fit_, support_, solve_, n_features_in_, feature_names_in_
        As in :class:`NTKRegressor`.

    See Also
    --------
    NTKClassifier : At a given kernel and penalty.

    References
    ----------
    R. Rifkin, G. Yeo and T. Poggio, "Regularized least-squares classification", 2003.
    S. An, W. Liu and S. Venkatesh, "Fast cross-validation algorithms for least squares support vector
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

    calibrate = True

    def __init__(
        self,
        kernels=None,
        alphas=None,
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        max_search_samples=3000,
        class_weight=None,
        store_held_out=False,
        random_state=0,
    ):
        self.kernels = kernels
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.max_search_samples = max_search_samples
        self.class_weight = class_weight
        self.store_held_out = store_held_out
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> NTKClassifierCV:
        """Choose kernel and penalty, and fit.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernels="precomputed"``.
        y : array-like of shape (n,)
            Class labels.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts: weight 2 is the
            sample twice. Others are importances of single samples.
        **params : dict
            ``groups``, for a splitter by groups. With scikit-learn's metadata routing, all that the splitter
            and the scorer ask for.

        Returns
        -------
        self : NTKClassifierCV

        Raises
        ------
        ValueError
            If the data are not finite or hold one class only, or a parameter or weight is out of its range.
        """
        kernels = self._start()
        merged, labels, whole, X, y = self._classification_units(X, y, sample_weight, kernels)
        routed = self._route(X, sample_weight, params)
        splits = self._splits(X, y, whole, routed, classifier=True)
        apart = splits is not None or routed.score or self.store_held_out or refuses_weights(self.scoring)
        units = whole if apart else merged
        scoring = CLASSIFIER_SCORING if self.scoring is None else self.scoring
        criterion = classification_criterion(
            scoring,
            units,
            labels[units.support],
            self.classes_,
            metadata=lambda rows: routed.score_at(X, units.support[rows]),
        )
        found = self._choose(kernels, units, (criterion,), scoring, splits, labels[units.support])
        if found.choice is None:
            self._fit_calibrated(merged, labels[merged.support], self.alpha_)
        else:
            self.temperature_ = fit_temperature(
                found.choice.left_out, labels[units.support], units.weights, units.n_copies
            )
            self._store_shares(units, labels[units.support])
        self._keep_held_out(X, units, found.held_out)
        if self.store_held_out and len(self.classes_) == 2:
            self.held_out_predictions_ = self.held_out_predictions_[:, 0]
        return self
