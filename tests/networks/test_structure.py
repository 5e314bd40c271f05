"""What the formulas say by hand: homogeneity, rescaling, scale, and the gradient that a source misprints."""

import numpy as np
import pytest

from ntklib import kernels
from ntklib.networks import MLP, TwoLayerNet

PARAMETERIZATIONS = ("ntk", "standard", "mean_field", "mup")


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(
    ("depth", "degree"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (1, 0)]
)
def test_degree_of_homogeneity(depth, degree, symmetric, parameterization, rng):
    """f(c w) = c^q f(w) with q = 1 + n + ... + n^depth for sigma_n: depth + 1 for the ReLU."""
    net = MLP(
        (4, 3, 5)[:depth],
        activation=kernels.RectifiedPower(degree),
        parameterization=parameterization,
        symmetric=symmetric,
    )
    X = rng.normal(size=(5, 3))
    params = net.init(3, 0)
    w = net.ravel(params) * rng.uniform(0.5, 1.5, net.n_params(3))
    q = sum(degree**layer for layer in range(depth + 1))
    assert degree != 1 or q == depth + 1
    f = net.apply(net.unravel(params, w), X)
    for c in (0.5, 2.0):
        np.testing.assert_allclose(net.apply(net.unravel(params, c * w), X), c**q * f, rtol=1e-13)
    # Euler: J w = q f
    np.testing.assert_allclose(
        net.jvp(net.unravel(params, w), X, w), q * f, rtol=1e-11, atol=1e-14 * np.abs(f).max()
    )


