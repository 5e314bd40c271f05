import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from ntklib.solvers import CholeskyFactor, EigenFactor, IllConditionedWarning
from tests.solvers.brute_ridge import rbf


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    return X, rng.standard_normal((300, 2)), rng.uniform(0.1, 3, 300)


@pytest.mark.parametrize("penalty", [1e-2, 1.0, 1e3])
@pytest.mark.parametrize("weighted", [False, True])
def test_solves_the_weighted_system(data, penalty, weighted):
    X, b, w = data
    K = rbf(X)
    w = w if weighted else np.ones(len(X))
    solution = CholeskyFactor(K, weights=w).solve(b, penalty)
    expected = np.linalg.solve(K + penalty * np.diag(1 / w), b)
    np.testing.assert_allclose(solution.value, expected, atol=1e-9 * abs(expected).max())
    assert solution.outcome == "ok"
    assert solution.rank == len(K)
    assert solution.residual < 1e-11
    assert solution.penalty == penalty
    S = np.sqrt(w)[:, None] * K * np.sqrt(w) + penalty * np.eye(len(K))
    assert 0.1 < solution.condition / np.linalg.cond(S, 1) < 1.01


def test_one_factor_many_penalties_and_right_hand_sides(data):
    X, b, w = data
    factor = CholeskyFactor(rbf(X), weights=w)
    first = factor.solve(b, 1.0).value
    factor.solve(b[:, 0], 0.1)
    factor.inverse_diagonal(0.01)
    np.testing.assert_allclose(factor.solve(b, 1.0).value, first, rtol=1e-10, atol=1e-12)
    assert factor.solve(b[:, 0], 1.0).value.shape == (300, 1)


def test_inverse_diagonal_and_half_solve(data):
    X, b, w = data
    K = rbf(X)
    inverse = np.linalg.inv(K + 0.3 * np.diag(1 / w))
    factor = CholeskyFactor(K, weights=w)
    np.testing.assert_allclose(factor.inverse_diagonal(0.3), np.diagonal(inverse), rtol=1e-10)
    half = factor.half_solve(b, 0.3)
    np.testing.assert_allclose(half.T @ half, b.T @ inverse @ b, rtol=1e-10)


@pytest.mark.parametrize("order", ["C", "F"])
def test_works_in_the_memory_of_the_gram(data, order):
    X, b, _ = data
    K = np.array(rbf(X), order=order)
    kept = K.copy()
    assert np.shares_memory(CholeskyFactor(K, overwrite_gram=True)._matrix, K)
    K = kept.copy(order=order)
    CholeskyFactor(K).solve(b, 1.0)
    np.testing.assert_array_equal(K, kept)


