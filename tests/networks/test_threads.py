"""Results are the same bytes at any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from ntklib import set_threads
from ntklib.networks import MLP, TwoLayerNet

NETWORKS = [
    TwoLayerNet(300, activation="gelu", bias_std=0.2),
    TwoLayerNet(200, symmetric=True, n_outputs=2),
    MLP((70, 90), activation="erf", bias_std=0.3),
    MLP((40, 30, 20), activation="tanh", parameterization="mup", symmetric=True),
]


@pytest.fixture(params=NETWORKS, ids=lambda net: f"{type(net).__name__}-{net.depth}-{net.n_outputs}")
def case(request):
    net, rng = request.param, np.random.default_rng(0)
    X = rng.standard_normal((700, 6))
    params = net.init(6, 0)
    params = net.unravel(params, net.ravel(params) + 0.1 * rng.standard_normal(net.n_params(6)))
    c = rng.standard_normal(net.apply(params, X).shape)
    return net, params, X, c, rng.standard_normal((2, net.n_params(6)))


@pytest.mark.parametrize(
    "what",
    [
        lambda net, params, X, c, v: net.apply(params, X),
        lambda net, params, X, c, v: net.jacobian(params, X),
        lambda net, params, X, c, v: net.jvp(params, X, v[0]),
        lambda net, params, X, c, v: net.vjp(params, X, c),
        lambda net, params, X, c, v: net.hvp(params, X, c, v[0]),
        lambda net, params, X, c, v: net.second_derivative(params, X, v[0], v[1]),
        lambda net, params, X, c, v: net.ntk_matvec(params, X, c),
        lambda net, params, X, c, v: net.ntk(params, X),
        lambda net, params, X, c, v: net.nngp(params, X),
        lambda net, params, X, c, v: net.activation_pattern(params, X),
    ],
    ids=["apply", "jacobian", "jvp", "vjp", "hvp", "second", "matvec", "ntk", "nngp", "pattern"],
)
def test_the_same_bytes_at_any_number_of_threads(what, case):
    results = []
    for threads in (1, 2, 3):
        with set_threads(threads):
            results.append(what(*case))
    assert np.any(results[0])
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 5, 50, 129, 251, 400, 777, 1100])
def test_kernels_of_one_tile_of_few_and_of_many(n, dtype):
    """Schedules differ with the threads, tiles do not; the diagonal and the mirror image are exact."""
    net, X = TwoLayerNet(700), np.random.default_rng(n).standard_normal((n, 6)).astype(dtype)
    params, results = net.init(6, 0, dtype=dtype), []
    for threads in (1, 2, 4):
        with set_threads(threads):
            results.append((net.ntk(params, X), net.ntk_diag(params, X), net.ntk_layers(params, X)))
    K, diagonal, shares = results[0]
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(K, K.T)
    np.testing.assert_array_equal(shares, shares.transpose(0, 2, 1))
    np.testing.assert_array_equal(np.diag(K), diagonal)
    Z = X.astype(float) @ params["W0"].astype(float).T
    signals = (Z >= 0) * params["W1"][0].astype(float)
    hidden, top = (
        (X.astype(float) @ X.T) * (signals @ signals.T) / 700,
        np.maximum(Z, 0) @ np.maximum(Z, 0).T / 700,
    )
    # float32 preactivations near 0 may have another sign than the exact ones: slopes of a few neurons
    bound = 1e-12 if dtype == np.float64 else 2e-3
    assert np.abs(K - hidden - top).max() <= bound * np.abs(K).max()
    assert np.abs(shares[0] - hidden).max() <= bound * np.abs(K).max()
    assert np.abs(shares[1] - top).max() <= bound * np.abs(K).max()
