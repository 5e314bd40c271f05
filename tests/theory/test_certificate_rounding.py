"""Certificates against constants in fifty digits: never better than the truth."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from ntklib import kernels
from ntklib.networks import TwoLayerNet
from ntklib.theory import certificate_from_constants, lazy_certificate
from tests.theory.cases import CERTIFIED, N_FEATURES, THEOREMS, name, rows, targets
from tests.theory.exact import DIGITS, exact


def difficult():
    """Nets and rows whose kernels are nearly singular, or whose preactivations lose digits."""
    rng, cases = np.random.default_rng(0), {}
    for gap in (1e-2, 1e-4, 1e-6, 1e-7, 1e-9):
        X = rows(3)
        X[2] = X[0] + gap * rng.normal(size=N_FEATURES)
        cases[f"rows {gap:g} apart"] = (TwoLayerNet(5, activation="erf", symmetric=True), X)
    net = TwoLayerNet(2, activation="softplus")
    params = net.init(N_FEATURES, 3)
    null = np.linalg.svd(params["W0"])[2][2]
    for size in (1e3, 1e6):
        X = rows(3) + size * np.outer([1.0, 2.0, -1.0], null)
        cases[f"preactivations cancel, rows of length {size:g}"] = (net, X)
    net = TwoLayerNet(2, activation="erf", trainable="output", bias_std=0.2)
    cases["one direction almost lost"] = (net, 1e-3 * rows(3))
    return cases


DIFFICULT = difficult()


def check_constants(net, X, y):
    params = net.init(N_FEATURES, 3)
    true = exact(net, params, X)
    certificate = lazy_certificate(net, params, X, y)
    h = TwoLayerNet(**{**net.get_params(), "scale": 1.0})
    order = len(X) * net.n_outputs
    kernel = h.ntk(params, X, output="full" if net.n_outputs > 1 else "trace").reshape(order, order)
    computed = np.linalg.eigvalsh(kernel)
    with mp.workdps(DIGITS):
        assert mp.mpf(certificate.sigma_min) <= true.sigma_min
        assert mp.mpf(certificate.sigma_max) >= true.sigma_max
        for value, wanted in zip(computed.tolist(), true.eigenvalues, strict=True):
            assert abs(mp.mpf(value) - wanted) <= mp.mpf(certificate.eigenvalue_error)
        e = true.residual(y, net.scale)
        assert mp.mpf(certificate.residual) >= e
        assert mp.mpf(certificate.initial_loss) >= (mp.mpf(net.scale) * e) ** 2 / 2
    return certificate, true


@pytest.mark.parametrize("net", CERTIFIED, ids=name)
def test_constants_are_rounded_outward_and_by_little(net):
    certificate, true = check_constants(net, rows(3), targets(net))
    assert certificate.sigma_min == pytest.approx(float(true.sigma_min), rel=1e-9)
    assert certificate.sigma_max == pytest.approx(float(true.sigma_max), rel=1e-9)
    e = float(true.residual(targets(net), net.scale))
    assert certificate.residual == pytest.approx(e, rel=1e-8)
    assert certificate.initial_loss == pytest.approx((net.scale * e) ** 2 / 2, rel=1e-8)
    assert certificate.eigenvalue_error < 1e-11 * certificate.sigma_max**2


@pytest.mark.parametrize("case", DIFFICULT)
def test_constants_of_difficult_cases(case):
    net, X = DIFFICULT[case]
    certificate, true = check_constants(net, X, targets(net))
    if certificate.sigma_min == 0:  # cannot be told from 0, and says so
        assert not certificate.holds
        assert any("rank deficiency" in failure for failure in certificate.failures)
        assert float(true.eigenvalues[0]) <= 2 * certificate.eigenvalue_error


@pytest.mark.parametrize("theorem", THEOREMS)
@pytest.mark.parametrize("net", CERTIFIED, ids=name)
def test_never_better_than_the_theorem_with_true_constants(net, theorem):
    """Each theorem, in fifty digits, with the true constants and beta on the certificate's ball."""
    X, y, params = rows(3), targets(net), net.init(N_FEATURES, 3)
    true = exact(net, params, X)
    first = lazy_certificate(net, params, X, y, theorem=theorem)
    low, high = first.scale_interval or (1.0, 1.0)
    scales = [net.scale, low, 1.001 * low, 3 * low + 1, 1e4 * low + 1e4, high]
    for scale in (s for s in scales if 0 < s < math.inf):
        certificate = first.at_scale(scale)
        if not certificate.holds:
            continue
        with mp.workdps(DIGITS):
            e, beta = true.residual(y, scale), mp.mpf(certificate.jacobian_lipschitz)
            B, alpha = mp.mpf(certificate.radius), mp.mpf(scale)
            s_min, s_max = true.sigma_min, true.sigma_max
            if theorem == "A'":
                inside = min(B, s_min / beta) if beta else B
                assert s_min * inside - beta * inside**2 / 2 >= e
                q = s_min**2 - 2 * beta * e
                rate, distance = 2 * alpha**2 * q, 2 * e / (s_min + mp.sqrt(q))
                assert distance <= B
            else:
                assert net.trainable == "output" or B * beta <= s_min / 2
                rate, distance = alpha**2 * s_min**2 / 2, (6 if theorem == "A" else 8) * s_max * e / s_min**2
                reach = B * s_min**2 / ((6 if theorem == "A" else 16) * s_max)
                size = mp.sqrt(sum(h * h for h in true.h0))
                demands = [e] if theorem == "A" else [size, mp.mpf(float(np.linalg.norm(y))) / alpha]
                assert all(demand <= reach * (1 + mp.mpf(10) ** -15) for demand in demands)
            assert mp.mpf(certificate.rate) <= rate
            assert mp.mpf(certificate.distance_bound) >= distance
            assert mp.mpf(certificate.linear_distance_bound) >= e / s_min
            assert mp.mpf(certificate.linear_rate) <= 2 * alpha**2 * s_min**2
        if theorem != "A'" or q > s_min**2 / 10:  # at its threshold q is a difference of equal numbers
            assert certificate.rate == pytest.approx(float(rate), rel=1e-5)
            assert certificate.distance_bound == pytest.approx(float(distance), rel=1e-5)


