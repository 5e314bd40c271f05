"""The criterion of lazy training: its parts against plain arithmetic, how it scales, what a step does."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone

from ntklib.kernels import ABReLU, Monomial, RectifiedPower
from ntklib.networks import MLP, Params, TwoLayerNet, linearize
from ntklib.theory import LazyCriterion, lazy_criterion
from tests import naive_networks as naive
from tests.theory.test_curvature import ROWS, brute_force, hessians, moved, names

Y = np.array([1.0, -0.5, 0.3])


def operator_norm(matrix):
    return np.linalg.norm(matrix.reshape(-1, matrix.shape[-1]), 2)


@pytest.mark.parametrize(
    "net",
    [
        TwoLayerNet(3, activation="erf", scale=3.0),
        TwoLayerNet(2, activation="softplus", symmetric=True, bias_std=0.5, trainable="hidden"),
        TwoLayerNet(3, activation=RectifiedPower(2), n_outputs=3, parameterization="standard", scale=0.5),
        MLP((3, 2), activation="erf", scale=2.0),
    ],
    ids=names,
)
def test_parts_are_plain_arithmetic(net):
    params = moved(net)
    X = ROWS[: 1 if net.n_outputs > 1 else 2]
    y = Y[:2] if net.n_outputs == 1 else Y[None]
    found = lazy_criterion(net, params, X, y, learning_rate=1e-3)
    sigma = naive.activation_of(net)
    f = naive.outputs(net, dict(params.items()), X, lambda z: float(sigma(np.array([z]))[0])).ravel()
    J = naive.jacobian(net, params, X).reshape(f.size, -1)
    residual = f - y.ravel()
    bend = net.scale * brute_force(hessians(net, params, X))
    kappa = np.linalg.norm(residual) * bend / np.linalg.norm(J, 2) ** 2
    assert found.residual == pytest.approx(np.linalg.norm(residual), rel=1e-12)
    assert found.differential == pytest.approx(np.linalg.norm(J, 2) / net.scale, rel=1e-12)
    assert found.kappa.lower == pytest.approx(kappa, rel=3e-3 if f.size == 3 else 1e-4)
    assert found.kappa.upper >= kappa
    gradient = J.T @ residual
    loss = residual @ residual / 2
    assert found.gradient == pytest.approx(np.linalg.norm(gradient), rel=1e-12)
    assert found.loss == pytest.approx(loss, rel=1e-12)
    assert found.predicted_loss_change == pytest.approx(1e-3 * gradient @ gradient / loss, rel=1e-12)
    expected = 1e-3 * np.linalg.norm(gradient) * bend / np.linalg.norm(J, 2)
    assert found.predicted_differential_change.lower == pytest.approx(expected, rel=3e-3)
    after = net.unravel(params, net.ravel(params) - 1e-3 * gradient)
    f_1 = naive.outputs(net, dict(after.items()), X, lambda z: float(sigma(np.array([z]))[0])).ravel()
    assert found.loss_change == pytest.approx(1 - np.square(f_1 - y.ravel()).sum() / 2 / loss, rel=1e-9)
    change = operator_norm(naive.jacobian(net, after, X).reshape(f.size, -1) - J) / np.linalg.norm(J, 2)
    assert found.differential_change == pytest.approx(change, rel=1e-9)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_changes_of_a_step_are_those_predicted_as_steps_get_small(scale):
    net = TwoLayerNet(30, activation="erf", scale=scale)
    params = net.init(2, 0)
    for rate in (1e-4, 1e-5, 1e-6):
        found = lazy_criterion(net, params, ROWS, Y, learning_rate=rate / scale**2)
        assert found.loss_change == pytest.approx(found.predicted_loss_change, rel=20 * rate)
        assert found.differential_change <= found.predicted_differential_change.upper * (1 + 100 * rate)


def test_the_ratio_of_both_changes_is_bounded_by_kappa_where_the_gradient_is_largest():
    """With the residual along the top left singular vector, the gradient is as large as it can be."""
    net = TwoLayerNet(50, activation="softplus", symmetric=True)
    params = net.init(2, 0)
    top = np.linalg.svd(net.jacobian(params, ROWS))[0][:, 0]
    found = lazy_criterion(net, params, ROWS, 0.2 * top)
    ratio = found.predicted_differential_change * (1 / found.predicted_loss_change)
    assert ratio.upper == pytest.approx(found.kappa.upper / 2)
    assert found.learning_rate == pytest.approx(2e-3 / found.differential**2)
    assert found.predicted_loss_change == pytest.approx(4e-3)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("net", [TwoLayerNet(20, activation="erf"), MLP((6, 5), bias_std=0.3)], ids=names)
def test_other_scales(net, centred):
    params = net.init(2, 0)

    def at(alpha):
        scaled = clone(net).set_params(scale=alpha)
        return lazy_criterion(scaled.centered_at(params) if centred else scaled, params, ROWS, Y)

    one = at(1.0)
    for alpha in (0.1, 1e4):
        there, expected = at(alpha), one.at_scale(alpha)
        assert there.kappa.lower == pytest.approx(expected.lower, rel=1e-10)
        assert there.kappa.upper == pytest.approx(expected.upper, rel=1e-10)
        assert there.limit.lower == pytest.approx(one.limit.lower, rel=1e-12, abs=0)
    far = one.at_scale(1e9).lower
    if centred:
        assert one.limit.upper == 0
        assert far == pytest.approx(
            1e-9 * np.linalg.norm(Y) * one.second_derivative.lower / one.differential**2
        )
    else:  # lecture notes have it tend to 0
        assert far == pytest.approx(one.limit.lower, rel=1e-6)
        assert far > 0.01


@pytest.mark.parametrize(
    ("net", "q"),
    [
        (TwoLayerNet(20), 2),
        (TwoLayerNet(20, activation=RectifiedPower(2), symmetric=True), 3),
        (TwoLayerNet(20, activation="step"), 1),
        (TwoLayerNet(20, activation=Monomial(3), trainable="hidden"), 4),
        (MLP((6, 5), activation=ABReLU(0.2, 1.0)), 3),
        (MLP((6, 5, 4)), 4),
        (MLP((6, 5), activation=RectifiedPower(2)), 7),
        (MLP((4, 4), activation=RectifiedPower(3), n_outputs=2), 13),
    ],
    ids=str,
)
def test_other_weights(net, q):
    """Computed anew at lambda w_0, with hidden weights that are not trained scaled, too."""
    params, y = net.init(2, 0), Y if net.n_outputs == 1 else np.outer(Y, [1, 2])
    one = lazy_criterion(net, params, ROWS, y)
    assert one.homogeneity == q
    centred = lazy_criterion(net.centered_at(params), params, ROWS, y)
    for factor in (0.8, 1.5)[: 3 - net.depth]:
        scaled = Params({name: factor * array for name, array in params.items()})
        there, expected = lazy_criterion(net, scaled, ROWS, y), one.at_weights_times(factor)
        assert there.kappa.lower == pytest.approx(expected.lower, rel=1e-5)
        assert there.kappa.upper == pytest.approx(expected.upper, rel=1e-10)
        anew = lazy_criterion(net.centered_at(scaled), scaled, ROWS, y)
        assert centred.at_weights_times(factor).lower == pytest.approx(anew.kappa.lower, rel=1e-5)
    assert one.at_weights_times(1e5).lower == pytest.approx(one.limit.lower, rel=1e-4)


@pytest.mark.parametrize("net", [TwoLayerNet(5, bias_std=0.1), MLP((3, 3), activation="erf")], ids=names)
def test_networks_that_are_not_homogeneous(net):
    found = lazy_criterion(net, net.init(2, 0), ROWS, Y)
    assert found.homogeneity is None
    assert "not homogeneous" in str(found)
    with pytest.raises(ValueError, match="not homogeneous"):
        found.at_weights_times(2.0)


def test_jacobians_that_do_not_fit_all_at_once():
    net = TwoLayerNet(400, activation="erf", n_outputs=2)
    params = net.init(2, 0)
    whole = lazy_criterion(net, params, ROWS, np.outer(Y, [1, -1]))
    with config_context(working_memory=0.01):
        parts = lazy_criterion(net, params, ROWS, np.outer(Y, [1, -1]))
    assert parts.differential_change == pytest.approx(whole.differential_change, rel=1e-10)


def test_the_report():
    net = TwoLayerNet(100, activation="erf", symmetric=True, scale=20.0)
    params = net.init(2, 0)
    lazy = lazy_criterion(net, params, ROWS, Y)
    assert isinstance(lazy, LazyCriterion)
    assert "small, training starts lazily" in repr(lazy)
    assert "the outputs start at 0" in repr(lazy)
    rich = str(lazy_criterion(net.set_params(scale=0.01), params, ROWS, Y))
    assert "not lazy" in rich
    deep = MLP((5, 5), scale=100.0)
    assert "no bound known" in str(lazy_criterion(deep, deep.init(2, 0), ROWS, Y))
    smooth = MLP((8, 8), activation="erf", scale=50.0, symmetric=True)
    one_end = str(lazy_criterion(smooth, smooth.init(2, 0), ROWS, Y))
    assert "may be small, no upper end is known" in one_end
    narrow = TwoLayerNet(30, activation="erf", symmetric=True)
    both = lazy_criterion(narrow, narrow.init(2, 0), ROWS, Y).kappa
    narrow.set_params(scale=10 * (both.lower + both.upper) / 2)  # 0.1 is in the middle
    assert "may be small, the upper end decides" in str(lazy_criterion(narrow, narrow.init(2, 0), ROWS, Y))
    assert not lazy.kinks
    relu = lazy_criterion(TwoLayerNet(100), TwoLayerNet(100).init(2, 0), ROWS, Y)
    assert relu.kinks
    assert "without the jumps at kinks" in repr(relu)
    linear = TwoLayerNet(5, trainable="output")
    assert "linear in what is trained" in str(lazy_criterion(linear, linear.init(2, 0), ROWS, Y))


NET = TwoLayerNet(5, activation="erf")
START = NET.init(2, 0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"net": linearize(NET, START)}, TypeError, "TwoLayerNet"),
        ({"params": 3}, TypeError, "net.init"),
        ({"y": Y[:2]}, ValueError, "do not go with outputs"),
        ({"y": Y * np.nan}, ValueError, "NaN"),
        ({"y": NET.apply(START, ROWS)}, ValueError, "targets already"),
        ({"X": 0 * ROWS, "net": TwoLayerNet(5)}, ValueError, "Dh is 0"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be"),
        ({"learning_rate": 1e200}, ValueError, "lower learning_rate"),
        ({"learning_rate": 1e100, "net": TwoLayerNet(5)}, ValueError, "lower learning_rate"),
        ({"learning_rate": 1e308, "y": 1e5 * Y}, ValueError, "lower learning_rate"),
        ({"X": ROWS[:, :1]}, ValueError, "features"),
    ],
    ids=[
        "linearized",
        "params",
        "short y",
        "NaN",
        "fitted",
        "dead",
        "no step",
        "far",
        "as far",
        "farther",
        "features",
    ],
)
def test_what_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        lazy_criterion(**{"net": NET, "params": START, "X": ROWS, "y": Y, **change})


def test_scales_are_positive():
    found = lazy_criterion(TwoLayerNet(5), START, ROWS, Y)
    for method in (found.at_scale, found.at_weights_times):
        with pytest.raises(ValueError, match="greater than 0"):
            method(0.0)
    with pytest.raises(ValueError, match="must be finite"):
        found.at_weights_times(1e200)
