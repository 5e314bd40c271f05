"""Checks of what users pass in; each says what was wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array

from .namespaces import refuse_arrays

__all__ = [
    "check_flag",
    "check_integer",
    "check_integers",
    "check_option",
    "check_options",
    "check_real",
    "check_reals",
    "check_rows",
    "check_same_features",
    "random_generator",
    "same_memory",
]

_SMALL = 2**15  # numbers that are looked at in some microseconds


def check_rows(X: Any, name: str = "X") -> Any:
    """Return ``X`` as a finite 2-D float array or CSR matrix with at least one row and one column."""
    if _is_small_and_sound(X):  # the answer below, which takes as long as a small kernel
        return X
    refuse_arrays(X, name)
    return check_array(
        X, accept_sparse="csr", dtype=(np.float64, np.float32), input_name=name, ensure_min_samples=1
    )


def _is_small_and_sound(X: Any) -> bool:
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in (np.float64, np.float32)
        and 0 < X.size <= _SMALL
        and bool(np.isfinite(X).all())
    )


def check_same_features(X: Any, Y: Any) -> None:
    """Raise ValueError unless X and Y have the same number of columns."""
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features and Y has {Y.shape[1]}; a kernel compares rows of the same length."
        )


def same_memory(X: Any, Y: Any) -> bool:
    """Say if X and Y are one object or two views of the same memory, read the same way."""
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


def check_flag(value: Any, name: str) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


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


def check_integers(
    values: Any, name: str, *, minimum: int, least: int = 1, example: str = "(1, 2, 4)"
) -> list[int]:
    """Return different integers of at least ``minimum``, ``least`` of them or more, in ascending order."""

    def check(value: Any) -> int:
        return check_integer(value, f"each of {name}", minimum=minimum)

    return sorted(_different(values, name, check, least, f"integers such as {example}"))


def check_reals(
    values: Any,
    name: str,
    *,
    minimum: float,
    strict: bool = False,
    least: int = 1,
    example: str = "(0.1, 1, 10)",
) -> list[float]:
    """Return different finite floats above ``minimum``, ``least`` of them or more, in ascending order."""

    def check(value: Any) -> float:
        return check_real(value, f"each of {name}", minimum=minimum, strict=strict)

    return sorted(_different(values, name, check, least, f"numbers such as {example}"))


def check_options(values: Any, name: str, options: Collection[str]) -> list[str]:
    """Return different ones of ``options``, at least one, in the order in which they are named."""

    def check(value: Any) -> str:
        return check_option(value, f"each of {name}", options)

    return _different(values, name, check, 1, f"names, some of {', '.join(map(repr, options))}")


def _different(values: Any, name: str, check: Callable[[Any], Any], least: int, wanted: str) -> list[Any]:
    """Items as ``check`` returns them, the first of those that are equal."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a sequence of {wanted}, got {values!r}.")
    different = list(dict.fromkeys(check(value) for value in values))
    if not different and least:
        raise ValueError(f"{name} is empty; it must be a sequence of {wanted}.")
    if len(different) < least:
        raise ValueError(f"{name} must name at least {least} different ones, got {different}.")
    return different


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
