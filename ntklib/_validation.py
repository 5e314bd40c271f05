"""Checks of what users pass in; each says what was wrong and what to do."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array

__all__ = [
    "check_integer",
    "check_option",
    "check_real",
    "check_rows",
    "check_same_features",
    "random_generator",
    "same_memory",
]


def check_rows(X: Any, name: str = "X") -> Any:
    """Return ``X`` as a finite 2-D float array or CSR matrix with at least one row and one column."""
    return check_array(
        X, accept_sparse="csr", dtype=(np.float64, np.float32), input_name=name, ensure_min_samples=1
    )


def check_same_features(X: Any, Y: Any) -> None:
    """Raise ValueError unless X and Y have the same number of columns."""
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features and Y has {Y.shape[1]}; a kernel compares rows of the same length."
        )


def same_memory(X: Any, Y: Any) -> bool:
    """Whether X and Y are one object or two views of the same memory, read the same way."""
    if X is Y:
        return True
    if sparse.issparse(X) and sparse.issparse(Y):
        return X.shape == Y.shape and all(
            same_memory(getattr(X, part), getattr(Y, part)) for part in ("data", "indices", "indptr")
        )
    if not (isinstance(X, np.ndarray) and isinstance(Y, np.ndarray)):
        return False
    return (
        X.shape == Y.shape
        and X.dtype == Y.dtype
        and X.strides == Y.strides
        and X.__array_interface__["data"] == Y.__array_interface__["data"]
    )


def check_integer(value: Any, name: str, *, minimum: int) -> int:
    """Return ``value`` as an int of at least ``minimum``."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}.")
    return int(value)


def check_real(value: Any, name: str, *, minimum: float, strict: bool = False) -> float:
    """Return ``value`` as a finite float above ``minimum`` (or equal to it, unless ``strict``)."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a real number, got {value!r}.")
    relation = "greater than" if strict else "at least"
    if not np.isfinite(float(value)) or value < minimum or (strict and value == minimum):
        raise ValueError(f"{name} must be finite and {relation} {minimum}, got {value}.")
    return float(value)


def check_option(value: Any, name: str, options: Collection[str]) -> str:
    """Return ``value`` if it is one of ``options``."""
    if not isinstance(value, str) or value not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {known}; got {value!r}.")
    return value


def random_generator(random_state: Any) -> np.random.Generator:
    """Return a generator: a given one itself, one seeded by a number, by a RandomState, or afresh (None)."""
    known = (Integral, np.random.Generator, np.random.RandomState, np.random.SeedSequence, type(None))
    if not isinstance(random_state, known):
        raise TypeError(
            "random_state must be an integer, a numpy Generator or RandomState, or None; "
            f"got {random_state!r}."
        )
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1)
    elif isinstance(random_state, Integral):
        random_state = check_integer(random_state, "random_state", minimum=0)
    return np.random.default_rng(random_state)
