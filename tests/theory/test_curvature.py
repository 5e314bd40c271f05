"""The norm of the second derivative: never above its upper end, never short of what brute force finds."""

import numpy as np
import pytest
from scipy import sparse

from ntklib.kernels import ABReLU, NumericalActivation, RectifiedPower
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import Interval, jacobian_lipschitz, second_derivative_norm
from tests import naive_networks as naive
from tests.theory.attack import Twin, bilinear_norm

ROWS = np.array([[0.9, -0.4], [0.3, 1.1], [-0.7, 0.2]])
SHALLOW = [
    TwoLayerNet(3, activation="erf"),
    TwoLayerNet(3, activation="relu"),
    TwoLayerNet(3, activation=RectifiedPower(2), parameterization="standard", scale=5.0),
    TwoLayerNet(3, activation="softplus", bias_std=0.6, input_scaling="fan_in"),
    TwoLayerNet(2, activation="erf", symmetric=True, weight_std=1.4),
    TwoLayerNet(3, activation="gelu", trainable="hidden"),
    TwoLayerNet(3, activation=ABReLU(0.3, 1.2), parameterization="mean_field"),
    TwoLayerNet(3, activation="erf", n_outputs=2),
    TwoLayerNet(3, activation="softplus", n_outputs=2, trainable="hidden"),
    MLP((3,), activation="erf", parameterization="mup", output_init="rademacher"),
]
DEEP = [
    MLP((3, 2), activation="erf"),
    MLP((2, 2, 2), activation="softplus", bias_std=0.3),
    MLP((3, 2), activation=RectifiedPower(2), n_outputs=2),
    MLP((3, 2), activation="erf", trainable=(1,)),
]


def names(net):
    return " ".join(repr(net).split())


def moved(net, seed=1):
    """Parameters at which the copies of a symmetric network differ."""
    params = net.init(2, seed)
    w = net.ravel(params)
    return net.unravel(params, w + 0.1 * np.random.default_rng(seed).normal(size=w.shape))


def hessians(net, params, X):
    """Of every output of every row at scale 1, (n k, p, p)."""
    p = net.n_params(X.shape[1])
    return naive.hessian(net, params, X).reshape(-1, p, p) / net.scale


def brute_force(H, fineness=1500):
    """The largest norm of a combination of Hessians, over a grid of unit combinations of two or three."""
    if len(H) == 1:
        return np.abs(np.linalg.eigvalsh(H[0])).max()
    angle = np.pi * np.arange(fineness) / fineness
    if len(H) == 2:
        c = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        height = (np.arange(fineness) + 0.5) / fineness  # half a sphere: signs do not matter
        turn = np.pi * (1 + 5**0.5) * np.arange(fineness)
        ring = np.sqrt(1 - height**2)
        c = np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)
    return np.abs(np.linalg.eigvalsh(np.einsum("ci,ipq->cpq", c, H))).max()


@pytest.mark.parametrize("net", SHALLOW, ids=names)
def test_one_hidden_layer_between_brute_force_and_the_bound(net):
    for n in (1, 2, 3) if net.n_outputs == 1 else (1,):
        X, params = ROWS[:n], moved(net)
        H = hessians(net, params, X)
        found, truth = second_derivative_norm(net, params, X), brute_force(H)
        assert found.lower <= found.upper
        assert truth <= found.upper * (1 + 1e-9)
        assert found.lower >= truth * (1 - 1e-8)
        assert found.lower <= truth * (1 + (1e-12 if len(H) == 1 else 1e-5 if len(H) == 2 else 3e-3))
        if n == 1:
            assert found.upper / found.lower - 1 < 5e-9
        if len(H) == 1:  # a grid is not exact
            assert truth in found


