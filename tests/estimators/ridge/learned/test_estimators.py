"""Learned features in the searches: what is kept, why, and that the fit is that of the kernel it names."""

import pickle
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold

from ntklib import NTK, Laplace, NTKClassifierCV, NTKRegressor, NTKRegressorCV, set_threads
from ntklib.estimators._calibration import fit_temperature
from ntklib.estimators.ridge import _halving
from ntklib.estimators.ridge._cv import search_order
from ntklib.kernels import Scaled
from ntklib.plotting import LeaveOneOutPathDisplay
from ntklib.solvers import ApproximationWarning, ConjugateGradient, Nystrom


@cache
def two_of_many(n=500, d=32):
    """A step in two columns of many, with noise: training and new rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + 500, d))
    y = ((X[:, 0] > 0.3) != (X[:, 1] > -0.2)) + 0.1 * rng.normal(size=n + 500)
    return X[:n], y[:n], X[n:], y[n:]


@cache
def small(d=3, n=60):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, d))
    return X, np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=n)


def learner(**parameters):
    defaults = {"kernels": Laplace(2.0), "alphas": [1.0, 0.1, 0.01], "learn_features": "diagonal"}
    return NTKRegressorCV(**defaults | parameters)


def test_two_columns_of_many_are_found_and_without_scales_they_are_not():
    X, y, new, truth = two_of_many()
    found = NTKRegressorCV().fit(X, y)
    assert found.score(new, truth) > 0.8
    assert NTKRegressorCV(learn_features=None).fit(X, y).score(new, truth) < 0.2
    assert found.learned_features_.kept
    assert isinstance(found.kernel_, Scaled)
    assert found.feature_importances_[:2].sum() > 0.95
    assert set(np.argsort(found.kernel_.scales)[-2:]) == {0, 1}
    assert "rounds, kept: on folds negative mean squared error -0." in found.learned_features_.words
    assert "Scaled" in repr(found)


def test_scales_that_do_not_help_are_not_kept_and_change_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = np.square(X).sum(axis=1) + rng.normal(size=120)
    auto, plain = (
        NTKRegressorCV(combine="best", learn_features=choice).fit(X, y) for choice in ("auto", None)
    )
    record = auto.learned_features_
    assert not record.kept
    assert record.difference <= record.standard_error
    assert record.difference == pytest.approx(record.score - record.fixed_score)
    assert plain.learned_features_ is None
    assert auto.kernel_ == plain.kernel_
    np.testing.assert_array_equal(auto.predict(X), plain.predict(X))


def brute_force(X, y, splits, kernel, alphas, rounds, known=()):
    """Fold scores of every round, scales of the last on all rows, places of penalties and held-out values.

    All by refits; places of the first penalties may be known. The last round on all rows is from the mean of
    the diagonals that folds had before it.
    """
    scales, places, scores, means = [np.ones(X.shape[1]) for _ in splits], [], [], []
    for n in range(rounds + 1):
        means.append(np.sqrt(np.mean(np.square(scales), axis=0)))
        models = [
            [NTKRegressor(Scaled(kernel, s), alpha=a).fit(X[train], y[train]) for a in alphas]
            for s, (train, _) in zip(scales, splits, strict=True)
        ]
        held = [[m.predict(X[test]) for m in row] for row, (_, test) in zip(models, splits, strict=True)]
        errors = [
            [np.mean((v - y[test]) ** 2) for v in row] for row, (_, test) in zip(held, splits, strict=True)
        ]
        best = known[n] if n < len(known) else int(np.mean(errors, axis=0).argmin())
        places, scores = [*places, best], [*scores, -np.mean(errors, axis=0)[best]]
        chosen = np.empty(len(y))
        for row, (_, test) in zip(held, splits, strict=True):
            chosen[test] = row[best]
        slopes = [
            row[best].predict_gradient(X[train]) for row, (train, _) in zip(models, splits, strict=True)
        ]
        scales = [np.sqrt(s.shape[1] * (s**2).mean(axis=0) / (s**2).mean(axis=0).sum()) for s in slopes]
    last = NTKRegressor(Scaled(kernel, means[-2]), alpha=alphas[places[-2]]).fit(X, y)
    slope = last.predict_gradient(X)
    scale = np.sqrt(slope.shape[1] * (slope**2).mean(axis=0) / (slope**2).mean(axis=0).sum())
    return scores, scale, places, chosen


def test_folds_learn_from_their_training_rows_alone():
    X, y = small()
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = learner(cv=splits, clip=False, store_held_out=True).fit(X, y)
    record = model.learned_features_
    alphas = [1.0, 0.1, 0.01]
    scores, scales, places, held_out = brute_force(X, y, splits, Laplace(2.0), alphas, record.n_rounds)
    alpha = alphas[places[-1]]
    assert record.n_rounds >= 1
    np.testing.assert_allclose(record.round_scores[: record.n_rounds + 1], scores, rtol=1e-8)
    np.testing.assert_allclose(model.kernel_.scales, scales, rtol=1e-8)
    np.testing.assert_allclose(model.held_out_predictions_, held_out, rtol=1e-8)
    assert model.alpha_ == alpha
    assert model.best_score_ == record.score == pytest.approx(scores[-1])
    assert model.loo_path_.method == "cross-validation"
    by_name = NTKRegressor(model.kernel_, alpha=alpha).fit(X, y)
    np.testing.assert_allclose(model.predict(X), by_name.predict(X), rtol=1e-10)


def test_a_part_of_the_rows_chooses_the_kernel_and_where_to_look(monkeypatch):
    monkeypatch.setattr(_halving, "LEAST", 30)
    X, y = small(n=90)
    alphas, kernels = [1.0, 0.1, 0.01], [Laplace(2.0), NTK(depth=1)]
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    part = np.sort(search_order(90, 0)[:30])
    inside = [tuple(np.flatnonzero(np.isin(part, side)) for side in fold) for fold in splits]
    first = []
    for kernel in kernels:
        model = learner(kernels=kernel, cv=inside, clip=False).fit(X[part], y[part])
        n_rounds = model.learned_features_.n_rounds
        scores, _, places, _ = brute_force(X[part], y[part], inside, kernel, alphas, n_rounds)
        np.testing.assert_allclose(model.learned_features_.round_scores[: n_rounds + 1], scores, rtol=1e-8)
        first.append((scores[-1], places, kernel))
    _, known, kernel = max(first, key=lambda entry: entry[0])
    model = learner(kernels=kernels, cv=splits, clip=False, random_state=0, store_held_out=True).fit(X, y)
    record = model.learned_features_
    assert record.kernel == kernel
    assert record.n_rounds >= len(known) - 1 > 0
    assert record.n_samples == 90
    scores, scales, places, held_out = brute_force(X, y, splits, kernel, alphas, record.n_rounds, known[:-1])
    np.testing.assert_allclose(record.round_scores[: record.n_rounds + 1], scores, rtol=1e-8)
    np.testing.assert_allclose(model.kernel_.scales, scales, rtol=1e-8)
    np.testing.assert_allclose(model.held_out_predictions_, held_out, rtol=1e-8)
    assert model.alpha_ == alphas[places[-1]]


@pytest.mark.parametrize("solver", ["cholesky", Nystrom(30)], ids=["exact", "nystrom"])
def test_rows_that_scales_were_not_learned_on_are_left_out_one_by_one(solver):
    X, y = small(n=120)
    model = learner(solver=solver, max_search_samples=60, store_held_out=True).fit(X, y)
    plain = learner(solver=solver, max_search_samples=60).fit(X, y)
    np.testing.assert_array_equal(model.kernel_.scales, plain.kernel_.scales)
    learned = search_order(120, 0)[:60]
    given = NTKRegressorCV(
        model.kernel_, [model.alpha_], solver=solver, store_held_out=True, learn_features=None
    ).fit(X, y)
    same = np.isclose(model.held_out_predictions_, given.held_out_predictions_, rtol=1e-9)
    assert same[np.setdiff1d(np.arange(120), learned)].all()
    assert not same[learned].any()  # of folds
    record = model.learned_features_
    squares = np.square(y - model.held_out_predictions_)[learned]
    assert squares.mean() == pytest.approx(-record.score, rel=0.01)  # folds of equal weight


@pytest.mark.parametrize("solver", ["cholesky", Nystrom(30)], ids=["exact", "nystrom"])
def test_rows_that_scales_have_not_seen_judge_the_penalty_where_they_are_as_many(solver):
    X, y = small(n=120)
    common = {"solver": solver, "store_held_out": True}
    model = learner(max_search_samples=60, **common).fit(X, y)
    rest = np.setdiff1d(np.arange(120), search_order(120, 0)[:60])
    for alpha, score in zip(model.loo_path_.alphas, model.loo_path_.scores, strict=True):
        given = NTKRegressorCV(model.kernel_, [alpha], learn_features=None, **common).fit(X, y)
        left_out = given.held_out_predictions_[rest]
        assert score == pytest.approx(-np.square(y[rest] - left_out).mean(), rel=1e-8)
        if alpha == model.alpha_:
            np.testing.assert_allclose(model.predict(X), given.predict(X), rtol=1e-8)
    assert model.best_score_ == max(model.loo_path_.scores)
    assert (model.loo_path_.n_samples, model.loo_path_.method) == (60, "leave-one-out")
    fewer = learner(max_search_samples=61, solver=solver).fit(X, y)
    assert (fewer.loo_path_.n_samples, fewer.loo_path_.method) == (61, "cross-validation")


def test_the_penalty_of_few_rows_costs_what_that_of_all_does_not():
    """Conjugate gradients have no leave-one-out and keep the penalty of the search."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1700, 12))
    y = np.sin(2 * X[:, 0] + X[:, 1]) + 0.5 * rng.normal(size=1700)
    common = {"kernels": Laplace(4.0, norm=2), "alphas": None, "max_search_samples": 150}
    exact, kept = (learner(solver=s, **common).fit(X[:900], y[:900]) for s in ("auto", ConjugateGradient()))
    np.testing.assert_array_equal(exact.kernel_.scales, kept.kernel_.scales)

    def score(alpha):
        return NTKRegressor(exact.kernel_, alpha=alpha).fit(X[:900], y[:900]).score(X[900:], y[900:])

    assert (
        score(exact.alpha_) > max(score(alpha) for alpha in exact.alpha_ * 10.0 ** np.arange(-2, 3)) - 0.001
    )
    assert score(exact.alpha_) > score(kept.alpha_) + 0.004


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_calibrated_on_rows_that_scales_have_not_seen(classes):
    X = small(n=200)[0]
    labels = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.4, 0.4][: classes - 1])
    model = NTKClassifierCV(
        Laplace(2.0), [0.1], learn_features="diagonal", max_search_samples=60, store_held_out=True
    ).fit(X, labels)
    rest = np.setdiff1d(np.arange(200), search_order(200, 0, labels)[:60])
    held_out = model.held_out_predictions_.reshape(200, -1)[rest]
    assert model.temperature_ == pytest.approx(fit_temperature(held_out, labels[rest], None), rel=1e-9)


