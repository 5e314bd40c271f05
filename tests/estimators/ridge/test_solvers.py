"""The parameter ``solver``: the same function from all solvers, and what each can and cannot do."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import kernels as theirs
from sklearn.model_selection import GridSearchCV, GroupKFold

import ntklib.solvers.solver
from ntklib import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.kernels import NNGP, NTK, ArcCosine, Laplace
from ntklib.networks import EmpiricalNTK, TwoLayerNet
from ntklib.solvers import ApproximationWarning, Cholesky, ConjugateGradient, Nystrom

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2] + 3])
LABELS = np.array(["a", "b", "c"])[(X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 1)]
NEW = RNG.normal(size=(20, 4))
ALL = Nystrom(150, centers="uniform")


def plain(A, B):
    return (1 + np.asarray(A, float) @ np.asarray(B, float).T) ** 2


KERNELS = [
    NTK(depth=2, bias_std=0.5),
    NNGP(bias_std=1.0, activation="erf"),
    ArcCosine(1),
    NTK(bias_std=0.3) + 0.1 * NNGP(depth=2, bias_std=1.0),
    EmpiricalNTK(TwoLayerNet(64, bias_std=0.5)),
    theirs.RBF(1.5),
    theirs.Matern(1.5, nu=0.5),
    Laplace(2.0),
    plain,
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: getattr(kernel, "__name__", str(kernel))[:30])
@pytest.mark.parametrize("intercept", [True, False])
def test_centres_at_all_rows_and_iterations_are_the_exact_fit(kernel, intercept):
    options = {"kernel": kernel, "alpha": [0.5, 0.01], "fit_intercept": intercept}
    exact = NTKRegressor(**options).fit(X, Y)
    centres = NTKRegressor(solver=ALL, **options).fit(X, Y)
    size = abs(exact.predict(NEW)).max()
    np.testing.assert_allclose(centres.predict(NEW), exact.predict(NEW), atol=1e-8 * size)
    iterations = NTKRegressor(solver=ConjugateGradient(30, tol=1e-9), **options).fit(X, Y)
    np.testing.assert_allclose(iterations.predict(NEW), exact.predict(NEW), atol=2e-7 * size)
    for record in iterations.solve_:
        assert record.outcome == "ok"
        assert record.residual <= 1e-9


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("target_scale", [2.0, "fit"])
def test_uncertainty_on_all_rows_is_the_exact_one(intercept, target_scale):
    options = {"alpha": [0.5, 0.1], "fit_intercept": intercept, "target_scale": target_scale}
    exact = NTKRegressor(**options).fit(X, Y)
    centres = NTKRegressor(solver=ALL, **options).fit(X, Y)
    np.testing.assert_allclose(centres.target_scale_, exact.target_scale_, rtol=1e-8)
    for asked in ("return_std", "return_cov"):
        np.testing.assert_allclose(
            centres.predict(NEW, **{asked: True})[1], exact.predict(NEW, **{asked: True})[1], atol=1e-7
        )
    np.testing.assert_allclose(centres.sample_y(NEW, 3).mean(), exact.sample_y(NEW, 3).mean(), atol=0.5)
    assert centres.sample_y(NEW, 3).shape == (20, 2, 3)


def test_uncertainty_of_few_centres_grows_away_from_the_data():
    model = NTKRegressor(solver=Nystrom(10), alpha=0.1).fit(X, Y[:, 0])
    near, far = (model.predict(rows, return_std=True)[1] for rows in (X, 10 * X))
    assert near.mean() < far.mean()


@pytest.mark.parametrize("labels", [LABELS, LABELS == "a"], ids=["three", "two"])
def test_classification_on_all_rows_is_the_exact_one(labels):
    weights = RNG.integers(1, 4, size=150)
    exact = NTKClassifier().fit(X, labels, weights)
    centres = NTKClassifier(solver=ALL).fit(X, labels, weights)
    assert centres.temperature_ == pytest.approx(exact.temperature_, rel=1e-4)
    np.testing.assert_allclose(centres.predict_proba(NEW), exact.predict_proba(NEW), atol=1e-5)
    iterations = NTKClassifier(solver="cg", calibrate=False).fit(X, labels, weights)
    np.testing.assert_array_equal(iterations.predict(NEW), exact.predict(NEW))


def test_few_centres_predict_nearly_as_well():
    X = np.random.default_rng(1).normal(size=(2000, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    new = np.random.default_rng(2).normal(size=(500, 3))
    exact = NTKRegressor(alpha=0.1).fit(X, y).predict(new)
    errors = []
    for centers in ("rpcholesky", "uniform", "kmeans++"):
        model = NTKRegressor(alpha=0.1, solver=Nystrom(200, centers=centers)).fit(X, y)
        errors.append(np.sqrt(np.mean((model.predict(new) - exact) ** 2)))
        assert model.X_fit_.shape == (200, 3)
        np.testing.assert_array_equal(model.X_fit_, X[model.support_])
        assert model.solve_.centers == centers
        on_rows = np.sqrt(np.mean((model.predict(X) - NTKRegressor(alpha=0.1).fit(X, y).predict(X)) ** 2))
        assert on_rows <= model.solve_.distance
    assert max(errors) < 0.2  # of a standard deviation of 1.2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", [Nystrom(centers=X[:40]), ConjugateGradient(50, tol=1e-8)])
def test_weights_are_repeated_rows(solver, dtype):
    counts = RNG.integers(0, 4, size=150)
    rows = X.astype(dtype)
    weighted = NTKRegressor(solver=solver, target_scale="fit").fit(rows, Y, counts)
    repeated = NTKRegressor(solver=solver, target_scale="fit").fit(
        np.repeat(rows, counts, axis=0), np.repeat(Y, counts, axis=0)
    )
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    if isinstance(solver, ConjugateGradient):
        tolerance = max(tolerance, 1e-7)  # of its residual
    np.testing.assert_allclose(weighted.predict(NEW), repeated.predict(NEW), rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(weighted.target_scale_, repeated.target_scale_, rtol=10 * tolerance)


@pytest.mark.parametrize("factor", [1e-170, 1e-3, 1e150])
@pytest.mark.parametrize("solver", [Nystrom(40), ConjugateGradient(30)])
def test_targets_of_any_size(solver, factor):
    plain, large = (NTKRegressor(solver=solver).fit(X, Y * f) for f in (1.0, factor))
    np.testing.assert_allclose(large.predict(NEW) / factor, plain.predict(NEW), rtol=1e-6, atol=1e-6)
    assert large.solve_.distance / factor == pytest.approx(plain.solve_.distance, rel=1e-3)


def test_sparse_rows():
    thin = sparse.csr_array(np.where(abs(X) > 1, X, 0))
    for solver in (Nystrom(40, random_state=3), ConjugateGradient(30, tol=1e-9)):
        model = NTKRegressor(solver=solver).fit(thin, Y)
        dense = NTKRegressor(solver=solver).fit(thin.toarray(), Y)
        np.testing.assert_allclose(model.predict(NEW), dense.predict(NEW), rtol=1e-5, atol=1e-6)


def test_parameters_can_be_searched_and_models_cloned_and_pickled():
    search = GridSearchCV(
        NTKRegressor(solver=Nystrom()), {"solver__n_centers": [5, 60], "alpha": [0.01, 1.0]}, cv=3
    ).fit(X, Y[:, 0])
    assert search.best_params_["solver__n_centers"] == 60
    model = clone(search.best_estimator_).fit(X, Y[:, 0])
    copy = pickle.loads(pickle.dumps(model))
    for asked in ({}, {"return_std": True}):
        np.testing.assert_array_equal(copy.predict(NEW, **asked), model.predict(NEW, **asked))
    np.testing.assert_array_equal(NTKRegressor(solver=Nystrom(30)).fit(X, Y).X_fit_.shape, (30, 4))


def test_auto_depends_on_the_number_of_rows_and_says_so(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert NTKRegressor().fit(X, Y).solve_.method == "cholesky"
    monkeypatch.setattr(ntklib.solvers.solver, "EXACT_ROWS", 100)
    with pytest.warns(ApproximationWarning, match="150 rows are more than the 100 up to which"):
        model = NTKRegressor().fit(X, Y)
    assert model.solve_.method == "nystrom"
    for named in ("cholesky", "nystrom", "cg"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert NTKRegressor(solver=named).fit(X, Y).solve_.method == named
    K = NTK(bias_std=1.0)(X)
    assert NTKRegressor(kernel="precomputed").fit(K, Y).solve_.method == "cholesky"
    counts = [Nystrom().count(n) for n in (500, 30_000, 1_000_000, 100_000_000)]
    assert counts == [500, 4000, 2000, 1000]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "lu"}, "solver must be 'auto', 'cholesky', 'nystrom', 'cg' or a solver"),
        ({"solver": Nystrom}, "solver must be 'auto'"),
        ({"solver": Nystrom(0)}, "n_centers must be at least 1"),
        ({"solver": Nystrom(centers="random")}, "centers must be one of"),
        ({"solver": Nystrom(centers=np.zeros((3, 2)))}, r"centers must have shape \(n_centers, 4\)"),
        ({"solver": Nystrom(centers=np.full((3, 4), np.nan))}, "Input centers contains NaN"),
        ({"solver": ConjugateGradient(tol=0)}, "tol must be"),
        (
            {"solver": "nystrom", "alpha": 0.0, "target_scale": "fit"},
            "target_scale='fit' needs a positive alpha",
        ),
        ({"solver": "cg", "alpha": 0.0}, "alpha must be positive for conjugate gradients"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(TypeError, match="n_centers must be an integer"):
        NTKRegressor(solver=Nystrom(X[:40])).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        NTKRegressor(**options).fit(X, Y)


def never(A, B):
    raise AssertionError("the kernel was computed")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            NTKRegressor(never, alpha=0.0, solver="nystrom", target_scale="fit"),
            "target_scale='fit' needs a positive",
        ),
        (NTKRegressor(never, alpha=[0.0, 1.0], solver="cg"), "alpha must be positive for conjugate"),
        (NTKRegressorCV([never], [0.0, 9.0], solver="nystrom"), "leave out alpha=0, or give target_scale"),
        (NTKRegressorCV([never], [0.0, 9.0], solver="cg", max_search_samples=99), "alpha must be positive"),
        (NTKClassifierCV([never], [0.0, 9.0], solver="cg", max_search_samples=99), "alpha must be positive"),
    ],
)
def test_penalties_of_0_are_refused_before_any_work(model, message):
    y = LABELS if isinstance(model, NTKClassifierCV) else Y
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def test_what_a_solver_cannot_do_names_the_way_out():
    model = NTKRegressor(solver="cg").fit(X, Y)
    for call in (lambda: model.predict(NEW, return_std=True), lambda: model.sample_y(NEW)):
        with pytest.raises(ValueError, match="fit with solver='nystrom'"):
            call()
    with pytest.raises(ValueError, match="calibrate=False, or solver='nystrom'"):
        NTKClassifier(solver="cg").fit(X, LABELS)
    for solver in ("nystrom", "cg"):
        with pytest.raises(ValueError, match="kernel='precomputed' is the whole matrix"):
            NTKRegressor(kernel="precomputed", solver=solver).fit(NTK()(X), Y)
    with pytest.raises(ValueError, match="kernel is 0 on these rows"):
        NTKRegressor(kernel=NTK(), solver="nystrom").fit(np.zeros((5, 2)), np.arange(5.0))
    with pytest.warns(ConvergenceWarning, match="stopped after 2 iterations"):
        model = NTKRegressor(solver=ConjugateGradient(1, max_iter=2), alpha=1e-6).fit(X, Y)
    assert model.solve_.outcome == "not converged"


def test_one_row_and_equal_rows():
    for solver in (Nystrom(), ConjugateGradient()):
        one = NTKRegressor(solver=solver).fit(X[:1], [3.0])
        np.testing.assert_allclose(one.predict(NEW), 3.0)
        equal = NTKRegressor(solver=solver).fit(np.ones((10, 2)), np.arange(10.0))
        np.testing.assert_allclose(equal.predict(np.ones((1, 2))), 4.5, rtol=1e-6)


def negative(A, B):
    return -(A @ B.T)


def sigmoid(A, B):
    return np.tanh(2 * (A @ B.T) - 1)


def lopsided(A, B):
    return np.cumsum(A, axis=1) @ B.T


def squashed(A, B):
    return np.tanh(A @ B.T + 1)


def repulsive(A, B):
    return np.log1p(np.square(A[:, None] - B).sum(axis=-1))


def attractive(A, B):
    return -repulsive(A, B)


@pytest.mark.parametrize("kernel", [squashed, repulsive, attractive])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_iterations_find_directions_of_negative_curvature(kernel, dtype):
    with pytest.raises(np.linalg.LinAlgError, match="is not positive semidefinite"):
        NTKRegressor(kernel, solver="cg").fit(X[:, :3].astype(dtype), X[:, 0])


@pytest.mark.parametrize("solver", ["cholesky", "nystrom", "cg"])
def test_kernels_of_the_wrong_shape_are_named(solver):
    with pytest.raises(ValueError, match=r"the kernel returned an array of shape \(.*, 1\), expected"):
        NTKRegressor(lambda A, B: (A @ B.T)[:, :1], solver=solver).fit(X, Y)


@pytest.mark.parametrize("solver", ["cholesky", Nystrom(30), "cg"], ids=str)
def test_a_row_on_which_the_kernel_is_nan_is_named(solver):
    def gap(A, B):
        return np.exp(-np.square(A[:, None] - B).sum(axis=-1)) * np.where(A[:, :1] > 100, np.nan, 1.0)

    model, new = NTKRegressor(gap, solver=solver).fit(X, Y), NEW.copy()
    assert np.isfinite(model.predict(new)).all()
    new[7, 0] = 200.0
    asked = [{}] if solver == "cg" else [{}, {"return_std": True}, {"return_cov": True}]
    for options in asked:
        with pytest.raises(ValueError, match="NaN or infinite on row 7 of X"):
            model.predict(new, **options)


@pytest.mark.parametrize("kernel", [negative, sigmoid, lopsided])
@pytest.mark.parametrize("solver", ["cholesky", Nystrom(20), Nystrom(20, centers="uniform"), "cg"], ids=str)
def test_kernels_that_are_no_inner_product_are_refused(solver, kernel):
    with pytest.raises(ValueError, match="is not positive semidefinite"):
        NTKRegressor(kernel, solver=solver).fit(X, Y)


def test_little_above_the_diagonal_is_found_on_the_rows():
    """On the centres it looks like an inner product."""
    kernel = lambda A, B: 1 - np.square(A[:, None] - B).sum(axis=-1) ** 2  # noqa: E731
    for centers in ("rpcholesky", "uniform"):
        with pytest.raises(ValueError, match="is not positive semidefinite"):
            NTKRegressor(kernel, solver=Nystrom(5, centers=centers)).fit(X, Y)


@pytest.mark.parametrize("solver", ["cholesky", "nystrom", Nystrom(5, centers="uniform"), "cg"], ids=str)
def test_a_constant_kernel_fits_the_mean_in_silence(solver):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = NTKRegressor(solver=solver).fit(np.ones_like(X), Y)
    np.testing.assert_allclose(model.predict(NEW), np.tile(Y.mean(axis=0), (20, 1)), rtol=1e-9, atol=1e-12)
    assert model.solve_.outcome == "ok"


@pytest.mark.filterwarnings("ignore:the mean of .x")
def test_iterations_that_rounding_spoils_keep_the_best_and_say_so():
    large = 1e8 * X
    model = NTKRegressor(NTK(bias_std=1.0), solver=ConjugateGradient(20, max_iter=200))
    with pytest.warns(ConvergenceWarning, match="relative residual of"):
        model.fit(large, Y)
    record = model.solve_
    assert record.outcome == "not converged"
    assert record.residual <= 1
    assert np.isfinite(model.predict(large)).all()
    assert abs(model.predict(large) - Y).max() < 2 * abs(Y - Y.mean(axis=0)).max()


def test_solvers_print_and_compare():
    assert repr(Nystrom(100)) == "Nystrom(n_centers=100)"
    assert repr(Cholesky()) == "Cholesky()"
    assert clone(ConjugateGradient(5)).rank == 5


SEARCHES = [NTKRegressorCV, NTKClassifierCV]
GRID = [NTK(bias_std=1.0), NNGP(depth=2, bias_std=0.3)]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("cv", [None, "gcv"])
@pytest.mark.parametrize("weights", [None, RNG.uniform(0.5, 2, 150)], ids=["equal", "weighted"])
def test_a_search_on_all_rows_as_centres_is_the_exact_search(search, cv, weights):
    y = LABELS if search is NTKClassifierCV else Y
    exact = search(GRID, cv=cv, alphas=np.logspace(-2, 1, 5)).fit(X, y, weights)
    for limit in (3000, 100):  # compared on all rows, or on some
        options = {"cv": cv, "store_held_out": True, "alphas": np.logspace(-2, 1, 5)}
        centres = search(GRID, solver=ALL, max_search_samples=limit, **options).fit(X, y, weights)
        if limit > 150:
            assert centres.kernel_ == exact.kernel_
            scores = (model.cv_results_["mean_test_score"] for model in (centres, exact))
            np.testing.assert_allclose(*scores, rtol=1e-5)
        same = search([centres.kernel_], **options).fit(X, y, weights)
        assert centres.alpha_ == pytest.approx(same.alpha_, rel=1e-9)
        assert centres.best_score_ == pytest.approx(same.best_score_, rel=1e-5)
        np.testing.assert_allclose(centres.held_out_predictions_, same.held_out_predictions_, atol=1e-6)
        outputs = "decision_function" if search is NTKClassifierCV else "predict"
        np.testing.assert_allclose(getattr(centres, outputs)(NEW), getattr(same, outputs)(NEW), atol=1e-7)


def test_penalties_per_target_on_centres():
    exact = NTKRegressorCV(GRID, alpha_per_target=True).fit(X, Y)
    centres = NTKRegressorCV(GRID, alpha_per_target=True, solver=ALL).fit(X, Y)
    np.testing.assert_allclose(centres.alpha_, exact.alpha_)
    np.testing.assert_allclose(centres.predict(NEW), exact.predict(NEW), atol=1e-7)
    assert {one.penalty for one in np.ravel(centres.solve_)} == set(centres.alpha_)


def test_iterations_use_the_choice_of_the_comparison():
    model = NTKRegressorCV(GRID, solver=ConjugateGradient(tol=1e-9), max_search_samples=100).fit(X, Y)
    assert model.solve_.method == "cg"
    assert model.loo_path_.n_samples == 100
    exact = NTKRegressor(model.kernel_, alpha=model.alpha_, clip=True).fit(X, Y)
    np.testing.assert_allclose(model.predict(NEW), exact.predict(NEW), atol=1e-4)
    whole = NTKRegressorCV(GRID, solver="cg").fit(X, Y)  # of which nothing is left to iterate
    assert np.ravel(whole.solve_)[0].method == "eigendecomposition"
    assert np.isfinite(whole.predict(NEW, return_std=True)[1]).all()
    few = NTKClassifierCV(GRID, solver="cg", max_search_samples=60).fit(X, LABELS)
    assert few.loo_path_.n_samples == 60
    assert few.X_fit_.shape == X.shape
    assert few.predict_proba(NEW).shape == (20, 3)
    with pytest.raises(ValueError, match="store_held_out=True needs leave-one-out on all rows"):
        NTKRegressorCV(GRID, solver="cg", store_held_out=True).fit(X, Y)


@pytest.mark.parametrize("search", SEARCHES)
def test_auto_in_a_search(search, monkeypatch):
    monkeypatch.setattr(ntklib.solvers.solver, "EXACT_SEARCH_ROWS", 100)
    y = LABELS if search is NTKClassifierCV else Y[:, 0]
    with pytest.warns(ApproximationWarning, match="150 rows are more than the 100"):
        model = search(GRID, max_search_samples=80).fit(X, y)
    assert model.solve_.method == "nystrom"
    assert model.score(X, y) > 0.8
    assert search(GRID, cv=3).fit(X, y).solve_.method == "cholesky"


NOISY = theirs.RBF(1.0) + theirs.WhiteKernel(0.1)


@pytest.mark.parametrize("solver", ["nystrom", "cg"])
def test_kernels_with_noise_of_their_own_are_refused(solver, monkeypatch):
    with pytest.raises(ValueError, match="takes no kernel with noise of its own, such as WhiteKernel"):
        NTKRegressor(NOISY, solver=solver).fit(X, Y)
    monkeypatch.setattr(ntklib.solvers.solver, "EXACT_ROWS", 100)
    assert NTKRegressor(NOISY).fit(X, Y).solve_.method == "cholesky"  # auto knows


@pytest.mark.parametrize("solver", ["nystrom", "cg"])
@pytest.mark.parametrize("size", [1e200, 1e300])
def test_kernels_beyond_the_floats_are_an_error(solver, size):
    with pytest.raises(ValueError, match=r"NaN or infinite|leaves the range of floats|cannot be factored"):
        NTKRegressor(solver=solver).fit(X * size, Y)


@pytest.mark.parametrize("alpha", [1e-8, 1e-12, 1e-15, 1e-30, 1e-200])
def test_small_penalties_fit_as_well_as_the_exact_solver(alpha):
    """Or say that they cannot."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = NTKRegressor(alpha=alpha, solver="nystrom").fit(X, Y)
    exact = NTKRegressor(alpha=1e-8).fit(X, Y)
    error = np.abs(model.predict(NEW) - exact.predict(NEW)).max()
    assert np.isfinite(error)
    assert error < 0.02 or any("relative residual" in str(one.message) for one in caught)


