"""Kernel ridge regression that chooses its kernel and penalty."""

from __future__ import annotations

from dataclasses import replace

from .._routing import Metadata
from .._scoring import Criterion
from .._units import Units
from ._cv import RidgeSearch
from .regressor import RidgeRegression


class NTKRegressorCV(RidgeRegression, RidgeSearch):
    r"""Kernel ridge regression with kernel and penalty chosen by exact leave-one-out.

    For every kernel one factorisation gives, at each penalty, the error in predicting each sample from
    all the others, without refitting: with :math:`M = (K + \alpha W^{-1})^{-1}` and
    :math:`C = M - M 1 1^T M / (1^T M 1)`,

    .. math:: y_i - f_{-i}(x_i) = (C y)_i / C_{ii},

    weights and intercept included. Equal samples, and those of whole weights, are merged to units of weight
    :math:`w_i = k_i c_i`, for :math:`k_i` copies of importance :math:`c_i`. One copy is left out,

    .. math:: y_i - f_{-i}(x_i) = \frac{(\alpha/c_i)\, (C y)_i}{k_i - 1 + (\alpha/c_i)\, C_{ii}/k_i},

    and scores are averages over all copies, by their importance.

    Parameters
    ----------
    kernels : list of kernels, kernel, "ntk" or None, default=None
        What to choose from, each as in :class:`NTKRegressor`. None is a grid of four ReLU kernels, the NTK
        and the NNGP of depth 1 and 3, and three :class:`~ntklib.Laplace` kernels, whose length scales are
        0.5, 2 and 8 times the median l1 distance of different training rows (those of each fold with folds; a
        draw of 1,000 where there are more). These are left out where all rows are equal. "ntk" is a grid of
        ten kernels of networks alone: NTKs and NNGPs of different depths and biases.
    alphas : array of shape (n_alphas,) or None, default=None
        Penalties to choose from; None is a grid relative to trace(K)/n for each kernel.
    fit_intercept : bool, default=True
        Fit an unpenalised constant.
    solver : {"auto", "cholesky", "nystrom", "cg"} or Solver, default="auto"
        Way to solve the system of the chosen kernel, as in :class:`NTKRegressor`; "auto" is exact up to
        10,000 rows.  ``Nystrom`` searches the penalty on all rows; with ``ConjugateGradient`` kernel, penalty
        and all that leave-one-out gives are of the comparison on `max_search_samples`.
    scoring : str, callable or None, default=None
        Any scikit-learn scorer of predictions, applied to all held-out predictions at once (per fold with a
        splitter), with the weights; one that takes none is given the values of every copy. None is the
        negative mean squared error.
    cv : None, "gcv", int, splitter or iterable of splits, default=None
        None is exact leave-one-out. "gcv" is generalised cross-validation,
        :math:`\sum_i w_i r_i^2 / \sum_i w_i / (1 - \mathrm{df}/N)^2` with N the number of samples,
        counts included. Else folds.
    max_search_samples : int or None, default=3000
        Kernels are compared on at most this many units, at random; the winner's penalty is then searched
        again on all.
    halving : bool, default=True
        Compare kernels by successive halving: all on few units, the better half on twice as many, and so on,
        the last two or more on all that `max_search_samples` allows. The first round has 500 units or more,
        so that fewer than 1,000 are not halved, nor is a list of one or two kernels. False scores every
        kernel on all.
    combine : {"auto", "best", "stack"}, default="auto"
        "stack" adds up the fits of the kernels of the last round, each at its own penalty, with nonnegative
        weights of sum 1 that make the squared error of their held-out predictions least, with a penalty of a
        tenth of the least error of one of them on the squares of the weights. Scores are of five folds (or
        those of `cv`), in each of which penalties and weights are made anew, on the rows of the comparison.
        Not with "gcv", `alpha_per_target` or "precomputed". "auto" adds up for 100 to 999 units, fits with
        learned scales of the columns among them; scores are of the values that they hold out, added up in
        each of five folds by weights of the other four, without fitting anew. It takes the best kernel
        otherwise, and with `kernels`, `cv`, `alpha_per_target` or learn_features="diagonal", a comparison on
        fewer units than are fitted, or any but the exact solver.
    learn_features : {"auto", "diagonal"} or None, default="auto"
        "diagonal" multiplies each column by a learned scale, the root mean square of the derivative of a fit
        along it, in up to 8 rounds of fitting and scaling anew; the number of rounds and the penalty are
        chosen on three folds (or those of `cv`), and so is the kernel: an NTK of depth 1, and with
        ``kernels=None`` also ``Laplace(norm=2)`` at the median distance, or one of the given kernels. "auto"
        keeps the scales only where they are better than the kernel chosen without them by more than the
        standard error of the difference, and tries them with ``kernels=None``, 100 units or more, 2 to 2,000
        columns and at most 20 folds only. In a sum of fits weights decide, and those of all rounds may count.
        At most 3,000 units take part, from 1,000 on in two steps: a quarter of them, and 500 at least, choose
        the kernel, which goes on to all. The penalty is searched again on all units where twice as many or
        more are fitted, by leave-one-out of those that did not take part (not with `cv` or
        ``ConjugateGradient``). Not with `alpha_per_target`, "stack" or "precomputed", or with
        `store_held_out` on more units than take part.
    alpha_per_target : bool, default=False
        Choose a penalty for each target, as :class:`~sklearn.linear_model.RidgeCV` does: with leave-one-out
        or "gcv" only. They share the kernel, that of the best mean score over targets.
    target_scale : float or "fit", default="fit"
        As in :class:`NTKRegressor`, of the winner on all samples.
    clip : bool, default=True
        As in :class:`NTKRegressor`. So are held-out predictions and their scores (but "gcv", which has none),
        to the range of all other samples, or of those of the training folds.
    store_held_out : bool, default=False
        Keep ``held_out_predictions_``.
    random_state : int, RandomState or None, default=0
        Seed of the choice of units.
    verbose : int, default=0
        As in :class:`NTKRegressor`.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        Chosen penalty; one a target with `alpha_per_target` and more than one target.
    kernel_ : Kernel, callable or str
        Chosen kernel, which the fitted estimator also names when it is printed; scales of it are numbers.
        With learned features a :class:`~ntklib.kernels.Scaled`.
    learned_features_ : LearnedFeatures or None
        Scores on folds with learned scales of the columns and without, and if they were kept; in a sum of
        fits, if any of them has a weight. Where one kernel was chosen, and the scales were kept,
        `best_score_`, `loo_path_` and `held_out_predictions_` are of these folds, whose scales are those of
        their training rows. Where the penalty was searched again, `best_score_` and `loo_path_` are of the
        units that did not take part. None where none were tried, or no derivative was anything but 0.
    best_score_ : float or ndarray of shape (n_targets,)
        Held-out score of the choice, on all units but where scales of the columns were learned; one a target
        as `alpha_`.
    cv_results_ : dict of arrays
        The comparison of the kernels: "n_samples", the number of units a score was computed on,
        "param_kernel", "param_alpha", "mean_test_score" and "rank_test_score", where scores on fewer units
        rank behind all on more; with a penalty for each target also "target0_test_score", ..., whose mean is
        over targets. Makes a pandas.DataFrame.
    loo_path_ : PenaltyPath
        Scores of the chosen kernel at every penalty, on all units.
    stack_ : dict of arrays
        The kernels whose fits are added up, "param_kernel", their penalties, "param_alpha", and the "weight"
        of each; only of a sum of fits. `kernel_`, `alpha_`, `loo_path_`, `target_scale_` and all that
        describes one fit are then of the heaviest. Standard deviations are of the mixture of their
        processes.
    held_out_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Prediction of each sample at the chosen penalty by the fit without it: without one copy of it (also
        with "gcv"), or without its fold; with learned scales, of samples that took part, without theirs and
        at the penalty that the folds chose. Of a sum of fits, the values that its score is of, as `combine`
        says. NaN where a fit on centres follows a sample so closely that it is not known. Only with
        `store_held_out`.
    dual_coef_, intercept_, target_scale_, prediction_limits_, X_fit_, support_, solve_
        As in :class:`NTKRegressor`.
    n_features_in_, feature_names_in_, feature_importances_
        As in :class:`NTKRegressor`.

    See Also
    --------
    NTKRegressor : At a given kernel and penalty.

    References
    ----------
    G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge
    parameter", Technometrics 21, 1979.
    A. Radhakrishnan, D. Beaglehole, P. Pandit and M. Belkin, "Mechanism for feature learning in neural
    networks and backpropagation-free machine learning models", Science 383, 2024.
    An, Liu and Venkatesh, "Fast cross-validation algorithms for least squares support vector
    machine and kernel ridge regression", Pattern Recognition 40, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKRegressorCV
    >>> X = np.linspace(-2, 2, 30)[:, None]
    >>> model = NTKRegressorCV().fit(X, np.sin(2 * X[:, 0]))
    >>> bool(model.score(X, np.sin(2 * X[:, 0])) > 0.99)
    True
    """

    _default_scoring = "neg_mean_squared_error"

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
        alpha_per_target=False,
        target_scale="fit",
        clip=True,
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
        self.alpha_per_target = alpha_per_target
        self.target_scale = target_scale
        self.clip = clip
        self.store_held_out = store_held_out
        self.random_state = random_state
        self.verbose = verbose

    def _criteria(self, units: Units, metadata: Metadata) -> tuple[Criterion, ...]:
        if not self.alpha_per_target:
            return super()._criteria(units, metadata)
        if self._splits_samples:
            raise ValueError(
                "alpha_per_target=True is for leave-one-out and generalised cross-validation: leave cv=None, "
                "give cv='gcv', or fit each target by itself."
            )
        columns = (units.targets[:, [j]] for j in range(units.targets.shape[1]))
        return tuple(
            self._criterion(self.scoring, replace(units, targets=column), metadata) for column in columns
        )
