"""The study of gradient descent on simple functions, against runs written out in plain arithmetic."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.lab.landscapes import Cone
from ntklib.lab.studies import landscapes_study
from ntklib.lab.studies.landscapes.functions import simple_functions

SMALL = {"n_starts": 5, "steps": 400}
GRADIENTS = {
    "quadratic 1e-05": lambda x, y: (x, 1e-5 * y),
    "quadratic 0.1": lambda x, y: (x, 0.1 * y),
    "cone": lambda x, y: (2 * x / math.hypot(x, y), 2 * y / math.hypot(x, y)),
    "huber": lambda x, y: (max(-1, min(x, 1)), max(-1, min(y, 1))),
    "square plus abs": lambda x, y: (x, math.copysign(1, y)),
}


@pytest.fixture(scope="module")
def study():
    return landscapes_study(**SMALL)


def row_of(study, function, eta):
    return next(row for row in study.rows(function) if study.learning_rate[row] == eta)


@pytest.mark.parametrize("function", GRADIENTS)
@pytest.mark.parametrize("eta", [0.1, 1.9, 2.1])
def test_courses_are_those_of_a_loop(study, function, eta):
    row = row_of(study, function, eta)
    x, y = study.paths[row, 0].tolist()
    course = [math.hypot(x, y)]
    for _ in range(study.steps):
        gx, gy = GRADIENTS[function](x, y) if x or y else (0, 0)
        x, y = x - eta * gx, y - eta * gy
        course.append(math.hypot(x, y))
    wanted = np.array(course)[study.recorded]
    near = np.abs(wanted) < 1e6  # beyond, rounding has grown with the distance
    np.testing.assert_allclose(study.distances[row, near], wanted[near], rtol=1e-7, atol=1e-9)


def test_figures_are_those_in_theory(study):
    """Where a run has come to its end: not with steps of 0.01, nor along a curvature of 0.00001."""
    late = (study.learning_rate >= 0.1) & (study.function != "quadratic 1e-05")
    np.testing.assert_allclose(study.rate[late], study.expected_rate[late], atol=1e-6)
    hops = study.outcome == "hops"
    np.testing.assert_allclose(study.hop[late & hops], study.expected_hop[late & hops], rtol=1e-6)
    np.testing.assert_allclose(study.loss[late & hops], study.expected_loss[late & hops], rtol=1e-6)
    ends = np.isin(study.outcome, ["converges"]) & late
    assert np.all(study.expected_loss[ends] == 0)
    assert np.all(study.loss[ends] < 1e-3)
    away = study.outcome == "diverges"
    assert np.all(np.isinf(study.expected_loss[away]) & np.isinf(study.expected_hop[away]))
    assert np.all(study.distance[away] > 1e6)
    assert np.nanmax(study.error) < 1e-11
    assert np.isnan(study.error).sum() == 1  # Huber's function at 2.1


def test_which_steps_arrive(study):
    rates = study.learning_rate[study.rows("cone")]
    assert rates.tolist() == [0.01, 0.1, 0.5, 1.0, 1.9, 2.1]
    for name, below, above in (
        ("quadratic 1e-05", "converges", "diverges"),
        ("quadratic 0.1", "converges", "diverges"),
        ("cone", "hops", "hops"),
        ("huber", "converges", "hops"),
        ("square plus abs", "hops", "diverges"),
    ):
        assert study.outcome[study.rows(name)].tolist()[1:] == [below] * 4 + [above]
    assert "huber: converges at 0.01, 0.1, 0.5, 1, 1.9; hops at 2.1" in study.headline()


def test_a_tiny_curvature_forbids_no_step_and_keeps_its_error():
    study = landscapes_study([1.0, 1.99, 2.01], [0.00001], n_starts=3, steps=1000)
    rows = study.rows("quadratic 1e-05")
    assert study.outcome[rows].tolist() == ["converges", "converges", "diverges"]
    y = study.paths[rows[0], 0, 1]
    assert study.distances[rows[0], -1] == pytest.approx(abs(y) * (1 - 1e-5) ** 1000)
    assert study.losses[rows[0], -1] < 1e-5 * y**2 / 2
    assert 1 - study.rate[rows[0]] == pytest.approx(1e-5, rel=1e-6)


def test_steps_to_a_loss_on_the_cone_keep_their_bound():
    """With eta = epsilon/G^2 less than |w_0 - w*| G/epsilon steps; no more come near with larger ones."""
    slope, tolerance = 4.0, 0.2
    study = landscapes_study(
        [tolerance / slope**2, 0.1], [0.1], slope=slope, tolerance=tolerance, n_starts=1, steps=500
    )
    right, large = study.rows("cone")
    start = study.paths[right, 0]
    assert study.steps_to[right] == Cone(slope).steps_to(start, tolerance)
    assert study.steps_to[right] <= np.linalg.norm(start) * slope / tolerance
    assert study.loss[right] <= tolerance < study.loss[large]


@pytest.mark.parametrize("eta", [2.05, 2.5, 4.0])
@pytest.mark.parametrize("threshold", [0.5, 2.0])
def test_the_end_on_hubers_function_beyond_two(eta, threshold):
    study = landscapes_study([eta], [0.1], threshold=threshold, n_starts=4, steps=600)
    (row,) = study.rows("huber")
    assert study.outcome[row] == "hops"
    assert study.hop[row] == pytest.approx(math.sqrt(2) * eta * threshold)
    assert study.loss[row] == pytest.approx(threshold**2 * (eta - 1))
    assert study.expected_loss[row] == pytest.approx(study.loss[row])


def test_at_the_limit_itself_the_end_depends_on_the_start():
    for function in simple_functions([0.1], 1.0, 1.0):
        if function.name != "cone":
            assert np.isnan(function.hop(2.0))
            assert np.isnan(function.loss(2.0))
            assert function.rate(2.0) == pytest.approx(1.0)
    study = landscapes_study([2.0], [0.1], n_starts=2, steps=200)
    assert study.outcome[study.rows("quadratic 0.1")].tolist() == ["hops"]


def test_runs_that_leave_the_floats_diverge():
    study = landscapes_study([50.0], [0.1], n_starts=2, steps=500)
    assert study.outcome[study.rows("quadratic 0.1")].tolist() == ["diverges"]
    assert study.rate[study.rows("quadratic 0.1")] == pytest.approx(49.0)
    assert study.error[study.rows("quadratic 0.1")] < 1e-11


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rates": [0.0]}, ValueError, "each of learning_rates must be finite and greater than 0"),
        ({"curvatures": [-1.0]}, ValueError, "each of curvatures must be finite and greater than 0"),
        ({"slope": 0}, ValueError, "slope must be"),
        ({"steps": 1}, ValueError, "steps must be at least 2"),
        ({"n_starts": 0}, ValueError, "n_starts must be at least 1"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        landscapes_study(**options)


def test_pictures_show_what_was_measured(study):
    axes = plt.figure().add_subplot()
    study.plot(axes, picture="rates")
    lines = {line.get_label(): line for line in axes.lines}
    for name in study.functions:
        np.testing.assert_array_equal(lines[name].get_ydata(), study.rate[study.rows(name)])
    axes.clear()
    study.plot(axes, picture="loss")
    assert [panel.get_title() for panel in axes.child_axes] == study.functions
    cone = axes.child_axes[2]
    assert len(cone.collections) == len(cone.lines) == 6  # a band for each step size
    axes.clear()
    study.plot(axes, picture="flat")
    assert "learning rate 1" in axes.get_title()
    plt.close("all")
