"""Activations as text that is the same in every process."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from numbers import Real
from typing import Any

import numpy as np

from ntklib.kernels.activations import Activation

__all__ = ["expression"]

_POINTS = np.linspace(-3.7, 4.1, 40)  # no point is 0, where a value may be the sum of rounding errors


def expression(activation: Activation) -> str:
    """Expression that makes an activation; with a fingerprint of its values where that does not tell all."""
    if _made_of_numbers(activation):
        return repr(activation)
    with np.errstate(all="ignore"):
        values = np.concatenate([activation(_POINTS), activation.derivative(_POINTS)])
    # six digits: values may differ by a rounding error between processors
    fingerprint = hashlib.sha256(" ".join(f"{value:.5e}" for value in values).encode()).hexdigest()
    return f"{_named(activation)} #{fingerprint[:8]}"


def _made_of_numbers(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_made_of_numbers, value))
    if is_dataclass(value):
        own = type(value).__module__.startswith("ntklib.")
        return own and all(_made_of_numbers(getattr(value, field.name)) for field in fields(value))
    return isinstance(value, Real | str | None)


def _named(value: Any) -> str:
    """Like ``repr``, but a function is its name: what Python prints of one holds its address."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = ", ".join(f"{field.name}={_named(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__qualname__}({parts})"
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return repr(value)
