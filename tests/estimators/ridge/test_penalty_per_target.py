"""A penalty for each target, and held-out predictions that are kept."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, DotProduct
from sklearn.linear_model import RidgeCV
from sklearn.metrics import make_scorer, median_absolute_error
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit

from ntklib.estimators import NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.plotting import LeaveOneOutPathDisplay
from tests.solvers import brute_ridge

ALPHAS = [0.01, 0.1, 1.0, 10.0]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    noise = rng.standard_normal((40, 3)) * [0.01, 0.3, 2.0]
    return X, np.column_stack([np.sin(2 * X[:, 0]), X[:, 1], X[:, 0]]) + noise, rng.uniform(0.2, 3, 40)


class TestPenaltyPerTarget:
    @pytest.mark.parametrize("options", [{}, {"cv": "gcv"}, {"scoring": "r2"}])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_is_that_of_each_target_alone(self, data, options, weighted):
        X, Y, w = data
        w = w if weighted else None
        model = NTKRegressorCV(RBF(), ALPHAS, alpha_per_target=True, **options).fit(X, Y, w)
        singles = [NTKRegressorCV(RBF(), ALPHAS, **options).fit(X, y, w) for y in Y.T]
        np.testing.assert_array_equal(model.alpha_, [single.alpha_ for single in singles])
        assert len(set(model.alpha_)) > 1
        np.testing.assert_allclose(model.best_score_, [single.best_score_ for single in singles], rtol=1e-9)
        for name in ("intercept_", "target_scale_"):
            expected = [getattr(single, name) for single in singles]
            np.testing.assert_allclose(getattr(model, name), expected, rtol=1e-9)
        values, stds = model.predict(X, return_std=True)
        for j, single in enumerate(singles):
            value, std = single.predict(X, return_std=True)
            np.testing.assert_allclose(values[:, j], value, atol=1e-9)
            np.testing.assert_allclose(stds[:, j], std, rtol=1e-7)
        assert sorted(record.penalty for record in model.solve_) == sorted(set(model.alpha_))
        scores = np.stack([single.loo_path_.scores for single in singles], axis=1)
        np.testing.assert_allclose(model.loo_path_.target_scores, scores, rtol=1e-9)
        np.testing.assert_allclose(model.loo_path_.scores, scores.mean(axis=1), rtol=1e-9)
        np.testing.assert_allclose(model.cv_results_["target2_test_score"], scores[:, 2], rtol=1e-9)

    @pytest.mark.parametrize("size", [1e-170, 1e-80, 1.0, 1e160])
    @pytest.mark.parametrize("options", [{}, {"cv": "gcv"}, {"scoring": "neg_root_mean_squared_error"}])
    def test_targets_of_zeros_set_no_unit(self, data, size, options):
        X, Y, _ = data
        Y = np.column_stack([Y[:, 0], np.zeros(40)])
        kernels = [DotProduct(0.0, "fixed"), RBF()]
        model = NTKRegressorCV(kernels, ALPHAS, alpha_per_target=True, **options).fit(X, size * Y)
        assert model.kernel_ == RBF()
        alone = NTKRegressorCV(RBF(), ALPHAS, **options).fit(X, Y[:, 0])
        np.testing.assert_array_equal(model.alpha_, [alone.alpha_, ALPHAS[-1]])
        np.testing.assert_array_equal(model.best_score_[1], 0)

    @pytest.mark.parametrize("scoring", [None, make_scorer(median_absolute_error, greater_is_better=False)])
    def test_is_that_of_ridge_search(self, data, scoring):
        """A linear kernel is ridge regression on the features."""
        X, Y, _ = data
        options = {"alpha_per_target": True, "scoring": scoring}
        ours = NTKRegressorCV(DotProduct(0.0, "fixed"), ALPHAS, clip=False, **options).fit(X, Y)
        theirs = RidgeCV(ALPHAS, **options).fit(X, Y)
        np.testing.assert_array_equal(ours.alpha_, theirs.alpha_)
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
        for y in (Y[:, 0], Y[:, :1]):
            ours = NTKRegressorCV(DotProduct(0.0, "fixed"), ALPHAS, alpha_per_target=True).fit(X, y)
            assert (
                np.ndim(ours.alpha_) == np.ndim(RidgeCV(ALPHAS, alpha_per_target=True).fit(X, y).alpha_) == 0
            )
            assert np.ndim(ours.best_score_) == 0

    def test_one_kernel_for_all(self, data):
        X, Y, _ = data
        kernels = [RBF(0.1), RBF(1.0), RBF(10.0)]
        model = NTKRegressorCV(kernels, ALPHAS, alpha_per_target=True).fit(X, Y)
        means = [
            NTKRegressorCV(k, ALPHAS, alpha_per_target=True).fit(X, Y).best_score_.mean() for k in kernels
        ]
        assert model.kernel_ == kernels[int(np.argmax(means))]
        np.testing.assert_allclose(model.best_score_.mean(), max(means), rtol=1e-9)
        assert {len(column) for column in model.cv_results_.values()} == {12}

    def test_folds_are_refused(self, data):
        with pytest.raises(ValueError, match=r"alpha_per_target=True .* cv='gcv'"):
            NTKRegressorCV(RBF(), ALPHAS, alpha_per_target=True, cv=3).fit(*data[:2])

    def test_draws(self, data):
        model = NTKRegressorCV(RBF(), ALPHAS, alpha_per_target=True).fit(*data[:2])
        display = LeaveOneOutPathDisplay.from_estimator(model)
        assert list(display.paths) == ["target 0", "target 1", "target 2"]
        np.testing.assert_array_equal(display.paths["target 1"][1][::-1], model.loo_path_.target_scores[:, 1])


class TestHeldOutPredictions:
    def test_only_when_asked_for(self, data):
        X, Y, _ = data
        model = NTKRegressorCV(RBF(), ALPHAS, store_held_out=True).fit(X, Y)
        assert model.held_out_predictions_.shape == Y.shape
        assert not hasattr(model.set_params(store_held_out=False).fit(X, Y), "held_out_predictions_")

    @pytest.mark.parametrize("cv", [None, "gcv"])
    @pytest.mark.parametrize("per_target", [False, True])
    def test_are_those_of_refits(self, data, cv, per_target):
        X, Y, w = data
        w[::7] = 0  # absent: held out by the fit itself
        options = {"cv": cv, "alpha_per_target": per_target, "store_held_out": True}
        model = NTKRegressorCV(RBF(), ALPHAS, **options).fit(X, Y, w)
        alphas = np.broadcast_to(model.alpha_, 3)
        for i in range(40):
            rest = np.delete(np.arange(40), i)
            fit = NTKRegressor(RBF(), alpha=alphas).fit(X[rest], Y[rest], w[rest])
            np.testing.assert_allclose(model.held_out_predictions_[i], fit.predict(X[[i]])[0], rtol=1e-7)

    def test_of_copies_are_each_ones_own(self, data):
        X, Y, _ = data
        X, y = np.vstack([X, X[:3]]), np.r_[Y[:, 1], Y[:2, 1], 5.0]
        model = NTKRegressorCV(RBF(), ALPHAS, store_held_out=True).fit(X, y)
        expected = brute_ridge.left_out(brute_ridge.rbf(X), y[:, None], model.alpha_, None)[:, 0]
        np.testing.assert_allclose(model.held_out_predictions_, expected, rtol=1e-7)
        merged = NTKRegressorCV(RBF(), ALPHAS).fit(X, y)
        np.testing.assert_allclose(model.loo_path_.scores, merged.loo_path_.scores, rtol=1e-8)

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_of_folds(self, data, n_classes):
        X, Y, _ = data
        groups = np.arange(40) % 4
        labels = np.digitize(Y[:, 1], [0.0, 0.8][: n_classes - 1])
        for model, y in ((NTKRegressorCV, Y), (NTKClassifierCV, labels)):
            found = model(RBF(), ALPHAS, cv=LeaveOneGroupOut(), store_held_out=True).fit(X, y, groups=groups)
            for train, test in LeaveOneGroupOut().split(X, groups=groups):
                targets = Y
                if y is labels:
                    targets = np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)
                fit = NTKRegressor(RBF(), alpha=found.alpha_).fit(X[train], targets[train])
                expected = fit.predict(X[test])
                if y is labels and n_classes == 2:
                    expected = expected[:, 1]
                np.testing.assert_allclose(found.held_out_predictions_[test], expected, atol=1e-9)

    def test_of_the_whole_table_where_kernels_are_compared_on_a_part(self, data):
        X, Y, _ = data
        for cv in (None, KFold(4)):
            options = {"cv": cv, "store_held_out": True}
            some = NTKRegressorCV([RBF(), RBF(3.0)], ALPHAS, max_search_samples=20, **options).fit(X, Y[:, 0])
            whole = NTKRegressorCV(some.kernel_, ALPHAS, **options).fit(X, Y[:, 0])
            np.testing.assert_allclose(some.held_out_predictions_, whole.held_out_predictions_, rtol=1e-9)

    def test_need_folds_that_hold_out_every_sample_once(self, data):
        with pytest.raises(ValueError, match=r"store_held_out=True .* another cv"):
            NTKRegressorCV(RBF(), ALPHAS, cv=ShuffleSplit(3), store_held_out=True).fit(*data[:2])