def test_what_was_learned_is_drawn_as_one_more_path():
    X, y = small()
    model = learner(kernels=[Laplace(1.0), Laplace(2.0)]).fit(X, y)
    display = LeaveOneOutPathDisplay.from_estimator(model)
    assert len(display.paths) == 3
    assert display.best == ("Scaled Laplace", model.alpha_, model.best_score_)
    np.testing.assert_array_equal(display.paths["Scaled Laplace"][1], model.loo_path_.scores[::-1])


def test_leave_one_out_flatters_scales_that_have_seen_the_labels():
    """Of pure noise nothing can be predicted: folds say so, leave-one-out at learned scales does not."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 60)), rng.normal(size=80)
    common = {"alphas": [0.1], "clip": False, "store_held_out": True}
    model = NTKRegressorCV(Laplace(5.0, norm=2), learn_features="diagonal", **common).fit(X, y)
    seen = NTKRegressorCV(model.kernel_, **common).fit(X, y)
    unseen = NTKRegressorCV(Laplace(5.0, norm=2), **common).fit(X, y)
    assert r2_score(y, seen.held_out_predictions_) > 0.05
    assert r2_score(y, unseen.held_out_predictions_) < -0.05
    assert r2_score(y, model.held_out_predictions_) < -0.1


def test_the_standard_error_decides_and_groups_widen_it():
    X, y = small(n=120)
    groups = np.repeat(np.arange(12), 10)
    rows = {"cv": GroupKFold(3)}
    model = learner(**rows).fit(X, y, groups=groups)
    apart = learner(cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    assert model.learned_features_.difference == apart.learned_features_.difference
    assert model.learned_features_.standard_error != apart.learned_features_.standard_error


def test_whole_weights_are_repetitions_and_others_count():
    X, y = small()
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    weighed = learner().fit(X, y, sample_weight=counts)
    repeated = learner().fit(X.repeat(counts, axis=0), y.repeat(counts))
    np.testing.assert_allclose(weighed.kernel_.scales, repeated.kernel_.scales, rtol=1e-8)
    assert weighed.best_score_ == pytest.approx(repeated.best_score_)
    other = learner().fit(X, y, sample_weight=np.random.default_rng(1).uniform(0.1, 3, len(y)))
    assert not np.allclose(other.kernel_.scales, learner().fit(X, y).kernel_.scales, rtol=1e-3)


def test_folds_hold_out_equal_samples_together_where_they_are_not_merged():
    """Noise is not predicted because a fold's training rows hold the like of those that it leaves out."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(120, 3)).repeat(2, axis=0), rng.normal(size=120).repeat(2)
    learned = learner(store_held_out=True).fit(X, y).learned_features_
    assert learned.n_samples == 240
    assert learned.score < -0.9 * np.var(y)
    assert learned.fixed_score < -0.9 * np.var(y)
    merged = learner().fit(X, y).learned_features_
    assert 0.5 < merged.standard_error / learned.standard_error < 2
    with pytest.raises(ValueError, match="give more rows"):
        learner(store_held_out=True).fit(X[:4], y[:4])


