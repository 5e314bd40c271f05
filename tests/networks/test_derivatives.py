"""Jacobian, jvp, vjp, hvp and second derivative: the twins' chain rule, and each other's laws."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context

from ntklib import kernels
from ntklib.networks import MLP, linearize, taylor
from tests import naive_networks as naive
from tests.registry_networks import CASES, DOUBLE, SMOOTH

EVERY = pytest.mark.parametrize("case", CASES, ids=str)
# Hessians of the twin take a while: every activation once, and the options that shape second derivatives.
BENT = [case for case in DOUBLE if case.network.n_params(3) <= 60]


def close(found, expected, tolerance):
    """Equal up to a tolerance relative to the largest entry."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * max(np.abs(expected).max(), np.finfo(float).tiny)


def vectors(case, count, seed=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, case.network.n_params(3))).astype(case.dtype)


def cotangent(case, n=6, seed=6):
    shape = n if case.network.n_outputs == 1 else (n, case.network.n_outputs)
    return np.random.default_rng(seed).normal(size=shape).astype(case.dtype)


@EVERY
def test_jacobian_is_the_chain_rule(case):
    found = case.network.jacobian(case.params, case.X)
    assert found.dtype == case.dtype
    close(case.outputs_as_columns(found), case.jacobian, case.tolerance)


@EVERY
def test_products_with_the_jacobian(case):
    net, J = case.network, case.outputs_as_columns(case.network.jacobian(case.params, case.X))
    (v,), c = vectors(case, 1), cotangent(case)
    pushed, pulled = net.jvp(case.params, case.X, v), net.vjp(case.params, case.X, c)
    assert pushed.dtype == pulled.dtype == case.dtype
    assert pushed.shape == c.shape
    columns = c.reshape(6, -1)
    close(case.outputs_as_columns(pushed), (J @ v), 10 * case.tolerance)
    close(pulled, np.einsum("ia,iap->p", columns, J), 10 * case.tolerance)
    size = np.linalg.norm(J) * np.linalg.norm(v) * np.linalg.norm(c)
    assert abs(float(np.sum(pushed * c)) - float(pulled @ v)) <= case.tolerance * size


@pytest.mark.parametrize("case", BENT, ids=str)
def test_second_derivatives_are_the_chain_rule(case):
    net, H = case.network, naive.hessian(case.network, case.params, case.X)
    (u, v), c = vectors(case, 2), cotangent(case)
    weighted = np.einsum("ia,iapq->pq", c.reshape(6, -1), H)
    size = np.abs(weighted).max() or 1.0
    # NumericalActivation differentiates its slope numerically, in both computations
    assert np.abs(net.hvp(case.params, case.X, c, v) - weighted @ v).max() <= 1e-11 * size
    found = case.outputs_as_columns(net.second_derivative(case.params, case.X, u, v))
    expected = np.einsum("iapq,p,q->ia", H, u, v)
    assert np.abs(found - expected).max() <= 1e-11 * max(np.abs(expected).max(), size)


@EVERY
def test_laws_of_second_derivatives(case):
    """Symmetric, bilinear, and hvp its transpose."""
    net, params, X = case.network, case.params, case.X
    u, v, w = vectors(case, 3)
    c = cotangent(case)
    D = {name: net.second_derivative(params, X, *pair) for name, pair in (("uv", (u, v)), ("vu", (v, u)))}
    size = max(np.abs(D["uv"]).max(), np.abs(net.second_derivative(params, X, u, u)).max())
    assert D["uv"].dtype == case.dtype
    assert D["uv"].shape == c.shape
    assert np.abs(D["uv"] - D["vu"]).max() <= case.tolerance * size
    both = net.second_derivative(params, X, (2 * u - w).astype(case.dtype), v)
    apart = 2 * D["uv"] - net.second_derivative(params, X, w, v)
    assert np.abs(both - apart).max() <= 10 * case.tolerance * (size + np.abs(apart).max())
    product = net.hvp(params, X, c, v)
    assert product.dtype == case.dtype
    assert product.shape == u.shape
    size = size * np.linalg.norm(c) + np.linalg.norm(product) * np.linalg.norm(u)
    assert abs(product @ u - np.sum(c * D["uv"])) <= 10 * case.tolerance * size
    assert abs(product @ u - net.hvp(params, X, c, u) @ v) <= 10 * case.tolerance * size
    np.testing.assert_array_equal(net.hvp(params, X, 0 * c, v), 0)
    np.testing.assert_array_equal(net.second_derivative(params, X, 0 * u, v), 0)


