"""The exact variance against integrals over one neuron, in polar coordinates, and against drawn neurons."""

import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from scipy import sparse

from ntklib.kernels import ABReLU, Abs, Monomial, RectifiedPower, ReLU, Sign, arc_cosine_kernel, ntk_kernel
from ntklib.theory import NTKVariance, ntk_variance, ntk_variance_of

# rows of all lengths; the second is the first stretched, the third opposite to it, the last zero
X = np.array([[0.6, -0.8], [1.8, -2.4], [-0.3, 0.4], [1e-3, 2e-3], [0.5, 0.7], [0.0, 0.0]])
LAWS = {"gaussian": 3, "rademacher": 1}


def powers(n, a, b):
    """Values and slopes of b z^n for z >= 0, a abs(z)^n for z < 0."""

    def value(z):
        return (b if z >= 0 else a) * abs(z) ** n

    def slope(z):
        return n * (b if z >= 0 else -a) * abs(z) ** (n - 1) if n else mpmath.mpf(0)

    return value, slope


@mpmath.workdps(25)  # the angle of close rows loses half the digits
def one_neuron(covariance, q, c, n, a, b, fourth):
    """Mean and variance of c s(u) s(u') + v^2 q s'(u) s'(u') by quadrature over the angle of (u, u').

    Two Gaussians are r (l cos t, l' cos(t - theta)), t uniform and E r^k = 2^(k/2) Gamma(1 + k/2).
    """
    (xx, xz), (_, zz) = [[mpmath.mpf(float(value)) for value in row] for row in covariance]
    lengths = mpmath.sqrt(xx), mpmath.sqrt(zz)
    theta = mpmath.acos(max(min(xz / (lengths[0] * lengths[1]), mpmath.mpf(1)), mpmath.mpf(-1)))
    value, slope = powers(n, a, b)
    breaks = {mpmath.mpf(0), 2 * mpmath.pi}
    for offset in (mpmath.mpf(0), theta):  # where a preactivation changes its sign
        breaks |= {(offset + k * mpmath.pi / 2) % (2 * mpmath.pi) for k in (1, 3)}

    def mean_of(power, function):
        radial = 2 ** (mpmath.mpf(power) / 2) * mpmath.gamma(1 + mpmath.mpf(power) / 2)
        return (
            radial
            * mpmath.quad(function, sorted(breaks), method="gauss-legendre", maxdegree=4)
            / (2 * mpmath.pi)
        )

    def parts(t):
        u, z = lengths[0] * mpmath.cos(t), lengths[1] * mpmath.cos(t - theta)
        return c * value(u) * value(z), q * slope(u) * slope(z)

    mean = mean_of(2 * n, lambda t: parts(t)[0])
    second = mean_of(4 * n, lambda t: parts(t)[0] ** 2)
    if n:
        mean += mean_of(2 * n - 2, lambda t: parts(t)[1])
        second += 2 * mean_of(4 * n - 2, lambda t: parts(t)[0] * parts(t)[1])
        second += fourth * mean_of(4 * n - 4, lambda t: parts(t)[1] ** 2)
    return float(mean), float(second - mean**2)


@pytest.mark.parametrize("trainable", ["all", "hidden", "output"])
@pytest.mark.parametrize("output_init", LAWS)
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_variance_is_that_of_one_neuron(degree, output_init, trainable):
    width = 7
    law = ntk_variance(X, width=width, degree=degree, output_init=output_init, trainable=trainable)
    first, last = trainable != "output", trainable != "hidden"
    for i, j in [(0, 0), (0, 1), (0, 4), (2, 4), (3, 1)]:
        pair = X[[i, j]] @ X[[i, j]].T
        mean, variance = one_neuron(pair, first * pair[0, 1], last, degree, 0, 1, LAWS[output_init])
        assert law.kernel[i, j] == pytest.approx(mean, rel=1e-12)
        assert law.variance[i, j] == pytest.approx(variance / width, rel=1e-12)
    assert law.variance[0, 2] <= 1e-30  # opposite rows are never active together
    assert not law.variance[-1].any()