@pytest.mark.parametrize("kernel", [Laplace(2.0, norm=2), NTK(depth=1, bias_std=1.0)], ids=["laplace", "ntk"])
def test_sparse_rows_and_single_precision(kernel):
    X, y = small()
    X = np.column_stack([np.where(abs(X) > 0.3, X, 0.0), np.full(len(y), 2.0)])
    dense = learner(kernels=kernel).fit(X, y)
    assert dense.kernel_.scales[-1] == 0  # constant
    thin = learner(kernels=kernel).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(thin.kernel_.scales, dense.kernel_.scales, rtol=1e-6)
    np.testing.assert_allclose(thin.predict(sparse.csr_array(X)), dense.predict(X), rtol=1e-6)
    single = learner(kernels=kernel).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.kernel_.scales, dense.kernel_.scales, rtol=1e-2, atol=1e-2)
    assert single.kernel_(X[:2].astype(np.float32)).dtype == np.float32


def test_targets_share_scales_and_one_column_has_scale_one():
    X, y = small()
    both = learner().fit(X, np.column_stack([y, np.cos(2 * X[:, 1])]))
    assert np.argmin(both.kernel_.scales) == 2
    assert both.predict(X).shape == (60, 2)
    alone = learner().fit(X[:, :1], y)
    assert alone.kernel_.scales.tolist() == [1.0]
    nothing = learner().fit(X, np.zeros(60))
    assert nothing.learned_features_ is None
    assert not isinstance(nothing.kernel_, Scaled)


