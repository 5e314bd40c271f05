"""Three forms of momentum take the same steps, whatever the gradients, step sizes and momenta."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from ntklib.dynamics import AveragedMomentum, HeavyBall, Momentum, Nesterov, averaging_weights

pytestmark = pytest.mark.compiled
T = 60
HESSIAN = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.2]])


class Noisy:
    """The gradient of a quadratic plus noise that depends on how often it was asked."""

    def __init__(self, seed):
        self.noise = np.random.default_rng(seed).standard_normal((T, 3))
        self.calls = 0

    def __call__(self, w):
        self.calls += 1
        return HESSIAN @ w + self.noise[self.calls - 1]


def literal(gammas, betas, gradient, w0):
    """m_t = beta_t m_{t-1} + g_t, w_{t+1} = w_t - gamma_t m_t, in plain NumPy."""
    w, m, path = np.array(w0), np.zeros(len(w0)), [np.array(w0)]
    for gamma, beta in zip(gammas, betas, strict=True):
        m = beta * m + gradient(w)
        w = w - gamma * m
        path.append(w)
    return np.array(path)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share_of_zeros=st.sampled_from([0.0, 0.3]))
def test_all_forms_take_the_same_steps(seed, share_of_zeros):
    rng = np.random.default_rng(seed)
    gammas, betas = np.exp(rng.uniform(-3, 0, T)), rng.uniform(0, 0.99, T)
    betas[rng.random(T) < share_of_zeros] = 0.0
    w0 = rng.standard_normal(3)
    expected = literal(gammas, betas, Noisy(seed), w0)
    schedules = gammas.__getitem__, betas.__getitem__
    for optimizer in (
        Momentum(*schedules),
        HeavyBall(*schedules),
        AveragedMomentum(*schedules, steps=T),
        AveragedMomentum(*schedules, steps=T, last=7.0),
        AveragedMomentum(*schedules, steps=T, last=0.0),
    ):
        path = optimizer.run(Noisy(seed), w0, T)
        np.testing.assert_allclose(path, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_forms_agree_in_float32():
    gammas, betas = np.full(T, 0.3), np.full(T, 0.8)
    w0 = np.array([1.0, -2.0, 0.5], dtype=np.float32)
    expected = literal(gammas, betas, Noisy(0), w0.astype(float))
    for optimizer in (Momentum(0.3, 0.8), HeavyBall(0.3, 0.8), AveragedMomentum(0.3, 0.8, steps=T)):
        path = optimizer.run(Noisy(0), w0, T)
        assert path.dtype == np.float32
        np.testing.assert_allclose(path, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("nesterov", [False, True])
def test_scikit_learns_optimizer_takes_the_same_steps(nesterov):
    w = np.array([1.0, -2.0, 0.5])
    theirs = SGDOptimizer([w], learning_rate_init=0.3, momentum=0.8, nesterov=nesterov)
    path = [w.copy()]
    gradient = Noisy(1)
    for _ in range(T):
        theirs.update_params([w], [gradient(w)])
        path.append(w.copy())
    ours = (Nesterov if nesterov else Momentum)(0.3, 0.8).run(Noisy(1), path[0], T)
    np.testing.assert_allclose(ours, path, rtol=0, atol=1e-12 * np.abs(path).max())


def test_nesterov_is_the_method_of_two_sequences():
    gamma, beta = 0.7, 0.85
    gradient, x, y = Noisy(2), np.array([1.0, -2.0, 0.5]), np.array([1.0, -2.0, 0.5])
    path = [y]
    for _ in range(T):
        x, before = y - gamma * gradient(y), x
        y = x + beta * (x - before)
        path.append(y)
    ours = Nesterov(gamma, beta).run(Noisy(2), path[0], T)
    np.testing.assert_allclose(ours, path, rtol=0, atol=1e-12 * np.abs(path).max())


def test_nesterov_is_faster_than_descent_on_an_ill_conditioned_quadratic():
    curvatures = np.array([1.0, 1e-4])
    root = np.sqrt(1e-4)
    fast = Nesterov(1.0, (1 - root) / (1 + root)).run(lambda w: curvatures * w, np.ones(2), 1000)
    assert np.abs(fast[-1]).max() < 1e-3  # gradient descent is at (1 - 1e-4)^1000 = 0.9


def test_constant_weights_are_beta_over_one_minus_beta():
    np.testing.assert_allclose(averaging_weights(np.full(9, 0.2), np.full(9, 0.9)), 9.0, rtol=1e-12)


def test_the_start_of_the_backward_recursion_is_forgotten():
    rng = np.random.default_rng(3)
    gammas, betas = np.full(200, 0.1), rng.uniform(0.5, 0.95, 200)
    low, high = (averaging_weights(gammas, betas, last=last) for last in (0.0, 1e6))
    np.testing.assert_allclose(low[:50], high[:50], rtol=1e-9)
    assert np.all(low >= 0)


def test_the_forward_recursion_overflows():
    """lambda_{t+1} = lambda_t gamma_{t-1}/(gamma_t beta_t) - 1 multiplies each error by about 1/beta."""
    rng = np.random.default_rng(4)
    gammas, betas = np.exp(rng.uniform(-1, 0, 3000)), rng.uniform(0.3, 0.9, 3000)
    weights = averaging_weights(gammas, betas)
    assert np.all(np.isfinite(weights))
    assert np.all(weights >= 0)
    forward = weights[0]  # right to the last digit
    with np.errstate(over="ignore"):
        for t in range(1, 3000):
            forward = forward * gammas[t - 1] / (gammas[t] * betas[t]) - 1
            if t == 100:
                assert abs(forward - weights[100]) > 1e6 * weights[100]
    assert np.isinf(forward)


def test_zero_momentum_in_the_backward_recursion():
    weights = averaging_weights([0.1, 0.2, 0.3], [0.9, 0.0, 0.5])
    assert weights[0] == 0.0  # where the forward recursion divides by zero


def test_moving_average_of_the_gradients_weights():
    """After a single nonzero gradient, momentum has moved by gamma (1 + beta + beta^2 + ...) g."""
    gradients = iter([1.0] + [0.0] * 99)
    path = Momentum(0.5, 0.75).run(lambda w: np.array([next(gradients)]), [0.0], 100)
    np.testing.assert_allclose(path[:, 0], -0.5 * (1 - 0.75 ** np.arange(101)) / 0.25, rtol=1e-14)


@pytest.mark.parametrize("kind", [Momentum, Nesterov, HeavyBall, AveragedMomentum])
@pytest.mark.parametrize("beta", [-0.1, 1.0, np.nan, "0.9"])
def test_momenta_out_of_range_are_refused(kind, beta):
    with pytest.raises((ValueError, TypeError), match="momentum"):
        kind(0.1, beta)
    if not isinstance(beta, str):
        with pytest.raises(ValueError, match="momentum"):
            kind(0.1, lambda k: beta).run(lambda w: w, [1.0], 1)


@pytest.mark.parametrize("kind", [HeavyBall, AveragedMomentum])
def test_a_step_size_that_is_divided_by_must_be_positive(kind):
    with pytest.raises(ValueError, match="learning_rate must be finite and greater than 0"):
        kind(0.0)
    with pytest.raises(ValueError, match=r"learning_rate\(0\) must be finite and greater than 0"):
        kind(lambda k: float(k)).run(lambda w: w, [1.0], 3)


def test_averaging_ends_with_its_weights():
    with pytest.raises(ValueError, match="the weights end after 3 steps"):
        AveragedMomentum(0.1, steps=3).run(lambda w: w, [1.0], 4)


@pytest.mark.parametrize(
    ("rates", "momenta", "last"),
    [
        ([0.1], [0.1, 0.2], None),
        ([], [], None),
        ([0.0, 0.1], [0.1, 0.1], None),
        ([0.1, np.inf], [0.1, 0.1], None),
        ([0.1, 0.1], [0.1, 1.0], None),
        ([0.1, 0.1], [0.1, -0.5], None),
        ([0.1, 0.1], [0.1, 0.1], -1.0),
    ],
)
def test_weights_of_bad_numbers_are_refused(rates, momenta, last):
    with pytest.raises(ValueError, match="must be"):
        averaging_weights(rates, momenta, last)
