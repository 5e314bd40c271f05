"""The record of a training: its measurements against their definitions, its words and its plots."""

import dataclasses
import pickle

import matplotlib
import numpy as np
import pytest

from ntklib.dynamics import GradientDescent, Recording, as_loss, train
from ntklib.networks import MLP, TwoLayerNet, linearize, taylor
from ntklib.plotting import HistoryDisplay

matplotlib.use("Agg")
ALL = ("ntk_drift", "kernel_alignment", "min_eigenvalue", "max_eigenvalue", "sign_changes")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 3)), rng.normal(size=(12, 2))


@pytest.fixture(scope="module")
def net():
    return MLP((20, 15), n_outputs=2, bias_std=0.3, symmetric=True)


@pytest.fixture(scope="module")
def history(net, data):
    return train(net, *data, steps=40, record=Recording(every=4, monitors=ALL, monitor_every=8))


def test_monitors_are_what_they_say(net, data, history):
    X, Y = data
    assert history.monitor_steps.tolist() == [0, 8, 16, 24, 32, 40]
    start, end = history.initial_params, history.params
    first, last = (net.jacobian(params, X) for params in (start, end))
    kernels = [np.einsum("iap,jap->ij", J, J) for J in (first, last)]
    drift = np.linalg.norm(kernels[1] - kernels[0]) / np.linalg.norm(kernels[0])
    np.testing.assert_allclose(history.monitors["ntk_drift"][[0, -1]], [0, drift], rtol=1e-9)
    target = Y @ Y.T
    aligned = [np.sum(K * target) / np.linalg.norm(K) / np.linalg.norm(target) for K in kernels]
    np.testing.assert_allclose(history.monitors["kernel_alignment"][[0, -1]], aligned, rtol=1e-9)
    for name, place in (("min_eigenvalue", -1), ("max_eigenvalue", 0)):
        values = [np.linalg.svd(J.reshape(24, -1))[1][place] ** 2 for J in (first, last)]
        np.testing.assert_allclose(history.monitors[name][[0, -1]], values, rtol=1e-7)
    flips = np.mean(signs(net, start, X) != signs(net, end, X))
    assert history.monitors["sign_changes"][0] == 0
    assert history.monitors["sign_changes"][-1] == pytest.approx(flips)
    assert flips > 0


def signs(net, params, X):
    """The signs of all preactivations, copy by copy and layer by layer."""
    found = []
    for prefix in ("", "mirror_"):
        a = X
        for layer in range(net.depth):
            root = np.sqrt(a.shape[1]) if layer else 1.0
            z = a @ params[f"{prefix}W{layer}"].T / root + 0.3 * params[f"{prefix}b{layer}"]
            found.append((z >= 0).ravel())
            a = np.maximum(z, 0)
    return np.concatenate(found)


def test_a_linearisation_does_not_drift(net, data):
    start = net.init(3, 0)
    found = train(linearize(net, start), *data, steps=10, record=Recording(monitors=ALL))
    np.testing.assert_array_equal(found.monitors["ntk_drift"], 0)
    np.testing.assert_array_equal(found.monitors["sign_changes"], 0)
    one = TwoLayerNet(9, activation="erf")
    second = taylor(one, one.init(3, 0))
    moved = train(second, data[0], data[1][:, 0], steps=10, record=Recording(monitors=ALL))
    assert 0 < moved.monitors["ntk_drift"][-1] < 1
    J = second.jacobian(moved.params, data[0])
    assert moved.monitors["min_eigenvalue"][-1] == pytest.approx(np.linalg.svd(J)[1][-1] ** 2, rel=1e-6)


def test_a_kernel_that_overflows_is_divergence(data, monkeypatch):
    net, (X, Y) = TwoLayerNet(9), data
    ntk = TwoLayerNet.ntk

    def huge(self, params, *rest, **options):
        K = ntk(self, params, *rest, **options)
        return K if params == net.init(3, 0) else K * np.inf

    monkeypatch.setattr(TwoLayerNet, "ntk", huge)
    for monitor in ALL[:4]:
        found = train(
            net, X, Y[:, 0], steps=4, learning_rate=1e-3, record=Recording(every=2, monitors=monitor)
        )
        assert (found.status, found.n_steps) == ("diverged", 0)
        assert np.isfinite(found.monitors[monitor]).all()