@pytest.mark.parametrize("n_apart", [0, 1, 2])
def test_rows_without_a_distance_leave_kernels_that_need_none(n_apart):
    """The Laplace kernel has the scale of all rows in folds whose training rows are equal."""
    X, y = np.ones((120, 3)), small(n=120)[1]
    X[:n_apart] = 2.0
    model = NTKRegressorCV().fit(X, y)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("solver", [Nystrom(30), ConjugateGradient()], ids=["nystrom", "cg"])
def test_other_solvers_fit_at_the_scales_of_the_search(solver):
    X, y = small(n=159)
    model = learner(solver=solver, max_search_samples=80).fit(X, y)
    assert model.learned_features_.n_samples == 80
    exact = learner(max_search_samples=80).fit(X, y)
    np.testing.assert_array_equal(model.kernel_.scales, exact.kernel_.scales)
    assert model.alpha_ == exact.alpha_
    assert r2_score(exact.predict(X), model.predict(X)) > 0.95


@pytest.mark.parametrize("unit", [1e160, 1e-160])
def test_the_unit_of_the_targets_does_not_matter(unit):
    X, y = small()
    np.testing.assert_allclose(learner().fit(X, y * unit).kernel_.scales, learner().fit(X, y).kernel_.scales)


def test_the_same_bytes_at_any_number_of_threads_and_after_a_journey():
    X, y = small()
    models = []
    for threads in (1, 3):
        with set_threads(threads):
            models.append(learner().fit(X, y))
    first, second = models
    assert first.kernel_.scales.tobytes() == second.kernel_.scales.tobytes()
    assert first.predict(X).tobytes() == second.predict(X).tobytes()
    again = pickle.loads(pickle.dumps(first))
    assert again.predict(X).tobytes() == first.predict(X).tobytes()
    assert again.learned_features_.words == first.learned_features_.words
    assert clone(first).get_params()["learn_features"] == "diagonal"


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_learn_when_asked(classes):
    X = small()[0]
    labels = np.digitize(X[:, 0], [-0.4, 0.4][: classes - 1])
    assert NTKClassifierCV().fit(X, labels).learned_features_ is None
    model = NTKClassifierCV(Laplace(2.0), learn_features="diagonal").fit(X, labels)
    assert np.argmax(model.kernel_.scales) == 0
    assert model.learned_features_.scoring == "negative log-loss"
    assert model.learned_features_.difference > model.learned_features_.standard_error
    assert model.score(X, labels) > 0.9
    assert model.predict_proba(X).shape == (60, classes)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learn_features": "full"}, "must be 'auto', 'diagonal' or None"),
        ({"alpha_per_target": True}, "one penalty for all targets"),
        ({"store_held_out": True, "max_search_samples": 40, "cv": KFold(3)}, "folds of 40 rows at most"),
        ({"max_search_samples": 2}, "give more rows"),
        ({"combine": "stack", "kernels": [Laplace(1.0), Laplace(2.0)]}, "is for one kernel"),
    ],
)
def test_refusals(parameters, message):
    X, y = small()
    with pytest.raises(ValueError, match=message):
        learner(**parameters).fit(X, y)


def test_kernels_without_rows_or_gradients_are_refused():
    X, y = small()
    with pytest.raises(ValueError, match="needs rows"):
        learner(kernels="precomputed").fit(X @ X.T, y)
    with pytest.raises(TypeError, match="no gradients in the inputs"):
        learner(kernels=RBF()).fit(X, y)


def test_auto_leaves_given_kernels_and_few_rows_alone():
    X, y = small(n=99)
    assert NTKRegressorCV().fit(X, y).learned_features_ is None
    X, y = small(n=120)
    given = NTKRegressorCV(Laplace(2.0)).fit(X, y)
    assert given.learned_features_ is None
    assert given.kernel_ == Laplace(2.0)


def test_a_choice_of_solver_is_told_once(monkeypatch):
    monkeypatch.setattr("ntklib.solvers.solver.EXACT_SEARCH_ROWS", 50)
    with pytest.warns(ApproximationWarning) as told:
        learner().fit(*small())
    assert len(told) == 1