def test_neurons_that_rounding_puts_on_the_wrong_side_of_a_kink():
    """Their part of the Jacobian is computed to be 0, and so is its slope: the error still covers it."""
    net, missed = TwoLayerNet(3, activation=kernels.RectifiedPower(2), trainable="hidden"), 0
    rng, start = np.random.default_rng(0), net.init(N_FEATURES, 0)
    for _ in range(1000):
        X = rng.normal(size=(2, N_FEATURES)) * np.array([[1.0], [1e-3]])
        w, W = rng.normal(size=N_FEATURES), start["W0"].copy()
        W[0] = 1e8 * (w - X[0] * (w @ X[0]) / (X[0] @ X[0]))
        W[1:] *= -np.sign(W[1:] @ X[0])[:, None]  # the others are 0 on this row
        with mp.workdps(DIGITS):
            z = mp.fdot(map(mp.mpf, W[0].tolist()), map(mp.mpf, X[0].tolist()))
        if not (W @ X[0])[0] < 0 < z:
            continue
        missed += 1
        params = start.replace(W0=W)
        certificate, true = lazy_certificate(net, params, X, np.ones(2)), exact(net, params, X)
        assert certificate.sigma_max >= true.sigma_max
        assert certificate.sigma_min <= true.sigma_min
        computed = np.linalg.eigvalsh(net.ntk(params, X))
        for value, wanted in zip(computed.tolist(), true.eigenvalues, strict=True):
            assert abs(value - wanted) <= certificate.eigenvalue_error
    assert missed > 10


def test_residuals_that_rounding_hides():
    """Where alpha h_0 is y to all digits, e is not 0 but what the quotient's rounding may hide."""
    given = {"sigma_min": 0.1, "sigma_max": 1.0, "jacobian_lipschitz": 5.0}
    for scale in (3.0, 7.0, 49.0, 0.1):
        h0 = np.array([0.1, -0.7, 1 / 3])
        y = scale * h0
        certificate = certificate_from_constants(h0, y, scale=scale, **given)
        with mp.workdps(DIGITS):
            pairs = zip(h0.tolist(), y.tolist(), strict=True)
            e = mp.sqrt(sum((mp.mpf(h) - mp.mpf(t) / mp.mpf(scale)) ** 2 for h, t in pairs))
            assert mp.mpf(certificate.residual) >= e
            assert mp.mpf(certificate.initial_loss) >= (mp.mpf(scale) * e) ** 2 / 2


@pytest.mark.parametrize("symmetric", [False, True])
def test_outputs_that_lose_digits_to_a_bias(symmetric):
    """Large output biases and targets: e is what is left of them."""
    net = TwoLayerNet(5, activation="erf", bias_std=0.3, symmetric=symmetric, scale=3.0)
    X = rows(2)
    for seed in range(10):
        start = net.init(N_FEATURES, seed)
        params = start.replace(b1=1e8 * np.random.default_rng(seed).normal(size=1))
        y = net.apply(params, X)
        certificate, true = lazy_certificate(net, params, X, y), exact(net, params, X)
        assert mp.mpf(certificate.residual) >= true.residual(y, 3.0)


def test_the_error_of_eigenvalues_has_room_for_the_eigenvalue_routine():
    """Sums of as many products as neurons and features; and 16 n units of the largest eigenvalue."""
    eps = np.finfo(float).eps
    for width, n in ((1, 3), (4, 3), (4, 30)):
        net = TwoLayerNet(width, activation="erf", bias_std=0.3)
        X, params = rows(n), net.init(N_FEATURES, 0)
        values = np.linalg.eigvalsh(net.ntk(params, X))
        certificate = lazy_certificate(net, params, X, np.ones(n))
        sums = 2 * (width + N_FEATURES + 1 + 16) * eps * values.sum()
        assert (
            sums + 16 * n * eps * values[-1]
            < certificate.eigenvalue_error
            < 4 * sums + 16 * n * eps * values[-1]
        )


def test_residuals_are_rounded_up_by_five_units_in_the_last_place():
    """One for the quotient and four for their norm."""
    for y in (1.0, 2.0**-200, 2.0**200):
        given = {"sigma_min": 1.0, "sigma_max": 1.0, "jacobian_lipschitz": 0.0}
        certificate = certificate_from_constants([0.0], [y], **given)
        assert certificate.residual == y * (1 + 5 * np.finfo(float).eps)
