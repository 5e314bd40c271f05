"""Slopes packed into bits: counting common active neurons is the product of slopes, to the last neuron."""

import numpy as np
import pytest
from sklearn import config_context

import ntklib
from ntklib import kernels
from ntklib.networks import TwoLayerNet
from ntklib.networks.tangent import _features as module

ACTIVATIONS = ["relu", "leaky_relu", kernels.LeakyReLU(-0.3), kernels.ABReLU(-0.5, 2.0), "abs", "identity"]
WIDTHS = [1, 2, 63, 64, 65, 127, 128, 200, 1023, 1025, 2100]


@pytest.fixture
def rows():
    X = np.random.default_rng(0).normal(size=(30, 4))
    X[7], X[8] = 0, X[9]
    return X


def by_hand(net, params, X):
    """The two-layer formula written out in NumPy."""
    sigma = net.limit_kernel().activation
    Z = X @ params["W0"].T
    B = sigma.derivative(Z) * params["W1"][0]
    return (sigma(Z) @ sigma(Z).T, (X @ X.T) * (B @ B.T), np.sqrt(net.width))


def packed(monkeypatch):
    """Count the products that are taken by bits."""
    calls = []
    product = module.Bits.product

    def counting(self, *arguments):
        calls.append(self.width)
        return product(self, *arguments)

    monkeypatch.setattr(module.Bits, "product", counting)
    return calls


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("trainable", ["all", "hidden"])
def test_widths_that_are_no_multiples_of_words(activation, trainable, rows, monkeypatch):
    calls = packed(monkeypatch)
    for width in WIDTHS:
        net = TwoLayerNet(width, activation=activation, output_init="rademacher", trainable=trainable)
        params = net.init(4, width)
        values, slopes, root = by_hand(net, params, rows)
        expected = (slopes + (values if trainable == "all" else 0)) / root**2
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        K = net.ntk(params, rows)
        assert (np.abs(K - expected) <= 1e-12 * scale).all()
        np.testing.assert_array_equal(K, K.T)
        np.testing.assert_array_equal(net.ntk_diag(params, rows), np.diag(K))
        cross = net.ntk(params, rows[:5], rows[3:])
        assert (np.abs(cross - expected[:5, 3:]) <= 1e-12 * scale[:5, 3:]).all()
    assert set(calls) == set(WIDTHS)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias_std": 0.4, "weight_std": 1.3},
        {"symmetric": True, "scale": 2.0},
        {"parameterization": "standard", "weight_std": 0.7},
        {"parameterization": "mean_field", "input_scaling": "fan_in"},
        {"parameterization": "mup", "symmetric": True, "bias_std": 0.2},
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bits_and_floats_agree(options, dtype, rows, monkeypatch):
    """The same network with its fast path taken away."""
    net = TwoLayerNet(150, output_init="rademacher", **options)
    params, X = net.init(4, 0, dtype=dtype), rows.astype(dtype)
    calls = packed(monkeypatch)
    with_bits = [net.ntk(params, X, weighted=weighted) for weighted in (False, True)]
    with_bits += [net.ntk_layers(params, X), net.ntk(params, X[:7], X)]
    assert calls
    taken = len(calls)
    monkeypatch.setattr(module, "uses_bits", lambda copy: False)
    with_floats = [net.ntk(params, X, weighted=weighted) for weighted in (False, True)]
    with_floats += [net.ntk_layers(params, X), net.ntk(params, X[:7], X)]
    assert len(calls) == taken
    for found, expected in zip(with_bits, with_floats, strict=True):
        assert found.dtype == expected.dtype == dtype
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=50 * np.finfo(dtype).eps * np.abs(expected).max()
        )


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNet(100, activation="erf", output_init="rademacher"),
        TwoLayerNet(100, activation=kernels.RectifiedPower(2), output_init="rademacher"),
        TwoLayerNet(100, activation="step", output_init="rademacher"),
        TwoLayerNet(100, output_init="rademacher", n_outputs=2),
        TwoLayerNet(100, output_init="rademacher", trainable="output"),
        TwoLayerNet(100),
    ],
    ids=repr,
)
def test_no_bits_where_slopes_take_other_values(net, rows, monkeypatch):
    calls = packed(monkeypatch)
    params = net.init(4, 0)
    K = net.ntk(params, rows)
    J = net.jacobian(params, rows).reshape(30, net.n_outputs, -1)
    np.testing.assert_allclose(K, np.einsum("iap,jap->ij", J, J), rtol=1e-12, atol=1e-13 * K.max())
    assert calls == []


def test_one_weight_of_another_size_is_noticed(rows):
    """A network that has been trained a step has no signs for output weights any more."""
    net = TwoLayerNet(130, output_init="rademacher")
    params = net.init(4, 0)
    W = params["W1"].copy()
    W[0, -1] *= 1.5
    changed = params.replace(W1=W)
    J = net.jacobian(changed, rows)
    np.testing.assert_allclose(net.ntk(changed, rows), J @ J.T, rtol=1e-12, atol=1e-13)


def test_the_same_bits_at_any_thread_count_and_memory(rows):
    X = np.random.default_rng(1).normal(size=(400, 5))
    net = TwoLayerNet(3000, output_init="rademacher", activation="leaky_relu", symmetric=True)
    params = net.init(5, 0)
    found = []
    for threads in (1, 2):
        with ntklib.set_threads(threads):
            found.append(net.ntk(params, X))
    np.testing.assert_array_equal(*found)
    with config_context(working_memory=1):
        small = net.ntk(params, X)
    np.testing.assert_array_equal(small, small.T)
    np.testing.assert_allclose(small, found[0], rtol=0, atol=1e-13 * found[0].max())
