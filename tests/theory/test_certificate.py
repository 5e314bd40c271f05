"""Certificates: limits as good as any ball gives, bounds over time, scales, widths, the report, bad input."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from ntklib import kernels
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import certificate_from_constants, jacobian_lipschitz, lazy_certificate
from tests.theory.cases import CERTIFIED, N_FEATURES, THEOREMS, name, rows, targets

# ------------------------------------------------------------------ and close to it


@pytest.mark.parametrize("net", [net for net in CERTIFIED if net.trainable != "output"], ids=name)
def test_limits_are_the_best_of_all_balls(net):
    """A', A and B against a scan of radii."""
    X, y, params = rows(3), targets(net), net.init(N_FEATURES, 3)
    found = {theorem: lazy_certificate(net, params, X, y, theorem=theorem) for theorem in THEOREMS}
    low, high = found["A"].sigma_min, found["A"].sigma_max
    radii = np.geomspace(1e-3, 30, 400) * low / jacobian_lipschitz(net, params, X).value
    betas = np.array([jacobian_lipschitz(net, params, X, B).value for B in radii])
    inside = np.minimum(radii, low / betas)
    sharp = (low * inside - betas * inside**2 / 2).max()
    halving = radii[radii * betas <= low / 2].max()
    assert sharp * (1 - 1e-8) <= found["A'"].residual_limit <= sharp * (1 + 1e-3)
    for theorem, share in (("A", 6), ("B", 16)):
        best = halving * low**2 / (share * high)
        assert best * (1 - 1e-6) <= found[theorem].residual_limit <= best * (1 + 0.03)


def test_the_ball_of_the_sharp_theorem_is_the_least():
    """Its radius is the length of the path: a smaller ball does not certify."""
    net = TwoLayerNet(30, activation=kernels.RectifiedPower(3), symmetric=True)
    X, y, params = rows(3), targets(net), net.init(N_FEATURES, 3)
    first = lazy_certificate(net, params, X, y)
    for factor in (1.001, 1.2, 5.0, 1e3):
        certificate = first.at_scale(factor * first.scale_threshold)
        assert certificate.holds
        assert certificate.radius == pytest.approx(certificate.distance_bound, rel=1e-4)
        B = 0.99 * certificate.radius
        beta = jacobian_lipschitz(net, params, X, B).value
        assert certificate.sigma_min * B - beta * B**2 / 2 < certificate.residual


@pytest.mark.parametrize("net", CERTIFIED, ids=name)
def test_whatever_a_or_b_certifies_the_sharp_theorem_does(net):
    X, y, params = rows(3), targets(net), net.init(N_FEATURES, 3)
    sharp = lazy_certificate(net, params, X, y)
    for theorem in ("A", "B"):
        other = lazy_certificate(net, params, X, y, theorem=theorem)
        if other.scale_interval is None:
            continue
        low, high = other.scale_interval
        for scale in (low * (1 + 1e-9) + 1e-9, 2 * low + 1e-6, min(high, 1e6)):
            theirs, ours = other.at_scale(scale), sharp.at_scale(scale)
            assert not theirs.holds or ours.holds
            if theirs.holds:
                assert ours.rate >= theirs.rate
                assert ours.distance_bound <= theirs.distance_bound


def test_a_needs_a_scale_that_is_six_condition_numbers_larger():
    """With one beta for all balls the thresholds differ by 6 sigma_max / sigma_min."""
    for low, high in ((1.0, 1.0), (0.2, 3.0)):
        given = {"sigma_min": low, "sigma_max": high, "jacobian_lipschitz": 0.7}
        a, sharp = (
            certificate_from_constants([0.0, 0.0], [1.0, 2.0], theorem=theorem, **given).scale_threshold
            for theorem in ("A", "A'")
        )
        assert a / sharp == pytest.approx(6 * high / low, rel=1e-6)


# ------------------------------------------------------------------ the record


def easy(scale=30.0, width=200, **options):
    net = TwoLayerNet(width, **{"activation": "erf", "symmetric": True, "scale": scale, **options})
    X = np.eye(3) + 0.1 * np.random.default_rng(0).normal(size=(3, 3))
    return net, net.init(3, 0), X, np.array([1.0, -1.0, 0.5])


