"""Random numbers of the draws of studies."""

from __future__ import annotations

import numpy as np

__all__ = ["generator"]


def generator(random_state: int, *key: int) -> np.random.Generator:
    """Return the random numbers of one draw, which depend on the seed and its key alone."""
    return np.random.default_rng(np.random.SeedSequence(random_state, spawn_key=key))
