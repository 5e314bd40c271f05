"""Kernels of other packages and papers, from ours by a factor or an option, against their own recursions.

The other packages' formulas are written out in `tests.naive` and below from their published
definitions; none of
them is run here.
"""

import math

import numpy as np
import pytest

from ntklib.kernels import conventions, nngp_kernel, ntk_kernel
from tests import naive, oracle_duals, oracles


@pytest.fixture
def data(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=(5, 3))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_cho_saul_is_twice_kappa(degree, data):
    X, Y = data
    K = conventions.cho_saul_kernel(X, Y, degree=degree)
    np.testing.assert_allclose(K, 2 * naive.arc_cosine_kernel(X, Y, degree), rtol=1e-11)
    unit = conventions.cho_saul_kernel([[3.0, 4.0]], degree=1)[0, 0]
    assert unit == pytest.approx(25.0, rel=1e-15)  # their k_1(x, x) = |x|^2


@pytest.mark.parametrize("bias", [0.0, 0.4])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_scikit_ntk(depth, bias, data):
    X, Y = data
    K = conventions.scikit_ntk_kernel(X, Y, depth=depth, bias=bias)
    np.testing.assert_allclose(K, naive.scikit_ntk(X, Y, depth, bias), rtol=1e-11, atol=1e-14)
    if bias == 0:
        ours = ntk_kernel(X, Y, depth=depth, weight_std=math.sqrt(2)) / (2 * (depth + 1))
        np.testing.assert_allclose(K, ours, rtol=1e-13, atol=1e-15)
        if depth == 1:
            np.testing.assert_allclose(K, ntk_kernel(X, Y), rtol=1e-13, atol=1e-15)


def test_no_bias_std_reproduces_the_bias_of_scikit_ntk(data):
    X, _ = data
    K = naive.scikit_ntk(X, X, 1, 0.5)
    for bias_std in np.linspace(0, 2, 21):
        ours = ntk_kernel(X, weight_std=math.sqrt(2), bias_std=bias_std)
        ratio = K / ours
        assert np.ptp(ratio) > 1e-3 * abs(ratio).max()


@pytest.mark.parametrize("bias", [0.0, 0.4])
@pytest.mark.parametrize("depth", [1, 3])
def test_eigenpro(depth, bias, data):
    X, Y = data
    K = conventions.eigenpro_kernel(X, Y, depth=depth + 1, bias=bias)
    expected = (depth + 1) * (bias**2 + 1) * naive.scikit_ntk(X, Y, depth, bias)
    np.testing.assert_allclose(K, expected, rtol=1e-11, atol=1e-14)
    if bias == 0:
        ours = ntk_kernel(X, Y, depth=depth, weight_std=math.sqrt(2)) / 2
        np.testing.assert_allclose(K, ours, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_arora(depth, data):
    X, Y = data
    for fixed in range(depth + 1):
        expected = naive.arora(X, Y, depth, fixed)
        np.testing.assert_allclose(
            conventions.arora_kernel(X, Y, depth=depth, fixed=fixed), expected, rtol=1e-11, atol=1e-14
        )
        ours = ntk_kernel(X, Y, depth=depth, trainable=tuple(range(fixed, depth + 1)))
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(nngp_kernel(X, Y, depth=depth), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_neural_tangents(activation, data):
    """W_std and b_std as here, the input scaled by fan-in; values from the recursion in mpmath."""
    X, Y = data
    duals = {"relu": oracle_duals.rectified_power(1), "erf": oracle_duals.erf()}[activation]
    options = {"depth": 2, "weight_std": 1.5, "bias_std": 0.05, "input_scaling": "fan_in"}
    nngp, ntk = oracles.deep(duals, X[0], Y[0], **options)
    for get, value in (("nngp", nngp), ("ntk", ntk)):
        K = conventions.neural_tangents_kernel(
            X, Y, activation=activation, depth=2, W_std=1.5, b_std=0.05, get=get
        )
        assert K[0, 0] == pytest.approx(float(value), rel=1e-13)


@pytest.mark.parametrize(
    "call",
    [
        lambda X: conventions.arora_kernel(X, depth=2, fixed=3),
        lambda X: conventions.arora_kernel(X, depth=2, fixed=-1),
        lambda X: conventions.eigenpro_kernel(X, depth=1),
        lambda X: conventions.scikit_ntk_kernel(X, depth=0),
        lambda X: conventions.scikit_ntk_kernel(X, bias=-1.0),
        lambda X: conventions.neural_tangents_kernel(X, get="jacobian"),
    ],
)
def test_wrong_options_are_refused(call, data):
    with pytest.raises(ValueError, match="must"):
        call(data[0])
