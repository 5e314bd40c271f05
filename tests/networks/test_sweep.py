"""Outputs and gradients in sweeps: segments of neurons, groups and chunks of rows, blocks, threads."""

import numpy as np
import pytest
from sklearn import config_context

import ntklib
from ntklib.networks import MLP, TwoLayerNet
from ntklib.networks import _derivatives as derivatives
from ntklib.networks import _sweep as sweep
from tests import naive_networks as naive
from tests.registry_networks import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_seams_everywhere(case, monkeypatch):
    """Two neurons a segment, one row a group at least, eight a chunk, and every task in a thread."""
    monkeypatch.setattr(sweep, "ROWS", 8)
    monkeypatch.setattr(derivatives, "ROWS", 8)
    monkeypatch.setattr(sweep, "SEGMENTS", (2, 2))
    monkeypatch.setattr(sweep, "SERIAL", 0.0)
    net, params, X = case.network, case.params, np.concatenate([case.X, case.X[::-1], case.X])
    J = np.concatenate([case.jacobian, case.jacobian[::-1], case.jacobian])
    f = np.tile(naive.outputs(net, params, case.X), (3, 1))
    f[6:12] = f[5::-1]
    c = np.random.default_rng(6).normal(size=f.shape).astype(case.dtype)
    size = max(np.abs(J).max(), np.abs(f).max(), np.abs(case.jacobian).sum(axis=2).max() * case.spread)
    gradient = np.einsum("ia,iap->p", c, J)
    shaped = c[:, 0] if net.n_outputs == 1 else c
    for memory, threads in ((1e-4, 1), (1024, 2)):
        with config_context(working_memory=memory), ntklib.set_threads(threads):
            found = case.outputs_as_columns(net.apply(params, X))
            assert np.abs(found - f).max() <= 10 * case.tolerance * size
            found = net.vjp(params, X, shaped)
            assert np.abs(found - gradient).max() <= 10 * case.tolerance * size
            again, found = net.value_and_vjp(params, X, lambda rows, f: shaped[rows])
            assert np.abs(case.outputs_as_columns(again) - f).max() <= 10 * case.tolerance * size
            assert np.abs(found - gradient).max() <= 10 * case.tolerance * size


WIDE = [
    TwoLayerNet(1300, bias_std=0.2, symmetric=True),
    TwoLayerNet(1300, activation="gelu", n_outputs=3),
    MLP((600, 130, 90), activation="tanh", bias_std=0.3),
    MLP((70, 1030), symmetric=True, n_outputs=2, trainable=(0, 2)),
    MLP((300, 200), trainable=(1,), activation="softplus"),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("net", WIDE, ids=repr)
def test_the_same_bytes_at_any_thread_count(net, dtype):
    """And the numbers that plain NumPy gives."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 5)).astype(dtype)
    params = net.init(5, 0, dtype=dtype)
    c = rng.normal(size=700 if net.n_outputs == 1 else (700, net.n_outputs)).astype(dtype)
    found = []
    for threads in (1, 2):
        with ntklib.set_threads(threads):
            found.append([net.apply(params, X), net.vjp(params, X, c)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    f, gradient = by_hand(net, params, X.astype(float), c.astype(float).reshape(700, -1))
    tolerance = 1e-12 if dtype is np.float64 else 2e-5
    size = max(1.0, np.abs(f).max())
    assert np.abs(found[0][0].reshape(f.shape) - f).max() <= tolerance * size
    assert np.abs(found[0][1] - gradient).max() <= tolerance * np.abs(gradient).max() * 10


def by_hand(net, params, X, c):
    """A forward and a backward pass on whole arrays."""
    sigma = naive.activation_of(net)
    f, gradients = 0.0, {}
    for prefix, sign in (("", 1.0), ("mirror_", -1.0))[: 1 + net.symmetric]:
        weight = [params[f"{prefix}W{layer}"].astype(float) for layer in range(net.depth + 1)]
        factors = naive.factors(net, X.shape[1])
        a, h = [X], []
        for layer, factor in enumerate(factors):
            z = factor["weight"] * a[-1] @ weight[layer].T
            if net.bias_std:
                z = z + factor["bias"] * params[f"{prefix}b{layer}"]
            h.append(z)
            a.append(sigma(z))
        part = sign * net.scale / np.sqrt(2 if net.symmetric else 1)
        f = f + part * h[-1]
        g = part * c
        for layer in range(net.depth, -1, -1):
            gradients[f"{prefix}W{layer}"] = factors[layer]["weight"] * g.T @ a[layer]
            gradients[f"{prefix}b{layer}"] = factors[layer]["bias"] * g.sum(axis=0)
            if layer:
                g = factors[layer]["weight"] * (g @ weight[layer]) * sigma.derivative(h[layer - 1])
    names = naive.trained_arrays(net, params)
    return f, np.concatenate([gradients[name].ravel() for name in names])
