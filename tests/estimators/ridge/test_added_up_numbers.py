"""Sums of regression fits by default: what is added up, by which weights, and how uncertain it is."""

import pickle

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF

from ntklib import NTK, Laplace, NTKRegressor, NTKRegressorCV
from ntklib.estimators.ridge._cv import search_order
from ntklib.estimators.ridge._posterior import PosteriorEstimator
from ntklib.estimators.ridge.learned import estimator
from ntklib.estimators.ridge.learned.search import base_candidates
from ntklib.kernels import Scaled
from ntklib.solvers import ConjugateGradient, Nystrom
from tests.estimators.ridge.learned.test_estimators import brute_force
from tests.estimators.ridge.test_stacking import simplex

KERNELS = [NTK(bias_std=1.0), Laplace(2.0), RBF(0.3)]
ALPHAS = [1.0, 0.1, 0.01]


def of_two_columns(n, d=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] + 0.3 * rng.standard_normal(n)


@pytest.mark.parametrize(
    ("n", "options", "stacks"),
    [
        (99, {}, False),
        (100, {}, True),
        (100, {"learn_features": None, "store_held_out": True}, True),
        (120, {"kernels": KERNELS}, False),
        (120, {"kernels": "ntk"}, False),
        (120, {"cv": 3}, False),
        (120, {"cv": "gcv"}, False),
        (120, {"alpha_per_target": True}, False),
        (120, {"max_search_samples": 110}, False),
        (120, {"solver": Nystrom(20)}, False),
        (120, {"solver": "cg"}, False),
        (120, {"learn_features": "diagonal"}, False),
        (120, {"combine": "best"}, False),
        (999, {"alphas": [0.1], "learn_features": None}, True),
        (1000, {"alphas": [0.1], "learn_features": None}, False),
    ],
)
def test_what_is_added_up(n, options, stacks):
    X, y = of_two_columns(n)
    model = NTKRegressorCV(**{"alphas": ALPHAS} | options).fit(X, y)
    assert hasattr(model, "stack_") == stacks
    assert model.score(X, y) > 0.8
    if stacks:
        learned = sum(isinstance(kernel, Scaled) for kernel in model.stack_["param_kernel"])
        assert len(model.stack_["weight"]) == 7 + learned
        assert (learned > 0) == (model.learned_features_ is not None)
        if "store_held_out" in options:
            held_out = model.held_out_predictions_
            np.testing.assert_allclose(model.best_score_, -np.mean((y - held_out) ** 2), rtol=1e-9)


def test_weights_are_of_left_out_values_and_those_of_folds_with_learned_scales(monkeypatch):
    """All rounds may count, each by what folds that learned scales of their own hold out."""
    monkeypatch.setattr(estimator, "base_candidates", lambda kernels: base_candidates(kernels)[:1])
    X, y = of_two_columns(110, seed=1)
    model = NTKRegressorCV(alphas=ALPHAS, clip=False, store_held_out=True).fit(X, y)
    kernels, penalties, weights = model.stack_.values()
    fixed = [
        NTKRegressorCV(kernel, ALPHAS, clip=False, store_held_out=True).fit(X, y) for kernel in kernels[:7]
    ]
    fold = np.empty(110, dtype=int)
    fold[search_order(110, 0)] = np.arange(110) % 3
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    base, n_rounds = kernels[-1].kernel, len(kernels) - 7
    assert n_rounds == len(model.learned_features_.round_scores) - 1 >= 2
    rounds = [brute_force(X, y, splits, base, ALPHAS, n) for n in range(1, n_rounds + 1)]
    for kernel, penalty, (_, scales, places, _) in zip(kernels[7:], penalties[7:], rounds, strict=True):
        np.testing.assert_allclose(kernel.scales, scales, rtol=1e-8)
        assert penalty == ALPHAS[places[-1]]
    held_out = [one.held_out_predictions_ for one in fixed] + [values for *_, values in rounds]
    misses = y[:, None] - np.stack(held_out, axis=1)
    np.testing.assert_allclose(weights, simplex(misses), atol=1e-5)
    assert weights[7:].max() > 0.01
    assert model.learned_features_.kept
    fits = [NTKRegressor(k, alpha=a).fit(X, y) for k, a in zip(kernels, penalties, strict=True)]
    expected = sum(weight * fit.predict(X) for weight, fit in zip(weights, fits, strict=True))
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-9)
    order, values = search_order(110, 0), np.empty(110)
    for start in range(5):
        test = order[start::5]
        train = np.setdiff1d(order, test)
        values[test] = (y[:, None] - misses)[test] @ simplex(misses[train])
    np.testing.assert_allclose(model.held_out_predictions_, values, atol=1e-5)


def test_scales_that_no_weight_speaks_for_are_not_kept(monkeypatch):
    monkeypatch.setattr(
        "ntklib.estimators.ridge._stacking.squared_error_weights",
        lambda misses: np.eye(misses.shape[1])[0],
    )
    model = NTKRegressorCV(alphas=ALPHAS).fit(*of_two_columns(100))
    assert not model.learned_features_.kept
    assert not isinstance(model.kernel_, Scaled)