@pytest.mark.parametrize("net", DEEP, ids=names)
def test_deep_networks_from_below(net):
    X, params = ROWS[: 2 // net.n_outputs], moved(net)
    found, truth = second_derivative_norm(net, params, X), brute_force(hessians(net, params, X))
    assert truth * (1 - 1e-3) <= found.lower <= truth * (1 + 1e-5)
    assert found.upper == np.inf
    assert "hidden layer" in found.reason
    assert str(found).startswith("at least ")


def test_one_row_has_its_exact_norm():
    """max over neurons of (|v s''| |x|^2 + sqrt(v^2 s''^2 |x|^4 + 4 s'^2 |x|^2)) / 2 sqrt(m)."""
    net = TwoLayerNet(40, activation="erf")
    params, x = net.init(5, 3), np.random.default_rng(4).normal(size=5)
    z, v, length = params["W0"] @ x, params["W1"][0], np.linalg.norm(x)
    first = 2 / np.sqrt(np.pi) * np.exp(-(z**2))
    second = -2 * z * first
    curved = np.abs(v * second) * length**2
    truth = ((curved + np.sqrt(curved**2 + 4 * first**2 * length**2)) / 2).max() / np.sqrt(40)
    found = second_derivative_norm(net, params, x[None])
    assert found.lower == pytest.approx(truth, rel=3e-9)
    assert found.upper == pytest.approx(truth, rel=3e-9)
    assert truth in found


@pytest.mark.parametrize("activation", ["erf", "gelu"])
def test_the_search_finds_the_neuron_that_decides(activation):
    """The one with the largest bound need not be it: against searches in the blocks of all neurons."""
    net, rng = TwoLayerNet(40, activation=activation), np.random.default_rng(0)
    for seed in range(20):
        X, params = np.random.default_rng(seed).normal(size=(6, 3)), net.init(3, seed)
        twin = Twin(net, params, X)
        still = np.zeros((4, twin.block))  # four random starts a neuron
        H = np.concatenate([twin.hessian(r, still) for r in range(40)])
        best = bilinear_norm(H, rng, sweeps=60)[0].max()
        assert second_derivative_norm(net, params, X).lower >= best * (1 - 1e-6)


def test_pairs_never_beat_the_bound():
    rng = np.random.default_rng(5)
    net = TwoLayerNet(4, activation=RectifiedPower(3), symmetric=True, n_outputs=2)
    X, params = rng.normal(size=(4, 2)), moved(net)
    H, found = hessians(net, params, X), second_derivative_norm(net, params, X)
    u, s = rng.normal(size=(2, 3000, H.shape[1]))
    u[:1000] *= rng.random((1000, H.shape[1])) < 0.3  # some in few coordinates
    u, s = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (u, s))
    for _ in range(3):  # the second and third time from pairs that have been improved
        values = np.einsum("ipq,bp,bq->bi", H, u, s, optimize=True)
        assert np.linalg.norm(values, axis=1).max() <= found.upper
        u = np.einsum("bi,ipq,bq->bp", values, H, s, optimize=True)
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        u, s = s, u
    assert np.linalg.norm(values, axis=1).max() >= 0.9 * found.lower


def test_what_is_linear_has_none():
    net = TwoLayerNet(5, trainable="output")
    assert second_derivative_norm(net, net.init(2, 0), ROWS) == Interval(0.0, 0.0)
    deep = MLP((4, 3), trainable=(2,))
    assert second_derivative_norm(deep, deep.init(2, 0), ROWS).lower == 0
    step = TwoLayerNet(5, activation="step")
    assert second_derivative_norm(step, step.init(2, 0), ROWS) == Interval(0.0, 0.0)


def test_a_smooth_network_on_no_ball():
    """At radius 0 the bound of the Jacobian's Lipschitz constant is the one from above."""
    net = TwoLayerNet(30, activation="softplus", bias_std=0.4)
    params = net.init(2, 0)
    found = second_derivative_norm(net, params, ROWS)
    assert found.upper == pytest.approx(jacobian_lipschitz(net, params, ROWS).value, rel=1e-8)


def test_models_and_rows_of_all_kinds():
    net = TwoLayerNet(20, activation="erf")
    params = net.init(2, 0)
    found = second_derivative_norm(net, params, ROWS)
    assert second_derivative_norm(net.set_params(scale=7.0), params, ROWS) == found
    assert second_derivative_norm(net.centered_at(params), params, sparse.csr_array(ROWS)) == found
    assert second_derivative_norm(net, params, ROWS, random_state=1).upper == found.upper
    single = net.init(2, 0, dtype=np.float32)
    assert second_derivative_norm(net, single, ROWS).lower == pytest.approx(found.lower, rel=1e-5)
    numerical = NumericalActivation(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
    tanh = TwoLayerNet(20, activation=numerical)
    assert 0 < second_derivative_norm(tanh, params, ROWS).lower < np.inf
    with pytest.raises(TypeError, match="TwoLayerNet"):
        second_derivative_norm(object(), params, ROWS)


def test_more_features_than_rows_and_more_rows_than_features():
    rng = np.random.default_rng(0)
    for shape in ((3, 30), (30, 3)):
        X = rng.normal(size=shape) / 2
        net = TwoLayerNet(50, activation="erf")
        params = net.init(shape[1], 0)
        found = second_derivative_norm(net, params, X)
        assert 0.85 * found.upper < found.lower < found.upper
        u = s = rng.normal(size=net.n_params(shape[1]))  # a search of its own through products with Hessians
        for _ in range(60):
            c = net.second_derivative(params, X, u / np.linalg.norm(u), s / np.linalg.norm(s))
            u, s = s, net.hvp(params, X, c, s / np.linalg.norm(s))
        assert np.linalg.norm(c) <= found.lower * (1 + 1e-9)


def test_intervals():
    interval = Interval(1.0, 2.0)
    assert 3 * interval == interval * 3 == Interval(3.0, 6.0)
    assert 0 * Interval(1.0, np.inf) == Interval(0.0, 0.0)
    assert 1.5 in interval
    assert 2.5 not in interval
    assert [str(one) for one in (interval, Interval(1.0, 1.000001))] == ["1 to 2", "1"]
