"""Theorems A, A' and B along computed trajectories: all inequalities, of network and tangent model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ntklib import kernels
from ntklib.dynamics import integrate_flow
from ntklib.networks import TwoLayerNet
from ntklib.theory import jacobian_lipschitz, lazy_certificate

ACTIVATIONS = {
    "sigma_2": kernels.RectifiedPower(2),
    "sigma_3": kernels.RectifiedPower(3),
    "erf": kernels.Erf(),
    "softplus": kernels.Softplus(),
}
X = np.eye(3) + 0.2 * np.random.default_rng(0).normal(size=(3, 3))
Y = np.array([1.0, -1.0, 0.5])


@dataclass
class Run:
    """A network along its flow, and what there is to compare its certificates with."""

    net: Any
    flow: Any
    times: np.ndarray
    low: np.ndarray  # sigma_min(J_w), of the network at scale 1, at the times
    high: np.ndarray
    linear_loss: np.ndarray
    linear_distance: np.ndarray


def run(net, params, certificate, X=X, y=Y, model=None):
    """Follow the flow until the tangent model's loss fell by e^-12, and that model by its closed form."""
    model = net if model is None else model
    times = np.concatenate([[0.0], np.geomspace(0.01, 12.0, 20) / certificate.linear_rate])
    flow = integrate_flow(model, X, y, times, params=params, keep_params=True)
    start = net.ravel(params)
    spectra = []
    for vector in flow.vectors:
        J = net.jacobian(net.unravel(params, start + vector), X).reshape(y.size, -1)
        spectra.append(np.linalg.svd(J / net.scale, compute_uv=False)[[-1, 0]])
    U, s, _ = np.linalg.svd(net.jacobian(params, X).reshape(y.size, -1), full_matrices=False)
    r0 = U.T @ (model.apply(params, X) - y).ravel()
    fallen = -np.expm1(-np.outer(times, s**2))
    return Run(
        net,
        flow,
        times,
        *np.array(spectra).T,
        linear_loss=np.sum(((1 - fallen) * r0) ** 2, axis=1) / 2,
        linear_distance=np.linalg.norm(fallen / s * r0, axis=1),
    )


def check(certificate, run):
    """Every inequality that a certificate promises."""
    assert certificate.holds
    flow, exact = run.flow, 1 + 1e-9
    error, moved = flow.output_error_estimate, flow.error_estimate
    size = np.sqrt(2 * flow.loss)
    assert np.all(size <= np.sqrt(2 * certificate.loss_bound(run.times)) * exact + error)
    assert np.all(flow.distance <= flow.path_length * exact + moved)
    onward = flow.path_length[-1] - flow.path_length
    assert np.all(onward <= certificate.distance_left(run.times) * exact + moved)
    assert np.all(flow.path_length <= certificate.distance_bound * exact + moved)
    beta, alpha = certificate.jacobian_lipschitz, certificate.scale
    if certificate.theorem == "A'":
        floor = np.sqrt(certificate.rate / 2) / alpha  # sqrt q
        ceiling = certificate.sigma_max + beta * certificate.distance_bound
        assert np.all(
            run.low >= certificate.sigma_min - beta * flow.path_length * exact - beta * moved - 1e-12
        )
    else:
        floor, ceiling = certificate.sigma_min / 2, 1.5 * certificate.sigma_max
    slack = beta * moved + 1e-12 * certificate.sigma_max
    assert np.all(run.low >= floor * (1 - 1e-9) - slack)
    assert np.all(run.high <= ceiling * exact + slack)
    for loss_bound, distance_bound in (
        (certificate.linear_loss_bound(run.times), certificate.linear_distance_bound),
        (certificate.loss_bound(run.times), certificate.distance_bound),  # of both, by theorem A
    ):
        tiny = 1e-13 * np.sqrt(run.linear_loss[0])
        assert np.all(np.sqrt(run.linear_loss) <= np.sqrt(loss_bound) * exact + tiny)
        assert np.all(run.linear_distance <= distance_bound * exact)


def certificates(net, params, model=None, X=X, y=Y):
    model = net if model is None else model
    return {name: lazy_certificate(model, params, X, y, theorem=name) for name in ("A", "A'", "B")}


