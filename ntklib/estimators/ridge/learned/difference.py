"""The difference of two scores on the same held-out units, with its standard error."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of", "jackknife"]

_BLOCKS = 20


def jackknife(statistic: Callable[[int | None], float], n_blocks: int) -> tuple[float, float]:
    r"""Value of a statistic, and its standard error by leaving out one block of the data after the other.

    .. math:: \sqrt{\frac{B - 1}{B} \sum_b (\theta_{-b} - \bar\theta)^2}

    Parameters
    ----------
    statistic : function
        Of the block that is left out, or None.
    n_blocks : int
        B.

    References
    ----------
    B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, Chapman and Hall 1993, chapter 11.
    """
    without = np.array([statistic(block) for block in range(n_blocks)])
    error = np.sqrt((n_blocks - 1) * np.mean(np.square(without - without.mean())))
    return statistic(None), float(error)


def blocks_of(order: NDArray, groups: Sequence[Hashable] | NDArray | None) -> NDArray:
    """Block of each unit: every twentieth of an order, units of one group together.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        The units at random.
    groups : sequence of length n or None
    """
    n, members = len(order), np.arange(len(order))
    if groups is not None:
        members = np.unique(np.asarray(groups), return_inverse=True)[1]
    _, first = np.unique(members[order], return_index=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    block: Any = place[members] % _BLOCKS
    assert len(block) == n
    return block
