"""Closed forms on the square loss against brute force in parameter space, limits, and another library."""

import pickle

import numpy as np
import pytest
from scipy.linalg import expm

from ntklib.dynamics import gradient_descent, gradient_flow, largest_stable_step
from ntklib.dynamics.function_space import spectrum as _spectrum
from ntklib.kernels import ntk_kernel
from ntklib.solvers import EigenFactor
from tests.dynamics.naive_training import descend, linear_model

pytestmark = pytest.mark.filterwarnings("error")
STEPS = np.array([0, 1, 2, 10, 400])
# features: more than samples, as many, fewer (a singular Gram matrix)
FEATURES = pytest.mark.parametrize("p", [50, 20, 8])


def squared(y):
    """Gradient of the square loss."""
    return lambda f: f - y


@FEATURES
@pytest.mark.parametrize(("momentum", "averaged"), [(0.0, False), (0.5, False), (0.9, False), (0.0, True)])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
@pytest.mark.parametrize("n_outputs", [None, 3])
def test_descent_is_what_brute_force_gives(p, momentum, ridge, n_outputs, averaged):
    J, J_test, f0, f0_test, y = linear_model(p=p, n_outputs=n_outputs)
    K = J @ J.T
    settings = {"learning_rate": 0.9 * largest_stable_step(K, momentum=momentum, ridge=ridge)}
    settings |= {"momentum": momentum, "ridge": ridge}
    w = descend(J, squared(y), f0, STEPS[-1], **settings)
    if averaged:
        w = np.cumsum(w, axis=0) / np.arange(1, len(w) + 1).reshape(-1, *[1] * (w.ndim - 1))
    w = w[STEPS]
    path = gradient_descent(
        K, y, STEPS, f0=f0, K_test=J_test @ J.T, f0_test=f0_test, averaged=averaged, **settings
    )
    outputs = np.stack([f0 + J @ row for row in w])
    np.testing.assert_allclose(path.outputs, outputs, atol=1e-10)
    np.testing.assert_allclose(path.test_outputs, np.stack([f0_test + J_test @ row for row in w]), atol=1e-10)
    np.testing.assert_allclose(path.distance, [np.linalg.norm(row) for row in w], atol=1e-10)
    np.testing.assert_allclose(path.loss, [0.5 * np.sum((f - y) ** 2) for f in outputs], atol=1e-10)
    # w_t = w_0 + J^T a_t
    np.testing.assert_allclose([J.T @ a for a in path.dual_coef], w, atol=1e-10)


@FEATURES
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_flow_is_a_matrix_exponential(p, ridge):
    J, J_test, f0, f0_test, y = linear_model(p=p)
    times = np.array([0.3, 0.0, 0.01, 2.0])
    path = gradient_flow(J @ J.T, y, times, f0=f0, K_test=J_test @ J.T, f0_test=f0_test, ridge=ridge)
    for i, t in enumerate(times):
        # (w, 1)' = generator (w, 1)
        generator = np.zeros((p + 1, p + 1))
        generator[:p, :p] = -(J.T @ J + ridge * np.eye(p))
        generator[:p, p] = J.T @ (y - f0)
        w = expm(t * generator)[:p, p]
        np.testing.assert_allclose(path.outputs[i], f0 + J @ w, atol=1e-11)
        np.testing.assert_allclose(path.test_outputs[i], f0_test + J_test @ w, atol=1e-11)
        np.testing.assert_allclose(path.distance[i], np.linalg.norm(w), atol=1e-11)
        np.testing.assert_allclose(path.loss[i], 0.5 * np.sum((f0 + J @ w - y) ** 2), atol=1e-11)


@pytest.mark.parametrize("ridge", [0.0, 2.0])
def test_derivative_in_time_is_minus_the_gradient(ridge):
    J, J_test, f0, f0_test, y = linear_model()
    K, K_test, h = J @ J.T, J_test @ J.T, 1e-6
    for t in (0.005, 0.05):
        path = gradient_flow(K, y, [t - h, t, t + h], f0=f0, K_test=K_test, f0_test=f0_test, ridge=ridge)
        slope = (path.outputs[2] - path.outputs[0]) / (2 * h)
        np.testing.assert_allclose(
            slope, -K @ (path.outputs[1] - y) - ridge * (path.outputs[1] - f0), rtol=1e-7, atol=1e-6
        )
        slope = (path.test_outputs[2] - path.test_outputs[0]) / (2 * h)
        expected = -K_test @ (path.outputs[1] - y) - ridge * (path.test_outputs[1] - f0_test)
        np.testing.assert_allclose(slope, expected, rtol=1e-7, atol=1e-6)


