"""Every optimiser against a transcription of its definition, and the frame they share."""

import itertools
import pickle

import numpy as np
import pytest
from scipy.linalg import polar
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from ntklib.dynamics import (
    USAM,
    Adam,
    AveragedMomentum,
    GradientDescent,
    HeavyBall,
    Momentum,
    Muon,
    Nesterov,
    SignDescent,
    polar_factor,
)

ALL = [
    GradientDescent(0.1),
    SignDescent(0.1),
    SignDescent(0.01, normalized=False),
    USAM(0.1, rho=0.2),
    Momentum(0.1, 0.5),
    Nesterov(0.1, 0.5),
    HeavyBall(0.1, 0.5),
    AveragedMomentum(0.1, 0.5, steps=50),
    Adam(0.1),
    Muon(0.1, 0.5),
    Muon(0.1, newton_schulz=5),
]
NAMES = [f"{type(optimizer).__name__}{i}" for i, optimizer in enumerate(ALL)]
each = pytest.mark.parametrize("optimizer", ALL, ids=NAMES)


def layers(dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = {"W0": (4, 3), "b0": (4,), "W1": (2, 4)}
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def pull(w):
    """The gradient of a function of all arrays together."""
    total = sum(float(np.square(array).sum()) for array in w.values())
    return {name: array * array.dtype.type(0.1 * total) for name, array in w.items()}


# ---------------------------------------------------------------- the frame


@each
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_named_arrays_move_in_their_own_type(optimizer, dtype):
    start = layers(dtype)
    state = optimizer.start(start)
    for _ in range(3):
        optimizer.step(state, pull)
    assert list(state.position) == list(start)
    assert state.steps == 3
    for name, array in state.position.items():
        assert array.dtype == dtype
        assert array.shape == start[name].shape
        assert not np.array_equal(array, layers(dtype)[name])
        np.testing.assert_array_equal(start[name], layers(dtype)[name])  # the caller's are left alone


@each
def test_float32_follows_float64(optimizer):
    ends = []
    for dtype in (np.float32, np.float64):
        state = optimizer.start(layers(dtype))
        for _ in range(8):
            optimizer.step(state, pull)
        ends.append(state.position)
    # Newton-Schulz steps amplify what rounding adds to small singular values, 3.4 times each
    atol = 1e-3 if getattr(optimizer, "newton_schulz", None) else 2e-5
    for name in ends[0]:
        np.testing.assert_allclose(ends[0][name], ends[1][name], atol=atol)


@each
def test_a_copied_state_goes_its_own_way(optimizer):
    state = optimizer.start(layers())
    optimizer.step(state, pull)
    copied = state.copy()
    optimizer.step(state, pull)
    optimizer.step(copied, pull)
    assert state.steps == copied.steps == 2
    for name in state.position:
        np.testing.assert_array_equal(state.position[name], copied.position[name])
        assert not np.shares_memory(state.position[name], copied.position[name])
    assert "steps=2, 24 numbers, float64" in repr(copied)


@each
def test_runs_survive_pickling(optimizer):
    state = optimizer.start(layers())
    optimizer.step(state, pull)
    again, restored = pickle.loads(pickle.dumps((optimizer, state)))
    assert again == optimizer
    optimizer.step(state, pull)
    again.step(restored, pull)
    for name in state.position:
        np.testing.assert_array_equal(restored.position[name], state.position[name])


@each
def test_the_gradient_is_called_as_often_as_promised_and_never_written_to(optimizer):
    calls = []

    def gradient(w):
        found = pull(w)
        for array in found.values():
            array.flags.writeable = False
        calls.append(found)
        return found

    state = optimizer.start(layers())
    returned = optimizer.step(state, gradient)
    assert len(calls) == optimizer.evaluations
    assert returned is calls[0]


@each
def test_moving_in_place(optimizer):
    arrays = layers()
    state = optimizer.start(arrays, copy=False)
    optimizer.step(state, pull)
    expected = optimizer.start(layers())
    optimizer.step(expected, pull)
    for name, array in arrays.items():
        assert state.position[name] is array
        np.testing.assert_array_equal(array, expected.position[name])


@each
def test_a_step_that_could_not_be_taken_leaves_the_state_as_it_was(optimizer):
    state = optimizer.start(layers())

    def fails(w):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        optimizer.step(state, fails)
    assert state.steps == 0
    for name, array in state.position.items():
        np.testing.assert_array_equal(array, layers()[name])


@each
def test_a_gradient_that_is_not_finite_shows_in_the_position(optimizer):
    state = optimizer.start(np.ones(3))
    optimizer.step(state, lambda w: np.array([np.nan, 1.0, 1.0]))
    assert np.isnan(state.position[0])


@each
def test_arrays_alone_and_arrays_by_name_move_alike(optimizer):
    state = optimizer.start({"w": np.ones((2, 3))})
    for _ in range(4):
        optimizer.step(state, lambda w: {"w": w["w"] ** 3})
    np.testing.assert_array_equal(optimizer.run(lambda w: w**3, np.ones((2, 3)), 4)[-1], state.position["w"])


@each
def test_schedules_are_functions_of_the_step(optimizer):
    import dataclasses

    scheduled = dataclasses.replace(optimizer, learning_rate=lambda k: 0.1 / (1 + k))
    path = scheduled.run(lambda w: w, np.ones(2), 5)
    assert np.all(np.isfinite(path))
    first = dataclasses.replace(optimizer, learning_rate=0.1).run(lambda w: w, np.ones(2), 1)
    if not isinstance(optimizer, AveragedMomentum):  # its weights are computed for all steps at once
        np.testing.assert_array_equal(path[1], first[1])
    np.testing.assert_allclose(path[1], first[1], rtol=1e-14)
    with pytest.raises(ValueError, match=r"learning_rate\(0\)"):
        dataclasses.replace(optimizer, learning_rate=lambda k: -1.0).run(lambda w: w, np.ones(2), 1)
    with pytest.raises(TypeError, match="learning_rate must be a real number"):
        dataclasses.replace(optimizer, learning_rate="auto")


@each
def test_multipliers_multiply_the_learning_rate(optimizer):
    """One step, where USAM's rho is small: D times the step of multiplier 1."""
    import dataclasses

    if isinstance(optimizer, USAM):
        optimizer = dataclasses.replace(optimizer, rho=0.0)
    factors = {"W0": 0.5, "b0": 3.0, "W1": 0.0, "another": 7.0}
    plain, scaled = optimizer.start(layers()), optimizer.start(layers(), multipliers=factors)
    for state in (plain, scaled):
        optimizer.step(state, pull)
    for name, before in layers().items():
        moved = plain.position[name] - before
        np.testing.assert_allclose(scaled.position[name] - before, factors[name] * moved, atol=1e-15)


@pytest.mark.parametrize("optimizer", [GradientDescent(0.1), USAM(0.1, 0.3), Momentum(0.1), HeavyBall(0.1)])
def test_multipliers_are_a_change_of_coordinates(optimizer):
    """w = sqrt(D) z: plain steps on L(sqrt(D) z) are steps with multipliers D on L(w)."""
    D = 0.3
    cubes = lambda w: w**3  # noqa: E731
    state = optimizer.start(np.array([1.0, -2.0]), multipliers=D)
    for _ in range(10):
        optimizer.step(state, cubes)
    root = np.sqrt(D)
    z = optimizer.run(lambda z: root * cubes(root * z), np.array([1.0, -2.0]) / root, 10)
    np.testing.assert_allclose(state.position, root * z[-1], rtol=1e-12)


def test_a_run_begins_where_it_was_told_to():
    path = GradientDescent(0.5).run(lambda w: w, [4], 2)
    np.testing.assert_array_equal(path, [[4.0], [2.0], [1.0]])
    assert GradientDescent(0.5).run(lambda w: w, 4.0, 0).shape == (1,)
    with pytest.raises(ValueError, match="steps must be at least 0"):
        GradientDescent(0.5).run(lambda w: w, [4.0], -1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GradientDescent(-0.1), ValueError, "learning_rate must be finite and at least 0"),
        (lambda: USAM(0.1, rho=-1.0), ValueError, "rho must be finite"),
        (lambda: Adam(betas=(0.9, 1.0)), ValueError, r"betas\[1\] must be less than 1"),
        (lambda: Adam(betas=(0.9,)), ValueError, "betas must be two numbers"),
        (lambda: Adam(betas=0.9), ValueError, "betas must be two numbers"),
        (lambda: GradientDescent().start({}), ValueError, "no arrays to move"),
        (lambda: Adam(epsilon=0.0), ValueError, "epsilon must be finite and greater than 0"),
        (lambda: Muon(newton_schulz=0), ValueError, "newton_schulz must be at least 1"),
        (lambda: Muon().start(np.ones((2, 2, 2))), ValueError, "matrices and vectors"),
        (lambda: polar_factor(np.ones((2, 2, 2))), ValueError, "matrix or a vector"),
        (lambda: GradientDescent().start(np.array(["a"])), TypeError, "real numbers"),
        (lambda: GradientDescent().start(np.ones(2) + 1j), TypeError, "real numbers"),
        (lambda: GradientDescent().start([1.0], copy=False), ValueError, "copy=False needs arrays"),
        (lambda: GradientDescent().start(np.arange(3), copy=False), ValueError, "copy=False needs arrays"),
        (lambda: GradientDescent().start(np.ones((3, 2)).T, copy=False), ValueError, "C-contiguous"),
        (lambda: GradientDescent().start(layers(), multipliers={"W0": 1.0}), ValueError, "lacks b0, W1"),
        (lambda: GradientDescent().start(np.ones(2), multipliers={"": 1.0}), ValueError, "give one number"),
        (lambda: GradientDescent().start(np.ones(2), multipliers=-1.0), ValueError, "multipliers must be"),
        (lambda: GradientDescent().run(lambda w: w[:1], np.ones(2), 1), ValueError, "has shape"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_of_other_arrays_is_refused():
    state = GradientDescent().start(layers())
    with pytest.raises(ValueError, match=r"the gradient has \['W0'\], the position has"):
        GradientDescent().step(state, lambda w: {"W0": w["W0"]})
    with pytest.raises(ValueError, match="the gradient of b0 has shape"):
        GradientDescent().step(state, lambda w: {**w, "b0": np.ones(3)})


# ---------------------------------------------------------------- the methods


def test_gradient_descent_sign_descent_and_usam_by_hand():
    w = np.array([1.0, -2.0, 0.0])
    np.testing.assert_array_equal(GradientDescent(0.25).run(lambda w: w**3, w, 1)[1], [0.75, 0.0, 0.0])
    np.testing.assert_array_equal(SignDescent(0.25).run(lambda w: w**3, w, 1)[1], [0.75, -1.75, 0.0])
    probe = w + 0.5 * w**3
    np.testing.assert_allclose(USAM(0.25, rho=0.5).run(lambda w: w**3, w, 1)[1], w - 0.25 * probe**3)


def test_usam_follows_a_schedule_of_rho():
    path = USAM(0.1, rho=lambda k: float(k)).run(lambda w: w, [1.0], 2)
    np.testing.assert_allclose(path[:, 0], [1.0, 0.9, 0.9 * (1 - 0.1 * 2)])


def adam_as_printed(gradients, w, alpha, beta1, beta2, eps):
    """Algorithm 1 of Kingma & Ba 2015, entry by entry."""
    w = [float(x) for x in w]
    m, v = [0.0] * len(w), [0.0] * len(w)
    for t, gradient in enumerate(gradients, start=1):
        g = gradient(np.array(w))
        for i in range(len(w)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            m_hat = m[i] / (1 - beta1**t)
            v_hat = v[i] / (1 - beta2**t)
            w[i] = w[i] - alpha * m_hat / (v_hat**0.5 + eps)
    return w


@pytest.mark.parametrize(("betas", "epsilon"), [((0.9, 0.999), 1e-8), ((0.0, 0.5), 1e-3), ((0.95, 0.0), 0.1)])
def test_adam_is_the_printed_algorithm(betas, epsilon):
    noise = np.random.default_rng(0).standard_normal((200, 4)) * np.array([1.0, 1e-3, 1e3, 1e-7])
    gradients = [lambda w, xi=xi: w + xi for xi in noise]
    expected = adam_as_printed(gradients, np.ones(4), 0.05, *betas, epsilon)
    adam, state = Adam(0.05, betas, epsilon), None
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-3)):
        state = adam.start(np.ones(4, dtype=dtype))
        for gradient in gradients:
            adam.step(state, gradient)
        np.testing.assert_allclose(state.position, expected, rtol=tolerance, atol=tolerance)


def test_adam_is_scikit_learns_where_epsilon_does_not_matter():
    w = np.array([1.0, -2.0, 0.5])
    theirs, ours = AdamOptimizer([w], learning_rate_init=0.05, epsilon=1e-300), Adam(0.05, epsilon=1e-300)
    state = ours.start(w)
    for _ in range(100):
        theirs.update_params([w], [w**3])
        ours.step(state, lambda w: w**3)
    np.testing.assert_allclose(state.position, w, rtol=1e-12)


def test_adam_does_not_feel_the_scale_of_the_loss():
    small, large = (Adam(0.1, epsilon=1e-30).run(lambda w: c * w**3, [2.0], 50) for c in (1e-6, 1e6))  # noqa: B023
    np.testing.assert_allclose(small, large, rtol=1e-12)


# ---------------------------------------------------------------- orthogonalised steps


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1)])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_polar_factor_is_scipys(shape, scale):
    G = np.random.default_rng(0).standard_normal(shape) * scale
    np.testing.assert_allclose(polar_factor(G), polar(G / scale)[0], atol=1e-13)
    single = polar_factor((G / scale).astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, polar(G / scale)[0], atol=1e-5)


