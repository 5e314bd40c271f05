"""Activations as values: frozen, hashable, equal, printable, picklable; and right elementwise."""

import dataclasses
import pickle

import numpy as np
import pytest
from mpmath import mp
from sklearn.base import clone

from ntklib import kernels
from ntklib.kernels import NTK, ntk_kernel
from tests import oracle_duals
from tests.registry import ACTIVATIONS, STRINGS

Z = np.array([-30.0, -2.5, -0.3, 0.0, 1e-3, 0.7, 3.0, 30.0])
NAMED = [entry for entry in ACTIVATIONS if "NumericalActivation" not in str(entry)]


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)
def test_values(entry):
    activation = entry.activation
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        activation.degree = 7
    for copy in (pickle.loads(pickle.dumps(activation)), dataclasses.replace(activation)):
        assert copy == activation
        assert hash(copy) == hash(activation)
    kernel = clone(NTK(activation=activation))
    assert kernel.activation == activation
    assert kernel == NTK(activation=activation)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_is_flat_far_out(dtype):
    """No warning either, though cosh would overflow."""
    z = np.array([-1e30, -800.0, 100.0, 1e3], dtype)
    assert np.abs(kernels.Tanh().derivative(z)).max() <= 1e-80
    assert kernels.Tanh().derivative(z).dtype == dtype


def test_slopes_of_nothing_are_plain_zeros():
    for order in (kernels.ReLU(), kernels.ReLU().derivative, kernels.RectifiedPower(3).second_derivative):
        assert not np.signbit(order(np.array([-2.0, -0.0, 1.0]))).any()


@pytest.mark.parametrize("entry", NAMED, ids=str)
def test_repr_evaluates_to_the_same(entry):
    assert eval(repr(entry.activation), vars(kernels)) == entry.activation


def test_all_are_different():
    different = {entry.activation for entry in ACTIVATIONS}
    # Equality is by construction: RectifiedPower(1) is another expression than ReLU().
    assert len(different) >= len(ACTIVATIONS) - 2
    assert kernels.LeakyReLU(0.1) != kernels.LeakyReLU(0.2)


@pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)
def test_derivatives_elementwise(entry):
    activation, points = entry.activation, np.array([-2.2, -0.7, 0.4, 1.9])
    h = 1e-5
    for function, slope in (
        (activation, activation.derivative),
        (activation.derivative, activation.second_derivative),
    ):
        approximate = (function(points + h) - function(points - h)) / (2 * h)
        np.testing.assert_allclose(slope(points), approximate, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", oracle_duals.POINTWISE)
def test_smooth_ones_against_mpmath(name):
    activation = STRINGS.get(name) or getattr(kernels, name.capitalize())()
    for z in Z:
        for function, exact in zip(
            (activation, activation.derivative), oracle_duals.POINTWISE[name], strict=True
        ):
            with mp.workdps(40):
                truth = float(exact(mp.mpf(z)))
            assert float(function(np.array(z))) == pytest.approx(truth, rel=1e-12, abs=1e-300), (name, z)


def test_piecewise_ones_by_hand():
    z = np.array([-2.0, -0.0, 0.0, 3.0])
    cases = {
        kernels.ReLU(): ([0, 0, 0, 3], [0, 1, 1, 1]),
        kernels.Step(): ([0, 1, 1, 1], [0, 0, 0, 0]),
        kernels.Sign(): ([-1, 0, 0, 1], [0, 0, 0, 0]),
        kernels.RectifiedPower(2): ([0, 0, 0, 9], [0, 0, 0, 6]),
        kernels.LeakyReLU(0.5): ([-1, 0, 0, 3], [0.5, 1, 1, 1]),
        kernels.ABReLU(-1.0, 2.0): ([2, 0, 0, 6], [-1, 2, 2, 2]),
        kernels.Identity(): ([-2, 0, 0, 3], [1, 1, 1, 1]),
        kernels.Monomial(3): ([-8, 0, 0, 27], [12, 0, 0, 27]),
    }
    for activation, (values, slopes) in cases.items():
        np.testing.assert_array_equal(activation(z), values, err_msg=str(activation))
        np.testing.assert_array_equal(activation.derivative(z), slopes, err_msg=str(activation))


@pytest.mark.parametrize(
    "make",
    [
        lambda: kernels.RectifiedPower(-1),
        lambda: kernels.RectifiedPower(1.5),
        lambda: kernels.Monomial(0),
        lambda: kernels.Hermite(-1),
        lambda: kernels.RBF(gamma=0.0),
        lambda: kernels.RBF(gamma=np.nan),
        lambda: kernels.LeakyReLU(np.inf),
        lambda: kernels.NumericalActivation(1, 2),
    ],
)
def test_wrong_parameters_are_refused_at_once_or_in_use(make):
    with pytest.raises((ValueError, TypeError)):
        ntk_kernel([[1.0, 2.0]], activation=make())


@pytest.mark.parametrize("activation", ["swish", 3, None, np.tanh])
def test_unknown_activations_are_refused(activation):
    with pytest.raises((ValueError, TypeError), match="activation"):
        ntk_kernel([[1.0]], activation=activation)
