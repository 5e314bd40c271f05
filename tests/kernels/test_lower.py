"""The lower triangle of a Gram matrix, put together from its blocks."""

import numpy as np
import pytest
from scipy import sparse

from ntklib import NNGP, NTK, ArcCosine
from ntklib.kernels import Laplace
from ntklib.kernels.gram import pairs
from ntklib.kernels.objects import lower_triangle

KERNELS = [
    NTK(depth=3, bias_std=0.5),
    NTK(depth=2, bias_std=0.5, normalized=True),
    ArcCosine(2),
    NNGP(2, "step"),
    NTK(activation="erf"),
    NNGP(activation="tanh"),
]
ROWS = np.random.default_rng(0).integers(-2, 3, (83, 6)).astype(float)


def whole(kernel, X):
    """The matrix from its blocks, which cover the triangle once."""
    triangle = lower_triangle(kernel, X)
    K = np.full((triangle.n, triangle.n), np.nan)
    for strip in triangle.strips:
        for rows, columns, block in triangle.blocks(strip):
            assert strip.start <= rows.start < rows.stop <= strip.stop
            assert columns.stop <= rows.start or columns == rows
            assert block.dtype == X.dtype
            assert np.isnan(K[rows, columns]).all()
            K[rows, columns] = block
            if rows == columns:
                np.testing.assert_array_equal(block, block.T)
    lower = np.tril(np.ones(K.shape, dtype=bool))
    assert not np.isnan(K[lower]).any()
    return np.where(lower, K, K.T)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(pairs, "TILE", 12)
    monkeypatch.setattr(pairs, "_LARGE_TILE", 24)
    monkeypatch.setattr(pairs, "_MANY_PAIRS", 0)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("kind", ["dense", "float32", "sparse", "wide", "long"])
def test_blocks_are_the_matrix(kernel, kind, small_tiles):
    X = {
        "dense": ROWS,
        "float32": ROWS.astype(np.float32),
        "sparse": sparse.csr_array(ROWS),
        "wide": np.random.default_rng(1).standard_normal((50, 300)),
        "long": 1e100 * ROWS,  # of degree 2, their values are beyond the floats
    }[kind]
    K = kernel(X)
    np.testing.assert_array_equal(np.diag(whole(kernel, X)), np.diag(K))
    np.testing.assert_allclose(
        whole(kernel, X), K, rtol=2e-5 if kind == "float32" else 1e-11, atol=1e-6 * (kind == "float32")
    )


def test_one_tile_is_the_matrix():
    np.testing.assert_array_equal(whole(KERNELS[0], ROWS), KERNELS[0](ROWS))


def test_other_kernels_have_no_triangle_of_their_own():
    assert lower_triangle(Laplace(), ROWS) is None
    assert lower_triangle(NTK() + NNGP(), ROWS) is None
