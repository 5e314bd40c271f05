"""Features on centres against the solver on centres, dense formulas and Gaussian processes."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.gaussian_process import kernels as theirs
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from ntklib import NNGP, NTK, ArcCosine, NTKRegressor, NystromFeatures
from ntklib.networks import EmpiricalNTK, TwoLayerNet
from ntklib.solvers import Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2] + 3])
NEW = RNG.normal(size=(20, 4))


def polynomial(A, B):
    return (1 + np.asarray(A, float) @ np.asarray(B, float).T) ** 2


KERNELS = [
    None,
    NNGP(bias_std=1.0, activation="erf"),
    NTK(bias_std=0.3) + 0.1 * ArcCosine(2),
    EmpiricalNTK(TwoLayerNet(64, bias_std=0.5)),
    theirs.RBF(1.5),
    polynomial,
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: getattr(kernel, "__name__", str(kernel))[:20])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_regression_on_them_is_the_solver_on_centres(kernel, intercept):
    features = NystromFeatures(kernel, 12, random_state=3)
    linear = make_pipeline(features, Ridge(0.3, fit_intercept=intercept)).fit(X, Y)
    solver = NTKRegressor(kernel, alpha=0.3, fit_intercept=intercept, solver=Nystrom(12, random_state=3)).fit(
        X, Y
    )
    np.testing.assert_array_equal(linear[0].component_indices_, solver.support_)
    np.testing.assert_allclose(linear.predict(NEW), solver.predict(NEW), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("centers", ["rpcholesky", "uniform", "kmeans++", X[:25]], ids=lambda c: str(c)[:10])
def test_every_choice_of_centres_is_the_solver_s(centers):
    linear = make_pipeline(NystromFeatures(None, 25, centers=centers, subset=60), Ridge(0.1)).fit(X, Y)
    model = NTKRegressor(alpha=0.1, solver=Nystrom(25, centers=centers, subset=60)).fit(X, Y)
    np.testing.assert_allclose(linear.predict(NEW), model.predict(NEW), rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(linear[0].components_, model.X_fit_)
    if isinstance(centers, str):
        np.testing.assert_array_equal(X[linear[0].component_indices_], linear[0].components_)
    else:
        assert set(linear[0].component_indices_) == {-1}


def test_the_bound_is_the_variance_that_a_gaussian_process_keeps():
    """By the formula with an inverse, and by draws of the process, five standard errors."""
    kernel = NTK(depth=2, bias_std=0.5)
    model = NystromFeatures(kernel, 6).fit(X)
    C, new = X[model.component_indices_], NEW[:4]
    weights = np.linalg.solve(kernel(C), kernel(C, new))
    lack = kernel(new) - kernel(new, C) @ weights
    features = model.transform(new)
    np.testing.assert_allclose(kernel(new) - features @ features.T, lack, rtol=1e-8, atol=1e-12)
    bound = model.error_bound(new)
    np.testing.assert_allclose(bound.diagonal(), lack.diagonal(), rtol=1e-8)
    assert np.all(np.abs(lack) <= bound * (1 + 1e-8))
    np.testing.assert_allclose(
        model.error_bound(new, X[:9]),
        np.sqrt(
            np.outer(
                bound.diagonal(),
                np.maximum(
                    (
                        kernel(X[:9]) - kernel(X[:9], C) @ np.linalg.solve(kernel(C), kernel(C, X[:9]))
                    ).diagonal(),
                    0,
                ),
            )
        ),
        rtol=1e-5,
        atol=1e-6,
    )
    draws = 20_000
    joint = np.vstack([C, new])
    paths = np.random.default_rng(1).multivariate_normal(
        np.zeros(10), kernel(joint), size=draws, method="cholesky"
    )
    rest = (paths[:, 6:] - paths[:, :6] @ weights) ** 2
    assert np.all(np.abs(rest.mean(axis=0) - bound.diagonal()) <= 5 * rest.std(axis=0) / np.sqrt(draws))


def test_centres_are_exact_and_so_are_all_rows_as_centres():
    kernel = NTK(depth=2, bias_std=0.5)
    model = NystromFeatures(kernel, 30).fit(X)
    mine, others = model.transform(model.components_), model.transform(NEW)
    np.testing.assert_allclose(mine @ others.T, kernel(model.components_, NEW), rtol=1e-9)
    np.testing.assert_allclose(mine, model.triangle_, atol=1e-10)
    everything = NystromFeatures(kernel, 1000).fit(X)
    assert everything.n_components_ == 150
    assert everything.error_ < 1e-12
    assert everything.error_bound(X).max() < 1e-9 * kernel.diag(X).max()


@pytest.mark.parametrize("centers", ["rpcholesky", "uniform"])
def test_rows_that_repeat_have_one_feature(centers):
    few = np.repeat(X[:10], 8, axis=0)
    model = NystromFeatures(NNGP(bias_std=1.0), 40, centers=centers).fit(few)
    assert model.n_components_ == len(np.unique(model.components_, axis=0)) <= 10
    assert model.transform(NEW).shape == (20, model.n_components_)
    if centers == "rpcholesky":
        assert model.error_ < 1e-12
    one = NystromFeatures(NTK(bias_std=1.0)).fit(X[:1])
    assert one.transform(X[:1]).shape == (1, 1)


def test_float32_loses_no_more_than_is_stated_where_centres_nearly_depend_on_each_other():
    rows = RNG.normal(size=(1000, 2)).astype(np.float32)
    for kernel in (theirs.RBF(2.0), NNGP(activation="erf", bias_std=1.0), NTK(depth=3, bias_std=1.0)):
        model = NystromFeatures(kernel, 200).fit(rows)
        exact = model.transform(rows.astype(np.float64))
        single = model.transform(rows)
        assert single.dtype == np.float32
        lengths = np.sqrt(kernel.diag(rows.astype(np.float64)))
        assert np.max(np.abs(single - exact) / lengths[:, None]) < 1e-4
    assert model.error_ < 0.01


@pytest.mark.parametrize("factor", [1e-140, 1e-30, 1e30, 1e140])
def test_rows_of_any_size(factor):
    kernel = NTK(depth=2)
    plain, scaled = (NystromFeatures(kernel, 20).fit(rows) for rows in (X, factor * X))
    np.testing.assert_allclose(
        scaled.transform(factor * NEW), factor * plain.transform(NEW), rtol=1e-6, atol=1e-8 * factor
    )
    assert scaled.error_ == pytest.approx(plain.error_, rel=1e-6)


@pytest.mark.parametrize("factor", [1e-25, 1e10, 1e25])
def test_kernel_values_that_float32_cannot_hold(factor):
    kernel, rows = NTK(depth=2), (factor * X).astype(np.float32)
    model = NystromFeatures(kernel, 20).fit(rows)
    assert model.error_ == pytest.approx(NystromFeatures(kernel, 20).fit(X).error_, rel=1e-3)
    mixed = NystromFeatures(kernel, 20).fit(X.astype(np.float32))
    np.testing.assert_allclose(mixed.transform(rows) / factor, mixed.transform(X), rtol=1e-3, atol=1e-4)


def test_kernel_values_that_no_float_can_hold_are_refused():
    with pytest.raises(ValueError, match="kernel is NaN or infinite on some rows: scale"):
        NystromFeatures(NTK()).fit(1e200 * X)
    model = NystromFeatures(lambda A, B: np.exp(A @ B.T), 20).fit(X)
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="kernel is NaN or infinite on some rows"),
    ):
        model.transform(np.full((1, 4), 1e5))


def test_sparse_rows_where_the_kernel_takes_them():
    thin = np.where(np.abs(X) > 1, X, 0)
    model = NystromFeatures(None, 20).fit(sparse.csr_array(thin))
    assert sparse.issparse(model.components_)
    dense = NystromFeatures(None, 20).fit(thin)
    np.testing.assert_allclose(model.transform(NEW), dense.transform(NEW), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.error_bound(sparse.csr_array(thin)), dense.error_bound(thin), atol=1e-6)
    with pytest.raises(TypeError, match=r"RBF.* takes dense rows only"):
        NystromFeatures(theirs.RBF()).fit(sparse.csr_array(thin))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "precomputed"}, "kernel must be a kernel object or a function"),
        ({"kernel": theirs.RBF() + theirs.WhiteKernel()}, "no noise of its own"),
        ({"centers": np.ones((3, 2))}, r"centers must have shape \(n_centers, 4\)"),
        ({"centers": np.full((3, 4), np.nan)}, "centers must be .*NaN"),
        ({"centers": "random"}, "centers must be one of 'rpcholesky'"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        NystromFeatures(**options).fit(X)


def test_a_kernel_of_zero_has_no_features():
    for centers in ("rpcholesky", "uniform"):
        with pytest.raises(ValueError, match="the kernel is 0 on"):
            NystromFeatures(ArcCosine(1), centers=centers).fit(np.zeros((5, 3)))


@pytest.mark.parametrize("centers", ["rpcholesky", "uniform", "kmeans++", X[:3]])
def test_no_more_memory_is_asked_for_than_the_choice_of_centres_takes(centers, monkeypatch):
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 10_000)
    model = NystromFeatures(NTK(bias_std=1.0), n_components=1000, centers=centers)
    assert model.fit(X[:20]).n_components_ <= 20


def test_a_factor_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("ntklib._core.blocks.available_memory", lambda: 10_000)
    with pytest.raises(MemoryError, match=r"factor .* choose a smaller n_components or subset"):
        NystromFeatures(NTK(bias_std=1.0), n_components=10).fit(X)