@pytest.mark.parametrize("trainable", ["all", "hidden"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("width", "seed"), [(12, 1), (50, 0)])
def test_along_the_flow(width, seed, activation, trainable):
    """At the smallest scale that A' certifies, and at one that all three do."""
    options = {"activation": ACTIVATIONS[activation], "trainable": trainable}
    net = TwoLayerNet(width, symmetric=seed == 0, **options)
    params = net.init(3, seed)
    model = net if seed == 0 else net.centered_at(params)  # both ways to start at 0
    found = certificates(net, params, model)
    assert all(certificate.scale_interval[1] == np.inf for certificate in found.values())
    thresholds = {name: certificate.scale_threshold for name, certificate in found.items()}
    assert thresholds["A'"] < thresholds["A"] < thresholds["B"]
    for scale in (1.02 * thresholds["A'"], 1.02 * thresholds["B"]):
        net.set_params(scale=scale)
        model = net if seed == 0 else net.centered_at(params)
        here = certificates(net, params, model)
        ran = run(net, params, here["A'"], model=model)
        assert ran.flow.loss[-1] < 1e-3 * ran.flow.loss[0]
        holding = [certificate for certificate in here.values() if certificate.holds]
        assert len(holding) == (1 if scale < thresholds["A"] else 3)
        for certificate in holding:
            check(certificate, ran)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_output_layer_only_is_the_tangent_model(activation):
    """beta = 0: certified at every scale, whatever the start, and A' is as sharp as the linear bound."""
    net = TwoLayerNet(20, activation=ACTIVATIONS[activation], trainable="output", scale=0.7)
    params = net.init(3, 0)
    assert np.linalg.norm(net.apply(params, X)) > 0.1
    found = certificates(net, params)
    ran = run(net, params, found["A'"])
    np.testing.assert_allclose(ran.flow.loss, ran.linear_loss, rtol=1e-6, atol=1e-12)
    for name, certificate in found.items():
        assert certificate.scale_interval == (0.0, np.inf) or name == "B"
        assert certificate.jacobian_lipschitz == 0
        check(certificate, ran)
        if name == "A'":
            assert certificate.rate == pytest.approx(certificate.linear_rate, rel=1e-7)
            assert certificate.distance_bound == pytest.approx(certificate.linear_distance_bound, rel=1e-7)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "erf", "n_outputs": 2, "bias_std": 0.4},
        {"activation": "gelu", "n_outputs": 2, "trainable": "hidden"},
        {
            "activation": "softplus",
            "parameterization": "mean_field",
            "input_scaling": "fan_in",
            "bias_std": 0.3,
        },
        {"activation": "sin", "parameterization": "standard", "weight_std": 1.3},
        {"activation": "tanh", "output_init": "rademacher", "parameterization": "mup"},
    ],
    ids=lambda options: " ".join(map(str, options.values())),
)
def test_other_networks(options):
    y = np.stack([Y, Y[::-1]], axis=1) if options.get("n_outputs") else Y
    net = TwoLayerNet(16, symmetric=True, **options)
    params = net.init(3, 0)
    net.set_params(scale=1.02 * lazy_certificate(net, params, X, y).scale_threshold)
    certificate = lazy_certificate(net, params, X, y)
    ran = run(net, params, certificate, y=y)
    check(certificate, ran)
    assert ran.flow.loss[-1] < 1e-3 * ran.flow.loss[0]


def test_away_from_zero():
    """h_0 != 0: a bounded interval of scales, within it all inequalities, beyond it no promise."""
    net = TwoLayerNet(40, activation="erf", trainable="hidden")
    y = 3.0 * net.apply(params := net.init(3, 0), X)
    low, high = lazy_certificate(net, params, X, y).scale_interval
    assert 0 < low < high < np.inf
    for scale in (1.01 * low, 3.0, 0.99 * high):
        net.set_params(scale=scale)
        certificate = lazy_certificate(net, params, X, y)
        check(certificate, run(net, params, certificate, y=y))
    for scale in (0.99 * low, 1.01 * high):
        net.set_params(scale=scale)
        certificate = lazy_certificate(net, params, X, y)
        assert not certificate.holds
        assert f"{scale:.6g} is outside the certified ones" in " ".join(certificate.failures)


