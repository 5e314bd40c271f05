"""Checks of parameters by name: a name means the same in all estimators.

Those not listed here are checked where they are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer_names

from ntklib._core.validation import check_flag, check_integer, check_real
from ntklib.solvers.solver import check_solver

from .defaults import CLASSIFIER_SCORING


def penalties_of(value: Any, name: str) -> NDArray:
    """Penalties as float64, one or an array of them, checked to be finite and nonnegative."""
    try:
        given = np.asarray(value)
    except ValueError:  # ragged
        given = np.asarray(None)
    if given.dtype.kind not in "iuf" or given.size == 0:
        raise ValueError(
            f"{name} must be a nonnegative number or several, such as 1.0 or [0.1, 1.0]; got {value!r}."
        )
    if given.ndim > 1:
        raise ValueError(f"{name} must be one number or a list of numbers, got shape {given.shape}.")
    if not np.isfinite(given).all() or given.min() < 0:
        raise ValueError(f"{name} must be finite and nonnegative, got {value!r}.")
    return given.astype(np.float64)


def _limit(value: Any, name: str) -> None:
    if value is not None:
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer of at least 2 or None, got {value!r}.")
        check_integer(value, name, minimum=2)


def _share(value: Any, name: str) -> None:
    if check_real(value, name, minimum=0, strict=True) >= 1:
        raise ValueError(f"{name} must be less than 1, got {value}.")


def _verbosity(value: Any, name: str) -> None:
    if not isinstance(value, Integral | np.bool_) or value < 0:
        raise ValueError(f"{name} must be 0, 1 or 2, got {value!r}.")


def _seed(value: Any, name: str) -> None:
    if value is None or isinstance(value, np.random.RandomState):
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a nonnegative integer, a numpy RandomState or None; got {value!r}.")


def _scale(value: Any, name: str) -> None:
    if isinstance(value, str):
        if value != "fit":
            raise ValueError(f"{name} must be 'fit' or a positive number, got {value!r}.")
    else:
        check_real(value, name, minimum=0, strict=True)


def _learning(value: Any, name: str) -> None:
    if not (value is None or (isinstance(value, str) and value in ("auto", "diagonal"))):
        raise ValueError(f"{name} must be 'auto', 'diagonal' or None, got {value!r}.")


def _class_weight(value: Any, name: str) -> None:
    if not (value is None or isinstance(value, Mapping) or (isinstance(value, str) and value == "balanced")):
        raise ValueError(f"{name} must be None, 'balanced' or a dict of class and weight; got {value!r}.")
    if isinstance(value, Mapping):
        for label, weight in value.items():
            if not (isinstance(weight, Real) and 0 <= float(weight) < math.inf):
                raise ValueError(f"{name} of {label!r} must be a nonnegative number, got {weight!r}.")


def _scoring(value: Any, name: str) -> None:
    if isinstance(value, str):
        known = value == CLASSIFIER_SCORING or value in get_scorer_names()
    else:
        known = value is None or (callable(value) and not isinstance(value, type))
    if not known:
        raise ValueError(
            f"{name} must be None, one of sklearn.metrics.get_scorer_names() or a function "
            f"scorer(estimator, X, y); got {value!r}."
        )


_FLAGS = (
    *("fit_intercept", "calibrate", "alpha_per_target", "store_held_out", "halving"),
    *("early_stopping", "warm_start", "clip"),
)


CHECKS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(_FLAGS, check_flag),
    "alpha": penalties_of,
    "alphas": lambda value, name: None if value is None else penalties_of(value, name),
    "class_weight": _class_weight,
    "learn_features": _learning,
    "max_search_samples": _limit,
    "random_state": _seed,
    "scoring": _scoring,
    "solver": check_solver,
    "target_scale": _scale,
    "validation_fraction": _share,
    "verbose": _verbosity,
}