def test_the_formula_in_arc_cosine_kernels():
    products = X @ X.T
    for n in (1, 2, 3):
        kappa = {k: arc_cosine_kernel(X, degree=k) for k in (2 * n, 2 * n - 1, 2 * n - 2)}
        theta = ntk_kernel(X, activation=RectifiedPower(n))
        expected = kappa[2 * n] + 2 * n**2 * products * kappa[2 * n - 1]
        expected += 3 * n**4 * products**2 * kappa[2 * n - 2] - theta**2
        found = ntk_variance(X, degree=n, width=1)
        np.testing.assert_allclose(found.variance, expected, rtol=1e-12, atol=1e-15 * expected.max())
        np.testing.assert_allclose(found.kernel, theta, rtol=1e-12, atol=1e-15 * theta.max())


def test_diagonal_in_whole_numbers():
    """E[z^2k 1{z>=0}] = (2k - 1)!!/2 on unit rows."""
    for n in (1, 2, 3):
        moment = {k: math.prod(range(2 * k - 1, 0, -2)) / 2 for k in (2 * n, 2 * n - 1, 2 * n - 2, n, n - 1)}
        theta = moment[n] + n**2 * moment[n - 1]
        expected = moment[2 * n] + 2 * n**2 * moment[2 * n - 1] + 3 * n**4 * moment[2 * n - 2] - theta**2
        assert ntk_variance([[1.0, 0.0]], degree=n, width=1).variance.item() == pytest.approx(
            expected, rel=1e-14
        )


def test_misprints_would_be_noticed():
    """The mixed term counts twice, and n^4 is not n^2."""
    n, one = 2, np.array([[1.0]])
    kappa = {k: arc_cosine_kernel(one, degree=k).item() for k in (4, 3, 2)}
    theta = 3.5
    found = ntk_variance(one, degree=n, width=1).variance.item()
    assert found == pytest.approx(kappa[4] + 8 * kappa[3] + 48 * kappa[2] - theta**2)
    for wrong in (kappa[4] + 4 * kappa[3] + 48 * kappa[2], kappa[4] + 8 * kappa[3] + 12 * kappa[2]):
        assert abs(found - (wrong - theta**2)) > 1


@pytest.mark.parametrize("output_init", LAWS)
@pytest.mark.parametrize("degree", [1, 2])
def test_variance_of_drawn_neurons(degree, output_init):
    draws = 200_000
    rng = np.random.default_rng(0)
    rows = X[[0, 1, 4]]
    signs = output_init == "rademacher"
    v2 = np.ones((draws, 1, 1)) if signs else rng.standard_normal((draws, 1, 1)) ** 2
    z = rng.standard_normal((draws, 2)) @ rows.T
    value, slope = np.where(z >= 0, z**degree, 0), np.where(z >= 0, degree * z ** (degree - 1), 0)
    products = rows @ rows.T
    terms = value[:, :, None] * value[:, None] + v2 * products * slope[:, :, None] * slope[:, None]
    law = ntk_variance(rows, degree=degree, width=1, output_init=output_init)
    for sample, expected in ((terms, law.kernel), ((terms - law.kernel) ** 2, law.variance)):
        error = sample.std(axis=0) / math.sqrt(draws)
        assert np.abs((sample.mean(axis=0) - expected) / error).max() < 5


def network(**changes):
    options = {
        "activation": ReLU(), "depth": 1, "hidden_widths": (40,), "n_outputs": 1, "trainable": "all",
        "weight_std": 1.0, "bias_std": 0.0, "scale": 1.0, "input_scaling": "none", "output_init": "gaussian",
        "parameterization": "ntk",
    }  # fmt: skip
    return SimpleNamespace(**{**options, **changes})


