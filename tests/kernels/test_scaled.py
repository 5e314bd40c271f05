"""The kernel of scaled rows: the kernel at the product, in every way it is asked."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from ntklib import NNGP, NTK, Laplace, NTKRegressor
from ntklib.kernels import Scaled, gradient_x

RNG = np.random.default_rng(0)
X, Y, WEIGHTS = RNG.normal(size=(6, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))
SCALES = np.array([2.0, 0.0, 0.5])
KERNELS = [NTK(bias_std=0.3), Laplace(norm=2), Laplace() * NNGP(bias_std=0.2)]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_values_and_gradients(kernel):
    ours = Scaled(kernel, SCALES)
    np.testing.assert_array_equal(ours(X, Y), kernel(X * SCALES, Y * SCALES))
    np.testing.assert_array_equal(ours(X, X), kernel(X * SCALES))
    np.testing.assert_array_equal(ours.diag(X), kernel.diag(X * SCALES))
    for part, truth in zip(ours(X, eval_gradient=True), kernel(X * SCALES, eval_gradient=True), strict=True):
        np.testing.assert_array_equal(part, truth)
    moves = 1e-5 * np.eye(3)
    rises = [(ours(X + move, Y) - ours(X - move, Y)) @ WEIGHTS / 2e-5 for move in moves]
    slopes = gradient_x(ours, X, Y, WEIGHTS)
    np.testing.assert_allclose(slopes, np.stack(rises, axis=1), atol=1e-7)
    assert not slopes[:, 1].any()
    assert ours.is_stationary() == kernel.is_stationary()


def test_sparse_rows_and_float32():
    ours = Scaled(NTK(bias_std=0.3), SCALES)
    rows, others = sparse.csr_array(X), sparse.csr_array(Y)
    np.testing.assert_allclose(ours(rows, others), ours(X, Y), rtol=1e-12)
    np.testing.assert_allclose(
        gradient_x(ours, rows, others, WEIGHTS), gradient_x(ours, X, Y, WEIGHTS), rtol=1e-9
    )
    single = ours(X.astype(np.float32), Y.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, ours(X, Y), rtol=1e-5, atol=1e-5)


def test_hyperparameters_are_those_of_the_kernel():
    ours = Scaled(NTK(weight_std=1.5, bias_std=0.3), SCALES)
    assert [h.name for h in ours.hyperparameters] == ["kernel__bias_std", "kernel__weight_std"]
    np.testing.assert_array_equal(ours.bounds, ours.kernel.bounds)
    moved = ours.clone_with_theta(ours.theta + 1.0)
    assert moved.kernel.weight_std == pytest.approx(1.5 * np.e)
    assert ours.kernel.weight_std == 1.5
    assert clone(ours) == ours
    assert ours != Scaled(ours.kernel, 2 * SCALES)
    assert ours != Scaled(ours.kernel, SCALES[:2])
    assert ours + ours.kernel != Scaled(ours.kernel, SCALES[:2]) + ours.kernel
    assert ours != ours.kernel
    assert ours.kernel != ours
    assert ours.set_params(kernel__depth=2).kernel.depth == 2
    assert repr(Scaled(Laplace(), 2.0)).endswith(", 2.0)")


def test_in_an_estimator():
    y = X[:, 0] ** 2
    ours = NTKRegressor(Scaled(NTK(bias_std=1.0), SCALES)).fit(sparse.csr_array(X), y)
    truth = NTKRegressor(NTK(bias_std=1.0)).fit(X * SCALES, y)
    np.testing.assert_allclose(ours.predict(Y), truth.predict(Y * SCALES))
    np.testing.assert_allclose(ours.predict_gradient(Y), truth.predict_gradient(Y * SCALES) * SCALES)


def test_refusals():
    with pytest.raises(ValueError, match=r"one for each of 3 features; got \(2,\)"):
        Scaled(NTK(), [1.0, 2.0])(X)
    for wrong in (-1.0, [1.0, np.nan, 1.0]):
        with pytest.raises(ValueError, match="finite and at least 0"):
            Scaled(NTK(), wrong)(X)
    with pytest.raises(ValueError, match="only available for Y=None"):
        Scaled(NTK(), 1.0)(X, Y, eval_gradient=True)
