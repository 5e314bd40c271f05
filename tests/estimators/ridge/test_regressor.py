import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib.estimators import NTKRegressor, NTKRegressorCV, ScaleWarning
from ntklib.kernels import NTK
from ntklib.solvers import IllConditionedWarning
from tests.solvers import brute_ridge


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    return (
        X,
        np.sin(X[:, 0]) + 0.1 * rng.standard_normal(60),
        rng.standard_normal((20, 3)),
        rng.uniform(0.2, 3, 60),
    )


class TestOracles:
    @pytest.mark.parametrize("n_targets", [None, 1, 3])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_kernel_ridge(self, data, n_targets, weighted):
        X, y, new, w = data
        y = y if n_targets is None else np.random.default_rng(1).standard_normal((60, n_targets))
        w = w if weighted else None
        ours = NTKRegressor(RBF(), alpha=0.3, fit_intercept=False).fit(X, y, w)
        theirs = KernelRidge(kernel="rbf", gamma=0.5, alpha=0.3).fit(X, y, w)
        np.testing.assert_allclose(ours.predict(new), theirs.predict(new), atol=1e-11)
        np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-11)
        assert ours.dual_coef_.shape == y.shape

    def test_a_penalty_per_target(self, data):
        X, _, new, w = data
        y = np.random.default_rng(1).standard_normal((60, 3))
        alphas = [0.1, 2.0, 0.1]
        model = NTKRegressor(RBF(), alpha=alphas).fit(X, y, w)
        singles = [NTKRegressor(RBF(), alpha=a).fit(X, y[:, j], w) for j, a in enumerate(alphas)]
        values, stds = model.predict(new, return_std=True)
        for j, single in enumerate(singles):
            value, std = single.predict(new, return_std=True)
            np.testing.assert_allclose(values[:, j], value, atol=1e-11)
            np.testing.assert_allclose(stds[:, j], std, atol=1e-11)
        assert [record.penalty for record in model.solve_] == [0.1, 2.0]

    @pytest.mark.parametrize("n_targets", [None, 2])
    def test_standard_deviation_of_a_gaussian_process(self, data, n_targets):
        X, y, new, _ = data
        y = y if n_targets is None else np.column_stack([y, y**2])
        kernel = NTK(depth=2, bias_std=0.5)
        ours = NTKRegressor(kernel, alpha=0.1, fit_intercept=False).fit(X, y)
        theirs = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(X, y)
        for a, b in zip(
            ours.predict(new, return_std=True), theirs.predict(new, return_std=True), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-8)

    def test_weights_divide_the_noise_and_an_intercept_has_a_flat_prior(self, data):
        """A Gaussian process with noise alpha/w and a constant of enormous prior variance."""
        X, y, new, w = data
        flat = 1e4  # large beside what the data say, small beside 1/eps
        K, cross = brute_ridge.rbf(X) + flat, brute_ridge.rbf(new, X) + flat
        inverse = np.linalg.inv(K + 0.1 * np.diag(1 / w))
        expected = np.sqrt(1 + flat - np.einsum("ij,jk,ik->i", cross, inverse, cross))
        value, std = NTKRegressor(RBF(), alpha=0.1).fit(X, y, w).predict(new, return_std=True)
        np.testing.assert_allclose(std, expected, rtol=1e-3)
        np.testing.assert_allclose(value, cross @ inverse @ y, rtol=1e-3, atol=1e-4)

    def test_normal_equations_with_intercept_and_weights(self, data):
        X, y, new, w = data
        dual, constant = brute_ridge.fit(brute_ridge.rbf(X), y[:, None], 0.1, w)
        model = NTKRegressor(RBF(), alpha=0.1).fit(X, y, w)
        np.testing.assert_allclose(model.dual_coef_, dual[:, 0], atol=1e-11)
        np.testing.assert_allclose(model.intercept_, constant[0], atol=1e-11)
        np.testing.assert_allclose(
            model.predict(new), brute_ridge.rbf(new, X) @ dual[:, 0] + constant, atol=1e-10
        )