def differences(function, net, params, direction, step):
    """Richardson's central difference of a function of the parameters, with an error of order step^4."""
    start = net.ravel(params)

    def slope(h):
        ahead, behind = (net.unravel(params, start + s * h * direction) for s in (1, -1))
        return (function(ahead) - function(behind)) / (2 * h)

    return (4 * slope(step / 2) - slope(step)) / 3


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_derivatives_are_limits_of_differences(case):
    net, X, params = case.network, case.X, case.params
    u, v = case.spread * vectors(case, 2) / np.sqrt(net.n_params(3))
    c = cotangent(case)

    def difference(function):
        return differences(function, net, params, u, 2e-3)

    for found, function in (
        (net.jvp(params, X, u), lambda w: net.apply(w, X)),
        (net.hvp(params, X, c, u), lambda w: net.vjp(w, X, c)),
        (net.second_derivative(params, X, u, v), lambda w: net.jvp(w, X, v)),
    ):
        size = np.abs(function(params)).max() + np.abs(found).max()
        assert np.abs(found - difference(function)).max() <= 1e-8 * size


@EVERY
def test_blocks_of_rows_change_nothing(case):
    net, params, X = case.network, case.params, case.X
    (u, v), c = vectors(case, 2), cotangent(case)

    def everything(rows=X):
        return [
            net.jacobian(params, rows),
            net.jvp(params, rows, v),
            net.vjp(params, rows, c),
            net.hvp(params, rows, c, v),
            net.second_derivative(params, rows, u, v),
        ]

    whole = everything()
    with config_context(working_memory=1e-4):
        for found, expected in zip(everything(), whole, strict=True):
            size = np.abs(expected).max() + np.abs(whole[0]).max() * np.linalg.norm(v)
            assert np.abs(found - expected).max() <= case.tolerance * size
    for found, expected in zip(everything(sparse.csr_matrix(X)), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


@EVERY
def test_values_and_gradient_of_a_loss_in_one_pass(case):
    """The cotangent may depend on the outputs, as the gradient of a loss does."""
    net, X = case.network, case.X
    targets, seen = cotangent(case), []

    def residual(rows, f):
        seen.append(rows)
        return f - targets[rows]

    for model in (net, linearize(net, case.params), taylor(net, case.params), net.centered_at(case.params)):
        f, gradient = model.value_and_vjp(case.initial, X, residual)
        np.testing.assert_array_equal(f, model.apply(case.initial, X))
        close(gradient, model.vjp(case.initial, X, f - targets), 10 * case.tolerance)
    seen.clear()
    whole = net.value_and_vjp(case.params, X, residual)
    assert len(seen) == 1
    with config_context(working_memory=1e-4):
        parts = net.value_and_vjp(case.params, X, residual)
    assert len(seen) > 2
    for found, expected in zip(parts, whole, strict=True):
        close(found, expected, 10 * case.tolerance)


@pytest.mark.parametrize("options", [{}, {"n_outputs": 2}, {"output_init": "rademacher"}], ids=repr)
@pytest.mark.parametrize("widths", [(70,), (5, 4)])
@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "abs", kernels.ABReLU(-0.5, 2.0), "step"], ids=repr
)
def test_slopes_at_kinks_are_the_activations_own(activation, widths, options):
    """A zero row without offsets sits on every kink; the slope there is the one for z >= 0 everywhere."""
    net = MLP(widths, activation=activation, bias_std=0.5, **options)
    X = np.array([[0.0, 0.0], [-0.0, 0.0], [0.3, -0.4]])
    params = net.init(2, 0)
    params = params.replace(**{name: 0 * params[name] for name in params.names if name[0] == "b"})
    J, k = naive.jacobian(net, params, X), net.n_outputs
    close(net.jacobian(params, X).reshape(J.shape), J, 1e-13)
    close(net.ntk(params, X, output="full"), naive.ntk(J), 1e-12)
    close(net.ntk_diag(params, X), np.einsum("iap,iap->i", J, J), 1e-12)
    c = np.arange(1.0, 1 + 3 * k).reshape(3, k)
    close(net.vjp(params, X, c), np.einsum("ia,iap->p", c, J), 1e-12)
    u = np.cos(np.arange(J.shape[2]))
    close(net.jvp(params, X, u).reshape(3, k), J @ u, 1e-12)
    close(
        net.ntk_matvec(params, X, c.reshape(3) if k == 1 else c).reshape(3, k),
        np.einsum("iap,jbp,jb->ia", J, J, c),
        1e-12,
    )
