"""The decay of theorem A': an equality for h(w) = sigma w - beta w^2/2, at the threshold and above it."""

from __future__ import annotations

import warnings

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ntklib import kernels
from ntklib.dynamics import integrate_flow
from ntklib.networks import TwoLayerNet
from ntklib.theory import certificate_from_constants, lazy_certificate

CONSTANTS = [(1.0, 0.5, 1.0), (0.3, 2.0, 4.0), (5.0, 0.01, 0.2)]  # sigma, beta, y
FACTORS = [1.0, 1 + 1e-9, 1.01, 1.2, 2.0, 50.0]  # of the threshold


def certified(sigma, beta, y, scale, **changes):
    given = {"sigma_min": sigma, "sigma_max": sigma, "jacobian_lipschitz": beta, **changes}
    return certificate_from_constants([0.0], [y], scale=scale, **given)


def parabola(sigma, beta, y, scale, times):
    """w and the loss along the flow of h(w) = sigma w - beta w^2/2 from w = 0."""

    accurate = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-16, "first_step": 1e-3 * times[-1]}

    def slope(_, w):
        return -scale * (sigma - beta * w) * (scale * (sigma * w - beta * w * w / 2) - y)

    w = solve_ivp(slope, (0, times[-1]), [0.0], t_eval=times, **accurate).y[0]
    return w, (scale * (sigma * w - beta * w * w / 2) - y) ** 2 / 2


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("sigma", "beta", "y"), CONSTANTS)
def test_the_bound_is_the_loss_of_the_parabola_at_every_time(sigma, beta, y, factor):
    scale = factor * 2 * beta * y / sigma**2
    certificate = certified(sigma, beta, y, scale)
    assert certificate.holds
    times = np.array([0.0, 1e-3, 0.1, 0.5, 2.0, 5.0, 10.0, 40.0]) / (scale * sigma) ** 2
    w, loss = parabola(sigma, beta, y, scale, times)
    above = loss > 1e-9 * loss[0]
    np.testing.assert_allclose(certificate.loss_bound(times)[above], loss[above], rtol=1e-8)
    np.testing.assert_allclose(certificate.time_to(loss[above])[1:], times[above][1:], rtol=1e-6)
    # and so is how far it still has to go: w ends at s*
    rest = (sigma - np.sqrt(max(sigma**2 - 2 * beta * y / scale, 0.0))) / beta - w
    seen = rest > 1e-6 * rest[0]
    np.testing.assert_allclose(certificate.distance_left(times)[seen], rest[seen], rtol=1e-5)
    assert certificate.distance_left(0.0) == pytest.approx(certificate.distance_bound, rel=1e-12)
    plain = certificate.initial_loss * np.exp(-certificate.rate * times)
    assert np.all(certificate.loss_bound(times) <= plain * (1 + 1e-12))


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-12, 1 + 1e-6, 1.5, 30.0])
def test_the_bound_in_fifty_digits(factor):
    """Time as an integral over the residual, by quadrature; the bound then."""
    sigma, beta, y = 0.7, 0.3, 1.9
    scale = factor * 2 * beta * y / sigma**2
    certificate = certified(sigma, beta, y, scale)
    with mp.workdps(50):
        a, s, b = mp.mpf(scale), mp.mpf(sigma), mp.mpf(beta)
        e = mp.mpf(y) / a
        q = max(s**2 - 2 * b * e, mp.mpf(0))
        for share in (0.999999, 0.9, 0.5, 0.1, 1e-3):
            ends = [mp.mpf(share) * e * (1 / mp.mpf(share)) ** (mp.mpf(k) / 4) for k in range(5)]
            t = mp.quad(lambda rho: 1 / (a**2 * (q + 2 * b * rho) * rho), ends)
            bound = mp.mpf(float(certificate.loss_bound(float(t))))
            assert bound >= (mp.mpf(share) * y) ** 2 / 2 * (1 - mp.mpf(10) ** -15)
            assert bound <= (mp.mpf(share) * y) ** 2 / 2 * (1 + mp.mpf(10) ** -10)
            assert float(certificate.time_to(float((mp.mpf(share) * y) ** 2 / 2))) == pytest.approx(
                float(t), rel=1e-7
            )


