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
