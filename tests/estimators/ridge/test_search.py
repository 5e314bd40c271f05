import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer, median_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from ntklib._core.threads import set_threads
from ntklib.estimators import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.estimators.ridge._cv import search_order
from ntklib.kernels import NTK
from tests.solvers import brute_ridge

ALPHAS = [0.01, 0.1, 1.0, 10.0]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y = np.sin(2 * X[:, 0]) + 0.3 * rng.standard_normal(40)
    return X, y, rng.uniform(0.2, 3, 40)


def held_out(X, y, alpha, w, kernel=None):
    K = brute_ridge.rbf(X) if kernel is None else kernel(X)
    return brute_ridge.left_out(K, y[:, None], alpha, w)[:, 0]


class TestLeaveOneOut:
    def test_scores_are_those_of_refits(self, data):
        X, y, w = data
        model = NTKRegressorCV(RBF(), ALPHAS).fit(X, y, w)
        expected = [-np.average((y - held_out(X, y, a, w)) ** 2, weights=w) for a in model.loo_path_.alphas]
        np.testing.assert_allclose(model.loo_path_.scores, expected, rtol=1e-9)
        assert model.alpha_ == model.loo_path_.alphas[np.argmax(expected)] == model.loo_path_.alpha
        np.testing.assert_allclose(model.best_score_, max(expected), rtol=1e-9)
        assert model.loo_path_.method == "leave-one-out"
        single = NTKRegressor(RBF(), alpha=model.alpha_, target_scale="fit").fit(X, y, w)
        np.testing.assert_allclose(model.dual_coef_, single.dual_coef_, atol=1e-9)
        np.testing.assert_allclose(model.intercept_, single.intercept_, atol=1e-10)
        assert model.solve_.penalty == model.alpha_
        for ours, theirs in zip(model.predict(X, True), single.predict(X, True), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-9)

    def test_any_scorer_of_predictions(self, data):
        X, y, w = data
        for scoring, score in (
            ("r2", lambda p: r2_score(y, p, sample_weight=w)),
            (
                make_scorer(median_absolute_error, greater_is_better=False),
                lambda p: -median_absolute_error(y, p, sample_weight=w),
            ),
            (lambda model, X, y: -np.abs(model.predict(X) - y).max(), lambda p: -np.abs(p - y).max()),
        ):
            model = NTKRegressorCV(RBF(), [0.1], scoring=scoring).fit(X, y, w)
            np.testing.assert_allclose(model.best_score_, score(held_out(X, y, 0.1, w)), rtol=1e-8)

    def test_classification_by_accuracy_log_loss_and_ties(self, data):
        X, y, w = data
        labels = (y > 0).astype(int)
        belief = np.where(np.eye(2)[labels] > 0, 1 - 1 / 42, 1 / 42)
        for scoring, score in (
            (None, lambda p, s: np.average((belief * np.log(p)).sum(axis=1), weights=w)),
            ("accuracy", lambda p, s: accuracy_score(labels, s > 0, sample_weight=w)),
            ("neg_log_loss", lambda p, s: -log_loss(labels, p, sample_weight=w)),
            ("roc_auc", lambda p, s: get_scorer("roc_auc")._score_func(labels, s, sample_weight=w)),
        ):
            model = NTKClassifierCV(RBF(), [0.1], scoring=scoring).fit(X, labels, w)
            s = held_out(X, 2.0 * labels - 1, 0.1, w)
            p = 1 / (1 + np.exp(-2 * s / model.temperature_))
            np.testing.assert_allclose(model.best_score_, score(np.column_stack([1 - p, p]), s), rtol=1e-8)

    def test_equal_accuracy_is_decided_by_the_squared_loss(self):
        X = np.r_[np.linspace(-2, -1, 10), np.linspace(1, 2, 10)][:, None]
        labels = (X[:, 0] > 0).astype(int)
        model = NTKClassifierCV(RBF(), ALPHAS, scoring="accuracy").fit(X, labels)
        assert set(model.loo_path_.scores) == {1.0}
        losses = [np.mean((2 * labels - 1 - held_out(X, 2.0 * labels - 1, a, None)) ** 2) for a in ALPHAS]
        assert model.alpha_ == ALPHAS[np.argmin(losses)]

    def test_multi_output(self, data):
        X, y, w = data
        Y = np.column_stack([y, y**2])
        model = NTKRegressorCV(RBF(), ALPHAS).fit(X, Y, w)
        expected = -np.mean([np.average((t - held_out(X, t, model.alpha_, w)) ** 2, weights=w) for t in Y.T])
        np.testing.assert_allclose(model.best_score_, expected, rtol=1e-9)
        value, std = model.predict(X, return_std=True)
        assert value.shape == std.shape == Y.shape


