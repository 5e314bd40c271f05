"""tanh, logistic, softplus and SiLU at every variance: against sums over the plane and over the line."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import special

from ntklib.kernels import NNGP, NTK, NumericalActivation, nngp_kernel, ntk_kernel
from ntklib.kernels.activations import _logistic as rules
from tests import oracle_duals
from tests.accuracy_table import NUMERICAL

# sigma and sigma', written so that no float overflows
FUNCTIONS = {
    "tanh": (np.tanh, lambda z: 4 * special.expit(2 * z) * special.expit(-2 * z)),
    "logistic": (special.expit, lambda z: special.expit(z) * special.expit(-z)),
    "softplus": (lambda z: np.logaddexp(0, z), special.expit),
    "silu": (
        lambda z: z * special.expit(z),
        lambda z: special.expit(z) * (1 + z * special.expit(-z)),
    ),
}
NAMES = pytest.mark.parametrize("name", FUNCTIONS)


def plane(function, qx, qz, covariance, step):
    """E[f(u) f(v)] by the trapezoidal rule, exact to rounding once the step resolves the poles of f."""
    grid = step * np.arange(-np.ceil(9 / step), np.ceil(9 / step) + 1)
    weight = np.exp(-(grid**2) / 2) * step / np.sqrt(2 * np.pi)
    slope = covariance / np.sqrt(qx)
    rest = np.sqrt(max(qz - slope**2, 0.0))
    total = 0.0
    for rows in np.array_split(np.arange(len(grid)), 1 + len(grid) // 400):
        u = np.sqrt(qx) * grid[rows]
        inner = function(slope * grid[rows, None] + rest * grid) @ weight
        total += np.sum(weight[rows] * function(u) * inner)
    return total


@NAMES
@pytest.mark.parametrize("size", [1e-3, 0.5, 6.0, 20.0])
def test_values_and_tangent_kernels(name, size):
    X = size * np.array([[1.0, 0.0], [0.8, 0.6], [0.28, -0.96], [-0.6, 0.8], [-2.0, 0.0], [0.0, 0.3]])
    K, T = nngp_kernel(X, activation=name), ntk_kernel(X, activation=name)
    step = min(0.3, (0.13 if name == "tanh" else 0.26) / size)  # poles are at pi/2 there, else at pi
    for i, j in ((0, 1), (0, 2), (3, 1), (4, 1), (5, 0)):
        covariance = X[i] @ X[j]
        values = [plane(f, X[i] @ X[i], X[j] @ X[j], covariance, step) for f in FUNCTIONS[name]]
        scale = 1e-13 * np.sqrt(K[i, i] * K[j, j])
        assert abs(K[i, j] - values[0]) <= scale + 1e-13 * abs(values[0])
        assert abs(T[i, j] - values[0] - covariance * values[1]) <= 1e-13 * np.sqrt(T[i, i] * T[j, j])


def line(function, size):
    """E[f(size g)] by the trapezoidal rule in t, size g = sinh(t): exact to rounding at every size."""
    z = np.sinh(np.arange(-np.ceil(16 * np.arcsinh(14 * size)), np.ceil(16 * np.arcsinh(14 * size)) + 1) / 16)
    density = np.exp(-((z / size) ** 2) / 2) / np.sqrt(2 * np.pi) * np.hypot(1, z) / 16
    return mpf(float(function(z) @ (density / size)))


@NAMES
@pytest.mark.parametrize("size", [1e3, 1e6, 1e12, 1e100, 1e200])
def test_long_rows(name, size):
    """Equal and opposite rows by integrals over the line, orthogonal ones by those of one row."""
    X = size * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    K, T = (kernel(X, activation=name) for kernel in (nngp_kernel, ntk_kernel))
    f, slope = FUNCTIONS[name]
    unit = size if name in ("softplus", "silu") else 1.0  # their squares may be no floats

    def mean(*functions, unit=1.0):
        return line(lambda z: np.prod([g(z) / unit for g in functions], axis=0), size) * mpf(unit) ** len(
            functions
        )

    def mirrored(g):
        return lambda z: g(-z)

    with mp.workdps(40):
        q = mpf(size) ** 2
        cases = {
            (0, 0): (mean(f, f, unit=unit), mean(slope, slope), q),
            (0, 1): (mean(f, unit=unit) ** 2, mean(slope) ** 2, 0),
            (0, 2): (mean(f, mirrored(f), unit=unit), mean(slope, mirrored(slope)), -q),
        }
        largest = mpf(np.finfo(float).max)
        for (i, j), (A, D, S) in cases.items():
            for value, truth, scale in (
                (K[i, j], A, cases[0, 0][0]),
                (T[i, j], A + S * D, cases[0, 0][0] + q * cases[0, 0][1]),
            ):
                if np.isinf(value):
                    assert abs(truth) + scale / 10**12 > largest
                else:
                    assert abs(mpf(float(value)) - truth) <= scale / 10**12, (i, j, value, truth)


@pytest.mark.parametrize("name", ["softplus", "silu"])
def test_opposite_long_rows_keep_their_digits(name):
    """What is left of ramps there is 1e-24 of what it is made of."""
    value = nngp_kernel([[1e8], [-1e8]], activation=name)[0, 1]
    with mp.workdps(30):
        f = oracle_duals.POINTWISE[name][0]
        truth = mp.quad(lambda z: f(z) * f(-z) * mp.npdf(z / 1e8), [-100, -10, 0, 10, 100]) / 10**8
    assert value == pytest.approx(float(truth), rel=1e-12)


@pytest.mark.parametrize("name", ["softplus", "silu", "gelu"])
def test_long_rows_are_those_of_the_ramp(name):
    """At every layer; rows of 1e12, parallel ones among them, whose order a gap of rounding would lose."""
    X = 1e12 * np.random.default_rng(0).normal(size=(4, 3))
    X = np.vstack([X, 2 * X[:1], X[:1] + 1e3])
    for depth in (1, 4):
        K, ramp = (ntk_kernel(X, activation=kind, depth=depth) for kind in (name, "relu"))
        assert np.all(np.abs(K - ramp) <= 1e-10 * np.sqrt(np.outer(np.diag(K), np.diag(K))))


@NAMES
def test_gradients_by_differences(name):
    X = np.array([[1.0, 0.2], [0.3, -2.0], [30.0, 40.0], [-31.0, -38.0], [1.0, 0.2 + 1e-6]])
    for kind in (NNGP, NTK):
        kernel = kind(depth=2, activation=name, weight_std=1.1, bias_std=0.4)
        K, gradient = kernel(X, eval_gradient=True)
        for k in range(2):
            step = np.eye(2)[k] * 1e-3
            h = [kernel.clone_with_theta(kernel.theta + m * step)(X) for m in (-2, -1, 1, 2)]
            slopes = (h[0] - 8 * h[1] + 8 * h[2] - h[3]) / 12e-3
            scale = np.sqrt(np.outer(np.diag(K), np.diag(K)))
            assert np.all(np.abs(gradient[..., k] - slopes) <= 1e-8 * scale), (kind, k)


def test_the_rule_has_the_law_of_a_logistic_scale():
    """Its moments: a logistic variable's are those of a normal one times those of the scale."""
    scales, weights = (np.array(part) for part in rules.logistic_rule())
    assert len(scales) == 14
    assert np.sum(weights) == pytest.approx(1, rel=1e-14)
    assert np.sum(weights * scales**2) == pytest.approx(np.pi**2 / 3, rel=1e-13)
    assert np.sum(weights * scales**4) == pytest.approx(7 * np.pi**4 / 15 / 3, rel=1e-12)
    assert np.sum(weights / scales) == pytest.approx(np.sqrt(2 * np.pi) / 4, rel=1e-13)  # density at 0
    z = np.linspace(0, 30, 200)[:, None]
    np.testing.assert_allclose(special.ndtr(z / scales) @ weights, special.expit(z[:, 0]), atol=1e-9)


