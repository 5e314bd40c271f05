"""The kernel of scaled rows: the kernel at the product, in every way it is asked."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from ntklib import NNGP, NTK, Laplace, NTKRegressor, NTKRegressorCV
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
    with pytest.raises(ValueError, match="one for each feature; got 'two'"):
        Scaled(NTK(), "two")(X)
    for wrong in (-1.0, [1.0, np.nan, 1.0]):
        with pytest.raises(ValueError, match="finite and at least 0"):
            Scaled(NTK(), wrong)(X)
    with pytest.raises(ValueError, match="only available for Y=None"):
        Scaled(NTK(), 1.0)(X, Y, eval_gradient=True)


@pytest.mark.parametrize("wrong", [Laplace, "precomputed", None], ids=str)
def test_what_is_no_kernel_is_named_where_it_is_used(wrong):
    message = "is a class: give an instance, Laplace" if wrong is Laplace else f"such as NTK.*; got {wrong!r}"
    ours = Scaled(wrong, 1.0)
    for use in (ours, ours.diag, lambda X: gradient_x(ours, X, X, X[:, 0])):
        with pytest.raises(TypeError, match=f"kernel of Scaled must be a kernel object.*{message}"):
            use(X)
    for model in (NTKRegressor(ours), NTKRegressor(NTK() + ours), NTKRegressorCV([ours])):
        with pytest.raises(TypeError, match=message):
            clone(model).fit(X, X[:, 0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_products_beyond_the_floats_are_named_without_a_warning(dtype, convert, recwarn):
    """Scales beyond them are no fault of rows so small that the products are not."""
    large = float(np.finfo(dtype).max) / 10
    rows = convert((np.abs(X) + 1).astype(dtype) * dtype(100))
    for call in (Scaled(NTK(), large), Scaled(NTK(), large).diag):
        with pytest.raises(ValueError, match=f"X times the scales .* beyond {np.dtype(dtype)}: give"):
            call(rows)
    assert not recwarn
    small = np.float32([[1e-40], [3e-40]])
    np.testing.assert_allclose(Scaled(NTK(), 1e40)(small), NTK()(small.astype(float) * 1e40), rtol=1e-6)
    assert not recwarn
