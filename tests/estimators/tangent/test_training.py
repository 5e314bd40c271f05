"""Tangent estimators train as gradient descent written out does, by every route, or say why they cannot."""

import pickle
import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import RBF

from ntklib import NNGP, NTK, TangentClassifier, TangentRegressor
from ntklib.dynamics import Huber, as_loss
from ntklib.dynamics.training.stable_step import largest_eigenvalue
from ntklib.estimators._units import Units
from ntklib.estimators.tangent._models import FiniteTangent, InfiniteTangent
from ntklib.estimators.tangent._route import Route, choose_route
from ntklib.estimators.tangent._training import Training
from ntklib.networks import MLP, TwoLayerNet
from tests.estimators.tangent.naive import train_kernel, train_network

NETWORKS = {
    "wide": TwoLayerNet(40),
    "narrow": TwoLayerNet(3),
    "deep": MLP((6, 5), activation="erf", bias_std=0.3),
    "mup": MLP((6, 5), parameterization="mup", activation="tanh"),
    "mean_field": TwoLayerNet(8, parameterization="mean_field", symmetric=True, bias_std=0.5),
    "output": TwoLayerNet(9, trainable="output"),
}
LOSSES = ["squared_error", "huber", "absolute_error", "log_loss"]
SETTINGS = {"max_iter": 40, "tol": None, "random_state": 5}


def rows(n, seed):
    return np.random.default_rng(seed).standard_normal((n, 3))


X, NEW = rows(14, 0), rows(6, 1)
Y = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2]]) * 2
LABELS = np.arange(14) % 3
WEIGHTS = np.random.default_rng(2).uniform(0.2, 2.0, 14)


def fit(loss, k, network=None, kernel=None, **settings):
    """A fitted estimator, its outputs at NEW as (m, k), and the targets in the naive encoding."""
    settings = {**SETTINGS, **settings}
    weights = settings.pop("sample_weight", None)
    if loss == "log_loss":
        labels = LABELS if k > 1 else LABELS % 2
        model = TangentClassifier(network, kernel, **settings).fit(X, labels, weights)
        targets = np.eye(3)[labels] if k > 1 else labels[:, None].astype(float)
        return model, model.decision_function(NEW).reshape(6, -1), targets
    y = Y if k > 1 else Y[:, 0]
    model = TangentRegressor(network, kernel, loss=loss, **settings).fit(X, y, weights)
    return model, model.predict(NEW).reshape(6, -1), y.reshape(14, -1)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_train_as_written_out(name, loss, k, weights, momentum):
    model, outputs, targets = fit(loss, k, NETWORKS[name], momentum=momentum, sample_weight=weights)
    expected, moved, curve = train_network(
        model.network_,
        model.network_.init(3, 5),
        X,
        targets,
        NEW,
        loss=loss,
        steps=40,
        rate=model.learning_rate_,
        momentum=momentum,
        weights=weights,
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(model.displacement_, moved, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["even", "weighted"])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("loss", LOSSES)
def test_kernels_train_as_written_out(loss, k, weights, momentum):
    kernel = NTK(depth=2, bias_std=0.4)
    model, outputs, targets = fit(loss, k, kernel=kernel, momentum=momentum, sample_weight=weights)
    expected, curve = train_kernel(
        kernel(X),
        kernel(NEW, X),
        targets,
        loss=loss,
        steps=40,
        rate=model.learning_rate_,
        momentum=momentum,
        weights=weights,
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-9, atol=1e-10)


def test_predictions_are_the_derivative_of_the_network():
    model = TangentRegressor(MLP((6, 5), activation="erf"), **SETTINGS).fit(X, Y)
    net, w, step = model.network_, model.network_.ravel(model.params_), 1e-5
    ahead, behind = (
        net.apply(net.unravel(model.params_, w + s * model.displacement_), NEW) for s in (step, -step)
    )
    expected = net.apply(model.params_, NEW) + (ahead - behind) / (2 * step)
    np.testing.assert_allclose(model.predict(NEW), expected, atol=1e-7)


ROUTES = [Route(space, closed) for space, closed in [("gram", True), ("gram", False), ("jacobian", True)]] + [
    Route("jacobian", False),
    Route("network", False),
]


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("width", [2, 40])
@pytest.mark.parametrize("loss", LOSSES)
def test_all_routes_give_the_same_answer(loss, width, n_outputs):
    network = TwoLayerNet(width, n_outputs=n_outputs, bias_std=0.2)
    model = FiniteTangent(network, network.init(3, 0))
    targets = np.eye(2)[LABELS % 2][:, :n_outputs] if loss == "log_loss" else Y[:, :n_outputs]
    units = Units(X, targets, WEIGHTS, np.arange(14))
    found = []
    for route in ROUTES:
        if route.closed and loss != "squared_error":
            continue
        descent = Training(units, as_loss(loss), 0.5, route, 100).descent(model, "auto")
        *_, last = descent.stages([0, 1, 50, 100], descent.view(NEW))
        found.append([descent.learning_rate, last.loss, last.outputs, descent.solution(last.state)])
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-8, atol=1e-9)


