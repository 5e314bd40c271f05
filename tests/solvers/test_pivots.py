"""Randomly pivoted Cholesky: its law, its factor, and where it stops."""

from itertools import permutations

import numpy as np
import pytest

import ntklib
from ntklib.kernels import NTK, Laplace
from ntklib.solvers import Nystrom, solver
from ntklib.solvers.nystrom import choose_centres
from ntklib.solvers.nystrom._pivots import pivoted_cholesky


def lookup(K):
    """A kernel on row numbers that looks its values up in a matrix."""
    return lambda X, Y: K[np.ix_(X[:, 0].astype(int), Y[:, 0].astype(int))]


def pivots(K, rank, rng, **options):
    numbers = np.arange(len(K), dtype=float)[:, None]
    return pivoted_cholesky(lookup(K), K.diagonal(), numbers, rank, rng=rng, **options)


def law(K, rank):
    """Probability of every sequence of pivots, from the definition."""
    result = {}
    for sequence in permutations(range(len(K)), rank):
        left, probability = K.copy(), 1.0
        for s in sequence:
            probability *= left[s, s] / left.trace()
            left = left - np.outer(left[:, s], left[s]) / left[s, s]
        result[sequence] = probability
    return result


@pytest.mark.parametrize("block", [1, 2, 5])
def test_the_law_does_not_depend_on_how_many_are_proposed_at_once(block):
    # without rejection, or sorted, several at once are 9 to 28 errors off
    A = np.random.default_rng(4).normal(size=(4, 4)) * [1.0, 1.0, 2.0, 0.3]
    K = A @ A.T
    expected, draws = law(K, 2), 1500
    assert sum(expected.values()) == pytest.approx(1)
    rng, counts = np.random.default_rng(0), dict.fromkeys(expected, 0)
    for _ in range(draws):
        counts[tuple(pivots(K, 2, rng, block=block).pivots)] += 1
    for sequence, probability in expected.items():
        error = np.sqrt(probability * (1 - probability) / draws)
        assert abs(counts[sequence] / draws - probability) < 5 * error


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_factor_is_exact_on_the_pivots(dtype):
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(dtype)
    kernel = NTK(depth=2, bias_std=0.5)
    K = kernel(X.astype(float))
    result = pivoted_cholesky(kernel, kernel.diag(X), X, 40, rng=np.random.default_rng(0))
    assert len(set(result.pivots.tolist())) == 40
    approximation = result.factor @ result.factor.T
    tolerance = (1e-12 if dtype == np.float64 else 1e-4) * K.max()
    np.testing.assert_allclose(approximation[result.pivots], K[result.pivots], atol=tolerance)
    assert result.trace == pytest.approx(K.trace(), rel=1e-6)
    assert result.residual == pytest.approx((K - approximation).trace(), rel=1e-3)
    assert 0 < result.residual < 0.2 * result.trace


def test_equal_rows_are_chosen_once_and_nothing_is_left_at_full_rank():
    X = np.repeat(np.random.default_rng(0).normal(size=(10, 3)), 20, axis=0)
    kernel = NTK(bias_std=1.0)
    result = pivoted_cholesky(kernel, kernel.diag(X), X, 50, rng=np.random.default_rng(0))
    assert len(result.pivots) == 10
    assert len(np.unique(X[result.pivots], axis=0)) == 10
    assert result.residual < 1e-10 * result.trace


def test_the_same_bytes_at_any_number_of_threads():
    X = np.random.default_rng(0).normal(size=(5000, 3))
    kernel, seen = NTK(bias_std=1.0), set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            result = pivoted_cholesky(kernel, kernel.diag(X), X, 30, rng=np.random.default_rng(0))
        seen.add(result.factor.tobytes() + result.pivots.tobytes())
    assert len(seen) == 1


def test_a_zero_kernel_has_no_pivots():
    result = pivots(np.zeros((3, 3)), 2, np.random.default_rng(0))
    assert result.factor.shape == (3, 0)
    assert result.trace == result.residual == 0


@pytest.mark.parametrize("M", [1, 500, 2_000, 2_684, 2_685, 4_000, 5_000, 5_793, 12_000, 20_000, 60_000])
def test_rows_to_choose_among_by_default_keep_the_factor_small(M):
    for n in (1, 20_000, 10**7):
        rows = Nystrom(M).count_among(n, min(n, M))
        assert min(n, M) <= rows <= min(n, max(50_000, M))
        assert rows == n or rows >= min(4 * M, 50_000)
        # a GiB, or half a square of numbers more than the three that a fit holds anyway
        assert 8 * rows * M <= max(2**30, 32 * M**2) or rows == M
        assert Nystrom(M, subset=70).count_among(n, min(n, M)) == min(n, max(70, M))


def test_centres_come_from_the_subset_by_default(monkeypatch):
    monkeypatch.setattr(solver, "FACTOR_NUMBERS", 6 * 30)
    seen = []

    def diagonal(rows):
        seen.append(len(rows))
        return np.ones(len(rows))

    X = np.random.default_rng(0).normal(size=(100, 2))
    kernel = Laplace()
    chosen, _ = choose_centres(kernel, diagonal, X, Nystrom(6))
    assert seen == [30]
    assert len(np.unique(chosen)) == 6
