"""EmpiricalNTK: the tangent kernel of a finite network wherever scikit-learn takes a kernel."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

import ntklib
from ntklib.kernels import NTK, ReLU
from ntklib.networks import MLP, EmpiricalNTK, TwoLayerNet
from tests.registry_networks import CASES

KERNELS = [
    EmpiricalNTK(TwoLayerNet(40)),
    EmpiricalNTK(TwoLayerNet(40, output_init="rademacher", symmetric=True, bias_std=0.1)),
    EmpiricalNTK(MLP((20, 30), activation="erf", bias_std=0.3, n_outputs=2), random_state=3),
    EmpiricalNTK(MLP((20, 30), n_outputs=2), output=1),
    EmpiricalNTK(TwoLayerNet(40), TwoLayerNet(40).init(3, 9)),
]
EVERY = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    X = np.vstack([rng.normal(size=(25, 3)) + 1.5, rng.normal(size=(25, 3)) - 1.5])
    return X, np.repeat([0, 1], 25), np.sin(X[:, 0]) + X[:, 1]


@EVERY
def test_is_the_kernel_of_the_network(kernel, data):
    X = data[0]
    net = kernel.network
    params = kernel.params or net.init(3, kernel.random_state)
    form = {"output": kernel.output}
    np.testing.assert_array_equal(kernel(X), net.ntk(params, X, **form))
    np.testing.assert_array_equal(kernel(X, X[:7]), net.ntk(params, X, X[:7], **form))
    np.testing.assert_array_equal(kernel.diag(X), np.diag(kernel(X)))
    np.testing.assert_array_equal(kernel(X), kernel(X))
    K, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_array_equal(K, kernel(X))
    assert gradient.shape == (50, 50, 0)
    assert not kernel.is_stationary()
    assert kernel.theta.shape == (0,)
    assert kernel.bounds.shape[0] == 0
    with pytest.raises(ValueError, match="gradient"):
        kernel(X, X, eval_gradient=True)


def test_one_output_of_several(data):
    X = data[0]
    net = MLP((20, 30), n_outputs=3, bias_std=0.2)
    each = net.ntk(net.init(3, 0), X, output="diagonal")
    for index in range(3):
        found = EmpiricalNTK(net, output=index)(X)
        np.testing.assert_allclose(found, each[..., index], rtol=1e-12, atol=1e-13 * each.max())
    np.testing.assert_allclose(EmpiricalNTK(net)(X), each.sum(axis=2), rtol=1e-12, atol=1e-13 * each.max())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_tangent_features_of_every_network(case):
    """Their inner products are the kernel."""
    features = ntklib.TangentFeatures(case.network, params=case.params).fit_transform(case.X)
    assert features.dtype == case.dtype
    K = EmpiricalNTK(case.network, case.params)(case.X)
    scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
    assert (np.abs(features @ features.T - K) <= case.tolerance * scale).all()


@EVERY
def test_clone_compare_pickle_print(kernel):
    for other in (clone(kernel), pickle.loads(pickle.dumps(kernel)), kernel.clone_with_theta(kernel.theta)):
        assert other == kernel
        assert other is not kernel
        assert repr(other) == repr(kernel)
    assert clone(kernel).params is kernel.params
    assert clone(kernel).network is not kernel.network
    changed = clone(kernel).set_params(network__weight_std=2.0)
    assert changed != kernel
    assert kernel.network.weight_std == 1.0
    assert len(repr(kernel)) < 250
    assert kernel.get_params()["network__weight_std"] == 1.0
    assert set(kernel.get_params(deep=False)) == {"network", "params", "random_state", "output"}


@EVERY
def test_hosts(kernel, data):
    X, labels, y = data
    assert ntklib.NTKRegressor(kernel, alpha=0.1).fit(X, y).score(X, y) > 0.8
    assert ntklib.NTKClassifier(kernel).fit(X, labels).score(X, labels) > 0.9
    assert KernelRidge(kernel=kernel, alpha=0.1).fit(X, y).score(X, y) > 0.6
    assert SVC(kernel=kernel).fit(X, labels).score(X, labels) > 0.9
    assert SVR(kernel=kernel).fit(X, y).score(X, y) > 0.6
    assert KernelPCA(2, kernel=kernel).fit_transform(X).shape == (50, 2)
    features = Nystroem(kernel=kernel, n_components=50, random_state=0).fit_transform(X)
    np.testing.assert_allclose(features @ features.T, kernel(X), atol=1e-5 * kernel.diag(X).max())


def test_gaussian_processes(data):
    X, labels, y = data
    kernel = EmpiricalNTK(TwoLayerNet(64, bias_std=0.3))
    model = GaussianProcessRegressor(kernel, alpha=0.01, normalize_y=True).fit(X, y)
    assert model.score(X, y) > 0.9
    assert (model.predict(X[:5], return_std=True)[1] > 0).all()
    # its factor and the noise are fitted, though the kernel itself has nothing to fit
    noisy = GaussianProcessRegressor(ConstantKernel() * kernel + WhiteKernel(), normalize_y=True).fit(X, y)
    assert noisy.score(X, y) > 0.9
    assert noisy.kernel_.theta.shape == (2,)
    assert GaussianProcessClassifier(ConstantKernel() * kernel).fit(X, labels).score(X, labels) > 0.95


def test_pipelines_and_grids(data):
    """params=None draws parameters for as many features as reach the kernel."""
    X, _, y = data
    for columns in (3, 2):
        model = make_pipeline(StandardScaler(), ntklib.NTKRegressor(EmpiricalNTK(TwoLayerNet(50)), alpha=0.1))
        assert model.fit(X[:, :columns], y).score(X[:, :columns], y) > 0.8
    grid = {
        "kernel__network__width": [4, 64],
        "kernel__network__activation": ["relu", "erf"],
        "kernel__random_state": [0, 1],
    }
    search = GridSearchCV(KernelRidge(kernel=EmpiricalNTK(TwoLayerNet(8)), alpha=0.1), grid, cv=3).fit(X, y)
    assert search.best_params_["kernel__network__width"] == 64
    assert search.best_estimator_.kernel.network.width == 64
    assert len({round(score, 12) for score in search.cv_results_["mean_test_score"]}) == 8
    for host in (
        ntklib.NTKRegressor(EmpiricalNTK(TwoLayerNet(8))),
        ntklib.NTKClassifier(EmpiricalNTK(TwoLayerNet(8))),
    ):
        host.set_params(kernel__network__width=16)
        assert host.kernel.network.width == 16


def test_predictions_use_the_parameters_of_the_fit(data):
    """Every call draws the same parameters, one row at a time included."""
    X, _, y = data
    model = ntklib.NTKRegressor(EmpiricalNTK(TwoLayerNet(30), random_state=5), alpha=0.1).fit(X, y)
    np.testing.assert_allclose([model.predict(x[None])[0] for x in X[:5]], model.predict(X[:5]), rtol=1e-10)
    single = X.astype(np.float32)
    assert EmpiricalNTK(TwoLayerNet(30))(single).dtype == np.float32
    np.testing.assert_allclose(
        EmpiricalNTK(TwoLayerNet(30))(single), EmpiricalNTK(TwoLayerNet(30))(X), rtol=1e-3, atol=1e-3
    )


def test_the_kernel_tends_to_the_analytic_one(data):
    X = data[0][:10]
    K, limit = EmpiricalNTK(TwoLayerNet(30_000))(X), NTK(activation=ReLU())(X)
    assert np.abs(K - limit).max() < 0.05 * limit.max()


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [
        (EmpiricalNTK(None), TypeError, "network.*TwoLayerNet"),
        (EmpiricalNTK(TwoLayerNet), TypeError, "network.*TwoLayerNet"),
        (EmpiricalNTK(NTK()), TypeError, "network.*TwoLayerNet"),
        (EmpiricalNTK(TwoLayerNet(0)), ValueError, "width"),
        (EmpiricalNTK(TwoLayerNet(4), random_state=-1), ValueError, "random_state"),
        (EmpiricalNTK(TwoLayerNet(4), random_state=None), TypeError, "random_state"),
        (EmpiricalNTK(TwoLayerNet(4), output="full"), ValueError, "output"),
        (EmpiricalNTK(TwoLayerNet(4), output=1), ValueError, "output"),
        (EmpiricalNTK(TwoLayerNet(4), output=None), TypeError, "output"),
        (EmpiricalNTK(TwoLayerNet(4), TwoLayerNet(5).init(3, 0)), ValueError, "W0"),
        (EmpiricalNTK(TwoLayerNet(4), TwoLayerNet(4).init(2, 0)), ValueError, r"3 features.*2"),
        (EmpiricalNTK(TwoLayerNet(4), [1.0]), TypeError, "params"),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
def test_bad_kernels(kernel, error, message, data):
    X, _, y = data
    for call in (kernel, kernel.diag, lambda rows: KernelRidge(kernel=kernel).fit(rows, y)):
        with pytest.raises(error, match=message):
            call(X)