class TestKernels:
    def test_function_object_and_precomputed_agree(self, data):
        X, y, new, w = data
        w[3] = 0

        def kernel(A, B):
            return rbf_kernel(A, B, gamma=0.5)

        expected = NTKRegressor(RBF()).fit(X, y, w)
        function = NTKRegressor(kernel).fit(X, y, w)
        given = NTKRegressor("precomputed").fit(kernel(X, X), y, w)
        np.testing.assert_allclose(function.predict(new), expected.predict(new), atol=1e-10)
        np.testing.assert_allclose(given.predict(kernel(new, X)), expected.predict(new), atol=1e-10)
        std = function.predict(new, return_std=True)[1]
        np.testing.assert_allclose(std, expected.predict(new, return_std=True)[1], atol=1e-10)
        with pytest.raises(ValueError, match="return_std"):
            given.predict(kernel(new, X), return_std=True)

    def test_precomputed_gram_is_left_as_it_was_and_cross_validates(self, data):
        X, y, _, _ = data
        K = rbf_kernel(X)
        kept = K.copy()
        search = GridSearchCV(NTKRegressor("precomputed"), {"alpha": [0.1, 1.0]}, cv=3).fit(K, y)
        np.testing.assert_array_equal(K, kept)
        assert search.best_score_ > 0.3

    def test_sparse_equals_dense(self, data):
        X, y, new, w = data
        X[X < 0] = 0
        dense, thin = (NTKRegressor().fit(A, y, w) for A in (X, sparse.csr_array(X)))
        np.testing.assert_allclose(thin.predict(sparse.csr_array(new)), dense.predict(new), atol=1e-9)
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            NTKRegressor(RBF()).fit(sparse.csr_array(X), y)

    def test_float32(self, data):
        X, y, new, _ = data
        single = NTKRegressor(alpha=1.0).fit(X.astype(np.float32), y)
        double = NTKRegressor(alpha=1.0).fit(X, y)
        assert single.X_fit_.dtype == np.float32
        np.testing.assert_allclose(single.predict(new.astype(np.float32)), double.predict(new), atol=1e-3)

    @pytest.mark.parametrize(
        ("kernel", "message"),
        [
            ("rbf", "kernel must be"),
            (3, "kernel must be"),
            (lambda A, B: np.ones(3), "returned an array of shape"),
            (lambda A, B: -2 * np.eye(len(A)), "not positive semidefinite"),
            (lambda A, B: np.full((len(A), len(B)), np.nan), "NaN or infinity"),
        ],
    )
    def test_bad_kernels(self, kernel, message, data):
        with pytest.raises(ValueError, match=message):
            NTKRegressor(kernel).fit(data[0], data[1])

    @pytest.mark.parametrize(
        ("K", "message"), [(np.ones((3, 2)), "square"), (np.triu(np.ones((3, 3))), "symmetric")]
    )
    def test_bad_precomputed(self, K, message):
        with pytest.raises(ValueError, match=message):
            NTKRegressor("precomputed").fit(K, np.arange(3.0))


class TestWeights:
    def test_zero_is_absent(self, data):
        X, y, new, w = data
        w[::4] = 0
        X[0] = 1e8  # what has no weight cannot matter, nor warn
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = NTKRegressor().fit(X, y, w)
        rest = NTKRegressor().fit(X[w > 0], y[w > 0], w[w > 0])
        np.testing.assert_array_equal(model.predict(new), rest.predict(new))
        np.testing.assert_array_equal(model.support_, np.flatnonzero(w))

    @pytest.mark.parametrize(("w", "message"), [(-np.ones(60), "[Nn]egative"), (np.zeros(60), "[Ww]eight")])
    def test_bad_weights(self, data, w, message):
        with pytest.raises(ValueError, match=message):
            NTKRegressor().fit(data[0], data[1], w)


class TestPredictsWell:
    @pytest.mark.parametrize("model", [NTKRegressor(), NTKRegressorCV()], ids=["default", "cv"])
    @pytest.mark.parametrize(("low", "high", "n", "noise"), [(-2, 2, 40, 0.0), (-np.pi, np.pi, 100, 0.1)])
    def test_sine(self, model, low, high, n, noise):
        rng = np.random.default_rng(0)
        X, new = rng.uniform(low, high, (n, 1)), np.linspace(low, high, 200)[:, None]
        model.fit(X, np.sin(2 * X[:, 0]) + noise * rng.standard_normal(n))
        assert model.score(new, np.sin(2 * new[:, 0])) >= 0.95

    def test_diabetes(self):
        X, y = load_diabetes(return_X_y=True)
        model = make_pipeline(StandardScaler(), NTKRegressorCV()).fit(X[::2], y[::2])
        assert model.score(X[1::2], y[1::2]) >= 0.4

    @pytest.mark.parametrize("model", [NTKRegressor(), NTKRegressorCV()], ids=["default", "cv"])
    def test_shift(self, model, data):
        X, y, new, w = data
        plain = model.fit(X, y, w).predict(new)
        shifted = model.fit(X, y + 1e4, w).predict(new)
        np.testing.assert_allclose(shifted - 1e4, plain, atol=1e-9)


class TestWarnings:
    def test_no_second_matrix(self):
        n = 1500
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, 5))
        NTKRegressor().fit(X[:50], X[:50, 0])  # what compiling allocates is no part of it
        tracemalloc.start()
        try:
            NTKRegressor().fit(X, X[:, 0])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.6 * 8 * n**2

    def test_ill_conditioned(self, data):
        X, y, _, _ = data
        with pytest.warns(IllConditionedWarning, match="Raise the penalty"):
            model = NTKRegressor(alpha=0.0).fit(np.vstack([X, X]), np.r_[y, y + 1])
        assert model.solve_.outcome != "ok"
        assert model.solve_.condition > 1e12
        assert model.solve_.residual > 1e-6
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.predict(X, return_std=True)  # said once

    @pytest.mark.parametrize("make", [NTKRegressor, NTKRegressorCV])
    @pytest.mark.parametrize(("scale", "warns"), [(1e-3, True), (0.1, False), (1.0, False), (1e3, True)])
    def test_scale(self, make, scale, warns, data):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make().fit(scale * data[0], data[1])
        assert [w.category for w in caught].count(ScaleWarning) == warns

    @pytest.mark.parametrize("alpha", [-1.0, np.inf, [0.1, 0.2], [[1.0]]])
    def test_bad_penalty(self, alpha, data):
        with pytest.raises(ValueError, match="alpha must be"):
            NTKRegressor(alpha=alpha).fit(data[0], data[1])
