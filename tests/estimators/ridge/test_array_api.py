"""Regression on rows that are arrays of other libraries: that of NumPy rows, on their device."""

import pickle
from types import SimpleNamespace

import array_api_strict
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from ntklib import NTK, Laplace, NTKClassifier, NTKRegressor, NTKRegressorCV
from ntklib.kernels import Scaled
from ntklib.solvers import Nystrom, RowSums
from ntklib.solvers.nystrom.array_api import ArrayFeatures
from tests.namespaces import NAMESPACES, dispatch, name, numbers

KERNEL = NTK(depth=2, bias_std=1.0, weight_std=2**0.5, input_scaling="fan_in")
SOLVER = Nystrom(30, subset=300, refine=False)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    return X, np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]]), np.resize([0.0, 1.0, 2.0], 400)


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_is_that_of_numpy_rows(library, dtype, weighted, data, monkeypatch):
    monkeypatch.setattr("ntklib.solvers.nystrom.array_api.NUMBERS", 3000)  # several blocks
    X, y, w = data
    X = X.astype(dtype)
    model = NTKRegressor(KERNEL, alpha=[0.1, 1.0], solver=SOLVER, clip=True, target_scale="fit")
    local = clone(model).fit(X, y, w if weighted else None)
    x, targets = library.asarray(X), library.asarray(y)
    with dispatch():
        model.fit(x, targets, library.asarray(w) if weighted else None)
        values = model.predict(x)
    assert type(values) is type(x)
    assert values.dtype == library.float64
    bound = 1e-9 if dtype == np.float64 else 1e-3
    np.testing.assert_array_equal(model.support_, local.support_)
    assert model.X_fit_.tobytes() == local.X_fit_.tobytes()
    np.testing.assert_allclose(numbers(values), local.predict(X), atol=bound)
    np.testing.assert_allclose(model.target_scale_, local.target_scale_, rtol=bound)
    np.testing.assert_array_equal(model.prediction_limits_, local.prediction_limits_)
    assert [one.outcome for one in model.solve_] == ["unrefined", "unrefined"]
    # what is kept is NumPy's: it serves and pickles anywhere
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(
        again.predict(X, return_std=True)[1], local.predict(X, return_std=True)[1], rtol=1e-2
    )


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
def test_sums_are_those_of_numpy(library, data):
    X, y, w = data
    features, diagonal = X @ X[:5].T, (X**2).sum(axis=1)
    expected = RowSums.zeros(5, 2)
    expected.add(features.copy().T, y, w, w, diagonal)
    with dispatch():
        parts = [
            RowSums.of_arrays(*(library.asarray(part[rows]) for part in (features, y, w, w, diagonal)))
            for rows in (slice(150), slice(150, None))
        ]
        total = parts[0].merge(parts[1])
        assert type(total.squares) is type(library.asarray(X))
        total = total.to_numpy()
    np.testing.assert_allclose(np.tril(total.squares), np.tril(expected.squares), rtol=1e-12)
    for field in (
        "products",
        "features",
        "targets",
        "target_squares",
        "diagonal",
        "weight",
        "count",
        "n_rows",
    ):
        np.testing.assert_allclose(getattr(total, field), getattr(expected, field), rtol=1e-12)


@pytest.mark.parametrize("centers", ["uniform", "kmeans++", "given"])
def test_centres_are_chosen_as_of_numpy_rows(centers, data):
    X, y, _ = data
    solver = Nystrom(20, centers=X[:7] if centers == "given" else centers, refine=False)
    model = NTKRegressor(Laplace(2.0), solver=solver)
    with dispatch():
        model.fit(NAMESPACES[0].asarray(X), NAMESPACES[0].asarray(y[:, 0]))
    local = clone(model).fit(X, y[:, 0])
    np.testing.assert_array_equal(model.support_, local.support_)
    np.testing.assert_allclose(model.dual_coef_, local.dual_coef_, rtol=1e-6)
    assert model.predict(X).shape == (400,)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": NTKRegressor(solver="cholesky")}, ValueError, "fitted on centres, with solver 'auto'"),
        (
            {"model": NTKRegressor(NTK() + RBF(), solver=SOLVER)},
            TypeError,
            "the kernels NTK, NNGP, ArcCosine and Laplace.*got RBF",
        ),
        ({"model": NTKRegressor(alpha=-1)}, ValueError, "alpha must be finite and nonnegative"),
        ({"model": NTKClassifier()}, TypeError, "only fit and predict of NTKRegressor"),
        ({"model": NTKRegressorCV()}, TypeError, "only fit and predict of NTKRegressor"),
        ({"X": np.full((400, 3), np.nan)}, ValueError, "NaN or infinity in row 0"),
        ({"X": np.zeros((400, 3), int)}, ValueError, "X must be a matrix of float32 or float64"),
        ({"y": np.ones(399)}, ValueError, r"inconsistent numbers of samples: \[400, 399\]"),
        ({"y": np.full(400, np.inf)}, ValueError, "y contains infinity.*in row 0"),
        ({"w": -np.ones(400)}, ValueError, "Negative values in data passed to `sample_weight`"),
        ({"w": np.full(400, 1e308)}, ValueError, "sample weights are too large to be added up"),
    ],
)
def test_bad_input_is_answered(change, error, message, data):
    given = dict(zip(("X", "y", "w"), data, strict=True)) | {"model": NTKRegressor(solver=SOLVER)} | change
    with dispatch(), pytest.raises(error, match=message):
        given["model"].fit(*(NAMESPACES[0].asarray(given[part]) for part in ("X", "y", "w")))


