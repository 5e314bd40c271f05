"""Networks trained elsewhere: scikit-learn's perceptrons and plain arrays."""

import warnings

import numpy as np
import pytest
from scipy import special
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ntklib.networks import MLP
from tests import naive_networks as naive


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]]), 1 * (X[:, 0] > 0) + (X[:, 1] > 0.5)


def fitted(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def options(activation, hidden):
    return {"hidden_layer_sizes": hidden, "activation": activation, "max_iter": 30, "random_state": 0}


@pytest.mark.parametrize("hidden", [(6,), (5, 4), (4, 3, 3)])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_regressors(activation, hidden, data):
    X, y, _ = data
    for target in (y[:, 0], y):
        estimator = fitted(MLPRegressor(**options(activation, hidden)), X, target)
        net, params = MLP.from_sklearn(estimator)
        assert net.hidden_widths == hidden
        np.testing.assert_allclose(net.apply(params, X), estimator.predict(X), rtol=1e-12, atol=1e-13)
        J = naive.jacobian(net, params, X[:4])
        assert J.shape[2] == sum(w.size for w in estimator.coefs_) + sum(
            b.size for b in estimator.intercepts_
        )
        np.testing.assert_allclose(
            net.ntk(params, X[:4], output="full"), naive.ntk(J), rtol=1e-11, atol=1e-12 * (J**2).sum()
        )


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_classifiers(activation, data):
    """The outputs are the logits: probabilities before the last function."""
    X, _, labels = data
    binary = fitted(MLPClassifier(**options(activation, (5, 4))), X, labels > 0)
    net, params = MLP.from_sklearn(binary)
    assert net.apply(params, X).shape == (60,)
    np.testing.assert_allclose(special.expit(net.apply(params, X)), binary.predict_proba(X)[:, 1], rtol=1e-12)
    several = fitted(MLPClassifier(**options(activation, (6,))), X, labels)
    net, params = MLP.from_sklearn(several)
    logits = net.apply(params, X)
    assert logits.shape == (60, 3)
    np.testing.assert_allclose(special.softmax(logits, axis=1), several.predict_proba(X), rtol=1e-12)
    labels_each = np.column_stack([labels > 0, labels > 1])
    multilabel = fitted(MLPClassifier(**options(activation, (6,))), X, labels_each)
    net, params = MLP.from_sklearn(multilabel)
    np.testing.assert_allclose(special.expit(net.apply(params, X)), multilabel.predict_proba(X), rtol=1e-12)


def test_outputs_come_before_the_exponential_of_the_poisson_loss(data):
    X, _, y = data
    estimator = fitted(MLPRegressor(loss="poisson", **options("tanh", (5,))), X, y + 1.0)
    net, params = MLP.from_sklearn(estimator)
    np.testing.assert_allclose(np.exp(net.apply(params, X)), estimator.predict(X), rtol=1e-12)


def test_single_precision(data):
    X, y, _ = data
    estimator = fitted(MLPRegressor(**options("relu", (5,))), X.astype(np.float32), y)
    net, params = MLP.from_sklearn(estimator)
    assert params.dtype == np.float32
    found = net.apply(params, X.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, estimator.predict(X.astype(np.float32)), rtol=1e-5, atol=1e-6)


def test_later_training_changes_nothing(data):
    X, y, _ = data
    estimator = fitted(MLPRegressor(**options("relu", (5,))), X, y)
    net, params = MLP.from_sklearn(estimator)
    before = net.apply(params, X)
    for array in estimator.coefs_ + estimator.intercepts_:
        array[:] = np.nan
    np.testing.assert_array_equal(net.apply(params, X), before)


def test_other_estimators():
    with pytest.raises(NotFittedError, match="fit"):
        MLP.from_sklearn(MLPRegressor())
    for other in (LinearRegression(), None, "MLPRegressor", MLP((3,))):
        with pytest.raises(TypeError, match="MLPRegressor"):
            MLP.from_sklearn(other)


def test_arrays():
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in ((5, 3), (4, 5), (2, 4))]
    biases = [rng.normal(size=size) for size in (5, 4, 2)]
    X = rng.normal(size=(6, 3))
    for net, given in (
        (MLP((5, 4), parameterization="standard", n_outputs=2, bias_std=1.0, activation="tanh"), biases),
        (MLP((5, 4), parameterization="standard", n_outputs=2, activation="tanh"), None),
    ):
        params = net.params_from_arrays(weights, given)
        a = X
        for i, W in enumerate(weights):
            a = a @ W.T + (0 if given is None else given[i])
            a = np.tanh(a) if i < 2 else a
        np.testing.assert_allclose(net.apply(params, X), a, rtol=1e-13)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([(4, 3)], None, "two weight matrices"),
        ([(5, 3), (4, 5), (2, 4)], [5, 4], "biases"),
        ([(5, 3), (4, 6), (2, 4)], [5, 4, 2], r"weights\[1\].*6.*5"),
        ([(5, 3), (4, 5), (2,)], [5, 4, 2], r"weights\[2\]"),
        ([(5, 3), (4, 5), (2, 4)], [5, 3, 2], r"biases\[1\]"),
    ],
)
def test_arrays_that_do_not_fit(weights, biases, message):
    with pytest.raises(ValueError, match=message):
        MLP.params_from_arrays(
            [np.ones(shape) for shape in weights],
            None if biases is None else [np.ones(size) for size in biases],
        )


def test_arrays_of_another_network():
    params = MLP.params_from_arrays([np.ones((5, 3)), np.ones((2, 5))])
    with pytest.raises(ValueError, match=r"W0.*\(5, 3\).*\(4, 3\)"):
        MLP((4,), n_outputs=2).apply(params, np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"W0.*NaN"):
        MLP.params_from_arrays([np.full((5, 3), np.nan), np.ones((2, 5))])
