"""Kernels computed piece by piece: tasks of rows, tiles, blocks, and chunks of neurons, at every seam."""

import numpy as np
import pytest
from sklearn import config_context

import ntklib
from ntklib.networks import MLP, TwoLayerNet
from ntklib.networks.tangent import _features as features
from ntklib.networks.tangent import _gram as gram
from tests import naive_networks as naive
from tests.registry_networks import CASES

FORMS = ("trace", "full", "diagonal")


def contracted(blocks, form):
    paths = {"trace": "iaja->ij", "full": "iajb->iajb", "diagonal": "iaja->ija"}
    return np.einsum(paths[form], blocks)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_seams_everywhere(case, monkeypatch):
    """Two rows a task, three a tile, 64 neurons a segment and next to no memory."""
    monkeypatch.setattr(features, "ROWS", 2)
    monkeypatch.setattr(features, "SEGMENT", 64)
    monkeypatch.setattr(gram, "ROWS", 2)
    monkeypatch.setattr(gram, "SEGMENT", 64)
    monkeypatch.setattr(gram, "_TILE", 3)
    net, params, X, Y = case.network, case.params, case.X, case.Y
    J, other = case.jacobian, case.other_jacobian
    bound = case.tolerance * np.linalg.norm(J, axis=(1, 2)).max() ** 2
    across = bound / np.linalg.norm(J, axis=(1, 2)).max() * np.linalg.norm(other, axis=(1, 2)).max()
    with config_context(working_memory=1e-4):
        for form in FORMS:
            K = net.ntk(params, X, output=form)
            assert np.abs(K - contracted(naive.ntk(J), form)).max() <= bound
            between = net.ntk(params, X, Y, output=form)
            assert np.abs(between - contracted(naive.ntk(J, other), form)).max() <= across
            turn = {"trace": (1, 0), "full": (2, 3, 0, 1), "diagonal": (1, 0, 2)}[form]
            np.testing.assert_array_equal(K, K.transpose(turn))
            if form != "full":
                index = np.arange(len(X))
                np.testing.assert_array_equal(net.ntk_diag(params, X, output=form), K[index, index])
        shares = net.ntk_layers(params, X)
        np.testing.assert_array_equal(shares, shares.transpose(0, 2, 1))
        assert np.abs(shares.sum(axis=0) - contracted(naive.ntk(J), "trace")).max() <= bound
        v = np.ones(4 if net.n_outputs == 1 else (4, net.n_outputs), case.dtype)
        found = net.ntk_matvec(params, X, v, Y)
        expected = naive.ntk(J, other).sum(axis=(2, 3))
        assert np.abs(case.outputs_as_columns(found) - expected).max() <= 4 * net.n_outputs * across


WIDE = [
    TwoLayerNet(2300, symmetric=True, bias_std=0.2),
    TwoLayerNet(2300, output_init="rademacher", activation="leaky_relu"),
    TwoLayerNet(2300, activation="tanh", n_outputs=2, trainable="hidden"),
    TwoLayerNet(2300, trainable="output", activation="erf"),
    MLP((150, 1100), activation="softplus", bias_std=0.3, n_outputs=2),
    MLP((1100, 70, 30), symmetric=True, trainable=(0, 2)),
]


@pytest.mark.parametrize("net", WIDE, ids=repr)
def test_real_sizes(net):
    """More rows and neurons than one task, tile or chunk holds; the Jacobian in NumPy is the other way."""
    X = np.random.default_rng(0).normal(size=(290, 3))
    params = net.init(3, 0)
    rows = np.r_[0:20, 125:135, 250:260, 285:290]
    J = net.jacobian(params, X[rows]).reshape(len(rows), net.n_outputs, -1)
    blocks = np.tensordot(J, J, axes=(2, 2))
    for memory in (1024, 1):
        with config_context(working_memory=memory), ntklib.set_threads(1 if memory == 1 else 2):
            for form in FORMS if net.n_outputs > 1 else FORMS[:1]:
                K = net.ntk(params, X, output=form)
                part = K[rows][:, :, rows] if form == "full" else K[rows][:, rows]
                assert np.abs(part - contracted(blocks, form)).max() <= 1e-12 * blocks.max()
                if form != "full":
                    index = np.arange(len(X))
                    np.testing.assert_array_equal(net.ntk_diag(params, X, output=form), K[index, index])
                    np.testing.assert_array_equal(K, np.swapaxes(K, 0, 1))
            cross = net.ntk(params, X[rows], X)
            assert np.abs(cross[:, rows] - contracted(blocks, "trace")).max() <= 1e-12 * blocks.max()
            shares = net.ntk_layers(params, X[:200])
            whole = net.ntk(params, X[:200])
            assert np.abs(shares.sum(axis=0) - whole).max() <= 1e-12 * blocks.max()
            v = np.cos(np.arange(290 * net.n_outputs)).reshape(-1, net.n_outputs).squeeze()
            found = net.ntk_matvec(params, X[rows], v, X)
            full = net.ntk(params, X[rows], X, output="full").reshape(len(rows) * net.n_outputs, -1)
            assert np.abs(found.ravel() - full @ v.ravel()).max() <= 1e-11 * blocks.max() * 290
