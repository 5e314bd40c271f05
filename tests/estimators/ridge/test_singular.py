"""Gram matrices that are zero, singular or indefinite, in every estimator that fits one."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.linalg import LinAlgError
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import (
    NTK,
    NTKClassifier,
    NTKClassifierCV,
    NTKRegressor,
    NTKRegressorCV,
    TangentClassifier,
    TangentClassifierCV,
    TangentRegressor,
    TangentRegressorCV,
)
from ntklib.dynamics import ensemble, gradient_descent, gradient_flow
from ntklib.solvers import IllConditionedWarning

ZEROS = np.zeros((9, 2))
REFUSED = "the Gram matrix is not positive semidefinite"


def sigmoid(A, B):
    """A kernel of scikit-learn's that is no positive definite function."""
    return np.tanh(A @ B.T - 0.5)


def rounded():
    """A kernel's Gram matrix, written with two decimals."""
    X = np.sort(np.random.default_rng(0).uniform(-1, 1, (60, 1)), axis=0)
    return NTK(depth=2, bias_std=0.1, normalized=True)(X).round(2), np.sin(3 * X[:, 0])


class TestIndefinite:
    @pytest.fixture
    def data(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((40, 3))
        return X, X[:, 0] + np.sin(X[:, 1])

    @pytest.mark.parametrize(
        "model",
        [
            NTKRegressor(sigmoid, alpha=0.1),
            NTKRegressorCV([sigmoid]),
            NTKRegressorCV([NTK(), sigmoid], alphas=[0.1]),
            NTKRegressorCV([sigmoid], cv=3),
            NTKRegressorCV([sigmoid], cv="gcv"),
            TangentRegressor(kernel=sigmoid),
            TangentRegressorCV(kernel=sigmoid),
            TangentRegressor(kernel=sigmoid, loss="huber"),
        ],
    )
    def test_refused_with_one_message(self, model, data):
        with pytest.raises(LinAlgError, match=REFUSED):
            model.fit(*data)

    @pytest.mark.parametrize(
        "model",
        [
            NTKClassifier(sigmoid, alpha=0.1),
            NTKClassifierCV([sigmoid]),
            TangentClassifier(kernel=sigmoid),
            TangentClassifierCV(kernel=sigmoid),
        ],
    )
    def test_classifiers_too(self, model, data):
        with pytest.raises(LinAlgError, match=REFUSED):
            model.fit(data[0], data[1] > 0)

    def test_closed_forms_too(self, data):
        K = sigmoid(data[0], data[0])
        for train in (
            lambda: gradient_flow(K, data[1], 1.0),
            lambda: gradient_flow(K, data[1], 1.0, loss="huber"),
            lambda: gradient_descent(K, data[1], 1, learning_rate=1e-3),
            lambda: gradient_descent(K, data[1], 1, learning_rate=1e-3, loss="huber"),
            lambda: ensemble(K, np.eye(40), data[1], 1.0),
        ):
            with pytest.raises(LinAlgError, match=REFUSED):
                train()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_written_with_two_decimals(self, dtype):
        G, y = rounded()
        G = G.astype(dtype)
        for model in (NTKRegressorCV("precomputed"), NTKRegressor("precomputed", alpha=1e-4)):
            with pytest.raises(LinAlgError, match="the matrix was rounded"):
                model.fit(G, y)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_rounding_is_borne(self, dtype):
        """A matrix of low rank has eigenvalues of the size of rounding, of either sign."""
        X = np.random.default_rng(1).standard_normal((80, 2))
        K = ((1 + X.astype(dtype) @ X.T.astype(dtype)) ** 3).astype(dtype)
        assert np.linalg.eigvalsh(K.astype(float))[0] < -np.finfo(dtype).eps
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = NTKRegressorCV("precomputed", clip=False).fit(K, X[:, 0] ** 3)
        assert model.solve_.outcome == "ok"
        assert model.best_score_ > -1e-3


class TestZero:
    """The kernel is 0 on all samples, as NTK() is after a scaler has seen a constant column."""

    @pytest.fixture(autouse=True)
    def quiet(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    @pytest.mark.parametrize("intercept", [True, False])
    @pytest.mark.parametrize("alpha", [0.0, 1e-320, 1e-30, 1.0])
    def test_regressor_predicts_the_mean(self, alpha, intercept):
        y, w = np.arange(9.0), np.arange(1.0, 10.0)
        model = NTKRegressor(NTK(), alpha=alpha, fit_intercept=intercept).fit(ZEROS, y, w)
        mean, std = model.predict(ZEROS[:2], return_std=True)
        np.testing.assert_allclose(mean, np.average(y, weights=w) if intercept else 0.0, rtol=1e-12)
        np.testing.assert_allclose(std, np.sqrt(alpha / 45) if intercept else 0.0, rtol=1e-6, atol=1e-160)

    @pytest.mark.parametrize("alphas", [None, [0.0], [0.0, 1.0]])
    @pytest.mark.parametrize("cv", [None, 3, "gcv"])
    def test_search_scores_the_mean(self, alphas, cv):
        y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5])
        model = NTKRegressorCV([NTK()], alphas=alphas, cv=cv).fit(ZEROS, y)
        np.testing.assert_allclose(model.predict(ZEROS[:2]), y.mean(), rtol=1e-12)
        leave = {None: [[i] for i in range(9)], 3: np.arange(9).reshape(3, 3)}
        if cv == "gcv":
            score = -y.var() / (1 - 1 / 9) ** 2
        else:
            score = -np.mean([((y[out] - np.delete(y, out).mean()) ** 2).mean() for out in leave[cv]])
        np.testing.assert_allclose(model.best_score_, score, rtol=1e-12)

    def test_standard_deviation_of_the_mean(self):
        y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5])
        std = NTKRegressorCV([NTK()]).fit(ZEROS, y).predict(ZEROS[:1], return_std=True)[1]
        np.testing.assert_allclose(std, y.std(ddof=1) / 3, rtol=1e-12)

    def test_constant_column_after_a_scaler(self):
        for search in (NTKRegressorCV([NTK()], cv=3), NTKRegressorCV([NTK()])):
            model = make_pipeline(StandardScaler(), search).fit(np.full((12, 1), 5.0), np.arange(12.0))
            np.testing.assert_allclose(model.predict([[5.0]]), 5.5, rtol=1e-12)

    @pytest.mark.parametrize(
        ("kernel", "classes", "weighted"),
        list(itertools.product([NTK(), NTK(bias_std=1.0), "precomputed"], [2, 3], [False, True])),
    )
    def test_classifiers_predict_the_shares(self, kernel, classes, weighted):
        """Also where the samples are all the same and the kernel is not 0."""
        labels = np.array([0, 1, 1, 1, 2, 1, 0, 1, 1]) % classes
        w = np.array([1.0, 2, 1, 1, 3, 1, 1, 1, 1]) if weighted else np.ones(9)
        X = np.zeros((9, 9)) if isinstance(kernel, str) else ZEROS
        shares = np.bincount(labels, weights=w) / w.sum()
        penalties = [0.0, 1.0] if not isinstance(kernel, NTK) or not kernel.bias_std else [1e-8, 1.0]
        models = [NTKClassifier(kernel, alpha=alpha) for alpha in penalties]
        for model in [*models, NTKClassifierCV(kernel), NTKClassifierCV(kernel, cv=2)]:
            model.fit(X, labels, w if weighted else None)
            np.testing.assert_allclose(model.predict_proba(X), np.tile(shares, (9, 1)), rtol=1e-12)
            assert (model.predict(X) == 1).all()
            assert log_loss(labels, model.predict_proba(X), sample_weight=w) < np.log(classes)

    def test_the_record_says_so(self):
        with pytest.warns(IllConditionedWarning, match="kernel is 0"):
            model = NTKRegressor(NTK(), alpha=0).fit(ZEROS, np.arange(9.0))
        assert (model.solve_.outcome, model.solve_.rank) == ("minimum-norm", 0)


