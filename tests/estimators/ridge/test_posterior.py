"""Uncertainty: scikit-learn's Gaussian process, kriging equations, likelihoods, draws, held-out samples."""

import pickle

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib.estimators import NTKRegressor, NTKRegressorCV
from ntklib.kernels import NTK

KERNEL = NTK(depth=2, bias_std=0.5)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    y = 40 * np.sin(X[:, 0]) + 10 * X[:, 1] + 300
    return X, y + rng.standard_normal(30), rng.standard_normal((7, 3)), rng.uniform(0.2, 3, 30)


def kriging(X, new, alpha, w):
    """Covariance at new rows from the equations of kriging with an unknown mean."""
    n = len(X)
    system = np.block(
        [[KERNEL(X) + alpha * np.diag(1 / w), np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]]
    )
    right = np.vstack([KERNEL(X, new), np.ones((1, len(new)))])
    return KERNEL(new) - right.T @ np.linalg.solve(system, right)


class TestGaussianProcess:
    @pytest.mark.parametrize("n_targets", [None, 2])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_the_same_numbers_and_shapes(self, data, n_targets, weighted):
        X, y, new, w = data
        y = y / 100 if n_targets is None else np.column_stack([y, X[:, 0]])
        w = w if weighted else np.ones(30)
        ours = NTKRegressor(KERNEL, alpha=0.3, fit_intercept=False).fit(X, y, w)
        theirs = GaussianProcessRegressor(KERNEL, alpha=0.3 / w, optimizer=None).fit(X, y)
        for option in ("return_std", "return_cov"):
            for a, b in zip(
                ours.predict(new, **{option: True}), theirs.predict(new, **{option: True}), strict=True
            ):
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, atol=1e-8)
        assert ours.sample_y(new).shape == theirs.sample_y(new).shape
        assert ours.sample_y(new, 4).shape == theirs.sample_y(new, 4).shape
        np.testing.assert_array_equal(ours.target_scale_, np.ones(n_targets) if n_targets else 1.0)

    def test_one_column_of_targets_keeps_its_axis(self, data):
        X, y, new, _ = data
        model = NTKRegressor(KERNEL).fit(X, y[:, None])
        shapes = [model.predict(new, **{o: True})[1].shape for o in ("return_std", "return_cov")]
        assert shapes == [(7, 1), (7, 7, 1)]
        assert model.sample_y(new, 4).shape == (7, 1, 4)
        assert model.target_scale_.shape == (1,)


class TestIntercept:
    def test_is_an_unknown_mean(self, data):
        X, y, new, w = data
        model = NTKRegressor(KERNEL, alpha=0.3, target_scale=2.5).fit(X, y, w)
        expected = 2.5 * kriging(X, new, 0.3, w)
        np.testing.assert_allclose(model.predict(new, return_cov=True)[1], expected, atol=1e-11)
        std = model.predict(new, return_std=True)[1]
        np.testing.assert_allclose(std, np.sqrt(np.diag(expected)), rtol=1e-9)

    def test_noise_is_that_of_a_new_sample_of_weight_1(self, data):
        X, y, new, w = data
        model = NTKRegressor(KERNEL, alpha=[0.3, 4.0], target_scale=2.5).fit(X, np.column_stack([y, y]), w)
        std, cov = (
            model.predict(new, include_noise=True, **{o: True})[1] for o in ("return_std", "return_cov")
        )
        for j, alpha in enumerate((0.3, 4.0)):
            expected = 2.5 * (kriging(X, new, alpha, w) + alpha * np.eye(7))
            np.testing.assert_allclose(cov[..., j], expected, atol=1e-11)
            np.testing.assert_allclose(std[:, j], np.sqrt(np.diag(expected)), rtol=1e-9)


