"""Regression on centres against dense formulas and refits."""

import numpy as np
import pytest
from scipy import sparse

import ntklib
from ntklib.kernels import NNGP, NTK
from ntklib.solvers import CentreRows, CentreSpectrum, CentreTriangle
from ntklib.solvers.nystrom import _basis
from ntklib.solvers.nystrom import regression as regression_module
from ntklib.solvers.nystrom._basis import make_basis
from ntklib.solvers.nystrom._inverse import factored
from ntklib.solvers.nystrom._sums import CHAIN, RowSums, tree_sum
from ntklib.solvers.nystrom.regression import CentreRegression

KERNEL = NTK(depth=2, bias_std=0.5)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]]) + 5.0
WEIGHTS = RNG.uniform(0.2, 3.0, size=120)


def dense(kernel, X, C, Y, penalty, weights, intercept):
    """Coefficients and intercept from the normal equations of the subset of regressors, in another basis."""
    K, M = kernel(X, C), kernel(C, C)
    design = np.hstack([K, np.ones((len(X), 1))]) if intercept else K
    ridge = np.zeros((design.shape[1],) * 2)
    ridge[: len(C), : len(C)] = penalty * M
    solution = np.linalg.lstsq(
        design.T @ (weights[:, None] * design) + ridge, design.T @ (weights[:, None] * Y), rcond=None
    )[0]
    return (solution[:-1], solution[-1]) if intercept else (solution, np.zeros(Y.shape[1]))


