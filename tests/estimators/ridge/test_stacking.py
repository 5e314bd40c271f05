"""Weighted sums of fits: their weights, and scores that these have not seen."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from ntklib import NTK, Laplace, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib._core.naming import describe_kernel
from ntklib.estimators.ridge._cv import search_order
from ntklib.estimators.ridge._stacking_weights import log_loss_weights, squared_error_weights
from ntklib.kernels import Scaled
from ntklib.solvers import Nystrom
from tests.namespaces import NAMESPACES, dispatch, numbers

KERNELS = [NTK(bias_std=1.0), Laplace(2.0), RBF(0.3)]
ALPHAS = [0.03, 1.0]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    y = np.sign(X[:, 0]) + X[:, 1] + 0.1 * rng.standard_normal(60)
    return X, y, rng.integers(1, 3, 60) / 2


def simplex(residuals):
    """Weights of least squared error, large ones penalised, by another algorithm."""
    n, k = residuals.shape
    G = residuals.T @ residuals / n
    G = G + 0.1 * G.diagonal().min() * np.eye(k)
    best = minimize(
        lambda w: w @ G @ w,
        np.full(k, 1 / k),
        jac=lambda w: 2 * G @ w,
        bounds=[(0, 1)] * k,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(k)},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return best.x


def parts_by_hand(X, y, w, clip=False):
    """Kernels' own penalties and leave-one-out values, and their weights."""
    options = {"store_held_out": True, "clip": clip}
    searches = [NTKRegressorCV(kernel, ALPHAS, **options).fit(X, y, w) for kernel in KERNELS]
    misses = np.stack([y - search.held_out_predictions_ for search in searches], axis=1)
    weights = np.ones(len(y)) if w is None else w
    return np.array([s.alpha_ for s in searches]), simplex(np.sqrt(weights)[:, None] * misses)


def fits(X, y, w, penalties):
    return [NTKRegressor(k, alpha=a).fit(X, y, w) for k, a in zip(KERNELS, penalties, strict=True)]


class TestWeights:
    @pytest.mark.parametrize("size", [1.0, 1e-160, 1e160])
    def test_against_another_algorithm(self, size):
        rng = np.random.default_rng(1)
        for correlation in (0.0, 0.9):
            residuals = rng.standard_normal((50, 4)) + correlation * rng.standard_normal((50, 1))
            residuals *= [1, 1.1, 2, 0.9]
            ours, theirs = squared_error_weights(size * residuals), simplex(residuals)
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
            np.testing.assert_allclose(ours.sum(), 1)
            assert ours.min() >= 0

    def test_of_perfect_predictions(self):
        np.testing.assert_allclose(squared_error_weights(np.zeros((5, 2))).sum(), 1)
        exact = np.c_[np.ones(5), np.zeros(5)]
        np.testing.assert_allclose(squared_error_weights(exact), [0, 1], atol=1e-12)


def log_loss(scores, labels, weights):
    """Mean of minus the log of the share of each label, of which some is given to the others."""
    k = scores.shape[1]
    doubt = 1 / (len(labels) + 2)
    smoothed = np.where(np.eye(k)[labels] > 0, 1 - doubt, doubt / (k - 1))
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    losses = -(smoothed * np.log(shares / shares.sum(axis=1, keepdims=True))).sum(axis=1)
    return np.average(losses, weights=weights)


