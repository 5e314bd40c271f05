"""The bound on how fast Jacobians change is attacked: never beaten, and not loose where it is needed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from ntklib import kernels
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import jacobian_lipschitz, lazy_certificate
from tests import naive_networks as naive
from tests.theory.attack import Twin, attack, whole_pair_ratios
from tests.theory.cases import N_FEATURES, NETS, ROUGH, name, rows

# ------------------------------------------------------------------ the attack


@pytest.mark.parametrize("net", NETS[::3], ids=name)
def test_the_adversary_knows_the_network(net):
    """Its Jacobians and Hessians are those of the network, differentiated number by number."""
    X, rng = rows(), np.random.default_rng(0)
    params = net.init(N_FEATURES, 3)
    twin = Twin(net, params, X)
    moved = 0.3 * rng.normal(size=(len(twin.v), twin.block))
    there = twin.params(moved)
    unit = net.__class__(**{**net.get_params(), "scale": 1.0})

    def columns(where):
        return np.concatenate([twin.jacobian(r, where[r : r + 1])[0] for r in range(len(twin.v))], axis=-1)

    gap = columns(moved) - columns(np.zeros_like(moved))
    other = naive.jacobian(unit, there, X) - naive.jacobian(unit, params, X)
    values = [np.linalg.svd(G.reshape(len(X) * twin.k, -1), compute_uv=False) for G in (gap, other)]
    size = min(len(values[0]), len(values[1]))
    np.testing.assert_allclose(values[0][:size], values[1][:size], rtol=1e-10, atol=1e-13)
    H = naive.hessian(unit, there, X).reshape(len(X) * twin.k, *2 * [unit.n_params(N_FEATURES)])
    for i, whole in enumerate(H):  # block diagonal: the same eigenvalues, one neuron after the other
        blocks = [np.linalg.eigvalsh(twin.hessian(r, moved[r : r + 1])[0, i]) for r in range(len(twin.v))]
        found, wanted = np.sort(np.concatenate(blocks)), np.linalg.eigvalsh(whole)
        np.testing.assert_allclose(found[np.abs(found) > 1e-9], wanted[np.abs(wanted) > 1e-9], rtol=1e-8)


@pytest.mark.parametrize("net", NETS, ids=name)
def test_never_beaten(net):
    """By second derivatives at points of the ball, and by pairs of points; reached within a factor of 2."""
    X, rng = rows(), np.random.default_rng(1)
    params = net.init(N_FEATURES, 3)
    twin = Twin(net, params, X)
    for radius in (0.05, 1.0):
        bound = float(jacobian_lipschitz(net, params, X, radius))
        second, pair = attack(twin, radius, rng)
        assert second <= bound * (1 + 1e-9)
        assert pair <= bound * (1 + 1e-9)
        assert bound < 2 * max(second, pair)


@pytest.mark.parametrize("net", NETS[::4], ids=name)
def test_never_beaten_by_pairs_that_differ_everywhere(net):
    X, rng = rows(), np.random.default_rng(2)
    params = net.init(N_FEATURES, 3)
    twin = Twin(net, params, X)
    for radius in (0.1, 3.0):
        bound = float(jacobian_lipschitz(net, params, X, radius))
        pairs = rng.normal(size=(2, 1000, len(twin.v), twin.block)) * twin.mask
        pairs *= radius / np.linalg.norm(pairs, axis=(2, 3), keepdims=True)
        assert whole_pair_ratios(twin, *pairs).max() <= bound


@pytest.mark.parametrize("net", NETS, ids=name)
def test_not_loose_where_certificates_need_it(net):
    """On the ball of a certificate the best pair found is at least a third of the bound."""
    X, y = rows(2), np.array([1.0, -0.5])
    if net.n_outputs > 1:
        y = np.outer(y, np.arange(1.0, net.n_outputs + 1))
    starts = (net.init(N_FEATURES, seed) for seed in range(3, 20))
    # three rectified neurons may be 0 on a row
    params = next(start for start in starts if lazy_certificate(net, start, X, y).sigma_min > 0)
    for theorem in ("A'", "A"):
        certificate = lazy_certificate(net, params, X, y, theorem=theorem)
        bound = float(jacobian_lipschitz(net, params, X, certificate.radius))
        assert bound == certificate.jacobian_lipschitz
        second, pair = attack(Twin(net, params, X), certificate.radius, np.random.default_rng(1))
        assert max(second, pair) <= bound * (1 + 1e-9)
        assert bound <= 3 * pair


# ------------------------------------------------------------------ what it is made of


def by_hand(net, params, X, radius):
    """Both bounds, neuron by neuron, without shortcuts."""
    twin, bounds = Twin(net, params, X), []
    gram, lengths = twin.X @ twin.X.T, np.linalg.norm(twin.X, axis=1)
    for theta, v, c in zip(twin.theta, np.linalg.norm(twin.v, axis=1), np.abs(twin.c), strict=True):
        z = twin.X @ theta
        s1, s2 = twin.sigma.derivative_bounds(z - radius * lengths, z + radius * lengths)
        v = v + radius * (net.trainable == "all")
        s1 = s1 * (net.trainable == "all")

        def norm(a, g):
            return np.abs(np.linalg.eigvalsh([[0, a], [a, g]])).max()

        rows_alone = [norm(c * a * x, c * v * g * x**2) for a, g, x in zip(s1, s2, lengths, strict=True)]
        A = c * np.sqrt(np.linalg.eigvalsh(np.outer(s1, s1) * gram)[-1])
        G = c * v * np.sqrt(np.linalg.eigvalsh(np.outer(s2, s2) * gram**2)[-1])
        bounds.append(min(np.linalg.norm(rows_alone), norm(A, G)))
    return max(bounds), int(np.argmax(bounds))


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNet(300, activation="erf"),
        TwoLayerNet(300, activation="gelu", bias_std=0.5, n_outputs=2, parameterization="mean_field"),
        TwoLayerNet(200, activation=kernels.RectifiedPower(2), symmetric=True, input_scaling="fan_in"),
        TwoLayerNet(300, activation="softplus", trainable="hidden", bias_std=0.2),
    ],
    ids=name,
)
@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_the_worst_neuron_is_found_without_looking_at_all(net, radius):
    X, params = rows(7), net.init(N_FEATURES, 0)
    value, neuron = by_hand(net, params, X, radius)
    bound = jacobian_lipschitz(net, params, X, radius)
    assert value <= bound.value <= value * (1 + 1e-8)
    assert bound.neuron % net.width == neuron % net.width  # copies are equal
    assert bound.radius == radius
    assert not bound.reason


@pytest.mark.parametrize("net", NETS[:15], ids=name)
def test_exact_for_one_row(net):
    """At radius 0, with one row, it is the largest eigenvalue of the Hessian (of one output)."""
    net = net.__class__(**{**net.get_params(), "n_outputs": 1, "scale": 1.0})
    X, params = rows(1), net.init(N_FEATURES, 3)
    H = naive.hessian(net, params, X)[0, 0]
    exact = np.abs(np.linalg.eigvalsh(H)).max()
    assert exact <= jacobian_lipschitz(net, params, X).value <= exact * (1 + 1e-8) + 1e-14


@pytest.mark.parametrize("net", NETS[::3], ids=name)
def test_laws(net):
    X, params = rows(), net.init(N_FEATURES, 3)
    values = [jacobian_lipschitz(net, params, X, B).value for B in (0.0, 0.01, 0.1, 1.0, 4.0)]
    assert values == sorted(values)
    some = jacobian_lipschitz(net, params, X[:2], 0.1).value
    twice = jacobian_lipschitz(net, params, np.vstack([X, X, np.zeros((1, N_FEATURES))]), 0.1).value
    # sigma_n of a zero row moves with its bias only; without one it adds nothing
    assert some <= values[2] * (1 + 1e-12)
    if net.bias_std == 0:
        assert twice == pytest.approx(np.sqrt(2) * values[2], rel=1e-8)
    other = net.__class__(**{**net.get_params(), "scale": 17.0})
    assert jacobian_lipschitz(other, params, X, 0.1).value == values[2]  # of h, whatever the scale
    assert jacobian_lipschitz(other.centered_at(params), params, X, 0.1).value == values[2]
    assert jacobian_lipschitz(net, params, sparse.csr_array(X), 0.1).value == pytest.approx(values[2])
    options = {k: v for k, v in net.get_params().items() if k != "width"}
    assert jacobian_lipschitz(MLP((net.width,), **options), params, X, 0.1).value == values[2]


def test_rectified_squares_have_one_bound_for_all_balls():
    """Hidden layer only, sigma_2: 2 max|v_r| sqrt(lambda_max(sum |x_i|^2 x_i x_i^T)/m) at every radius."""
    net = TwoLayerNet(50, activation=kernels.RectifiedPower(2), trainable="hidden")
    X, params = rows(6), net.init(N_FEATURES, 0)
    weighted = X * np.linalg.norm(X, axis=1, keepdims=True)
    everywhere = 2 * np.abs(params["W1"]).max() * np.sqrt(np.linalg.eigvalsh(weighted.T @ weighted)[-1] / 50)
    values = [jacobian_lipschitz(net, params, X, B).value for B in (0.0, 0.3, 100.0, 1e6)]
    assert values[0] < values[2] == values[3] <= everywhere
    assert values[3] > 0.5 * everywhere


def test_output_layer_only_is_linear():
    for sigma in ("relu", "erf", kernels.NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z))):
        net = TwoLayerNet(5, activation=sigma, trainable="output", symmetric=True)
        assert float(jacobian_lipschitz(net, net.init(3, 0), rows(), 10.0)) == 0.0


@pytest.mark.parametrize("sigma", ROUGH, ids=repr)
def test_kinks_are_refused_with_a_reason(sigma):
    net = TwoLayerNet(5, activation=sigma)
    bound = jacobian_lipschitz(net, net.init(3, 0), rows(), 0.1)
    assert float(bound) == np.inf
    assert re.search(r"jumps", bound.reason)


def test_balls_too_large_for_floating_point():
    net = TwoLayerNet(5, activation="exp")
    bound = jacobian_lipschitz(net, net.init(3, 0), rows(), 1e4)
    assert float(bound) == np.inf
    assert "overflow" in bound.reason


@pytest.mark.parametrize(
    ("net", "radius", "error", "message"),
    [
        (MLP((4, 3), activation="erf"), 0.1, ValueError, "one hidden layer, and this one has 2"),
        (
            TwoLayerNet(3, activation=kernels.NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z))),
            0.1,
            ValueError,
            "at points only",
        ),
        (TwoLayerNet(3, activation="erf"), -1.0, ValueError, "radius"),
        (TwoLayerNet(3, activation="erf"), np.nan, ValueError, "radius"),
    ],
    ids=["deep", "numerical", "negative", "nan"],
)
def test_what_has_no_bound(net, radius, error, message):
    with pytest.raises(error, match=message):
        jacobian_lipschitz(net, net.init(3, 0), rows(), radius)


def test_what_is_no_network():
    net = TwoLayerNet(3, activation="erf")
    with pytest.raises(TypeError, match="net must be"):
        jacobian_lipschitz(np.eye(3), net.init(3, 0), rows())
    with pytest.raises(TypeError, match="params"):
        jacobian_lipschitz(net, np.zeros(12), rows())
