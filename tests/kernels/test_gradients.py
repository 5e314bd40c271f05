"""Gradients of the Kernel objects where they are delicate, and what is and is not a hyperparameter."""

import itertools
import warnings

import numpy as np
import pytest
from mpmath import mp
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel

from ntklib.kernels import NNGP, NTK, ArcCosine, RectifiedPower
from tests import oracle_duals, oracles
from tests.registry import ACTIVATIONS, kernel_objects

DELICATE = np.array(
    [[1.0, 2.0], [1.0, 2.0], [-1.0, -2.0], [2.0, 4.0], [1.0, 2.0 + 1e-9], [-1.0, -2.0 + 1e-7]]
)


@pytest.mark.parametrize("bias_std", [0.0, 0.3])
@pytest.mark.parametrize("kind", [NNGP, NTK])
@pytest.mark.parametrize("entry", ACTIVATIONS, ids=str)
def test_finite_and_symmetric_on_coincident_and_opposite_rows(entry, kind, bias_std):
    kernel = kind(depth=2, activation=entry.activation, weight_std=0.8, bias_std=bias_std)
    X = DELICATE * 0.3
    K, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_array_equal(K, kernel(X))
    assert gradient.shape == (6, 6, 2 if bias_std else 1)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_array_equal(gradient, gradient.transpose(1, 0, 2))


@pytest.mark.parametrize("trainable", ["hidden", (1,), (0, 3)])
def test_partly_trained(trainable):
    options = {"depth": 3, "weight_std": 1.2, "bias_std": 0.4, "trainable": trainable}
    duals = oracle_duals.rectified_power(1)
    kernel = NTK(**options)
    K, gradient = kernel(DELICATE, eval_gradient=True)
    for i, j in itertools.combinations_with_replacement(range(len(DELICATE)), 2):
        truths = oracles.deep_gradient(duals, DELICATE[i], DELICATE[j], **options)
        for k, name in enumerate(("bias_std", "weight_std")):
            truth = float(truths[name][1])
            assert abs(gradient[i, j, k] - truth) <= 1e-10 * abs(truth) + 1e-12 * (K[i, i] * K[j, j]) ** 0.5


@pytest.mark.parametrize("kind", [NNGP, NTK])
def test_normalized(kind):
    """The quotient rule on the exact values and gradients."""
    options, which = {"depth": 2, "weight_std": 1.2, "bias_std": 0.4}, int(kind is NTK)
    duals = oracle_duals.rectified_power(1)
    _, gradient = kind(normalized=True, **options)(DELICATE, eval_gradient=True)
    for i, j in itertools.combinations_with_replacement(range(len(DELICATE)), 2):
        pairs = [(i, j), (i, i), (j, j)]
        K = [oracles.deep(duals, DELICATE[p], DELICATE[q], **options)[which] for p, q in pairs]
        slopes = [oracles.deep_gradient(duals, DELICATE[p], DELICATE[q], **options) for p, q in pairs]
        for k, name in enumerate(("bias_std", "weight_std")):
            with mp.workdps(60):
                g, gx, gz = (slope[name][which] for slope in slopes)
                truth = (g - K[0] / 2 * (gx / K[1] + gz / K[2])) / mp.sqrt(K[1] * K[2])
            assert abs(gradient[i, j, k] - float(truth)) <= 1e-10 * abs(float(truth)) + 1e-12, (i, j, name)


def test_normalized_gradients_do_not_see_scales_that_cancel():
    """Lengths at depth 12 go with the power 3^12 of the parameters: a million roundings, if kept."""
    X, options = np.array([[0.7], [-40.0]]), {"depth": 12, "weight_std": 2.0, "bias_std": 3e8}
    duals = oracle_duals.rectified_power(3)
    kernel = NNGP(activation=RectifiedPower(3), normalized=True, **options)
    _, gradient = kernel(X, eval_gradient=True)
    pairs = [(0, 1), (0, 0), (1, 1)]
    K = [oracles.deep(duals, X[p], X[q], **options)[0] for p, q in pairs]
    slopes = [oracles.deep_gradient(duals, X[p], X[q], **options) for p, q in pairs]
    for k, name in enumerate(("bias_std", "weight_std")):
        with mp.workdps(60):
            g, gx, gz = (slope[name][0] for slope in slopes)
            truth = (g - K[0] / 2 * (gx / K[1] + gz / K[2])) / mp.sqrt(K[1] * K[2])
        assert abs(gradient[0, 1, k] - float(truth)) <= 1e-14


