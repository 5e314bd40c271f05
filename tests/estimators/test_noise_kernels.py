"""Kernels with noise of their own: equal rows are other samples."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Kernel, WhiteKernel

from ntklib.estimators import NTKClassifier, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.estimators._kernel import adds_noise
from ntklib.kernels import NNGP, NTK, ArcCosine
from tests.solvers import brute_ridge


class Nugget(Kernel):
    """Somebody's own: the product of two rows, and 1 more of a row with itself."""

    def __init__(self):
        pass

    def __call__(self, X, Y=None, eval_gradient=False):
        return X @ X.T + np.eye(len(X)) if Y is None else X @ Y.T

    def diag(self, X):
        return np.square(X).sum(1) + 1

    def is_stationary(self):
        return False


KERNELS = [RBF() + WhiteKernel(0.5), NTK(bias_std=1.0) * 0.5 + WhiteKernel(0.5), Nugget()]


@pytest.fixture
def data():
    """Twelve rows at six places."""
    rng = np.random.default_rng(0)
    X = np.tile(rng.standard_normal((6, 2)), (2, 1))
    return (
        X,
        rng.standard_normal(12),
        rng.integers(2, size=12) | (np.arange(12) == 0),
        rng.standard_normal((4, 2)),
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=["RBF", "NTK", "own"])
class TestNoise:
    def test_fit_and_spread_are_those_of_the_process(self, data, kernel):
        X, y, _, new = data
        new = np.vstack([new, new])
        ours = NTKRegressor(kernel, alpha=0.1, fit_intercept=False).fit(X, y)
        theirs = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(X, y)
        for options in ({"return_std": True}, {"return_cov": True}):
            expected = theirs.predict(new, **options)
            for found, right in zip(ours.predict(new, **options), expected, strict=True):
                np.testing.assert_allclose(found, right, atol=1e-10)

    def test_held_out_values_are_those_of_refits(self, data, kernel):
        X, y, labels, _ = data
        y = np.round(y)
        held = np.empty((12, 2))
        for i in range(12):
            rest = np.arange(12) != i
            dual, b = brute_ridge.fit(kernel(X[rest]), np.column_stack([y, 2 * labels - 1])[rest], 0.1)
            held[i] = (kernel(X[i : i + 1], X[rest]) @ dual + b)[0]
        score = NTKRegressorCV(kernel, [0.1]).fit(X, y).best_score_
        np.testing.assert_allclose(score, -np.mean((held[:, 0] - y) ** 2), rtol=1e-9)
        accuracy = np.mean((held[:, 1] > 0) == labels)
        search = NTKClassifierCV(kernel, [0.1], scoring="accuracy").fit(X, labels)
        np.testing.assert_allclose(search.best_score_, accuracy)
        search.set_params(store_held_out=True).fit(X, labels)
        np.testing.assert_allclose(search.held_out_predictions_, held[:, 1], atol=1e-9)
        single = NTKClassifier(kernel, alpha=0.1).fit(X, labels)
        np.testing.assert_allclose(single.temperature_, search.temperature_, rtol=1e-9)
        assert len(single.X_fit_) == 12


@pytest.mark.parametrize("kernel", [RBF(), NTK(), NNGP(3, "erf", bias_std=1.0), ArcCosine(2), NTK() + RBF()])
def test_others_add_none(kernel):
    X = np.random.default_rng(1).standard_normal((3, 2))
    forms = [X, X.astype(np.float32), 1e-8 * X, 1e8 * X]
    for rows in forms if "RBF" in repr(kernel) else [*forms, sparse.csr_matrix(X)]:
        assert not adds_noise(kernel, rows)
