"""Fits by all solvers where weights are of any size or far apart, and their records and leave-one-out."""

import warnings

import numpy as np
import pytest

from ntklib import NNGP, NTK, ArcCosine, Laplace, NTKRegressor, NTKRegressorCV
from ntklib.solvers import ConjugateGradient, IllConditionedWarning, Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2] + 3])
NEW = RNG.normal(size=(20, 4))


@pytest.mark.parametrize("size", [1e160, 1e300])
def test_weights_beyond_the_range_are_named(size):
    weights = size * np.arange(1.0, 151.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="sample weights are too far from 1"):
            NTKRegressor(solver="cg").fit(X, Y, weights)
        with pytest.raises(ValueError, match="alpha, the features or the sample weights"):
            NTKRegressor(alpha=1e-300, solver="cg").fit(X, Y)


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e290, 1e300])
def test_weights_of_any_common_size_on_centres(size):
    exact = NTKRegressor(alpha=0.1 * size, solver="cholesky").fit(X, Y, np.full(150, size))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for alpha in (0.1 * size, 0.1):
            model = NTKRegressor(alpha=alpha, solver="nystrom").fit(X, Y, np.full(150, size))
            assert model.solve_.outcome == "ok"
            assert model.solve_.residual < 1e-10
            if alpha == 0.1 * size:
                np.testing.assert_allclose(model.predict(NEW), exact.predict(NEW), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ratio", [1.0, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12, 1e14])
def test_weights_far_apart_are_right_on_centres_or_warned_about(ratio, dtype):
    weights = np.where(np.arange(60) % 2, ratio, 1.0)
    rows, options = X[:60].astype(dtype), {"alpha": 0.1}
    exact = NTKRegressor(solver="cholesky", **options).fit(rows.astype(float), Y[:60], weights)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = NTKRegressor(solver=Nystrom(centers=rows), **options).fit(rows, Y[:60], weights)
    error = abs(model.predict(rows.astype(float)) - exact.predict(rows.astype(float))).max()
    if error > 1e-4:
        assert any(
            "hides light ones" in str(one.message) or "relative residual" in str(one.message)
            for one in caught
        )
        assert model.solve_.outcome == "ill-conditioned"
        assert model.solve_.distance == np.inf
    if ratio <= 1e2:
        assert not caught
        assert model.solve_.outcome == "ok"
    if ratio >= 1e12:
        assert model.solve_.outcome == "ill-conditioned"


def test_streams_warn_of_weights_far_apart():
    weights = np.where(np.arange(150) % 2, 1e13, 1.0)
    with pytest.warns(IllConditionedWarning, match="hides light ones"):
        model = NTKRegressor(alpha=0.1, solver=Nystrom(20, n_init=50)).partial_fit(X, Y, weights)
    assert model.solve_.outcome == "ill-conditioned"


def test_more_centres_than_rows_are_all_rows():
    few, y = X[:12], Y[:12, 0]
    exact = NTKRegressor(alpha=0.1).fit(few, y)
    for solver in (Nystrom(500), Nystrom(centers=X)):  # all rows are among the centres that are given
        model = NTKRegressor(alpha=0.1, solver=solver).fit(few, y)
        np.testing.assert_allclose(model.predict(NEW), exact.predict(NEW), atol=1e-8)


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
def test_the_record_of_iterations_bounds_the_distance_to_the_exact_fit(tol):
    weights = np.random.default_rng(1).uniform(0.1, 3, 150)
    model = NTKRegressor(alpha=0.01, solver=ConjugateGradient(10, tol=tol)).fit(X, Y[:, 0], weights)
    K = model.kernel_(X)  # the exact fit with the same intercept
    exact = K @ np.linalg.solve(K + 0.01 * np.diag(1 / weights), Y[:, 0] - model.intercept_)
    difference = np.average((K @ model.dual_coef_ - exact) ** 2, weights=weights) ** 0.5
    assert 0 < difference <= model.solve_.distance


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_leave_one_out_on_centres_against_refits(dtype, tolerance):
    rows, y, centres = X[:40].astype(dtype), Y[:40, 0], X[40:55].astype(dtype)
    options = {"solver": Nystrom(centers=centres), "clip": False, "learn_features": None}
    search = NTKRegressorCV([NTK(bias_std=1.0)], [0.3], store_held_out=True, **options).fit(rows, y)
    for i in range(0, 40, 8):
        rest = np.delete(np.arange(40), i)
        model = NTKRegressor(NTK(bias_std=1.0), alpha=0.3, solver=options["solver"])
        refit = model.fit(rows[rest].astype(float), y[rest]).predict(rows[[i]].astype(float))
        np.testing.assert_allclose(search.held_out_predictions_[i], refit[0], atol=tolerance)


KERNELS = [NTK(depth=2, bias_std=0.5), NNGP(bias_std=1.0, activation="erf"), ArcCosine(1), Laplace(2.0)]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize(
    "solver", [Nystrom(centers=X[:40]), ConjugateGradient(30, tol=1e-8)], ids=["nystrom", "cg"]
)
def test_float32_rows_give_the_fit_of_float64(solver, kernel):
    single = X.astype(np.float32)
    values = [
        NTKRegressor(kernel, alpha=0.5, solver=solver).fit(rows, Y).predict(NEW)
        for rows in (single, single.astype(float))
    ]
    np.testing.assert_allclose(*values, atol=1e-4)
