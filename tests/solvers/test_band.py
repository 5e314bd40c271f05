import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.linalg import LinAlgError, solve_triangular
from sklearn.gaussian_process.kernels import RBF
from sklearn.model_selection import KFold

from ntklib._core.threads import set_threads
from ntklib.estimators import NTKClassifierCV, NTKRegressorCV
from ntklib.estimators.ridge import _kernel_search
from ntklib.solvers import (
    BandFactor,
    CholeskyFactor,
    EigenFactor,
    IllConditionedWarning,
    _path_factor,
    half_constant,
    path_factor,
    ridge,
    ridge_path,
)
from ntklib.solvers._band_loops import BLOCK, WIDTH, prepare_sweep, sweep
from ntklib.solvers._band_reduction import form_orthogonal, reduce_to_band
from tests.solvers import brute_ridge

PENALTIES = [10.0, 0.1, 1e-3]


def gram(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return brute_ridge.rbf(X), rng.standard_normal((n, 2)), rng.uniform(0.2, 3, n)


def full(band):
    n = band.shape[1]
    B = np.zeros((n, n))
    for below in range(min(n, WIDTH + 1)):
        places = np.arange(n - below)
        B[places + below, places] = B[places, places + below] = band[below, : n - below]
    return B


@pytest.mark.compiled
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 130, 500, 1700])
def test_the_band_is_the_matrix_in_another_basis(n):
    A = gram(n)[0]
    matrix = A.copy()
    band, triangles = reduce_to_band(matrix)
    np.testing.assert_array_equal(np.triu(matrix, 1), np.triu(A, 1))
    form_orthogonal(matrix, triangles)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(matrix @ full(band) @ matrix.T, A, atol=1e-13 * n)


