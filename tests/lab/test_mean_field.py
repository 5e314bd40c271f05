"""Proximal steps of the neurons' law: against gradient descent, closed forms, and the dual over all laws."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize
from scipy.special import erf

from ntklib.dynamics import GradientDescent, train
from ntklib.lab.mean_field import proximal_step
from ntklib.networks import TwoLayerNet

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 2))
Y = RNG.standard_normal(6)
NET = TwoLayerNet(12, activation="erf", parameterization="mean_field")
START = NET.init(2, random_state=1)


def neurons(params):
    """One row a neuron: v, then w."""
    return np.column_stack([params["W1"][0], params["W0"]])


def potential_gradient(at, residual):
    """Gradient of Psi, written out."""
    Z = at[:, 1:] @ X.T
    slopes = 2 / np.pi**0.5 * np.exp(-(Z**2))
    return np.column_stack([erf(Z) @ residual, at[:, :1] * ((slopes * residual) @ X)])


def residual_of(at):
    return erf(at[:, 1:] @ X.T).T @ at[:, 0] / len(at) - Y


@pytest.mark.parametrize("eta", [0.01, 0.3, 5.0])
def test_the_step_is_the_implicit_one_of_the_flow(eta):
    step = proximal_step(NET, START, X, Y, eta)
    before, after = neurons(START), neurons(step.params)
    residual = residual_of(after)
    np.testing.assert_allclose(after, before - eta * potential_gradient(after, residual), atol=1e-6)
    assert step.loss == pytest.approx(0.5 * residual @ residual, rel=1e-9)
    assert step.start_loss == pytest.approx(0.5 * residual_of(before) @ residual_of(before), rel=1e-9)
    assert step.distance == pytest.approx(np.sqrt(np.mean(np.sum((after - before) ** 2, axis=1))), rel=1e-9)


def test_it_differs_from_gradient_descent_by_the_square_of_the_step():
    """By eta^2 DG G to leading order, G the gradient of Psi along the network's own law."""

    def force(at):
        return potential_gradient(at, residual_of(at))

    before = neurons(START)
    g = force(before)
    leading = (force(before + 1e-5 * g) - force(before - 1e-5 * g)) / 2e-5
    errors = []
    for eta in (4e-3, 2e-3, 1e-3):
        explicit = train(
            NET, X, Y, params=START, optimizer=GradientDescent(), learning_rate=eta, steps=1
        ).params
        np.testing.assert_allclose(neurons(explicit), before - eta * g, atol=1e-12)
        difference = neurons(proximal_step(NET, START, X, Y, eta).params) - neurons(explicit)
        errors.append(np.linalg.norm(difference))
        np.testing.assert_allclose(difference / eta**2, leading, atol=0.05 * abs(leading).max())
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2, atol=0.03)


@pytest.mark.parametrize("eta", [1e-3, 0.1, 1.0, 30.0])
def test_the_loss_falls_by_what_the_way_costs(eta):
    step = proximal_step(NET, START, X, Y, eta)
    assert step.objective < step.start_loss
    assert step.loss < step.start_loss - step.distance**2 / (2 * eta) * (1 - 1e-9)


@pytest.mark.parametrize("eta", [0.1, 2.0])
def test_no_other_pairing_of_neurons_is_shorter(eta):
    """The distance travelled is the Wasserstein distance: no transport of the neurons costs less."""
    step = proximal_step(NET, START, X, Y, eta)
    costs = np.sum((neurons(START)[:, None] - neurons(step.params)) ** 2, axis=-1)
    rows, columns = linear_sum_assignment(costs)
    assert step.distance**2 == pytest.approx(costs[rows, columns].mean(), rel=1e-9)


@pytest.mark.parametrize(("eta", "small"), [(0.1, True), (0.5, True), (1.0, False)])
def test_no_law_at_all_does_better_with_small_steps(eta, small):
    """The dual, with neurons that may go anywhere and split: at every p a lower bound on all laws.

    After the larger step a neuron could do better elsewhere.
    """
    net = TwoLayerNet(5, activation="erf", parameterization="mean_field")
    rows, targets = np.array([[-1.0], [0.4], [1.5]]), np.array([0.5, -1.0, 0.8])
    start = net.init(1, random_state=0)
    step = proximal_step(net, start, rows, targets, eta)
    p = net.apply(step.params, rows) - targets
    axis = np.linspace(-6, 6, 121)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    def cost(at, neuron):
        return at[..., 0] * (erf(at[..., 1:] * rows[:, 0]) @ p) + np.sum((at - neuron) ** 2, axis=-1) / (
            2 * eta
        )

    best = [
        minimize(cost, grid[cost(grid, neuron).argmin()], args=(neuron,), tol=1e-12).fun
        for neuron in np.column_stack([start["W1"][0], start["W0"]])
    ]
    bound = -p @ p / 2 - p @ targets + np.mean(best)
    assert bound <= step.objective + 1e-9
    assert (step.objective - bound < 1e-7) == small


def test_output_weights_alone_are_a_ridge_regression():
    net = TwoLayerNet(12, activation="erf", parameterization="mean_field", trainable="output")
    eta, H = 0.7, erf(X @ START["W0"].T) / 12
    v = START["W1"][0]
    expected = np.linalg.solve(H.T @ H + np.eye(12) / (12 * eta), H.T @ Y + v / (12 * eta))
    step = proximal_step(net, START, X, Y, eta)
    np.testing.assert_allclose(step.params["W1"][0], expected, atol=1e-9)
    np.testing.assert_array_equal(step.params["W0"], START["W0"])


@pytest.mark.parametrize(
    "options",
    [{"parameterization": "ntk"}, {"bias_std": 0.1}, {"symmetric": True}],
    ids=lambda options: next(iter(options)),
)
def test_networks_without_a_law_of_neurons(options):
    net = TwoLayerNet(**{"width": 4, "activation": "erf", "parameterization": "mean_field", **options})
    with pytest.raises(ValueError, match="neurons have a law if"):
        proximal_step(net, net.init(2, random_state=0), X, Y, 0.1)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="step_size must be"):
        proximal_step(NET, START, X, Y, 0.0)
    with pytest.raises(ValueError, match="y must have shape"):
        proximal_step(NET, START, X, Y[:3], 0.1)