def by_search(scores, labels, weights):
    """Least log-loss over sums with nonnegative weights, by an algorithm without derivatives of ours."""
    k = len(scores)
    best = [
        minimize(
            lambda w: log_loss(np.tensordot(w, scores, 1), labels, weights),
            np.full(k, start),
            method="SLSQP",
            bounds=[(0, None)] * k,
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        for start in (0.3, 3.0)
    ]
    return min(best, key=lambda one: one.fun)


class TestLogLossWeights:
    @pytest.mark.parametrize("classes", [2, 4])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_against_another_algorithm(self, classes, weighted):
        rng = np.random.default_rng(classes)
        labels = rng.integers(0, classes, 80)
        truth = 2 * np.eye(classes)[labels] - 1
        weights = rng.uniform(0.2, 3, 80) if weighted else None
        scores = np.stack([truth + size * rng.standard_normal(truth.shape) for size in (1.0, 2.0, 1.5)])
        wrong = rng.standard_normal(truth.shape) - truth
        scores = np.concatenate([scores, 100 * scores[:1] + 50, wrong[None]])  # one again, and a wrong one
        if classes == 2:
            scores = scores[:, :, 1:]
        ours = log_loss_weights(scores, labels, weights)
        assert ours.min() >= 0
        np.testing.assert_allclose(ours.sum(), 1)
        assert ours[4] == 0
        columns = np.concatenate([-scores, scores], axis=2) if classes == 2 else scores
        columns = columns / np.array([1, 1, 1, 100, 1])[:, None, None]  # one size, for the other algorithm
        theirs = by_search(columns, labels, weights)
        direction = ours * [1, 1, 1, 100, 1]
        scaled = minimize(
            lambda t: log_loss(np.exp(t[0]) * np.tensordot(direction, columns, 1), labels, weights), [1.0]
        )
        np.testing.assert_allclose(scaled.fun, theirs.fun, rtol=1e-7)

    def test_where_no_values_speak_for_the_labels(self):
        labels = np.array([0, 1, 0, 1, 1])
        against = np.array([1.0, -1.0, 1.0, -1.0, -1.0])[:, None]
        np.testing.assert_allclose(log_loss_weights([2 * against, against], labels, None), [1 / 3, 2 / 3])

    def test_of_perfect_values(self):
        labels = np.arange(6) % 3
        perfect = 2 * np.eye(3)[labels] - 1
        noise = np.random.default_rng(0).standard_normal((6, 3))
        weights = log_loss_weights([perfect, noise], labels, None)
        assert weights[0] > 0.9
        np.testing.assert_allclose(weights.sum(), 1)


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_add_up_by_log_loss(data, classes):
    X, y, w = data
    labels = np.digitize(y, [-0.5, 0.8][: classes - 1])
    model = NTKClassifierCV(KERNELS, ALPHAS, combine="stack").fit(X, labels, w)
    single = [NTKClassifierCV(k, ALPHAS, store_held_out=True).fit(X, labels, w) for k in KERNELS]
    held_out = np.stack([one.held_out_predictions_ for one in single])
    columns = np.stack([-held_out, held_out], axis=2) if classes == 2 else held_out
    direction = model.stack_["weight"]
    scaled = minimize(
        lambda t: log_loss(np.exp(t[0]) * np.tensordot(direction, columns, 1), labels, w), [1.0]
    )
    np.testing.assert_allclose(scaled.fun, by_search(columns, labels, w).fun, rtol=1e-6)
    expected = np.tensordot(direction, [one.decision_function(X) for one in single], 1)
    np.testing.assert_allclose(model.decision_function(X), expected, atol=1e-8)


def of_two_classes(n):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 2))
    return X, (np.sin(2 * X[:, 0]) + X[:, 1] + 0.3 * rng.standard_normal(n) > 0).astype(int)


@pytest.mark.parametrize(
    ("n", "options", "stacks"),
    [
        (99, {}, False),
        (100, {}, True),
        (100, {"store_held_out": True, "scoring": "accuracy", "learn_features": None}, True),
        (110, {}, True),
        (120, {"kernels": KERNELS}, False),
        (120, {"kernels": "ntk"}, False),
        (120, {"cv": 3}, False),
        (120, {"cv": "gcv"}, False),
        (120, {"max_search_samples": 110}, False),
        (120, {"solver": Nystrom(20)}, False),
        (120, {"solver": "cg"}, False),
        (120, {"learn_features": "diagonal"}, False),
        (120, {"combine": "best"}, False),
        (999, {"alphas": [0.1], "learn_features": None}, True),
        (1000, {"alphas": [0.1], "learn_features": None}, False),
    ],
)
def test_classifiers_add_up_small_fits_by_default(n, options, stacks):
    X, y = of_two_classes(n)
    model = NTKClassifierCV(**{"alphas": ALPHAS} | options).fit(X, y)
    assert hasattr(model, "stack_") == stacks
    assert model.score(X, y) > 0.8
    if stacks:
        learned = sum(isinstance(kernel, Scaled) for kernel in model.stack_["param_kernel"])
        assert len(model.stack_["weight"]) == 8 + learned
        assert (learned > 0) == (model.learned_features_ is not None) == ("learn_features" not in options)
        if "store_held_out" not in options:
            scored = clone(model).set_params(store_held_out=True).fit(X, y)
            assert scored.best_score_ == model.best_score_
            values = scored.held_out_predictions_[:, None] * [-1, 1] / scored.temperature_
            np.testing.assert_allclose(scored.best_score_, -log_loss(values, y, None), rtol=1e-6)
        assert not hasattr(model.set_params(combine="best").fit(X, y), "stack_")


