"""Conjugate gradients without the matrix, against a dense solve and their certificate."""

import numpy as np
import pytest

import ntklib
from ntklib.kernels import NTK
from ntklib.solvers._both_products import FEW, add_both_products
from ntklib.solvers.conjugate_gradient import TILE, TiledGram, conjugate_gradients
from ntklib.solvers.nystrom._pivots import pivoted_cholesky

KERNEL = NTK(depth=2, bias_std=0.3)
X = np.random.default_rng(0).normal(size=(240, 5))
B = np.column_stack([np.sin(X[:, 0]), np.ones(240), 1e6 * X[:, 1]])
WEIGHTS = np.random.default_rng(1).uniform(0.1, 5, size=240)


def solve(penalty, weights=None, *, rows=X, rhs=B, rank=60, tol=1e-8, max_iter=300, **options):
    start = pivoted_cholesky(KERNEL, KERNEL.diag(rows), rows, rank, rng=np.random.default_rng(0))
    gram = TiledGram(KERNEL, rows)
    return conjugate_gradients(
        gram, rhs, penalty, factor=start.factor, weights=weights, tol=tol, max_iter=max_iter, **options
    )


@pytest.mark.parametrize("penalty", [1.0, 1e-3])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_the_error_is_within_the_certificate(weights, penalty):
    K = KERNEL(X)
    w = np.ones(240) if weights is None else weights
    exact = np.linalg.solve(K + penalty * np.diag(1 / w), B)
    for tol in (1e-2, 1e-5, 1e-9):
        result = solve(penalty, weights, tol=tol)
        assert result.converged
        assert result.relative <= tol
        error = exact - result.value
        norm = np.sqrt(np.einsum("ik,ij,jk->k", error, K, error))
        assert (norm <= result.residual / (2 * np.sqrt(penalty)) * (1 + 1e-6) + 1e-9).all()
        on_rows = np.sqrt((w[:, None] * (K @ error) ** 2).sum(axis=0))
        assert (on_rows <= result.residual * (1 + 1e-6) + 1e-9).all()
    assert (abs(result.value - exact) <= 1e-6 * abs(exact).max(axis=0)).all()


def test_the_tiled_product_is_the_matrix_product_at_any_number_of_threads():
    rows = np.random.default_rng(2).normal(size=(2 * TILE + 100, 3))
    v = np.random.default_rng(3).normal(size=(len(rows), 2))
    seen = set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            seen.add((TiledGram(KERNEL, rows) @ v).tobytes())
    assert len(seen) == 1
    np.testing.assert_allclose(TiledGram(KERNEL, rows) @ v, KERNEL(rows) @ v, rtol=1e-9, atol=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [1, 3, FEW + 1])
def test_both_products_of_a_tile_are_added_in_float64(k, dtype):
    rng = np.random.default_rng(k)
    for n, m in ((5, 8), (7, 19), (1, 1), (3, 0)):
        tile = rng.normal(size=(n, m)).astype(dtype)
        left, right = rng.normal(size=(k, n)), rng.normal(size=(k, m))
        by_row, by_column = np.ones((k, n)), np.ones((k, m))
        for values in (tile, np.asfortranarray(tile)):
            add_both_products(values, left, right, by_row, by_column)
        exact = tile.astype(float)
        np.testing.assert_allclose(by_row, 1 + 2 * right @ exact.T, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(by_column, 1 + 2 * left @ exact, rtol=1e-13, atol=1e-13)


def test_a_better_factor_takes_fewer_iterations():
    few, many = (solve(1e-2, rank=rank).iterations for rank in (10, 150))
    assert many < few / 2


def test_running_out_of_iterations_is_told():
    told = []
    result = solve(1e-6, rank=5, tol=1e-12, max_iter=4, each=lambda done, size: told.append((done, size)))
    assert not result.converged
    assert result.iterations == 4
    assert [done for done, _ in told] == [0, 1, 2, 3]
    assert result.relative > 1e-12


def test_columns_of_zeros_stay_zero():
    result = solve(1.0, rhs=np.column_stack([np.zeros(240), B[:, 0]]))
    assert not result.value[:, 0].any()
    assert result.converged
