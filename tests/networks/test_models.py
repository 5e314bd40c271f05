"""Linearised, second-order and centred models: the network itself at w_0, polynomials away from it."""

import numpy as np
import pytest
from scipy import sparse

from ntklib.networks import MLP, CenteredModel, TwoLayerNet, linearize, taylor
from tests.registry_networks import CASES, SMOOTH

EVERY = pytest.mark.parametrize("case", CASES, ids=str)


def parts(case, count=3):
    net = case.network
    rng = np.random.default_rng(21)
    vectors = [rng.normal(size=net.n_params(3)).astype(case.dtype) for _ in range(count)]
    c = rng.normal(size=6 if net.n_outputs == 1 else (6, net.n_outputs)).astype(case.dtype)
    return vectors, c


def near(found, expected, case, scale=0.0):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    bound = 10 * case.tolerance * (np.abs(expected).max() + scale + np.finfo(case.dtype).tiny)
    assert np.abs(found - expected).max() <= bound


def models(net, params):
    return {
        "linear": linearize(net, params),
        "quadratic": taylor(net, params, order=2),
        "centered": net.centered_at(params),
    }


@EVERY
def test_equal_to_the_network_where_they_were_made(case):
    net, params, X = case.network, case.params, case.X
    (u, v, _), c = parts(case)
    bend = np.abs(net.second_derivative(params, X, u, u)).max()
    for name, model in models(net, params).items():
        expected = net.apply(params, X)
        if name == "centered":
            np.testing.assert_array_equal(model.apply(params, X), 0 * expected)
        else:
            near(model.apply(params, X), expected, case)
        near(model.jacobian(params, X), net.jacobian(params, X), case)
        near(model.jvp(params, X, u), net.jvp(params, X, u), case)
        near(model.vjp(params, X, c), net.vjp(params, X, c), case)
        scale = np.sqrt(np.outer(*2 * [net.ntk_diag(params, X)])).max()
        near(model.ntk(params, X), net.ntk(params, X), case, scale)
        near(model.ntk(params, X, case.Y), net.ntk(params, X, case.Y), case, scale)
        curved = net.second_derivative(params, X, u, v)
        product = net.hvp(params, X, c, v)
        if name == "linear":
            curved, product = 0 * curved, 0 * product
        near(model.second_derivative(params, X, u, v), curved, case, bend)
        near(model.hvp(params, X, c, v), product, case, bend)
        np.testing.assert_array_equal(model.ravel(params), net.ravel(params))
        assert model.unravel(params, model.ravel(params)) == params


@EVERY
def test_polynomials_away_from_where_they_were_made(case):
    """The values are those of the polynomial with the network's derivatives as its coefficients."""
    net, X = case.network, case.X
    (step, u, v), c = parts(case)
    step = (0.3 * case.spread * step).astype(case.dtype)
    moved = net.unravel(case.params, net.ravel(case.params) + step)
    step = net.ravel(moved) - net.ravel(case.params)
    f, first = net.apply(case.params, X), net.jvp(case.params, X, step)
    second = net.second_derivative(case.params, X, step, step)
    scale = np.abs(first).max() + np.abs(second).max() + np.abs(f).max()
    linear, quadratic = linearize(net, case.params), taylor(net, case.params, order=2)
    near(linear.apply(moved, X), f + first, case, scale)
    near(quadratic.apply(moved, X), f + first + second / 2, case, scale)
    J = net.jacobian(case.params, X)
    near(linear.jacobian(moved, X), J, case)
    slope = np.abs(net.jvp(case.params, X, u)).max() + np.abs(J).max() * np.abs(u).sum()
    near(linear.jvp(moved, X, u), net.jvp(case.params, X, u), case, slope)
    turn = net.second_derivative(case.params, X, step, u)
    near(quadratic.jvp(moved, X, u), net.jvp(case.params, X, u) + turn, case, slope + np.abs(turn).max())
    pulled, bent = net.vjp(case.params, X, c), net.hvp(case.params, X, c, step)
    near(linear.vjp(moved, X, c), pulled, case)
    near(quadratic.vjp(moved, X, c), pulled + bent, case, np.abs(pulled).max() + np.abs(bent).max())
    assert abs(quadratic.jvp(moved, X, u).ravel() @ c.ravel() - quadratic.vjp(moved, X, c) @ u) <= (
        100 * case.tolerance * (slope + np.abs(turn).max() + np.abs(pulled).max() * np.abs(u).sum())
    )
    curved = net.second_derivative(case.params, X, u, v)
    near(quadratic.second_derivative(moved, X, u, v), curved, case)
    near(quadratic.hvp(moved, X, c, v), net.hvp(case.params, X, c, v), case)
    np.testing.assert_array_equal(linear.hvp(moved, X, c, v), 0)
    K = net.ntk(case.params, X)
    near(linear.ntk(moved, X), K, case)
    bent = quadratic.jacobian(moved, X).reshape(6, net.n_outputs, -1)
    expected = np.einsum("iap,jap->ij", bent, bent)
    near(quadratic.ntk(moved, X), expected, case, np.abs(expected).max())


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_orders_of_the_remainder(case):
    """|f - f_1| falls like h^2 and |f - f_2| like h^3."""
    net, X = case.network, case.X
    (step, *_), _ = parts(case)
    step *= case.spread / np.linalg.norm(step)
    errors = {1: [], 2: []}
    for h in (0.04, 0.02):
        moved = net.unravel(case.params, net.ravel(case.params) + h * step)
        for order, list_ in errors.items():
            difference = taylor(net, case.params, order=order).apply(moved, X) - net.apply(moved, X)
            list_.append(np.abs(difference).max())
    size = np.abs(net.jvp(case.params, X, step)).max() + np.abs(net.apply(case.params, X)).max()
    for order, (far, close) in errors.items():
        assert far <= 50 * size * 0.04**order
        assert close <= 0.75 * far / 2**order + 1e-13 * size or far <= 1e-12 * size


