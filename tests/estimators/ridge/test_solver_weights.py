"""Weights of any size, and far apart: fits by all solvers are right, or say that they are not."""

import warnings

import numpy as np
import pytest

from ntklib import NTKRegressor
from ntklib.solvers import IllConditionedWarning, Nystrom

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