def route(model, n, *, square=True, iterations=1000):
    return choose_route(model, n, square=square, iterations=iterations)


def finite(width, n_outputs=1, n_features=10):
    network = TwoLayerNet(width, n_outputs=n_outputs)
    return FiniteTangent(network, network.init(n_features, 0))


def test_the_route_follows_the_sizes():
    assert route(finite(512), 200) == Route("gram", True)
    assert route(finite(20), 3000) == Route("jacobian", True)
    assert route(finite(512), 200, square=False) == Route("gram", False)
    assert route(finite(20), 3000, square=False) == Route("jacobian", False)
    assert route(finite(512, 10, 64), 4000, square=False) == Route("network", False)
    assert route(InfiniteTangent(NTK(), 10), 2000) == Route("gram", True)
    assert route(InfiniteTangent(NTK(), 1), 20_000, iterations=100) == Route("gram", False)
    assert "parameter space" in TangentRegressor(TwoLayerNet(2), **SETTINGS).fit(X, Y).route_


@pytest.mark.parametrize("order", [1, 32, 33, 80])
def test_largest_eigenvalue(order):
    A = np.random.default_rng(0).standard_normal((order, 5))
    expected = np.linalg.eigvalsh(A @ A.T)[-1]
    assert largest_eigenvalue(lambda v: A @ (A.T @ v), order) == pytest.approx(expected, rel=1e-12)
    assert largest_eigenvalue(lambda v: 0 * v, order) == 0


@pytest.mark.parametrize(("loss", "smoothness"), [("squared_error", 1), ("huber", 1), ("log_loss", 0.25)])
def test_the_automatic_step_is_half_the_largest_stable_one(loss, smoothness):
    model, _, _ = fit(loss, 1, kernel=NTK(), momentum=0.5, sample_weight=WEIGHTS)
    S = np.sqrt(WEIGHTS)[:, None] * NTK()(X) * np.sqrt(WEIGHTS)
    assert model.learning_rate_ == pytest.approx(1.5 / (smoothness * np.linalg.eigvalsh(S)[-1]), rel=1e-10)


def test_the_automatic_step_of_the_absolute_error_scales_with_the_targets():
    small, large = (TangentRegressor(kernel=NTK(), loss="absolute_error").fit(X, c * Y) for c in (1, 1000))
    np.testing.assert_allclose(large.predict(NEW), 1000 * small.predict(NEW), rtol=1e-8)
    expected = abs(Y).mean() / (np.linalg.eigvalsh(NTK()(X))[-1] * np.sqrt(1000))
    assert small.learning_rate_ == pytest.approx(expected)


def test_a_step_that_is_too_large_is_refused_with_the_largest():
    largest = 2 / np.linalg.eigvalsh(NTK()(X))[-1]
    with pytest.raises(ValueError, match=re.escape(f"{largest:.6g}")):
        TangentRegressor(kernel=NTK(), learning_rate=1.01 * largest).fit(X, Y)
    TangentRegressor(kernel=NTK(), learning_rate=0.99 * largest).fit(X, Y)


def test_other_losses_may_diverge_and_say_so():
    with pytest.raises(ValueError, match="diverged after"):
        TangentRegressor(kernel=NTK(), loss=Huber(1e200), learning_rate=100.0, tol=None).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="the loss rose"):
        TangentRegressor(kernel=NTK(), loss="huber", learning_rate=100.0).fit(X, Y)


@pytest.mark.filterwarnings("ignore:.*mean of")
def test_rows_of_zeros_teach_nothing():
    model = TangentRegressor(random_state=0).fit(np.zeros((4, 2)), [1.0, 2.0, 3.0, 4.0])
    assert (model.predict(np.ones((2, 2))) == model.network_.apply(model.params_, np.ones((2, 2)))).all()


def test_samples_of_weight_zero_are_absent_and_weights_are_copies():
    counts = np.arange(14) % 3
    for loss in LOSSES[:3]:
        model = TangentRegressor(TwoLayerNet(5), loss=loss, **SETTINGS)
        weighted = clone(model).fit(X, Y, counts).predict(NEW)
        copied = model.fit(np.repeat(X, counts, 0), np.repeat(Y, counts, 0)).predict(NEW)
        np.testing.assert_allclose(weighted, copied, rtol=1e-8)