def test_fixed_bounds_leave_theta_and_the_gradient():
    kernel = NTK(bias_std=0.3, weight_std_bounds="fixed")
    assert kernel.theta.shape == (1,)
    _, gradient = kernel(DELICATE, eval_gradient=True)
    _, whole = NTK(bias_std=0.3)(DELICATE, eval_gradient=True)
    np.testing.assert_array_equal(gradient[..., 0], whole[..., 0])
    fixed = NTK(weight_std_bounds="fixed")
    assert fixed(DELICATE, eval_gradient=True)[1].shape == (6, 6, 0)
    assert ArcCosine()(DELICATE, eval_gradient=True)[1].shape == (6, 6, 0)


@pytest.mark.parametrize("kind", [NNGP, NTK])
def test_no_bias_is_structural(kind):
    kernel = kind()
    flags = {h.name: h.fixed for h in kernel.hyperparameters}
    assert flags == {"bias_std": True, "weight_std": False}
    assert kernel.theta.shape == (1,)
    assert kernel.bounds.shape == (1, 2)
    assert kernel.clone_with_theta([0.5]).bias_std == 0
    with_bias = kind(bias_std=0.1)
    assert not any(h.fixed for h in with_bias.hyperparameters)
    np.testing.assert_allclose(with_bias.theta, np.log([0.1, 1.0]))


def test_a_fit_keeps_no_bias_and_learns_a_bias(rng):
    X = rng.uniform(-2, 2, size=(25, 2))
    y = 3 + np.maximum(X[:, 0] - 0.5, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = GaussianProcessRegressor(NTK(), alpha=1e-2).fit(X, y)
    assert plain.kernel_.bias_std == 0
    assert plain.kernel_.weight_std != 1
    learned = GaussianProcessRegressor(NTK(bias_std=0.1), alpha=1e-2).fit(X, y)
    assert learned.kernel_.bias_std > 0.2
    assert learned.log_marginal_likelihood_value_ > plain.log_marginal_likelihood_value_
    composite = GaussianProcessRegressor(ConstantKernel() * NTK() + WhiteKernel()).fit(X, y)
    assert composite.kernel_.k1.k2.bias_std == 0


def test_likelihood_gradient_at_duplicates(rng):
    """What GaussianProcessRegressor differentiates, on duplicated rows."""
    X = np.repeat(rng.normal(size=(5, 2)), 2, axis=0)
    model = GaussianProcessRegressor(NTK(depth=2, bias_std=0.3), alpha=1e-2, optimizer=None).fit(X, X[:, 0])
    theta = np.log([0.4, 1.2])
    _, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
    for k in range(2):
        step = np.eye(2)[k] * 1e-5
        ends = [model.log_marginal_likelihood(theta + sign * step) for sign in (1, -1)]
        assert gradient[k] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_gradient_needs_one_set_of_rows():
    with pytest.raises(ValueError, match="Y"):
        NTK()(DELICATE, DELICATE[:2], eval_gradient=True)


def test_nngp_of_an_ntk():
    kernel = NTK(depth=2, activation=RectifiedPower(2), weight_std=1.3, bias_std=0.2, input_scaling="fan_in")
    twin = kernel.nngp()
    assert isinstance(twin, NNGP)
    assert not isinstance(twin, NTK)
    assert twin.get_params() == {k: v for k, v in kernel.get_params().items() if k != "trainable"}
    output = clone(kernel).set_params(trainable="output")
    np.testing.assert_allclose(twin(DELICATE), output(DELICATE), rtol=1e-14)


@pytest.mark.parametrize("kernel", kernel_objects(), ids=repr)
def test_float32_gradients(kernel, rng):
    X = rng.normal(size=(5, 3))
    _, single = kernel(X.astype(np.float32), eval_gradient=True)
    _, double = kernel(X, eval_gradient=True)
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)
