"""The logistic distribution as a mixture of normal ones: scales and weights.

A logistic variable is a normal one of random scale, s = 2K with K of Kolmogorov's distribution (Andrews &
Mallows 1974, "Scale mixtures of normal distributions"), so that

    1 / (1 + exp(-z)) = E[Phi(z/s)],    log(1 + exp(z)) = E[(z + s g)_+],    z / (1 + exp(-z)) = E[z Phi(z/s)]

over s and a standard Gaussian g, and the duals of all of them are mixtures of closed forms.  As functions of
log s these are analytic in a strip of width pi about the real line, at any variance and correlation: a Gauss
rule of a few nodes for the law of log s is exact to rounding.
"""

from __future__ import annotations

from functools import cache
from math import pi

import numpy as np

__all__ = ["logistic_rule"]

_NODES = 14


@cache
def logistic_rule(nodes: int = _NODES) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scales and weights of the Gauss rule for log s.

    The recurrence of the orthogonal polynomials is Lanczos' of the law on a fine grid, on which the
    trapezoidal rule is exact to rounding.
    """
    log_k = np.arange(-160, 130).astype(np.longdouble) / 64
    law = np.exp(log_k) * _kolmogorov_density(np.exp(log_k))
    law /= law.sum()
    before, now = np.zeros_like(log_k), np.sqrt(law)
    diagonal, side = np.empty(nodes, np.longdouble), np.zeros(nodes, np.longdouble)
    for k in range(nodes):
        diagonal[k] = np.sum(log_k * now * now)
        rest = (log_k - diagonal[k]) * now - side[k - 1] * before
        side[k] = np.sqrt(np.sum(rest * rest))
        before, now = now, rest / side[k]
    jacobi = np.diag(diagonal) + np.diag(side[:-1], 1) + np.diag(side[:-1], -1)
    points, vectors = np.linalg.eigh(jacobi.astype(np.float64))
    return tuple(float(s) for s in 2 * np.exp(points)), tuple(float(v) for v in vectors[0] ** 2)


def _kolmogorov_density(k: np.ndarray) -> np.ndarray:
    """Of the two series of a theta function the one that converges in a few terms."""
    terms = np.arange(1, 12, dtype=np.longdouble)[:, None]
    decay = (terms * k) ** 2
    far = 8 * k * np.sum(-((-1) ** terms) * terms**2 * np.exp(-2 * decay), axis=0)
    rate = ((2 * terms - 1) * pi / k) ** 2 / 8
    near = np.sqrt(2 * np.longdouble(pi)) / k**2 * np.sum((2 * rate - 1) * np.exp(-rate), axis=0)
    return np.where(k > 1, far, near)