@pytest.mark.parametrize("scale", [1e9, 1e20])
def test_large_features_and_weights(scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rows, weights in ((X * scale, None), (X, np.full(150, scale))):
            model = NTKRegressor(solver="nystrom").fit(rows, Y, weights)
            exact = NTKRegressor(solver="cholesky").fit(rows, Y, weights)
            new = NEW * scale if weights is None else NEW
            assert np.abs(model.predict(new) - exact.predict(new)).max() < 0.05


def test_folds_are_honoured():
    """Rows of a group are nearly equal: leave-one-out sees the group, folds by group do not."""
    rng = np.random.default_rng(0)
    groups = np.repeat(range(20), 10)
    rows = rng.normal(size=(20, 3))[groups] + 0.01 * rng.normal(size=(200, 3))
    y = rng.normal(size=20)[groups]
    splits = list(GroupKFold(5).split(rows, y, groups))
    exact, centres = (
        NTKRegressorCV([theirs.RBF(0.3)], solver=solver, cv=splits).fit(rows, y)
        for solver in ("cholesky", "nystrom")
    )
    assert centres.alpha_ == exact.alpha_
    assert centres.best_score_ == pytest.approx(exact.best_score_)
    assert centres.solve_.method == "nystrom"


@pytest.mark.parametrize("cv", [None, "gcv"])
def test_penalties_that_leave_nothing_free_are_not_chosen_by_rounding(cv):
    alphas = [1e-30, 1e-12, 1e-8, 1e-2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        centres = NTKRegressorCV([GRID[0]], alphas, cv=cv, solver=Nystrom(60)).fit(X, Y[:, 0])
    held_out = -NTKRegressorCV([GRID[0]], [1e-2], solver=Nystrom(60)).fit(X, Y[:, 0]).best_score_
    assert -centres.best_score_ > 0.2 * held_out


def test_centres_of_any_container():
    dense = NTKRegressor(solver=Nystrom(centers=X[:20])).fit(X, Y).predict(NEW)
    for rows in (X, sparse.csr_array(X)):
        for centers in (sparse.csr_array(X[:20]), X[:20].tolist()):
            model = NTKRegressor(solver=Nystrom(centers=centers)).fit(rows, Y)
            np.testing.assert_allclose(model.predict(NEW), dense, rtol=1e-6)
