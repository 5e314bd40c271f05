r"""Training as a filter on eigenvalues.

Along an eigenvector of eigenvalue s the error decays by a factor :math:`p` and the coefficient reaches the
gain :math:`g = (1 - p)/s`. Small eigenvalues need g with a small relative error: on a new sample it is damped
by sqrt(s) only, not by s. So 1 - p is never a subtraction there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_TINY = np.finfo(np.float64).tiny


class Filter(NamedTuple):
    """Decay p and gain (1 - p)/s; rows are times, columns positive eigenvalues s."""

    decay: NDArray
    gain: NDArray


def flow_filter(s: NDArray, times: NDArray) -> Filter:
    """Gradient flow: p = exp(-t s)."""
    exponent = -times[:, None] * s
    return Filter(np.exp(exponent), -np.expm1(exponent) / s)


def averaged_filter(s: NDArray, steps: NDArray, learning_rate: float) -> Filter:
    """Mean of the iterates 0, ..., k of gradient descent: p = (1 - (1 - x)^{k+1})/((k + 1) x), x = eta s."""
    x = learning_rate * s
    count = np.where(np.isinf(steps), 0, steps)[:, None] + 1
    once = heavy_ball_filter(s, count[:, 0], learning_rate, 0.0).gain / learning_rate  # (1 - (1-x)^{k+1})/x
    decay = once / count
    gain = (1 - decay) / x
    small = (count * x < 0.5) | (count == 1)  # 1 - decay cancels: its binomial series instead
    if small.any():
        k, y = (np.broadcast_to(part, small.shape)[small] for part in (count - 1, x))
        term = 0.5 * k
        total = term.copy()
        for j in range(14):  # terms fall faster than 0.5^j/(j + 2)!
            term = term * ((j + 1 - k) * y / (j + 3))
            total += term
        gain[small] = total
    return _with_limit(Filter(decay, learning_rate * gain), s, steps)


def heavy_ball_filter(s: NDArray, steps: NDArray, learning_rate: float, momentum: float) -> Filter:
    r"""Heavy ball from rest, in particular gradient descent.

    With x = eta s and mu the momentum, p_k solves :math:`p_{k+1} = (1 + \mu - x)\, p_k - \mu\, p_{k-1}`,
    :math:`p_0 = p_{-1} = 1`. Let z be the root of z^2 - (1 + mu - x) z + mu that is larger in modulus, and q
    the other root divided by z. Then

    .. math:: p_k = z^k (1 + w), \qquad w = (1 - z)\, q\, (1 + q + \dots + q^{k-1}),

    a product of positive factors but for the sign of z^k. Complex roots give the same with sines and cosines.
    """
    x = learning_rate * s
    k = np.where(np.isinf(steps), 0, steps)[:, None]
    root = np.sqrt(momentum)
    low, high = ((1 - momentum) / (1 + root)) ** 2, (1 + root) ** 2  # (1 -+ sqrt(mu))^2: double roots
    discriminant = (low - x) * (high - x)
    real = discriminant >= 0
    decay, rest = np.empty((2, len(k), len(x)))
    decay[:, real], rest[:, real] = _real_roots(x[real], k, momentum, np.sqrt(discriminant[real]))
    decay[:, ~real], rest[:, ~real] = _complex_roots(x[~real], k, momentum, np.sqrt(-discriminant[~real]))
    return _with_limit(Filter(decay, rest / s), s, steps)


def _real_roots(x: NDArray, k: NDArray, mu: float, gap: NDArray) -> tuple[NDArray, NDArray]:
    """p_k and 1 - p_k where the roots are real; `gap` is their difference."""
    negative = x > 1 + mu
    missing = 2 * x / ((1 - mu + x) + gap)  # 1 - z, accurate for small x
    missing = np.where(negative, ((1 - mu + x) + gap) / 2, missing)
    size = np.maximum(np.abs(1 - missing), _TINY)
    log_size = np.where(missing < 0.5, np.log1p(-np.minimum(missing, 0.5)), np.log(size))
    gap = np.minimum(gap / size, 1.0)  # 1 - q; near a double root it must be this, not 1 - mu/z^2
    log_q = np.where(gap < 0.5, np.log1p(-np.minimum(gap, 0.5)), np.log(np.maximum(1 - gap, _TINY)))
    powers = np.where(gap > 0, -np.expm1(k * log_q) / np.where(gap > 0, gap, 1.0), k)  # 1 + ... + q^{k-1}
    w = missing * (1 - gap) * powers
    power = np.where(negative, _alternating(k), 1.0) * np.exp(k * log_size)
    decay = power * (1 + w)
    return decay, np.where(negative, 1 - decay, -np.expm1(k * log_size) - power * w)


def _complex_roots(x: NDArray, k: NDArray, mu: float, gap: NDArray) -> tuple[NDArray, NDArray]:
    """p_k and 1 - p_k where the roots are sqrt(mu) exp(+-i theta); `gap` is 2 sqrt(mu) sin(theta)."""
    negative = x > 1 + mu
    turn = k * np.arctan2(gap, np.abs(1 + mu - x))  # k theta, or k (pi - theta) where that is smaller
    ratio = np.where(negative, x + mu - 1, 1 - mu - x) / gap
    exponent = 0.5 * k * np.log(max(mu, _TINY))
    size = np.exp(exponent)
    decay = np.where(negative, _alternating(k), 1.0) * size * (np.cos(turn) + ratio * np.sin(turn))
    rest = -np.expm1(exponent) + size * (2 * np.sin(turn / 2) ** 2 - ratio * np.sin(turn))
    return decay, np.where(negative, 1 - decay, rest)


def _alternating(k: NDArray) -> NDArray:
    return np.where(k % 2 == 1, -1.0, 1.0)


def _with_limit(filtered: Filter, s: NDArray, steps: NDArray) -> Filter:
    """The rows of infinite steps: p = 0, g = 1/s."""
    endless = np.isinf(steps)
    filtered.decay[endless] = 0.0
    filtered.gain[endless] = 1 / s
    return filtered
