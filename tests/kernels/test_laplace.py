"""The Laplace kernel against 50 digits, over the range of floats, and its place in scikit-learn."""

import mpmath
import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.metrics.pairwise import laplacian_kernel

from ntklib import Laplace, set_threads
from ntklib.kernels import Scaled, median_distance

KINDS = [(1, 1.0), (1, 0.5), (2, 1.0), (2, 2.0), (2, 0.7)]
SCALES = [5e-324, 1e-310, 1e-30, 0.3, 7.0, 1e30, 1.7e308]


def oracle(X, Z, scale, norm, exponent):
    """exp(-(|x - z|_p / L)^q) in 50 digits."""
    with mpmath.workdps(50):

        def value(x, z):
            parts = [abs(mpmath.mpf(float(a)) - mpmath.mpf(float(b))) for a, b in zip(x, z, strict=True)]
            total = mpmath.fsum(part**norm for part in parts) ** (mpmath.mpf(1) / norm)
            return float(mpmath.exp(-((total / mpmath.mpf(scale)) ** mpmath.mpf(exponent))))

        return np.array([[value(x, z) for z in Z] for x in X])


@pytest.mark.parametrize(("norm", "exponent"), KINDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_over_the_range_of_floats(norm, exponent, scale, dtype, rng):
    largest = np.finfo(dtype).max
    with np.errstate(over="ignore", under="ignore"):
        size = dtype(min(scale, float(largest) / 4))
        rows = (rng.normal(size=(5, 11)) * size / 8).astype(dtype)
        rows = np.vstack(
            [rows, rows[:1], rows[:1] * (1 + np.finfo(dtype).eps), 0 * rows[:1], rows[1:2] * 1e3]
        )
    extreme = np.zeros((2, 11), dtype)
    extreme[0, 0], extreme[1, 0] = largest, -largest
    rows = np.vstack([np.nan_to_num(rows, posinf=largest), extreme]).astype(dtype)
    K = Laplace(scale, norm=norm, exponent=exponent)(rows)
    assert K.dtype == dtype
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(np.diag(K), 1)
    eps = np.finfo(dtype).eps
    expected = oracle(rows, rows, scale, norm, exponent)
    # the power of the distance has a relative error of a few eps, and so the kernel one of that many powers
    powers = -np.log(np.maximum(expected, np.finfo(dtype).tiny))
    assert np.all(abs(K - expected) <= 8 * eps * expected * (1 + powers) + np.finfo(dtype).tiny)


@pytest.mark.parametrize(("norm", "exponent"), KINDS)
@pytest.mark.parametrize("n_features", [1, 7, 8, 9, 40])
def test_sparse_rows_and_every_number_of_features(norm, exponent, n_features, rng):
    X = rng.normal(size=(6, n_features)) * (rng.random((6, n_features)) < 0.4)
    Z = rng.normal(size=(4, n_features)) * (rng.random((4, n_features)) < 0.4)
    kernel = Laplace(2.0, norm=norm, exponent=exponent)
    expected = oracle(X, Z, 2.0, norm, exponent)
    np.testing.assert_allclose(kernel(X, Z), expected, rtol=1e-13)
    np.testing.assert_allclose(kernel(sparse.csr_array(X), sparse.csr_array(Z)), expected, rtol=1e-13)
    unsorted = sparse.csr_matrix(X)[:, ::-1][:, ::-1]
    np.testing.assert_allclose(kernel(unsorted), kernel(X), rtol=1e-13)


def test_many_features_in_float32(rng):
    X = rng.normal(size=(4, 3000)).astype(np.float32)
    np.testing.assert_allclose(Laplace(3000.0)(X), oracle(X, X, 3000.0, 1, 1.0), rtol=1e-5)


def test_agrees_with_scikit_learn(rng):
    X = rng.normal(size=(30, 3))
    np.testing.assert_allclose(Laplace(2.0)(X), laplacian_kernel(X, gamma=0.5), rtol=1e-13)
    np.testing.assert_allclose(Laplace(2.0, norm=2)(X), Matern(2.0, nu=0.5)(X), rtol=1e-12)
    half = Laplace(np.sqrt(2.0), norm=2, exponent=2.0)
    np.testing.assert_allclose(half(X), RBF(1.0)(X), rtol=1e-12)


@pytest.mark.parametrize(("norm", "exponent"), KINDS)
def test_gradient_by_finite_differences(norm, exponent, rng):
    X = np.vstack([rng.normal(size=(5, 3)), 1e200 * np.ones((1, 3))])
    kernel = Laplace(1.3, norm=norm, exponent=exponent)
    _, gradient = kernel(X, eval_gradient=True)
    h = 1e-6
    above, below = (kernel.clone_with_theta(kernel.theta + step)(X) for step in (h, -h))
    np.testing.assert_allclose(gradient[:, :, 0], (above - below) / (2 * h), atol=1e-9)
    fixed = Laplace(1.3, norm=norm, exponent=exponent, length_scale_bounds="fixed")
    assert fixed(X, eval_gradient=True)[1].shape == (6, 6, 0)


@pytest.mark.parametrize(("norm", "exponent"), KINDS)
def test_gradient_of_sparse_rows_and_single_precision(norm, exponent, rng):
    X = rng.normal(size=(9, 5)) * (rng.random((9, 5)) < 0.5)
    X[3] = X[2]
    kernel = Laplace(1.3, norm=norm, exponent=exponent)
    h = 1e-6
    above, below = (oracle(X, X, 1.3 * np.exp(step), norm, exponent) for step in (h, -h))
    slopes = (above - below) / (2 * h)
    for rows in (X, sparse.csr_array(X), sparse.csr_matrix(X)):
        K, gradient = kernel(rows, eval_gradient=True)
        np.testing.assert_allclose(K, oracle(X, X, 1.3, norm, exponent), rtol=1e-13)
        np.testing.assert_allclose(gradient[:, :, 0], slopes, atol=1e-9)
        assert gradient.dtype == np.float64
    for rows in (X.astype(np.float32), sparse.csr_array(X.astype(np.float32))):
        K, gradient = kernel(rows, eval_gradient=True)
        assert (K.dtype, gradient.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(gradient[:, :, 0], slopes, atol=1e-6)
    composed = 0.5 * kernel + Scaled(kernel, 2.0) ** 2
    expected = [0.5 * oracle(X, X, 1.3, norm, exponent), 0.5 * slopes]
    for rows in (X, sparse.csr_array(X)):
        K, gradient = composed(rows, eval_gradient=True)
        names = [h.name for h in composed.hyperparameters]
        np.testing.assert_allclose(gradient[:, :, names.index("k1__k1__constant_value")], expected[0])
        np.testing.assert_allclose(
            gradient[:, :, names.index("k1__k2__length_scale")], expected[1], atol=1e-9
        )


def test_positive_definite(rng):
    X = np.vstack([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) * 1e-3])
    for norm, exponent in KINDS:
        assert np.linalg.eigvalsh(Laplace(norm=norm, exponent=exponent)(X))[0] > -1e-13


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_same_bytes_at_any_number_of_threads(dtype, rng):
    X = rng.normal(size=(700, 5)).astype(dtype)
    grams = []
    for threads in (1, 2):
        with set_threads(threads):
            grams.append(Laplace(2.0)(X))
    np.testing.assert_array_equal(*grams)
    np.testing.assert_array_equal(grams[0], Laplace(2.0)(X, X.copy()))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"length_scale": 0.0}, "length_scale must be finite and greater than 0"),
        ({"length_scale": np.inf}, "length_scale must be finite"),
        ({"norm": 3}, "norm must be 1 or 2"),
        ({"exponent": 1.5}, "at most norm=1, or the kernel is not positive definite"),
        ({"norm": 2, "exponent": 2.5}, "at most norm=2"),
        ({"exponent": 0.0}, "exponent must be finite and greater than 0"),
    ],
)
def test_bad_parameters(parameters, message):
    for call in (Laplace(**parameters), Laplace(**parameters).diag):
        with pytest.raises(ValueError, match=message):
            call(np.eye(2))


def test_bad_rows():
    with pytest.raises(ValueError, match="NaN"):
        Laplace()([[np.nan]])
    with pytest.raises(ValueError, match="X has 1 features and Y has 2"):
        Laplace()([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="Y=None"):
        Laplace()([[1.0]], [[2.0]], eval_gradient=True)


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("factor", [1.0, 1e-300, 1e300])
def test_median_distance(norm, factor, rng):
    X = rng.normal(size=(30, 5)) * (rng.random((30, 5)) < 0.7)
    expected = np.median(pdist(X, "minkowski", p=norm)) * factor
    np.testing.assert_allclose(median_distance(X * factor, norm), expected, rtol=1e-12)
    np.testing.assert_allclose(median_distance(sparse.csr_array(X * factor), norm), expected, rtol=1e-12)
    assert median_distance(np.zeros((3, 2)), norm) == 0
    with pytest.raises(ValueError, match="at least 2 rows"):
        median_distance(X[:1])
    with pytest.raises(ValueError, match="norm must be 1 or 2"):
        median_distance(X, 3)
