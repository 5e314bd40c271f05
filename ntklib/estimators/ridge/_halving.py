"""Rounds of a comparison of kernels by successive halving.

All kernels are scored on few units; the better half goes on to twice as many, and so on, until those that are
left are scored on all that a comparison may use. Each round's units hold those of the round before.

References
----------
Z. Karnin, T. Koren and O. Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013.
K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._folds import Splits

LEAST = 500  # units of a round: on fewer, kernels cost next to nothing and differ by chance


class Round(NamedTuple):
    """Number of kernels of a round, ties apart, and its units."""

    n_kernels: int
    rows: NDArray


def comparison_rounds(n_kernels: int, order: NDArray, splits: Splits | None, *, halving: bool) -> list[Round]:
    """Rounds for so many kernels on units in a random order; the last is on all of them.

    The numbers of kernels and of units change by a factor of 2 from round to round. There are as many rounds
    as leave the first `LEAST` units at least, and in each of its folds some to train and some to test on, and
    the last two kernels: one round for one kernel or two.
    """
    halvings = 0
    while halving and _may_begin(n_kernels, order, splits, halvings + 1):
        halvings += 1
    return [
        Round(-(-n_kernels // 2**done), np.sort(_beginning(order, halvings - done)))
        for done in range(halvings + 1)
    ]


def _beginning(order: NDArray, halvings: int) -> NDArray:
    return order[: len(order) // 2**halvings]


def _may_begin(n_kernels: int, order: NDArray, splits: Splits | None, halvings: int) -> bool:
    """Say if a search may begin with the units that so many halvings leave."""
    rows = _beginning(order, halvings)
    if len(rows) < LEAST or -(-n_kernels // 2**halvings) < 2:
        return False
    return splits is None or all(np.isin(side, rows).any() for fold in splits for side in fold)


def survivors(ranks: list[tuple[float, float]], n_kernels: int) -> list[int]:
    """Places of the best ranks, ascending: so many, and those that equal the last of them."""
    least = sorted(ranks, reverse=True)[:n_kernels][-1]
    return [i for i, rank in enumerate(ranks) if rank >= least]


def first_part(n: int) -> int:
    """Units that choose which kernel learns features, of n: a quarter, `LEAST` at least; 0 if n is small."""
    return max(n // 4, LEAST) if n >= 2 * LEAST else 0
