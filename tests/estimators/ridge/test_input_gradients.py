"""Gradients of predictions against differences of them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from ntklib import (
    NNGP,
    NTK,
    Laplace,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    NystromFeatures,
)
from ntklib.kernels import Scaled
from ntklib.solvers import Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
TARGETS = np.stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] ** 2], axis=1)
NEW = RNG.normal(size=(5, 3))


def differences(function, X, h=1e-5):
    ends = [[function(X + sign * h * unit) for unit in np.eye(X.shape[1])] for sign in (1, -1)]
    return (np.stack(ends[0], axis=1) - np.stack(ends[1], axis=1)) / (2 * h)


@pytest.mark.parametrize("targets", [TARGETS, TARGETS[:, 0]], ids=["two", "one"])
@pytest.mark.parametrize(
    "model",
    [
        NTKRegressor(),
        NTKRegressor(Laplace(2.0) * NTK(bias_std=0.5) + NNGP(), solver=Nystrom(15)),
        NTKRegressorCV(),
    ],
    ids=["plain", "nystrom", "search"],
)
def test_regressors(model, targets):
    model.fit(X, targets)
    slopes = model.predict_gradient(NEW)
    assert slopes.shape == (5, 3, *targets.shape[1:])
    np.testing.assert_allclose(slopes, differences(model.predict, NEW), atol=1e-7)
    np.testing.assert_allclose(model.predict_gradient(sparse.csr_array(NEW)), slopes, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [NTKClassifier(), NTKClassifierCV()], ids=["plain", "search"])
def test_classifiers(model, classes):
    model.fit(X, np.digitize(X[:, 0], [-0.3, 0.4][: classes - 1]))
    slopes = model.decision_gradient(NEW)
    assert slopes.shape == ((5, 3) if classes == 2 else (5, 3, 3))
    np.testing.assert_allclose(slopes, differences(model.decision_function, NEW), atol=1e-7)


def test_float32_and_a_view_of_it():
    model = NTKRegressor().fit(X, TARGETS)
    slopes = model.predict_gradient(NEW.astype(np.float32))
    np.testing.assert_allclose(slopes, model.predict_gradient(NEW), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "kernel",
    [
        2.0 * NTK(bias_std=0.5),
        NTK() + ConstantKernel(0.5),
        (Laplace(2.0) + 0.5) ** 2 * NNGP(bias_std=0.3),
        Scaled(NTK() * ConstantKernel(0.7) + Laplace(), [1.0, 0.5, 2.0]),
        NTK(bias_std=1.0) + WhiteKernel(0.1),
    ],
    ids=str,
)
def test_sparse_rows_of_kernels_with_constants(kernel):
    dense = NTKRegressor(kernel).fit(X, TARGETS)
    thin = NTKRegressor(kernel).fit(sparse.csr_array(X), TARGETS)
    for new in (NEW, sparse.csr_array(NEW)):
        np.testing.assert_allclose(thin.predict(new), dense.predict(NEW), rtol=1e-9)
        for model in (thin, dense):
            slopes = model.predict_gradient(new)
            np.testing.assert_allclose(slopes, differences(dense.predict, NEW), rtol=1e-6, atol=1e-7)
    labels, grid = X[:, 0] > 0, [kernel]
    chosen = NTKClassifierCV(grid).fit(sparse.csr_array(X), labels)
    assert (chosen.predict(sparse.csr_array(NEW)) == NTKClassifierCV(grid).fit(X, labels).predict(NEW)).all()


def test_the_part_that_takes_no_sparse_rows_is_named():
    thin, kernel = sparse.csr_array(X), 2.0 * NTK() + RBF(3.0)
    for fit in (
        NTKRegressor(kernel).fit,
        NTKRegressorCV([NTK(), kernel]).fit,
        lambda X, y: NystromFeatures(kernel, n_components=5).fit(X),
    ):
        with pytest.raises(TypeError, match=r"X is sparse, and the kernel RBF\(length_scale=3\) takes dense"):
            fit(thin, TARGETS[:, 0])
    model = NTKRegressor(kernel).fit(X, TARGETS)
    with pytest.raises(TypeError, match="X is sparse, and the kernel RBF"):
        model.predict(thin)


def test_refusals():
    with pytest.raises(ValueError, match="predict_gradient needs rows"):
        NTKRegressor("precomputed").fit(X @ X.T, TARGETS).predict_gradient(NEW @ X.T)
    with pytest.raises(ValueError, match="decision_gradient needs rows"):
        NTKClassifier("precomputed").fit(X @ X.T, X[:, 0] > 0).decision_gradient(NEW @ X.T)
    with pytest.raises(TypeError, match="no gradients in the inputs"):
        NTKRegressor(RBF()).fit(X, TARGETS).predict_gradient(NEW)
    with pytest.raises(ValueError, match="2 features"):
        NTKRegressor().fit(X, TARGETS).predict_gradient(NEW[:, :2])
