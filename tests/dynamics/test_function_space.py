"""Losses without closed form against brute force in parameter space, scikit-learn, and another library."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ntklib.dynamics import (
    AbsoluteError,
    Huber,
    SquaredError,
    gradient_descent,
    gradient_flow,
    largest_stable_step,
)
from ntklib.dynamics.function_space._iteration import Coordinates, integrate
from ntklib.dynamics.function_space._iteration import descend as function_space_descent
from tests.dynamics.naive_training import descend, linear_model, runge_kutta

pytestmark = pytest.mark.filterwarnings("error")
STEPS = np.array([0, 1, 2, 10, 400])
LABELS, CLASSES = np.arange(20) % 3 % 2, np.arange(20) % 3


def softmax(f):
    return np.exp(f) / np.exp(f).sum(1, keepdims=True)


# name: loss, targets (None: the model's own), number of outputs, gradient from its definition
CASES = {
    "logistic": ("log_loss", LABELS, None, lambda f: 1 / (1 + np.exp(-f)) - LABELS),
    "softmax": ("log_loss", CLASSES, 3, lambda f: softmax(f) - np.eye(3)[CLASSES]),
    "huber": (Huber(0.4), None, None, lambda r: np.where(abs(r) < 0.4, r, 0.4 * np.sign(r))),
    "huber, 2 outputs": (Huber(0.4), None, 2, lambda r: np.where(abs(r) < 0.4, r, 0.4 * np.sign(r))),
    "absolute": ("absolute_error", None, None, np.sign),
}

# the flow of the absolute error is in test_absolute_flow.py
SMOOTH = pytest.mark.parametrize("case", [name for name in CASES if name != "absolute"], indirect=True)


@pytest.fixture(params=CASES)
def case(request):
    """Loss, targets, gradient in f, and the model."""
    loss, targets, n_outputs, slope = CASES[request.param]
    J, J_test, f0, f0_test, y = linear_model(p=12, n_outputs=n_outputs)
    if targets is None:
        return loss, y, lambda f: slope(f - y), (J, J_test, f0, f0_test)
    return loss, targets, slope, (J, J_test, f0, f0_test)


@pytest.mark.parametrize("ridge", [0.0, 0.5])
@pytest.mark.parametrize(("momentum", "averaged"), [(0.0, False), (0.8, False), (0.0, True)])
def test_descent_is_what_brute_force_gives(case, ridge, momentum, averaged):
    loss, y, gradient, (J, J_test, f0, f0_test) = case
    settings = {"learning_rate": 0.02, "momentum": momentum, "ridge": ridge}
    w = descend(J, gradient, f0, STEPS[-1], **settings)
    if averaged:
        w = np.cumsum(w, axis=0) / np.arange(1, len(w) + 1).reshape(-1, *[1] * (w.ndim - 1))
    w = w[STEPS]
    start = {"f0": f0, "K_test": J_test @ J.T, "f0_test": f0_test}
    path = gradient_descent(J @ J.T, y, STEPS, loss=loss, averaged=averaged, **start, **settings)
    if loss == "absolute_error" and not averaged:  # a sign may turn on rounding: look before it does
        w, steps = w[:4], slice(0, 4)
    else:
        steps = slice(None)
    np.testing.assert_allclose(path.outputs[steps], [f0 + J @ row for row in w], atol=1e-10)
    np.testing.assert_allclose(path.test_outputs[steps], [f0_test + J_test @ row for row in w], atol=1e-10)
    np.testing.assert_allclose(path.distance[steps], [np.linalg.norm(row) for row in w], atol=1e-10)
    np.testing.assert_allclose([J.T @ a for a in path.dual_coef[steps]], w, atol=1e-10)


@SMOOTH
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_flow_is_what_small_runge_kutta_steps_give(case, ridge):
    loss, y, gradient, (J, J_test, f0, f0_test) = case
    settings = {"f0": f0, "K_test": J_test @ J.T, "f0_test": f0_test, "ridge": ridge, "loss": loss}
    times = [1.5, 0.0, 0.1]
    path = gradient_flow(J @ J.T, y, times, **settings)
    exact = gradient_flow(J @ J.T, y, times, tolerance=1e-11, **settings)
    for i, t in enumerate(times):
        w = runge_kutta(J, gradient, f0, t, ridge=ridge)
        np.testing.assert_allclose(exact.outputs[i], f0 + J @ w, atol=1e-8)
        np.testing.assert_allclose(exact.test_outputs[i], f0_test + J_test @ w, atol=1e-8)
        np.testing.assert_allclose(exact.distance[i], np.linalg.norm(w), atol=1e-8)
    np.testing.assert_allclose(path.outputs, exact.outputs, atol=1e-6)


def test_the_general_way_gives_the_closed_form_of_the_square_loss():
    J, _, f0, _, y = linear_model(p=12, n_outputs=2)
    K, times = J @ J.T, np.array([0.0, 0.01, 1.0])
    closed = gradient_flow(K, y, times, f0=f0, ridge=0.5)
    model = Coordinates.of(K, y, f0, SquaredError(), None)
    general = integrate(model, times, ridge=0.5, tolerance=1e-10)
    for name in ("outputs", "loss", "distance", "dual_coef"):
        np.testing.assert_allclose(getattr(general, name), getattr(closed, name), atol=1e-7)
    closed = gradient_descent(K, y, STEPS, f0=f0, learning_rate=0.01, momentum=0.3)
    general = function_space_descent(
        model, STEPS, ridge=0.0, learning_rate=0.01, momentum=0.3, averaged=False
    )
    for name in ("outputs", "loss", "distance", "dual_coef"):
        np.testing.assert_allclose(getattr(general, name), getattr(closed, name), atol=1e-10)
    wide = gradient_descent(K, y, STEPS, f0=f0, learning_rate=0.01, momentum=0.3, loss=Huber(1e6))
    np.testing.assert_allclose(wide.outputs, closed.outputs, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_end_with_a_ridge_is_logistic_regression(n_classes):
    J, J_test, *_ = linear_model(p=6)
    y = LABELS if n_classes == 2 else CLASSES
    model = LogisticRegression(C=1 / 0.8, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(J, y)
    settings = {"K_test": J_test @ J.T, "ridge": 0.8, "loss": "log_loss"}
    eta = largest_stable_step(J @ J.T, ridge=0.8, loss="log_loss", n_outputs=n_classes) / 2
    for path in (
        gradient_flow(J @ J.T, y, 200.0, **settings),
        gradient_descent(J @ J.T, y, 3000, learning_rate=eta, momentum=0.5, **settings),
    ):
        np.testing.assert_allclose(path.test_outputs[0], model.decision_function(J_test), atol=2e-6)
        assert path.distance[0] == pytest.approx(np.linalg.norm(model.coef_), rel=1e-6)


def test_neural_tangents_agrees_on_the_cross_entropy(neural_tangents):
    v = neural_tangents
    path = gradient_flow(
        v["ntk"],
        v["labels"],
        v["softmax_times"],
        f0=v["f0"],
        K_test=v["ntk_test"],
        f0_test=v["f0_test"],
        loss="log_loss",
        tolerance=1e-11,
    )
    # its integrator aims at 1.4e-8 a step
    np.testing.assert_allclose(path.outputs, v["softmax_outputs"], atol=2e-7)
    np.testing.assert_allclose(path.test_outputs, v["softmax_test_outputs"], atol=2e-7)


@SMOOTH
def test_every_stable_step_decreases_the_loss(case):
    loss, y, _, (J, _, f0, _) = case
    eta = 0.99 * largest_stable_step(J @ J.T, loss=loss, n_outputs=1 if f0.ndim == 1 else f0.shape[1])
    path = gradient_descent(J @ J.T, y, np.arange(200), f0=f0, learning_rate=eta, loss=loss)
    assert (np.diff(path.loss) <= 0).all()
    flow = gradient_flow(J @ J.T, y, np.linspace(0, 5, 50), f0=f0, loss=loss)
    assert (np.diff(flow.loss) <= 1e-9).all()


def test_whole_weights_are_repetitions():
    J, J_test, f0, f0_test, _ = linear_model(n=20, p=12)
    w = np.tile([1, 2, 3, 1], 5)
    again = np.repeat(np.arange(20), w)
    K, K_test = J @ J.T, J_test @ J.T
    for run, arguments in ((gradient_flow, {}), (gradient_descent, {"learning_rate": 0.01})):
        arguments |= {"loss": "log_loss", "f0_test": f0_test, "ridge": 0.1}
        weighted = run(K, LABELS, [0, 3], f0=f0, K_test=K_test, sample_weight=w, **arguments)
        repeated = run(
            K[np.ix_(again, again)], LABELS[again], [0, 3], f0=f0[again], K_test=K_test[:, again], **arguments
        )
        np.testing.assert_allclose(weighted.test_outputs, repeated.test_outputs, atol=1e-6)
        np.testing.assert_allclose(weighted.loss, repeated.loss, atol=1e-6)
        np.testing.assert_allclose(weighted.distance, repeated.distance, atol=1e-6)


def test_long_runs_on_a_singular_kernel_stay_clean():
    J, _, _, _, _ = linear_model(n=20, p=3)
    path = gradient_descent(J @ J.T, LABELS, [20_000], learning_rate=0.05, momentum=0.9, loss="log_loss")
    w = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12).fit(J, LABELS).coef_
    assert path.distance[0] == pytest.approx(np.linalg.norm(w), rel=1e-6)


class Doubled(SquaredError):
    """A loss of the user's own, twice the squared error."""

    name = "doubled"

    def _losses(self, f, t):
        return 2 * super()._losses(f, t)

    def _slopes(self, f, t):
        return 2 * super()._slopes(f, t)

    def _curvatures(self, f, t):
        return 2 * super()._curvatures(f, t)


