"""Influence functions of networks against weight decay: rank correlations with retraining."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .influence import Influence, network_influence

__all__ = ["InfluenceDecay", "influence_against_decay"]


@dataclass(frozen=True, eq=False)
class InfluenceDecay:
    """Rank correlations of predicted and actual changes when samples are left out, by weight decay.

    Attributes
    ----------
    penalty : ndarray of shape (P,)
        Weight decay.
    rank_correlation : ndarray of shape (n_starts, P)
        Spearman's, at further samples, for retraining from the minimum.
    rank_correlation_afresh : ndarray of shape (n_starts, P)
        The same for retraining from the initialisation.
    """

    penalty: NDArray
    rank_correlation: NDArray
    rank_correlation_afresh: NDArray


def influence_against_decay(
    network: Any,
    X: NDArray,
    probes: NDArray,
    y: NDArray,
    penalties: NDArray,
    left_out: Iterable[int],
    *,
    starts: Iterable[int],
) -> dict[str, NDArray]:
    """Compare influence with retraining at several penalties and from several initialisations.

    Parameters
    ----------
    network : Network
        With a smooth activation.
    X, probes : ndarray of shape (n, d), (m, d)
    y : ndarray of shape (n,)
    penalties : ndarray of shape (P,)
        Positive.
    left_out : iterable of int
        Samples to leave out.
    starts : iterable of int
        Seeds of the initialisations.

    Returns
    -------
    dict of str to ndarray
        Fields of an `InfluenceDecay`.

    References
    ----------
    S. Basu, P. Pope and S. Feizi, "Influence functions in deep learning are fragile", ICLR 2021.
    """
    chosen = list(left_out)
    correlations = [
        [_rank_correlations(network, X, probes, y, float(penalty), chosen, seed) for penalty in penalties]
        for seed in starts
    ]
    near, afresh = np.moveaxis(np.array(correlations), -1, 0)
    return {
        "penalty": np.asarray(penalties, dtype=float),
        "rank_correlation": near,
        "rank_correlation_afresh": afresh,
    }


def _rank_correlations(
    network: Any, X: NDArray, probes: NDArray, y: NDArray, penalty: float, chosen: list[int], seed: int
) -> list[float]:
    """Rank correlation for retraining from the minimum, and from the initialisation."""
    fields = network_influence(network, X, probes, y, penalty, chosen, random_state=seed)
    again = {"actual": fields.pop("afresh"), "probe_actual": fields.pop("probe_afresh")}
    return [Influence(**fields).rank_correlation, Influence(**{**fields, **again}).rank_correlation]
