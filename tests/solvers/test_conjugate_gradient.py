"""Conjugate gradients without the matrix, against a dense solve and their certificate."""

import numpy as np
import pytest

import ntklib
from ntklib.kernels import NTK, Laplace, NumericalActivation
from ntklib.kernels.objects import lower_triangle
from ntklib.solvers._both_products import FEW, add_both_products
from ntklib.solvers.conjugate_gradient import TILE, CrossTriangle, TiledGram, conjugate_gradients
from ntklib.solvers.nystrom._pivots import pivoted_cholesky

KERNEL = NTK(depth=2, bias_std=0.3)
X = np.random.default_rng(0).normal(size=(240, 5))
B = np.column_stack([np.sin(X[:, 0]), np.ones(240), 1e6 * X[:, 1]])
WEIGHTS = np.random.default_rng(1).uniform(0.1, 5, size=240)


def solve(penalty, weights=None, *, rows=X, rhs=B, rank=60, tol=1e-8, max_iter=300, **options):
    start = pivoted_cholesky(KERNEL, KERNEL.diag(rows), rows, rank, rng=np.random.default_rng(0))
    gram = TiledGram(CrossTriangle(KERNEL, rows))
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


@pytest.mark.parametrize("triangle", [CrossTriangle, lower_triangle])
def test_the_tiled_product_is_the_matrix_product_at_any_number_of_threads(triangle):
    rows = np.random.default_rng(2).normal(size=(2 * TILE + 100, 3))
    v = np.random.default_rng(3).normal(size=(len(rows), 2))
    seen = set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            seen.add((TiledGram(triangle(KERNEL, rows)) @ v).tobytes())
    assert len(seen) == 1
    np.testing.assert_allclose(TiledGram(triangle(KERNEL, rows)) @ v, KERNEL(rows) @ v, rtol=1e-9, atol=1e-9)


@pytest.mark.compiled
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("k", [1, 3, FEW + 1])
def test_both_products_of_a_tile_are_added_in_float64(k, dtype):
    rng = np.random.default_rng(k)
    for n, m in ((5, 8), (7, 19), (1, 1), (3, 0), (130, 515)):
        tile = rng.normal(size=(n, m)).astype(dtype)
        columns, rows = slice(2, 2 + m), slice(m + 3, m + 3 + n)
        vectors, sums = rng.normal(size=(k, rows.stop + 4)), np.ones((k, rows.stop))
        for values in (tile, np.asfortranarray(tile)):
            add_both_products(values, rows, columns, vectors, sums)
        exact = tile.astype(float)
        expected = np.ones_like(sums)
        expected[:, rows] += 2 * vectors[:, columns] @ exact.T
        expected[:, columns] += 2 * vectors[:, rows] @ exact
        np.testing.assert_allclose(sums, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("k", [2, FEW + 1])
def test_a_block_on_the_diagonal_is_added_once(k):
    rng = np.random.default_rng(k)
    square, vectors, rows = rng.normal(size=(6, 6)), rng.normal(size=(k, 9)), slice(3, 9)
    square, sums = square + square.T, np.zeros((k, 9))
    add_both_products(square, rows, rows, vectors, sums)
    np.testing.assert_allclose(sums[:, rows], vectors[:, rows] @ square, rtol=1e-13)
    assert not sums[:, :3].any()


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


class OfTwoColumns(NTK):
    """A kernel of one's own, made from one of ours."""

    def __call__(self, X, Y=None, eval_gradient=False):
        return super().__call__(X[:, :2], None if Y is None else Y[:, :2], eval_gradient)

    def diag(self, X):
        return super().diag(X[:, :2])


def test_kernels_that_are_called_for_their_values():
    """Subclasses, whose values are their own; other kinds; functions whose series would fill the memory."""
    function = NumericalActivation(np.arctan, lambda z: 1 / (1 + z**2))
    for kernel in (OfTwoColumns(), Laplace(), NTK(activation=function)):
        assert lower_triangle(kernel, np.eye(3)) is None
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    y = X[:, 0] + X[:, 1]
    solvers = ntklib.solvers.Cholesky(), ntklib.solvers.ConjugateGradient(40, tol=1e-10)
    exact, iterated = (
        ntklib.NTKRegressor(OfTwoColumns(bias_std=1.0), solver=solver).fit(X, y) for solver in solvers
    )
    np.testing.assert_allclose(iterated.predict(X), exact.predict(X), atol=1e-6)
