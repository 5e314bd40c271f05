"""Landscapes: derivatives against mpmath's, and what is said about steps against steps taken."""

import math

import mpmath as mp
import numpy as np
import pytest

from ntklib.dynamics import USAM, AveragedMomentum, GradientDescent, Momentum
from ntklib.lab.landscapes import Cone, HuberLandscape, Quadratic, SquarePlusAbs, WideningValley

RNG = np.random.default_rng(0)
# each with its definition in plain arithmetic, and points away from its kinks
LANDSCAPES = {
    "quadratic": (
        Quadratic([0.5, 0.0, 3.0], minimizer=[1.0, 2.0, -1.0]),
        lambda w: (0.5 * (w[0] - 1) ** 2 + 3 * (w[2] + 1) ** 2) / 2,
        RNG.standard_normal((3, 3)),
    ),
    "cone": (
        Cone(2.5, minimizer=[1.0, 0.0, -2.0]),
        lambda w: mp.mpf("2.5") * mp.sqrt((w[0] - 1) ** 2 + w[1] ** 2 + (w[2] + 2) ** 2),
        RNG.standard_normal((3, 3)),
    ),
    "huber": (
        HuberLandscape(0.7),
        lambda w: sum(z**2 / 2 if abs(z) <= 0.7 else mp.mpf(0.7) * abs(z) - mp.mpf(0.7) ** 2 / 2 for z in w),
        np.array([[0.3, -0.2, 2.0], [-0.9, 0.6, 0.1], [-3.0, 4.0, 5.0]]),
    ),
    "square plus abs": (
        SquarePlusAbs(),
        lambda w: w[0] ** 2 / 2 + abs(w[1]),
        np.array([[0.3, -0.2], [-0.9, 0.6], [5.0, 4.0]]),
    ),
    "valley": (
        WideningValley(),
        lambda w: sum(z**2 for z in w[:-1]) * w[-1] ** 2 / 2,
        RNG.standard_normal((3, 4)),
    ),
}
each = pytest.mark.parametrize("name", LANDSCAPES)


def derivative(function, point, orders):
    return float(mp.diff(lambda *w: function(w), tuple(mp.mpf(float(x)) for x in point), orders))


@each
def test_values_and_derivatives_are_those_of_the_definition(name):
    landscape, function, points = LANDSCAPES[name]
    unit = np.eye(points.shape[1], dtype=int)
    with mp.workdps(40):
        for w in points:
            assert float(landscape.value(w)) == pytest.approx(float(function([mp.mpf(float(x)) for x in w])))
            gradient = [derivative(function, w, tuple(e)) for e in unit.tolist()]
            np.testing.assert_allclose(landscape.gradient(w), gradient, rtol=1e-12, atol=1e-12)
            hessian = [[derivative(function, w, tuple((e + f).tolist())) for f in unit] for e in unit]
            np.testing.assert_allclose(landscape.hessian(w), hessian, rtol=1e-10, atol=1e-10)


@each
def test_many_points_are_each_by_themselves_and_the_trace_is_the_hessians(name):
    landscape, _, points = LANDSCAPES[name]
    many = np.stack([points, 2 * points])
    assert landscape.value(many).shape == landscape.trace(many).shape == (2, 3)
    hessians = landscape.hessian(many)
    np.testing.assert_allclose(np.trace(hessians, axis1=-2, axis2=-1), landscape.trace(many), rtol=1e-12)
    for method in (landscape.value, landscape.gradient, landscape.hessian, landscape.trace):
        np.testing.assert_array_equal(method(many)[1, 2], method(2 * points[2]))


@each
def test_landscapes_are_values(name):
    landscape, _, points = LANDSCAPES[name]
    assert eval(repr(landscape)) == landscape
    assert hash(landscape) == hash(eval(repr(landscape)))
    if name != "huber":
        with pytest.raises(ValueError, match=r"(takes points of|at least 2)"):
            landscape.value(points[:, :1])
    with pytest.raises(ValueError, match=r"got shape \(\)"):
        landscape.value(3.0)


def test_subgradients_of_least_norm_at_kinks():
    np.testing.assert_array_equal(Cone(2.0).gradient([0.0, 0.0]), [0.0, 0.0])
    np.testing.assert_array_equal(SquarePlusAbs().gradient([1.0, 0.0]), [1.0, 0.0])
    for method in (Cone().hessian, Cone().trace):
        with pytest.raises(ValueError, match="no second derivatives at its tip"):
            method([[1.0, 1.0], [0.0, 0.0]])


