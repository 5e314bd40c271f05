"""Repeated rows: counts, importances, and leaving out one copy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics import accuracy_score, log_loss, make_scorer, r2_score
from sklearn.model_selection import KFold

from ntklib._core.threads import set_threads
from ntklib.estimators import (
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressorCV,
    TangentClassifierCV,
    TangentRegressorCV,
)
from ntklib.estimators._calibration import calibrated_log_loss, fit_temperature
from ntklib.estimators._units import make_units, merge_copies
from ntklib.kernels import NTK
from tests.solvers import brute_ridge

ALPHAS = np.array([10.0, 1.0, 0.1, 0.01])


@pytest.fixture
def table():
    """Few places, many rows: features X, numbers y, labels 0 to 2, and how often each row is there."""
    rng = np.random.default_rng(0)
    place = rng.integers(8, size=30)
    X = rng.standard_normal((8, 2))[place]
    y = np.round(np.sin(2 * X[:, 0]) + 0.5 * rng.standard_normal(30), 1)
    return X, y, (place + (rng.random(30) < 0.3)) % 3, rng.integers(1, 4, 30)


def repeated(counts, *arrays):
    return [np.repeat(array, counts, axis=0) for array in arrays]


def row_by_row(X, targets, alpha, importance, intercept=True):
    """Held-out values of every row by refits on all the other rows."""
    K = brute_ridge.rbf(X)
    return np.array(
        [
            K[i, rest] @ dual + constant
            for i in range(len(X))
            for rest in [np.arange(len(X)) != i]
            for dual, constant in [
                brute_ridge.fit(K[np.ix_(rest, rest)], targets[rest], alpha, importance[rest], intercept)
            ]
        ]
    )


def smoothed_loss(scores, labels, importance):
    """Log-loss against smoothed labels at the temperature of least loss, and that temperature."""
    z = np.column_stack([-scores[:, 0], scores[:, 0]]) if scores.shape[1] == 1 else scores
    doubt = 1 / (len(z) + 2)
    belief = np.where(labels[:, None] == np.arange(z.shape[1]), 1 - doubt, doubt / (z.shape[1] - 1))

    def loss(log_temperature):
        terms = (belief * log_softmax(z / np.exp(log_temperature), axis=1)).sum(axis=1)
        return -np.average(terms, weights=importance)

    best = minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})
    return best.fun, np.exp(best.x)


class TestHeldOutByRefits:
    @pytest.mark.parametrize("intercept", [False, True])
    def test_regression(self, table, intercept):
        X, y, _, counts = table
        X, y = repeated(counts, X, y)
        model = NTKRegressorCV(RBF(), ALPHAS, fit_intercept=intercept).fit(X, y)
        assert len(model.X_fit_) < len(X)
        one = np.ones(len(X))
        held = [row_by_row(X, y[:, None], alpha, one, intercept)[:, 0] for alpha in ALPHAS]
        np.testing.assert_allclose(
            model.loo_path_.scores, [-np.mean((y - values) ** 2) for values in held], rtol=1e-9
        )

    @pytest.mark.parametrize("class_weight", [None, {0: 0.5, 1: 1.0, 2: 3.0}, "balanced"])
    @pytest.mark.parametrize("classes", [2, 3])
    def test_classification(self, table, class_weight, classes):
        X, _, labels, counts = table
        X, labels = repeated(counts, X, labels % classes)
        importance = np.ones(len(X))
        if class_weight == "balanced":
            importance = (len(X) / classes / np.bincount(labels))[labels]
        elif class_weight:
            importance = np.array([class_weight[label] for label in labels])
            class_weight = {label: class_weight[label] for label in range(classes)}
        targets = 2.0 * (labels[:, None] == np.arange(classes)) - 1
        targets = targets[:, 1:] if classes == 2 else targets
        model = NTKClassifierCV(RBF(), ALPHAS, class_weight=class_weight).fit(X, labels)
        held = [row_by_row(X, targets, alpha, importance) for alpha in ALPHAS]
        losses = [smoothed_loss(values, labels, importance)[0] for values in held]
        np.testing.assert_allclose(model.loo_path_.scores, -np.array(losses), rtol=1e-7)
        chosen = held[int(np.argmin(losses))]
        temperature = smoothed_loss(chosen, labels, importance)[1]
        np.testing.assert_allclose(model.temperature_, temperature, rtol=1e-6)
        single = NTKClassifier(RBF(), alpha=model.alpha_, class_weight=class_weight).fit(X, labels)
        np.testing.assert_allclose(single.temperature_, temperature, rtol=1e-6)

    def test_any_scorer(self, table):
        X, y, labels, counts = table
        rows, values, classes = repeated(counts, X, y, labels)
        held = row_by_row(rows, values[:, None], 0.1, np.ones(len(rows)))[:, 0]
        for scoring, score in (
            ("r2", r2_score(values, held)),
            (lambda model, X, y: -np.abs(model.predict(X) - y).sum(), -np.abs(held - values).sum()),
        ):
            for fitted in (
                NTKRegressorCV(RBF(), [0.1], scoring=scoring).fit(rows, values),
                NTKRegressorCV(RBF(), [0.1], scoring=scoring).fit(X, y, sample_weight=counts),
                NTKRegressorCV("precomputed", [0.1], scoring=scoring).fit(brute_ridge.rbf(rows), values),
            ):
                np.testing.assert_allclose(fitted.best_score_, score, rtol=1e-9)
        targets = 2.0 * (classes[:, None] == np.arange(3)) - 1
        held = row_by_row(rows, targets, 0.1, np.ones(len(rows)))
        temperature = smoothed_loss(held, classes, None)[1]
        probabilities = np.exp(log_softmax(held / temperature, axis=1))
        for scoring, score in (
            ("neg_log_loss", -log_loss(classes, probabilities)),
            (lambda model, X, y: -log_loss(y, model.predict_proba(X)), -log_loss(classes, probabilities)),
            ("accuracy", accuracy_score(classes, held.argmax(axis=1))),
        ):
            for fitted in (
                NTKClassifierCV(RBF(), [0.1], scoring=scoring).fit(rows, classes),
                NTKClassifierCV(RBF(), [0.1], scoring=scoring).fit(X, labels, sample_weight=counts),
            ):
                np.testing.assert_allclose(fitted.best_score_, score, rtol=1e-6)

    def test_scorers_are_given_counts_times_importances(self, table):
        X, _, labels, counts = table
        seen = []

        def weigh(truth, predicted, sample_weight=None):
            seen.append(np.bincount(truth, weights=sample_weight))
            return 0.0

        factor = {0: 0.5, 1: 1.0, 2: 3.0}
        model = NTKClassifierCV(RBF(), [0.1], scoring=make_scorer(weigh), class_weight=factor)
        model.fit(*repeated(counts, X, labels))
        model.fit(X, labels, sample_weight=counts)
        for total in seen:
            np.testing.assert_allclose(total, np.bincount(labels, weights=counts) * [0.5, 1, 3])

    def test_too_many_copies_for_a_scorer_without_weights(self, table):
        X, y, _, counts = table
        model = NTKRegressorCV(RBF(), [0.1], scoring=lambda model, X, y: 0.0)
        with pytest.raises(ValueError, match="scoring takes no sample_weight"):
            model.fit(X, y, sample_weight=10_000_000 * counts)


def outcome(model):
    """All that a search says."""
    names = ("alpha_", "best_score_", "temperature_")
    return [getattr(model, name, 0.0) for name in names] + list(model.loo_path_.scores)


OPTIONS = [
    *((NTKRegressorCV, {"cv": cv, "fit_intercept": b}) for cv in (None, "gcv") for b in (False, True)),
    (NTKRegressorCV, {"scoring": "neg_mean_absolute_error"}),
    *(
        (NTKClassifierCV, {"scoring": s, "class_weight": "balanced"})
        for s in (None, "accuracy", "roc_auc_ovr")
    ),
    (NTKClassifierCV, {"cv": "gcv"}),
]


@pytest.mark.parametrize(("make", "options"), OPTIONS)
class TestWholeWeightsAreCounts:
    @pytest.fixture
    def y(self, table, make):
        return table[2] if make is NTKClassifierCV else table[1]

    def test_as_repeated_rows(self, table, y, make, options):
        X, counts = table[0], table[3]
        rows, values = repeated(counts, X, y)
        apart = make("precomputed", ALPHAS, **options).fit(brute_ridge.rbf(rows), values)
        merged = make(RBF(), ALPHAS, **options).fit(rows, values)
        np.testing.assert_allclose(outcome(merged), outcome(apart), rtol=1e-7)
        new = X[:5] + 0.1
        for dtype in (np.uint8, np.int64, np.float32, np.float64, object):
            weighed = make(RBF(), ALPHAS, **options).fit(X, y, sample_weight=counts.astype(dtype))
            np.testing.assert_allclose(outcome(weighed), outcome(apart), rtol=1e-7)
            np.testing.assert_allclose(weighed.predict(new), merged.predict(new), atol=1e-9)

    def test_zero_is_absent(self, table, y, make, options):
        X, counts = table[0], table[3].copy()
        counts[::4] = 0
        present = make(RBF(), ALPHAS, **options).fit(*repeated(counts, X, y))
        weighed = make(RBF(), ALPHAS, **options).fit(X, y, sample_weight=counts)
        np.testing.assert_allclose(outcome(weighed), outcome(present), rtol=1e-7)
        kept = counts > 0
        present = make(RBF(), ALPHAS, **options).fit(X[kept], y[kept])
        masked = make(RBF(), ALPHAS, **options).fit(X, y, sample_weight=kept)
        np.testing.assert_allclose(outcome(masked), outcome(present), rtol=1e-12)


class TestOtherWeightsAreImportances:
    def test_one_copy_a_row(self, table):
        X, y, _, counts = table
        importance = counts - 0.25
        held = row_by_row(X, y[:, None], 0.1, importance)[:, 0]
        model = NTKRegressorCV(RBF(), [0.1]).fit(X, y, sample_weight=importance)
        np.testing.assert_allclose(
            model.best_score_, -np.average((y - held) ** 2, weights=importance), rtol=1e-9
        )

    def test_equal_rows_of_equal_importance_are_merged_others_not(self):
        X = np.array([[1.0, 0.0], [1.0, -0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
        y = np.array([3.0, 3.0, 3.0, 1.0, 4.0])[:, None]
        for rows in (X, sparse.csr_matrix(X)):
            units = merge_copies(make_units(rows, y, [0.5, 0.5, 1.5, 0.5, 0.5], precomputed=False))
            assert units.support.tolist() == [0, 2, 3, 4]
            assert units.counts.tolist() == [2, 1, 1, 1]
            assert units.importances.tolist() == [0.5, 1.5, 0.5, 0.5]
            assert units.weights.tolist() == [1.0, 1.5, 0.5, 0.5]
            units = merge_copies(make_units(rows, y, [2, 3, 1, 4, 1], precomputed=False))
            assert (units.counts.tolist(), units.importances) == ([6, 4, 1], None)
            assert units.n_copies == 11

    def test_held_out_values_are_those_of_all_rows_apart(self, table):
        X, y, _, counts = table
        X, y, importance = repeated(counts, X, y, np.where(np.arange(30) % 2, 0.5, 1.75))
        held = row_by_row(X, y[:, None], 1.0, importance)[:, 0]
        model = NTKRegressorCV(RBF(), [1.0]).fit(X, y, sample_weight=importance)
        np.testing.assert_allclose(
            model.best_score_, -np.average((y - held) ** 2, weights=importance), rtol=1e-9
        )

    @pytest.mark.parametrize("size", [1e-300, 1e-20, 1e10, 1e300])
    def test_light_samples_are_not_lost_beside_heavy_ones(self, table, size):
        X, y, _, _ = table
        weights = np.where(np.arange(30) < 5, size, 1.5)
        X = X + 0.1 * np.random.default_rng(1).standard_normal(X.shape)
        K = RBF()(X)
        for penalty in (1e-3, 1.0):
            held = brute_ridge.left_out(K, y[:, None], penalty, weights)[:, 0]
            dual, b = brute_ridge.fit(K, y[:, None], penalty, weights)
            model = NTKRegressorCV(RBF(), [penalty], clip=False, store_held_out=True)
            model.fit(X, y, sample_weight=weights)
            np.testing.assert_allclose(model.held_out_predictions_, held, atol=1e-8)
            np.testing.assert_allclose(model.predict(X), (K @ dual + b)[:, 0], atol=1e-8)
            folds = NTKRegressorCV(RBF(), [penalty], cv=KFold(30), clip=False, store_held_out=True)
            folds.fit(X, y, sample_weight=weights)
            np.testing.assert_allclose(folds.held_out_predictions_, held, atol=1e-8)

    def test_weights_whose_sum_overflows_are_refused(self, table):
        X, _, labels, _ = table
        for model in (NTKClassifier(), NTKClassifierCV(RBF()), TangentClassifierCV(kernel=RBF())):
            with pytest.raises(ValueError, match=r"sample weights.* too large to be added up"):
                model.fit(X, labels, sample_weight=np.full(30, 1e307))

    def test_only_ratios_to_the_penalty_count(self, table):
        X, _, labels, counts = table
        small, large = (
            NTKClassifierCV(RBF(), ALPHAS * scale).fit(X, labels, sample_weight=scale * (counts - 0.5))
            for scale in (1e-3, 0.7)
        )
        np.testing.assert_allclose(small.loo_path_.scores, large.loo_path_.scores, rtol=1e-9)
        np.testing.assert_allclose(small.temperature_, large.temperature_, rtol=1e-9)


def test_balanced_classes_weigh_the_same(table):
    X, _, labels, counts = table
    for weight in (counts, counts - 0.25):
        own = np.bincount(labels, weights=weight)
        factor = {label: own.sum() / 3 / own[label] for label in range(3)}
        given, balanced = (
            NTKClassifier(RBF(), class_weight=w).fit(X, labels, sample_weight=weight)
            for w in (factor, "balanced")
        )
        np.testing.assert_allclose(balanced.dual_coef_, given.dual_coef_, atol=1e-12)
        np.testing.assert_allclose(balanced.temperature_, given.temperature_, rtol=1e-12)


def test_the_temperature_is_that_of_all_copies(table):
    counts = table[3]
    scores = np.random.default_rng(1).standard_normal((30, 3)) + 2 * np.eye(3)[table[2]]
    values, labels = repeated(counts, scores, table[2])
    expected, temperature = smoothed_loss(values, labels, None)
    found = fit_temperature(scores, table[2], counts, counts.sum())
    np.testing.assert_allclose(found, temperature, rtol=1e-6)
    np.testing.assert_allclose(
        calibrated_log_loss(scores, table[2], counts, counts.sum()), expected, rtol=1e-7
    )


@pytest.mark.parametrize("make", [TangentRegressorCV, TangentClassifierCV])
def test_folds_count_copies_too(table, make):
    X, y, labels, counts = table
    values = labels if make is TangentClassifierCV else y
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    place = np.repeat(np.arange(30), counts)
    whole = [tuple(np.flatnonzero(np.isin(place, side)) for side in fold) for fold in folds]
    options = {"kernel": NTK(bias_std=0.5), "loss": "squared_error", "max_iters": [1, 10, 100]}
    weighed = make(**options, cv=folds).fit(X, values, sample_weight=counts)
    apart = make(**options, cv=whole).fit(*repeated(counts, X, values))
    np.testing.assert_allclose(weighed.stopping_path_.scores, apart.stopping_path_.scores, rtol=1e-9)
    assert weighed.max_iter_ == apart.max_iter_
    if make is TangentClassifierCV:
        np.testing.assert_allclose(weighed.temperature_, apart.temperature_, rtol=1e-9)


# simulated tables of few different rows, whose labels are noisy

DIGITS = "1110111 0010010 1011101 1011011 0111010 1101011 1101111 1010010 1111111 1111011"
SEGMENTS = np.array([list(digit) for digit in DIGITS.split(" ")], dtype=int)
KERNEL = NTK(depth=2, weight_std=np.sqrt(2), bias_std=0.3, input_scaling="fan_in")
PENALTIES = np.logspace(-3, 3, 13)


def displays(rng, n):
    """The seven segments of a digit, each wrong with probability 0.1."""
    digits = rng.integers(10, size=n)
    return (SEGMENTS[digits] ^ (rng.random((n, 7)) < 0.1)).astype(float), digits


def passengers(rng, n):
    """Class, sex and age group, and who survived."""
    cabin, male, child = rng.choice(4, p=[0.15, 0.13, 0.32, 0.4], size=n), rng.random(n), rng.random(n)
    male, child = male < 0.78, child < 0.05
    odds = np.array([1.6, 0.3, -0.5, -0.4])[cabin] + np.where(male, -1.4, 1.0) + child
    return np.column_stack([np.eye(4)[cabin], male, child]), (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(
        int
    )


def all_copies_at_once(X, labels):
    """The penalty that predicting each row without any of its copies would choose."""
    units, counts = np.unique(np.column_stack([X, labels]), axis=0, return_counts=True)
    K, own = KERNEL(units[:, :-1]), units[:, -1].astype(int)
    targets = 2.0 * (own[:, None] == np.unique(labels)) - 1
    losses = []
    with set_threads(1):
        for penalty in PENALTIES:
            M = np.linalg.inv(K + np.diag(penalty / counts))
            C = M - np.outer(M.sum(axis=0), M.sum(axis=0)) / M.sum()
            held_out = targets - C @ targets / np.diag(C)[:, None]
            losses.append(smoothed_loss(held_out, own, counts)[0])
    return PENALTIES[int(np.argmin(losses))]


@pytest.mark.parametrize("table", [displays, passengers])
def test_what_a_search_claims_holds_on_fresh_rows(table):
    gaps, errors, gains = [], [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        (X, labels), (fresh, truth) = table(rng, 1000), table(rng, 5000)
        model = NTKClassifierCV(KERNEL, PENALTIES).fit(X, labels)
        old = NTKClassifier(KERNEL, alpha=all_copies_at_once(X, labels)).fit(X, labels)
        ours, theirs = (-np.log(m.predict_proba(fresh)[np.arange(5000), truth]) for m in (model, old))
        gaps.append(-model.best_score_ - ours.mean())
        errors.append(ours.std() * np.sqrt(1 / 1000 + 1 / 5000))
        gains.append(theirs.mean() - ours.mean())
    assert abs(np.mean(gaps)) < np.mean(errors) / 2  # a standard error of the mean of four
    assert np.mean(gains) > 0.01
    assert min(gains) > -0.001


@pytest.mark.parametrize("kernel", [KERNEL, lambda X, Y: KERNEL(X, Y)])
def test_rounding_does_not_tell_equal_rows_apart(kernel):
    """In float32 the labels of a place would be learned by it, and held-out copies recognised."""
    X, labels = passengers(np.random.default_rng(0), 1000)
    penalties = [1e-6, 1e-3, 1.0]
    single, double = (NTKClassifierCV(kernel, penalties).fit(X.astype(t), labels) for t in ("f", "d"))
    np.testing.assert_allclose(single.loo_path_.scores, double.loo_path_.scores, atol=1e-5)
    assert single.alpha_ == double.alpha_
    for penalty in penalties:
        single, double = (NTKClassifier(kernel, alpha=penalty).fit(X.astype(t), labels) for t in ("f", "d"))
        np.testing.assert_allclose(single.temperature_, double.temperature_, rtol=1e-5)
        np.testing.assert_allclose(
            single.decision_function(X.astype("f")), double.decision_function(X), atol=1e-5
        )