def test_polar_factor_of_a_matrix_of_lower_rank():
    rng = np.random.default_rng(1)
    U, V = (np.linalg.qr(rng.standard_normal((6, 2)))[0] for _ in range(2))
    np.testing.assert_allclose(polar_factor(U @ np.diag([3.0, 0.01]) @ V.T), U @ V.T, atol=1e-12)
    np.testing.assert_array_equal(polar_factor(np.zeros((3, 2))), np.zeros((3, 2)))
    np.testing.assert_array_equal(polar_factor(np.zeros(3)), np.zeros(3))
    assert np.all(np.isnan(polar_factor([[1.0, np.inf], [0.0, 1.0]])))


@pytest.mark.parametrize("shape", [(7, 4), (4, 7)])
def test_newton_schulz_maps_singular_values_by_a_polynomial(shape):
    """The singular vectors stay; values s/|G|_F go through p(s) = 3.4445 s - 4.7750 s^3 + 2.0315 s^5."""
    rng = np.random.default_rng(2)
    U, V = (np.linalg.qr(rng.standard_normal((n, 4)))[0] for n in shape)
    s = np.array([5.0, 2.0, 0.5, 0.06])
    mapped = s / np.linalg.norm(s)
    for _ in range(5):
        mapped = 3.4445 * mapped - 4.7750 * mapped**3 + 2.0315 * mapped**5
    found = polar_factor(U @ np.diag(s) @ V.T, newton_schulz=5)
    np.testing.assert_allclose(found, U @ np.diag(mapped) @ V.T, atol=1e-12)


