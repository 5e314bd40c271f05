"""Misprints of the lazy-training theorem in circulating notes: the right form holds, the printed one fails.

Where a number decides, the example is the smallest one: one parameter, or one network of few neurons.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from ntklib import kernels
from ntklib.dynamics import integrate_flow
from ntklib.networks import TwoLayerNet, linearize
from ntklib.theory import certificate_from_constants, jacobian_lipschitz, lazy_certificate, lazy_criterion

X = np.eye(3) + 0.2 * np.random.default_rng(0).normal(size=(3, 3))
Y = np.array([1.0, -1.0, 0.5])


@pytest.fixture(scope="module")
def certified():
    """A network that theorem A certifies, its certificate, and its flow until its residual is 1e-6."""
    net = TwoLayerNet(40, activation="erf", symmetric=True)
    params = net.init(3, 0)
    net.set_params(scale=1.01 * lazy_certificate(net, params, X, Y, theorem="A").scale_threshold)
    certificate = lazy_certificate(net, params, X, Y, theorem="A")
    times = np.linspace(0, 30, 61) / certificate.linear_rate
    return net, params, certificate, integrate_flow(net, X, Y, times, params=params, keep_params=True)


def test_the_tangent_model_has_its_own_parameters(certified):
    """max{R(alpha h(w_t)), R(alpha h_bar(u_t))}: at w_t the tangent model's loss does not vanish."""
    net, params, certificate, flow = certified
    tangent, start = linearize(net, params), net.ravel(params)
    bound = certificate.loss_bound(flow.times)
    at_w = [np.sum((tangent.apply(net.unravel(params, start + v), X) - Y) ** 2) / 2 for v in flow.vectors]
    own = integrate_flow(tangent, X, Y, flow.times)
    assert np.all(flow.loss <= bound)
    assert np.all(own.loss <= bound)
    late = 4 * flow.times[-1]  # a lower bound on the printed quantity stays, the bound goes on falling
    assert at_w[-1] > 1e3 * flow.loss[-1]
    assert at_w[-1] == pytest.approx(at_w[-2], rel=0.02)
    assert at_w[-1] > certificate.loss_bound(late)


def test_predictions_move_by_alpha_squared(certified):
    """Lemma 3: d/dt (alpha h) = -alpha^2 J J^T (alpha h - y), J of h; without alpha^2 it is far off."""
    net, params, certificate, _ = certified
    step = 1e-6 / certificate.linear_rate
    flow = integrate_flow(net, X, Y, [0.0, step], params=params)
    speed = (flow.outputs[1] - flow.outputs[0]) / step
    J = net.jacobian(params, X) / net.scale
    without = -J @ J.T @ (flow.outputs[0] - Y)
    np.testing.assert_allclose(speed, net.scale**2 * without, rtol=1e-4)
    assert net.scale**2 > 10
    assert np.linalg.norm(speed - without) > 0.9 * np.linalg.norm(speed)


def test_sign_and_factor_of_the_loss():
    """Lemma 4: dR/dt = -<r, Q r> <= -2 lambda R for dz/dt = -Q r, r = z - y; no half, and a minus."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3, 3))
    Q, r0, step = A @ A.T + 0.5 * np.eye(3), rng.normal(size=3), 1e-6
    risks = [np.sum((expm(-Q * t) @ r0) ** 2) / 2 for t in (0.0, step, 1.0)]
    change = (risks[1] - risks[0]) / step
    right = -(r0 @ Q @ r0)
    assert change == pytest.approx(right, rel=1e-4)
    for printed in (-right, right / 2, -right / 2):
        assert abs(change - printed) > 0.4 * abs(change)
    lowest = np.linalg.eigvalsh(Q)[0]
    assert risks[2] <= risks[0] * np.exp(-2 * lowest)
    # along the smallest eigenvector the factor 2 is used up: half the rate is loose, twice is wrong
    along = np.linalg.eigh(Q)[1][:, 0]
    assert np.sum((expm(-Q) @ along) ** 2) == pytest.approx(np.exp(-2 * lowest), rel=1e-9)


def test_movement_is_squared():
    """Lemma 5: |v - v_0|^2 <= 2 lambda_1 L_0/lambda^2 if dv/dt = -S^T r, S S^T between lambda, lambda_1."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        S, r0 = (
            np.exp(2 * rng.normal()) * rng.normal(size=(3, 5)),
            np.exp(2 * rng.normal()) * rng.normal(size=3),
        )
        spectrum, moved = np.linalg.eigvalsh(S @ S.T), np.linalg.norm(np.linalg.pinv(S) @ r0)
        assert moved**2 <= spectrum[-1] * np.sum(r0**2) / spectrum[0] ** 2
    # with one parameter it is an equality, and every other combination is wrong somewhere
    for s, r in ((0.1, 1e-3), (100.0, 0.01)):
        lowest = largest = s**2
        moved, L0 = r / s, r**2 / 2
        assert moved**2 == pytest.approx(2 * largest * L0 / lowest**2)
        assert moved > 2 * largest * L0 / lowest**2  # not squared
        assert moved**2 > largest * L0 / lowest**2
        assert (moved**2 > 2 * largest * L0 / lowest) == (s < 1)
        assert (moved**2 > 2 * L0 / lowest**2) == (s > 1)


