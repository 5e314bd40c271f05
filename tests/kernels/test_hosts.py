"""The Kernel objects inside scikit-learn's estimators, and every Gram that passes through bitwise
symmetric."""

import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.gaussian_process.tests import test_kernels as battery
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC, SVR, OneClassSVM

import ntklib
from ntklib.kernels import NTK, Scaled, ntk_kernel
from tests.registry import kernel_objects


@pytest.fixture
def grams(monkeypatch):
    """Every matrix that an NTK returns for one set of rows."""
    seen = []
    call = NTK.__call__

    def recording(self, X, Y=None, eval_gradient=False):
        result = call(self, X, Y, eval_gradient=eval_gradient)
        K = result[0] if eval_gradient else result
        if Y is None or (np.shape(X) == np.shape(Y) and np.shares_memory(X, Y)):
            seen.append(K.copy())  # some hosts centre or factorise it in place
        return result

    monkeypatch.setattr(NTK, "__call__", recording)
    yield seen
    assert seen
    for K in seen:
        np.testing.assert_array_equal(K, K.T)


@pytest.fixture
def data(rng):
    X = np.vstack([rng.normal(size=(25, 3)) + 1.5, rng.normal(size=(25, 3)) - 1.5])
    return X, np.repeat([0, 1], 25), np.sin(X[:, 0]) + X[:, 1]


KERNEL = NTK(depth=2, weight_std=1.4, bias_std=0.2, input_scaling="fan_in")


def test_gaussian_process_regressor(data, grams):
    X, _, y = data
    model = GaussianProcessRegressor(KERNEL, alpha=1e-2, n_restarts_optimizer=1, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.95
    assert not np.allclose(model.kernel_.theta, KERNEL.theta)
    _, std = model.predict(X[:5], return_std=True)
    assert np.all(std > 0)
    noisy = GaussianProcessRegressor(ConstantKernel() * KERNEL + WhiteKernel(), normalize_y=True).fit(X, y)
    assert noisy.score(X, y) > 0.9


def test_gaussian_process_classifier(data, grams):
    X, labels, _ = data
    model = GaussianProcessClassifier(KERNEL).fit(X, labels)
    assert model.score(X, labels) > 0.95
    assert not np.allclose(model.kernel_.theta, KERNEL.theta)


def test_kernel_ridge(data, grams):
    X, _, y = data
    assert KernelRidge(kernel=KERNEL, alpha=0.01).fit(X, y).score(X, y) > 0.95
    np.testing.assert_array_equal(grams[0], KERNEL(X))


@pytest.mark.parametrize("model", [SVC(kernel=KERNEL), SVR(kernel=KERNEL)])
def test_support_vector_machines(model, data, grams):
    X, labels, _ = data
    assert model.fit(X, labels).score(X, labels) > 0.8


def test_one_class_svm(data, grams):
    X, _, _ = data
    assert set(OneClassSVM(kernel=KERNEL, nu=0.2).fit(X).predict(X)) <= {-1, 1}


def test_kernel_pca(data, grams):
    X, _, _ = data
    assert KernelPCA(2, kernel=KERNEL).fit_transform(X).shape == (50, 2)


def test_spectral_clustering(data, grams):
    X, labels, _ = data
    affinity = NTK(bias_std=1.0, normalized=True)
    # Affinities have to be positive: features are, after a shift.
    found = SpectralClustering(2, affinity=affinity, random_state=0).fit_predict(X - X.min(axis=0))
    assert found.shape == labels.shape


def test_nystroem(data, grams):
    X, _, _ = data
    features = Nystroem(kernel=KERNEL, n_components=50, random_state=0).fit_transform(X)
    np.testing.assert_allclose(features @ features.T, KERNEL(X), atol=1e-6)


def test_pairwise_kernels(data, grams):
    X, _, _ = data
    np.testing.assert_array_equal(pairwise_kernels(X, metric=KERNEL), KERNEL(X))
    np.testing.assert_array_equal(pairwise_kernels(X, X[:7], metric=KERNEL), KERNEL(X, X[:7]))


def test_grid_search_over_kernel_parameters(data, grams):
    X, _, y = data
    grid = {"kernel__depth": [1, 2], "kernel__bias_std": [0.0, 0.5], "kernel__activation": ["relu", "erf"]}
    search = GridSearchCV(KernelRidge(kernel=KERNEL, alpha=0.1), grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.8
    assert search.best_params_["kernel__depth"] in (1, 2)


@pytest.mark.parametrize("model", [KernelRidge, SVC])
def test_bad_parameters_are_refused_inside_a_host(model, data):
    X, labels, _ = data
    with pytest.raises(ValueError, match="depth"):
        model(kernel=NTK(depth=0)).fit(X, labels)


def test_names_at_the_top():
    assert ntklib.NTK is NTK
    assert {"NTK", "NNGP", "ArcCosine"} <= set(dir(ntklib))


# scikit-learn's own tests of its Gaussian-process kernels, run on ours.
OPERATED = [2.0 * NTK(bias_std=0.2), NTK(bias_std=0.2) + WhiteKernel(), NTK(bias_std=0.3) ** 2]
BATTERY = [
    "test_kernel_gradient",
    "test_auto_vs_cross",
    "test_kernel_diag",
    "test_kernel_input_type",
    "test_kernel_clone",
    "test_kernel_clone_after_set_params",
    "test_set_get_params",
    "test_repr_kernels",
    "test_kernel_theta",
]


def applies(name, kernel):
    """Leave out what a test of the battery assumes and a kernel by design is not."""
    if name == "test_auto_vs_cross":  # white noise is on the diagonal only
        return "White" not in repr(kernel)
    if name == "test_kernel_theta":  # it counts every hyperparameter; one structurally zero is not in theta
        basic = not isinstance(kernel, Scaled) and kernel not in OPERATED
        return basic and getattr(kernel, "bias_std", None) != 0
    return True


CASES = [
    (name, kernel) for name in BATTERY for kernel in kernel_objects() + OPERATED if applies(name, kernel)
]


@pytest.mark.parametrize(("name", "kernel"), CASES, ids=lambda part: str(part))
def test_scikit_learns_battery(name, kernel):
    getattr(battery, name)(kernel)


@pytest.mark.parametrize("kernel", kernel_objects(), ids=repr)
def test_operators_commute(kernel, rng):
    X = rng.normal(size=(4, 2))
    np.testing.assert_allclose((kernel + 2.0)(X), kernel(X) + 2.0, rtol=1e-15)
    np.testing.assert_allclose((3.0 * kernel)(X), (kernel * 3.0)(X), rtol=1e-15)
    np.testing.assert_allclose((kernel**2)(X), kernel(X) ** 2, rtol=1e-14)


def test_kernel_objects_are_the_functions(rng):
    X, Y = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    options = {"depth": 2, "weight_std": 1.4, "bias_std": 0.2, "input_scaling": "fan_in"}
    np.testing.assert_array_equal(KERNEL(X, Y), ntk_kernel(X, Y, **options))