def sums(size, columns, **options):
    """A sum of fits, and its fits by themselves with their weights."""
    X, y = of_two_columns(60)
    Y = size * (y if columns == 1 else np.column_stack([y, np.cos(3 * X[:, 1])]))
    weights = np.random.default_rng(2).uniform(0.5, 2, 60)
    model = NTKRegressorCV(KERNELS, ALPHAS, combine="stack", clip=False, **options).fit(X, Y, weights)
    kernels, penalties, shares = model.stack_.values()
    scale = options.get("target_scale", "fit")
    fits = [
        NTKRegressor(k, alpha=a, target_scale=scale).fit(X, Y, weights)
        for k, a in zip(kernels, penalties, strict=True)
    ]
    assert (shares > 0.05).sum() > 1
    return model, fits, shares


NEW = np.random.default_rng(3).normal(size=(9, 3)) * 1.5


@pytest.mark.parametrize("size", [1.0, 1e-150, 1e150])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("noise", [False, True])
def test_standard_deviations_are_those_of_the_mixture(size, columns, noise):
    model, fits, shares = sums(size, columns)
    mean, std = model.predict(NEW, return_std=True, include_noise=noise)
    parts = [fit.predict(NEW, return_std=True, include_noise=noise) for fit in fits]
    variance = sum(
        v * ((s / size) ** 2 + ((f - mean) / size) ** 2) for v, (f, s) in zip(shares, parts, strict=True)
    )
    np.testing.assert_allclose(std / size, np.sqrt(variance), rtol=1e-7)
    again = pickle.loads(pickle.dumps(model)).predict(NEW, return_std=True, include_noise=noise)[1]
    np.testing.assert_array_equal(again, std)
    if size == 1:
        covariance = model.predict(NEW, return_cov=True, include_noise=noise)[1]
        diagonal = np.einsum("ii...->i...", covariance)
        np.testing.assert_allclose(diagonal, std**2, rtol=1e-9)
        expected = 0.0
        for v, fit in zip(shares, fits, strict=True):
            f, c = fit.predict(NEW, return_cov=True, include_noise=noise)
            apart = (f - mean).reshape(len(NEW), -1)
            expected = expected + v * (c + np.einsum("ip,jp->ijp", apart, apart).reshape(c.shape))
        np.testing.assert_allclose(covariance, expected, atol=1e-8)


def test_draws_have_the_moments_of_the_mixture():
    model, _, _ = sums(1.0, 2)
    n = 20_000
    draws = model.sample_y(NEW, n, random_state=0)
    mean, covariance = model.predict(NEW, return_cov=True)
    assert draws.shape == (9, 2, n)
    std = np.sqrt(np.einsum("iik->ik", covariance))
    assert np.abs((draws.mean(axis=2) - mean) / std).max() < 5 / np.sqrt(n)
    for k in range(2):
        products = np.einsum("in,jn->ijn", draws[:, k] - mean[:, [k]], draws[:, k] - mean[:, [k]])
        error = products.std(axis=2) / np.sqrt(n)
        assert (np.abs(products.mean(axis=2) - covariance[..., k]) < 5 * error).all()
    np.testing.assert_array_equal(
        model.sample_y(NEW, 5, random_state=1), model.sample_y(NEW, 5, random_state=1)
    )


def test_on_centres_and_by_iterations():
    exact, _, _ = sums(1.0, 1)
    centres, _, _ = sums(1.0, 1, solver=Nystrom(60))
    np.testing.assert_allclose(
        centres.predict(NEW, return_std=True), exact.predict(NEW, return_std=True), rtol=1e-5, atol=1e-6
    )
    assert len(centres._parts) > 1
    iterated, _, _ = sums(1.0, 1, solver=ConjugateGradient())
    with pytest.raises(ValueError, match="fit with solver='nystrom'"):
        iterated.predict(NEW, return_std=True)


def test_constant_targets_have_no_spread():
    X, _ = of_two_columns(100)
    model = NTKRegressorCV(alphas=ALPHAS).fit(X, np.full(100, 2.0))
    mean, std = model.predict(X[:3], return_std=True)
    np.testing.assert_allclose(mean, 2.0)
    assert (std < 1e-6).all()


def test_factors_are_kept_between_predictions_and_dropped_where_they_are_large(monkeypatch):
    model, _, _ = sums(1.0, 1)
    first = model.predict(NEW, return_std=True)[1]
    kept = model._variance_factor
    np.testing.assert_array_equal(model.predict(NEW, return_std=True)[1], first)
    assert model._variance_factor is kept is not None
    drawn = model.sample_y(NEW, 4)
    monkeypatch.setattr("ntklib.estimators.ridge._posterior.working_memory", lambda: 1000)
    model._variance_factor, held, make = None, [], PosteriorEstimator._prepare_factor

    def counting(fit):
        held.append(fit)
        assert sum(one._variance_factor is not None for one in held) == 0
        return make(fit)

    monkeypatch.setattr(PosteriorEstimator, "_prepare_factor", counting)
    np.testing.assert_array_equal(model.predict(NEW, return_std=True)[1], first)
    np.testing.assert_array_equal(model.sample_y(NEW, 4), drawn)
    assert model._variance_factor is None
    assert len(held) == 2 * np.count_nonzero(model.stack_["weight"]) > 2
