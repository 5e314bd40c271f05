"""Where the theorem ends: it is tight, it knows its scales, and it names the assumption that fails."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ntklib import kernels
from ntklib.dynamics import integrate_flow
from ntklib.networks import TwoLayerNet
from ntklib.theory import certificate_from_constants, jacobian_lipschitz, lazy_certificate

# ------------------------------------------------------------------ tight on h(w) = sigma w - beta w^2 / 2


def parabola(sigma, beta, y, scale, until):
    """w, the length of its path and the loss along the flow of h(w) = sigma w - beta w^2/2 from w = 0."""

    def slope(_, state):
        w = state[0]
        v = -scale * (sigma - beta * w) * (scale * (sigma * w - beta * w * w / 2) - y)
        return [v, abs(v)]

    times = np.linspace(0, until, 60)
    path = solve_ivp(slope, (0, until), [0.0, 0.0], t_eval=times, method="LSODA", rtol=1e-11, atol=1e-13).y
    return times, path[0], path[1], (scale * (sigma * path[0] - beta * path[0] ** 2 / 2) - y) ** 2 / 2


@pytest.mark.parametrize(("sigma", "beta", "y"), [(1.0, 0.5, 1.0), (0.3, 2.0, 4.0), (5.0, 0.01, 0.2)])
def test_tight_on_the_parabola(sigma, beta, y):
    """It holds 2 % above the threshold and the flow arrives; 2 % below, the flow stops short of it."""
    given = {"sigma_min": sigma, "sigma_max": sigma, "jacobian_lipschitz": beta}
    threshold = certificate_from_constants([0.0], [y], **given).scale_threshold
    assert threshold == pytest.approx(2 * beta * y / sigma**2, rel=1e-6)

    above = certificate_from_constants([0.0], [y], scale=1.02 * threshold, **given)
    assert above.holds
    times, w, length, loss = parabola(sigma, beta, y, above.scale, 24 / above.rate)
    assert np.all(loss <= above.loss_bound(times) * (1 + 1e-6) + 1e-16)
    assert loss[-1] < 1e-7 * loss[0]
    # all of the path, and the rate in the end, are used up
    assert length[-1] == pytest.approx(above.distance_bound, rel=1e-4)
    slow = (loss < 1e-6 * loss[0]) & (loss > 1e-10 * loss[0])
    assert -np.polyfit(times[slow], np.log(loss[slow]), 1)[0] == pytest.approx(above.rate, rel=0.02)

    below = certificate_from_constants([0.0], [y], scale=0.98 * threshold, **given)
    assert not below.holds
    assert f"{below.scale:.6g} is outside" in below.failures[0]
    _, w, _, loss = parabola(sigma, beta, y, below.scale, 2000 / (below.scale * sigma) ** 2)
    assert loss.min() >= (y - below.scale * sigma**2 / (2 * beta)) ** 2 / 2 * (1 - 1e-9)
    assert loss.min() > 1e-4 * loss[0]
    assert w.max() <= sigma / beta * (1 + 1e-9)


def test_tight_on_a_network():
    """One neuron of sigma_2 with output weight -1 is that parabola: 2 w_0 s - s^2 with s = w_0 - w."""
    net = TwoLayerNet(1, activation=kernels.RectifiedPower(2), trainable="hidden")
    params = net.init(1, 0).replace(W0=[[0.8]], W1=[[-1.0]])
    X, y = np.ones((1, 1)), np.array([2.0])
    model = net.centered_at(params)
    certificate = lazy_certificate(model, params, X, y)
    assert certificate.jacobian_lipschitz == pytest.approx(2.0, rel=1e-6)
    threshold = certificate.scale_threshold
    assert threshold == pytest.approx(2.0 / 0.64, rel=1e-6)
    for factor, holds in ((1.02, True), (0.98, False)):
        net.set_params(scale=factor * threshold)
        model = net.centered_at(params)
        certificate = lazy_certificate(model, params, X, y)
        assert certificate.holds is holds
        times = np.array([0.0, 1.0, 30.0]) / (net.scale * 0.1) ** 2
        flow = integrate_flow(model, X, y, times, params=params)
        if holds:
            assert flow.loss[-1] < 1e-6 * flow.loss[0]
            assert flow.path_length[-1] == pytest.approx(certificate.distance_bound, rel=1e-3)
        else:
            stop = (y[0] - net.scale * 0.64) ** 2 / 2  # at w = 0
            assert flow.loss[-1] == pytest.approx(stop, rel=1e-2)
            assert stop > 1e-4 * flow.loss[0]


# ------------------------------------------------------------------ the scales that are certified


def test_the_three_shapes_of_the_scale_interval():
    """A half-line, a bounded interval, nothing: against a scan, for A and A', whose limits are known here."""
    rng, shapes = np.random.default_rng(0), []
    scan = np.geomspace(1e-4, 1e4, 40_001)
    for trial in range(60):
        n = 1 + trial % 3
        h0, y = rng.normal(size=(2, n)) * np.exp(rng.normal(size=(2, 1)))
        low, high, beta = 0.7, 2.0, np.exp(rng.normal())
        theorem, c = (("A'", low**2 / (2 * beta)), ("A", low**3 / (12 * beta * high)))[trial % 2]
        if theorem == "A":
            h0 = h0 / 12
        given = {"sigma_min": low, "sigma_max": high, "jacobian_lipschitz": beta, "theorem": theorem}
        certificate = certificate_from_constants(h0, y, **given)
        assert certificate.residual_limit == pytest.approx(c, rel=1e-6)
        inside = np.linalg.norm(h0 - y / scan[:, None], axis=1) <= c
        found = certificate.scale_interval
        if found is None:
            assert inside.sum() <= 1
            assert certificate.scale_threshold == np.inf
            assert "none is certified" in certificate.failures[0]
            shapes.append("none")
        else:
            assert certificate.scale_threshold == found[0]
            np.testing.assert_array_equal(
                inside, (scan >= found[0] * (1 - 1e-6)) & (scan <= found[1] * (1 + 1e-6))
            )
            shapes.append("half-line" if found[1] == np.inf else "bounded")
            for end in found:
                if end < np.inf:
                    factor = 1 + 1e-4 if end == found[0] else 1 - 1e-4
                    assert certificate.at_scale(end).residual <= certificate.residual_limit * (1 + 1e-9)
                    assert certificate.at_scale(factor * end).holds or found[1] < found[0] * (1 + 3e-4)
                    assert not certificate.at_scale(end / factor).holds
    assert {shape: shapes.count(shape) > 4 for shape in set(shapes)} == dict.fromkeys(
        ("half-line", "bounded", "none"), True
    )


