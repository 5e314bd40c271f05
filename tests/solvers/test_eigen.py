import tracemalloc
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from ntklib.solvers import CholeskyFactor, EigenFactor, IllConditionedWarning, check_semidefinite
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
    factor = EigenFactor(K, weights=w)
    np.testing.assert_array_equal(K, kept)
    for penalty in (1e-3, 1.0):
        inverse = np.linalg.inv(K + penalty * np.diag(1 / w))
        solution = factor.solve(b, penalty)
        np.testing.assert_allclose(solution.value, inverse @ b, atol=1e-9 * abs(inverse @ b).max())
        np.testing.assert_allclose(factor.inverse_diagonal(penalty), np.diagonal(inverse), rtol=1e-9)
        S = np.sqrt(w)[:, None] * K * np.sqrt(w) + penalty * np.eye(len(K))
        np.testing.assert_allclose(solution.condition, np.linalg.cond(S), rtol=1e-8)
        assert (solution.outcome, solution.refinements) == ("ok", 0)
        assert solution.residual < 1e-10


def test_many_penalties_are_one_each(data):
    K, _, w = data
    factor = EigenFactor(K, weights=w)
    penalties = [1e-3, 0.1, 10.0]
    together = factor.inverse_diagonals(penalties)
    assert together.shape == (3, len(K))
    for row, penalty in zip(together, penalties, strict=True):
        np.testing.assert_allclose(row, CholeskyFactor(K, weights=w).inverse_diagonal(penalty), rtol=1e-9)


def test_spectrum_is_that_of_the_gram(data):
    K = data[0]
    factor = EigenFactor(K)
    assert (np.diff(factor.eigenvalues) >= 0).all()
    assert factor.eigenvalues.min() >= 0
    np.testing.assert_allclose((factor.vectors * factor.eigenvalues) @ factor.vectors.T, K, atol=1e-12)


def test_diagonals_take_strips_not_matrices(data):
    n = 1500
    factor = EigenFactor(np.eye(2))
    factor.n = factor.rank = n
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
    factor = EigenFactor(np.ones((4, 4)))
    with pytest.warns(IllConditionedWarning, match="Raise the penalty"):
        solution = factor.solve(np.ones(4), 0.0)
    assert (solution.outcome, solution.rank) == ("minimum-norm", 1)
    assert solution.condition > 1e15
    np.testing.assert_allclose(solution.value, 0.25)