@pytest.mark.parametrize(("n", "more", "stacks"), [(90, 40, False), (99, 98, False), (150, 100, True)])
def test_equal_samples_count_once_where_held_out_values_are_kept(n, more, stacks):
    X, y = of_two_classes(n)
    again = np.r_[:n, :more]
    models = [NTKClassifierCV(store_held_out=keep).fit(X[again], y[again]) for keep in (False, True)]
    assert [hasattr(model, "stack_") for model in models] == [stacks, stacks]
    assert [model.learned_features_ is not None for model in models] == [stacks, stacks]
    plain = [clone(model).set_params(learn_features=None).fit(X[again], y[again]) for model in models]
    np.testing.assert_allclose(*(model.decision_function(X) for model in plain), atol=1e-5)


def test_scores_by_default_are_by_weights_of_other_folds():
    X, y = of_two_classes(110)
    model = NTKClassifierCV(alphas=ALPHAS, learn_features=None, store_held_out=True).fit(X, y)
    kernels, order = model.stack_["param_kernel"], search_order(110, 0, y)
    single = [NTKClassifierCV(kernel, ALPHAS, store_held_out=True).fit(X, y) for kernel in kernels]
    left_out, values = np.stack([one.held_out_predictions_ for one in single])[:, :, None], np.empty((110, 1))
    for start in range(5):
        test = order[start::5]
        train = np.setdiff1d(order, test)
        values[test] = np.tensordot(
            log_loss_weights(left_out[:, train], y[train], None), left_out[:, test], 1
        )
    np.testing.assert_allclose(model.held_out_predictions_, values[:, 0], atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_fits_add_up_by_their_exact_held_out_predictions(data, weighted):
    X, y, w = data
    w = w if weighted else None
    model = NTKRegressorCV(KERNELS, ALPHAS, combine="stack", clip=False).fit(X, y, w)
    penalties, weights = parts_by_hand(X, y, w)
    np.testing.assert_allclose(model.stack_["weight"], weights, atol=1e-5)
    assert (weights > 0.01).sum() > 1
    np.testing.assert_array_equal(model.stack_["param_alpha"], penalties)
    assert model.stack_["param_kernel"] == KERNELS
    parts, weights = fits(X, y, w, penalties), model.stack_["weight"]
    expected = sum(weight * fit.predict(X) for weight, fit in zip(weights, parts, strict=True))
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-9)
    heaviest = parts[weights.argmax()]
    assert model.kernel_ == heaviest.kernel_
    assert model.alpha_ == heaviest.alpha
    np.testing.assert_allclose(model.dual_coef_, heaviest.dual_coef_, atol=1e-9)
    assert all(part.X is model.X_fit_ for part in model._summed())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert f"{weights.max():.3g} of {describe_kernel(model.kernel_)}, penalty" in repr(model)


def test_gradients_are_those_of_the_sum(data):
    X, y, _ = data
    model = NTKRegressorCV(KERNELS[:2], ALPHAS, combine="stack", clip=False).fit(X, y)
    h = 1e-6 * np.eye(2)
    new = X[:5] + 0.01
    expected = [(model.predict(new + step) - model.predict(new - step)) / 2e-6 for step in h]
    np.testing.assert_allclose(model.predict_gradient(new), np.stack(expected, axis=1), atol=1e-6)


@pytest.mark.parametrize("clip", [False, True])
def test_scores_are_nested(data, clip):
    """In each fold penalties and weights are made anew of the training rows alone."""
    X, y, w = data
    options = {"combine": "stack", "clip": clip, "store_held_out": True}
    model = NTKRegressorCV(KERNELS, ALPHAS, **options).fit(X, y, w)
    order = search_order(60, 0)
    values = np.empty(60)
    for start in range(5):
        test = np.sort(order[start::5])
        train = np.setdiff1d(np.arange(60), test)
        penalties, weights = parts_by_hand(X[train], y[train], w[train], clip)
        parts = fits(X[train], y[train], w[train], penalties)
        values[test] = sum(weight * fit.predict(X[test]) for weight, fit in zip(weights, parts, strict=True))
        if clip:
            low, high = y[train].min(), y[train].max()
            values[test] = np.clip(values[test], low - 0.1 * (high - low), high + 0.1 * (high - low))
    np.testing.assert_allclose(model.held_out_predictions_, values, atol=1e-4)
    np.testing.assert_allclose(model.best_score_, -np.average((y - values) ** 2, weights=w), rtol=1e-4)


@pytest.mark.parametrize("cv", [None, GroupKFold(4)], ids=["loo", "groups"])
def test_no_held_out_value_depends_on_its_own_fold(data, cv):
    X, y, _ = data
    groups = np.arange(60) // 5
    options = {"combine": "stack", "cv": cv, "store_held_out": True}
    given = {"groups": groups} if isinstance(cv, GroupKFold) else {}
    model = NTKRegressorCV(KERNELS, [0.1], **options).fit(X, y, **given)
    order = search_order(60, 0)
    splits = [(None, order[i::5]) for i in range(5)] if cv is None else list(cv.split(X, groups=groups))
    for _, test in splits[:2]:
        other = y.copy()
        other[test] = 5 - 3 * y[test]
        changed = NTKRegressorCV(KERNELS, [0.1], **options).fit(X, other, **given)
        np.testing.assert_allclose(
            changed.held_out_predictions_[test], model.held_out_predictions_[test], rtol=1e-9
        )
        assert not np.allclose(changed.held_out_predictions_, model.held_out_predictions_)


