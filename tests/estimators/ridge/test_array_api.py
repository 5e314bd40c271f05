"""Regression on rows that are arrays of other libraries: that of NumPy rows, on their device."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from ntklib import NTK, Laplace, NTKClassifier, NTKRegressor, NTKRegressorCV
from ntklib.kernels import Scaled
from ntklib.solvers import Nystrom, RowSums
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
            {"model": NTKRegressor(Scaled(NTK(), [1.0] * 3))},
            TypeError,
            "the kernels NTK, NNGP, ArcCosine and Laplace",
        ),
        ({"model": NTKRegressor(alpha=-1)}, ValueError, "alpha must be finite and nonnegative"),
        ({"model": NTKClassifier()}, TypeError, "only fit and predict of NTKRegressor"),
        ({"model": NTKRegressorCV()}, TypeError, "only fit and predict of NTKRegressor"),
        ({"X": np.full((400, 3), np.nan)}, ValueError, "NaN or infinity in row 0"),
        ({"X": np.zeros((400, 3), int)}, ValueError, "X must be a matrix of float32 or float64"),
        ({"y": np.ones(399)}, ValueError, "X has 400 rows and y 399"),
        ({"y": np.full(400, np.inf)}, ValueError, "y contains infinity"),
        ({"w": -np.ones(400)}, ValueError, "sample weights must be finite, nonnegative"),
        ({"w": np.zeros(400)}, ValueError, "not all 0"),
    ],
)
def test_bad_input_is_answered(change, error, message, data):
    given = dict(zip(("X", "y", "w"), data, strict=True)) | {"model": NTKRegressor(solver=SOLVER)} | change
    with dispatch(), pytest.raises(error, match=message):
        given["model"].fit(*(NAMESPACES[0].asarray(given[part]) for part in ("X", "y", "w")))


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
