"""The scalar formulas against powers of 2 x 2 matrices in many digits."""

import mpmath as mp
import numpy as np
import pytest

from ntklib.dynamics.function_space.filters import averaged_filter, flow_filter, heavy_ball_filter

STEPS = [0, 1, 2, 3, 7, 50, 1001]
pytestmark = pytest.mark.filterwarnings("error")


def points(momentum):
    """x = eta s over the stable range, dense around the double roots."""
    root = momentum**0.5
    x = [1e-15, 1e-9, 1e-4, 0.01, 0.5, 0.9, 1.0, 1.3, 1.99, 2 * (1 + momentum) * (1 - 1e-3)]
    x += [(1 - root) ** 2 * (1 + e) for e in (-1e-3, -1e-9, 0, 1e-9, 1e-3)]
    x += [(1 + root) ** 2 * (1 + e) for e in (-1e-9, 0, 1e-9, 1e-3)]
    return np.array([v for v in x if 0 < v < 2 * (1 + momentum)])


def exact(x, k, momentum):
    x, mu = mp.mpf(float(x)), mp.mpf(momentum)
    power = mp.matrix([[1 + mu - x, -mu], [1, 0]]) ** k
    return power[0, 0] + power[0, 1]  # started at (1, 1)


@pytest.mark.parametrize("momentum", [0.0, 1e-8, 0.1, 0.5, 0.9])
def test_heavy_ball(momentum):
    xs = points(momentum)
    for learning_rate in (1.0, 0.03):
        found = heavy_ball_filter(xs / learning_rate, np.array(STEPS, float), learning_rate, momentum)
        for row, k in enumerate(STEPS):
            for column, x in enumerate(xs / learning_rate * learning_rate):
                with mp.workdps(60):
                    decay = exact(x, k, momentum)
                    gain = (1 - decay) / mp.mpf(float(xs[column] / learning_rate))
                assert abs(found.decay[row, column] - decay) < 2e-12
                assert found.gain[row, column] == pytest.approx(float(gain), rel=1e-12, abs=0)
                if x < (1 - momentum**0.5) ** 2 * (1 - 1e-4):  # positive: small relative errors too
                    assert found.decay[row, column] == pytest.approx(float(decay), rel=2e-12, abs=1e-290)


def test_averaged_descent():
    xs = points(0.0)
    found = averaged_filter(xs / 0.5, np.array(STEPS, float), 0.5)
    for row, k in enumerate(STEPS):
        for column, x in enumerate(xs):
            with mp.workdps(60):
                x = mp.mpf(float(x))
                decay = sum((1 - x) ** j for j in range(k + 1)) / (k + 1)
                gain = (1 - decay) / x / 2
            assert found.decay[row, column] == pytest.approx(float(decay), rel=2e-12)
            assert found.gain[row, column] == pytest.approx(float(gain), rel=2e-15 * (1 + k), abs=0)


def test_flow():
    s = np.array([1e-300, 1e-15, 1e-5, 1.0, 50.0])
    times = np.array([0.0, 1e-9, 1.0, 12.0])
    found = flow_filter(s, times)
    for row, t in enumerate(times):
        for column in range(len(s)):
            with mp.workdps(350):
                decay = mp.exp(-mp.mpf(t) * mp.mpf(s[column]))
                gain = (1 - decay) / mp.mpf(s[column])
            assert found.decay[row, column] == pytest.approx(float(decay), rel=2e-14)
            assert found.gain[row, column] == pytest.approx(float(gain), rel=1e-14, abs=0)


@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.95])
def test_limits(momentum):
    s = points(momentum)
    inf = np.array([np.inf, 5.0, np.inf])
    filters = [heavy_ball_filter(s, inf, 1.0, momentum), flow_filter(s, inf)]
    for found in filters + [averaged_filter(s, inf, 1.0)] * (momentum == 0):
        for row in (0, 2):
            np.testing.assert_array_equal(found.decay[row], 0)
            np.testing.assert_allclose(found.gain[row], 1 / s, rtol=1e-15)
        assert (found.decay[1] != 0).any()
    late = heavy_ball_filter(s[s > 1e-3], np.array([1e9]), 1.0, momentum)
    np.testing.assert_allclose(late.gain[0], 1 / s[s > 1e-3], rtol=1e-12)