def test_no_second_matrix_in_memory():
    n = 2000
    rng = np.random.default_rng(1)
    K = np.eye(n)
    b = rng.standard_normal((n, 1))
    tracemalloc.start()
    try:
        factor = CholeskyFactor(K, overwrite_gram=True)
        factor.solve(b, 1.0)
        factor.solve(b, 0.5)
        factor.inverse_diagonal(0.5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.3 * K.nbytes  # strips of 256 rows


class TestSinglePrecision:
    """A float32 Gram is factored in float32 where refinement recovers what a float64 factor gives."""

    def test_large_penalty_stays_in_float32_and_loses_nothing(self, data):
        X, b, _ = data
        K = rbf(X).astype(np.float32)
        factor = CholeskyFactor(K)
        assert factor.single_precision_is_safe(1.0)
        solution = factor.solve(b, 1.0)
        assert solution.dtype == np.float32
        assert solution.refinements >= 1
        reference = CholeskyFactor(K.astype(np.float64)).solve(b, 1.0)
        np.testing.assert_allclose(solution.value, reference.value, rtol=1e-9, atol=1e-11)

    def test_small_penalty_goes_to_float64(self, data):
        X, b, _ = data
        K = rbf(X).astype(np.float32)
        factor = CholeskyFactor(K)
        factor.solve(b, 1.0)
        assert not factor.single_precision_is_safe(1e-5)
        solution = factor.solve(b, 1e-5)
        assert solution.dtype == np.float64
        expected = CholeskyFactor(K.astype(np.float64)).solve(b, 1e-5)
        np.testing.assert_array_equal(solution.value, expected.value)

    def test_a_refinement_that_stalls_gives_way_to_float64(self, data, monkeypatch):
        X, b, _ = data
        K = rbf(X).astype(np.float32)
        monkeypatch.setattr(CholeskyFactor, "single_precision_is_safe", lambda self, penalty: True)
        solution = CholeskyFactor(K).solve(b, 1e-5)
        assert (solution.dtype, solution.refinements) == (np.float64, 0)
        expected = np.linalg.solve(K + 1e-5 * np.eye(300), b)
        np.testing.assert_allclose(solution.value, expected, atol=1e-8 * abs(expected).max())

    def test_where_float32_has_no_factor_float64_is_asked(self):
        """A singular matrix at a penalty that only float64 sees: no eigendecomposition is called for."""
        rng = np.random.default_rng(4)
        features, b = rng.integers(-3, 4, (60, 3)), rng.standard_normal((60, 2))
        K = (features @ features.T).astype(np.float32)  # exact
        solution = CholeskyFactor(K).solve(b, 1e-6)
        assert (solution.method, solution.dtype, solution.refinements) == ("cholesky", np.float64, 0)
        expected = np.linalg.solve(K + 1e-6 * np.eye(60), b)
        np.testing.assert_allclose(solution.value, expected, atol=1e-6 * abs(expected).max())

    def test_diagonals_and_half_solves_are_those_of_float64(self, data):
        """Left-out predictions and variances have no refinement."""
        X, b, _ = data
        K = rbf(X).astype(np.float32)
        inverse = np.linalg.inv(K + np.eye(300))
        for solved in (False, True):
            diagonal, half = CholeskyFactor(K), CholeskyFactor(K)
            if solved:
                assert diagonal.solve(b, 1.0).dtype == half.solve(b, 1.0).dtype == np.float32
            np.testing.assert_allclose(diagonal.inverse_diagonal(1.0), np.diagonal(inverse), rtol=1e-10)
            root = half.half_solve(b, 1.0)
            np.testing.assert_allclose(root.T @ root, b.T @ inverse @ b, rtol=1e-10)

    def test_the_rule_holds_at_its_edge(self):
        """Spectra as hard as the rule lets through."""
        rng = np.random.default_rng(3)
        n = 400
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        b = rng.standard_normal((n, 1))
        for decay in (0.5, 2.0, 20.0):
            K = ((Q * np.geomspace(1, 10**-decay, n)) @ Q.T).astype(np.float32)
            K = (K + K.T) / 2
            factor = CholeskyFactor(K)
            penalty = 1.01 * factor._norm * 1.1920929e-07 / 1e-2
            assert factor.single_precision_is_safe(penalty)
            assert not factor.single_precision_is_safe(penalty / 2)
            solution = factor.solve(b, penalty)
            reference = np.linalg.solve(K.astype(np.float64) + penalty * np.eye(n), b)
            assert np.linalg.norm(solution.value - reference) < 1e-8 * np.linalg.norm(reference)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [CholeskyFactor, EigenFactor])
def test_right_hand_sides_of_any_size(data, make, dtype):
    """Solutions, residuals and refinement are the same in every unit, powers of two exactly."""
    X, b, w = data
    units = np.ldexp(1.0, [-560, 0, 530, 0])
    b = np.column_stack([b, b[:, :1], np.zeros(300)])
    plain = make(rbf(X).astype(dtype), weights=w).solve(b, 1.0)
    scaled = make(rbf(X).astype(dtype), weights=w).solve(b * units, 1.0)
    np.testing.assert_allclose(scaled.value / units, plain.value, rtol=1e-12, atol=1e-14)
    assert scaled.residual < (1e-12 if make is CholeskyFactor or dtype == np.float64 else 1e-7)
    assert scaled.refinements == plain.refinements


