"""nngp_kernel and ntk_kernel against the naive recursion, for every activation and option."""

import math

import numpy as np
import pytest

from ntklib import kernels
from ntklib.kernels import nngp_kernel, ntk_kernel
from tests import naive
from tests.registry import ACTIVATIONS, STRINGS

SMALL = [0.5, -0.2, 0.4]


def rows(rng, n=3, features=3):
    return rng.normal(size=(n, features)) * 0.5 + 0.1


def check(X, Y, activation, **options):
    nngp, ntk = naive.deep_kernels(X, Y, activation, activation.derivative, **options)
    np.testing.assert_allclose(ntk_kernel(X, Y, activation=activation, **options), ntk, rtol=2e-9, atol=1e-10)
    options.pop("trainable", None)
    np.testing.assert_allclose(
        nngp_kernel(X, Y, activation=activation, **options), nngp, rtol=2e-9, atol=1e-10
    )


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)
def test_duals_are_expectations_of_the_activation_itself(entry, rng):
    """What the object computes elementwise and what its kernel assumes are one function."""
    check(rows(rng, 2), rows(rng, 2), entry.activation, weight_std=0.9, bias_std=0.3)


@pytest.mark.parametrize("trainable", ["all", "hidden", "output", (0,), (1, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_trainable(activation, trainable, rng):
    options = {"depth": 3, "weight_std": 1.2, "bias_std": 0.3, "trainable": trainable}
    check(rows(rng), rows(rng, 2), STRINGS[activation], **options)


@pytest.mark.parametrize("input_scaling", ["none", "fan_in"])
@pytest.mark.parametrize("bias_std", [0.0, 0.7])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_architecture(depth, bias_std, input_scaling, rng):
    options = {
        "depth": depth,
        "weight_std": math.sqrt(2),
        "bias_std": bias_std,
        "input_scaling": input_scaling,
    }
    check(rows(rng), rows(rng, 2), kernels.ReLU(), **options)


def test_layers_add_up(rng):
    """The NTK is the sum of what each layer contributes, hidden and output its two parts."""
    X = rows(rng, 5)
    options = {"depth": 3, "activation": "gelu", "bias_std": 0.2}
    whole = ntk_kernel(X, **options)
    parts = sum(ntk_kernel(X, trainable=(layer,), **options) for layer in range(4))
    np.testing.assert_allclose(parts, whole, rtol=1e-13)
    halves = ntk_kernel(X, trainable="hidden", **options) + ntk_kernel(X, trainable="output", **options)
    np.testing.assert_allclose(halves, whole, rtol=1e-13)
    np.testing.assert_allclose(ntk_kernel(X, trainable=(0, 1, 2, 3), **options), whole, rtol=1e-15)


def test_depth_one_with_literal_defaults_is_the_two_layer_kernel(rng):
    X = rows(rng, 4)
    np.testing.assert_allclose(nngp_kernel(X), naive.arc_cosine_kernel(X, X, 1), rtol=1e-11)


@pytest.mark.parametrize("name", STRINGS)
def test_strings_name_the_objects(name):
    X = np.array([SMALL])
    np.testing.assert_array_equal(
        ntk_kernel(X, activation=name, bias_std=0.1), ntk_kernel(X, activation=STRINGS[name], bias_std=0.1)
    )


def test_linear_network_is_a_linear_kernel(rng):
    X, Y = rows(rng, 4), rows(rng, 5)
    K = ntk_kernel(X, Y, activation="identity", depth=2)
    np.testing.assert_allclose(K, 3 * X @ Y.T, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kernel", [nngp_kernel, ntk_kernel])
def test_normalized(kernel, rng):
    X, Y = rows(rng, 4), rows(rng, 5)
    options = {"depth": 2, "bias_std": 0.3}
    scale = np.sqrt(np.outer(np.diag(kernel(X, **options)), np.diag(kernel(Y, **options))))
    expected = kernel(X, Y, **options) / scale
    np.testing.assert_allclose(kernel(X, Y, normalized=True, **options), expected, rtol=1e-13)
    np.testing.assert_array_equal(np.diag(kernel(X, normalized=True, **options)), 1.0)


def test_normalized_survives_an_overflowing_diagonal():
    X = np.array([[1e80, 2e80], [3e80, -1e80]])
    small = ntk_kernel(X / 1e80, activation=kernels.RectifiedPower(2), normalized=True)
    np.testing.assert_allclose(
        ntk_kernel(X, activation=kernels.RectifiedPower(2), normalized=True), small, rtol=1e-13
    )
