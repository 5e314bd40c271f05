import tracemalloc

import numpy as np
import pytest

from ntklib.solvers import Cholesky, Eigendecomposition, IllConditionedWarning
from ntklib.solvers import _eigen as module
from tests.solvers.brute_ridge import rbf


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 2))
    return rbf(X), rng.standard_normal((120, 3)), rng.uniform(0.1, 3, 120)


@pytest.mark.parametrize("in_place", [False, True])
def test_agrees_with_plain_algebra(data, in_place, monkeypatch):
    if in_place:
        monkeypatch.setattr(module, "_LARGE", 0)
    K, b, w = data
    kept = K.copy()
    factor = Eigendecomposition(K, weights=w)
    np.testing.assert_array_equal(K, kept)
    for penalty in (1e-3, 1.0):
        inverse = np.linalg.inv(K + penalty * np.diag(1 / w))
        solution = factor.solve(b, penalty)
        np.testing.assert_allclose(solution.value, inverse @ b, atol=1e-9 * abs(inverse @ b).max())
        np.testing.assert_allclose(factor.inverse_diagonal(penalty), np.diagonal(inverse), rtol=1e-9)
        S = np.sqrt(w)[:, None] * K * np.sqrt(w) + penalty * np.eye(len(K))
        np.testing.assert_allclose(solution.condition, np.linalg.cond(S), rtol=1e-8)
        assert solution.outcome == "ok"
        assert solution.residual < 1e-10


def test_many_penalties_are_one_each(data):
    K, _, w = data
    factor = Eigendecomposition(K, weights=w)
    penalties = [1e-3, 0.1, 10.0]
    together = factor.inverse_diagonals(penalties)
    assert together.shape == (3, len(K))
    for row, penalty in zip(together, penalties, strict=True):
        np.testing.assert_allclose(row, Cholesky(K, weights=w).inverse_diagonal(penalty), rtol=1e-9)


def test_spectrum_is_that_of_the_gram(data):
    K = data[0]
    factor = Eigendecomposition(K)
    assert (np.diff(factor.eigenvalues) >= 0).all()
    assert factor.eigenvalues.min() >= 0
    np.testing.assert_allclose((factor.vectors * factor.eigenvalues) @ factor.vectors.T, K, atol=1e-12)


def test_diagonals_take_strips_not_matrices(data):
    n = 1500
    factor = Eigendecomposition.__new__(Eigendecomposition)
    factor.n, factor._root = n, None
    factor.vectors, factor.eigenvalues = np.eye(n), np.ones(n)
    tracemalloc.start()
    try:
        np.testing.assert_allclose(
            factor.inverse_diagonals(np.arange(30.0)), 1 / np.arange(1, 31)[:, None] + np.zeros(n)
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * factor.vectors.nbytes


def test_singular_without_penalty_warns():
    factor = Eigendecomposition(np.ones((4, 4)))
    with pytest.warns(IllConditionedWarning, match="Raise the penalty"):
        solution = factor.solve(np.ones(4), 0.0)
    assert solution.outcome == "jittered"
    assert solution.jitter > 0
    np.testing.assert_allclose(solution.value.sum(), 1.0)


def test_float32_is_decomposed_in_float64(data):
    K = data[0].astype(np.float32)
    assert Eigendecomposition(K).vectors.dtype == np.float64


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN or infinity"):
        Eigendecomposition(np.full((2, 2), np.nan))