class TestScale:
    @pytest.mark.parametrize("intercept", [False, True])
    def test_is_that_of_greatest_likelihood(self, data, intercept):
        """Restricted likelihood: that of the contrasts, which no constant changes."""
        X, y, _, w = data
        contrasts = null_space(np.ones((1, 30))) if intercept else np.eye(30)
        covariance = contrasts.T @ (KERNEL(X) + 0.3 * np.diag(1 / w)) @ contrasts
        seen = contrasts.T @ y

        def loss(log_scale):
            return -multivariate_normal(cov=np.exp(log_scale) * covariance).logpdf(seen)

        expected = np.exp(minimize_scalar(loss, bracket=(0.0, 8.0), tol=1e-10).x)
        model = NTKRegressor(KERNEL, alpha=0.3, fit_intercept=intercept, target_scale="fit").fit(X, y, w)
        np.testing.assert_allclose(model.target_scale_, expected, rtol=1e-6)

    def test_counts_samples_of_whole_weights(self, data):
        X, y, new, _ = data
        w = np.arange(30) % 3
        ours = NTKRegressor(KERNEL, target_scale="fit").fit(X, y, w)
        repeated = NTKRegressor(KERNEL, target_scale="fit").fit(X.repeat(w, axis=0), y.repeat(w))
        np.testing.assert_allclose(ours.target_scale_, repeated.target_scale_, rtol=1e-9)
        a, b = (model.predict(new, return_std=True)[1] for model in (ours, repeated))
        np.testing.assert_allclose(a, b, rtol=1e-8)

    @pytest.mark.parametrize("cv", [None, "gcv", 3])
    def test_search_fits_it_to_the_winner(self, data, cv):
        X, y, new, w = data
        Y = np.column_stack([y, X[:, 0]])
        model = NTKRegressorCV(KERNEL, [0.1, 1.0], cv=cv).fit(X, Y, w)
        single = NTKRegressor(KERNEL, alpha=model.alpha_, target_scale="fit").fit(X, Y, w)
        np.testing.assert_allclose(model.target_scale_, single.target_scale_, rtol=1e-8)
        a, b = (m.predict(new, return_std=True)[1] for m in (model, single))
        np.testing.assert_allclose(a, b, rtol=1e-8)
        assert NTKRegressorCV(KERNEL, [0.1], target_scale=1.0).fit(X, y).target_scale_ == 1.0

    @pytest.mark.parametrize("factor", [1000.0, -2.0, 1e150, 1e-150])
    @pytest.mark.parametrize("make", [NTKRegressorCV, lambda k: NTKRegressor(k, target_scale="fit")])
    def test_follows_the_units_of_y(self, data, factor, make):
        X, y, new, _ = data
        a, b = make(KERNEL).fit(X, y), make(KERNEL).fit(X, factor * y)
        for options in ({"return_std": True}, {"return_std": True, "include_noise": True}):
            std, theirs = (model.predict(new, **options)[1] for model in (a, b))
            np.testing.assert_allclose(theirs / abs(factor), std, rtol=1e-10)
        if abs(factor) < 1e100:
            np.testing.assert_allclose(b.target_scale_, factor**2 * a.target_scale_, rtol=1e-10)
            cov, theirs = (model.predict(new, return_cov=True)[1] for model in (a, b))
            np.testing.assert_allclose(theirs / factor**2, cov, rtol=1e-10, atol=1e-10)
        moved = make(KERNEL).fit(X, y + 1e5)
        np.testing.assert_allclose(moved.target_scale_, a.target_scale_, rtol=1e-8)

    def test_equal_targets_leave_no_doubt(self, data):
        X, _, new, _ = data
        mean, std = (
            NTKRegressor(KERNEL, target_scale="fit").fit(X, np.full(30, 7.0)).predict(new, return_std=True)
        )
        np.testing.assert_allclose(mean, 7)
        np.testing.assert_allclose(std, 0, atol=1e-12)

    def test_pickles(self, data):
        X, y, new, _ = data
        model = NTKRegressorCV(KERNEL).fit(X, y)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_allclose(
            again.predict(new, return_std=True), model.predict(new, return_std=True), rtol=1e-12
        )


class TestDraws:
    def test_have_the_mean_and_the_covariance(self, data):
        X, y, new, w = data
        model = NTKRegressor(KERNEL, alpha=[0.3, 4.0], target_scale="fit").fit(X, np.column_stack([y, -y]), w)
        n = 20_000
        draws = model.sample_y(new, n, random_state=1)
        for j, alpha in enumerate((0.3, 4.0)):
            expected = model.target_scale_[j] * kriging(X, new, alpha, w)
            variance = np.diag(expected)
            found = draws[:, j] - model.predict(new)[:, [j]]
            assert (np.abs(found.mean(axis=1)) < 4.5 * np.sqrt(variance / n)).all()
            error = np.sqrt((np.outer(variance, variance) + expected**2) / n)
            assert (np.abs(found @ found.T / n - expected) < 4.5 * error).all()
        across = np.mean((draws[:, 0] - draws[:, 0].mean()) * (draws[:, 1] - draws[:, 1].mean()), axis=1)
        spread = draws[:, 0].std(axis=1) * draws[:, 1].std(axis=1)
        shift = (draws[:, 0].mean(axis=1) - draws[:, 0].mean()) * (
            draws[:, 1].mean(axis=1) - draws[:, 1].mean()
        )
        assert (np.abs(across - shift) < 4.5 * spread / np.sqrt(n)).all()

    def test_follow_their_seed(self, data):
        X, y, new, _ = data
        model = NTKRegressorCV(KERNEL).fit(X, y)
        np.testing.assert_array_equal(model.sample_y(new, 3), model.sample_y(new, 3, random_state=0))
        assert (model.sample_y(new, 3) != model.sample_y(new, 3, random_state=1)).all()
        with pytest.raises(ValueError, match="n_samples must be at least 1"):
            model.sample_y(new, 0)
        with pytest.raises(TypeError, match="random_state must be"):
            model.sample_y(new, random_state="a")


