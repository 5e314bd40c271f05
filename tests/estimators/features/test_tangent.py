"""Tangent features: the Jacobian of the slow twin, its inner products, and the projection's stated error."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataDimensionalityWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntklib import EmpiricalNTK, NTKRegressor, TangentFeatures
from ntklib.networks import MLP, TwoLayerNet
from tests import naive_networks as naive

NETWORKS = [
    TwoLayerNet(6),
    TwoLayerNet(5, n_outputs=3, bias_std=0.4, activation="erf", symmetric=True),
    MLP((4, 3), activation="tanh", bias_std=0.3, parameterization="standard", n_outputs=2),
    MLP((3, 3, 2), trainable=(1, 2), scale=2.0),
]


def name(network):
    return " ".join(repr(network).split())


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(7, 3))


def tangent_rows(model, X):
    """The twin's Jacobian, the outputs one after the other: (n, k p)."""
    return naive.jacobian(model.network_, model.params_, X).reshape(len(X), -1)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([TangentFeatures(), TangentFeatures(TwoLayerNet(32, n_outputs=2), n_components=5)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("network", NETWORKS, ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_features_are_the_jacobian_and_their_products_the_kernel(network, dtype, X):
    X = X.astype(dtype)
    model = TangentFeatures(network, random_state=3).fit(X)
    features = model.transform(X)
    assert features.dtype == dtype
    tolerance = {
        "rtol": 1e-12 if dtype is np.float64 else 2e-5,
        "atol": 1e-13 if dtype is np.float64 else 2e-5,
    }
    np.testing.assert_allclose(features, tangent_rows(model, X), **tolerance)
    kernel = EmpiricalNTK(network, random_state=3)(X)
    np.testing.assert_allclose(
        features @ features.T, kernel, rtol=tolerance["rtol"], atol=tolerance["atol"] * kernel.max()
    )


def test_the_default_network(X):
    model = TangentFeatures().fit(X)
    assert model.network_ == TwoLayerNet(512)
    assert model.n_components_ == 512 * 4
    assert (model.components_, model.signs_) == (None, None)


@pytest.mark.compiled
@pytest.mark.parametrize("network", NETWORKS, ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_projection_is_the_matrix_it_says(network, dtype, X):
    """One entry, 1 or -1, in every row of a (k p, q) matrix."""
    X = X.astype(dtype)
    model = TangentFeatures(network, n_components=9).fit(X)
    rows = tangent_rows(model, X)
    matrix = np.zeros((rows.shape[1], 9))
    matrix[np.arange(len(matrix)), model.components_] = model.signs_
    found = model.transform(X)
    assert found.dtype == dtype
    tolerance = 1e-12 if dtype is np.float64 else 2e-5
    np.testing.assert_allclose(found, rows @ matrix, rtol=tolerance, atol=tolerance * np.abs(rows).max())


@pytest.mark.parametrize("network", NETWORKS[:3], ids=name)
def test_the_error_of_the_projection_is_the_stated_one(network, X):
    """Mean and variance over draws, each within 5 of its standard errors, for every pair of rows."""
    q, draws = 8, 1000
    rows = TangentFeatures(network).fit(X).transform(X)
    kernel = rows @ rows.T
    params = TangentFeatures(network).fit(X).params_
    errors = np.empty((draws, *kernel.shape))
    rng = np.random.default_rng(5)
    for draw in range(draws):
        model = TangentFeatures(network, params=params, n_components=q, random_state=rng).fit(X)
        matrix = np.zeros((rows.shape[1], q))
        matrix[np.arange(len(matrix)), model.components_] = model.signs_
        features = rows @ matrix
        errors[draw] = features @ features.T - kernel
    standard = errors.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.all(np.abs(errors.mean(axis=0)) < 5 * standard)
    common = (rows**2) @ (rows**2).T
    variance = (np.outer(np.diag(kernel), np.diag(kernel)) + kernel**2 - 2 * common) / q
    squares = errors**2
    standard = squares.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.all(np.abs(squares.mean(axis=0) - variance) < 5 * standard)
    # the method leaves the last term out
    bound = model.standard_error(X)
    np.testing.assert_allclose(bound**2, variance + 2 * common / q, rtol=1e-10)
    np.testing.assert_allclose(model.standard_error(X, X[2:5]), bound[:, 2:5], rtol=1e-12)


def test_the_stated_error_is_tight_for_wide_networks(X):
    model = TangentFeatures(TwoLayerNet(2000), n_components=50).fit(X)
    rows = TangentFeatures(TwoLayerNet(2000)).fit(X).transform(X)
    kernel, common = rows @ rows.T, (rows**2) @ (rows**2).T
    exact = np.sqrt((np.outer(np.diag(kernel), np.diag(kernel)) + kernel**2 - 2 * common) / 50)
    bound = model.standard_error(X)
    assert np.all(bound >= exact)
    np.testing.assert_allclose(bound, exact, rtol=0.005)
    relative = bound / np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
    assert relative.max() <= np.sqrt(2 / 50) * (1 + 1e-12)


def test_without_a_projection_there_is_no_error(X):
    model = TangentFeatures(NETWORKS[0]).fit(X)
    np.testing.assert_array_equal(model.standard_error(X, X[:2]), np.zeros((7, 2)))


def test_blocks_of_rows_change_nothing(X):
    model = TangentFeatures(TwoLayerNet(64), n_components=20).fit(X)
    whole = model.transform(X)
    with config_context(working_memory=0.001):
        np.testing.assert_allclose(model.transform(X), whole, rtol=1e-12, atol=1e-14)


def test_projecting_makes_no_jacobian():
    X = np.random.default_rng(1).normal(size=(400, 20))
    model = TangentFeatures(TwoLayerNet(1000), n_components=30).fit(X)
    model.transform(X[:1])
    with config_context(working_memory=4):
        tracemalloc.start()
        model.transform(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert 400 * 21_000 * 8 > 64 * 2**20
    assert peak < 8 * 2**20


def test_same_seed_same_features(X):
    first, second = (
        TangentFeatures(NETWORKS[1], n_components=6, random_state=4).fit_transform(X) for _ in "ab"
    )
    np.testing.assert_array_equal(first, second)
    third = TangentFeatures(NETWORKS[1], n_components=6, random_state=5).fit_transform(X)
    assert not np.array_equal(first, third)
    for make in (np.random.default_rng, np.random.RandomState):
        one, two = (
            TangentFeatures(NETWORKS[1], n_components=6, random_state=make(0)).fit_transform(X) for _ in "ab"
        )
        np.testing.assert_array_equal(one, two)
    TangentFeatures(random_state=None).fit(X)


@pytest.mark.parametrize("n_components", [None, 11])
def test_sparse_rows(n_components, X):
    X = np.where(X > 0, X, 0)
    model = TangentFeatures(NETWORKS[1], n_components=n_components).fit(sparse.csr_matrix(X))
    dense = model.transform(X)
    np.testing.assert_allclose(model.transform(sparse.csr_array(X)), dense, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        model.standard_error(sparse.csr_array(X)), model.standard_error(X), rtol=1e-10, atol=1e-12
    )


def test_ridge_on_features_is_ridge_with_the_kernel(X):
    y = np.sin(X[:, 0])
    network = TwoLayerNet(200, bias_std=0.5)
    primal = make_pipeline(TangentFeatures(network), Ridge(alpha=0.1)).fit(X, y)
    dual = NTKRegressor(EmpiricalNTK(network), alpha=0.1).fit(X, y)
    np.testing.assert_allclose(primal.predict(X + 0.1), dual.predict(X + 0.1), rtol=1e-8)


def test_the_kernel_object_takes_sparse_rows_in_our_estimators(X):
    kernel, y = EmpiricalNTK(TwoLayerNet(20)), X[:, 0]
    dense = NTKRegressor(kernel).fit(X, y).predict(X)
    model = NTKRegressor(kernel).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(model.predict(sparse.csr_array(X)), dense, rtol=1e-10)


def test_a_trained_network(X):
    """The features of a perceptron that scikit-learn trained are the gradients of its predictions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trained = MLPRegressor(hidden_layer_sizes=(5, 4), activation="tanh", max_iter=20, random_state=0).fit(
            X, X[:, 0]
        )
    network, params = MLP.from_sklearn(trained)
    features = TangentFeatures(network, params=params).fit_transform(X)
    before = trained.predict(X)
    trained.coefs_[1][2, 3] += 1e-6
    column = 5 * 3 + 5 + 3 * 5 + 2  # W0, b0, then W1[3, 2] of the (outputs, inputs) matrix
    np.testing.assert_allclose(
        features[:, column], (trained.predict(X) - before) / 1e-6, rtol=1e-4, atol=1e-6
    )


def test_in_a_grid_and_in_tables(X):
    y = X[:, 0]
    grid = {"tangentfeatures__network__width": [4, 8], "tangentfeatures__n_components": [None, 5]}
    search = GridSearchCV(make_pipeline(TangentFeatures(TwoLayerNet()), Ridge()), grid, cv=2).fit(X, y)
    assert set(search.best_params_) == set(grid)
    model = TangentFeatures(TwoLayerNet(2), n_components=3).set_output(transform="pandas").fit(X)
    assert list(model.transform(X).columns) == [f"tangentfeatures{i}" for i in range(3)]


def test_clone_and_pickle(X):
    params = TwoLayerNet(5).init(3, 1)
    model = TangentFeatures(TwoLayerNet(5), params=params, n_components=7).fit(X)
    assert clone(model).params is params
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": "relu"}, TypeError, "network must be a TwoLayerNet"),
        ({"network": TwoLayerNet(0)}, ValueError, "width"),
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"n_components": 2.5}, TypeError, "n_components must be an integer"),
        ({"n_components": True}, TypeError, "n_components must be an integer"),
        ({"random_state": -1}, ValueError, "random_state"),
        ({"random_state": "0"}, TypeError, "random_state must be an integer"),
        ({"params": np.ones(3)}, TypeError, "params must be what net.init returns"),
        ({"params": TwoLayerNet(4).init(2, 0), "network": TwoLayerNet(4)}, ValueError, "3 features.*for 2"),
        ({"params": TwoLayerNet(4).init(3, 0), "network": TwoLayerNet(5)}, ValueError, "another network"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_parameters(options, error, message, X):
    with pytest.raises(error, match=message):
        TangentFeatures(**options).fit(X)


def test_bad_rows(X):
    model = TangentFeatures(TwoLayerNet(4)).fit(X)
    for call in (model.transform, model.standard_error):
        with pytest.raises(ValueError, match="features"):
            call(X[:, :2])
        with pytest.raises(ValueError, match="NaN"):
            call(np.full((1, 3), np.nan))


def test_as_many_components_as_features_warn(X):
    with pytest.warns(DataDimensionalityWarning, match="n_components=None"):
        TangentFeatures(TwoLayerNet(2), n_components=8).fit(X)


def test_what_cannot_fit_is_refused_with_a_way_out(X, monkeypatch):
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 2000)
    with pytest.raises(MemoryError, match="or project them with n_components"):
        TangentFeatures(TwoLayerNet(50)).fit(X).transform(X)
