"""Powers of two to measure numbers in, so that squares of numbers of any size are representable."""

from __future__ import annotations

from typing import Any

import numpy as np


def exponents(x: Any, axis: int | None = None) -> Any:
    """Exponents e with 2^e <= max |x| < 2^(e + 1), 0 for zeros; integers."""
    largest = np.abs(x).max(axis=axis, initial=0.0)
    return np.where((largest > 0) & np.isfinite(largest), np.frexp(largest)[1] - 1, 0)


def units(x: Any, axis: int | None = None) -> Any:
    """2^e for these e: division by it is exact."""
    return np.ldexp(1.0, exponents(x, axis))


def standard_deviation(x: np.ndarray) -> np.ndarray:
    """Standard deviation along the first axis, NaN where a number is not finite."""
    exponent = exponents(x, axis=0)
    with np.errstate(invalid="ignore"):
        return scaled_back(np.ldexp(x, -exponent).std(axis=0), exponent)


def scaled_back(x: Any, exponent: Any) -> Any:
    """Return x times 2^exponent, 0 or infinite where that is not representable."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(x, exponent)
