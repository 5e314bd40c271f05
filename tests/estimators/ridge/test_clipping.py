"""Predictions clipped to the range of the targets, widened by a tenth at either end."""

import pickle

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import DotProduct
from sklearn.model_selection import KFold

from ntklib import NTK, NTKRegressor, NTKRegressorCV
from ntklib.estimators._units import make_units
from ntklib.estimators.ridge._clipping import left_out_limits, limits_of
from ntklib.solvers import Nystrom
from tests.solvers import brute_ridge

ALPHAS = [1e-3, 1.0]
LINE = DotProduct()


@pytest.fixture
def data():
    """A steep line, whose ends are beyond the limits when they are held out."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-1, 1, 25))
    x[0], x[-1] = -3, 4
    return x[:, None], 2 * x + 0.01 * rng.standard_normal(25)


def limits(y):
    low, high = y.min(axis=0), y.max(axis=0)
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


FAR = np.array([[-100.0], [0.0], [100.0]])


@pytest.mark.parametrize("solver", ["cholesky", Nystrom(10), "cg"])
@pytest.mark.parametrize("columns", [1, 2])
def test_predictions_stay_within_the_limits(data, solver, columns):
    X, y = data
    y = y if columns == 1 else np.column_stack([y, 5 - y])
    free = NTKRegressor(LINE, alpha=0.01, solver=solver).fit(X, y)
    model = NTKRegressor(LINE, alpha=0.01, solver=solver, clip=True).fit(X, y)
    np.testing.assert_allclose(model.prediction_limits_, limits(y))
    np.testing.assert_array_equal(model.predict(FAR), np.clip(free.predict(FAR), *model.prediction_limits_))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(FAR), model.predict(FAR))
    assert abs(free.predict(FAR)).max() > 100 > abs(model.predict(FAR)).max()
    assert not hasattr(model.set_params(clip=False).fit(X, y), "prediction_limits_")
    np.testing.assert_array_equal(model.predict(FAR), free.predict(FAR))


def test_only_means_are_clipped(data):
    X, y = data
    free, model = (NTKRegressor(NTK(bias_std=1.0), alpha=0.01, clip=c).fit(X, y) for c in (False, True))
    for name in ("return_std", "return_cov"):
        np.testing.assert_array_equal(
            model.predict(FAR, **{name: True})[1], free.predict(FAR, **{name: True})[1]
        )
        np.testing.assert_array_equal(model.predict(FAR, **{name: True})[0], model.predict(FAR))
    np.testing.assert_array_equal(model.sample_y(FAR, 3), free.sample_y(FAR, 3))
    np.testing.assert_array_equal(model.predict_gradient(FAR), free.predict_gradient(FAR))
    assert abs(model.sample_y(FAR, 3)).max() > abs(model.predict(FAR)).max()


def test_samples_of_weight_zero_do_not_count(data):
    X, y = data
    w = np.ones(25)
    w[[0, -1]] = 0
    for model in (NTKRegressor(LINE, clip=True), NTKRegressorCV(LINE, ALPHAS, store_held_out=True)):
        np.testing.assert_allclose(model.fit(X, y, w).prediction_limits_, limits(y[1:-1]))
    np.testing.assert_array_equal(model.held_out_predictions_[[0, -1]], model.predict(X[[0, -1]]))
    assert np.all(np.clip(model.held_out_predictions_, *limits(y[1:-1])) == model.held_out_predictions_)


def held_out(X, y, alpha, w):
    """Leave-one-out by hand: one copy is taken away, and the others set the limits."""
    values = brute_ridge.left_out(LINE(X), y[:, None], alpha, w)[:, 0]
    others = [np.repeat(y, w - (np.arange(len(y)) == i)) for i in range(len(y))]
    return np.array([np.clip(v, *limits(rest)) for v, rest in zip(values, others, strict=True)])


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("solver", ["cholesky", Nystrom(26, centers="uniform")])
def test_leave_one_out_without_the_row_itself(data, copies, solver):
    X, y = data
    w = np.ones(25, dtype=int)
    w[0] = copies
    model = NTKRegressorCV(LINE, ALPHAS, store_held_out=True, solver=solver).fit(X, y, w)
    if copies == 2:  # the twin is left: brute force on rows that are there twice
        X, y, w = np.vstack([X, X[:1]]), np.r_[y, y[0]], np.ones(26, dtype=int)
    expected = {alpha: held_out(X, y, alpha, w) for alpha in ALPHAS}
    for alpha, score in zip(model.loo_path_.alphas, model.loo_path_.scores, strict=True):
        np.testing.assert_allclose(score, -np.mean((y - expected[alpha]) ** 2), rtol=1e-6)
    np.testing.assert_allclose(model.held_out_predictions_, expected[model.alpha_][:25], rtol=1e-6)
    free = NTKRegressorCV(LINE, ALPHAS, clip=False, store_held_out=True, solver=solver).fit(X, y)
    assert (free.held_out_predictions_[:25] != model.held_out_predictions_).sum() >= 3 - copies


def test_limits_without_one_copy():
    targets = np.array([[1.0, 7.0], [1.0, 9.0], [3.0, 9.5], [5.0, 9.0]])
    for weights in (None, [1, 1, 2, 1], [2, 1, 1, 3]):
        units = make_units(np.eye(4), targets, weights, precomputed=False)
        counts = np.ones(4, dtype=int) if weights is None else np.array(weights)
        rest = [np.repeat(targets, counts - (np.arange(4) == i), axis=0) for i in range(4)]
        np.testing.assert_allclose(left_out_limits(units), np.stack([limits(t) for t in rest], axis=1))
    assert np.isfinite(limits_of(np.array([[-1.0], [1.0]]) * 1.4e308)).all()


def test_folds_by_their_training_rows(data):
    X, y = data
    cv = KFold(5)
    model = NTKRegressorCV(LINE, ALPHAS, cv=cv, store_held_out=True).fit(X, y)
    for alpha, score in zip(model.loo_path_.alphas, model.loo_path_.scores, strict=True):
        fits = [(NTKRegressor(LINE, alpha=alpha, clip=True).fit(X[a], y[a]), b) for a, b in cv.split(X)]
        losses = [np.mean((y[b] - fit.predict(X[b])) ** 2) for fit, b in fits]
        np.testing.assert_allclose(score, -np.mean(losses), rtol=1e-8)
        if alpha == model.alpha_:
            np.testing.assert_allclose(
                model.held_out_predictions_, np.concatenate([fit.predict(X[b]) for fit, b in fits])
            )


def test_generalised_cross_validation_has_no_held_out_values_to_clip(data):
    X, y = data
    free, model = (NTKRegressorCV(LINE, ALPHAS, cv="gcv", clip=c).fit(X, y) for c in (False, True))
    np.testing.assert_array_equal(model.loo_path_.scores, free.loo_path_.scores)
    np.testing.assert_allclose(model.prediction_limits_, limits(y))


def test_a_stream_keeps_the_range_of_all_its_pieces():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 1))
    y, w = 2 * X[:, 0], np.where(abs(X[:, 0]) > 2, 0.0, 1.0)
    model = NTKRegressor(LINE, solver=Nystrom(5, n_init=100), clip=True)
    for rows in (slice(0, 50), slice(50, 120), slice(120, 300)):
        model.partial_fit(X[rows], y[rows], sample_weight=w[rows])
        seen = y[: rows.stop][w[: rows.stop] > 0]
        np.testing.assert_allclose(model.prediction_limits_, limits(seen))
    assert model.predict(FAR).max() == model.prediction_limits_[1]
    assert model.refit_alpha(2.0).predict(FAR).max() == model.prediction_limits_[1]


def test_it_is_a_flag(data):
    with pytest.raises(TypeError, match="clip must be"):
        NTKRegressor(clip="yes").fit(*data)