@EVERY
def test_centred(case):
    net, params, X = case.network, case.params, case.X
    model = net.centered_at(case.initial)
    near(
        model.apply(params, X),
        net.apply(params, X) - net.apply(case.initial, X),
        case,
        np.abs(net.apply(params, X)).max(),
    )
    (u, v, _), c = parts(case)
    np.testing.assert_array_equal(model.jvp(params, X, u), net.jvp(params, X, u))
    np.testing.assert_array_equal(model.vjp(params, X, c), net.vjp(params, X, c))
    np.testing.assert_array_equal(model.hvp(params, X, c, v), net.hvp(params, X, c, v))
    np.testing.assert_array_equal(model.ntk(params, X), net.ntk(params, X))


@pytest.mark.parametrize(
    "net", [TwoLayerNet(5, bias_std=0.3), MLP((4, 3), activation="erf", n_outputs=2)], ids=repr
)
def test_orders(net):
    params, X = net.init(3, 0), np.ones((2, 3))
    linear = taylor(net, params, order=1)
    np.testing.assert_array_equal(linear.apply(params, X), linearize(net, params).apply(params, X))
    np.testing.assert_array_equal(linear.jacobian(params, X), linearize(net, params).jacobian(params, X))
    for order in (0, 3, -1):
        with pytest.raises(ValueError, match="order"):
            taylor(net, params, order=order)
    for order in (1.5, "2", None):
        with pytest.raises((TypeError, ValueError), match="order"):
            taylor(net, params, order=order)


@pytest.mark.parametrize("case", CASES[::5], ids=str)
def test_sparse_rows(case):
    net, X = case.network, sparse.csr_matrix(case.X)
    (u, v, _), c = parts(case)
    for model in models(net, case.initial).values():
        for method, arguments in (
            ("apply", ()),
            ("jacobian", ()),
            ("jvp", (u,)),
            ("vjp", (c,)),
            ("hvp", (c, v)),
            ("second_derivative", (u, v)),
            ("ntk", ()),
        ):
            found, expected = (getattr(model, method)(case.params, rows, *arguments) for rows in (X, case.X))
            near(found, expected, case)


@pytest.mark.parametrize("make", [linearize, taylor, lambda net, params: net.centered_at(params)])
def test_parameters_of_another_network(make):
    net = TwoLayerNet(5)
    with pytest.raises(ValueError, match="W0"):
        make(net, TwoLayerNet(6).init(3, 0))
    with pytest.raises(TypeError, match="params"):
        make(net, [1.0, 2.0])
    model = make(net, net.init(3, 0))
    with pytest.raises(ValueError, match=r"W0"):
        model.apply(TwoLayerNet(6).init(3, 0), np.ones((2, 3)))
    other, X, c, u = net.init(4, 0), np.ones((2, 4)), np.ones(2), np.ones(25)
    for method, arguments in (
        ("apply", ()),
        ("jacobian", ()),
        ("jvp", (u,)),
        ("vjp", (c,)),
        ("hvp", (c, u)),
        ("second_derivative", (u, u)),
        ("ntk", ()),
    ):
        if method == "apply" or not isinstance(model, CenteredModel):
            with pytest.raises(ValueError, match=r"W0|4 features.*3"):
                getattr(model, method)(other, X, *arguments)
    with pytest.raises(TypeError, match="params"):
        model.apply(net.ravel(other), X[:, :3])


@EVERY
def test_every_form_of_the_kernel_is_offered(case):
    net, params, X, Y = case.network, case.params, case.X, case.Y
    vectors, c = parts(case)
    moved = net.unravel(params, net.ravel(params) + 0.1 * vectors[0])
    for model, at in ((linearize(net, params), params), (net.centered_at(params), moved)):
        np.testing.assert_array_equal(model.ntk_diag(moved, X), net.ntk_diag(at, X))
        np.testing.assert_array_equal(model.ntk_layers(moved, X, Y), net.ntk_layers(at, X, Y))
        np.testing.assert_array_equal(
            model.ntk_matvec(moved, X, c, weighted=True), net.ntk_matvec(at, X, c, weighted=True)
        )
        np.testing.assert_array_equal(model.nngp(moved, X), net.nngp(at, X))


def test_the_quadratic_model_says_which_kernel_it_has():
    net = TwoLayerNet(5, activation="erf")
    params = net.init(3, 0)
    with pytest.raises(ValueError, match="ntk alone"):
        taylor(net, params).ntk_diag(params, np.eye(3))