def test_both_circulating_theorems_on_one_trajectory():
    """A and B promise the same rate on the same clock; A' a better one, and the truth is better still."""
    net = TwoLayerNet(40, activation="erf", symmetric=True)
    params = net.init(3, 0)
    net.set_params(scale=1.01 * lazy_certificate(net, params, X, Y, theorem="B").scale_threshold)
    found = certificates(net, params)
    assert found["A"].rate == pytest.approx(found["B"].rate, rel=1e-12)
    assert found["A"].rate == pytest.approx((net.scale * found["A"].sigma_min) ** 2 / 2, rel=1e-6)
    assert found["B"].distance_bound == pytest.approx(8 / 6 * found["A"].distance_bound, rel=1e-12)
    ran = run(net, params, found["A"])
    for certificate in found.values():
        check(certificate, ran)
    later = ran.times > 0
    ratios = {name: ran.flow.loss[later] / found[name].loss_bound(ran.times[later]) for name in found}
    assert np.all(ratios["A'"] <= 1)
    assert np.all(ratios["A"] < ratios["A'"])
    fastest = -np.log(ran.flow.loss[-1] / ran.flow.loss[0]) / ran.times[-1]
    assert found["A"].rate < found["A'"].rate < fastest


@pytest.mark.parametrize("theorem", ["A'", "B"])
def test_other_convex_losses(theorem):
    """R(f) = sum r^2/2 + log cosh r: m = 1, M = 2. A' with R - R*, and B with kappa = 2."""
    net = TwoLayerNet(20, activation="erf", symmetric=True)
    params = net.init(3, 0)
    given = lazy_certificate(net, params, X, Y)
    low, high, kappa = given.sigma_min, given.sigma_max, 2.0

    def risk(f):
        r = f - Y
        return np.sum(r * r / 2 + np.logaddexp(r, -r) - np.log(2), axis=-1)

    # the largest ball on which sigma_min stays positive, or halves at most
    share = 1.0 if theorem == "A'" else 0.5
    radii = np.geomspace(1e-3, 3.0, 400)
    B, beta = max(
        (b, beta) for b in radii if b * (beta := jacobian_lipschitz(net, params, X, b).value) <= share * low
    )
    if theorem == "A'":
        alpha = np.sqrt(2 * risk(0 * Y)) / (0.9 * (low * B - beta * B**2 / 2))
    else:
        alpha = 1.01 * np.linalg.norm(Y) / (B * low**2 / (16 * kappa**1.5 * high))
    q = low**2 - 2 * beta * np.sqrt(2 * risk(0 * Y)) / alpha
    path = (low - np.sqrt(q)) / beta
    assert path <= B
    start, times = net.ravel(params), np.linspace(0, 6, 15) / (2 * alpha**2 * low**2)

    def slope(_, w):
        there = net.unravel(params, w)
        r = alpha * net.apply(there, X) - Y
        return -alpha * net.vjp(there, X, r + np.tanh(r))

    moved = solve_ivp(slope, (0, times[-1]), start, t_eval=times, method="DOP853", rtol=1e-9, atol=1e-12)
    states = moved.y.T
    f = np.array([alpha * net.apply(net.unravel(params, w), X) for w in states])
    distance, r = np.linalg.norm(states - start, axis=1), np.linalg.norm(f - Y, axis=1)
    share = 1 / (1 + low**2 * np.expm1(alpha**2 * q * times) / q) ** 2
    assert np.all(share <= np.exp(-2 * alpha**2 * q * times) * (1 + 1e-12))
    assert np.all(risk(f) <= risk(0 * Y) * share * (1 + 1e-6) + 1e-12)
    assert np.all(distance <= path * (1 + 1e-6))
    if theorem == "B":
        decay = np.exp(-(alpha**2) * low**2 * times / 4)
        assert np.all(r <= np.sqrt(kappa) * r[0] * decay * (1 + 1e-6))
        assert np.all(distance <= 8 * kappa**1.5 * high * r[0] / (alpha * low**2))
