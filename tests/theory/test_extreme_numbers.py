"""Numbers whose squares vanish or overflow, and Lipschitz constants that are no numbers."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from ntklib.networks import TwoLayerNet
from ntklib.theory import certificate_from_constants, jacobian_lipschitz, lazy_certificate
from ntklib.theory._jacobian_lipschitz import _at_most
from tests.theory.cases import N_FEATURES, THEOREMS, rows


@pytest.mark.parametrize("theorem", THEOREMS)
@pytest.mark.parametrize("power", [-480, -290, -200, 100, 200, 290, 480])
def test_units_of_the_rows_do_not_matter(power, theorem):
    # with weights in inverse units the outputs are the same, J is c and its derivative c^2 times as large
    c, X, y = 2.0**power, rows(2), np.array([1.0, -1.0])
    net = TwoLayerNet(6, activation="tanh", trainable="hidden", symmetric=True, scale=1e6)
    params = net.init(N_FEATURES, 0)
    other = params.replace(W0=params["W0"] / c, mirror_W0=params["mirror_W0"] / c)
    plain = lazy_certificate(net, params, X, y, theorem=theorem)
    scaled = lazy_certificate(net, other, c * X, y, theorem=theorem)
    assert plain.holds
    assert scaled.holds
    assert scaled.scale_threshold == pytest.approx(plain.scale_threshold, rel=1e-6)
    assert scaled.jacobian_lipschitz == pytest.approx(plain.jacobian_lipschitz * c**2, rel=1e-4)
    assert scaled.distance_bound == pytest.approx(plain.distance_bound / c, rel=1e-6)


@pytest.mark.parametrize("size", [1e-200, 1e-170])
def test_no_curvature_vanishes_by_rounding(size):
    net = TwoLayerNet(4, activation="erf", trainable="hidden")
    found = jacobian_lipschitz(net, net.init(N_FEATURES, 0), size * rows(2), radius=1 / size)
    assert found.value > 0


def test_rows_too_large_for_their_squares():
    net = TwoLayerNet(4, activation="erf")
    params = net.init(N_FEATURES, 0)
    found = jacobian_lipschitz(
        net, params.replace(W0=1e-148 * params["W0"], W1=1e20 * params["W1"]), 1e148 * rows(2)
    )
    assert found.value == inf
    assert "too large for their squares" in found.reason
    with pytest.raises(ValueError, match="squares overflow"):
        jacobian_lipschitz(net, params, 1e160 * rows(2))


@pytest.mark.parametrize("radius", [0.0, 1.0, 50.0])
@pytest.mark.parametrize("output_init", ["gaussian", "rademacher"])
def test_neurons_are_passed_over_only_if_they_do_not_decide(radius, output_init):
    # enough of them for several rounds, on balls where most are alike, too
    net = TwoLayerNet(1500, activation="erf", output_init=output_init)
    params, X = net.init(N_FEATURES, 0), rows(6)
    whole = jacobian_lipschitz(net, params, X, radius=radius).value
    few = TwoLayerNet(15, activation="erf")
    empty = few.init(N_FEATURES, 0)
    parts = [
        empty.replace(W0=params["W0"][i : i + 15], W1=params["W1"][:, i : i + 15]) for i in range(0, 1500, 15)
    ]
    best = max(jacobian_lipschitz(few, part, X, radius=radius).value for part in parts)
    assert whole == pytest.approx(best / 10, rel=1e-9)  # the multiplier is 1/sqrt(width)


@pytest.mark.parametrize("theorem", THEOREMS)
@pytest.mark.parametrize("value", [nan, -1.0, "1", None])
def test_lipschitz_constants_that_are_none(value, theorem):
    with pytest.raises(ValueError, match="must return a number of at least 0"):
        certificate_from_constants(
            [0.0], [0.1], sigma_min=1.0, sigma_max=1.0, jacobian_lipschitz=lambda _: value, theorem=theorem
        )


@pytest.mark.parametrize("theorem", THEOREMS)
def test_lipschitz_constants_that_are_infinite(theorem):
    def found(beta):
        return certificate_from_constants(
            [0.0], [0.1], sigma_min=1.0, sigma_max=1.0, jacobian_lipschitz=beta, theorem=theorem
        )

    nowhere = found(lambda radius: inf)
    assert not nowhere.holds
    assert nowhere.failures == ("curvature: jacobian_lipschitz is infinite on every ball",)
    assert found(lambda radius: inf if radius else 0.0).scale_interval is None
    # a ball that is smaller than beta = 1 would allow: 0.4 instead of 1/2 (A and B) or 1 (A')
    limit = {"A": 0.4 / 6, "A'": 0.4 - 0.08, "B": 0.4 / 16}[theorem]
    assert found(lambda radius: 1.0 if radius <= 0.4 else inf).residual_limit == pytest.approx(
        limit, rel=1e-6
    )


@pytest.mark.parametrize("zeros", [0.0, 0.6, 1.0])
def test_what_rules_neurons_out_is_a_bound(zeros):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(7, 3))
    gram = np.abs(rows @ rows.T)
    gram[0, 1:] = gram[1:, 0] = 0.0  # a row at right angles to all others
    s = rng.exponential(size=(200, 7)) ** 4 * (rng.uniform(size=(200, 7)) >= zeros)
    true = np.linalg.eigvalsh(s[:, :, None] * s[:, None, :] * gram)[:, -1]
    rough, fine = (_at_most(s, gram, rounds) for rounds in (1, 6))
    assert (rough >= true * (1 - 1e-12)).all()
    assert (fine >= true * (1 - 1e-12)).all()
    assert np.median(fine / np.maximum(true, 1e-300)) < 1.05