def test_at_time_zero_nothing_has_moved():
    J, J_test, f0, f0_test, y = linear_model(n_outputs=2)
    start = {"f0": f0, "K_test": J_test @ J.T, "f0_test": f0_test}
    descent = gradient_descent(J @ J.T, y, 0, learning_rate=1e-3, **start)
    averaged = gradient_descent(J @ J.T, y, 0, learning_rate=1e-2, averaged=True, **start)
    for path in (gradient_flow(J @ J.T, y, 0, **start), descent, averaged):
        np.testing.assert_array_equal(path.outputs[0], f0)
        np.testing.assert_array_equal(path.test_outputs[0], f0_test)
        np.testing.assert_allclose(path.loss, 0.5 * np.sum((f0 - y) ** 2), rtol=1e-14)
        np.testing.assert_array_equal(path.distance, 0)


@FEATURES
def test_at_infinite_time_it_is_the_nearest_minimiser(p):
    J, J_test, f0, f0_test, y = linear_model(p=p)
    w = np.linalg.pinv(J) @ (y - f0)  # of all least-squares solutions the nearest to w_0
    start = {"f0": f0, "K_test": J_test @ J.T, "f0_test": f0_test}
    K = J @ J.T
    runs = [gradient_flow(K, y, np.inf, **start), gradient_flow(K, y, 1e12, **start)]
    for momentum in (0.0, 0.9):
        eta = 0.5 * largest_stable_step(K, momentum=momentum)
        for steps in (np.inf, 10**9):
            runs.append(gradient_descent(K, y, steps, learning_rate=eta, momentum=momentum, **start))
    runs.append(gradient_descent(K, y, np.inf, learning_rate=1e-3, averaged=True, **start))
    for path in runs:
        np.testing.assert_allclose(path.outputs[0], f0 + J @ w, atol=1e-8)
        np.testing.assert_allclose(path.test_outputs[0], f0_test + J_test @ w, atol=1e-8)
        np.testing.assert_allclose(path.distance, np.linalg.norm(w), rtol=1e-9)
        np.testing.assert_allclose(path.loss, 0.5 * np.sum((f0 + J @ w - y) ** 2), rtol=1e-9, atol=1e-18)


def test_with_a_ridge_the_limit_is_kernel_ridge_regression():
    J, J_test, f0, f0_test, y = linear_model()
    K, K_test = J @ J.T, J_test @ J.T
    a = np.linalg.solve(K + 0.7 * np.eye(len(K)), y - f0)
    for path in (
        gradient_flow(K, y, np.inf, f0=f0, K_test=K_test, f0_test=f0_test, ridge=0.7),
        gradient_descent(K, y, np.inf, learning_rate=1e-3, f0=f0, K_test=K_test, f0_test=f0_test, ridge=0.7),
    ):
        np.testing.assert_allclose(path.dual_coef[0], a, rtol=1e-9)
        np.testing.assert_allclose(path.test_outputs[0], f0_test + K_test @ a, rtol=1e-9)
        np.testing.assert_allclose(path.predict(K_test, f0_test), path.test_outputs, rtol=1e-14)


def test_from_zero_the_limit_has_the_least_norm_of_all_interpolants():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((15, 4)), rng.standard_normal(15)
    more = np.vstack([X, rng.standard_normal((10, 4))])
    K, whole = ntk_kernel(X), ntk_kernel(more)
    path = gradient_flow(K, y, np.inf)
    np.testing.assert_allclose(path.outputs[0], y, atol=1e-12)
    norm = path.distance[0]
    assert norm == pytest.approx(np.sqrt(y @ np.linalg.solve(K, y)))
    for _ in range(5):  # other interpolants of y, in the span of more kernels
        values = np.append(y, rng.standard_normal(10))
        assert values @ np.linalg.solve(whole, values) > norm**2


