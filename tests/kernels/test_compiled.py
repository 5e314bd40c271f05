"""Every compiled loop on a few rows: fast enough to run with NUMBA_DISABLE_JIT=1 and NUMBA_BOUNDSCHECK=1."""

import numpy as np
import pytest
from scipy import sparse

from ntklib.kernels import NNGP, NTK, Laplace, arc_cosine_kernel, arc_cosine_of_angle, ntk_kernel
from ntklib.kernels.duals.hermite import _mehler
from tests import naive
from tests.registry import ACTIVATIONS

pytestmark = pytest.mark.compiled

X = np.array(
    [[0.4, -0.3, 0.2], [0.4, -0.3, 0.2], [-0.4, 0.3, -0.2], [0.4, -0.3, 0.2 + 1e-9], [0.1, 0.5, 0.0]]
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)
def test_activation(entry, dtype):
    rows = X.astype(dtype)
    for kind in (NNGP, NTK):
        for depth in (1, 2):
            kernel = kind(depth=depth, activation=entry.activation, weight_std=0.9, bias_std=0.3)
            K, gradient = kernel(rows, eval_gradient=True)
            np.testing.assert_array_equal(K, K.T)
            np.testing.assert_array_equal(np.diag(K), kernel.diag(rows))
            assert np.all(np.isfinite(gradient))
            np.testing.assert_allclose(kernel(rows, rows[:2].copy()), K[:, :2], rtol=1e-4, atol=1e-5)
            slopes = [
                kernel.gradient_x(form(rows), form(rows), [1.0] * 5)
                for form in (np.asarray, sparse.csr_array)
            ]
            np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_degrees(degree, dtype):
    rows = X[3:].astype(dtype)
    expected = naive.arc_cosine_kernel(rows.astype(float), rows.astype(float), degree)
    for data in (rows, sparse.csr_array(rows)):
        np.testing.assert_allclose(arc_cosine_kernel(data, degree=degree), expected, rtol=2e-5, atol=1e-12)
        np.testing.assert_allclose(
            arc_cosine_kernel(data, degree=degree, normalized=True).diagonal(), 1, rtol=1e-6
        )
    angles = np.array([0.0, 1e-9, 0.5, 2.0, np.pi - 1e-6, np.pi])
    twins = [naive.arc_cosine_of_angle(float(angle), degree) for angle in angles]
    np.testing.assert_allclose(arc_cosine_of_angle(angles, degree=degree), twins, rtol=1e-8, atol=1e-30)


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_laplace(norm, dtype):
    rows = np.tile(X, 3).astype(dtype)  # nine features: a sweep of eight and one
    distances = np.linalg.norm(rows[:, None].astype(float) - rows.astype(float), norm, axis=2)
    for data in (rows, sparse.csr_array(rows)):
        np.testing.assert_allclose(Laplace(2.0, norm=norm)(data), np.exp(-distances / 2), rtol=1e-6)


def test_long_series():
    """Mehler's series, of which pairs of smaller correlations need fewer terms."""
    rho = np.array([[0.001, 0.3, -0.9, 0.99], [1.0, -1.0, 0.999, -0.5]])
    a, b = np.random.default_rng(0).normal(size=(2, 300)), np.random.default_rng(1).normal(size=(4, 300))
    tau = np.copysign(1 - np.abs(rho), rho)
    expected = np.sum(a[:, None] * b[None] * rho[:, :, None] ** np.arange(300), axis=2)
    np.testing.assert_allclose(_mehler(a, b, tau), expected, rtol=1e-11)


def test_large_shift_and_zero_rows():
    for shift in (0.0, 1e6):
        K = ntk_kernel(np.vstack([X, np.zeros((1, 3))]) + shift, depth=3)
        assert np.all(np.isfinite(K))
        np.testing.assert_array_equal(K, K.T)


@pytest.mark.parametrize("activation", ["erf", "gelu", "gaussian"])
def test_rows_beyond_the_range_of_their_squares(activation):
    """Relative to their diagonals, kernels of huge rows depend on the direction alone."""
    for size in (1e160, 1e200):
        rows = np.vstack([size * X, X[:1]])
        kernel = NNGP(depth=2, activation=activation, weight_std=0.9, bias_std=0.3, normalized=True)
        K, gradient = kernel(rows, eval_gradient=True)
        np.testing.assert_array_equal(np.diag(K), 1)
        np.testing.assert_array_equal(K, K.T)
        np.testing.assert_array_equal(np.diag(K), kernel.diag(rows))
        assert np.all(np.isfinite(gradient))
        plain, slopes = NTK(depth=2, activation="erf", bias_std=0.3)(rows, eval_gradient=True)
        np.testing.assert_allclose(np.diag(plain)[:3] / size, np.diag(plain)[0] / size, rtol=1e-6)
        assert np.all(np.isfinite(slopes))


def test_values_beyond_the_floats():
    """Infinite on the diagonal of two long rows, 0 between orthogonal ones, and symmetric tile by tile."""
    rows = np.array([[1e200, 0.0], [0.0, 1e200], [1e-200, 1e-200]])
    K = NNGP(activation="identity")(rows)
    np.testing.assert_array_equal(K[:2, :2], [[np.inf, 0.0], [0.0, np.inf]])
    np.testing.assert_allclose(K[2, :2], 1.0, rtol=1e-14)
    np.testing.assert_array_equal(K, K.T)