def test_it_holds_at_the_threshold_and_not_below():
    rng = np.random.default_rng(0)
    for sigma, beta, y in [*CONSTANTS, *np.exp(2 * rng.normal(size=(40, 3))).tolist()]:
        scale = 2 * beta * y / sigma**2
        at = certified(sigma, beta, y, scale)
        assert at.holds
        assert at.failures == ()
        assert at.rate <= 1e-13 * at.linear_rate
        assert at.distance_bound == pytest.approx(sigma / beta, rel=1e-6)
        assert at.radius == pytest.approx(sigma / beta, rel=1e-6)
        assert at.scale_threshold == pytest.approx(scale, rel=1e-14)
        assert at.at_scale(at.scale_threshold).holds
        times = np.array([0.0, 0.5, 10.0, 1e6]) / (scale * sigma) ** 2
        wanted = y * y / 2 / (1 + (scale * sigma) ** 2 * times) ** 2
        np.testing.assert_allclose(at.loss_bound(times), wanted, rtol=1e-6)
        below = at.at_scale(scale * (1 - 1e-14))
        assert not below.holds
        assert "is outside the certified ones" in below.failures[0]
    text = repr(certified(1.0, 0.5, 1.0, 1.0))
    assert "L(t) <= 0.5 / (1 + 1 t)^2" in text
    assert "L(t) <= 0.5 / (1 + 2 (exp(2 t) - 1))^2" in repr(certified(1.0, 0.5, 1.0, 2.0))
    assert "L(t) <= 0.5 exp(-72 t)" in repr(certified(1.0, 0.5, 1.0, 12.0, theorem="A"))


@pytest.mark.parametrize("theorem", ["A", "A'", "B"])
@pytest.mark.parametrize("factor", [1.0, 1 + 1e-10, 1.3, 1e5, 1e40])
def test_at_every_time_from_0_to_infinity(factor, theorem):
    sigma, beta, y = 0.3, 2.0, 4.0
    certificate = certified(sigma, beta, y, 1.0, theorem=theorem)
    certificate = certificate.at_scale(factor * certificate.scale_threshold)
    times = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 2000), [np.inf]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bound, left = certificate.loss_bound(times), certificate.distance_left(times)
        linear = certificate.linear_loss_bound(times)
        assert bound[0] == certificate.initial_loss
        for values in (bound, left, linear):
            assert np.all(np.diff(values) <= 0)
            assert np.all(values >= 0)
            assert values[-1] == 0
        assert bound[1] > 0.99 * bound[0]
        np.testing.assert_array_equal(certificate.loss_bound(times.reshape(2, -1)), bound.reshape(2, -1))
        for method in (certificate.loss_bound, certificate.distance_left, certificate.time_to):
            assert np.shape(method(1.0)) == ()
            assert np.shape(method([[1.0, 2.0]])) == (1, 2)
            for value in (-1.0, np.nan, [1.0, -1e-9]):
                with pytest.raises(ValueError, match="at least 0"):
                    method(value)
        # the inverse
        losses = certificate.initial_loss * np.array([1e-12, 1e-3, 0.2, 0.9])
        np.testing.assert_allclose(certificate.loss_bound(certificate.time_to(losses)), losses, rtol=1e-9)
        assert certificate.time_to(0.0) == np.inf
        assert certificate.time_to([2 * certificate.initial_loss, np.inf]).tolist() == [0.0, 0.0]


def test_where_nothing_is_left_or_nothing_is_known():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        met = certificate_from_constants([0.0], [0.0], sigma_min=1.0, sigma_max=1.0, jacobian_lipschitz=1.0)
        assert met.holds
        for values in (met.loss_bound([0.0, np.inf]), met.distance_left([0.0, 1.0]), met.time_to([0.0, 1.0])):
            assert values.tolist() == [0.0, 0.0]
        below = certified(1.0, 0.5, 1.0, 0.5)
        assert below.loss_bound([0.0, np.inf]).tolist() == [np.inf, np.inf]
        assert below.distance_left([0.0, np.inf]).tolist() == [np.inf, np.inf]
        assert below.time_to([0.0, 0.4, 0.6]).tolist() == [np.inf, np.inf, 0.0]
        singular = certified(0.0, 0.5, 1.0, 3.0, sigma_max=1.0)
        assert not singular.holds
        assert singular.linear_loss_bound([0.0, 1.0, np.inf]).tolist() == [singular.initial_loss] * 3
        assert singular.loss_limit == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("factor", [0.999, 0.9, 0.5, 0.05])
@pytest.mark.parametrize(("sigma", "beta", "y"), CONSTANTS)
def test_below_the_threshold_the_loss_falls_to_a_limit(sigma, beta, y, factor):
    """The parabola stops at the largest value it has."""
    scale = factor * 2 * beta * y / sigma**2
    certificate = certified(sigma, beta, y, scale)
    assert not certificate.holds
    assert certificate.loss_limit == pytest.approx((y - scale * sigma**2 / (2 * beta)) ** 2 / 2, rel=1e-9)
    assert certificate.at_scale(scale / factor * 1.1).loss_limit == 0
    for theorem in ("A", "B"):
        other = certified(sigma, beta, y, scale, theorem=theorem)
        assert certificate.loss_limit <= other.loss_limit <= other.initial_loss


def test_a_network_below_the_threshold_gets_at_least_as_far():
    net = TwoLayerNet(6, activation=kernels.RectifiedPower(2), trainable="hidden", symmetric=True)
    X, y = np.eye(3) + 0.2 * np.random.default_rng(0).normal(size=(3, 3)), np.array([1.0, -1.0, 0.5])
    params = net.init(3, 0)
    net.set_params(scale=0.8 * lazy_certificate(net, params, X, y).scale_threshold)
    certificate = lazy_certificate(net, params, X, y)
    assert not certificate.holds
    assert 0 < certificate.loss_limit < 0.1 * certificate.initial_loss
    flow = integrate_flow(net, X, y, np.array([0.0, 200.0]) / certificate.linear_rate, params=params)
    assert flow.loss[-1] < certificate.loss_limit


