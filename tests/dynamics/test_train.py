"""The training loop against gradient descent written out with Jacobians, and against closed forms."""

import io
import signal
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn import config_context

from ntklib import set_threads
from ntklib.dynamics import (
    USAM,
    Adam,
    GradientDescent,
    HeavyBall,
    Minibatches,
    Momentum,
    Muon,
    Nesterov,
    Recording,
    SignDescent,
    as_loss,
    gradient_descent,
    train,
)
from ntklib.networks import MLP, TwoLayerNet, linearize, taylor
from tests import naive_networks

NETWORKS = {
    "two-layer": TwoLayerNet(30, activation="tanh"),
    "mup": MLP((7, 5), parameterization="mup", bias_std=0.3, activation="erf"),
    "symmetric": TwoLayerNet(9, symmetric=True, n_outputs=2, activation="gelu"),
    "mean field": TwoLayerNet(12, parameterization="mean_field", trainable="hidden"),
}


def data(n=14, d=3, k=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n if k == 1 else (n, k))


def weights_of(model, n_features):
    """The step multiplier of each trained parameter."""
    steps = model.step_multipliers
    return np.concatenate(
        [
            np.full(int(np.prod(shape)), steps[name])
            for name, shape in model.trained_shapes(n_features).items()
        ]
    )


def gradient_by_jacobian(model, params, X, risk):
    """J^T grad R, from the Jacobian itself."""
    J = model.jacobian(params, X)
    return np.tensordot(risk.gradient(model.apply(params, X)), J, axes=J.ndim - 1)