def fitted(kernel, X, C, Y, weights=None, intercept=True, dtype=np.float64):
    basis = make_basis(kernel, kernel.diag, C, centred=intercept)
    rows = CentreRows(X, Y, weights)
    regression = CentreRegression.of(basis, rows, fit_intercept=intercept, dtype=dtype)
    return basis, rows, regression


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_ridge_regression_on_the_centres(dtype, weights, intercept):
    basis, rows, regression = fitted(
        KERNEL, X.astype(dtype), X[:15].astype(dtype), Y, weights, intercept, dtype
    )
    exact = X.astype(dtype).astype(float)
    for penalty in (0.3, 10.0):
        fit = regression.fit(penalty, rows)
        assert fit.residual < 1e-10
        ones = np.ones(len(X)) if weights is None else weights
        a, b = dense(KERNEL, exact, exact[:15], Y, penalty, ones, intercept)
        new = RNG.normal(size=(20, 3))
        got = KERNEL(new, basis.centres.astype(float)) @ fit.dual_coef + fit.intercept
        np.testing.assert_allclose(got, KERNEL(new, exact[:15]) @ a + b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tiles_solved_with_leading_columns_only_give_the_same_fit(monkeypatch, dtype):
    monkeypatch.setattr(_basis, "LEAST_LEAD", 4)
    monkeypatch.setattr(_basis, "MAGNIFIED", np.inf)
    rows, C = X.astype(dtype), X[:15].astype(dtype)
    basis, rows, regression = fitted(KERNEL, rows, C, Y, WEIGHTS, dtype=dtype)
    assert basis.lead == 4
    exact = X.astype(dtype).astype(float)
    phi = np.linalg.solve(np.linalg.cholesky(KERNEL(exact[:15])), KERNEL(exact[:15], exact))
    tolerance = 1e-10 if dtype == np.float64 else 2e-4
    spread = (phi - phi[:, :15].mean(axis=1)[:, None]) ** 2
    assert np.trace(regression.sums.squares) == pytest.approx((spread @ WEIGHTS).sum(), rel=1e-5)
    fit = regression.fit(0.3, rows)
    assert fit.residual < 1e-10
    a, b = dense(KERNEL, exact, exact[:15], Y, 0.3, WEIGHTS, True)
    new = RNG.normal(size=(20, 3))
    got = KERNEL(new, basis.centres.astype(float)) @ fit.dual_coef + fit.intercept
    np.testing.assert_allclose(got, KERNEL(new, exact[:15]) @ a + b, rtol=1e-8, atol=1e-8)
    less = WEIGHTS.copy()
    less[3] = 0.0
    a, b = dense(KERNEL, exact, exact[:15], Y, 0.3, less, True)
    held_out = regression.held_out(np.array([0.3]), rows, dtype)[3, :, 0]
    np.testing.assert_allclose(held_out, (KERNEL(exact[[3]], exact[:15]) @ a + b)[0], rtol=tolerance)


def test_rounding_is_magnified_by_no_more_than_promised():
    """Centres of a smooth kernel need all columns, those of a rough one in many dimensions few."""
    rng = np.random.default_rng(0)
    smooth, rough = rng.normal(size=(300, 1)), rng.normal(size=(300, 40))
    for C, few in ((smooth, False), (rough, True)):
        basis = make_basis(KERNEL, KERNEL.diag, C, centred=True)
        assert (basis.lead < len(basis.kept)) == few
    K = KERNEL(rough[basis.kept])
    lead = basis.lead
    left = K[lead:, lead:] - K[lead:, :lead] @ np.linalg.solve(K[:lead, :lead], K[:lead, lead:])
    whitened = basis.rest @ (left / np.outer(basis.spread, basis.spread)) @ basis.rest.T
    np.testing.assert_allclose(whitened, np.eye(len(left)), atol=1e-9)
    assert np.linalg.norm(basis.rest, axis=1).max() <= _basis.MAGNIFIED


def test_a_cholesky_factor_and_an_eigendecomposition_are_one_inverse():
    A = RNG.normal(size=(12, 9))
    A = np.asfortranarray(A @ A.T)  # of rank 9
    rhs, dense_inverse = RNG.normal(size=(12, 2)), np.linalg.inv(A + 0.3 * np.eye(12))
    for inverse in (CentreSpectrum.of(A.copy(order="F")), factored(A.copy(order="F"), 0.3)):
        np.testing.assert_allclose(
            inverse.half(rhs, 0.3).T @ inverse.half(rhs, 0.3), 0.3 * rhs.T @ dense_inverse @ rhs
        )
        assert inverse.trace(0.3) == pytest.approx(np.trace(A @ dense_inverse), rel=1e-12)
        image = A @ rhs
        np.testing.assert_allclose(inverse.solve(image, 0.3), dense_inverse @ image, rtol=1e-9, atol=1e-12)
    assert factored(A.copy(order="F"), 1e-13) is None
    assert factored(-A, 1.0) is None


def test_all_rows_as_centres_are_kernel_ridge_regression():
    _, rows, regression = fitted(KERNEL, X, X, Y, WEIGHTS)
    fit = regression.fit(0.1, rows)
    K = KERNEL(X)
    system = np.block(
        [[K + 0.1 * np.diag(1 / WEIGHTS), np.ones((120, 1))], [np.ones((1, 120)), np.zeros((1, 1))]]
    )
    solution = np.linalg.solve(system, np.vstack([Y, np.zeros((1, 2))]))
    np.testing.assert_allclose(
        KERNEL(X, regression.basis.centres) @ fit.dual_coef + fit.intercept,
        K @ solution[:-1] + solution[-1],
        rtol=1e-8,
    )


@pytest.mark.parametrize("intercept", [True, False])
def test_held_out_predictions_are_those_of_refits(intercept):
    """Of fits without one copy of a row; weights are counts times importances."""
    counts = RNG.integers(1, 4, size=120).astype(float)
    weights = counts * RNG.uniform(0.5, 2.0, size=120)
    basis = make_basis(KERNEL, KERNEL.diag, X[:15], centred=intercept)
    rows = CentreRows(X, Y, weights, counts)
    regression = CentreRegression.of(basis, rows, fit_intercept=intercept)
    penalties = np.array([0.01, 1.0])
    held_out = regression.held_out(penalties, rows)
    for i in (0, 14, 15, 119):
        for p, penalty in enumerate(penalties):
            less = weights.copy()
            less[i] *= (counts[i] - 1) / counts[i]
            a, b = dense(KERNEL, X, X[:15], Y, penalty, less, intercept)
            np.testing.assert_allclose(held_out[i, :, p], (KERNEL(X[[i]], X[:15]) @ a + b)[0], rtol=1e-9)


def test_residuals_and_degrees_of_freedom():
    basis, _, regression = fitted(KERNEL, X, X[:15], Y, WEIGHTS)
    fit = regression.fit(0.3)
    P = KERNEL(X, X[:15]) @ np.linalg.inv(np.linalg.cholesky(KERNEL(X[:15]))).T
    mean = WEIGHTS @ P / WEIGHTS.sum()
    P = P - mean
    inner = P.T @ (WEIGHTS[:, None] * P)
    df = 1 + np.trace(np.linalg.solve(inner + 0.3 * np.eye(15), inner))
    assert regression.degrees_of_freedom(0.3) == pytest.approx(df, rel=1e-10)
    error = Y - KERNEL(X, basis.centres) @ fit.dual_coef - fit.intercept
    rss = WEIGHTS @ error**2
    np.testing.assert_allclose(regression.residual_squares(0.3), rss, rtol=1e-9)
    assert regression.free(0.3) == pytest.approx(120 - df, rel=1e-10)


@pytest.mark.parametrize("decomposed", [False, True])
def test_the_variance_is_that_of_a_linear_model_on_the_features_and_of_what_they_lack(decomposed):
    basis, _, regression = fitted(KERNEL, X, X[:15], Y, WEIGHTS)
    new = RNG.normal(size=(7, 3))
    phi = np.linalg.solve(np.linalg.cholesky(KERNEL(X[:15])), KERNEL(X[:15], new)).T
    P = np.linalg.solve(np.linalg.cholesky(KERNEL(X[:15])), KERNEL(X[:15], X)).T
    # an unpenalised intercept is a feature of infinite prior variance: a column of ones without penalty
    design, row = np.hstack([P, np.ones((120, 1))]), np.hstack([phi, np.ones((7, 1))])
    ridge = np.diag([0.3] * 15 + [0.0])
    covariance = 0.3 * np.linalg.inv(design.T @ (WEIGHTS[:, None] * design) + ridge)
    expected = KERNEL.diag(new) - (phi**2).sum(axis=1) + np.einsum("ij,jk,ik->i", row, covariance, row)
    cross = KERNEL(new, X[:15][basis.kept])
    if decomposed:
        _ = regression.spectrum
    posterior = regression.posterior(np.array([0.3]))
    assert isinstance(posterior.inverse, CentreSpectrum if decomposed else CentreTriangle)
    np.testing.assert_allclose(posterior(cross, KERNEL.diag(new), 0.3), expected, rtol=1e-9)
    full = KERNEL(new) - phi @ phi.T + row @ covariance @ row.T
    np.testing.assert_allclose(posterior(cross, KERNEL(new), 0.3), full, rtol=1e-9, atol=1e-12)
    assert len(basis.kept) == 15


def test_centres_that_repeat_are_left_out():
    C = np.vstack([X[:10], X[:10], X[:5] * (1 + 1e-15)])
    basis, rows, regression = fitted(NNGP(bias_std=1.0), X, C, Y)
    assert len(basis.kept) == 10
    once, same, alone = fitted(NNGP(bias_std=1.0), X, X[:10], Y)
    predicted = []
    for b, r, s in ((basis, regression, rows), (once, alone, same)):
        fit = r.fit(0.1, s)
        predicted.append(NNGP(bias_std=1.0)(X, b.centres) @ fit.dual_coef + fit.intercept)
        assert fit.residual < 1e-10
    np.testing.assert_allclose(*predicted, atol=1e-9)
    with pytest.raises(ValueError, match="kernel is 0 on the centres"):
        make_basis(NTK(), NTK().diag, np.zeros((3, 3)), centred=True)


def test_offsets_and_large_numbers_cost_no_digits():
    """Features that hardly vary beside their mean, targets far from 0."""
    far, huge = X * 0.01 + 3.0, 1e8 + Y
    basis, rows, regression = fitted(KERNEL, far, far[:15], huge)
    fit = regression.fit(1e-4, rows)
    _, _, plain = fitted(KERNEL, far, far[:15], Y)
    expected = plain.fit(1e-4, CentreRows(far, Y))
    np.testing.assert_allclose(
        KERNEL(far, basis.centres) @ fit.dual_coef + fit.intercept - 1e8,
        KERNEL(far, basis.centres) @ expected.dual_coef + expected.intercept,
        atol=1e-6,
    )


def test_the_same_bytes_at_any_number_of_threads_and_for_sparse_rows():
    rows = np.random.default_rng(1).normal(size=(70_000, 2)).astype(np.float32)
    targets = rows[:, :1] ** 2
    basis, seen = make_basis(KERNEL, KERNEL.diag, rows[:20], centred=True), set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            regression = CentreRegression.of(basis, CentreRows(rows, targets), dtype=np.float32)
            sums = regression.sums
            seen.add(sums.squares.tobytes() + sums.products.tobytes() + sums.features.tobytes())
    assert len(seen) == 1
    thin = CentreRegression.of(basis, CentreRows(sparse.csr_array(rows), targets), dtype=np.float32)
    np.testing.assert_allclose(thin.sums.features, regression.sums.features, rtol=1e-5)


def test_sums_are_added_in_chains_and_then_a_tree():
    """The order is that of the definition, whatever the number of blocks."""
    for n_blocks in (0, 1, CHAIN, CHAIN + 1, 5 * CHAIN + 3, 8 * CHAIN):
        values = np.random.default_rng(n_blocks).normal(size=(n_blocks, 2, 2)) * 10.0 ** np.arange(-8, 8)[:2]

        def zeros():
            return RowSums.zeros(2, 1)

        def add(sums, value):
            sums.squares += np.tril(value)

        chains = []
        for start in range(0, n_blocks, CHAIN):
            total = np.zeros((2, 2))
            for value in values[start : start + CHAIN]:
                total += np.tril(value)
            chains.append(total)

        def tree(parts):
            if len(parts) < 2:
                return parts[0] if parts else np.zeros((2, 2))
            half = 1 << (len(parts) - 1).bit_length() - 1  # the largest power of two below
            return tree(parts[:half]) + tree(parts[half:])

        got = tree_sum(values, add, zeros).squares
        np.testing.assert_array_equal(np.tril(got), tree(chains))


@pytest.mark.parametrize("intercept", [True, False])
def test_the_distance_to_the_exact_fit_is_bounded(intercept):
    basis, rows, regression = fitted(KERNEL, X, X[:40], Y, WEIGHTS, intercept)
    K, root = KERNEL(X), np.sqrt(WEIGHTS)
    Q = KERNEL(X, X[:40]) @ np.linalg.solve(KERNEL(X[:40]), KERNEL(X[:40], X))
    assert regression.lack == pytest.approx(WEIGHTS @ (K - Q).diagonal(), rel=1e-8)
    for penalty in (0.01, 1.0, 100.0):
        fit = regression.fit(penalty, rows)
        system = K + penalty * np.diag(1 / WEIGHTS)
        level = np.zeros(2)
        if intercept:
            level = np.linalg.solve(system, Y).sum(axis=0) / np.linalg.solve(system, np.ones(120)).sum()
        exact = np.linalg.solve(system, Y - level)
        near = np.zeros_like(exact)
        near[basis.kept] = fit.dual_coef
        gap = near - exact
        values = K @ gap + (fit.intercept - level if intercept else 0.0)
        size = WEIGHTS @ values**2 + penalty * np.einsum("ik,ij,jk->k", gap, K, gap)
        bound = regression.distance(penalty)
        assert (size <= bound * (1 + 1e-6)).all()
        residuals = root[:, None] * (Y - K @ near - fit.intercept)
        norm = np.einsum("ik,ij,jk->k", near, K, near)
        np.testing.assert_allclose(
            regression.objective(penalty), (residuals**2).sum(axis=0) + penalty * norm, rtol=1e-7
        )


def test_without_a_penalty_the_answer_is_that_of_least_norm():
    few = X[:10]
    _, rows, regression = fitted(KERNEL, few, X[:15], Y[:10], intercept=False)
    fit = regression.fit(0.0, rows)
    C = X[:15][regression.basis.kept]
    np.testing.assert_allclose(KERNEL(few, C) @ fit.dual_coef, Y[:10], rtol=1e-7)
    M, cross = KERNEL(C), KERNEL(few, C)
    whitened = np.linalg.solve(np.linalg.cholesky(M), cross.T).T
    least = np.linalg.pinv(whitened) @ Y[:10]
    norm = np.einsum("ik,ij,jk->k", fit.dual_coef, M, fit.dual_coef)
    np.testing.assert_allclose(norm, (least**2).sum(axis=0), rtol=1e-6)


class _Stretched:
    """An inverse whose solutions are too long."""

    def __init__(self, inverse, stretch):
        self.inverse, self.stretch = inverse, stretch

    def solve(self, rhs, penalty):
        return self.stretch * self.inverse.solve(rhs, penalty)

    def __getattr__(self, name):
        return getattr(self.inverse, name)


@pytest.mark.parametrize(("stretch", "kept"), [(3.0, 0), (1.9, 1), (1.4, 2)])
def test_refinement_keeps_its_best_step(stretch, kept, monkeypatch):
    """Steps that are ``stretch`` times too long multiply the error by 1 - stretch: it rises, or falls."""
    _, rows, regression = fitted(KERNEL, X, X[:15], Y)
    right, inverse = regression.fit(0.3, rows), CentreRegression.inverse
    start = stretch * inverse(regression, 0.3).solve(regression.moments, 0.3)
    gradient, excess, size = regression._gradient(start, regression.target_mean, 0.3, rows)
    first = np.hypot(np.linalg.norm(gradient), np.linalg.norm(excess)) / size
    monkeypatch.setattr(CentreRegression, "inverse", lambda *args: _Stretched(inverse(*args), stretch))
    monkeypatch.setattr(regression_module, "MAX_REFINEMENTS", 2)
    fit = regression.fit(0.3, rows)
    assert fit.residual == pytest.approx(first * abs(1 - stretch) ** kept, rel=1e-6)
    error = (1 - stretch) ** kept * (stretch - 1)
    np.testing.assert_allclose(fit.dual_coef, (1 + error) * right.dual_coef, rtol=1e-6)