# ---------------------------------------------------------------- quadratics


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e6])
@pytest.mark.parametrize("share", [0.3, 0.99, 1.01])
def test_descent_on_a_quadratic_is_its_formula(condition, share):
    bowl = Quadratic(np.geomspace(1 / condition, 1, 5), minimizer=np.arange(5.0))
    start, eta = np.ones(5) * 7, share * bowl.largest_stable_step()
    path = GradientDescent(eta).run(bowl.gradient, start, 400)
    for k in (0, 1, 17, 400):
        np.testing.assert_allclose(path[k], bowl.after(start, k, eta), rtol=1e-10, atol=1e-12)
    steepest = np.abs(path[:, -1] - 4.0)
    assert (steepest[-1] < steepest[0]) == (share < 1)
    assert (bowl.rate(eta) < 1) == (share < 1)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_largest_stable_step(momentum):
    bowl = Quadratic([0.1, 1.0, 4.0])
    limit = bowl.largest_stable_step(momentum)
    assert limit == pytest.approx(2 * (1 + momentum) / 4)
    for share, stable in ((0.98, True), (1.02, False)):
        path = Momentum(share * limit, momentum).run(bowl.gradient, np.ones(3), 3000)
        assert (np.abs(path[-1]).max() < 1e-3) == stable
        assert (bowl.rate(share * limit, momentum) < 1) == stable
    assert bowl.rate(limit, momentum) == pytest.approx(1.0)


def test_rates_are_spectral_radii_and_what_runs_show():
    bowl = Quadratic([0.2, 1.0])
    for eta, mu in ((0.5, 0.0), (1.5, 0.3), (0.5, 0.9), (2.5, 0.5)):
        radius = max(
            np.abs(np.linalg.eigvals([[1 + mu - eta * curvature, -mu], [1, 0]])).max()
            for curvature in (0.2, 1.0)
        )
        assert bowl.rate(eta, mu) == pytest.approx(radius, rel=1e-12)
        path = np.abs(Momentum(eta, mu).run(bowl.gradient, np.ones(2), 800)).max(axis=1)
        # the envelope over periods of the oscillation
        shown = (path[701:801].max() / path[301:401].max()) ** (1 / 400)
        assert shown == pytest.approx(radius, rel=2e-3)


def test_the_best_step():
    bowl = Quadratic([1.0, 9.0])
    best = bowl.best_step
    assert bowl.rate(best) == pytest.approx((9 - 1) / (9 + 1))
    assert all(bowl.rate(best) < bowl.rate(best * factor) for factor in (0.9, 0.99, 1.01, 1.1))


def test_averaging_as_a_matter_of_form_on_a_quadratic():
    bowl = Quadratic([0.2, 1.0])
    averaged = AveragedMomentum(0.5, 0.9, steps=300).run(bowl.gradient, np.ones(2), 300)
    np.testing.assert_allclose(averaged, Momentum(0.5, 0.9).run(bowl.gradient, np.ones(2), 300), atol=1e-13)


# ---------------------------------------------------------------- cones