def descend(model, params, X, risk, eta, steps, batches=None):
    """Plain gradient descent; the parameters after each step."""
    w, factor = model.ravel(params), weights_of(model, X.shape[1])
    path = [w]
    for k in range(steps):
        batch = Minibatches(len(X)).batch(0) if batches is None else batches.batch(k)
        part = risk.take(batch.rows)
        g = gradient_by_jacobian(model, model.unravel(params, w), X[batch.rows], part)
        w = w - eta * batch.scale * factor * g
        path.append(w)
    return path


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["network", "centred", "linear", "quadratic"])
def test_steps_are_gradient_descent(name, kind):
    net = NETWORKS[name]
    X, y = data(k=net.n_outputs)
    start = net.init(3, 1)
    wrap = {
        "network": lambda: net,
        "centred": lambda: net.centered_at(start),
        "linear": lambda: linearize(net, start),
        "quadratic": lambda: taylor(net, start),
    }
    model = wrap[kind]()
    moved = net.unravel(start, net.ravel(start) + 0.1)
    history = train(model, X, y, params=moved, learning_rate=2e-3, steps=12, record=4, X_test=X[:3] + 1)
    risk = as_loss("squared_error").risk(y, y.shape)
    path = descend(model, moved, X, risk, 2e-3, 12)
    assert history.steps.tolist() == [0, 4, 8, 12]
    np.testing.assert_allclose(model.ravel(history.params), path[-1], rtol=1e-11, atol=1e-13)
    for row, k in enumerate(history.steps):
        params = model.unravel(moved, path[k])
        f = model.apply(params, X)
        np.testing.assert_allclose(history.outputs[row], f, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(history.test_outputs[row], model.apply(params, X[:3] + 1), atol=1e-11)
        np.testing.assert_allclose(history.loss[row], 0.5 * np.sum((f - y) ** 2), rtol=1e-11)
        distance = np.linalg.norm(path[k] - path[0])
        np.testing.assert_allclose(history.distance[row], distance, rtol=1e-9, atol=1e-14)
        g = gradient_by_jacobian(model, params, X, risk)
        np.testing.assert_allclose(history.gradient_norm[row], np.linalg.norm(g), rtol=1e-9)
    first = next(iter(net.trained_shapes(3)))
    size = int(np.prod(net.trained_shapes(3)[first]))
    g = gradient_by_jacobian(model, history.params, X, risk)[:size]
    np.testing.assert_allclose(history.gradient_norms[first][-1], np.linalg.norm(g), rtol=1e-9)


@pytest.mark.parametrize("memory", [1024, 1e-3], ids=["jacobian", "products"])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_a_linearisation_follows_the_closed_form(momentum, memory):
    net, (X, y) = MLP((40, 30), bias_std=0.2), data(20)
    start, X_test = net.init(3, 0), data(5, seed=1)[0]
    optimizer = Momentum(momentum=momentum) if momentum else "gradient_descent"
    with config_context(working_memory=memory):
        history = train(
            linearize(net, start), X, y, optimizer=optimizer, learning_rate="auto", steps=120, X_test=X_test
        )
    path = gradient_descent(
        net.ntk(start, X),
        y,
        history.steps,
        learning_rate=history.optimizer.learning_rate,
        momentum=momentum,
        f0=net.apply(start, X),
        K_test=net.ntk(start, X_test, X),
        f0_test=net.apply(start, X_test),
    )
    np.testing.assert_allclose(history.outputs, path.outputs, atol=1e-10)
    np.testing.assert_allclose(history.test_outputs, path.test_outputs, atol=1e-10)
    np.testing.assert_allclose(history.distance, path.distance, atol=1e-10)
    np.testing.assert_allclose(history.loss, path.loss, atol=1e-10)


def test_a_linearisation_of_several_outputs_follows_the_closed_form():
    net, (X, y) = TwoLayerNet(50, n_outputs=2), data(10, k=2)
    start = net.init(3, 0)
    history = train(linearize(net, start), X, y, steps=200)
    K = net.ntk(start, X, output="full").reshape(20, 20)
    eta = history.optimizer.learning_rate
    f0 = net.apply(start, X).ravel()
    path = gradient_descent(K, y.ravel(), history.steps, learning_rate=eta, f0=f0)
    np.testing.assert_allclose(history.outputs.reshape(-1, 20), path.outputs, atol=1e-10)


@pytest.mark.parametrize("loss", ["log_loss", "huber", "absolute_error"])
def test_other_losses(loss):
    net, (X, y) = TwoLayerNet(11, activation="tanh", n_outputs=3), data(9, k=3)
    y = np.arange(9) % 3 if loss == "log_loss" else y
    start, weights = net.init(3, 0), np.linspace(0, 2, 9)
    history = train(net, X, y, params=start, loss=loss, learning_rate=0.02, steps=7, sample_weight=weights)
    risk = as_loss(loss).risk(y, (9, 3), weights)
    path = descend(net, start, X, risk, 0.02, 7)
    np.testing.assert_allclose(net.ravel(history.params), path[-1], rtol=1e-11, atol=1e-13)
    assert history.loss[-1] == pytest.approx(risk.value(net.apply(history.params, X)), rel=1e-12)


@pytest.mark.parametrize("replace", [False, True])
def test_minibatches_are_multiplied_by_n_over_b(replace):
    net, (X, y) = NETWORKS["mup"], data(14)
    batches = Minibatches(14, 4, replace=replace, random_state=3)
    start = net.init(3, 0)
    history = train(net, X, y, params=start, learning_rate=1e-3, steps=9, batch_size=batches, record=2)
    risk = as_loss("squared_error").risk(y)
    path = descend(net, start, X, risk, 1e-3, 9, batches)
    np.testing.assert_allclose(net.ravel(history.params), path[-1], rtol=1e-11, atol=1e-13)
    for row, k in enumerate(history.steps):  # records are of all rows
        f = net.apply(net.unravel(start, path[k]), X)
        np.testing.assert_allclose(history.outputs[row], f, rtol=1e-10, atol=1e-12)
        g = gradient_by_jacobian(net, net.unravel(start, path[k]), X, risk)
        np.testing.assert_allclose(history.gradient_norm[row], np.linalg.norm(g), rtol=1e-9)
    assert history.batch_size == 4
    same = train(
        net,
        X,
        y,
        params=start,
        learning_rate=1e-3,
        steps=9,
        batch_size=batches,
        record=Recording(gradient_norms=False),
    )
    assert same.params == history.params
    assert same.gradient_norms == {}
    with pytest.raises(ValueError, match="gradients were not recorded"):
        same.gradient_norm  # noqa: B018


@pytest.mark.parametrize(
    "optimizer",
    [
        GradientDescent(1e-2),
        GradientDescent(lambda k: 1e-2 / (k + 1)),
        Momentum(1e-2, 0.7),
        HeavyBall(1e-2, 0.7),
        Nesterov(1e-2, 0.7),
        Adam(1e-2, epsilon=1e-30),
        SignDescent(1e-3),
        SignDescent(1e-3, normalized=False),
        Muon(1e-3, normalized=False),
        Muon(1e-2, momentum=0.5),
        USAM(1e-2, rho=0.05),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_every_optimizer_takes_its_own_steps(optimizer):
    net, (X, y) = NETWORKS["mup"], data(8)
    start, risk = net.init(3, 0), as_loss("squared_error").risk(y)
    history = train(net, X, y, params=start, optimizer=optimizer, steps=6, record=3)
    family = optimizer.step_family
    state = optimizer.start(dict(start.items()), multipliers=naive_networks.multipliers(net, family))

    def gradient(position):
        params = start.replace(**position)
        flat = gradient_by_jacobian(net, params, X, risk)
        return dict(net.unravel(start, flat).items())

    for _ in range(6):
        optimizer.step(state, gradient)
    for name, array in state.position.items():
        np.testing.assert_allclose(history.params[name], array, rtol=1e-8, atol=1e-12)


def test_the_mean_is_the_sum_over_n():
    net, (X, y) = NETWORKS["two-layer"], data()
    total = train(net, X, y, learning_rate=1e-3, steps=20)
    mean = train(net, X, y, learning_rate=14e-3, steps=20, reduction="mean")
    np.testing.assert_allclose(mean.loss * 14, total.loss, rtol=1e-12)
    np.testing.assert_allclose(net.ravel(mean.params), net.ravel(total.params), rtol=1e-12)
    auto = [train(net, X, y, steps=3, reduction=how).optimizer.learning_rate for how in ("sum", "mean")]
    assert auto[1] == pytest.approx(14 * auto[0], rel=1e-12)
    assert (total.reduction, mean.reduction) == ("sum", "mean")
    weights = np.arange(14.0)
    mean = train(net, X, y, learning_rate=1e-3, steps=5, reduction="mean", sample_weight=weights)
    f = mean.outputs[-1]
    assert mean.loss[-1] == pytest.approx(np.average(0.5 * (f - y) ** 2, weights=weights), rel=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_auto_is_half_the_largest_stable_step(name, momentum):
    net = NETWORKS[name]
    X, y = data(40, k=net.n_outputs)
    weights = np.linspace(0.1, 2, 40)
    start = net.init(3, 0)
    found = train(
        net, X, y, params=start, optimizer=Momentum(momentum=momentum), learning_rate="auto", steps=1,
        sample_weight=weights, loss="huber",
    )  # fmt: skip
    J = net.jacobian(start, X).reshape(40 * net.n_outputs, -1)
    root = np.repeat(np.sqrt(weights), net.n_outputs)[:, None]
    K = (root * J * weights_of(net, 3)) @ (root * J).T
    expected = (1 + momentum) / np.linalg.eigvalsh(K)[-1]
    assert found.optimizer.learning_rate == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("name", ["two-layer", "mup"])
def test_auto_without_the_gram_matrix(name):
    """Quadratic models have no weighted kernel: there the eigenvalue is found by products with J."""
    net, (X, y) = NETWORKS[name], data(40)
    start, batches = net.init(3, 0), Minibatches(40, 36, random_state=0)
    second = taylor(net, start)
    root = np.sqrt(np.linspace(0.1, 2, 40))[:, None]
    J = root * second.jacobian(start, X) * np.sqrt(weights_of(net, 3))
    top = [np.linalg.norm(J, 2) ** 2] + [
        batches.batch(k).scale * np.linalg.norm(J[batches.batch(k).rows], 2) ** 2 for k in range(2)
    ]
    found = train(second, X, y, steps=1, sample_weight=root[:, 0] ** 2, batch_size=batches)
    assert found.optimizer.learning_rate == pytest.approx(1 / max(top), rel=2e-4)


@pytest.mark.parametrize("name", ["gradient_descent", "momentum", "nesterov"])
def test_auto_is_the_default_of_methods_that_it_suits(name):
    net, (X, y) = TwoLayerNet(500), data(40)
    found = train(net, X, y, optimizer=name, steps=100)
    assert found.status == "finished"
    assert found.loss[-1] < found.loss[0]
    given = train(net, X, y, optimizer=name, learning_rate="auto", steps=0)
    assert found.optimizer == given.optimizer


def test_auto_where_nothing_moves():
    for n in (4, 40):
        second = taylor(TwoLayerNet(3), TwoLayerNet(3).init(2, 0))
        flat = train(second, np.zeros((n, 2)), np.ones(n), steps=2)
        assert (flat.distance[-1], flat.status) == (0, "finished")


def test_the_common_type_is_computed_in():
    net, (X, y) = TwoLayerNet(5), data()
    single = net.init(3, 0, dtype=np.float32)
    history = train(net, X, y, params=single, steps=3)
    assert history.params.dtype == history.outputs.dtype == np.float64
    history = train(net, X.astype(np.float32), y, params=single, steps=3)
    assert history.params.dtype == history.outputs.dtype == np.float32
    history = train(net, X.astype(np.float32), y, params=net.init(3, 0), steps=3)
    assert history.params.dtype == np.float64


def test_auto_of_minibatches_and_of_losses_that_are_not_smooth():
    net, (X, y) = NETWORKS["two-layer"], data(40)
    start, batches = net.init(3, 0), Minibatches(40, 5, random_state=0)
    J = net.jacobian(start, X)
    top = [np.linalg.norm(J[batches.batch(k).rows], 2) ** 2 * 8 for k in range(8)]
    found = train(net, X, y, params=start, batch_size=5, steps=1).optimizer.learning_rate
    assert found == pytest.approx(1 / max(top), rel=2e-4)
    found = train(net, X, y, params=start, loss="absolute_error", steps=25).optimizer.learning_rate
    error = np.abs(y - net.apply(start, X)).mean()
    assert found == pytest.approx(error / (np.linalg.norm(J, 2) ** 2 * 5), rel=2e-4)
    flat = train(TwoLayerNet(3), np.zeros((4, 2)), np.ones(4), steps=2)  # nothing moves
    assert flat.distance[-1] == 0
    assert flat.status == "finished"


def test_threads_change_no_byte_and_seeds_do():
    X, y = data(700, 6)
    X = X.astype(np.float32)
    net = TwoLayerNet(400)
    runs = []
    for threads in (1, 2):
        with set_threads(threads):
            runs.append(train(net, X, y, steps=6, batch_size=300, X_test=X[:5], record=2))
            tangent = linearize(TwoLayerNet(60), TwoLayerNet(60).init(6, 0))
            runs.append(train(tangent, X, y, steps=6, learning_rate=1e-5, record=2))
    for one, two in (runs[::2], runs[1::2]):
        assert one.params == two.params
        for name in ("loss", "outputs", "distance", "gradient_norm"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert runs[0].params.dtype == np.float32
    assert runs[0].outputs.dtype == np.float32
    other = train(net, X, y, steps=6, batch_size=300, random_state=1)
    assert other.params != runs[0].params
    again = train(net, X, y, steps=6, batch_size=300, params=runs[0].initial_params, random_state=1)
    assert again.params != runs[0].params  # other batches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [1.0, 1e4, 1e30])
@pytest.mark.parametrize("net", [TwoLayerNet(40), TwoLayerNet(40, activation="erf"), MLP((9, 9))], ids=repr)
def test_divergence_is_reported_and_leaves_nothing_infinite(net, rate, dtype):
    X, y = data()
    for model in (net, linearize(net, net.init(3, 0, dtype=dtype))):
        history = train(model, X.astype(dtype), y, learning_rate=rate, steps=400, record=1, X_test=X)
        if history.status == "finished":  # an erf net is bounded; it may survive anything
            assert rate == 1 or "erf" in repr(net)  # or its ReLUs die
        else:
            assert history.status == "diverged"
            assert history.stopped_at == history.n_steps + 1
            assert history.stop_reason.startswith(f"diverged at step {history.stopped_at}")
        for found in (history.loss, history.outputs, history.test_outputs, history.gradient_norm):
            assert np.isfinite(found).all()
        if model is net:
            f = net.apply(history.params, X.astype(dtype))
            np.testing.assert_allclose(f, history.outputs[-1], rtol=1e-4, atol=1e-4 * np.abs(f).max())


def test_divergence_of_models_without_a_jacobian():
    net, (X, y) = TwoLayerNet(20, activation="erf"), data()
    start = net.init(3, 0)
    second = train(taylor(net, start), X, y, learning_rate=1e300, steps=9)
    assert (second.status, second.n_steps) == ("diverged", 0)
    with config_context(working_memory=1e-4):
        first = train(linearize(net, start), X, y, learning_rate=np.finfo(float).max, steps=9)
    assert (first.status, first.n_steps) == ("diverged", 0)


def test_what_cannot_begin_is_an_error():
    net, (X, y) = TwoLayerNet(5), data()
    with pytest.raises(ValueError, match="outputs at the start are not finite"):
        train(net, 1e300 * X, y, learning_rate=1.0, steps=2)


@dataclass(frozen=True)
class Interrupted(GradientDescent):
    """Ctrl-C between the first array and the second."""

    at: int = 0
    array: int = 0

    def _rule(self, k):
        rule, seen = super()._rule(k), []

        def move(w, *rest):
            if k == self.at and len(seen) == self.array:
                raise KeyboardInterrupt
            seen.append(1)
            rule(w, *rest)

        return move


def test_an_interruption_keeps_what_was_done():
    net, (X, y) = TwoLayerNet(20), data()
    whole = train(net, X, y, learning_rate=1e-3, steps=40, record=5)

    def press(snapshot):
        if snapshot.step == 20:
            signal.raise_signal(signal.SIGINT)

    found = train(net, X, y, learning_rate=1e-3, steps=40, record=5, callbacks=press)
    assert (found.status, found.n_steps, found.stopped_at) == ("interrupted", 20, 20)
    np.testing.assert_array_equal(found.outputs, whole.outputs[:5])
    # with one array moved and the other not, the point before is kept
    torn = train(net, X, y, optimizer=Interrupted(1e-3, at=13, array=1), steps=40, record=5)
    assert (torn.status, torn.n_steps) == ("interrupted", 10)
    assert torn.stop_reason == "interrupted at step 10"
    np.testing.assert_array_equal(torn.outputs, whole.outputs[:3])
    np.testing.assert_array_equal(net.apply(torn.params, X), whole.outputs[2])


def test_an_interruption_while_the_gradient_is_computed_keeps_every_step(monkeypatch):
    net, (X, y) = TwoLayerNet(20), data()
    every = train(net, X, y, learning_rate=1e-3, steps=13, record=1)
    batches, seen = Minibatches(14), []
    draw = batches.batch

    def batch(k):
        seen.append(k)
        if k == 12 and seen.count(12) == 1:
            raise KeyboardInterrupt
        return draw(k)

    monkeypatch.setattr(batches, "batch", batch)
    found = train(net, X, y, learning_rate=1e-3, steps=40, record=5, batch_size=batches)
    assert (found.status, found.steps.tolist()) == ("interrupted", [0, 5, 10, 12])
    np.testing.assert_array_equal(found.outputs[-1], every.outputs[12])


def test_an_interruption_before_the_first_record_is_one():
    def press(f, y):
        raise KeyboardInterrupt

    net, (X, y) = TwoLayerNet(20), data()
    loss = as_loss("squared_error")
    object.__setattr__(loss, "_slopes", press)
    with pytest.raises(KeyboardInterrupt):
        train(net, X, y, loss=loss, steps=1, learning_rate=1.0)


def test_callbacks_hear_of_every_record_and_stop():
    net, (X, y) = TwoLayerNet(20), data()
    heard, others = [], []

    def stop(snapshot):
        heard.append((snapshot.step, snapshot.loss, snapshot.params))
        assert "Snapshot(step" in repr(snapshot)
        assert snapshot.seconds >= 0
        return snapshot.step >= 6

    found = train(net, X, y, steps=40, record=3, callbacks=[stop, others.append], X_test=X[:2])
    assert (found.status, found.stop_reason) == ("stopped", "stopped by a callback at step 6")
    assert [step for step, *_ in heard] == [0, 3, 6] == found.steps.tolist()
    assert [loss for _, loss, _ in heard] == found.loss.tolist()
    assert heard[0][2] == found.initial_params
    assert heard[2][2] == found.params
    assert len(others) == 3
    np.testing.assert_array_equal(others[1].test_outputs, found.test_outputs[1])


def test_only_the_last_outputs_can_be_kept():
    net, (X, y) = TwoLayerNet(20), data()
    whole, last = (
        train(net, X, y, steps=6, X_test=X, record=Recording(keep_outputs=keep)) for keep in (True, False)
    )
    np.testing.assert_array_equal(last.outputs, whole.outputs[-1:])
    np.testing.assert_array_equal(last.test_outputs, whole.test_outputs[-1:])
    np.testing.assert_array_equal(last.loss, whole.loss)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal(monkeypatch):
    net, (X, y) = TwoLayerNet(5), data()
    for stream, progress, shown in (
        (Terminal(), True, True),
        (Terminal(), False, False),
        (io.StringIO(), True, False),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        train(net, X, y, steps=3, progress=progress)
        assert bool(stream.getvalue()) == shown
        if shown:
            assert "training: step 0 of 3" in stream.getvalue()
            assert stream.getvalue().endswith("\r\x1b[K")


def test_wide_networks_train_in_bounded_memory():
    """The hidden layer of all rows at once would take 400 MB."""
    import tracemalloc

    X, y = data(1000, 4)
    X = X.astype(np.float32)
    net = TwoLayerNet(100_000)
    start = net.init(4, 0, dtype=np.float32)
    with config_context(working_memory=16):
        tracemalloc.start()
        try:
            train(net, X, y, params=start, learning_rate=1e-7, steps=2)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 32 * 2**20 + 10 * 4 * net.n_params(4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "newton"}, "optimizer must be one of"),
        ({"learning_rate": "large"}, "learning_rate must be one of"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"optimizer": "adam", "learning_rate": "auto"}, "Adam needs a number"),
        ({"optimizer": Momentum(momentum=lambda k: 0.5), "learning_rate": "auto"}, "constant momentum"),
        ({"reduction": "median"}, "reduction must be one of"),
        ({"loss": "hinge"}, "loss must be one of"),
        ({"steps": -1}, "steps must be at least 0"),
        ({"record": 0}, "record must be at least 1"),
        ({"record": Recording(monitor_every=6), "steps": 500}, "multiple of the 5 steps"),
        ({"batch_size": 15}, "batch_size is 15"),
        ({"batch_size": Minibatches(5)}, "draws from 5 samples"),
        ({"X_test": np.ones((2, 2))}, "X has 3 features"),
        ({"params": TwoLayerNet(6).init(3, 0)}, "another network's"),
        ({"sample_weight": np.zeros(14), "reduction": "mean"}, "weights are 0"),
        ({"sample_weight": -np.ones(14)}, "nonnegative"),
    ],
)
def test_bad_input_is_refused(options, message):
    X, y = data()
    with pytest.raises((TypeError, ValueError), match=message):
        train(TwoLayerNet(5), X, y, **options)
    with pytest.raises(ValueError, match="do not go with"):
        train(TwoLayerNet(5), X, y[:-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1"),
        ({"every": 2.5}, "every must be an integer"),
        ({"keep_outputs": "no"}, "keep_outputs must be True or False"),
        ({"gradient_norms": None}, "gradient_norms must be True or False"),
        ({"every": 4, "monitor_every": 6}, "monitor_every=6 must be a multiple of the 4 steps"),
        ({"monitors": "loss"}, "monitors must be one of"),
        ({"monitors": None}, "monitors must be names"),
    ],
)
def test_bad_recordings_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Recording(**options)


def test_no_step_at_all():
    net, (X, y) = TwoLayerNet(5), data()
    history = train(net, X, y, steps=0)
    assert history.params == history.initial_params == net.init(3, 0)
    assert (len(history), history.status) == (1, "finished")