def test_neural_tangents_agrees(neural_tangents):
    v = neural_tangents
    path = gradient_flow(v["ntk"], v["y"], v["times"], f0=v["f0"], K_test=v["ntk_test"], f0_test=v["f0_test"])
    np.testing.assert_allclose(path.outputs, v["outputs"], atol=1e-12)
    np.testing.assert_allclose(path.test_outputs, v["test_outputs"], atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_the_largest_stable_step_is_the_edge(momentum, ridge):
    J, _, f0, _, y = linear_model()
    K = J @ J.T
    edge = largest_stable_step(K, momentum=momentum, ridge=ridge)
    settings = {"momentum": momentum, "ridge": ridge}
    below = descend(J, squared(y), f0, 4000, learning_rate=0.995 * edge, **settings)
    above = descend(J, squared(y), f0, 4000, learning_rate=1.005 * edge, **settings)
    assert np.linalg.norm(below[-1]) < 10 * np.linalg.norm(np.linalg.pinv(J) @ (y - f0))
    assert np.linalg.norm(above[-1]) > 1e3 * np.linalg.norm(below[-1])
    assert gradient_descent(K, y, np.inf, learning_rate=0.9999 * edge, **settings).loss[0] < 1
    with pytest.raises(ValueError, match=rf"less than the largest stable step, {edge:.6g} = 2"):
        gradient_descent(K, y, 3, learning_rate=1.0001 * edge, **settings)


def test_the_largest_stable_step_of_large_matrices_losses_and_weights(monkeypatch):
    monkeypatch.setattr(_spectrum, "_SMALL", 100)
    rng = np.random.default_rng(0)
    J = rng.standard_normal((150, 30))
    K, top = J @ J.T, np.linalg.norm(J, 2) ** 2
    assert largest_stable_step(K) == pytest.approx(2 / top, rel=1e-10)
    assert largest_stable_step(np.zeros((150, 150))) == np.inf
    small = K[:40, :40]
    step = largest_stable_step(small)
    assert largest_stable_step(small, loss="log_loss") == pytest.approx(4 * step)
    assert largest_stable_step(small, loss="log_loss", n_outputs=3) == pytest.approx(2 * step)
    assert largest_stable_step(EigenFactor(small)) == pytest.approx(step)
    w = rng.uniform(0.1, 3, 40)
    expected = 2 / np.linalg.norm(np.sqrt(w)[:, None] * J[:40], 2) ** 2
    assert largest_stable_step(small, sample_weight=w) == pytest.approx(expected)
    assert largest_stable_step(EigenFactor(small, weights=w)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="not smooth"):
        largest_stable_step(small, loss="absolute_error")


def test_whole_weights_are_repetitions():
    J, J_test, f0, f0_test, y = linear_model(n=12)
    w = np.array([1, 2, 3] * 4)
    again = np.repeat(np.arange(12), w)
    K, K_test = J @ J.T, J_test @ J.T
    for run, arguments in (
        (gradient_flow, {}),
        (gradient_descent, {"learning_rate": 1e-3, "momentum": 0.3}),
    ):
        for ridge in (0.0, 2.0):
            arguments["ridge"] = ridge
            weighted = run(
                K, y, [0, 3, np.inf], f0=f0, K_test=K_test, f0_test=f0_test, sample_weight=w, **arguments
            )
            repeated = run(
                K[np.ix_(again, again)],
                y[again],
                [0, 3, np.inf],
                f0=f0[again],
                K_test=K_test[:, again],
                f0_test=f0_test,
                **arguments,
            )
            np.testing.assert_allclose(weighted.outputs[:, again], repeated.outputs, atol=1e-9)
            np.testing.assert_allclose(weighted.test_outputs, repeated.test_outputs, atol=1e-9)
            np.testing.assert_allclose(weighted.loss, repeated.loss, rtol=1e-9, atol=1e-20)
            np.testing.assert_allclose(weighted.distance, repeated.distance, atol=1e-9)
            factor = EigenFactor(K, weights=w)
            factored = run(factor, y, [0, 3, np.inf], f0=f0, **arguments)
            np.testing.assert_allclose(factored.outputs, weighted.outputs, atol=1e-12)


def test_small_losses_keep_their_digits():
    K = np.diag([1.0, 3.0])
    path = gradient_flow(K, [1.0, 1.0], [1.0, 100.0, 300.0])
    expected = 0.5 * (np.exp(-2 * path.times) + np.exp(-6 * path.times))
    np.testing.assert_allclose(path.loss, expected, rtol=1e-12)
    path = gradient_descent(K, [1.0, 1.0], [700], learning_rate=0.5)
    np.testing.assert_allclose(path.loss, 0.25**700, rtol=1e-11)


def test_small_eigenvalues_reach_new_samples():
    # one direction of eigenvalue 1e-10, which a test sample sees as 1e-5
    J, x = np.diag([1.0, 1e-5]), np.array([[0.0, 1.0]])
    path = gradient_flow(J @ J.T, [0.0, 1.0], [1e3, 1e10, np.inf], K_test=x @ J.T)
    np.testing.assert_allclose(path.test_outputs[:, 0], [1e-2, -np.expm1(-1) * 1e5, 1e5], rtol=1e-7)


@pytest.mark.parametrize("n", [30, 250])
def test_duplicates_and_single_precision_do_not_hurt(n):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5))
    X = np.vstack([X, X[:20]])
    y = np.sin(X[:, 0])
    K = ntk_kernel(X)
    path = gradient_flow(K, y, [1.0, np.inf], K_test=K)
    assert abs(path.outputs[1] - y).max() < 1e-9
    np.testing.assert_allclose(path.test_outputs, path.outputs, atol=1e-8)
    single = gradient_flow(K.astype(np.float32), y, [1.0, np.inf], K_test=K)
    assert abs(single.test_outputs - path.test_outputs).max() < 5e-3