def test_precomputed_sparse_and_foreign_kernels():
    kernel = NTK(bias_std=0.3)
    expected = TangentRegressor(kernel=kernel, **SETTINGS).fit(X, Y, counts := np.arange(14) % 3).predict(NEW)
    given = TangentRegressor(kernel="precomputed", **SETTINGS).fit(kernel(X), Y, counts)
    np.testing.assert_allclose(given.predict(kernel(NEW, X)), expected, rtol=1e-10)
    np.testing.assert_allclose(list(given.staged_predict(kernel(NEW, X)))[-1], expected, rtol=1e-10)
    for chosen in ({"kernel": kernel}, {"network": TwoLayerNet(7)}):
        dense = TangentRegressor(**chosen, **SETTINGS).fit(X, Y)
        thin = TangentRegressor(**chosen, **SETTINGS).fit(sparse.csr_array(X), Y)
        np.testing.assert_allclose(thin.predict(sparse.csr_array(NEW)), dense.predict(NEW), rtol=1e-9)
    assert TangentRegressor(kernel=RBF(), **SETTINGS).fit(X, Y).score(X, Y) > 0.5
    tags = TangentRegressor(kernel="precomputed").__sklearn_tags__().input_tags
    assert tags.pairwise
    assert not tags.sparse


def test_single_precision_is_kept_by_the_network():
    single = TangentRegressor(TwoLayerNet(30), **SETTINGS).fit(X.astype(np.float32), Y)
    double = TangentRegressor(TwoLayerNet(30), **SETTINGS).fit(X, Y)
    assert single.params_.dtype == np.float32
    np.testing.assert_allclose(single.predict(NEW.astype(np.float32)), double.predict(NEW), atol=1e-3)


def test_classes():
    names = np.array(["red", "green", "blue"])[LABELS]
    model = TangentClassifier(**SETTINGS).fit(X, names)
    scores = model.decision_function(NEW)
    e = np.exp(scores)
    np.testing.assert_allclose(model.predict_proba(NEW), e / e.sum(1, keepdims=True), rtol=1e-12)
    assert (model.predict(NEW) == model.classes_[scores.argmax(1)]).all()
    two = TangentClassifier(kernel=NTK(), **SETTINGS).fit(X, names == "red")
    np.testing.assert_allclose(
        two.predict_proba(NEW)[:, 1], 1 / (1 + np.exp(-two.decision_function(NEW))), rtol=1e-12
    )
    assert (two.predict(NEW) == (two.decision_function(NEW) > 0)).all()


def test_squares_of_classes_have_no_probabilities():
    model = TangentClassifier(kernel=NTK(), loss="squared_error", **SETTINGS).fit(X, LABELS)
    signs = 2.0 * np.eye(3)[LABELS] - 1
    expected, _ = train_kernel(
        NTK()(X), NTK()(NEW, X), signs, loss="squared_error", steps=40, rate=model.learning_rate_
    )
    np.testing.assert_allclose(model.decision_function(NEW), expected, rtol=1e-9, atol=1e-10)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "staged_predict_proba")


def test_pickles_and_clones():
    model = TangentClassifier(MLP((8, 8)), **SETTINGS).fit(X, LABELS)
    copy = pickle.loads(pickle.dumps(model))
    assert (copy.predict_proba(NEW) == model.predict_proba(NEW)).all()
    assert (list(copy.staged_predict(NEW))[-1] == model.predict(NEW)).all()
    assert clone(model).get_params() == TangentClassifier(MLP((8, 8)), **SETTINGS).get_params()
    assert "TangentClassifier" in model._repr_html_()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"network": TwoLayerNet(4), "kernel": NTK()}, ValueError, "both given"),
        ({"network": NTK()}, TypeError, "kernel goes to"),
        ({"network": TwoLayerNet(4, n_outputs=3)}, ValueError, "has 3 outputs and the targets need 2"),
        ({"kernel": "linear"}, ValueError, "kernel must be"),
        ({"loss": "log_loss"}, ValueError, "loss must be one of"),
        ({"loss": as_loss("log_loss")}, ValueError, "has no use for"),
        ({"learning_rate": "large"}, ValueError, "'auto' or a positive number"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate must be"),
        ({"momentum": 1.0}, ValueError, "momentum must be less than 1"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"tol": -1.0}, ValueError, "tol must be"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change must be"),
        ({"early_stopping": True, "validation_fraction": 1.0}, ValueError, "must be less than 1"),
    ],
    ids=str,
)
def test_bad_parameters(settings, error, message):
    with pytest.raises(error, match=message):
        TangentRegressor(**settings).fit(X, Y)


def test_kernels_of_no_network():
    with pytest.raises(ValueError, match="positive semidefinite"):
        TangentRegressor(kernel="precomputed").fit(-NNGP()(X), Y)
