"""Rows drawn from a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state


def sample_rows(n_rows: int, max_samples: int | None, random_state: Any) -> NDArray:
    """Return the indices of at most ``max_samples`` rows, drawn without replacement, in ascending order."""
    if max_samples is None or n_rows <= max_samples:
        return np.arange(n_rows)
    if max_samples < 1:
        raise ValueError(f"max_samples must be at least 1, got {max_samples}")
    drawn = check_random_state(random_state).choice(n_rows, size=max_samples, replace=False)
    return np.sort(drawn)


def take_rows(X: Any, indices: NDArray) -> Any:
    """Return rows of a dense or sparse matrix."""
    return X[indices] if hasattr(X, "tocsr") else np.asarray(X)[indices]