@pytest.mark.parametrize("theorem", THEOREMS)
def test_bounds_over_time(theorem):
    certificate = lazy_certificate(*easy(), theorem=theorem)
    assert certificate.holds
    assert certificate.theorem == theorem
    t = np.array([0.0, 1e-4, 1e-2])
    L0 = certificate.initial_loss
    np.testing.assert_allclose(L0, 0.5 * (1 + 1 + 0.25), rtol=1e-8)
    wanted = np.exp(-certificate.rate * t)
    if theorem == "A'":  # by rho' = -alpha^2 (q + 2 beta rho) rho, rho = |r| / alpha, in terms of 1 / rho
        e, beta = np.linalg.norm(easy()[3]) / 30, certificate.jacobian_lipschitz
        q = certificate.sigma_min**2 - 2 * beta * e
        grown = np.exp(900 * q * t)
        wanted = (1 / (grown + 2 * beta * e / q * (grown - 1))) ** 2
        assert np.all(wanted[1:] < np.exp(-certificate.rate * t[1:]))
    np.testing.assert_allclose(certificate.loss_bound(t), L0 * wanted, rtol=1e-11)
    linear = 2 * (30 * certificate.sigma_min) ** 2
    np.testing.assert_allclose(certificate.linear_loss_bound(t), L0 * np.exp(-linear * t), rtol=1e-7)
    assert np.shape(certificate.loss_bound(0.1)) == ()
    for bound in (certificate.loss_bound, certificate.linear_loss_bound):
        with pytest.raises(ValueError, match="at least 0"):
            bound([-1.0])


@pytest.mark.parametrize("theorem", THEOREMS)
def test_what_does_not_hold_promises_nothing(theorem):
    net, params, X, y = easy(scale=0.01)
    certificate = lazy_certificate(net, params, X, y, theorem=theorem)
    assert not certificate.holds
    assert certificate.rate == 0
    assert certificate.distance_bound == np.inf
    assert np.all(np.isinf(certificate.loss_bound([0.0, 1.0])))
    assert np.all(np.isfinite(certificate.linear_loss_bound([0.0, 1.0])))  # nothing can keep the line from it
    assert "does not hold" in repr(certificate)


@pytest.mark.parametrize("theorem", THEOREMS)
def test_at_scale_is_the_certificate_of_the_scaled_network(theorem):
    net, params, X, y = easy(scale=2.0)
    first = lazy_certificate(net, params, X, y, theorem=theorem)
    for scale in (0.5, 2.0, 77.0):
        moved = first.at_scale(scale)
        again = lazy_certificate(
            net.__class__(**{**net.get_params(), "scale": scale}), params, X, y, theorem=theorem
        )
        assert repr(moved) == repr(again)
        assert moved.scale == scale
        for other in THEOREMS:
            there = lazy_certificate(net, params, X, y, theorem=other)
            assert repr(first.at_scale(scale, other)) == repr(there.at_scale(scale))
    with pytest.raises(ValueError, match="theorem must be"):
        first.at_scale(1.0, "C")
    low, high = first.scale_interval
    assert high == np.inf
    assert first.scale_threshold == low
    assert first.at_scale(low * (1 + 1e-6)).holds
    assert not first.at_scale(low * (1 - 1e-6)).holds


def test_models_and_outputs():
    net, params, X, y = easy(symmetric=False)
    centred = lazy_certificate(net.centered_at(params), params, X, y)
    assert np.linalg.norm(net.apply(params, X)) > 0
    assert centred.residual == pytest.approx(np.linalg.norm(y) / 30, rel=1e-8)
    assert centred.sigma_min == lazy_certificate(net, params, X, y).sigma_min
    deep = MLP((200,), activation="erf", scale=30.0)
    assert repr(lazy_certificate(deep, params, X, y)) == repr(lazy_certificate(net, params, X, y))
    single = lazy_certificate(net, net.init(3, 0, dtype=np.float32), X, y)
    assert single.sigma_min == pytest.approx(centred.sigma_min, rel=1e-5)


def test_the_report():
    certificate = lazy_certificate(*easy())
    text = repr(certificate)
    for word in (
        "theorem A'",
        "scale 30 holds",
        "sigma_min",
        "condition number",
        "beta",
        "certified from",
        "width",
    ):
        assert word in text
    assert f"{certificate.sigma_min:.4g}" in text
    assert f"{certificate.distance_bound:.4g}" in text
    assert certificate.condition_number == pytest.approx((certificate.sigma_max / certificate.sigma_min) ** 2)