@pytest.mark.parametrize("factor", [0.5, 0.999, 1.001, 2.0])
def test_theorem_b_wants_both_parts_small(factor):
    """|h_0| <= C_0 and alpha > |y|/C_0, though |h_0 - y/alpha| may be 0."""
    low, high, beta = 0.7, 2.0, 0.4
    C0 = low**3 / (32 * high * beta)
    h0, y = np.array([factor * C0, 0.0]), np.array([3.0, 0.0])
    given = {"sigma_min": low, "sigma_max": high, "jacobian_lipschitz": beta, "theorem": "B"}
    certificate = certificate_from_constants(h0, y, scale=3.0 / (factor * C0), **given)
    assert certificate.residual_limit == pytest.approx(C0, rel=1e-6)
    if factor < 1:
        assert certificate.scale_interval == (pytest.approx(3.0 / C0, rel=1e-6), np.inf)
    else:
        assert certificate.scale_interval is None
        assert not certificate.holds


def test_a_target_that_is_met_already():
    """y = alpha h_0 at one scale: it is certified, the loss is 0 and nothing moves; and y = 0 likewise."""
    given = {"sigma_min": 0.1, "sigma_max": 1.0, "jacobian_lipschitz": 5.0}
    certificate = certificate_from_constants([2.0, -1.0], [6.0, -3.0], scale=3.0, **given)
    assert certificate.holds
    assert certificate.initial_loss < 1e-25
    assert certificate.distance_bound < 1e-12
    assert certificate.rate == pytest.approx(2 * (3.0 * 0.1) ** 2, rel=1e-6)
    nothing = certificate_from_constants([0.0, 0.0], [0.0, 0.0], **given)
    assert nothing.holds
    assert nothing.scale_interval == (0.0, np.inf)


# ------------------------------------------------------------------ assumptions that fail are named


def failures(net, X, y=None, seed=0):
    X = np.asarray(X, float)
    params = net.init(X.shape[1], seed)
    y = np.ones(len(X)) if y is None else y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = lazy_certificate(net, params, X, y)
        text = repr(certificate)
    assert not certificate.holds
    assert certificate.scale_interval is None
    for failure in certificate.failures:
        assert failure in text
    return " | ".join(certificate.failures)


