"""Means over initialisations against the analytic limit of each parameterisation, within standard errors."""

import numpy as np
import pytest

from ntklib import kernels
from ntklib.networks import MLP, TwoLayerNet

X = np.array([[0.6, -0.2, 0.3], [0.1, 0.9, -0.5], [-0.4, 0.3, 0.8]])


def check(mean, expected, slack=0.0):
    """Within 5 standard errors, and ``slack`` (relative) for what a finite width shifts the mean by."""
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert mean.mean.shape == mean.standard_error.shape == expected.shape
    assert (mean.standard_error > 0).all()
    assert (mean.standard_error < 0.05 * scale).all()
    assert (np.abs(mean.mean - expected) <= 5 * mean.standard_error + slack * scale).all()


@pytest.mark.parametrize("output_init", ["gaussian", "rademacher"])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("trainable", ["all", "hidden", "output"])
def test_two_layers_are_unbiased_at_any_width(trainable, symmetric, output_init):
    """E[Theta_m] is the limit exactly, m = 40 included."""
    net = TwoLayerNet(
        40, trainable=trainable, symmetric=symmetric, output_init=output_init, weight_std=1.2, bias_std=0.3
    )
    mean = net.ntk_mean(X, draws=400, random_state=0)
    assert mean.draws == 400
    check(mean, kernels.ntk_kernel(X, weight_std=1.2, bias_std=0.3, trainable=trainable))


@pytest.mark.parametrize(
    "net",
    [
        MLP((64, 64), weight_std=1.4, bias_std=0.2),
        MLP((96, 32), activation="erf", bias_std=0.3, trainable=(0, 2), symmetric=True),
        MLP(
            (48, 64, 48), activation="tanh", input_scaling="fan_in", weight_std=1.5, output_init="rademacher"
        ),
        TwoLayerNet(64, parameterization="mean_field", bias_std=0.4, scale=2.0),
        MLP((32, 96), parameterization="mean_field", activation="gelu", bias_std=0.3, weight_std=1.3),
        TwoLayerNet(64, parameterization="mup"),
        MLP((96, 48), parameterization="mup", weight_std=1.3),
        MLP((32, 96), parameterization="mup", bias_std=1.0, activation="softplus", symmetric=True),
        MLP((32, 32), activation="relu", trainable="hidden", scale=0.5),
    ],
    ids=repr,
)
def test_limits(net):
    """The step-weighted kernel tends to `limit_kernel`, widths unequal or not."""
    mean = net.ntk_mean(X, draws=200, random_state=0, weighted=True)
    limit = net.limit_kernel()(X)
    # at depths above 1 the mean is off by terms of order 1/width
    check(mean, limit, 0.0 if net.depth == 1 else 4 / min(net.hidden_widths))


def test_several_outputs_add_up():
    net = TwoLayerNet(40, n_outputs=3)
    check(net.ntk_mean(X, draws=300, random_state=0), 3 * kernels.ntk_kernel(X))
    assert net.limit_kernel() == TwoLayerNet(40).limit_kernel()


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (TwoLayerNet(parameterization="standard"), "width"),
        (MLP(parameterization="standard", bias_std=0.1), "width"),
        (MLP(parameterization="mup", bias_std=0.5), "bias_std"),
        (MLP(parameterization="mup", input_scaling="fan_in"), "fan_in"),
    ],
    ids=repr,
)
def test_no_limit(net, message):
    with pytest.raises(ValueError, match=message):
        net.limit_kernel()


@pytest.mark.parametrize("options", [{"weight_std": 1.5, "scale": 2.0}, {"bias_std": 1.0}], ids=repr)
@pytest.mark.parametrize("widths", [(300,), (300, 300)], ids=repr)
def test_the_first_layer_of_the_standard_parameterization_has_a_limit(widths, options):
    net = MLP(widths, activation="erf", parameterization="standard", trainable=(0,), **options)
    limit, found = net.limit_kernel()(X), net.ntk_mean(X, draws=60, random_state=0)
    # beyond one hidden layer the mean is that of the limit but for terms of order 1 / width
    assert np.all(np.abs(found.mean - limit) < 5 * found.standard_error + 0.01 * np.abs(limit).max())


def test_the_standard_parameterization_grows_with_width():
    """The trace of the kernel is proportional to width, which is why there is no limit."""
    traces = [
        TwoLayerNet(width, parameterization="standard").ntk_mean(X, draws=30, random_state=0).mean.trace()
        for width in (50, 200, 800)
    ]
    assert np.diff(np.log(traces)) == pytest.approx(np.log(4), rel=0.15)


def test_limits_are_kernels_of_the_networks_options():
    net = MLP(
        (8, 8), activation="erf", weight_std=1.3, bias_std=0.2, input_scaling="fan_in", trainable="hidden"
    )
    expected = kernels.NTK(2, "erf", weight_std=1.3, bias_std=0.2, input_scaling="fan_in", trainable="hidden")
    np.testing.assert_allclose(net.limit_kernel()(X), expected(X), rtol=1e-15)


def test_means_are_reproducible_and_stream():
    net = TwoLayerNet(8)
    mean = net.ntk_mean(X, draws=20, random_state=3)
    again = net.ntk_mean(X, draws=20, random_state=3)
    np.testing.assert_array_equal(mean.mean, again.mean)
    np.testing.assert_array_equal(mean.standard_error, again.standard_error)
    other = net.ntk_mean(X, draws=20, random_state=4)
    assert not np.array_equal(mean.mean, other.mean)
    assert len(repr(mean)) < 2000
    with pytest.raises((AttributeError, TypeError)):
        mean.draws = 3
    cross = net.ntk_mean(X, X[:2], draws=20, random_state=3)
    np.testing.assert_allclose(cross.mean, mean.mean[:, :2], rtol=1e-12)
    np.testing.assert_allclose(cross.standard_error, mean.standard_error[:, :2], rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"weighted": True}, {"output": "full"}, {"output": 1}], ids=repr)
def test_means_and_standard_errors_are_those_of_the_draws(options):
    """One kernel a draw, each from a stream of its own, kept and reduced by NumPy."""
    net = TwoLayerNet(8, n_outputs=2, parameterization="mean_field", bias_std=0.2)
    found = net.ntk_mean(X, draws=7, random_state=2, **options)
    seeds = np.random.SeedSequence(2).spawn(7)
    draws = np.array([net.ntk(net.init(3, seed), X, **options) for seed in seeds])
    np.testing.assert_allclose(found.mean, draws.mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        found.standard_error, draws.std(axis=0, ddof=1) / np.sqrt(7), rtol=1e-10, atol=1e-14
    )


def test_bad_numbers_of_draws():
    for draws in (0, 1, -1, 2.5, "3"):
        with pytest.raises((ValueError, TypeError), match="draws"):
            TwoLayerNet(4).ntk_mean(X, draws=draws, random_state=0)
