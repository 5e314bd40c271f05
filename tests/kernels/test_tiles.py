"""Small tiles and long rows: every branch of the loops, on few rows, without and with compilation."""

import numpy as np
import pytest
from scipy import sparse

from ntklib import NNGP, NTK
from ntklib.kernels import arc_cosine_kernel, ntk_kernel
from ntklib.kernels.gram import driver, pairs
from tests import naive

pytestmark = pytest.mark.compiled


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(driver, "TILE", 9)
    monkeypatch.setattr(pairs, "TILE", 9)


def lattice(n: int = 20, d: int = 6) -> np.ndarray:
    """Rows full of duplicates, opposite and nearly coincident pairs, a row of zeros among them."""
    X = np.random.default_rng(0).integers(-1, 2, (n, d)).astype(float)
    X[0] = 0
    X[2], X[3], X[11] = -X[1], X[1] + 1e-9, -X[1] + 1e-9
    return X


@pytest.mark.parametrize("activation", ["relu", "erf", "gelu"])
def test_tiles_agree_with_one_another(small_tiles, activation):
    X = lattice()
    kernel = NTK(depth=2, activation=activation, bias_std=0.4)
    K, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(gradient, gradient.transpose(1, 0, 2))
    np.testing.assert_allclose(kernel(X, X.copy()), K, rtol=1e-12)
    for i, j in ((0, 1), (1, 3), (2, 11), (5, 17)):
        np.testing.assert_allclose(kernel(X[[i, j]])[0, 1], K[i, j], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("sparse_rows", [False, True])
def test_against_the_naive_twin(small_tiles, normalized, sparse_rows):
    X = lattice()[1:]
    K = arc_cosine_kernel(sparse.csr_array(X) if sparse_rows else X, degree=2, normalized=normalized)
    expected = naive.arc_cosine_kernel(X, X, 2)
    if normalized:
        expected = expected / np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    np.testing.assert_allclose(K, expected, rtol=1e-6, atol=1e-7)


def test_summed_duplicates_of_sparse_rows():
    X = sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    np.testing.assert_allclose(ntk_kernel(X), ntk_kernel(X.toarray()), rtol=1e-14)


def test_lengths_out_of_range_of_a_product():
    rows = np.random.default_rng(0).standard_normal((3, 6))
    K = NNGP()(np.vstack([1e-150 * rows, 1e120 * rows]))
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_allclose(K[:3, 3:], 1e-30 * NNGP()(rows), rtol=1e-12)


def test_gradient_of_a_normalised_kernel():
    X = lattice()[1:9]
    kernel = NTK(bias_std=0.4, normalized=True)
    step = 1e-5
    up, down = (kernel.clone_with_theta(kernel.theta + s * np.array([1, 0]))(X) for s in (step, -step))
    gradient = kernel(X, eval_gradient=True)[1][:, :, 0]
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), atol=1e-6)


def test_many_lengths_of_a_numerical_activation():
    X = np.linspace(0.9, 1.1, 34)[:, None]
    K = NNGP(activation="tanh")(X)
    np.testing.assert_allclose(NNGP(activation="tanh")(X[[3, 21]])[0, 1], K[3, 21], rtol=1e-11)


@pytest.mark.parametrize("options", [{}, {"depth": 3, "bias_std": 0.5}, {"activation": "erf"}], ids=str)
@pytest.mark.parametrize("size", [1.0, 1e152])  # the values of long rows need exponents of their own
@pytest.mark.parametrize("features", [6, 300])
def test_large_tiles_agree_with_one(options, size, features, monkeypatch):
    X = size * np.random.default_rng(0).standard_normal((41, features)) / features
    X[1], X[40] = X[0], -X[0]
    kernel = NTK(**options)
    one = kernel(X)
    monkeypatch.setattr(pairs, "TILE", 12)
    monkeypatch.setattr(pairs, "_LARGE_TILE", 24)
    monkeypatch.setattr(pairs, "_MANY_PAIRS", 0)
    K, diagonal = kernel(X), kernel.diag(X)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(np.diag(K), diagonal)
    root = np.sqrt(diagonal)
    for values in (K, kernel(X, X.copy())):
        assert np.max(np.abs(values - one) / root[:, None] / root) < 1e-13