class TestIllConditioned:
    def test_duplicates_without_penalty_warn_and_are_recorded(self, data):
        X, b, _ = data
        K = rbf(np.vstack([X, X]))
        with pytest.warns(IllConditionedWarning, match="Raise the penalty") as caught:
            solution = CholeskyFactor(K).solve(np.vstack([b, b + 1]), 0.0)
        assert caught[0].filename == __file__
        assert solution.outcome == "minimum-norm"
        assert solution.rank == 300
        assert solution.condition > 1e13
        assert solution.residual > 1e-3  # an inconsistent system: no solution exists
        assert np.isfinite(solution.value).all()

    def test_what_rounding_brought_below_zero_counts_as_zero(self):
        factor = CholeskyFactor(np.ones((5, 5)) - 1e-12 * np.eye(5))
        with pytest.warns(IllConditionedWarning, match="of rank 1"):
            solution = factor.solve(np.ones(5), 0.0)
        assert (solution.outcome, solution.rank) == ("minimum-norm", 1)
        np.testing.assert_allclose(solution.value, 0.2, rtol=1e-10)

    def test_nearly_singular_of_full_rank_is_solved_as_asked(self):
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
        K = (Q * np.r_[np.ones(11), 1e-14]) @ Q.T
        with pytest.warns(IllConditionedWarning, match="few correct digits"):
            solution = CholeskyFactor((K + K.T) / 2).solve(np.ones(12), 0.0)
        assert (solution.outcome, solution.rank) == ("ill-conditioned", 12)
        assert 1e13 < solution.condition < 1e15
        assert solution.residual < 0.1

    @pytest.mark.parametrize("penalty", [0.0, 5e-324, 1e-320, 1e-309, 1e-300])
    def test_nothing_but_zeros(self, penalty):
        for make in (CholeskyFactor, EigenFactor):
            factor = make(np.zeros((3, 3)))
            if penalty < 1e-308:
                with pytest.warns(IllConditionedWarning, match="kernel is 0"):
                    solution = factor.solve(np.ones(3), penalty)
                assert solution.value.tolist() == [[0.0]] * 3
                assert (solution.outcome, solution.rank, solution.residual) == ("minimum-norm", 0, 1.0)
                assert factor.inverse_diagonal(penalty).tolist() == [0.0] * 3
            else:
                np.testing.assert_allclose(factor.solve(np.ones(3), penalty).value, 1e300)

    def test_a_singular_penalty_spoils_no_other_one(self, data):
        X, b, w = data
        K, w = rbf(np.vstack([X[:50], X[:50]])), w[:100]
        factor = CholeskyFactor(K, weights=w)
        for penalty in (0.0, 1e-3, 1e-30, 1.0):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", IllConditionedWarning)
                value = factor.solve(b[:100], penalty).value
            if penalty > 1e-5:
                expected = np.linalg.solve(K + penalty * np.diag(1 / w), b[:100])
                np.testing.assert_allclose(value, expected, atol=1e-9 * abs(expected).max())
                half = factor.half_solve(b[:100], penalty)
                np.testing.assert_allclose(half.T @ half, b[:100].T @ expected, rtol=1e-9)

    def test_enough_penalty_is_silent(self, data):
        X, b, _ = data
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            solution = CholeskyFactor(rbf(np.vstack([X, X]))).solve(np.vstack([b, b]), 1e-6)
        assert solution.outcome == "ok"

    def test_indefinite_matrix_is_refused(self):
        with pytest.raises(LinAlgError, match="not positive semidefinite"):
            CholeskyFactor(np.array([[1.0, 2.0], [2.0, 1.0]])).solve(np.ones(2), 0.1)

    def test_entries_too_large_to_be_added_up(self):
        with pytest.raises(ValueError, match="too large"):
            CholeskyFactor(np.full((3, 3), 1e308))


@pytest.mark.parametrize(
    ("gram", "options", "rhs", "penalty", "message"),
    [
        (np.ones((2, 3)), {}, np.ones(2), 1.0, "square"),
        (np.zeros((0, 0)), {}, np.ones(0), 1.0, "square"),
        (np.full((2, 2), np.nan), {}, np.ones(2), 1.0, "NaN or infinity"),
        (np.eye(2), {"weights": [1.0, 0.0]}, np.ones(2), 1.0, "weight 0"),
        (np.eye(2), {"weights": [1.0]}, np.ones(2), 1.0, "weights must be 2"),
        (np.eye(2), {}, np.ones(3), 1.0, "3 rows"),
        (np.eye(2), {}, np.ones(2), -1.0, "nonnegative"),
        (np.eye(2), {}, np.ones(2), np.nan, "finite"),
    ],
)
def test_bad_input(gram, options, rhs, penalty, message):
    with pytest.raises(ValueError, match=message):
        CholeskyFactor(gram, **options).solve(rhs, penalty)


def test_integer_gram_and_zero_right_hand_side():
    solution = CholeskyFactor(np.array([[2, 1], [1, 2]])).solve([0, 0], 1)
    assert solution.value.tolist() == [[0.0], [0.0]]
    assert solution.residual == 0
