"""Laws over the registry: what every kernel obeys, whatever its activation."""

import numpy as np
import pytest

from ntklib.kernels import Laplace, nngp_kernel, ntk_kernel
from tests.registry import ACTIVATIONS, kernel_objects

OBJECTS = pytest.mark.parametrize("kernel", kernel_objects(), ids=repr)
ENTRIES = pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)


@pytest.fixture
def rows(rng):
    X = 0.6 * rng.normal(size=(12, 4))
    return np.vstack([X, X[:3], -X[:3], 2 * X[:2]])


def check_gram(K):
    np.testing.assert_array_equal(K, K.T)
    diagonal = np.diag(K)
    assert np.all(diagonal >= 0)
    values = np.linalg.eigvalsh(K.astype(float))
    assert values[0] >= -len(K) * np.finfo(K.dtype).eps * values[-1]
    assert np.all(abs(K) <= np.sqrt(np.outer(diagonal, diagonal)) * (1 + 1e-13))


@OBJECTS
def test_objects(kernel, rows):
    K = kernel(rows)
    check_gram(K)
    np.testing.assert_array_equal(kernel.diag(rows), np.diag(K))
    single = rows.astype(np.float32)
    np.testing.assert_array_equal(kernel.diag(single), np.diag(kernel(single)))
    assert kernel.is_stationary() == isinstance(kernel, Laplace)


@OBJECTS
def test_rows_do_not_depend_on_the_batch(kernel, rows):
    K = kernel(rows)
    scale = 1e-14 * np.sqrt(np.outer(np.diag(K), np.diag(K)))
    for i in (0, 5, 13, 17):
        assert np.all(abs(kernel(rows[[i]], rows) - K[[i]]) <= scale[[i]])
        np.testing.assert_allclose(kernel(rows[[i]])[0, 0], K[i, i], rtol=1e-15)
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.all(abs(kernel(rows[order]) - K[np.ix_(order, order)]) <= scale[np.ix_(order, order)])


@ENTRIES
def test_activations(entry, rows):
    rows = rows * (0.2 if entry.largest < 10 else 1.0)
    for options in ({"depth": 1}, {"depth": 2, "weight_std": 0.8, "bias_std": 0.3}):
        nngp = nngp_kernel(rows, activation=entry.activation, **options)
        ntk = ntk_kernel(rows, activation=entry.activation, **options)
        check_gram(nngp)
        check_gram(ntk)
        output = ntk_kernel(rows, activation=entry.activation, trainable="output", **options)
        np.testing.assert_allclose(output, nngp, rtol=1e-14, atol=1e-16 * nngp.max())


@pytest.mark.parametrize("entry", [entry for entry in ACTIVATIONS if entry.order is not None], ids=str)
def test_homogeneity(entry, rows):
    for depth in (1, 2):
        order = entry.order**depth
        for kernel in (nngp_kernel, ntk_kernel):
            K = kernel(rows, activation=entry.activation, depth=depth)
            scaled = kernel(rows, 8 * rows, activation=entry.activation, depth=depth)
            scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
            assert abs(scaled / 8.0**order - K).max() <= 1e-13 * scale.max()


@ENTRIES
def test_the_origin(entry):
    """A zero row never gives NaN, and orthogonal rotations change nothing."""
    X = np.array([[0.0, 0.0], [0.3, -0.4], [0.5, 0.1]])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for kernel in (nngp_kernel, ntk_kernel):
        K = kernel(X, activation=entry.activation)
        assert np.all(np.isfinite(K))
        np.testing.assert_allclose(kernel(X @ turn, activation=entry.activation), K, rtol=1e-12, atol=1e-14)