@pytest.mark.parametrize(
    "change",
    [
        {"w": np.ones((400, 2))},
        {"w": np.ones((400, 1))},
        {"w": np.ones(399)},
        {"w": np.full(400, np.nan)},
        {"w": np.zeros(400)},
        {"w": np.array(2.0)},
        {"y": None},
        {"y": np.array(1.0)},
        {"y": np.ones((400, 2, 2))},
        {"y": np.ones((400, 0))},
        {"y": np.ones(399)},
        {"y": np.full(400, np.nan)},
        {"y": np.full(400, 1j)},
        {"X": np.ones((0, 3))},
    ],
    ids=str,
)
def test_errors_are_those_of_numpy_input(change, data):
    given = dict(zip(("X", "y", "w"), data, strict=True)) | change
    model = NTKRegressor(solver=SOLVER)
    with pytest.raises((TypeError, ValueError)) as expected:
        model.fit(*given.values())
    given = {part: None if one is None else array_api_strict.asarray(one) for part, one in given.items()}
    with dispatch(), pytest.raises(expected.type) as found:
        model.fit(*given.values())
    assert str(found.value) == str(expected.value)


def test_predictions_of_no_rows_have_the_error_of_numpy_rows(data):
    X, y, _ = data
    model = NTKRegressor(solver=SOLVER).fit(X, y)
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 3\)\).*by NTKRegressor") as expected:
        model.predict(X[:0])
    with dispatch(), pytest.raises(ValueError, match="Found array with 0 sample") as found:
        model.predict(array_api_strict.asarray(X[:0]))
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("place", ["CPU_DEVICE", "device1"])
@pytest.mark.parametrize(
    "kernel",
    [2 * NTK(), ConstantKernel(2.0) * NTK() + 1.0, NTK() + Laplace(2.0), Scaled(NTK() ** 2, [1.0, 0.5, 2.0])],
    ids=str,
)
def test_combined_kernels_are_fitted_on_the_device(kernel, place, data):
    X, y, w = data
    device = array_api_strict.Device(place)
    model = NTKRegressor(kernel, alpha=0.1, solver=SOLVER)
    local = clone(model).fit(X, y, w)
    x, targets, weights = (array_api_strict.asarray(part, device=device) for part in (X, y, w))
    with dispatch():
        values = model.fit(x, targets, weights).predict(x)
    assert values.device == device
    np.testing.assert_array_equal(model.support_, local.support_)
    moved = numbers(values.to_device(array_api_strict.Device("CPU_DEVICE")))
    np.testing.assert_allclose(moved, local.predict(X), atol=1e-8)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict(X), moved, atol=1e-8)


def solved(triangle, values):
    """Features f of f L^T = values, by substitution in extended precision."""
    L, V = triangle.astype(np.longdouble), values.astype(np.longdouble)
    features = np.zeros_like(V)
    for j in range(len(L)):
        features[:, j] = (V[:, j] - features[:, :j] @ L[j, :j]) / L[j, j]
    return features


@pytest.mark.parametrize("library", NAMESPACES, ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_whitening_is_refined(library, dtype):
    """The inverse of a triangle of condition 1e9 alone leaves 1e6 roundings: what it leaves is taken off."""
    size = 40
    L = np.eye(size) - 0.6 * np.tri(size, k=-1)
    values = (np.random.default_rng(0).normal(size=(5, size)) @ L.T).astype(dtype)
    basis = SimpleNamespace(
        cross=lambda X, centres: X, centres=np.zeros((size, 1)), triangle=L, means=np.zeros(size)
    )
    with dispatch():
        features = numbers(ArrayFeatures.of(basis, x := library.asarray(values))(x))
    assert features.dtype == dtype
    L = L.astype(dtype).astype(np.longdouble)
    exact = solved(L, values)
    size = np.abs(values) + np.abs(exact) @ np.abs(L.T)
    left = np.abs((features - exact) @ L.T) / size
    assert left.max() < 4 * np.finfo(dtype).eps


def test_predictions_that_need_numpy_rows_say_so(data):
    X, y, _ = data
    model = NTKRegressor(solver=SOLVER).fit(X, y)
    x = NAMESPACES[0].asarray(X)
    with dispatch():
        np.testing.assert_allclose(numbers(model.predict(x)), model.predict(X), rtol=1e-9, atol=1e-9)
        with pytest.raises(ValueError, match="return_std and return_cov need NumPy rows"):
            model.predict(x, return_std=True)
        with pytest.raises(TypeError, match="only fit and predict"):
            model.sample_y(x)
        with pytest.raises(ValueError, match="X has 2 features, but NTKRegressor is expecting 3"):
            model.predict(x[:, :2])
