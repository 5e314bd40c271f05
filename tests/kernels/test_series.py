"""Hermite coefficients, by closed forms and by quadrature, and sums of Mehler's formula, one by one."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf

from ntklib.kernels._wide import Wide, narrow
from ntklib.kernels.duals._pairs import Pairs
from ntklib.kernels.duals.hermite import PolynomialDual, _mehler
from ntklib.kernels.duals.quadrature import QuadratureDual, _barycentric
from tests import oracle_duals

LENGTHS = np.array([0.0, 0.3, 1.0, 1.7, 4.0])
SIGNS = (0.0, 1.0, 0.0, -1.0)  # sin(k pi/2)
SINE = QuadratureDual(np.sin, np.cos)


def sine_coefficient(k, r, shift=0):
    """E[sin(r x + shift pi/2) h_k(x)], from the generating function of the Hermite polynomials."""
    return SIGNS[(k + shift) % 4] * r**k * math.exp(-r * r / 2) / math.sqrt(math.factorial(k))


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 6])
def test_coefficients_of_polynomials(degree):
    """He_n(r x) / sqrt(n!) and its derivative in r x, by integration."""
    state = narrow(PolynomialDual(degree).coefficients(Wide(LENGTHS)))
    assert state.shape == (5, 2, degree + 3)
    x, weights = np.polynomial.hermite_e.hermegauss(20)

    def h(k, at):
        return np.polynomial.hermite_e.hermeval(at, np.eye(k + 1)[k]) / math.sqrt(math.factorial(k))

    for i, r in enumerate(LENGTHS):
        slope = math.sqrt(degree) * h(degree - 1, r * x) if degree else 0 * x
        for which, values in enumerate((h(degree, r * x), slope)):
            truth = [weights @ (values * h(k, x)) / math.sqrt(2 * math.pi) for k in range(degree + 3)]
            np.testing.assert_allclose(state[i, which], truth, rtol=1e-11, atol=1e-12 * (1 + r**degree))


@pytest.mark.compiled
@pytest.mark.parametrize("terms", [5, 300])
def test_sums_of_series(terms):
    """Of floats and of wide numbers, of rows with others and with themselves, to the shorter length."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(3, terms)), rng.normal(size=(4, terms + 2))
    tau = np.array([[0.0, 1e-9, 0.3, 1.0], [-0.0, -1e-9, -0.3, -1.0], [0.02, -0.02, 0.9, 1e-3]])
    rho = np.copysign(1 - abs(tau), tau)
    truth = sum(x[:, k][:, None] * z[:, k] * rho**k for k in range(terms))
    with np.errstate(divide="ignore"):  # the logarithm of rho = 0, told where loops run as plain Python
        np.testing.assert_allclose(_mehler(x, z, tau), truth, atol=1e-12)
        np.testing.assert_allclose(_mehler(z, x, tau.T.copy()), truth.T, atol=1e-12)
        np.testing.assert_allclose(narrow(_mehler(Wide(x), Wide(z), tau)), truth, atol=1e-12)
    own = np.sum(x * z[:3, :terms], axis=1)
    np.testing.assert_allclose(_mehler(x, z[:3], np.zeros(3)), own, atol=1e-12)
    np.testing.assert_allclose(narrow(_mehler(Wide(x), Wide(z[:3]), np.zeros(3))), own, atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_derivatives_of_the_sums(degree):
    """In the logarithms of both lengths, and in the correlation, by differences of closed forms."""
    dual, duals = PolynomialDual(degree), oracle_duals.hermite(degree)
    rx, rz = np.array([[0.7], [1.6]]), np.array([[1.2, 0.4]])
    tau = np.array([[0.3, -0.2], [1e-3, -1.0]])
    states = [dual.state(Wide(r.ravel())) for r in (rx, rz)]
    rho = np.copysign(1 - abs(tau), tau)
    p = Pairs(rx, rz, tau, rho * rx * rz, *(narrow(state) for state in states))
    values = dual.partials(p, *dual.pair(p))
    with mp.workdps(60):
        h = mpf(10) ** -20

        def moved(which, i, j, x=0, z=0, turned=0):
            a, b = (mpf(r) * mp.exp(by * h) for r, by in ((rx[i, 0], x), (rz[0, j], z)))
            return duals[which](a * a, b * b, a * b * (mpf(rho[i, j]) + turned * h))

        for i, j in np.ndindex(2, 2):
            for value, which, by in (
                (values.A_x, 0, {"x": 1}), (values.A_z, 0, {"z": 1}), (values.D_x, 1, {"x": 1}),
                (values.D_z, 1, {"z": 1}), (values.D_rho, 1, {"turned": 1}),
            ):  # fmt: skip
                ends = moved(which, i, j, **by), moved(which, i, j, **{k: -v for k, v in by.items()})
                truth = (ends[0] - ends[1]) / (2 * h)
                assert abs(mpf(value[i, j]) - truth) <= mpf("1e-12") * (1 + abs(truth)), (i, j, by)


def test_coefficients_by_quadrature():
    """Of a sine and its derivative, few rows and many, short ones and some a thousandth of these."""
    for r in (LENGTHS[1:], np.append(np.geomspace(0.5, 3.0, 50), [1e-5, 4e-4])):
        values = SINE.coefficients(Wide(r))
        for i, length in enumerate(r):
            for which in (0, 1):
                truth = [sine_coefficient(k, length, which) for k in range(60)]
                np.testing.assert_allclose(values[i, which, :60], truth, rtol=0, atol=2e-14)


def test_as_many_terms_and_nodes_as_it_takes():
    short, long = SINE.coefficients(Wide([1.0])), SINE.coefficients(Wide([30.0]))
    assert short.shape[2] == 64
    assert long.shape[2] == 2048
    k = np.arange(800, 1000)
    logs = k * math.log(30.0) - 450 - np.array([math.lgamma(n + 1.0) for n in k]) / 2
    truth = np.array(SIGNS)[k % 4] * np.exp(logs)
    np.testing.assert_allclose(long[0, 0, k], truth, atol=1e-14)
    assert SINE.error(np.array([1.0])) < 1e-14
    assert SINE.error(np.array([900.0])) < 1e-13


def test_values_whose_squares_are_no_floats():
    """A scale is taken out, for each row and function."""
    dual = QuadratureDual(lambda z: 1e200 * z, lambda z: np.full_like(z, 1e200))
    values = dual.coefficients(Wide([2.0]))
    one = values[0, :, :2] * Wide(np.array(1e-200))
    np.testing.assert_allclose(narrow(one), [[0, 2], [1, 0]], atol=1e-13)


def test_functions_without_a_limit_are_refused_beyond_the_floats():
    long = Wide([1.0], 1023)
    with pytest.raises(ValueError, match="no limit there"):
        QuadratureDual(np.sin, np.cos).coefficients(long)
    assert np.isfinite(
        QuadratureDual(np.tanh, lambda z: 1 / np.cosh(np.clip(z, -99, 99)) ** 2).coefficients(long)
    ).all()
    with pytest.raises(ValueError, match=r"the derivative is nan at -13\.0"):
        QuadratureDual(np.sin, lambda z: z * np.nan).coefficients(Wide([1.0]))


def test_interpolation_in_the_logarithm():
    """Exact for polynomials in log r of a degree below the number of nodes, at the nodes too."""
    n = 8
    nodes = np.exp(np.sort(-np.cos((np.arange(n) + 0.5) * np.pi / n)))
    r = np.append(np.exp(np.linspace(-0.9, 0.9, 7)), nodes[2])
    values, truth = (np.stack([np.log(at) ** k for k in range(n)], axis=1)[:, None] for at in (nodes, r))
    np.testing.assert_allclose(_barycentric(nodes, values, r), truth, atol=1e-13)