@pytest.mark.parametrize(("slope", "tolerance"), [(1.0, 0.07), (3.0, 0.5), (0.2, 0.011), (5.0, 30.0)])
def test_a_cone_is_descended_in_as_many_steps_as_said(slope, tolerance):
    cone, start = Cone(slope, minimizer=[1.0, -1.0]), np.array([4.0, 3.0])
    eta, steps = cone.step_for(tolerance), cone.steps_to(start, tolerance)
    assert eta == pytest.approx(tolerance / slope**2)
    assert steps <= 5 * slope / tolerance  # |w_0 - w*| G/epsilon
    path = GradientDescent(eta).run(cone.gradient, start, steps + 40)
    values = cone.value(path)
    assert np.flatnonzero(values <= tolerance)[0] == steps
    assert np.all(values[steps:] <= tolerance * (1 + 1e-9))
    for k in (0, steps // 2, steps, steps + 1, steps + 7):
        np.testing.assert_allclose(path[k], cone.after(start, k, eta), atol=1e-12)


def test_the_step_that_is_sometimes_printed_fails():
    """With eta = G/epsilon the steps are G^2/epsilon long, and the loss never gets near epsilon."""
    cone, start, tolerance = Cone(2.0), np.array([3.0, 4.0]), 0.1
    misprinted = cone.slope / tolerance
    values = cone.value(GradientDescent(misprinted).run(cone.gradient, start, 2000))
    assert values.min() >= 10.0 - 1e-9  # where it started
    assert values.max() == pytest.approx(2 * (cone.slope * misprinted - 5))
    right = cone.value(GradientDescent(cone.step_for(tolerance)).run(cone.gradient, start, 2000))
    assert right[-1] <= tolerance


def test_the_oscillation_on_a_cone_has_period_two():
    cone = Cone(1.0)
    path = GradientDescent(0.3).run(cone.gradient, [1.0, 0.0], 50)
    np.testing.assert_allclose(path[4:, 0], np.where(np.arange(4, 51) % 2 == 0, -0.2, 0.1), atol=1e-12)
    np.testing.assert_allclose(cone.after([1.0, 0.0], 50, 0.3), path[50], atol=1e-12)


def test_a_whole_number_of_steps_ends_on_the_tip():
    path = GradientDescent(0.25).run(Cone().gradient, [1.0, 0.0], 9)
    np.testing.assert_array_equal(path[4:], np.zeros((6, 2)))
    np.testing.assert_array_equal(Cone().after([1.0, 0.0], 9, 0.25), [0.0, 0.0])
    np.testing.assert_array_equal(Cone().after([1.0, 0.0], 9, 0.0), [1.0, 0.0])
    np.testing.assert_array_equal(Cone().after([0.0, 0.0], 3, 0.5), [0.0, 0.0])


# ---------------------------------------------------------------- Huber, x^2/2 + |y|


@pytest.mark.parametrize("eta", [0.0, 0.1, 0.5, 1.0, 1.3, 1.9])
@pytest.mark.parametrize("threshold", [1.0, 0.3])
def test_descent_on_hubers_function_is_its_formula(eta, threshold):
    huber, start = HuberLandscape(threshold), np.array([5.0, -2.2, 0.1, 0.0])
    path = GradientDescent(eta).run(huber.gradient, start, 120)
    for k in (0, 1, 5, 33, 120):
        np.testing.assert_allclose(path[k], huber.after(start, k, eta), atol=1e-11)


def test_hubers_function_beyond_the_stable_step_hops_and_does_not_diverge():
    huber = HuberLandscape(0.5)
    assert huber.largest_stable_step() == 2
    path = GradientDescent(2.4).run(huber.gradient, [[3.0], [0.01], [0.4]], 400)[..., 0]
    np.testing.assert_allclose(path[-1], path[-3], rtol=1e-9)
    np.testing.assert_allclose(np.abs(path[-1] - path[-2]), 2.4 * 0.5)
    assert np.all(np.abs(path[-2:]) <= 1.4 * 0.5)
    with pytest.raises(ValueError, match="steps of 2 or more"):
        huber.after([1.0], 3, 2.0)


@pytest.mark.parametrize("eta", [0.0, 0.1, 0.7, 1.9])
def test_descent_on_a_square_plus_an_absolute_value_is_its_formula(eta):
    function, start = SquarePlusAbs(), np.array([[3.0, 1.234], [-1.0, -5.678]])
    path = GradientDescent(eta).run(function.gradient, start, 101)
    for k in (0, 1, 13, 14, 100, 101):
        np.testing.assert_allclose(path[k], function.after(start, k, eta), atol=1e-11)


def test_a_constant_step_leaves_half_a_step_of_loss_at_the_kink():
    function = SquarePlusAbs()
    assert function.largest_stable_step() == 2
    for eta in (0.5, 0.05):
        values = function.value(GradientDescent(eta).run(function.gradient, [3.0, 1.234], 1000))
        assert values[-2:].mean() == pytest.approx(eta / 2, rel=1e-9)
    falling = GradientDescent(lambda k: 1 / (k + 1)).run(function.gradient, [3.0, 1.234], 1000)
    assert function.value(falling[-1]) < 2e-3


# ---------------------------------------------------------------- the valley


def test_sharpness_is_the_largest_eigenvalue():
    points = np.vstack([np.random.default_rng(2).standard_normal((20, 5)), np.eye(5), np.zeros((1, 5))])
    largest = np.linalg.eigvalsh(WideningValley().hessian(points))[..., -1]
    np.testing.assert_allclose(WideningValley().sharpness(points), largest, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rho", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("dimension", [1, 6])
def test_one_step_of_usam_on_the_valley_is_its_closed_form(rho, dimension):
    valley = WideningValley()
    points = np.random.default_rng(1).standard_normal((50, dimension + 1))
    path = USAM(0.07, rho).run(valley.gradient, points, 3)
    np.testing.assert_allclose(path[1], valley.usam_step(points, 0.07, rho), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(path[3], valley.usam_step(path[2], 0.07, rho), rtol=1e-12, atol=1e-15)
    if rho == 0:
        descent = GradientDescent(0.07).run(valley.gradient, points, 3)
        np.testing.assert_allclose(path, descent, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("rho", [0.0, 0.3, 2.0])
def test_small_steps_end_where_the_flow_does(rho):
    valley = WideningValley()
    start = np.array([[1.0, -1.5, 0.8], [0.3, 0.4, 1.7], [1.0, 1.0, 0.0]])  # the last one is a minimum
    limit = valley.flow_limit(start, rho)
    np.testing.assert_array_equal(valley.value(limit), 0.0)
    errors = [
        np.abs(USAM(eta, rho).run(valley.gradient, start, int(25 / eta))[-1] - limit).max()
        for eta in (4e-3, 2e-3)
    ]
    assert errors[1] < 2e-2
    assert errors[1] < 0.52 * errors[0]  # Euler's method is of first order


def test_what_the_flow_conserves():
    valley, rho = WideningValley(), 0.7
    w = np.array([1.0, -1.5, 0.8])
    probe = w + rho * valley.gradient(w)
    velocity = -valley.gradient(probe)
    invariant = lambda w: math.log(1 + rho * (w[0] ** 2 + w[1] ** 2)) - math.log(1 + rho * w[2] ** 2)  # noqa: E731
    slope = (invariant(w + 1e-6 * velocity) - invariant(w - 1e-6 * velocity)) / 2e-6
    assert abs(slope) < 1e-8


@pytest.mark.parametrize("rho", [0.0, 0.1, 1.0])
def test_the_sharpest_minimum_that_holds(rho):
    """Started beside minima a little flatter and sharper than the bound: one holds it, the other does not."""
    valley, eta = WideningValley(), 0.1
    bound = valley.sharpest_stable(eta, rho)
    assert bound * (1 + rho * bound) == pytest.approx(2 / eta)
    for share, held in ((0.97, True), (1.03, False)):
        start = np.array([math.sqrt(share * bound), 1e-6])
        path = USAM(eta, rho).run(valley.gradient, start, 3000)
        assert (np.abs(path[:, 1]).max() < 1e-5) == held
        assert np.linalg.eigvalsh(valley.hessian(path[-1]))[-1] <= bound * (1 + 1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Quadratic([]), ValueError, "curvatures must be a sequence"),
        (lambda: Quadratic(1.0), ValueError, "curvatures must be a sequence"),
        (lambda: Quadratic([1.0, -1.0]), ValueError, "curvatures must be finite and at least 0"),
        (lambda: Quadratic([0.0, 0.0]), ValueError, "nothing to descend"),
        (lambda: Quadratic([1.0], minimizer=[1.0, 2.0]), ValueError, "1 curvatures; the minimizer has 2"),
        (lambda: Quadratic([1.0]).after([1.0], -1, 0.1), ValueError, "steps must be at least 0"),
        (lambda: Quadratic([1.0]).rate(-0.1), ValueError, "learning_rate must be"),
        (lambda: Cone(0.0), ValueError, "slope must be finite and greater than 0"),
        (lambda: Cone().step_for(0.0), ValueError, "tolerance must be"),
        (lambda: Cone(minimizer="ab"), ValueError, "minimizer must be a sequence"),
        (lambda: HuberLandscape(-1.0), ValueError, "threshold must be"),
        (lambda: WideningValley().sharpest_stable(0.0), ValueError, "learning_rate must be"),
        (lambda: WideningValley().usam_step([1.0, 1.0], 0.1, rho=-1.0), ValueError, "rho must be"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