def test_one_neuron_is_the_parabola():
    """One of sigma_2 with output weight -1: 2 w_0 s - s^2 with s = w_0 - w."""
    net = TwoLayerNet(1, activation=kernels.RectifiedPower(2), trainable="hidden")
    params = net.init(1, 0).replace(W0=[[0.8]], W1=[[-1.0]])
    X, y = np.ones((1, 1)), np.array([2.0])
    threshold = lazy_certificate(net.centered_at(params), params, X, y).scale_threshold
    for factor in (1 + 1e-12, 1.1, 3.0):
        net.set_params(scale=factor * threshold)
        model = net.centered_at(params)
        certificate = lazy_certificate(model, params, X, y)
        assert certificate.holds
        times = np.array([0.0, 0.3, 1.0, 4.0]) / (net.scale * 1.6) ** 2
        flow = integrate_flow(model, X, y, times, params=params)
        np.testing.assert_allclose(certificate.loss_bound(times), flow.loss, rtol=1e-6)
        assert np.all(
            certificate.loss_bound(times[1:]) < 0.9 * flow.loss[0] * np.exp(-certificate.rate * times[1:])
        )


def test_constants_far_from_one():
    """Neither an endless search nor a warning; what cannot be squared is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sigma in (1e-140, 1.0, 1e90):
            for beta in (0.0, 1e-310, 1e-100, 1.0, 1e100, 1e300):
                for theorem in ("A", "A'", "B"):
                    for scale in (1e-60, 1.0, 1e60):
                        found = certified(sigma, beta, 1.0, scale, theorem=theorem)
                        assert len(repr(found)) < 1000
                        bounds = found.loss_bound([0.0, 1.0, np.inf])
                        assert not np.isnan(bounds).any()
                        assert np.isfinite(bounds).all() == found.holds
    for h0, sigma in (([1e80], 1.0), ([0.0], 1e160)):
        with pytest.raises(ValueError, match="squares to be representable"):
            certificate_from_constants(h0, [1.0], sigma_min=1.0, sigma_max=sigma, jacobian_lipschitz=1.0)


@pytest.mark.parametrize("theorem", ["A", "A'", "B"])
def test_numbers_whose_squares_are_too_small(theorem):
    """Losses, rates and shares below 1e-308: what follows from them need not be so small."""
    straight = {"sigma_max": 1e-100, "jacobian_lipschitz": 0.0, "theorem": theorem}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # the rate is 2e-340 or less
        slow = certified(1e-100, 0.0, 1e-100, 1e-70, **straight)
        assert slow.holds
        times = np.array([0.0, 1.0, np.inf])
        assert slow.loss_bound(times).tolist() == [slow.initial_loss] * 3
        assert np.all(slow.distance_left(times) <= 2.0001e70)
        assert np.all(slow.distance_left(times) >= 1e70)
        assert slow.distance_left(0.0) <= slow.distance_bound
        assert slow.time_to([slow.initial_loss, slow.initial_loss / 2, 0.0]).tolist() == [0.0, np.inf, np.inf]
        # the loss is 5e-401 at the start
        small = certified(1.0, 0.0, 1e-200, 1.0, **{**straight, "sigma_max": 1.0})
        assert small.distance_left(0.0) >= 1e-200
        # shares of 1e-170 of a residual of 1e70
        far = certified(1.0, 0.0, 1e70, 1.0, **{**straight, "sigma_max": 1.0})
        losses = np.array([1e-300, 1e-250, 1e-200, 1e-100])
        rate = {"A": 0.5, "B": 0.5, "A'": 2.0}[theorem]
        wanted = [float(mp.log(mp.mpf("5e139") / loss) / rate) for loss in losses]
        np.testing.assert_allclose(far.time_to(losses), wanted, rtol=1e-12)
        np.testing.assert_allclose(far.loss_bound(wanted), losses, rtol=1e-9)
        # too long a time
        late = certified(1e-85, 0.0, 1e70, 1e-70, **{**straight, "sigma_max": 1e-85})
        assert late.time_to([1e-300, 1.0]).tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("inside", [0.0, 1e-320])
def test_a_bound_that_is_0_up_to_some_ball(inside):
    """Of a model that is linear near its start, and of which no more is known farther away."""
    certificate = certified(1.0, lambda radius: inside if radius < 1 else 1e6, 2.0, 4.0)
    assert certificate.holds
    assert certificate.residual_limit == pytest.approx(1, rel=1e-6)
    assert certificate.distance_bound == pytest.approx(0.5, rel=1e-12)
    assert certificate.loss_bound(0.1) == pytest.approx(2 * np.exp(-2 * 16 * 0.1), rel=1e-12)
    assert not certificate.at_scale(1.9).holds