@pytest.mark.compiled
@pytest.mark.parametrize("n", [1, 31, 32, 33, 64, 97, 300])
def test_substitution_in_blocks(n):
    rng = np.random.default_rng(n)
    bands = np.where(np.arange(WIDTH + 1)[:, None] == 0, 3.0, 0.1 * rng.standard_normal((2, WIDTH + 1, n)))
    Q, factors = rng.standard_normal((5, n)), np.full((2, -(-n // BLOCK), BLOCK + WIDTH, BLOCK), np.nan)
    for band, its_factors in zip(bands, factors, strict=True):
        prepare_sweep(np.asfortranarray(band), its_factors)
    for band, sums in zip(bands, sweep(Q, factors), strict=True):
        X = solve_triangular(np.tril(full(band)), Q.T, lower=True)
        np.testing.assert_allclose(sums, np.square(X).sum(axis=0), rtol=1e-11)


@pytest.mark.parametrize("A", [np.zeros((150, 150)), np.diag(np.arange(150.0)), np.ones((150, 150))])
def test_reflections_of_columns_of_zeros(A):
    matrix = A.copy()
    band, triangles = reduce_to_band(matrix)
    form_orthogonal(matrix, triangles)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(150), atol=1e-13)
    np.testing.assert_allclose(matrix @ full(band) @ matrix.T, A, atol=1e-11)


@pytest.mark.parametrize("n", [1, 65, 200])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_plain_algebra(n, weighted, dtype):
    K, b, w = gram(n)
    K, w = K.astype(dtype), w if weighted else None
    kept, W = K.copy(), np.eye(n) if w is None else np.diag(1 / w)
    factor = BandFactor(K, weights=w)
    np.testing.assert_array_equal(K, kept)
    K = K.astype(np.float64)
    together = factor.inverse_diagonals(PENALTIES)
    for penalty, diagonal in zip(PENALTIES, together, strict=True):
        inverse = np.linalg.inv(K + penalty * W)
        solution = factor.solve(b, penalty)
        assert factor.at(penalty) is factor
        np.testing.assert_allclose(solution.value, inverse @ b, atol=1e-9 * abs(inverse @ b).max())
        np.testing.assert_allclose(diagonal, np.diagonal(inverse), rtol=1e-9)
        np.testing.assert_allclose(factor.inverse_diagonal(penalty), diagonal, rtol=1e-13)
        half = factor.half_solve(b, penalty)
        np.testing.assert_allclose(half.T @ half, b.T @ inverse @ b, rtol=1e-8)
        np.testing.assert_allclose(half_constant(factor, penalty)[1], inverse.sum(), rtol=1e-8)
        root = 1 if w is None else np.sqrt(w)
        condition = np.linalg.cond(root * K * np.reshape(root, (-1, 1)) + penalty * np.eye(n))
        assert 0.5 * condition < solution.condition < 1.0001 * condition
        assert (solution.outcome, solution.rank, solution.method) == ("ok", n, "band reduction")
        assert solution.residual < 1e-10


@pytest.mark.parametrize("intercept", [False, True])
def test_left_out_predictions_are_those_of_refits(intercept):
    K, y, w = gram(90)
    counts = np.random.default_rng(1).integers(1, 4, 90)
    held_out = [brute_ridge.left_out(K, y, p, w * counts, intercept, counts) for p in PENALTIES]
    path = ridge_path(BandFactor(K, weights=w * counts), y, PENALTIES, fit_intercept=intercept, counts=counts)
    for fit, expected, penalty in zip(path, held_out, PENALTIES, strict=True):
        np.testing.assert_allclose(fit.loo_prediction, expected, atol=1e-9)
        trace = np.trace(brute_ridge.smoother(K, penalty, w * counts, intercept))
        np.testing.assert_allclose(fit.degrees_of_freedom, trace, rtol=1e-9)


def long_inverse(A):
    """Gauss-Jordan elimination in extended precision; pivots of a positive definite matrix are positive."""
    n = len(A)
    work = np.hstack([A, np.eye(n)]).astype(np.longdouble)
    for i in range(n):
        work[i] /= work[i, i]
        others = np.arange(n) != i
        work[others] -= np.outer(work[others, i], work[i])
    return work[:, n:]


def test_small_penalties_are_as_exact_as_by_eigenvalues():
    K, y, _ = gram(150)
    for penalty in np.logspace(-2, -10, 5):
        exact = long_inverse(K + np.diag(np.full(150, np.longdouble(penalty))))
        left_out = y - exact @ y / exact.diagonal()[:, None]
        errors = []
        for kind in (BandFactor, EigenFactor):
            (fit,) = ridge_path(kind(K), y, [penalty], fit_intercept=False)
            errors.append(abs(fit.loo_prediction - left_out).max() / abs(left_out).max())
        assert errors[0] < max(10 * errors[1], 1e-13)


@pytest.mark.parametrize("late", [False, True])
def test_a_singular_system_is_decomposed(late):
    features = np.random.default_rng(0).standard_normal((150, 4))
    y = features[:, :1] + 1
    factor = BandFactor(features @ features.T)
    if late:
        factor.inverse_diagonals([1.0])
    with pytest.warns(IllConditionedWarning):
        fit = ridge(factor, y, 0.0)
    assert (fit.solution.outcome, fit.solution.rank) == ("minimum-norm", 4)
    np.testing.assert_allclose(features.T @ fit.dual_coef, np.eye(4, 1), atol=1e-10)
    np.testing.assert_allclose(fit.intercept, 1.0)
    exact = np.diagonal(np.linalg.inv(features @ features.T + np.eye(150)))
    np.testing.assert_allclose(factor.inverse_diagonals([1.0])[0], exact, rtol=1e-9)
    points = list(ridge_path(BandFactor(features @ features.T), y, [1.0, 0.0]))
    least = list(ridge_path(EigenFactor(features @ features.T), y, [1.0, 0.0]))
    for ours, theirs in zip(points, least, strict=True):
        np.testing.assert_array_equal(ours.loo_prediction, theirs.loo_prediction)


def test_eigenvalues_below_zero():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((100, 100)))[0]
    values = np.r_[np.linspace(1, 2, 99), -1e-7]
    rounded = (Q * values) @ Q.T
    rounded = (rounded + rounded.T) / 2
    factor, spectral = BandFactor(rounded), EigenFactor(rounded)
    assert factor.at(1e-3) is factor
    diagonal = spectral.inverse_diagonal(1e-6)
    np.testing.assert_allclose(factor.inverse_diagonal(1e-6), diagonal, rtol=1e-9)
    assert isinstance(factor.at(1e-3), EigenFactor)
    for bad in (-np.eye(3), (Q * np.r_[np.ones(99), -1e-3]) @ Q.T):
        with pytest.raises(LinAlgError, match="not positive semidefinite"):
            BandFactor((bad + bad.T) / 2)
    with pytest.raises(ValueError, match="NaN or infinity"):
        BandFactor(np.full((3, 3), np.nan))
    for penalty in (-1.0, np.inf):
        with pytest.raises(ValueError, match="nonnegative"):
            BandFactor(np.eye(3)).solve(np.ones(3), penalty)
    assert BandFactor(np.eye(3)).inverse_diagonals([]).shape == (0, 3)


def test_bytes_do_not_depend_on_threads():
    K, y, _ = gram(1700)
    results = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            factor = BandFactor(K)
            results.append((factor.inverse_diagonals(PENALTIES), factor.solve(y, 0.1).value))
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_no_second_matrix():
    n = 1600
    K = gram(n)[0]
    tracemalloc.start()
    try:
        BandFactor(K, overwrite_gram=True).inverse_diagonals([1.0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.7 * K.nbytes


def test_the_way_of_a_path(monkeypatch):
    monkeypatch.setattr(_path_factor, "_LARGE", 3)
    assert isinstance(path_factor(np.eye(3)), EigenFactor)
    assert isinstance(path_factor(np.eye(4)), BandFactor)
    assert isinstance(path_factor(np.eye(4), weights=[1, 1, 1, 1e7]), CholeskyFactor)


@pytest.mark.parametrize("cv", [None, "gcv", KFold(3)])
def test_a_search_is_the_same_by_either_way(cv, monkeypatch):
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((150, 3)), rng.uniform(0.5, 2, 150)
    y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]]) + 0.1 * rng.standard_normal((150, 2))
    kernels, labels = [RBF(0.3), RBF(2.0)], (y[:, 0] > 0).astype(int)
    for kind, target in ((NTKRegressorCV, y), (NTKClassifierCV, labels)):
        models = []
        for large, beside in ((2000, 2000), (40, 40)):
            monkeypatch.setattr(_path_factor, "_LARGE", large)
            monkeypatch.setattr(_kernel_search, "_SIDE_BY_SIDE", beside)
            models.append(kind(kernels, cv=cv, max_search_samples=100).fit(X, target, w))
        spectral, band = models
        scores = (model.cv_results_["mean_test_score"] for model in models)
        np.testing.assert_allclose(*scores, rtol=1e-7)
        assert spectral.alpha_ == band.alpha_
        np.testing.assert_allclose(spectral.predict(X), band.predict(X), atol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = NTKRegressorCV(RBF(2.0), alphas=[0.0, 0.1], cv=cv).fit(X, y)
    assert exact.alpha_ == 0.1
