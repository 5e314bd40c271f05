"""The flow of the absolute error against hand calculation, tiny steps, linear programming, optimality."""

import numpy as np
import pytest
from scipy.optimize import linprog

from ntklib.dynamics import gradient_flow
from tests.dynamics.naive_training import descend, linear_model

pytestmark = pytest.mark.filterwarnings("error")


def flow(J, y, times, **settings):
    return gradient_flow(J @ J.T, y, times, loss="absolute_error", **settings)


def test_by_hand():
    # both pull, rate 3/2 each; at t = 2/3 the first is 0 and held by 1/2 of its force; at t = 2 the second
    K, y = np.array([[1.0, 0.5], [0.5, 1.0]]), [1.0, 2.0]
    path = gradient_flow(K, y, [0, 1 / 3, 2 / 3, 1, 2, 9, np.inf], loss="absolute_error")
    expected = [[0, 0], [0.5, 0.5], [1, 1], [1, 1.25], [1, 2], [1, 2], [1, 2]]
    np.testing.assert_allclose(path.outputs, expected, atol=1e-12)
    np.testing.assert_allclose(path.loss, np.abs(np.subtract(expected, y)).sum(1), atol=1e-12)


def test_by_hand_with_a_ridge():
    # f' = 1 - f/2 until f = 1; then held, as the ridge pulls with 1/2 < 1
    path = gradient_flow([[1.0]], [1.0], [0.5, 2 * np.log(2), np.inf], loss="absolute_error", ridge=0.5)
    np.testing.assert_allclose(path.outputs[:, 0], [-2 * np.expm1(-0.25), 1, 1], atol=1e-12)
    # never reached: f tends to 2
    path = gradient_flow([[1.0]], [3.0], [1.0, np.inf], loss="absolute_error", ridge=0.5)
    np.testing.assert_allclose(path.outputs[:, 0], [-2 * np.expm1(-0.5), 2], atol=1e-12)


@pytest.mark.parametrize("p", [6, 30])
@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_tiny_subgradient_steps_go_the_same_way(p, ridge, n_outputs):
    J, J_test, f0, f0_test, y = linear_model(n=12, p=p, n_outputs=n_outputs)
    step, times = 2e-5, np.array([0.4, 0.0, 0.02, 0.1])
    w = descend(J, lambda f: np.sign(f - y), f0, 20_000, learning_rate=step, ridge=ridge)
    w = w[np.round(times / step).astype(int)]
    path = flow(J, y, times, f0=f0, K_test=J_test @ J.T, f0_test=f0_test, ridge=ridge)
    error = 3 * step * np.linalg.norm(J, 2) ** 2  # the steps chatter around kinks
    np.testing.assert_allclose(path.outputs, [f0 + J @ row for row in w], atol=error)
    np.testing.assert_allclose(path.test_outputs, [f0_test + J_test @ row for row in w], atol=error)
    np.testing.assert_allclose(path.distance, [np.linalg.norm(row) for row in w], atol=error)


@pytest.mark.parametrize("seed", range(40))
def test_the_limit_has_the_least_absolute_deviation(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(2, 30), rng.integers(1, 30)
    J, y, w = rng.standard_normal((n, p)), rng.standard_normal(n), rng.integers(1, 4, n).astype(float)
    J = np.round(J) if seed % 3 == 0 else J  # ties, duplicates, zero rows
    y = np.round(2 * y) if seed % 2 else y
    program = linprog(
        np.r_[np.zeros(p), w],
        A_ub=np.block([[J, -np.eye(n)], [-J, -np.eye(n)]]),
        b_ub=np.r_[y, -y],
        bounds=[(None, None)] * p + [(0, None)] * n,
    )
    path = flow(J, y, [0.0, 0.1, 1.0, np.inf], sample_weight=w)
    assert path.loss[-1] == pytest.approx(program.fun, abs=1e-9)
    assert (np.diff(path.loss) < 1e-12).all()
    np.testing.assert_allclose(path.loss, np.abs(path.outputs - y) @ w, rtol=1e-12)


def test_the_limit_with_a_ridge_is_optimal():
    J, _, f0, _, y = linear_model(n=25, p=8)
    path = flow(J, y, np.inf, f0=f0, ridge=1.5)
    w = J.T @ path.dual_coef[0]
    rng = np.random.default_rng(0)

    def objective(v):
        return np.abs(f0 + J @ v - y).sum() + 0.75 * v @ v

    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(50):
            move = size * rng.standard_normal(8)
            # strong convexity: every other point is higher by at least this
            assert objective(w + move) >= objective(w) + 0.75 * move @ move - 1e-12


def test_duplicates_and_samples_that_start_fitted():
    J, _, _, _, y = linear_model(n=6, p=4)
    twice = np.vstack([J, J])
    both = flow(twice, np.tile(y, 2), [0.01, 0.1, np.inf])
    weighted = flow(J, y, [0.01, 0.1, np.inf], sample_weight=np.full(6, 2.0))
    np.testing.assert_allclose(both.outputs[:, :6], weighted.outputs, atol=1e-9)
    np.testing.assert_allclose(both.loss, weighted.loss, atol=1e-9)
    still = flow(J, y, [0.0, 1.0, np.inf], f0=y)
    np.testing.assert_array_equal(still.outputs, np.tile(y, (3, 1)))
    np.testing.assert_array_equal(
        gradient_flow(np.zeros((2, 2)), [1, 2], 1, loss="absolute_error").outputs, 0
    )
