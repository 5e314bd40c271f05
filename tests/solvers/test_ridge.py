import warnings

import mpmath
import numpy as np
import pytest

from ntklib.solvers import (
    CholeskyFactor,
    EigenFactor,
    IllConditionedWarning,
    half_constant,
    leave_one_out,
    path_factor,
    ridge,
    ridge_path,
)
from tests.solvers import brute_ridge

PENALTIES = [1e-3, 0.1, 10.0]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return brute_ridge.rbf(X), rng.standard_normal((40, 2)) + 5, rng.uniform(0.1, 3, 40)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_and_left_out_predictions_are_those_of_refits(data, intercept, weighted):
    K, y, w = data
    w = w if weighted else None
    path = ridge_path(EigenFactor(K, weights=w), y, PENALTIES, fit_intercept=intercept)
    for point, penalty in zip(path, PENALTIES, strict=True):
        dual, constant = brute_ridge.fit(K, y, penalty, w, intercept)
        held_out = brute_ridge.left_out(K, y, penalty, w, intercept)
        factor = CholeskyFactor(K, weights=w)
        single = ridge(factor, y, penalty, fit_intercept=intercept)
        for fit in (point, single):
            np.testing.assert_allclose(fit.dual_coef, dual, atol=1e-9 * abs(dual).max())
            np.testing.assert_allclose(fit.intercept, constant, atol=1e-9)
            assert fit.penalty == penalty
        np.testing.assert_allclose(point.loo_prediction, held_out, atol=1e-9)
        np.testing.assert_allclose(leave_one_out(factor, y, single), held_out, atol=1e-9)
        trace = np.trace(brute_ridge.smoother(K, penalty, w, intercept))
        np.testing.assert_allclose(point.degrees_of_freedom, trace, rtol=1e-9)
        assert single.solution.outcome == "ok"


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("important", [False, True])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_one_copy_of_a_unit_is_left_out(data, intercept, important, penalty):
    K, y, importance = data
    rows = np.r_[np.arange(40), np.arange(15)]  # two units each of some features, of other targets
    K, y = K[np.ix_(rows, rows)], np.r_[y, -y[:15]]
    counts = np.random.default_rng(1).integers(1, 5, 55)
    w = counts * importance[rows] if important else counts
    held_out = brute_ridge.left_out(K, y, penalty, w, intercept, counts)
    factor = CholeskyFactor(K, weights=w)
    fit = ridge(factor, y, penalty, fit_intercept=intercept)
    np.testing.assert_allclose(leave_one_out(factor, y, fit, counts=counts), held_out, atol=1e-9)
    path = ridge_path(EigenFactor(K, weights=w), y, [penalty], fit_intercept=intercept, counts=counts)
    np.testing.assert_allclose(next(path).loo_prediction, held_out, atol=1e-9)


def mp_left_out(K, y, penalty, counts, importance):
    """Refits with intercept and one copy less, in 80 digits."""
    with mpmath.workdps(80):
        out = []
        for i in range(len(K)):
            left = [int(k) - (j == i) for j, k in enumerate(counts)]
            rest = [j for j in range(len(K)) if left[j]]
            A, b = mpmath.ones(len(rest) + 1), mpmath.zeros(len(rest) + 1, 1)
            A[len(rest), len(rest)] = 0
            for p, j in enumerate(rest):
                b[p] = y[j]
                for q, k in enumerate(rest):
                    A[p, q] = K[j, k]
                A[p, p] += mpmath.mpf(penalty) / (left[j] * mpmath.mpf(importance[j]))
            dual = mpmath.lu_solve(A, b)
            out.append(float(sum(dual[p] * K[i, j] for p, j in enumerate(rest)) + dual[len(rest)]))
    return np.array(out)