def test_the_record_tells_what_it_is(monkeypatch):
    J, _, f0, _, y = linear_model()
    path = gradient_descent(J @ J.T, y, [0, 5, np.inf], learning_rate=1e-3, momentum=0.5, f0=f0, ridge=0.25)
    first, header, *rows = repr(path).splitlines()
    assert first == (
        "Trajectory: gradient descent, squared_error, learning rate 0.001, momentum 0.5, ridge 0.25; "
        "20 samples, 3 times"
    )
    assert header.split() == ["step", "loss", "|w", "-", "w_0|"]
    assert len(rows) == len(path) == 3
    assert rows[2].split()[0] == "inf"
    assert "..." in repr(gradient_flow(J @ J.T, y, np.arange(20)))
    with pytest.raises(AttributeError):
        path.loss = 0


BAD = {
    "not square": (lambda: gradient_flow(np.ones((2, 3)), [1, 2], 1), r"square matrix, got shape \(2, 3\)"),
    "full kernel": (lambda: gradient_flow(np.ones((2, 2, 2, 2)), [1, 2], 1), "y raveled"),
    "not symmetric": (lambda: gradient_flow([[1, 2], [0, 1]], [1, 2], 1), "not symmetric"),
    "not positive": (lambda: gradient_flow([[1, 2], [2, 1]], [1, 2], 1), "not positive semidefinite"),
    "nan": (lambda: gradient_flow([[np.nan]], [1], 1), "NaN or infinity"),
    "targets": (lambda: gradient_flow(np.eye(2), [1, 2, 3], 1), "K has 2 rows and there are 3 targets"),
    "f0": (lambda: gradient_flow(np.eye(2), [1, 2], 1, f0=[1, 2, 3]), "do not go with"),
    "f0 nan": (lambda: gradient_flow(np.eye(2), [1, 2], 1, f0=[1, np.nan]), "f0 contains NaN"),
    "times": (lambda: gradient_flow(np.eye(2), [1, 2], [-1.0]), "nonnegative"),
    "no times": (lambda: gradient_flow(np.eye(2), [1, 2], []), "nonnegative"),
    "nan time": (lambda: gradient_flow(np.eye(2), [1, 2], [np.nan]), "nonnegative"),
    "half a step": (lambda: gradient_descent(np.eye(2), [1, 2], 1.5, learning_rate=1), "integers"),
    "K_test": (lambda: gradient_flow(np.eye(2), [1, 2], 1, K_test=np.eye(3)), r"shape \(m, 2\)"),
    "f0_test": (
        lambda: gradient_flow(np.eye(2), [1, 2], 1, K_test=np.eye(2), f0_test=[1, 2, 3]),
        r"shape \(2,\) or \(\)",
    ),
    "ridge": (lambda: gradient_flow(np.eye(2), [1, 2], 1, ridge=-1), "ridge must be"),
    "momentum": (lambda: gradient_descent(np.eye(2), [1, 2], 1, learning_rate=1, momentum=1), "less than 1"),
    "averaged": (
        lambda: gradient_descent(np.eye(2), [1, 2], 1, learning_rate=1, momentum=0.5, averaged=True),
        "set momentum=0",
    ),
    "step": (lambda: gradient_descent(np.eye(2), [1, 2], 1, learning_rate=0), "learning_rate must be"),
    "weights": (lambda: gradient_flow(np.eye(2), [1, 2], 1, sample_weight=[1, 0]), "leave out samples"),
    "weights twice": (
        lambda: gradient_flow(EigenFactor(np.eye(2)), [1, 2], 1, sample_weight=[1, 2]),
        "holds them already",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_record_is_frozen_and_pickles():
    path = gradient_flow(np.eye(3), [1.0, 2.0, 3.0], [1.0, np.inf])
    again = pickle.loads(pickle.dumps(path))
    np.testing.assert_array_equal(again.outputs, path.outputs)
    assert again.criterion == path.criterion
    assert repr(again) == repr(path)
