"""Successive halving: few rows for all kernels, all rows for the last ones."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut

from ntklib._core.threads import set_threads
from ntklib.estimators import NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.estimators.ridge import _halving
from ntklib.estimators.ridge._cv import search_order
from ntklib.estimators.ridge._halving import comparison_rounds, first_part, survivors
from ntklib.plotting import LeaveOneOutPathDisplay
from tests.solvers import brute_ridge

ALPHAS = [0.01, 0.1, 1.0]
LENGTHS = [0.02, 0.1, 1.0, 10.0, 100.0, 1000.0, 3.0]
KERNELS = [RBF(length) for length in LENGTHS]


@pytest.fixture(autouse=True)
def small_rounds(monkeypatch):
    monkeypatch.setattr(_halving, "LEAST", 20)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2))
    return X, np.sin(2 * X[:, 0]) + 0.1 * rng.standard_normal(100), rng.uniform(0.5, 2, 100)


def rounds_of(model):
    """Units of each round, and the kernels that were compared on them, from the table."""
    table = model.cv_results_
    sizes = sorted(set(table["n_samples"].tolist()))
    return {n: [k for k in KERNELS if k in table["param_kernel"][table["n_samples"] == n]] for n in sizes}


@pytest.mark.parametrize(
    ("n_kernels", "n", "sizes"),
    [
        (10, 3000, [(10, 750), (5, 1500), (3, 3000)]),
        (10, 1999, [(10, 999), (5, 1999)]),
        (10, 999, [(10, 999)]),
        (40, 4001, [(40, 500), (20, 1000), (10, 2000), (5, 4001)]),
        (3, 3000, [(3, 1500), (2, 3000)]),
        (4, 100_000, [(4, 50_000), (2, 100_000)]),
        (2, 3000, [(2, 3000)]),
        (1, 3000, [(1, 3000)]),
    ],
)
def test_kernels_and_rows_change_by_halves(n_kernels, n, sizes, monkeypatch):
    monkeypatch.setattr(_halving, "LEAST", 500)
    order = np.random.default_rng(0).permutation(n)
    rounds = comparison_rounds(n_kernels, order, None, halving=True)
    assert [(count, len(rows)) for count, rows in rounds] == sizes
    for few, more in pairwise(rounds):
        assert np.isin(few.rows, more.rows).all()
    np.testing.assert_array_equal(rounds[-1].rows, np.arange(n))
    (only,) = comparison_rounds(n_kernels, order, None, halving=False)
    np.testing.assert_array_equal(only.rows, np.arange(n))


def test_no_round_leaves_a_fold_empty():
    order = np.random.default_rng(0).permutation(160)
    whole = [(np.arange(80), np.arange(80, 160))]
    assert len(comparison_rounds(8, order, whole, halving=True)) == 3
    first = int(np.argmax(order >= 80)), order
    late = [(np.arange(160), order[[50, 60]])]  # found by the second half of the order only
    assert [len(rows) for _, rows in comparison_rounds(8, order, late, halving=True)] == [80, 160]
    assert first[0] < 80
    every = list(LeaveOneOut().split(order))
    assert [len(rows) for _, rows in comparison_rounds(8, order, every, halving=True)] == [160]


def test_equal_ranks_go_on_together():
    assert survivors([(1.0, 0.0), (3.0, 0.0), (2.0, 1.0), (2.0, 2.0)], 2) == [1, 3]
    assert survivors([(1.0, 0.0), (3.0, 0.0), (2.0, 1.0), (2.0, 1.0)], 2) == [1, 2, 3]
    assert survivors([(-np.inf, -np.inf)] * 3, 1) == [0, 1, 2]


def test_every_beginning_of_the_order_is_stratified():
    strata = np.r_[np.zeros(800), np.ones(190), np.full(9, 2), 3].astype(int)
    order = search_order(1000, 0, strata)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    for n in (10, 50, 125, 250, 500):
        counts = np.bincount(strata[order[:n]], minlength=4)
        assert counts.min() >= 1
        assert abs(counts - n * np.array([0.8, 0.19, 0.009, 0.001])).max() <= 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cv", [None, "gcv", KFold(4, shuffle=True, random_state=0)])
def test_the_clear_winner_is_that_of_all_kernels_on_all_rows(data, weighted, cv):
    X, y, w = data
    w = w if weighted else None
    halved = NTKRegressorCV(KERNELS, ALPHAS, cv=cv).fit(X, y, w)
    full = NTKRegressorCV(KERNELS, ALPHAS, cv=cv, halving=False).fit(X, y, w)
    assert {n: len(kernels) for n, kernels in rounds_of(halved).items()} == {25: 7, 50: 4, 100: 2}
    assert {n: len(kernels) for n, kernels in rounds_of(full).items()} == {100: 7}
    assert halved.kernel_ == full.kernel_ == RBF(1.0)
    assert halved.best_score_ == full.best_score_
    assert halved.alpha_ == full.alpha_
    np.testing.assert_array_equal(halved.dual_coef_, full.dual_coef_)
    np.testing.assert_array_equal(halved.loo_path_.scores, full.loo_path_.scores)


def test_scores_of_a_round_are_those_of_its_rows_alone(data):
    X, y, w = data
    model = NTKRegressorCV(KERNELS, ALPHAS, clip=False).fit(X, y, w)
    table, order = model.cv_results_, search_order(100, 0)
    for n, kernel, alpha, score in zip(
        *(table[name] for name in ("n_samples", "param_kernel", "param_alpha", "mean_test_score")),
        strict=True,
    ):
        if n == 25:
            rows = order[:n]
            left_out = brute_ridge.left_out(kernel(X[rows]), y[rows, None], alpha, w[rows])[:, 0]
            expected = -np.average((y[rows] - left_out) ** 2, weights=w[rows])
            np.testing.assert_allclose(score, expected, rtol=1e-7)


def test_the_better_half_goes_on_and_ranks_before_the_rest(data):
    X, y, _ = data
    model = NTKRegressorCV(KERNELS, ALPHAS).fit(X, y)
    table, rounds = model.cv_results_, rounds_of(model)
    tops = {
        n: [
            max(table["mean_test_score"][(table["n_samples"] == n) & (table["param_kernel"] == k)])
            for k in ks
        ]
        for n, ks in rounds.items()
    }
    for few, more in ((25, 50), (50, 100)):
        best = np.argsort(tops[few])[::-1][: len(rounds[more])]
        assert [rounds[few][i] for i in sorted(best)] == rounds[more]
    keys = list(zip(table["n_samples"], table["mean_test_score"], strict=True))
    ranks = [1 + sum(other > key for other in keys) for key in keys]  # equal scores share a rank
    np.testing.assert_array_equal(table["rank_test_score"], ranks)
    first = table["rank_test_score"] == 1
    assert table["mean_test_score"][first] == model.best_score_
    assert max(table["mean_test_score"][table["n_samples"] < 100]) > min(model.loo_path_.scores)


def test_held_out_values_are_those_of_refits_on_all_rows(data):
    X, y, w = data
    model = NTKRegressorCV(KERNELS, ALPHAS, store_held_out=True).fit(X, y, w)
    expected = brute_ridge.left_out(model.kernel_(X), y[:, None], model.alpha_, w)[:, 0]
    np.testing.assert_allclose(model.held_out_predictions_, expected, rtol=1e-7)
    np.testing.assert_allclose(model.best_score_, -np.average((y - expected) ** 2, weights=w), rtol=1e-7)
    assert model.loo_path_.n_samples == 100


def test_rounds_are_within_the_rows_searched_and_the_winner_is_searched_on_all(data):
    X, y, _ = data
    model = NTKRegressorCV(KERNELS, ALPHAS, max_search_samples=60).fit(X, y)
    assert {n: len(kernels) for n, kernels in rounds_of(model).items()} == {30: 7, 60: 4}
    full = NTKRegressorCV(RBF(1.0), ALPHAS).fit(X, y)
    np.testing.assert_allclose(model.loo_path_.scores, full.loo_path_.scores, rtol=1e-12)
    cg = NTKRegressorCV(KERNELS, ALPHAS, max_search_samples=60, solver="cg").fit(X, y)
    assert rounds_of(cg) == rounds_of(model)
    assert cg.best_score_ == max(cg.cv_results_["mean_test_score"][cg.cv_results_["n_samples"] == 60])


def test_classes_groups_and_copies(data):
    X, y, _ = data
    labels = np.digitize(y, [-0.8, 0.8])
    search = NTKClassifierCV(KERNELS, ALPHAS)
    halved = search.fit(X, labels)
    full = NTKClassifierCV(KERNELS, ALPHAS, halving=False).fit(X, labels)
    assert len(rounds_of(halved)) == 3
    assert halved.kernel_ == full.kernel_
    np.testing.assert_array_equal(halved.predict_proba(X), full.predict_proba(X))
    with set_threads(1):
        alone = NTKClassifierCV(KERNELS, ALPHAS).fit(X, labels)
    for name, column in alone.cv_results_.items():
        np.testing.assert_array_equal(column, search.cv_results_[name])
    counts = np.arange(100) % 3 + 1  # copies stay together
    weighed = NTKRegressorCV(KERNELS, ALPHAS).fit(X, y, counts)
    repeated = NTKRegressorCV(KERNELS, ALPHAS).fit(X.repeat(counts, axis=0), y.repeat(counts))
    for name in ("n_samples", "mean_test_score"):
        np.testing.assert_allclose(weighed.cv_results_[name], repeated.cv_results_[name], rtol=1e-9)
    groups = np.arange(100) // 10
    grouped = NTKRegressorCV(KERNELS, ALPHAS, cv=GroupKFold(5)).fit(X, y, groups=groups)
    assert len(rounds_of(grouped)) == 3
    apart = NTKRegressorCV(KERNELS, ALPHAS, alpha_per_target=True).fit(X, np.column_stack([y, -2 * y]))
    assert len(rounds_of(apart)) == 3
    np.testing.assert_allclose(apart.alpha_, apart.alpha_[0])


def test_one_seed_one_comparison(data):
    X, y, _ = data
    tables = [NTKRegressorCV(KERNELS, ALPHAS, random_state=seed).fit(X, y).cv_results_ for seed in (3, 3, 4)]
    np.testing.assert_array_equal(tables[0]["mean_test_score"], tables[1]["mean_test_score"])
    first = tables[0]["n_samples"] == 25
    assert (tables[0]["mean_test_score"][first] != tables[2]["mean_test_score"][first]).all()


def test_a_kernel_that_fails_on_few_rows_drops_out_and_is_told_of(data):
    X, y, _ = data

    def score(model, values, truth):
        flat = len(truth) < 100 and model.predict(values).std() < 0.1
        return np.nan if flat else -np.mean((model.predict(values) - truth) ** 2)

    with pytest.warns(UserWarning, match="NaN or infinite"):
        model = NTKRegressorCV([RBF(0.001), *map(RBF, (0.7, 1.0, 2.0))], ALPHAS, scoring=score).fit(X, y)
    table = model.cv_results_
    assert np.isnan(table["mean_test_score"][table["param_kernel"] == RBF(0.001)]).all()
    assert RBF(0.001) not in table["param_kernel"][table["n_samples"] == 100]

    def blind(model, values, truth):
        return np.nan if len(truth) < 100 else -np.mean((model.predict(values) - truth) ** 2)

    with pytest.warns(UserWarning, match="NaN or infinite"):
        model = NTKRegressorCV(KERNELS, ALPHAS, scoring=blind).fit(X, y)
    assert rounds_of(model)[100] == KERNELS  # nothing was known against any
    assert model.kernel_ == RBF(1.0)


def test_the_picture_shows_scores_on_equally_many_rows(data):
    X, y, _ = data
    model = NTKRegressorCV(KERNELS, ALPHAS).fit(X, y)
    display = LeaveOneOutPathDisplay.from_estimator(model)
    assert len(display.paths) == len(rounds_of(model)[100]) == 2
    refit = NTKRegressor(model.kernel_, alpha=model.alpha_).fit(X, y)
    np.testing.assert_allclose(model.dual_coef_, refit.dual_coef_, atol=1e-9)


def test_a_quarter_chooses_what_learns_where_that_is_enough():
    assert [first_part(n) for n in (39, 40, 80, 120)] == [0, 20, 20, 30]  # of 20 at least