@pytest.mark.parametrize(
    ("activation", "theorem", "size"),
    [
        ("erf", "A'", 1.0),
        ("erf", "A", 0.2),
        ("erf", "B", 0.2),
        ("softplus", "A'", 1.0),
        ("softplus", "A", 0.2),
    ],
)
def test_a_network_of_the_certifying_width_is_certified(activation, theorem, size):
    """The width is a forecast from a narrower draw: half as wide again must do, a third must not."""
    net, params, X, y = easy(scale=1.0, activation=activation)
    wanted = lazy_certificate(net, params, X, size * y, theorem=theorem).certifying_width
    for factor, holds in ((1.5, True), (0.33, False)):
        net, params, X, y = easy(scale=1.0, width=math.ceil(factor * wanted), activation=activation)
        assert lazy_certificate(net, params, X, size * y, theorem=theorem).holds is holds


@pytest.mark.parametrize("theorem", THEOREMS)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("activation", ["erf", "exp"])
def test_extreme_scales_and_targets(activation, symmetric, theorem):
    """Neither a warning nor a figure out of nothing, up to where squares can be represented."""
    net, params, X, y = easy(scale=1.0, width=20, activation=activation, symmetric=symmetric)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certificate = lazy_certificate(net, params, X, y, theorem=theorem)
        assert certificate.at_scale(1e60).holds is symmetric
        for scale in 10.0 ** np.arange(-69, 70, 2.3):
            here = certificate.at_scale(scale)
            assert here.holds == bool(np.isfinite(here.loss_bound(0.0)))
            assert here.holds == (here.scale_interval is not None and here.scale_threshold <= scale)
            assert np.isfinite(here.initial_loss)
            assert len(repr(here)) < 1200
        for size in (0.0, 1e-200, 30.0, 1e3, 1e69):
            other = lazy_certificate(net, params, X, size * y, theorem=theorem)
            assert len(repr(other)) < 1200
            assert other.holds is (symmetric and size < 1)
    for scale in (1e-80, 1e200):
        with pytest.raises(ValueError, match="1e70"):
            certificate.at_scale(scale)
    with pytest.raises(ValueError, match="1e70"):
        lazy_certificate(net, params, X, 1e80 * y, theorem=theorem)


def test_no_width_certifies_kinks_or_singular_kernels():
    X, y = np.eye(3), np.ones(3)
    for net, rows_ in ((TwoLayerNet(50), X), (TwoLayerNet(50, activation="erf"), np.ones((3, 3)))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            certificate = lazy_certificate(net, net.init(3, 0), rows_, y)
            assert certificate.certifying_width is None
            assert "does not hold" in repr(certificate)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"theorem": "C"}, ValueError, "theorem must be one of"),
        ({"y": np.ones(4)}, ValueError, "targets of shape"),
        ({"y": np.array([1.0, np.nan, 0.0])}, ValueError, "NaN"),
        ({"net": MLP((3, 3), activation="erf")}, ValueError, "one hidden layer"),
        ({"net": np.eye(2)}, TypeError, "net must be"),
        ({"params": np.zeros(3)}, TypeError, "params must be"),
        ({"X": np.full((3, 3), np.inf)}, ValueError, "infinity"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input(change, error, message):
    net, params, X, y = easy()
    given = {"net": net, "params": params, "X": X, "y": y, "theorem": "A'", **change}
    if isinstance(change.get("net"), MLP):
        given["params"] = change["net"].init(3, 0)
    theorem = given.pop("theorem")
    with pytest.raises(error, match=message):
        lazy_certificate(*given.values(), theorem=theorem)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma_min": -1.0}, "sigma_min"),
        ({"sigma_max": 0.5}, "sigma_max"),
        ({"jacobian_lipschitz": -0.1}, "jacobian_lipschitz"),
        ({"scale": 0.0}, "scale"),
        ({"theorem": "D"}, "theorem"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_constants(change, message):
    given = {"sigma_min": 1.0, "sigma_max": 1.0, "jacobian_lipschitz": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        certificate_from_constants([0.0], [1.0], **given)