@pytest.mark.parametrize("penalty", [0.0, 1e-300, 1e-14, 1.0, 1e15])
def test_leaving_out_is_exact_at_every_penalty_and_count(penalty):
    rng = np.random.default_rng(2)
    K, y = brute_ridge.rbf(2 * rng.standard_normal((7, 3))), rng.standard_normal(7)
    for counts, importance in (
        (np.array([1, 2, 1e12, 1, 4, 1, 1]), np.ones(7)),
        (np.full(7, 1e15), np.ones(7)),
        (np.array([1, 2, 3, 1, 4, 1, 1]), 10.0 ** np.arange(-3, 4)),
    ):
        expected = mp_left_out(K, y, penalty, counts, importance)
        factor = CholeskyFactor(K, weights=counts * importance)
        fit = ridge(factor, y[:, None], penalty)
        found = leave_one_out(factor, y[:, None], fit, counts=counts)[:, 0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("counts", [[1.0, 0.5, 1.0], [1.0, 2.0], [1.0, 1.0, np.inf]])
def test_counts_below_one_are_refused(counts):
    factor, y = EigenFactor(np.eye(3)), np.ones((3, 1))
    with pytest.raises(ValueError, match="counts must be 3"):
        leave_one_out(factor, y, ridge(factor, y, 1.0), counts=counts)
    with pytest.raises(ValueError, match="counts must be 3"):
        next(ridge_path(factor, y, [1.0], counts=counts))


def test_subtracting_the_mean_first_is_not_leave_one_out(data):
    K, y, _ = data
    centred = y - y.mean(axis=0)
    wrong = next(ridge_path(EigenFactor(K), centred, [0.1], fit_intercept=False)).loo_prediction
    right = brute_ridge.left_out(K, y, 0.1)
    assert abs(wrong + y.mean(axis=0) - right).max() > 1e-2


@pytest.mark.parametrize("make", [CholeskyFactor, EigenFactor])
def test_a_constant_in_the_targets_only_moves_the_intercept(data, make):
    K, y, w = data
    plain, shifted = (ridge(make(K, weights=w), values, 0.01) for values in (y, y + 1e4))
    np.testing.assert_allclose(shifted.dual_coef, plain.dual_coef, atol=1e-10 * abs(plain.dual_coef).max())
    np.testing.assert_allclose(shifted.intercept - 1e4, plain.intercept, atol=1e-10)


def test_weight_two_is_the_sample_twice(data):
    K, y, _ = data
    twice = np.r_[np.arange(40), 7]
    w = np.ones(40)
    w[7] = 2
    single = ridge(CholeskyFactor(K, weights=w), y, 0.1)
    double = ridge(CholeskyFactor(K[np.ix_(twice, twice)]), y[twice], 0.1)
    np.testing.assert_allclose(double.dual_coef[7] + double.dual_coef[40], single.dual_coef[7], rtol=1e-10)
    np.testing.assert_allclose(double.intercept, single.intercept, rtol=1e-12)


def test_tiny_weights_are_as_good_as_absent(data):
    K, y, _ = data
    w = np.r_[1e-200, np.ones(39)]
    fit = ridge(CholeskyFactor(K, weights=w), y, 0.1)
    rest = ridge(CholeskyFactor(K[1:, 1:]), y[1:], 0.1)
    np.testing.assert_allclose(fit.dual_coef[1:], rest.dual_coef, rtol=1e-10)
    np.testing.assert_allclose(fit.intercept, rest.intercept, rtol=1e-12)


def test_targets_of_the_wrong_shape_are_refused(data):
    K, y, _ = data
    for values in (y[:-1], y[:, 0]):
        with pytest.raises(ValueError, match="y must have shape"):
            ridge(CholeskyFactor(K), values, 1.0)


def test_one_unit_with_intercept_has_nothing_to_be_predicted_from():
    point = next(ridge_path(EigenFactor(np.eye(1)), np.ones((1, 1)), [1.0]))
    assert np.isnan(point.loo_prediction).all()
    for count in (2, 3):
        factor = EigenFactor(np.eye(1), weights=[count])
        several = next(ridge_path(factor, np.ones((1, 1)), [1.0], counts=[count]))
        assert several.loo_prediction.item() == 1  # by its own copies


def low_rank_features():
    """Rows of which some are repeated, some zero, some dependent; with and without a constant among them."""
    rng = np.random.default_rng(5)
    plain = rng.standard_normal((12, 3))
    repeated = np.vstack([rng.standard_normal((9, 8)), np.zeros((2, 8))])[
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 1]
    ]
    return {
        "fewer features than rows": plain,
        "with a constant": np.column_stack([np.ones(12), plain]),
        "repeated and zero rows": repeated,
        "one row apart from equal ones": np.vstack([np.ones((6, 2)), [[0.0, 3.0]]]),
        "one feature on one row": np.eye(7)[:, :1],
        "all but one row independent": np.vstack([np.eye(6), np.eye(6)[0] + np.eye(6)[1]]),
        "full rank": rng.standard_normal((8, 8)),
        "the same everywhere": np.ones((6, 1)),
        "nothing": np.zeros((6, 1)),
    }