def held_out_z(X, y, folds=2):
    z = np.empty(len(y))
    for train, test in KFold(folds, shuffle=True, random_state=0).split(X):
        model = make_pipeline(StandardScaler(), NTKRegressorCV()).fit(X[train], y[train])
        mean, std = model.predict(X[test], return_std=True, include_noise=True)
        z[test] = np.abs(y[test] - mean) / std
    return z


def simulated():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    return X, 50 * (X[:, 0] + np.sin(2 * X[:, 1])) + 20 * rng.standard_normal(300)


TABLES = {
    "simulated": simulated,
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "wine": lambda: (load_wine().data[:, 1:], load_wine().data[:, 0]),
    "iris": lambda: (load_iris().data[:, 1:], load_iris().data[:, 0]),
}


@pytest.mark.parametrize("table", TABLES)
def test_intervals_hold_what_they_are_meant_to_hold(table):
    z = held_out_z(*TABLES[table]())
    for half, meant in ((0.9944579, 0.68), (1.9599640, 0.95)):
        assert abs(np.mean(z < half) - meant) < 0.03 + 2 * np.sqrt(meant * (1 - meant) / len(z))


def test_an_interval_of_a_gaussian_process_holds_for_its_own_draws():
    """Data drawn from the prior itself, kernel and penalty known: shares of f and of y."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2))
    root = np.linalg.cholesky(KERNEL(X) + 1e-10 * np.eye(80))
    hits = np.zeros((2, 2))
    for _ in range(30):
        f = 30 * root @ rng.standard_normal(80) + 500
        y = f + 30 * np.sqrt(0.2) * rng.standard_normal(80)
        model = NTKRegressor(KERNEL, alpha=0.2, target_scale="fit").fit(X[:50], y[:50])
        for i, (truth, noise) in enumerate(((f, False), (y, True))):
            mean, std = model.predict(X[50:], return_std=True, include_noise=noise)
            z = np.abs(truth[50:] - mean) / std
            hits[i] += np.mean(z < 0.9944579) / 30, np.mean(z < 1.9599640) / 30
    np.testing.assert_allclose(hits, [[0.68, 0.95]] * 2, atol=0.035)


@pytest.mark.parametrize("make", [NTKRegressor, NTKRegressorCV])
class TestErrors:
    @pytest.mark.parametrize(
        ("scale", "error"), [("auto", ValueError), (0.0, ValueError), (-1, ValueError), (None, TypeError)]
    )
    def test_of_the_scale(self, data, make, scale, error):
        with pytest.raises(error, match="target_scale must be"):
            make(KERNEL, target_scale=scale).fit(*data[:2])

    def test_of_questions(self, data, make):
        X, y, new, _ = data
        model = make(KERNEL).fit(X, y)
        with pytest.raises(ValueError, match="exclude one another"):
            model.predict(new, return_std=True, return_cov=True)
        with pytest.raises(ValueError, match="include_noise"):
            model.predict(new, include_noise=True)
        given = make("precomputed").fit(KERNEL(X), y)
        for ask in (
            lambda: given.predict(KERNEL(new, X), return_std=True),
            lambda: given.predict(KERNEL(new, X), return_cov=True),
            lambda: given.sample_y(KERNEL(new, X)),
        ):
            with pytest.raises(ValueError, match="precomputed"):
                ask()


def test_one_sample_has_no_scale():
    with pytest.raises(ValueError, match="target_scale='fit' needs at least 2 samples"):
        NTKRegressor(target_scale="fit").fit([[1.0, 2.0]], [1.0])
    assert NTKRegressor(target_scale="fit", fit_intercept=False).fit([[1.0, 2.0]], [1.0]).target_scale_ > 0