@pytest.mark.parametrize("activation", ["leaky_relu", "abs", kernels.ABReLU(-0.5, 2.0), "identity"])
def test_one_homogeneous_activations_have_degree_depth_plus_one(activation, rng):
    net = MLP((4, 3), activation=activation)
    X, params = rng.normal(size=(5, 3)), net.init(3, 0)
    w = net.ravel(params)
    np.testing.assert_allclose(
        net.apply(net.unravel(params, 2 * w), X), 8 * net.apply(params, X), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("net", [TwoLayerNet(4, bias_std=0.5), MLP((4, 3), bias_std=0.5)], ids=repr)
def test_biases_break_homogeneity(net, rng):
    X, params = rng.normal(size=(5, 3)), net.init(3, 0)
    f, scaled = net.apply(params, X), net.apply(net.unravel(params, 2 * net.ravel(params)), X)
    assert np.abs(scaled - 2 ** (net.depth + 1) * f).max() > 0.05 * np.abs(f).max()


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
@pytest.mark.parametrize("c", [0.25, 3.0])
def test_rescaling_symmetry(c, parameterization, rng):
    """(c W_1, W_2/c) is the same ReLU function; its gradients are grad_1/c and c grad_2."""
    net = TwoLayerNet(6, parameterization=parameterization, n_outputs=2)
    X, params = rng.normal(size=(5, 3)), net.init(3, 0)
    rescaled = params.replace(W0=c * params["W0"], W1=params["W1"] / c)
    np.testing.assert_allclose(net.apply(rescaled, X), net.apply(params, X), rtol=1e-14)
    J, other = net.jacobian(params, X), net.jacobian(rescaled, X)
    first = params["W0"].size
    np.testing.assert_allclose(other[..., :first], J[..., :first] / c, rtol=1e-14)
    np.testing.assert_allclose(other[..., first:], J[..., first:] * c, rtol=1e-14)
    shares = net.ntk_layers(params, X)
    np.testing.assert_allclose(
        net.ntk(rescaled, X), shares[0] / c**2 + shares[1] * c**2, rtol=1e-13, atol=1e-14 * shares.max()
    )
    assert np.abs(net.ntk(rescaled, X) - net.ntk(params, X)).max() > 0.1 * np.abs(shares).max() * abs(c - 1)


@pytest.mark.parametrize("activation", ["relu", "tanh", "erf"])
def test_gradient_of_the_two_layer_net_by_hand(activation, rng):
    """df/dW = m^(-1/2) (sigma'(Wx) * v) x^T; printed as (sigma'(Wx) * x) v^T, its shapes do not match."""
    m, d = 7, 3
    net = TwoLayerNet(m, activation=activation)
    sigma = kernels.NTK(activation=activation)._architecture().activation
    params, x = net.init(d, 0), rng.normal(size=d)
    W, v = params["W0"], params["W1"][0]
    slope = sigma.derivative(W @ x)
    by_hand = np.outer(slope * v, x) / np.sqrt(m)
    found = net.jacobian(params, x[None])[0]
    np.testing.assert_allclose(found[: m * d].reshape(m, d), by_hand, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(found[m * d :], sigma(W @ x) / np.sqrt(m), rtol=1e-14, atol=1e-16)
    with pytest.raises(ValueError, match="broadcast"):
        np.outer(slope * x, v)
    K = net.ntk(params, x[None])[0, 0]
    theta = np.mean(sigma(W @ x) ** 2 + v**2 * (x @ x) * slope**2)
    assert theta == pytest.approx(K, rel=1e-14)


@pytest.mark.parametrize("alpha", [1e-3, 40.0])
def test_the_scale_multiplies_outputs_and_squares_into_the_kernel(alpha, rng):
    X, options = rng.normal(size=(4, 3)), {"activation": "tanh", "bias_std": 0.2, "n_outputs": 2}
    plain, scaled = MLP((4, 3), **options), MLP((4, 3), scale=alpha, **options)
    params = plain.init(3, 0)
    u, c = rng.normal(size=plain.n_params(3)), rng.normal(size=(4, 2))
    for method, arguments in (
        ("apply", ()),
        ("jacobian", ()),
        ("jvp", (u,)),
        ("vjp", (c,)),
        ("hvp", (c, u)),
        ("second_derivative", (u, u)),
    ):
        found, expected = (getattr(net, method)(params, X, *arguments) for net in (scaled, plain))
        np.testing.assert_allclose(found, alpha * expected, rtol=1e-12, atol=1e-13 * alpha)
    np.testing.assert_allclose(scaled.ntk(params, X), alpha**2 * plain.ntk(params, X), rtol=1e-12)
    np.testing.assert_allclose(
        scaled.ntk_layers(params, X), alpha**2 * plain.ntk_layers(params, X), rtol=1e-12
    )


def test_parameterizations_are_one_function_of_other_numbers(rng):
    """Multipliers moved into the entries: same outputs, and gradients divided by the multiplier."""
    X, options = rng.normal(size=(4, 3)), {"weight_std": 1.3, "bias_std": 0.4, "n_outputs": 2}
    ntk, standard = MLP((5, 4), **options), MLP((5, 4), parameterization="standard", **options)
    params, inside = ntk.init(3, 0), standard.init(3, 0)
    for name in params.names:
        factor = 0.4 if name[0] == "b" else 1.3 / np.sqrt({0: 1, 1: 5, 2: 4}[int(name[1])])
        np.testing.assert_allclose(inside[name], factor * params[name], rtol=1e-14)
    np.testing.assert_allclose(standard.apply(inside, X), ntk.apply(params, X), rtol=1e-12, atol=1e-13)
    mean_field, mup = (MLP((5, 4), parameterization=p, **options) for p in ("mean_field", "mup"))
    np.testing.assert_array_equal(
        mean_field.jacobian(params, X)[..., -10:-2] * 2, ntk.jacobian(params, X)[..., -10:-2]
    )
    np.testing.assert_allclose(mup.init(3, 0)["W2"], standard.init(3, 0)["W2"] / 2, rtol=1e-14)


def test_two_layer_net_is_the_mlp_of_one_hidden_layer(rng):
    X = rng.normal(size=(4, 3))
    two, mlp = TwoLayerNet(6, bias_std=0.3, symmetric=True), MLP((6,), bias_std=0.3, symmetric=True)
    params = two.init(3, 0)
    assert mlp.init(3, 0) == params
    np.testing.assert_array_equal(mlp.apply(params, X), two.apply(params, X))
    np.testing.assert_array_equal(mlp.ntk(params, X), two.ntk(params, X))
    assert two != mlp
