"""Effect of importance weights on a classifier: large until the classes are separated, then ever less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flow import linear_flow, network_flow
from .margin import asymptotic_offset, expansion
from .svm import max_margin

__all__ = ["WeightEffect", "network_weight_effect", "weight_effect"]


@dataclass(frozen=True, eq=False)
class WeightEffect:
    r"""A model trained with and without importance weights, by gradient flow of the logistic loss.

    Attributes
    ----------
    log_time : ndarray of shape (T,)
        :math:`\log(1 + t)`.
    effect : ndarray of shape (T,)
        Distance between the directions :math:`w/|w|` with weights and without.
    expected : ndarray of shape (T,)
        The same from :math:`w = \hat w \log t + \tilde w`; NaN where classes are not
        separated, and for networks.
    rate : ndarray of shape ()
        What the effect times log t tends to in theory; NaN where it is not known.
    remains : ndarray of shape ()
        Effect at infinite time: 0 for separated classes; NaN for networks, where it is not known.
    separated : ndarray of shape (2,)
        log(1 + t) from which on all samples were on the right side, without weights and with them; NaN if
        they never were.
    positive : ndarray of shape (2, T)
        Share of probes given the class with the larger weights, without weights and with them.
    """

    log_time: NDArray
    effect: NDArray
    expected: NDArray
    rate: NDArray
    remains: NDArray
    separated: NDArray
    positive: NDArray


def weight_effect(
    features: NDArray,
    probes: NDArray,
    signs: NDArray,
    weights: NDArray,
    log_times: NDArray,
    *,
    ridge: float = 0.0,
) -> dict[str, NDArray]:
    r"""Train a model that is linear in its parameters with weights and without.

    Classes that a plane separates end at the same direction whatever the weights :math:`\omega`: these only
    move :math:`\tilde w` in :math:`w(t) = \hat w \log t + \tilde w`, by :math:`\delta` with
    :math:`y_i \phi_i \cdot \delta = \log \omega_i` on the support vectors, so that

    .. math:: \log t \left| \frac{w_\omega}{|w_\omega|} - \frac{w_1}{|w_1|} \right| \to
              \frac{|P_{\perp \hat w} \delta|}{|\hat w|} .

    Other classes, or a penalty, make weights matter at any time.

    Parameters
    ----------
    features : ndarray of shape (n, p)
    probes : ndarray of shape (m, p)
        Features of further samples.
    signs : ndarray of shape (n,)
        Labels, +1 and -1.
    weights : ndarray of shape (n,)
        Positive.
    log_times : ndarray of shape (T,)
        Ascending and positive.
    ridge : float, default=0.0
        Penalty lambda on |w|^2/2.

    Returns
    -------
    dict of str to ndarray
        Fields of a `WeightEffect`.

    References
    ----------
    J. Byrd and Z. C. Lipton, "What is the effect of importance weighting in deep learning?", ICML 2019.
    """
    signed = features * signs[:, None]
    paths = [linear_flow(signed, log_times, weights=omega, ridge=ridge) for omega in (None, weights)]
    machine = max_margin(signed) if ridge == 0 else None
    rate, expected = np.nan, np.full(len(log_times), np.nan)
    if machine is not None:
        offsets = [
            asymptotic_offset(signed, machine, path[-1], omega)
            for path, omega in zip(paths, (None, weights), strict=True)
        ]
        expected = _distance(*(expansion(machine, offset, log_times) for offset in offsets))
        delta = offsets[1] - offsets[0]
        along = machine.direction * (delta @ machine.direction)
        rate = float(np.linalg.norm(delta - along)) * machine.margin
    remains = _distance(*paths)[-1] if machine is None else 0.0
    margins, probed = ([path @ rows.T for path in paths] for rows in (signed, probes))
    theory = {"expected": expected, "rate": np.array(rate), "remains": np.array(remains)}
    return _fields(log_times, paths, margins, probed, signs, weights) | theory


def network_weight_effect(
    network: Any,
    X: NDArray,
    probes: NDArray,
    signs: NDArray,
    weights: NDArray,
    start: Any,
    log_times: NDArray,
) -> dict[str, NDArray]:
    """Train a homogeneous network with weights and without, from the same start."""
    paths = [network_flow(network, X, signs, start, log_times, weights=omega) for omega in (None, weights)]

    def outputs(path: NDArray, rows: NDArray) -> NDArray:
        return np.array([network.apply(network.unravel(start, w), rows) for w in path])

    margins = [outputs(path, X) * signs for path in paths]
    probed = [outputs(path, probes) for path in paths]
    return _fields(log_times, paths, margins, probed, signs, weights)


def _distance(plain: NDArray, weighted: NDArray) -> NDArray:
    directions = [path / np.linalg.norm(path, axis=1, keepdims=True) for path in (plain, weighted)]
    return np.linalg.norm(directions[1] - directions[0], axis=1)


def _fields(
    log_times: NDArray,
    paths: list[NDArray],
    margins: list[NDArray],
    probed: list[NDArray],
    signs: NDArray,
    weights: NDArray,
) -> dict[str, NDArray]:
    heavier = 1.0 if weights[signs > 0].mean() >= weights[signs < 0].mean() else -1.0
    return {
        "log_time": log_times,
        "effect": _distance(*paths),
        "expected": np.full(len(log_times), np.nan),
        "rate": np.array(np.nan),
        "remains": np.array(np.nan),
        "separated": np.array([_first(log_times, m.min(axis=1) > 0) for m in margins]),
        "positive": np.array([(heavier * outputs > 0).mean(axis=1) for outputs in probed]),
    }


def _first(log_times: NDArray, reached: NDArray) -> float:
    """The first time from which on it holds."""
    failing = np.flatnonzero(~reached)
    start = failing[-1] + 1 if failing.size else 0
    return float(log_times[start]) if start < len(log_times) else np.nan
