r"""Probabilities from scores by one temperature.

.. math:: p(c \mid x) = \frac{\exp(f_c(x)/T)}{\sum_{c'} \exp(f_{c'}(x)/T)},

with T the minimiser of the log-loss on scores of samples that were left out of the fit. Convex in 1/T.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax

_SHARPEST, _FLATTEST = 1e4, 1e-4  # bounds of the inverse temperature


def logits(scores: NDArray) -> NDArray:
    """One column a class: the scores themselves, or -f and f for the one column of two classes."""
    return np.column_stack([-scores[:, 0], scores[:, 0]]) if scores.shape[1] == 1 else scores


def probabilities(scores: NDArray, temperature: float) -> NDArray:
    """Softmax of scores / temperature, shape (m, n_classes)."""
    return softmax(logits(scores) / temperature, axis=1)


def _below_largest(z: NDArray) -> NDArray:
    """Scores less each sample's largest: all that a softmax depends on, and no exponential overflows."""
    return z - z.max(axis=1, keepdims=True)


def smoothed_targets(labels: NDArray, k: int, n_copies: float | None) -> NDArray:
    """Shares (n, k) of the classes in each target: 1 - 1/(N + 2) of its label, equal parts of the others."""
    n = len(labels)
    doubt = 1 / ((n if n_copies is None else n_copies) + 2)
    targets = np.full((n, k), doubt / (k - 1))
    targets[np.arange(n), labels] = 1 - doubt
    return targets


def _smoothed_scores(z: NDArray, labels: NDArray, n_copies: float | None) -> NDArray:
    """Mean score of each sample under its smoothed target."""
    return (smoothed_targets(labels, z.shape[1], n_copies) * z).sum(axis=1)


def fit_temperature(
    scores: NDArray,
    labels: NDArray,
    weights: NDArray | None,
    n_copies: float | None = None,
    *,
    tolerance: float = 1e-14,
) -> float:
    """Temperature of least log-loss.

    The targets are smoothed as Platt's are: each label is believed to 1 - 1/(N + 2), so that scores that
    separate the classes get a finite temperature.

    `scores` are (n, 1) for two classes, else (n, n_classes); the `weights` are counts times importances, and
    N, `n_copies`, the sum of the counts, None for n. The `tolerance` is that of the logarithm of T.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    C. Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    z = _below_largest(logits(scores))
    smoothed = _smoothed_scores(z, labels, n_copies)
    whole = None if weights is None else weights.sum()

    def slope(log_inverse: float) -> float:
        odds = np.exp(math.exp(log_inverse) * z)
        rise = (odds * z).sum(axis=1) / odds.sum(axis=1) - smoothed
        return float(rise.mean() if weights is None else (rise * weights).sum() / whole)

    low, high = np.log(_FLATTEST), np.log(_SHARPEST)
    if slope(low) >= 0:
        return 1 / _FLATTEST
    if slope(high) <= 0:
        return 1 / _SHARPEST
    return float(np.exp(-brentq(slope, low, high, xtol=tolerance, rtol=1e-14)))


def calibrated_log_loss(
    scores: NDArray, labels: NDArray, weights: NDArray | None, n_copies: float | None = None
) -> float:
    """Log-loss against the smoothed targets at its best temperature, the criterion of `fit_temperature`.

    An error of 1e-4 in the logarithm of the temperature changes it by the order of 1e-8, so the search may
    be coarse.
    """
    temperature = fit_temperature(scores, labels, weights, n_copies, tolerance=1e-4)
    z = _below_largest(logits(scores)) / temperature
    losses = np.log(np.exp(z).sum(axis=1)) - _smoothed_scores(z, labels, n_copies)
    return float(np.average(losses, weights=weights))