def test_alignment_needs_targets(data):
    with pytest.raises(ValueError, match="targets that are not all 0"):
        train(TwoLayerNet(4), data[0], np.zeros(12), record=Recording(monitors="kernel_alignment"))


def test_alignment_reads_labels_as_the_loss_does(data):
    X, labels = data[0], np.arange(12) % 2
    found = train(
        TwoLayerNet(9), X, labels, loss="log_loss", steps=0, record=Recording(monitors=["kernel_alignment"])
    )
    K = TwoLayerNet(9).ntk(found.params, X)
    y = 2.0 * labels - 1
    assert found.monitors["kernel_alignment"][0] == pytest.approx(y @ K @ y / np.linalg.norm(K) / 12)


def test_the_record_is_frozen_and_can_be_stored(history):
    with pytest.raises(dataclasses.FrozenInstanceError):
        history.loss = 0
    copy = pickle.loads(pickle.dumps(history))
    assert copy.params == history.params
    np.testing.assert_array_equal(copy.loss, history.loss)
    assert len(copy) == len(history) == 11


def test_it_refers_to_what_was_trained(net, data, history):
    X, Y = data
    assert history.model is net
    assert history.X is X
    np.testing.assert_array_equal(history.risk.targets, Y)
    assert history.criterion is history.risk.loss
    assert history.risk.value(history.outputs[-1]) == history.loss[-1]
    start = net.init(3, 0)
    for model in (net.centered_at(start), linearize(net, start)):
        assert train(model, X, Y, steps=1).model is model


def test_it_prints_well(history):
    text = str(history)
    lines = text.splitlines()
    assert lines[0].startswith("History: GradientDescent(learning_rate=")
    assert lines[0].endswith("on squared_error (sum), all rows; all 40 steps done")
    assert lines[1].split() == ["step", "loss", "|w", "-", "w_0|", *ALL]
    assert [line.split()[0] for line in lines[2:]] == ["0", "4", "8", "...", "36", "40"]
    assert len(lines[3].split()) == 3  # no reading at step 4
    assert len(lines[4].split()) == 8
    X, y = np.eye(3), np.ones(3)
    short = train(
        TwoLayerNet(4), X, y, steps=1, optimizer=GradientDescent(0.1), batch_size=2, reduction="mean"
    )
    assert "(mean), batches of 2; all 1 steps done" in str(short)
    assert short.criterion == as_loss("squared_error")


@pytest.mark.parametrize("quantity", ["loss", "distance", "gradient_norms", *ALL])
def test_it_is_drawn(history, quantity):
    display = history.plot(quantity)
    lines = display.ax_.get_lines()
    assert len(lines) == (len(history.gradient_norms) if quantity == "gradient_norms" else 1)
    expected = getattr(history, quantity, None)
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(lines[0].get_ydata(), expected)
    elif quantity in history.monitors:
        np.testing.assert_array_equal(lines[0].get_xdata(), history.monitor_steps)
    assert display.ax_.get_xlabel() == "steps"
    assert display.ax_.get_title() == "all 40 steps done"
    matplotlib.pyplot.close(display.figure_)


def test_drawing_refuses_what_it_does_not_have(data):
    found = train(TwoLayerNet(4), data[0], data[1][:, 0], steps=3)
    with pytest.raises(ValueError, match="was not recorded"):
        found.plot("ntk_drift")
    with pytest.raises(ValueError, match="quantity must be one of"):
        found.plot("accuracy")
    with pytest.raises(ValueError, match="do not go together"):
        HistoryDisplay({"loss": ([0, 1], [1.0])})
    with pytest.raises(ValueError, match="one curve at least"):
        HistoryDisplay({})