class TestRidgeless:
    """Duplicates whose targets disagree: their mean, without a penalty."""

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_between_conflicting_targets(self, dtype, weighted):
        rng = np.random.default_rng(2)
        X, y = rng.standard_normal((25, 3)).astype(dtype), rng.standard_normal((25, 2))
        w = rng.uniform(1, 2, 50) if weighted else np.ones(50)
        kernel = NTK(depth=2, bias_std=0.5)
        with pytest.warns(IllConditionedWarning, match="Raise the penalty"):
            model = NTKRegressor(kernel, alpha=0).fit(
                np.vstack([X, X]), np.vstack([y, y + 1]), w if weighted else None
            )
        between = y + (w[25:] / (w[:25] + w[25:]))[:, None]
        exact = 1e-10 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(model.predict(X), between, atol=exact)
        assert (model.solve_.outcome, model.solve_.rank) == ("minimum-norm", 25)
        new = rng.standard_normal((5, 3)).astype(dtype)
        interpolant = NTKRegressor(kernel, alpha=0).fit(X, between)
        np.testing.assert_allclose(model.predict(new), interpolant.predict(new), atol=exact)

    @pytest.mark.parametrize("cv", [None, "gcv"])
    def test_search_at_no_penalty(self, cv):
        """Scores at penalty 0 on a singular matrix are those of refits."""
        rng = np.random.default_rng(3)
        features = rng.standard_normal((20, 4))
        y = features @ [1.0, 2, 3, 4] + rng.standard_normal(20)
        model = NTKRegressorCV("precomputed", alphas=[0.0], cv=cv, clip=False)
        with pytest.warns(IllConditionedWarning):
            model.fit(features @ features.T, y)
        design = np.column_stack([features, np.ones(20)])
        hat = design @ np.linalg.pinv(design)
        residual = y - hat @ y
        if cv is None:
            expected = -np.mean((residual / (1 - np.diag(hat))) ** 2)
        else:
            expected = -np.mean(residual**2) / (1 - 5 / 20) ** 2
        np.testing.assert_allclose(model.best_score_, expected, rtol=1e-9)
