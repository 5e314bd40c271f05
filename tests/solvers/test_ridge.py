import numpy as np
import pytest

from ntklib.solvers import Cholesky, Eigendecomposition, leave_one_out, ridge, ridge_path
from tests.solvers import brute_ridge

PENALTIES = [1e-3, 0.1, 10.0]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return brute_ridge.rbf(X), rng.standard_normal((40, 2)) + 5, rng.uniform(0.1, 3, 40)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_and_left_out_predictions_are_those_of_refits(data, intercept, weighted):
    K, y, w = data
    w = w if weighted else None
    path = ridge_path(Eigendecomposition(K, weights=w), y, PENALTIES, fit_intercept=intercept)
    for point, penalty in zip(path, PENALTIES, strict=True):
        dual, constant = brute_ridge.fit(K, y, penalty, w, intercept)
        held_out = brute_ridge.left_out(K, y, penalty, w, intercept)
        factor = Cholesky(K, weights=w)
        single = ridge(factor, y, penalty, fit_intercept=intercept)
        for fit in (point, single):
            np.testing.assert_allclose(fit.dual_coef, dual, atol=1e-9 * abs(dual).max())
            np.testing.assert_allclose(fit.intercept, constant, atol=1e-9)
            assert fit.penalty == penalty
        np.testing.assert_allclose(point.loo_prediction, held_out, atol=1e-9)
        np.testing.assert_allclose(leave_one_out(factor, y, single), held_out, atol=1e-9)
        trace = np.trace(brute_ridge.smoother(K, penalty, w, intercept))
        np.testing.assert_allclose(point.degrees_of_freedom, trace, rtol=1e-9)
        assert single.solution.outcome == "ok"


def test_subtracting_the_mean_first_is_not_leave_one_out(data):
    K, y, _ = data
    centred = y - y.mean(axis=0)
    wrong = next(ridge_path(Eigendecomposition(K), centred, [0.1], fit_intercept=False)).loo_prediction
    right = brute_ridge.left_out(K, y, 0.1)
    assert abs(wrong + y.mean(axis=0) - right).max() > 1e-2


@pytest.mark.parametrize("make", [Cholesky, Eigendecomposition])
def test_a_constant_in_the_targets_only_moves_the_intercept(data, make):
    K, y, w = data
    plain, shifted = (ridge(make(K, weights=w), values, 0.01) for values in (y, y + 1e4))
    np.testing.assert_allclose(shifted.dual_coef, plain.dual_coef, atol=1e-10 * abs(plain.dual_coef).max())
    np.testing.assert_allclose(shifted.intercept - 1e4, plain.intercept, atol=1e-10)


def test_weight_two_is_the_sample_twice(data):
    K, y, _ = data
    twice = np.r_[np.arange(40), 7]
    w = np.ones(40)
    w[7] = 2
    single = ridge(Cholesky(K, weights=w), y, 0.1)
    double = ridge(Cholesky(K[np.ix_(twice, twice)]), y[twice], 0.1)
    np.testing.assert_allclose(double.dual_coef[7] + double.dual_coef[40], single.dual_coef[7], rtol=1e-10)
    np.testing.assert_allclose(double.intercept, single.intercept, rtol=1e-12)


def test_tiny_weights_are_as_good_as_absent(data):
    K, y, _ = data
    w = np.r_[1e-200, np.ones(39)]
    fit = ridge(Cholesky(K, weights=w), y, 0.1)
    rest = ridge(Cholesky(K[1:, 1:]), y[1:], 0.1)
    np.testing.assert_allclose(fit.dual_coef[1:], rest.dual_coef, rtol=1e-10)
    np.testing.assert_allclose(fit.intercept, rest.intercept, rtol=1e-12)


def test_targets_of_the_wrong_shape_are_refused(data):
    K, y, _ = data
    for values in (y[:-1], y[:, 0]):
        with pytest.raises(ValueError, match="y must have shape"):
            ridge(Cholesky(K), values, 1.0)


def test_one_unit_with_intercept_has_nothing_to_be_predicted_from():
    point = next(ridge_path(Eigendecomposition(np.eye(1)), np.ones((1, 1)), [1.0]))
    assert np.isnan(point.loo_prediction).all()
