"""Sweeps cut into segments, groups and blocks, against backpropagation as one writes it in NumPy."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context

from ntklib import set_threads
from ntklib.networks import MLP, TwoLayerNet, linearize, taylor
from tests.naive_networks import activation_of, factors

NETWORKS = [
    TwoLayerNet(300),
    TwoLayerNet(129, n_outputs=3, bias_std=0.4, parameterization="mup", activation="leaky_relu"),
    TwoLayerNet(700, activation="erf", symmetric=True, scale=2.0),
    TwoLayerNet(260, trainable="output", bias_std=0.2),
    TwoLayerNet(260, trainable="hidden", activation="tanh"),
    MLP((150, 600, 40), bias_std=0.3, input_scaling="fan_in", weight_std=1.4),
    MLP((600, 140), trainable=(0, 2), n_outputs=2, activation="gelu"),
    MLP((140, 1, 140), trainable=(1,), parameterization="mean_field"),
]


def plain(net, params, X, c):
    """Outputs and the gradient of <c, f> by array, all rows at once."""
    sigma, gradients, total = activation_of(net), {}, 0.0
    copies = [("", 1.0)] if not net.symmetric else [("", 0.5**0.5), ("mirror_", -(0.5**0.5))]
    layers = factors(net, X.shape[1])
    for prefix, sign in copies:
        a, inputs, z = X, [], []
        for layer, factor in enumerate(layers):
            inputs.append(a)
            h = factor["weight"] * a @ params[f"{prefix}W{layer}"].T
            if f"{prefix}b{layer}" in params:
                h = h + factor["bias"] * params[f"{prefix}b{layer}"]
            z.append(h)
            a = sigma(h)
        total = total + sign * net.scale * z[-1]
        g = sign * net.scale * c
        for layer in range(len(layers) - 1, -1, -1):
            gradients[f"{prefix}W{layer}"] = layers[layer]["weight"] * g.T @ inputs[layer]
            gradients[f"{prefix}b{layer}"] = layers[layer]["bias"] * g.sum(axis=0)
            if layer:
                back = layers[layer]["weight"] * g @ params[f"{prefix}W{layer}"]
                g = back * sigma.derivative(z[layer - 1])
    trained = net.trained_shapes(X.shape[1])
    return total, np.concatenate([gradients[name].ravel() for name in trained])


@pytest.mark.compiled
@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("net", NETWORKS, ids=repr)
def test_sweeps_of_few_rows_are_backpropagation(net, n):
    check_sweep(net, n)


@pytest.mark.parametrize("n", [700, 2500])
@pytest.mark.parametrize("net", NETWORKS, ids=repr)
def test_sweeps_are_backpropagation(net, n):
    check_sweep(net, n)


def check_sweep(net, n):
    rng = np.random.default_rng(n)
    X, c = rng.normal(size=(n, 5)), rng.normal(size=(n, net.n_outputs))
    params = net.init(5, 0)
    if net.symmetric:  # away from the start, where both copies are alike
        params = net.unravel(params, net.ravel(params) + 0.1 * rng.normal(size=net.n_params(5)))
    expected, gradient = plain(net, params, X, c)
    found, pulled = net.value_and_vjp(params, X, lambda rows, f: c[rows].reshape(f.shape))
    assert np.abs(found.reshape(n, -1) - expected).max() <= 1e-13 * np.abs(expected).max()
    assert np.abs(pulled - gradient).max() <= 1e-12 * np.abs(gradient).max()


@pytest.mark.parametrize("net", NETWORKS, ids=repr)
def test_threads_change_no_byte(net):
    rng = np.random.default_rng(0)
    X, c = rng.normal(size=(2500, 5)).astype(np.float32), rng.normal(size=2500 * net.n_outputs)
    params = net.init(5, 0, dtype=np.float32)
    results = []
    for threads in (1, 2, 5):
        with set_threads(threads):
            c = c.reshape(2500, -1) if net.n_outputs > 1 else c
            results.append((net.apply(params, X), net.vjp(params, X, c)))
    for found in results[1:]:
        np.testing.assert_array_equal(found[0], results[0][0])
        np.testing.assert_array_equal(found[1], results[0][1])


def models():
    net = MLP((12, 9), n_outputs=2, bias_std=0.2, activation="tanh", symmetric=True, trainable=(0, 1))
    params = net.init(4, 0)
    yield from (net, net.centered_at(params), linearize(net, params), taylor(net, params))
    yield linearize(net.centered_at(params), params)
    yield linearize(TwoLayerNet(20), TwoLayerNet(20).init(4, 1)).model


@pytest.mark.parametrize("model", list(models()), ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("memory", [1024, 1e-4])
def test_models_on_fixed_rows(model, memory):
    """Outputs and gradients at any position, on any rows, are the model's own."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 4))
    start = getattr(model, "params", None) or model.init(4, 0)
    with config_context(working_memory=memory):
        for rows_of in (X, sparse.csr_matrix(X)):
            on = model.on_rows(start, rows_of)
            w = model.ravel(start) + 0.1 * rng.normal(size=on.vector.size)
            on.vector[:] = w
            assert on.params(on.vector) == model.unravel(start, w)
            for rows in (slice(None), np.array([3, 1, 4])):
                expected = model.apply(on.params(w), X[rows])
                c = rng.normal(size=expected.shape)
                np.testing.assert_allclose(on.evaluate(on.arrays, None, rows), expected, atol=1e-13)
                on.evaluate(on.arrays, lambda block, f, c=c: c[block] * f, rows)
                pulled = model.vjp(on.params(w), X[rows], c * expected)
                np.testing.assert_allclose(on.gradient, pulled, atol=1e-12 * np.abs(pulled).max())
                flat = np.concatenate([gradient.ravel() for gradient in on.gradients.values()])
                np.testing.assert_array_equal(flat, on.gradient)


def test_signs_of_preactivations():
    net = MLP((5, 3), symmetric=True, bias_std=0.3)
    X, params = np.random.default_rng(0).normal(size=(7, 2)), net.init(2, 0)
    bits = np.unpackbits(net.activation_pattern(params, X), axis=1)[:, :16]
    expected = []
    for prefix in ("", "mirror_"):
        a = X
        for layer in range(2):
            root = np.sqrt(a.shape[1]) if layer else 1.0
            z = a @ params[f"{prefix}W{layer}"].T / root + 0.3 * params[f"{prefix}b{layer}"]
            expected.append(z >= 0)
            a = np.maximum(z, 0)
    np.testing.assert_array_equal(bits, np.concatenate(expected, axis=1))
    tangent = linearize(net, params)
    np.testing.assert_array_equal(
        tangent.activation_pattern(net.init(2, 1), X), net.activation_pattern(params, X)
    )