class TestRidgeless:
    """At penalty 0 and below rounding: least squares and least norm, by lstsq and by refits."""

    @pytest.mark.parametrize("case", low_rank_features())
    @pytest.mark.parametrize("intercept", [False, True])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("penalty", [0.0, 1e-200, 1e-18])
    def test_least_squares_of_least_norm(self, case, intercept, weighted, penalty):
        features = low_rank_features()[case]
        rng = np.random.default_rng(6)
        n = len(features)
        y = rng.standard_normal((n, 2)) + 3
        w = rng.uniform(0.5, 2, n) if weighted else None
        coef, constant = brute_ridge.least_norm(features, y, w, intercept)
        fitted = features @ coef + constant
        K = features @ features.T
        factor, spectral = CholeskyFactor(K, weights=w), EigenFactor(K, weights=w)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IllConditionedWarning)
            single = ridge(factor, y, penalty, fit_intercept=intercept)
            left_out = leave_one_out(factor, y, single)
        point = next(ridge_path(spectral, y, [penalty], fit_intercept=intercept))
        held_out = brute_ridge.least_norm_left_out(features, y, w, intercept)
        for fit, values in ((single, left_out), (point, point.loo_prediction)):
            np.testing.assert_allclose(features.T @ fit.dual_coef, coef, atol=1e-10)
            np.testing.assert_allclose(fit.intercept, constant, atol=1e-10)
            np.testing.assert_allclose(fit.residual, y - fitted, atol=1e-10)
            np.testing.assert_allclose(values, held_out, atol=1e-9)
        rank = np.linalg.matrix_rank(features)
        regular = rank == n or (rank == 0 and penalty > 0)  # beside 0 every penalty is large
        assert spectral.rank == rank
        assert single.solution.rank == (n if regular else rank)
        assert single.solution.outcome == ("ok" if regular else "minimum-norm")
        hat, constants = brute_ridge.least_norm(features, np.eye(n), w, intercept)
        np.testing.assert_allclose(point.degrees_of_freedom, np.trace(features @ hat + constants), atol=1e-9)

    @pytest.mark.parametrize("case", low_rank_features())
    @pytest.mark.parametrize("intercept", [False, True])
    def test_one_copy_of_a_unit_is_left_out(self, case, intercept):
        features, rng = low_rank_features()[case], np.random.default_rng(7)
        y = rng.standard_normal((len(features), 2)) + 3
        counts = rng.integers(1, 4, len(y))
        w = counts * rng.uniform(0.5, 2, len(y))
        held_out = brute_ridge.least_norm_left_out(features, y, w, intercept, counts)
        factor = EigenFactor(features @ features.T, weights=w)
        (point,) = ridge_path(factor, y, [0.0], fit_intercept=intercept, counts=counts)
        np.testing.assert_allclose(point.loo_prediction, held_out, atol=1e-9)

    def test_penalties_that_count_are_untouched(self):
        """A singular matrix at a penalty above rounding is solved as asked."""
        features = low_rank_features()["repeated and zero rows"]
        y = np.arange(28.0).reshape(14, 2)
        for penalty in (1e-6, 1e-3):
            fit = ridge(CholeskyFactor(features @ features.T), y, penalty)
            design = np.column_stack([features, np.ones(14)])
            normal = design.T @ design + penalty * np.diag(np.r_[np.ones(8), 0.0])
            expected = np.linalg.solve(normal, design.T @ y)
            np.testing.assert_allclose(features.T @ fit.dual_coef, expected[:-1], atol=1e-7)
            assert (fit.solution.outcome, fit.solution.rank) == ("ok", 14)

    def test_tiny_weights_are_as_good_as_absent(self):
        features = low_rank_features()["fewer features than rows"]
        y = np.random.default_rng(1).standard_normal((12, 1))
        w = np.r_[1e-100, np.ones(11)]
        point = next(ridge_path(EigenFactor(features @ features.T, weights=w), y, [0.0]))
        coef, constant = brute_ridge.least_norm(features[1:], y[1:])
        np.testing.assert_allclose(features.T @ point.dual_coef, coef, atol=1e-10)
        np.testing.assert_allclose(point.intercept, constant, atol=1e-10)

    @pytest.mark.parametrize("case", low_rank_features())
    @pytest.mark.parametrize("unit", np.ldexp(1.0, [-60, 60]))
    def test_only_ratios_of_weights_count(self, case, unit):
        features, rng = low_rank_features()[case], np.random.default_rng(8)
        y, w = rng.standard_normal((len(features), 2)) + 3, unit * rng.uniform(0.5, 2, len(features))
        coef, constant = brute_ridge.least_norm(features, y, w / unit)
        (point,) = ridge_path(EigenFactor(features @ features.T, weights=w), y, [0.0])
        np.testing.assert_allclose(features.T @ point.dual_coef, coef, atol=1e-10)
        np.testing.assert_allclose(point.intercept, constant, atol=1e-10)
        held_out = brute_ridge.least_norm_left_out(features, y, w / unit)
        np.testing.assert_allclose(point.loo_prediction, held_out, atol=1e-9)

    @pytest.mark.parametrize("constant", [False, True])
    def test_entries_of_float32(self, constant):
        """Seven digits blur what the kernel reaches: a constant, a row with a feature of its own."""
        rng = np.random.default_rng(9)
        features = np.column_stack([rng.standard_normal((12, 3)), 0.7 * np.eye(12)[:, 0]])
        features[:, 0] = 0.9 if constant else features[:, 0]
        y = rng.standard_normal((12, 2)) + 3
        factor = EigenFactor((features @ features.T).astype(np.float32))
        (point,) = ridge_path(factor, y, [0.0])
        expected = brute_ridge.least_norm(features, y)
        np.testing.assert_allclose(features.T @ point.dual_coef, expected[0], atol=1e-4)
        np.testing.assert_allclose(point.intercept, expected[1], atol=1e-4)
        held_out = brute_ridge.least_norm_left_out(features, y)
        np.testing.assert_allclose(point.loo_prediction, held_out, atol=1e-3)

    def test_a_feature_that_float32_tells_from_a_constant(self):
        features = np.ones((8, 1))
        features[3] += 2.0**-11  # products are exact in float32
        y = np.random.default_rng(10).standard_normal((8, 1))
        expected = brute_ridge.least_norm(features, y)
        (point,) = ridge_path(EigenFactor((features @ features.T).astype(np.float32)), y, [0.0])
        np.testing.assert_allclose(features.T @ point.dual_coef, expected[0], rtol=1e-6)
        np.testing.assert_allclose(point.intercept, expected[1], rtol=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_targets_of_any_size(data, penalty):
    K, y, w = data
    for unit in np.ldexp(1.0, [-560, 530]):
        (plain,) = ridge_path(EigenFactor(K, weights=w), y, [penalty])
        (scaled,) = ridge_path(EigenFactor(K, weights=w), unit * y, [penalty])
        np.testing.assert_array_equal(scaled.dual_coef, unit * plain.dual_coef)
        np.testing.assert_array_equal(scaled.loo_prediction, unit * plain.loo_prediction)


@pytest.mark.parametrize("make", [CholeskyFactor, EigenFactor])
class TestHalfConstant:
    def test_regular(self, data, make):
        K, y, w = data
        factor = make(K, weights=w)
        half, precision = half_constant(factor, 0.1)
        inverse = np.linalg.inv(K + 0.1 * np.diag(1 / w))
        np.testing.assert_allclose(precision, inverse.sum(), rtol=1e-10)
        np.testing.assert_allclose(half @ factor.half_solve(y, 0.1), inverse.sum(axis=0) @ y, rtol=1e-9)

    @pytest.mark.parametrize("unit", [1.0, 1e-3])
    @pytest.mark.parametrize("penalty", [0.0, 1e-20, 1e-3])
    def test_beyond_the_functions_of_the_kernel(self, make, unit, penalty):
        """1^T (K + penalty W^{-1})^{-1} 1 where no such function is constant on the units, by 40 digits."""
        features = np.eye(6)[:, :2]
        w = unit * np.linspace(1, 2, 6)
        half, precision = half_constant(make(features @ features.T, weights=w), penalty)
        if penalty == 0:
            assert precision == np.inf
            np.testing.assert_allclose(half @ half, 2.0, rtol=1e-12)  # of the two units that it reaches
            return
        with mpmath.workdps(40):
            system = mpmath.matrix((features @ features.T).tolist())
            for i in range(6):
                system[i, i] += mpmath.mpf(penalty) / mpmath.mpf(w[i])
            exact = float(sum(mpmath.lu_solve(system, mpmath.ones(6, 1))))
        np.testing.assert_allclose(precision, exact, rtol=1e-10)

    def test_within_them(self, make):
        features = np.column_stack([np.ones(5), np.arange(5.0)])
        half, precision = half_constant(make(features @ features.T), 0.0)
        expected = np.linalg.pinv(features @ features.T, rcond=1e-10).sum()
        np.testing.assert_allclose([precision, half @ half], expected, rtol=1e-10)


def exact_fit(K, y, penalty, weights):
    """Dual coefficients and intercept with 400 digits, from the bordered system."""
    n = len(K)
    with mpmath.workdps(400):
        A, b = mpmath.matrix(n + 1), mpmath.matrix(n + 1, 1)
        for i in range(n):
            for j in range(n):
                A[i, j] = mpmath.mpf(K[i, j])
            A[i, i] += mpmath.mpf(penalty) / mpmath.mpf(weights[i])
            A[i, n] = A[n, i] = 1
            b[i] = mpmath.mpf(y[i])
        solution = mpmath.lu_solve(A, b)
        return list(solution[:n]), solution[n]


@pytest.mark.parametrize("penalty", [1e-5, 0.1])
@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e9, 1e14, 1e300])
def test_weights_of_any_spread_cost_no_digits(size, penalty):
    rng = np.random.default_rng(3)
    K, y = brute_ridge.rbf(rng.standard_normal((8, 2))), rng.standard_normal((8, 1))
    weights = np.where(np.arange(8) < 3, size, 1.0)
    dual, constant = exact_fit(K, y[:, 0], penalty, weights)
    fitted = [float(sum(mpmath.mpf(K[i, j]) * dual[j] for j in range(8)) + constant) for i in range(8)]
    held_out = []
    for i in range(8):
        rest = np.arange(8) != i
        others, level = exact_fit(K[np.ix_(rest, rest)], y[rest, 0], penalty, weights[rest])
        held_out.append(
            float(sum(mpmath.mpf(k) * a for k, a in zip(K[i, rest], others, strict=True)) + level)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        factor = CholeskyFactor(K, weights=weights)
        single = ridge(factor, y, penalty)
        (point,) = ridge_path(path_factor(K, weights=weights), y, [penalty])
    for fit in (single, point):
        np.testing.assert_allclose((K @ fit.dual_coef)[:, 0] + fit.intercept, fitted, atol=1e-9)
    np.testing.assert_allclose(leave_one_out(factor, y, single)[:, 0], held_out, atol=1e-8)
    np.testing.assert_allclose(point.loo_prediction[:, 0], held_out, atol=1e-8)
    hat = [exact_fit(K, row, penalty, weights) for row in np.eye(8)]
    trace = sum(float(sum(mpmath.mpf(K[i, j]) * a[j] for j in range(8)) + b) for i, (a, b) in enumerate(hat))
    assert point.degrees_of_freedom == pytest.approx(trace, abs=1e-8)


def test_small_weights_are_not_lost_in_float32():
    K = brute_ridge.rbf(np.random.default_rng(4).standard_normal((8, 2)))
    y = np.random.default_rng(5).standard_normal((8, 1))
    for size in (1e-90, 1e90):
        fit = ridge(CholeskyFactor(K.astype(np.float32), weights=np.full(8, size)), y, 0.1 * size)
        dual, constant = brute_ridge.fit(K.astype(np.float32).astype(float), y, 0.1)
        np.testing.assert_allclose(fit.dual_coef, dual, atol=1e-10)
        np.testing.assert_allclose(fit.intercept, constant, atol=1e-10)
