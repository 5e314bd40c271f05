"""The oracles against each other: closed form, quadrature, finite difference, frozen value and naive twin."""

import numpy as np
import pytest
from mpmath import mp, mpf

from tests import naive, oracle_duals, oracles
from tests.accuracy_table import NUMERICAL, frozen

A, B, C = mpf("1.3"), mpf("0.4"), mpf("0.5")
SMOOTH = ("erf", "gelu", "sin", "cos", "gaussian", "exp")
PIECEWISE = {
    "relu": (lambda z: max(z, 0), lambda z: z > 0, 1, lambda: oracle_duals.rectified_power(1)),
    "cube": (
        lambda z: max(z, 0) ** 3,
        lambda z: 3 * max(z, 0) ** 2,
        3,
        lambda: oracle_duals.rectified_power(3),
    ),
    "ab": (
        lambda z: 2 * max(z, 0) + 3 * min(z, 0),
        lambda z: 2 if z > 0 else 3,
        1,
        lambda: oracle_duals.ab_relu(3, 2),
    ),
    "abs": (abs, mp.sign, 1, lambda: oracle_duals.ab_relu(-1, 1)),
    "monomial": (lambda z: z**3, lambda z: 3 * z**2, 3, lambda: oracle_duals.monomial(3)),
}


@pytest.mark.parametrize("theta", [0.0, 0.3, 1.6, 3.0, 3.14159])
@pytest.mark.parametrize("degree", [0, 1, 2, 5, 8])
def test_closed_arc_cosine_is_its_integral(degree, theta):
    closed, integral = (
        oracles.arc_cosine(degree, theta),
        oracles.arc_cosine_integral(degree, theta, digits=25),
    )
    assert abs(closed - integral) < mpf("1e-17") * abs(integral)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", SMOOTH)
def test_closed_duals_are_their_series(name, which):
    with mp.workdps(30):
        closed = getattr(oracle_duals, name)()[which]
        for a, b, c in ((A, B, C), (A, B, -C), (A, A, -A), (B, B, B)):
            value = oracle_duals.series(name, which, a, b, c, digits=15)
            assert abs(closed(a, b, c) - value) < mpf("1e-14")


@pytest.mark.parametrize("name", PIECEWISE)
def test_closed_duals_are_their_angular_integrals(name):
    function, derivative, order, make = PIECEWISE[name]
    with mp.workdps(30):
        for c in (C, -C):
            value, slope = (dual(A, B, c) for dual in make())
            assert abs(value - oracle_duals.polar(function, order, A, B, c, digits=18)) < mpf("1e-15")
            assert abs(slope - oracle_duals.polar(derivative, order - 1, A, B, c, digits=18)) < mpf("1e-15")


def test_sign_is_its_angular_integral():
    with mp.workdps(30):
        value = oracle_duals.polar(mp.sign, 0, A, B, C, digits=18)
        assert abs(oracle_duals.sign()[0](A, B, C) - value) < mpf("1e-15")


@pytest.mark.parametrize(
    "duals",
    [
        *(getattr(oracle_duals, name)() for name in SMOOTH),
        *(entry[3]() for entry in PIECEWISE.values()),
        oracle_duals.hermite(4),
        oracle_duals.rbf(0.7),
    ],
)
def test_derivative_duals_obey_price(duals):
    with mp.workdps(60):
        h = mpf("1e-20")
        slope = (duals[0](A, B, C + h) - duals[0](A, B, C - h)) / (2 * h)
        assert abs(slope - duals[1](A, B, C)) < mpf("1e-30")


def test_hermite_duals_are_powers_of_the_correlation():
    with mp.workdps(30):
        assert abs(oracle_duals.hermite(5)[0](mpf(1), mpf(1), C) - C**5) < mpf("1e-28")


def test_rbf_is_a_gaussian_of_the_distance():
    function = lambda z: np.sqrt(2) * np.sin(np.sqrt(1.4) * z + np.pi / 4)  # noqa: E731
    theta = float(mp.acos(C / mp.sqrt(A * B)))
    value = naive.expectation(function, float(A), float(B), theta)
    assert value == pytest.approx(float(oracle_duals.rbf(0.7)[0](A, B, C)), abs=1e-12)


def _plane(function, a, b, c):
    """E[f(u) f(v)] by the trapezoidal rule on the plane, in extended precision: a third method."""
    step = np.longdouble(0.02)
    grid = np.arange(-450, 451) * step
    weight = np.exp(-(grid**2) / 2) * step / np.sqrt(8 * np.arctan(np.longdouble(1)))
    u = np.sqrt(np.longdouble(a)) * grid
    slope = np.longdouble(c) / np.sqrt(np.longdouble(a))
    rest = np.sqrt(max(np.longdouble(b) - slope**2, np.longdouble(0)))
    return (weight * function(u)) @ function(slope * grid[:, None] + rest * grid[None, :]) @ weight


EXTENDED = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (4 * np.cosh(z / 2) ** 2)),
    "softplus": (lambda z: np.logaddexp(np.longdouble(0), z), lambda z: 1 / (1 + np.exp(-z))),
    "silu": (
        lambda z: z / (1 + np.exp(-z)),
        lambda z: 1 / (1 + np.exp(-z)) + z / (4 * np.cosh(z / 2) ** 2),
    ),
}


@pytest.mark.parametrize("name", NUMERICAL)
def test_frozen_duals_agree_with_a_sum_over_the_plane(name):
    cases = frozen()[name]["duals"]
    for case in cases[:1] + cases[14:17] + cases[-3:]:
        covariance = [float(s) for s in oracles.covariance(case["x"], case["z"])]
        for function, key in zip(EXTENDED[name], ("dual", "derivative_dual"), strict=True):
            value = float(_plane(function, *covariance))
            assert value == pytest.approx(float(case[key]), rel=1e-13, abs=1e-14), case


@pytest.mark.parametrize("trainable", ["all", "hidden", "output", (0, 2), (1,)])
def test_deep_recursion_is_its_naive_twin(trainable):
    X = np.random.default_rng(0).normal(size=(3, 4))
    options = {
        "depth": 3,
        "weight_std": 1.2,
        "bias_std": 0.3,
        "input_scaling": "fan_in",
        "trainable": trainable,
    }
    twins = naive.deep_kernels(X[:1], X[1:2], lambda z: np.maximum(z, 0), lambda z: z >= 0.0, **options)
    exact = oracles.deep(oracle_duals.rectified_power(1), X[0], X[1], **options)
    for twin, value in zip(twins, exact, strict=True):
        assert twin[0, 0] == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("z", [[1.0, 2.0], [-1.0, -2.0], [0.3, -1.0]])
def test_gradient_of_a_homogeneous_kernel_is_a_multiple_of_it(z):
    duals, x, options = oracle_duals.rectified_power(1), [1.0, 2.0], {"depth": 3, "weight_std": 1.3}
    values = oracles.deep(duals, x, z, **options)
    slopes = oracles.deep_gradient(duals, x, z, **options)["weight_std"]
    with mp.workdps(60):
        for value, slope in zip(values, slopes, strict=True):
            assert abs(slope - 8 * value) < mpf("1e-50") * abs(slope)


@pytest.mark.parametrize("degree", range(5))
def test_naive_arc_cosine_kernel(degree):
    X = np.random.default_rng(1).normal(size=(2, 3))
    value = naive.arc_cosine_kernel(X[:1], X[1:], degree)[0, 0]
    assert value == pytest.approx(float(oracles.kappa(degree, X[0], X[1])), rel=1e-12)