class TestOtherCriteria:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_gcv(self, data, weighted):
        X, y, w = data
        w = w if weighted else np.ones(len(y))
        model = NTKRegressorCV(RBF(), ALPHAS, cv="gcv").fit(X, y, w)
        for alpha, score in zip(model.loo_path_.alphas, model.loo_path_.scores, strict=True):
            H = brute_ridge.smoother(brute_ridge.rbf(X), alpha, w)
            loss = np.average((y - H @ y) ** 2, weights=w)
            np.testing.assert_allclose(score, -loss / (1 - np.trace(H) / len(y)) ** 2, rtol=1e-8)

    def test_gcv_does_not_depend_on_the_unit_of_importances(self, data):
        X, y, w = data
        a = NTKRegressorCV(RBF(), [1.0, 0.1], cv="gcv").fit(X, y, w)
        b = NTKRegressorCV(RBF(), [0.01, 0.001], cv="gcv").fit(X, y, 0.01 * w)
        np.testing.assert_allclose(a.loo_path_.scores, b.loo_path_.scores, rtol=1e-9)

    def test_gcv_of_integer_weights_is_that_of_repeated_samples(self, data):
        X, y, _ = data
        w = np.arange(40) % 3 + 1
        a = NTKRegressorCV(RBF(), ALPHAS, cv="gcv").fit(X, y, w)
        K = brute_ridge.rbf(X.repeat(w, axis=0))
        b = NTKRegressorCV("precomputed", ALPHAS, cv="gcv").fit(K, y.repeat(w))  # where copies are not merged
        np.testing.assert_allclose(a.loo_path_.scores, b.loo_path_.scores, rtol=1e-8)

    def test_splitters_agree_with_grid_search(self, data):
        X, y, _ = data
        cv = KFold(4, shuffle=True, random_state=0)
        grid = {"alpha": ALPHAS}
        ours = NTKRegressorCV(RBF(), ALPHAS, cv=cv, scoring="r2").fit(X, y)
        theirs = GridSearchCV(NTKRegressor(RBF()), grid, cv=cv, scoring="r2").fit(X, y)
        np.testing.assert_allclose(
            ours.loo_path_.scores[::-1], theirs.cv_results_["mean_test_score"], rtol=1e-9
        )
        assert ours.alpha_ == theirs.best_params_["alpha"]
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-10)
        labels = (y > 0).astype(int)
        for cv in (3, StratifiedKFold(3), list(StratifiedKFold(3).split(X, labels))):
            ours = NTKClassifierCV(RBF(), ALPHAS, cv=cv, scoring="accuracy").fit(X, labels)
            theirs = GridSearchCV(NTKClassifier(RBF()), grid, cv=cv).fit(X, labels)
            np.testing.assert_allclose(ours.loo_path_.scores[::-1], theirs.cv_results_["mean_test_score"])
            assert ours.loo_path_.method == "cross-validation"
            assert ours.predict_proba(X).shape == (40, 2)

    def test_splits_skip_samples_of_weight_zero(self, data):
        X, y, w = data
        folds = list(KFold(4).split(X))
        w[::5] = 0
        kept = np.flatnonzero(w)
        place = np.cumsum(w > 0) - 1
        rest = [(place[np.intersect1d(a, kept)], place[np.intersect1d(b, kept)]) for a, b in folds]
        ours = NTKRegressorCV(RBF(), ALPHAS, cv=folds).fit(X, y, w)
        theirs = NTKRegressorCV(RBF(), ALPHAS, cv=rest).fit(X[kept], y[kept], w[kept])
        np.testing.assert_allclose(ours.loo_path_.scores, theirs.loo_path_.scores)

    def test_splits_among_the_samples_searched(self, data):
        X, y, w = data
        cv = KFold(4, shuffle=True, random_state=0)
        model = NTKRegressorCV([RBF(0.5), RBF(1.0)], ALPHAS, cv=cv, max_search_samples=25).fit(X, y, w)
        rows = np.sort(search_order(40, 0)[:25])
        expected = []
        for kernel, alpha in zip(
            model.cv_results_["param_kernel"], model.cv_results_["param_alpha"], strict=True
        ):
            scores = []
            for train, test in cv.split(X):
                train, test = np.intersect1d(train, rows), np.intersect1d(test, rows)
                fit = NTKRegressor(kernel, alpha=alpha).fit(X[train], y[train], w[train])
                scores.append(-np.average((y[test] - fit.predict(X[test])) ** 2, weights=w[test]))
            expected.append(np.mean(scores))
        np.testing.assert_allclose(model.cv_results_["mean_test_score"], expected, rtol=1e-9)

    def test_splits_may_train_on_one_sample_but_not_on_none(self, data):
        X, y, w = data
        one = NTKRegressorCV(RBF(), [0.1], cv=[([3], np.arange(4, 40))]).fit(X, y)
        np.testing.assert_allclose(one.best_score_, -np.mean((y[4:] - y[3]) ** 2))
        for none in (([3], [4, 5]), ([4, 5], [3])):
            with pytest.raises(ValueError, match="no training or no test samples"):
                NTKRegressorCV(RBF(), [0.1], cv=[none]).fit(X, y, np.where(np.arange(40) == 3, 0.0, w))


