"""What a search is made of, from its parameters: kernels, penalties, and the units it compares kernels on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils import check_random_state

from .._kernel import resolve_kernel
from .._parameters import penalties_of
from ..defaults import default_kernels


def resolve_kernels(kernels: Any) -> list:
    """The kernels to compare: the default grid for None, a list of one for a single kernel."""
    if kernels is None:
        return default_kernels()
    if isinstance(kernels, (str, Kernel)) or callable(kernels):
        kernels = [kernels]
    if not isinstance(kernels, list | tuple):
        raise ValueError(f"kernels must be a list of kernels, one kernel or None; got {kernels!r}.")
    kernels = [resolve_kernel(kernel, "kernels") for kernel in kernels]
    if not kernels:
        raise ValueError("kernels is empty: give at least one kernel, or None for the default grid.")
    if len(kernels) > 1 and any(isinstance(kernel, str) for kernel in kernels):
        raise ValueError("'precomputed' cannot be compared with other kernels: X is one Gram matrix.")
    return kernels


def resolve_alphas(alphas: Any) -> np.ndarray | None:
    """The penalties to compare, or None for a grid relative to each kernel."""
    if alphas is None:
        return None
    return np.atleast_1d(penalties_of(alphas, "alphas"))


def search_rows(n: int, limit: int | None, random_state: Any, strata: np.ndarray | None = None) -> np.ndarray:
    """Sorted indices of at most `limit` units at random; each stratum keeps its share, and one at least."""
    if limit is None or n <= limit:
        return np.arange(n)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    shuffled = rng.permutation(n)
    if strata is None:
        return np.sort(shuffled[:limit])
    place = np.empty(n)
    for label in np.unique(strata):
        members = shuffled[strata[shuffled] == label]
        place[members] = np.arange(len(members)) / len(members)
    return np.sort(shuffled[np.argsort(place[shuffled], kind="stable")[:limit]])