def test_newton_schulz_keeps_singular_values_where_the_documentation_says():
    s = np.geomspace(0.01, 1.0, 10_001)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    assert s.min() > 0.68
    assert s.max() < 1.14


def test_muon_orthogonalises_the_momentum():
    rng = np.random.default_rng(3)
    gradients = rng.standard_normal((4, 5, 3))
    W, M = np.zeros((5, 3)), np.zeros((5, 3))
    for G in gradients:
        M = 0.8 * M + G
        W = W - 0.1 * polar(M)[0]
    found = iter(gradients)
    np.testing.assert_allclose(Muon(0.1, 0.8).run(lambda w: next(found), np.zeros((5, 3)), 4)[-1], W)


NORMS = {
    "operator": (Muon(0.3, normalized=False), lambda S: np.linalg.norm(S, 2)),
    "maximum": (SignDescent(0.3, normalized=False), lambda S: np.abs(S).max()),
    "Frobenius": (GradientDescent(0.3), np.linalg.norm),
}


@pytest.mark.parametrize("name", NORMS)
def test_steepest_descent_in_a_norm(name):
    """The step minimises <G, S> + |S|^2/(2 eta), a convex function: no step near or far is better."""
    optimizer, norm = NORMS[name]
    rng = np.random.default_rng(4)
    G = rng.standard_normal((4, 3))
    step = optimizer.run(lambda w: G, np.zeros((4, 3)), 1)[1]
    objective = lambda S: np.vdot(G, S) + norm(S) ** 2 / (2 * 0.3)  # noqa: E731
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(100):
            assert objective(step) <= objective(step + size * rng.standard_normal((4, 3))) + 1e-12
    # the least value is -eta/2 times the squared dual norm
    dual = {"operator": np.linalg.norm(G, "nuc"), "maximum": np.abs(G).sum(), "Frobenius": np.linalg.norm(G)}
    np.testing.assert_allclose(objective(step), -0.15 * dual[name] ** 2, rtol=1e-12)


