"""The display of trajectories stores curves, draws them, and refuses what cannot be drawn."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.dynamics import gradient_descent, gradient_flow
from ntklib.plotting import TrajectoryDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs():
    K = np.diag([1.0, 0.1])
    flow = gradient_flow(K, [1.0, 1.0], [2.0, 0.0, 1.0, np.inf], ridge=0.1)
    return flow, gradient_descent(K, [1.0, 1.0], [0, 1, 2], learning_rate=0.5)


def test_a_record_draws_itself(runs):
    flow, descent = runs
    display = flow.plot()
    curve, limit = display.ax_.lines
    np.testing.assert_array_equal(curve.get_xdata(), [0, 1, 2])
    np.testing.assert_array_equal(curve.get_ydata(), flow.loss[[1, 2, 0]])
    assert set(limit.get_ydata()) == {flow.loss[3]}
    assert display.ax_.get_xlabel() == "time"
    distance = descent.plot("distance", color="black")
    np.testing.assert_array_equal(distance.ax_.lines[0].get_ydata(), descent.distance)
    assert distance.ax_.get_xlabel() == "steps"
    assert distance.ax_.lines[0].get_color() == "black"


def test_runs_are_drawn_beside_one_another(runs):
    flow, descent = runs
    display = TrajectoryDisplay.from_trajectories({"flow": flow, "descent": descent})
    np.testing.assert_array_equal(display.curves["descent"][0], [0, 0.5, 1])
    assert display.ax_.get_xlabel() == "time (steps times step size)"
    assert [text.get_text() for text in display.ax_.get_legend().texts] == ["flow", "descent"]


def test_descents_of_different_steps_share_an_axis_of_steps(runs):
    other = gradient_descent(np.eye(2), [1.0, 1.0], [0, 1, 2], learning_rate=1.5)
    display = TrajectoryDisplay.from_trajectories({"small": runs[1], "large": other})
    np.testing.assert_array_equal(display.curves["large"][0], [0, 1, 2])


def test_what_cannot_be_drawn_is_refused(runs):
    with pytest.raises(ValueError, match="do not go together"):
        TrajectoryDisplay({"a": ([1, 2], [1])})
    with pytest.raises(ValueError, match="one run at least"):
        TrajectoryDisplay({})
    with pytest.raises(ValueError, match="'loss' or 'distance'"):
        runs[0].plot("momentum")