def test_a_loss_of_ones_own():
    path = gradient_flow(np.eye(2), [1.0, 2.0], [1.0], loss=Doubled())
    np.testing.assert_allclose(path.outputs[0], -np.expm1(-2) * np.array([1.0, 2.0]), rtol=1e-6)
    assert path.loss[0] == pytest.approx(5 * np.exp(-4), rel=1e-6)


class Kinked(AbsoluteError):
    """Another loss with kinks."""

    name = "kinked"


def test_bad_input_is_refused():
    K = np.eye(2)
    with pytest.raises(ValueError, match="for log_loss here; give a finite time"):
        gradient_flow(K, [0, 1], np.inf, loss="log_loss")
    with pytest.raises(ValueError, match="for huber here; give a finite time"):
        gradient_descent(K, [0, 1], [1, np.inf], loss="huber", learning_rate=1)
    with pytest.raises(ValueError, match=r"within 2000 steps of size 5; .* largest stable step, 1, are safe"):
        gradient_descent(K, [0, 1], 2000, loss="huber", learning_rate=5, ridge=1.0)
    with pytest.raises(ValueError, match="diverged within 2000 steps of size 5; take a smaller one"):
        gradient_descent(K, [0, 1], 2000, loss="absolute_error", learning_rate=5, ridge=1.0)
    with pytest.raises(ValueError, match="kinked is not smooth"):
        gradient_flow(K, [0, 1], 1, loss=Kinked())
    with pytest.raises(ValueError, match="tolerance"):
        gradient_flow(K, [0, 1], 1, loss="log_loss", tolerance=0)
    with pytest.raises(ValueError, match="integer labels"):
        gradient_flow(K, [0.3, 1], 1, loss="log_loss")