def test_orthogonalised_steps_do_not_feel_an_orthogonal_change_of_basis():
    rng = np.random.default_rng(5)
    Q, R = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (4, 3))
    target = rng.standard_normal((4, 3))
    plain = Muon(0.1, 0.5).run(lambda W: W - target, np.zeros((4, 3)), 8)[-1]
    turned = Muon(0.1, 0.5).run(lambda W: W - Q @ target @ R, np.zeros((4, 3)), 8)[-1]
    np.testing.assert_allclose(turned, Q @ plain @ R, atol=1e-12)


def test_numbers_and_schedules_at_a_step():
    momentum = Momentum(lambda k: 1 / (k + 1), momentum=0.5)
    assert [momentum.at_step(k) for k in range(3)] == [1.0, 0.5, 1 / 3]
    assert momentum.at_step(7, "momentum") == 0.5
    with pytest.raises(ValueError, match=r"learning_rate\(2\)"):
        GradientDescent(lambda k: 1.0 - k).at_step(2)


# ---------------------------------------------------------------- compiled loops


@pytest.mark.compiled
@each
def test_every_loop_on_a_few_numbers(optimizer):
    for dtype, order in itertools.product((np.float64, np.float32), "CF"):
        start = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, -1.0]], dtype=dtype, order=order)
        path = optimizer.run(lambda w: w, start, 5)
        assert np.all(np.isfinite(path))
        assert np.square(path[-1]).sum() < np.square(path[0]).sum()