@NAMES
def test_the_reported_error_is_that_of_rounding(name):
    for variance in (1e-6, 1.0, 1e3, 1e12):
        moment = nngp_kernel([[np.sqrt(variance)]], activation=name).item()
        reported = NUMERICAL[name].dual_error([variance])
        assert reported == pytest.approx(32 * 2.0**-52 * moment, rel=1e-12, abs=0)


class _Counted:
    """A function that counts what it is asked."""

    def __init__(self, function):
        self.function, self.asked, self.widest = function, 0, 0

    def __call__(self, z):
        self.asked += np.size(z)
        self.widest = max(self.widest, np.shape(z)[-1])
        return self.function(z)


def test_the_number_of_nodes_is_bounded():
    """However long the rows: a series that does not converge stays short, and its error is reported."""
    for variance in (1e6, 1e200):
        function = _Counted(np.arctan)
        activation = NumericalActivation(function, lambda z: 1 / (1 + np.minimum(np.abs(z), 1e150) ** 2))
        reported = activation.dual_error([variance])
        assert function.widest <= 2**15 + 1
        assert function.asked <= 2**19
        assert 1e-4 < reported < 0.5
        K = nngp_kernel([[variance**0.5, 0.0], [0.0, variance**0.5]], activation=activation)
        assert abs(K[0, 0] - np.pi**2 / 4) <= reported + 2 / variance**0.5
        assert abs(K[0, 1]) <= 1e-14
