"""Networks with options thrown together at random against the twins."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ntklib.networks import MLP
from tests import naive_networks as naive
from tests.registry import ACTIVATIONS


@st.composite
def networks(draw):
    widths = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    if len(widths) == 1 and draw(st.booleans()):
        widths = (draw(st.sampled_from([64, 65])),)
    layers = st.sets(st.integers(0, len(widths)), min_size=1).map(tuple)
    return MLP(
        widths,
        activation=draw(st.sampled_from(ACTIVATIONS)).activation,
        parameterization=draw(st.sampled_from(["ntk", "standard", "mean_field", "mup"])),
        trainable=draw(st.one_of(st.sampled_from(["all", "hidden", "output"]), layers)),
        weight_std=draw(st.sampled_from([0.5, 1.0, 1.5])),
        bias_std=draw(st.sampled_from([0.0, 0.3, 1.0])),
        input_scaling=draw(st.sampled_from(["none", "fan_in"])),
        symmetric=draw(st.booleans()),
        output_init=draw(st.sampled_from(["gaussian", "rademacher"])),
        n_outputs=draw(st.integers(1, 3)),
        scale=draw(st.sampled_from([0.1, 1.0, 5.0])),
    )


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(networks(), st.integers(1, 3), st.integers(1, 4), st.integers(0, 100))
def test_everything_at_once(net, n_features, n, seed):
    rng = np.random.default_rng(seed)
    X, k = 0.5 * rng.normal(size=(n, n_features)), net.n_outputs
    params = net.init(n_features, rng)
    order = 2 if net.n_params(n_features) <= 60 else 1
    with np.errstate(all="ignore"):
        jets = naive.jets(net, params, X, order=order)
    f = np.array([[unit.value for unit in row] for row in jets])
    J = np.array([[unit.slope for unit in row] for row in jets])
    assume(np.abs(f).max() < 1e50 and np.abs(J).max() < 1e50)  # exp(exp(exp(z)))
    single = net.__class__(**(net.get_params() | {"symmetric": False}))
    reach = np.abs(naive.outputs(single, params, X)).max()  # what cancels in symmetric networks
    c, (u, v) = rng.normal(size=(n, k)), rng.normal(size=(2, J.shape[2]))
    size = np.linalg.norm(J)
    assert net.n_params(n_features) == J.shape[2]
    for found, expected, scale in (
        (net.apply(params, X), f, reach),
        (net.jacobian(params, X), J, size),
        (net.jvp(params, X, u), J @ u, size * np.linalg.norm(u)),
        (net.vjp(params, X, c), np.einsum("ia,iap->p", c, J), size * np.linalg.norm(c)),
        (net.ntk(params, X, output="full"), naive.ntk(J), size**2),
        (net.ntk_diag(params, X), np.einsum("iap,iap->i", J, J), size**2),
    ):
        assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-12 * scale
    weighted = J * np.sqrt(naive.column_multipliers(net, params))
    found = net.ntk(params, X, weighted=True)
    expected = np.einsum("iaja->ij", naive.ntk(weighted))
    assert np.abs(found - expected).max() <= 1e-12 * np.linalg.norm(weighted) ** 2
    if order == 2:
        H = np.array([[unit.bend for unit in row] for row in jets])
        scale = np.linalg.norm(H) * np.linalg.norm(u) * np.linalg.norm(v) * np.linalg.norm(c)
        found = net.second_derivative(params, X, u, v).reshape(n, k)
        assert np.abs(found - np.einsum("iapq,p,q->ia", H, u, v)).max() <= 1e-11 * scale
        found = net.hvp(params, X, c, v)
        assert np.abs(found - np.einsum("ia,iapq,q->p", c, H, v)).max() <= 1e-11 * scale