class TestKernels:
    def test_the_best_kernel_wins_and_the_table_tells(self, data):
        X, y, w = data
        kernels = [RBF(0.01), RBF(1.0), RBF(100.0)]
        model = NTKRegressorCV(kernels, ALPHAS).fit(X, y, w)
        assert model.kernel_ == RBF(1.0)
        table = model.cv_results_
        assert {len(column) for column in table.values()} == {12}
        best = int(np.argmin(table["rank_test_score"]))
        assert table["rank_test_score"][best] == 1
        assert table["param_kernel"][best] == RBF(1.0)
        assert table["param_alpha"][best] == model.alpha_
        assert table["mean_test_score"][best] == model.best_score_

    def test_default_penalties_are_relative_to_the_kernel(self, data):
        X, y, _ = data
        small, large = (NTKRegressorCV(NTK(weight_std=s)).fit(X, y) for s in (1.0, 10.0))
        np.testing.assert_allclose(large.loo_path_.alphas / small.loo_path_.alphas, 1e4)
        np.testing.assert_allclose(large.predict(X), small.predict(X), atol=1e-9)
        scale = np.average(NTK().diag(X))
        steps = [10, 10**0.5, 1, 10**-0.5, 1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3, 10**-3.5, 1e-4, 10**-4.5]
        steps += [1e-5, 10**-5.5, 1e-6]
        np.testing.assert_allclose(small.loo_path_.alphas / scale, steps)

    def test_at_most_so_many_samples_are_searched(self, data):
        X, y, _ = data
        kernels = [RBF(0.5), RBF(1.0)]
        model = NTKRegressorCV(kernels, ALPHAS, max_search_samples=20).fit(X, y)
        rows = np.sort(search_order(40, 0)[:20])
        part = NTKRegressorCV(kernels, ALPHAS).fit(X[rows], y[rows])
        np.testing.assert_array_equal(
            model.cv_results_["mean_test_score"], part.cv_results_["mean_test_score"]
        )
        assert model.kernel_ == part.kernel_
        full = NTKRegressorCV(model.kernel_, ALPHAS).fit(X, y)
        np.testing.assert_allclose(model.loo_path_.scores, full.loo_path_.scores)
        assert model.loo_path_.n_samples == 40
        other = NTKRegressorCV(kernels, ALPHAS, max_search_samples=20, random_state=1).fit(X, y)
        assert (other.cv_results_["mean_test_score"] != model.cv_results_["mean_test_score"]).all()

    def test_strata_keep_their_share(self):
        strata = np.r_[np.zeros(800), np.ones(190), np.full(9, 2), 3]
        rows = search_order(1000, 0, strata)[:100]
        assert len(np.unique(rows)) == 100
        counts = np.bincount(strata[rows].astype(int))
        assert abs(counts - np.array([80, 19, 1, 1])).max() <= 1
        np.testing.assert_array_equal(rows, search_order(1000, 0, strata)[:100])
        assert not np.array_equal(rows, search_order(1000, 1, strata)[:100])

    def test_result_does_not_depend_on_threads(self, data):
        X, y, _ = data
        with set_threads(1):
            single = NTKRegressorCV().fit(X, y)
        with set_threads(4):
            several = NTKRegressorCV().fit(X, y)
        np.testing.assert_array_equal(
            single.cv_results_["mean_test_score"], several.cv_results_["mean_test_score"]
        )
        assert single.kernel_ == several.kernel_

    def test_precomputed(self, data):
        X, y, w = data
        K = brute_ridge.rbf(X)
        model = NTKRegressorCV("precomputed", ALPHAS, max_search_samples=30).fit(K, y, w)
        np.testing.assert_allclose(
            model.predict(K), NTKRegressorCV(RBF(), ALPHAS).fit(X, y, w).predict(X), atol=1e-9
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": []}, "empty"),
        ({"kernels": ["precomputed", "precomputed"]}, "cannot be compared"),
        ({"kernels": "linear"}, "kernels must be"),
        ({"alphas": []}, "alphas must be"),
        ({"alphas": [-1.0]}, "alphas must be"),
        ({"cv": "loo"}, "cv must be"),
        ({"cv": "gcv", "scoring": "r2"}, "its own criterion"),
        ({"scoring": "nonsense"}, "nonsense"),
        ({"max_search_samples": 1}, "max_search_samples"),
    ],
)
def test_bad_parameters(options, message, data):
    with pytest.raises(ValueError, match=message):
        NTKRegressorCV(**options).fit(data[0], data[1])


def test_identical_samples_leave_nothing_to_choose_by():
    with pytest.raises(ValueError, match="2 different samples"):
        NTKRegressorCV().fit(np.ones((5, 2)), np.ones(5))
