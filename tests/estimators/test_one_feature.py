"""One feature and no bias: what can be fitted, and that it is said."""

import warnings

import numpy as np
import pytest

from ntklib.estimators import (
    NetworkRegressor,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    TangentRegressor,
    TangentRegressorCV,
)
from ntklib.kernels import NNGP, NTK, ArcCosine, RectifiedPower
from ntklib.networks import MLP, EmpiricalNTK, TwoLayerNet

X = np.linspace(-2, 2, 30)[:, None]
Y = np.sin(3 * X[:, 0])

BLIND = [
    NTKRegressor(ArcCosine()),
    NTKRegressor(2.0 * ArcCosine(0)),
    NTKRegressor(ArcCosine(2, normalized=True)),
    NTKRegressor(NTK(3)),
    NTKRegressor(EmpiricalNTK(TwoLayerNet(8))),
    NTKRegressorCV([ArcCosine(), NNGP()]),
    TangentRegressor(kernel=NTK(), max_iter=2),
    TangentRegressor(TwoLayerNet(8), max_iter=2),
    TangentRegressorCV(kernel=NTK(), max_iters=[1, 2]),
    NetworkRegressor(MLP((8, 8)), max_iter=2),
]
SEEING = [
    NTKRegressor(),
    NTKRegressor(NTK(bias_std=0.1)),
    NTKRegressor(NNGP(1, RectifiedPower(2), bias_std=0.1)),
    NTKRegressor(NTK(activation="erf")),
    NTKRegressor(ArcCosine() + ArcCosine(2)),
    NTKRegressor(lambda A, B: A @ B.T),
    NTKRegressorCV(),
    TangentRegressor(TwoLayerNet(8, bias_std=1.0), max_iter=2, random_state=0),
    NetworkRegressor(MLP((8,), activation="tanh"), max_iter=2, random_state=0),
]


def said(model, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y)
    return [w for w in caught if "one feature" in str(w.message)]


@pytest.mark.parametrize("model", BLIND, ids=lambda model: type(model).__name__)
def test_is_said(model):
    assert len(said(model, X)) == 1
    assert not said(model, np.column_stack([X, np.ones(30)]))


@pytest.mark.parametrize("model", SEEING, ids=lambda model: type(model).__name__)
def test_is_not_said_of_others(model):
    assert not said(model, X)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_all_that_can_be_fitted_is_a_power_on_either_side(degree):
    """The statement itself: on one side of 0 predictions, less the constant, go as |x|^degree."""
    with pytest.warns(UserWarning, match="one feature"):
        model = NTKRegressor(ArcCosine(degree), alpha=0.1).fit(X, Y)
    for side in (1.0, -1.0):
        f = model.predict(side * np.array([[0.5], [1.0], [2.0]])) - model.intercept_
        np.testing.assert_allclose(f, f[1] * np.array([0.5, 1.0, 2.0]) ** degree, rtol=1e-9, atol=1e-12)


def test_classes_too():
    with pytest.warns(UserWarning, match="one feature"):
        NTKClassifierCV(ArcCosine()).fit(X, X[:, 0] > 1)