@pytest.mark.parametrize(("alpha", "sigma"), [(0.1, 1.0), (1.0, 0.1), (0.05, 0.2)])
def test_the_tangent_model_moves_by_alpha_and_sigma_min(alpha, sigma):
    """|u - w_0|^2 <= 2 L_0 / (alpha^2 sigma_min^2), an equality for one parameter; it needs both factors."""
    y = 3.0
    certificate = certificate_from_constants(
        [0.0], [y], sigma_min=sigma, sigma_max=sigma, jacobian_lipschitz=1.0, scale=alpha
    )
    L0, moved = y**2 / 2, y / (alpha * sigma)  # alpha sigma u = y in the end
    assert certificate.linear_distance_bound == pytest.approx(moved, rel=1e-8)
    assert moved**2 == pytest.approx(2 * L0 / (alpha**2 * sigma**2))
    for printed in (2 * L0, 2 * L0 / alpha**2, 2 * L0 / sigma**2):
        assert printed <= moved**2 * (1 + 1e-12)
    assert moved**2 > 10 * (2 * L0)


def test_how_far_the_jacobian_moves_is_a_bound_only(certified):
    """Lemma 6: |J_w - J_0| <= beta |w - w_0|, not "=": even the least beta of the ball is above the ratio."""
    net, params, _, flow = certified
    unit = net.__class__(**{**net.get_params(), "scale": 1.0})
    start = net.ravel(params)
    change = unit.jacobian(unit.unravel(params, start + flow.vectors[-1]), X) - unit.jacobian(params, X)
    moved = flow.distance[-1]
    assert np.linalg.norm(change, 2) <= jacobian_lipschitz(net, params, X, moved).value * moved
    # from below, along the direction of the path and along another one, from the same point
    second = np.array(
        [
            np.linalg.norm(
                unit.jacobian(unit.unravel(params, start + 1e-4 * d), X) - unit.jacobian(params, X), 2
            )
            / 1e-4
            for d in np.eye(len(start))
        ]
    )
    assert np.linalg.norm(change, 2) < 0.9 * second.max() * moved


def test_the_last_display_needs_sigma_max():
    """|w - w_0| <= 3 sqrt(8 sigma_max^2 L_0)/(alpha sigma_min^2): without sigma_max rescaling h breaks it."""
    sigma, y, alpha = 20.0, 1.0, 1.0  # h(w) = 20 w - w^2/200
    given = {"sigma_min": sigma, "sigma_max": sigma, "jacobian_lipschitz": 0.01, "scale": alpha}
    certificate = certificate_from_constants([0.0], [y], theorem="A", **given)
    assert certificate.holds
    L0 = y**2 / 2
    assert certificate.distance_bound == pytest.approx(
        3 * np.sqrt(8 * sigma**2 * L0) / (alpha * sigma**2), rel=1e-6
    )
    moved = (sigma - np.sqrt(sigma**2 - 2 * 0.01 * y)) / 0.01
    assert moved <= certificate.distance_bound
    assert moved > 3 * np.sqrt(8 * L0) / (alpha * sigma**2)


def test_the_threshold_in_terms_of_the_loss():
    """alpha >= 6 beta sqrt(8 sigma_max^2 L_0)/sigma_min^3, L_0 at alpha: that on |h_0 - y/alpha|."""
    h0, y, low, high, beta = np.array([0.003, 0.0]), np.array([1.0, 2.0]), 0.7, 1.9, 0.3
    given = {"sigma_min": low, "sigma_max": high, "jacobian_lipschitz": beta, "theorem": "A"}
    first = certificate_from_constants(h0, y, **given)
    for alpha in np.geomspace(1.0, 1e4, 60):
        L0 = np.sum((alpha * h0 - y) ** 2) / 2
        assert first.at_scale(alpha).holds == (alpha >= 6 * beta * np.sqrt(8 * high**2 * L0) / low**3)


def test_large_scales_are_not_lazy_unless_the_outputs_start_at_zero():
    """kappa_(alpha h) and kappa_h(c w) do not tend to 0 as alpha and c grow, but to |h_0| |D^2h|/|Dh|^2."""
    net = TwoLayerNet(20, activation=kernels.RectifiedPower(2))
    params = net.init(3, 0)
    criterion = lazy_criterion(net, params, X, Y)
    limit = criterion.limit
    h0 = np.linalg.norm(net.apply(params, X))
    Dh = np.linalg.norm(net.jacobian(params, X), 2)
    assert limit.lower > 0.05
    assert limit.lower == pytest.approx(h0 * criterion.second_derivative.lower / Dh**2, rel=1e-9)
    for alpha in (1e4, 1e8):
        scaled = lazy_criterion(net.__class__(**{**net.get_params(), "scale": alpha}), params, X, Y)
        assert scaled.kappa.lower == pytest.approx(limit.lower, rel=1e-3)
    for factor in (1e2, 1e3):  # all weights times a factor
        there = lazy_criterion(net, net.unravel(params, factor * net.ravel(params)), X, Y)
        assert there.kappa.lower == pytest.approx(limit.lower, rel=1e-3)
    centred = lazy_criterion(net.centered_at(params), params, X, Y)
    assert centred.limit.upper == 0
    assert centred.at_scale(1e8).upper < 1e-6
    # the certificate says the same: no large scale is certified, however large
    certificate = lazy_certificate(net, params, X, Y)
    assert certificate.scale_interval is None or certificate.scale_interval[1] < np.inf
    assert not certificate.at_scale(1e12).holds
    assert lazy_certificate(net.centered_at(params), params, X, Y).at_scale(1e12).holds