def spectrum(values, seed=0):
    """A symmetric matrix of these eigenvalues."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    K = (Q * values) @ Q.T
    return (K + K.T) / 2


@pytest.mark.parametrize(("dtype", "passes", "fails"), [(np.float64, 5e-7, 2e-6), (np.float32, 5e-6, 1e-5)])
def test_only_rounding_may_be_below_zero(dtype, passes, fails):
    """The threshold is relative to the largest eigenvalue and follows the precision of the entries."""
    for size in (1e-20, 1.0, 1e20):
        values = np.r_[np.linspace(0.5, 1, 7), -1.0] * size
        K = spectrum(np.where(values < 0, -passes * size, values)).astype(dtype)
        factor = EigenFactor(K)
        assert factor.eigenvalues[0] == 0
        assert factor.rank == 7
        for make in (EigenFactor, lambda K: CholeskyFactor(K).at(0.0)):
            with pytest.raises(LinAlgError, match="not positive semidefinite"):
                make(spectrum(np.where(values < 0, -fails * size, values)).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_check_semidefinite(dtype):
    for size in (1e-20, 1.0, 1e20):
        K = spectrum(size * np.r_[np.linspace(0.5, 1, 7), -1e-7]).astype(dtype)
        kept = K.copy()
        check_semidefinite(K)
        np.testing.assert_array_equal(K, kept)
        with pytest.raises(LinAlgError, match="not positive semidefinite"):
            check_semidefinite(spectrum(size * np.r_[np.linspace(0.5, 1, 7), -1e-3]).astype(dtype))
    check_semidefinite(np.zeros((3, 3), dtype))


@pytest.mark.parametrize(
    ("dtype", "last"), [(np.float64, 1e-6), (np.float32, 64 * float(np.finfo(np.float32).eps))]
)
def test_the_stated_bound_of_rounding(dtype, last):
    assert EigenFactor(np.diag([1.0, -last]).astype(dtype)).rank == 1
    with pytest.raises(LinAlgError, match="not positive semidefinite"):
        EigenFactor(np.diag([1.0, -1.001 * last]).astype(dtype))


@pytest.mark.parametrize(
    ("dtype", "last"), [(np.float64, 1e-6), (np.float32, 64 * float(np.finfo(np.float32).eps))]
)
def test_check_semidefinite_draws_the_same_line(dtype, last):
    """Row sums of this matrix are several times its largest eigenvalue."""
    values = np.r_[np.linspace(0.01, 0.1, 118), 1.0]
    for least, refused in ((-0.8 * last, False), (-1.2 * last, True)):
        K = spectrum(np.r_[values, least]).astype(dtype)
        for check in (EigenFactor, check_semidefinite):
            with pytest.raises(LinAlgError) if refused else nullcontext():
                check(K)


def test_a_matrix_without_a_positive_eigenvalue_is_refused():
    with pytest.raises(LinAlgError, match="not positive semidefinite"):
        EigenFactor(-np.eye(3))


def test_what_counts_as_zero():
    """Singular at the rounding of the decomposition; then all that is up to the cut goes."""
    factor = EigenFactor(spectrum(np.r_[np.ones(9), 1e-16]))
    eps = np.finfo(float).eps
    assert factor.rank == 9
    assert not factor.singular(11 * eps)
    assert factor.singular(9 * eps)
    assert not EigenFactor(spectrum(np.r_[np.ones(9), 20 * eps])).singular(0.0)
    wide = EigenFactor(np.diag(np.r_[np.ones(399), 15 * eps]))  # sqrt(n) = 20
    assert wide.singular(0.0)
    # entries of float32 make no more than seven digits of the spectrum certain, once it is singular
    rough = EigenFactor(np.diag([1.0, 1e-7, 0.0]).astype(np.float32))
    assert rough.rank == 1
    assert EigenFactor(np.diag([1.0, 1e-7, 0.0])).rank == 2
    assert not EigenFactor(np.diag([1.0, 1e-7]).astype(np.float32)).singular(0.0)
    # the least eigenvalue shows how far rounding went
    assert EigenFactor(np.diag([1.0, 1e-8, 5e-8, -2e-8])).rank == 2
    # both bounds belong to what is 0
    edge = EigenFactor(np.diag([0.0, 12 * eps, 1.0]))
    assert (edge.cut, edge.rank) == (12 * eps, 1)
    assert edge.singular(10 * eps)
    assert edge.inverses(0.0).tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("make", [CholeskyFactor, EigenFactor])
def test_fewer_than_two_digits_are_told(make):
    """By a condition number above 1e-2 of what float64 can tell apart."""
    for times, outcome in ((0.9, "ok"), (1.1, "ill-conditioned")):
        factor = make(np.diag([1.0, times * 1e-2 / np.finfo(float).eps]))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            solution = factor.solve(np.ones(2), 0.0)
        assert (solution.outcome, solution.rank) == (outcome, 2)
        assert [one.category for one in caught] == [IllConditionedWarning] * (outcome != "ok")


def test_penalties_that_do_not_cover_what_is_below_zero():
    factor = EigenFactor(np.diag([1.0, -2e-8]))
    with pytest.warns(IllConditionedWarning):
        solution = factor.solve(np.ones(2), 1e-8)
    assert solution.outcome == "ill-conditioned"
    np.testing.assert_allclose(solution.value.ravel(), [1 / (1 + 1e-8), 1e8])
    assert solution.residual > 0.1  # of the system as it was given
    with pytest.warns(IllConditionedWarning):
        assert factor.solve(np.ones(2), 2e-8).outcome == "ill-conditioned"  # the sum is singular
    assert factor.solve(np.ones(2), 1e-7).outcome == "ok"


def test_a_penalty_makes_a_singular_matrix_regular():
    solution = EigenFactor(np.ones((4, 4))).solve(np.ones(4), 0.1)
    assert (solution.outcome, solution.rank) == ("ok", 4)
    np.testing.assert_allclose(solution.value, 1 / 4.1)


def test_half_solve():
    K = spectrum(np.r_[np.linspace(0.1, 1, 5), 0.0])
    w, b = np.linspace(1, 2, 6), np.arange(12.0).reshape(6, 2)
    half = EigenFactor(K, weights=w).half_solve(b, 0.1)
    np.testing.assert_allclose(half.T @ half, b.T @ np.linalg.inv(K + 0.1 * np.diag(1 / w)) @ b, rtol=1e-12)
    root = np.sqrt(w)[:, None]
    half = EigenFactor(K, weights=w).half_solve(b, 0.0)
    expected = (root * b).T @ np.linalg.pinv(root * K * root.T, rcond=1e-10) @ (root * b)
    np.testing.assert_allclose(half.T @ half, expected, rtol=1e-10)


def test_float32_is_decomposed_in_float64(data):
    K = data[0].astype(np.float32)
    assert EigenFactor(K).vectors.dtype == np.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value):
    gram = np.eye(3)
    gram[0, 2] = gram[2, 0] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        EigenFactor(gram)


def test_eigenvalues_below_zero_by_rounding_are_told_of():
    """The condition number is fair, but the penalty does not make up for the least eigenvalue."""
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    factor = EigenFactor((Q * [1.0, 0.5, 0.1, -1e-8]) @ Q.T)
    with pytest.warns(IllConditionedWarning, match="eigenvalues down to -1e-08, by rounding") as seen:
        assert factor.solve(np.ones(4), 5e-9).outcome == "ill-conditioned"
    advised = float(str(seen[0].message).split("Raise the penalty to ")[1].split(" ")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert factor.solve(np.ones(4), advised).outcome == "ok"