@pytest.mark.parametrize(
    ("changes", "n", "a", "b"),
    [
        ({}, 1, 0, 1),
        ({"bias_std": 0.7, "weight_std": 1.5, "input_scaling": "fan_in", "scale": 2.0}, 1, 0, 1),
        ({"activation": ABReLU(-0.5, 2.0), "bias_std": 0.3}, 1, 0.5, 2),  # -0.5 z = 0.5 |z|
        ({"activation": Abs(), "output_init": "rademacher"}, 1, 1, 1),
        ({"activation": Monomial(3), "parameterization": "mean_field"}, 3, -1, 1),
        ({"activation": RectifiedPower(2), "bias_std": 0.4, "trainable": "hidden"}, 2, 0, 1),
        ({"activation": RectifiedPower(0), "bias_std": 0.4, "trainable": "output"}, 0, 0, 1),
        ({"activation": Sign(), "weight_std": 0.5}, 0, -1, 1),
        ({"parameterization": "mup", "weight_std": 1.5, "bias_std": 0.5, "scale": 3.0}, 1, 0, 1),
    ],
    ids=str,
)
def test_variance_of_a_network_with_everything(changes, n, a, b):
    net = network(**changes)
    law = ntk_variance_of(net, X)
    first, last = net.trainable != "output", net.trainable != "hidden"
    s = math.sqrt(2) if net.input_scaling == "fan_in" else 1
    inside = net.parameterization == "mup"  # spreads are part of the weights, and no factor of gradients
    for i, j in [(0, 1), (0, 4), (2, 4), (4, 4)]:
        products = X[[i, j]] @ X[[i, j]].T
        covariance = net.weight_std**2 * products / s**2 + net.bias_std**2
        inner = products[0, 1] + (net.bias_std > 0) if inside else covariance[0, 1]
        outer = 1.0 if inside else net.weight_std**2
        q, c = first * net.weight_std**2 * inner, last * outer
        mean, variance = one_neuron(covariance, q, c, n, a, b, LAWS[net.output_init])
        mean += last * ((net.bias_std > 0) if inside else net.bias_std**2)
        assert law.kernel[i, j] == pytest.approx(net.scale**2 * mean, rel=1e-11)
        assert law.variance[i, j] == pytest.approx(net.scale**4 * variance / 40, rel=1e-11, abs=1e-16)


def test_record():
    law = ntk_variance(X, width=50)
    assert isinstance(law, NTKVariance)
    assert law.expected_squared_error == pytest.approx(law.variance.sum())
    assert law.relative_error == pytest.approx(math.sqrt(law.variance.sum()) / np.linalg.norm(law.kernel))
    np.testing.assert_allclose(law.at(200).variance, law.variance / 4)
    assert law.at(200).relative_error == pytest.approx(law.relative_error / 2)
    for width in (1, 50, 977):
        assert law.width_for(law.at(width).relative_error) == width
    wanted = law.width_for(0.03)
    assert law.at(wanted).relative_error <= 0.03 < law.at(wanted - 1).relative_error
    assert "relative_error=" in repr(law)
    zero = ntk_variance(np.zeros((2, 3)), width=5)
    assert zero.relative_error == 0
    assert zero.width_for(0.1) == 1


def test_blocks_sparse_rows_and_float32():
    whole = ntk_variance(X, width=3)
    cross = ntk_variance(X[:2], X[2:], width=3)
    np.testing.assert_allclose(cross.variance, whole.variance[:2, 2:], rtol=1e-12, atol=1e-18)
    dense = ntk_variance_of(network(bias_std=0.5), X)
    thin = ntk_variance_of(network(bias_std=0.5), sparse.csr_array(X))
    np.testing.assert_allclose(thin.variance, dense.variance, rtol=1e-12)
    single = X.astype(np.float32)
    assert ntk_variance(single, width=3).variance.dtype == np.float64
    # symmetrised: (Theta(a) + Theta(b))/2 with a = b
    np.testing.assert_array_equal(
        ntk_variance_of(network(symmetric=True), X).variance, ntk_variance(X, width=40).variance
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ntk_variance(X, width=0), ValueError, "width must be at least 1"),
        (lambda: ntk_variance(X, width=2.5), TypeError, "width must be an integer"),
        (lambda: ntk_variance(X, width=2, degree=-1), ValueError, "degree"),
        (lambda: ntk_variance(X, width=2, output_init="uniform"), ValueError, "output_init must be one of"),
        (lambda: ntk_variance(X, width=2, trainable="none"), ValueError, "trainable"),
        (lambda: ntk_variance(X, X[:, :1], width=2), ValueError, "same length"),
        (lambda: ntk_variance([[np.nan]], width=2), ValueError, "NaN"),
        (
            lambda: ntk_variance(X, width=2, degree=0, trainable="hidden"),
            ValueError,
            "train the output layer",
        ),
        (lambda: ntk_variance(X, width=2).width_for(0), ValueError, "relative_error must be"),
        (lambda: ntk_variance_of(network(depth=2), X), ValueError, "one hidden layer"),
        (lambda: ntk_variance_of(network(activation="tanh"), X), ValueError, "homogeneous activations"),
        (
            lambda: ntk_variance_of(network(parameterization="standard"), X),
            ValueError,
            "grows with the width",
        ),
    ],
)
def test_what_has_no_variance(call, error, message):
    with pytest.raises(error, match=message):
        call()
