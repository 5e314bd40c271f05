"""Importances of columns by gradients."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.gaussian_process.kernels import RBF

from ntklib import Laplace, NTKClassifier, NTKRegressor, NTKRegressorCV
from ntklib.solvers import Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
X[:, 3] = 1.0
Y = np.sin(2 * X[:, 0]) + 0.3 * X[:, 1]


@pytest.mark.parametrize("solver", ["auto", Nystrom(20)], ids=["exact", "nystrom"])
def test_they_are_the_mean_squares_of_gradients(solver):
    weights = RNG.uniform(0.5, 2, 60)
    model = NTKRegressor(solver=solver).fit(X, np.column_stack([Y, X[:, 2]]), sample_weight=weights)
    used = weights if solver == "auto" else np.ones(len(model.X_fit_))
    squares = used @ np.square(model.predict_gradient(model.X_fit_)).sum(axis=2)
    squares[3] = 0.0
    np.testing.assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-10)
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_those_of_a_stack_are_of_the_sum():
    model = NTKRegressorCV([Laplace(2.0), Laplace(8.0)], combine="stack").fit(X, Y)
    squares = np.square(model.predict_gradient(X)).mean(axis=0)
    squares[3] = 0.0
    np.testing.assert_allclose(model.feature_importances_, squares / squares.sum(), rtol=1e-10)


def test_columns_can_be_selected_by_them():
    selector = SelectFromModel(NTKClassifier(), threshold=0.3).fit(X, Y > 0)
    assert selector.get_support().tolist() == [True, False, False, False]


def test_many_rows_are_looked_at_in_part():
    rows = RNG.normal(size=(1100, 2))
    model = NTKRegressor().fit(rows, rows[:, 0])
    assert model.feature_importances_[0] > 0.9
    np.testing.assert_array_equal(model.feature_importances_, model.feature_importances_)


def test_absent_before_a_fit_without_gradients_and_without_rows():
    with pytest.raises(NotFittedError, match="after fit"):
        NTKRegressor().feature_importances_  # noqa: B018
    without = [NTKRegressor(RBF()).fit(X, Y), NTKRegressor("precomputed").fit(X @ X.T, Y), NTKRegressor()]
    assert not any(hasattr(model, "feature_importances_") for model in without)
    assert not NTKRegressor().fit(X, np.zeros(60)).feature_importances_.any()