def test_assumptions_that_fail_are_named_with_their_number():
    square = kernels.RectifiedPower(2)
    eye = np.eye(3)
    found = failures(TwoLayerNet(1, activation=square, trainable="hidden"), [[1.0], [2.0]])
    assert "p = 1 trained ones cannot fit 2 outputs" in found
    found = failures(TwoLayerNet(30, activation="erf"), np.vstack([eye, eye[:2]]))
    assert "duplicate rows: 2 of 5" in found
    # three rows of a plane, all different; a linear network has a Jacobian of rank 2 on them
    plane = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = failures(TwoLayerNet(30, activation="identity"), plane)
    assert "rank deficiency" in found
    assert "duplicate" not in found
    # rows x and -x, and an odd activation
    assert "rank deficiency" in failures(TwoLayerNet(30, activation="erf"), [[1.0, 0.5], [-1.0, -0.5]])
    assert "rank deficiency" in failures(TwoLayerNet(30, activation="erf"), [[1.0, 0.5], [0.0, 0.0]])
    constants = {"sigma_min": 0.0, "sigma_max": 1.0, "jacobian_lipschitz": 1.0}
    assert "rank deficiency" in certificate_from_constants([0.0], [1.0], **constants).failures[0]


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "abs", "step", kernels.ABReLU(-0.5, 2.0)], ids=str
)
def test_kinks_are_refused_beforehand(activation):
    found = failures(TwoLayerNet(30, activation=activation, scale=1e9), np.eye(3))
    assert "jumps" in found
    assert "beta = inf" in found


def test_scales_outside_are_named():
    """Too far from 0 for any scale, and too far for large ones."""
    given = {"sigma_min": 1.0, "sigma_max": 1.0, "jacobian_lipschitz": 1.0}  # c = 1/2
    none = certificate_from_constants([2.0], [-1.0], scale=50.0, **given)
    assert "|h_0| = 2" in none.failures[0]
    assert "0.5" in none.failures[0]
    bounded = certificate_from_constants([2.0], [6.0], scale=50.0, **given)
    low, high = bounded.scale_interval
    assert (low, high) == (pytest.approx(2.4, rel=1e-6), pytest.approx(4.0, rel=1e-6))
    assert "50 is outside the certified ones, 2.4 to 4" in bounded.failures[0]
    assert bounded.at_scale(3.0).holds
    assert bounded.at_scale(3.0).failures == ()


# ------------------------------------------------------------------ kinks: nothing holds a posteriori either


def test_the_flow_stops_at_a_kink_while_its_jacobian_does_not_vanish():
    """f = -relu(w), y = 1: w falls to 0 and stays, at L = 1/2, though J J^T = 1 was recorded all the way."""
    net = TwoLayerNet(1, activation="relu", trainable="hidden")
    X, y = np.ones((1, 1)), np.ones(1)
    start = net.init(1, 0).replace(W0=[[1.0]], W1=[[-1.0]])
    assert jacobian_lipschitz(net, start, X).value == np.inf
    # dw/dt = -(w + 1) until w = 0: w(t) = 2 e^-t - 1; then 0 is between the slopes of both sides, and w stays
    t = np.linspace(0, 4, 401)
    w = np.maximum(2 * np.exp(-t) - 1, 0.0)
    recorded, losses = [], []
    for value in w:
        there = start.replace(W0=[[value]])
        recorded.append(net.ntk(there, X)[0, 0])
        losses.append(0.5 * (net.apply(there, X)[0] - 1) ** 2)
    bound = losses[0] * np.exp(-2 * np.concatenate([[0.0], np.cumsum(recorded[:-1]) * (t[1] - t[0])]))
    assert np.all(np.array(recorded) == 1.0)
    moving = t < np.log(2)
    np.testing.assert_allclose(np.array(losses)[moving], bound[moving], rtol=1e-9)  # exact until the kink
    assert losses[-1] == 0.5
    assert bound[-1] < 1e-2 * losses[-1]
    # gradient descent gets no further: small steps end beside the kink
    for _ in range(100):
        start = net.unravel(start, net.ravel(start) - 0.02 * net.vjp(start, X, net.apply(start, X) - y))
    assert net.apply(start, X)[0] == 0
    assert -0.05 < start["W0"][0, 0] <= 0


def test_descent_slides_along_a_kink():
    """f = -|w|, y = 1: steps jump to and fro over 0, J J^T = 1 at each, and the loss stays at 1/2."""
    net = TwoLayerNet(1, activation="abs", trainable="hidden")
    X, y, eta = np.ones((1, 1)), np.ones(1), 0.01
    params = net.init(1, 0).replace(W0=[[1.0]], W1=[[-1.0]])
    signs, integral = [], 0.0
    for _ in range(400):
        integral += eta * net.ntk(params, X)[0, 0]
        params = net.unravel(params, net.ravel(params) - eta * net.vjp(params, X, net.apply(params, X) - y))
        signs.append(np.sign(params["W0"][0, 0]))
    loss = 0.5 * (net.apply(params, X)[0] - 1) ** 2
    assert integral == pytest.approx(4.0)
    assert np.abs(np.diff(signs[-200:])).mean() == 2  # the activation's sign flips at every step
    assert 0.48 < loss < 0.52
    assert loss > 100 * 2.0 * np.exp(-2 * integral)