def test_classifiers_calibrate_on_left_out_values_by_weights_of_other_folds(data):
    X, y, _ = data
    labels = np.digitize(y, [-0.5, 0.8])
    model = NTKClassifierCV(KERNELS[:2], ALPHAS, combine="stack", store_held_out=True)
    model.fit(sparse.csr_array(X), labels)
    single = [NTKClassifierCV(k, ALPHAS, store_held_out=True).fit(X, labels) for k in KERNELS[:2]]
    left_out, order = np.stack([one.held_out_predictions_ for one in single]), search_order(60, 0, labels)
    values = np.empty((60, 3))
    for start in range(5):
        test = order[start::5]
        train = np.setdiff1d(order, test)
        weights = log_loss_weights(left_out[:, train], labels[train], None)
        values[test] = np.tensordot(weights, left_out[:, test], 1)
    assert not np.allclose(values, model.held_out_predictions_)
    smoothed = np.where(np.eye(3)[labels] > 0, 1 - 1 / 62, 1 / 124)

    def loss(t):
        scores = values / t
        return -(smoothed * (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))).sum(axis=1).mean()

    assert loss(model.temperature_) < min(loss(1.02 * model.temperature_), loss(model.temperature_ / 1.02))
    assert model.score(sparse.csr_array(X), labels) > 0.8
    by_folds = NTKClassifierCV(KERNELS[:2], ALPHAS, combine="stack", cv=5, store_held_out=True).fit(X, labels)
    values = by_folds.held_out_predictions_
    assert loss(by_folds.temperature_) < min(
        loss(1.02 * by_folds.temperature_), loss(by_folds.temperature_ / 1.02)
    )
    np.testing.assert_allclose(model.predict_proba(sparse.csr_array(X)).sum(axis=1), 1)


def test_other_solvers_and_fewer_rows(data):
    X, y, _ = data
    few = NTKRegressorCV(KERNELS, combine="stack", max_search_samples=40)
    exact = few.fit(X, y)
    assert exact.loo_path_.n_samples == 40
    assert len(exact.X_fit_) == 60
    centres = NTKRegressorCV(KERNELS, combine="stack", max_search_samples=40, solver=Nystrom(60)).fit(X, y)
    assert centres.kernel_ == exact.kernel_
    assert len(centres._parts) == len(exact._parts) > 1
    np.testing.assert_allclose(centres.predict(X), exact.predict(X), atol=1e-5)
    several = NTKRegressorCV(KERNELS, combine="stack").fit(X, np.c_[y, 3 - y])
    assert several.predict(X).shape == (60, 2)
    best = several.set_params(combine="best").fit(X, y)
    assert not hasattr(best, "stack_")


def test_rows_of_other_libraries_have_the_same_predictions(data):
    X, y, _ = data
    model = NTKRegressorCV(KERNELS[:2], ALPHAS, combine="stack").fit(X, y)
    assert len(model._parts) == 2
    with dispatch():
        np.testing.assert_allclose(
            numbers(model.predict(NAMESPACES[0].asarray(3 * X))), model.predict(3 * X), rtol=1e-9
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"combine": "mean"}, "combine must be one of 'auto', 'best', 'stack'; got 'mean'"),
        ({"learn_features": "diagonal"}, "'diagonal' is for one kernel"),
        ({"cv": "gcv"}, "cv='gcv' has not"),
        ({"kernels": "precomputed"}, "'precomputed' is one"),
        ({"cv": KFold(2)}, "three folds or more"),
        ({"cv": ShuffleSplit(3, random_state=0)}, "hold out every sample once"),
        ({"max_search_samples": 3}, "at least 4 different samples"),
        ({"max_search_samples": 30, "store_held_out": True}, "a larger max_search_samples"),
    ],
)
def test_what_cannot_be_stacked_is_refused(data, options, message):
    X, y, _ = data
    with pytest.raises(ValueError, match=message):
        NTKRegressorCV(**{"kernels": KERNELS, "combine": "stack"} | options).fit(X @ X.T, y)
    with pytest.raises(ValueError, match="alpha_per_target=False"):
        NTKRegressorCV(KERNELS, combine="stack", alpha_per_target=True).fit(X, np.c_[y, y])
