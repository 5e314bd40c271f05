"""Arrays of numbers of any size: mantissas of float64, or of longdouble, with exponents of their own.

A kernel can be representable where the variances it comes from are not: that of erf grows like the length
of a row, from its square.  Rows whose variances leave the range of float64 at some layer are computed with
these arrays, by the formulas that the others use: NumPy's functions know them.  Lengths of rows are such
numbers everywhere, so that no power that a deep network raises them to is out of range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Wide", "extended", "narrow", "over", "positive", "power", "turns", "weighted_sum", "where"]

_FAR = 2**60  # exponents stay within it
_EXP_FAR = 2.0**46  # those that an exponential gives, so that products of a few keep their order
_LOST = 2**15  # a shift that takes a float out of range
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first has 32 bits


class Wide(NDArrayOperatorsMixin):
    """Numbers mantissa 2^exponent; NumPy's arithmetic of them and of arrays gives such numbers again."""

    def __init__(self, mantissa: Any, exponent: Any = 0) -> None:
        mantissa = np.asarray(mantissa)
        if mantissa.dtype != np.longdouble:
            mantissa = mantissa.astype(np.float64, copy=False)
        self.mantissa, shift = np.frexp(mantissa)
        exponent = _within(shift.astype(np.int64) + exponent, _FAR)
        self.exponent = np.where(self.mantissa == 0, -_FAR, exponent)

    @classmethod
    def _of_parts(cls, mantissa: np.ndarray, exponent: np.ndarray) -> Wide:
        """From mantissas and exponents that are as the constructor leaves them."""
        number = cls.__new__(cls)
        number.mantissa, number.exponent = mantissa, exponent
        return number

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mantissa.shape

    @property
    def ndim(self) -> int:
        return self.mantissa.ndim

    def __len__(self) -> int:
        return len(self.mantissa)

    def __getitem__(self, key: Any) -> Wide:
        return Wide._of_parts(self.mantissa[key], self.exponent[key])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        rule = _RULES.get(ufunc)
        if rule is None or method != "__call__" or options:
            return NotImplemented
        return rule(*inputs)


def narrow(x: Any) -> np.ndarray:
    """Return the floats, infinite or 0 where they are out of range; an array of floats as it is."""
    if not isinstance(x, Wide):
        return x
    with np.errstate(over="ignore", under="ignore"):
        return _shifted(x.mantissa, x.exponent)


def extended(x: Wide, growth: float, shift: float) -> Any:
    """Return the floats where all of their powers up to ``growth``, times 2^shift, are in range, else ``x``.

    Arithmetic of wide numbers only scales by powers of two, so that both come to the same bytes.
    """
    exponents = np.where(x.mantissa == 0, 0, x.exponent)
    reach = growth * np.abs(exponents).max(initial=0) + abs(shift)
    return narrow(x) if reach < np.finfo(x.mantissa.dtype).maxexp - 128 else x


def where(condition: np.ndarray, x: Any, z: Any) -> Any:
    """Return np.where of floats or wide numbers."""
    if not isinstance(x, Wide) and not isinstance(z, Wide):
        return np.where(condition, x, z)
    x, z = _wide(x), _wide(z)
    mantissa, exponent = (
        np.where(condition, x.mantissa, z.mantissa),
        np.where(condition, x.exponent, z.exponent),
    )
    return Wide._of_parts(mantissa, exponent)


def positive(x: Any) -> np.ndarray:
    """Return where numbers are above 0."""
    return (x.mantissa if isinstance(x, Wide) else x) > 0


def over(x: Any, z: Any) -> Any:
    """Return x / z, 0 where z is 0; z is at least 0."""
    some = positive(z)
    if np.all(some):
        return x / z
    return where(some, x / where(some, z, 1.0), 0.0)


def turns(length: Any, radius: Any, bias: float) -> np.ndarray:
    """Return a table (4, n) of the angles a = atan2(bias, length) that a bias turns rows by.

    Its rows are cos a, sin a, tan(a/2) and tan((pi/2 - a)/2), each to full relative accuracy, from the
    ``radius`` hypot(length, bias).
    """
    height = Wide(bias) if isinstance(radius, Wide) else np.longdouble(bias)
    cos, sin = np.where(positive(radius), narrow(over(length, radius)), 1.0), narrow(over(height, radius))
    return np.stack([cos, sin, sin / (1 + cos), cos / (1 + sin)])


def power(x: Any, n: int) -> Any:
    """Return x^n by products, whose roundings are those of wide numbers."""
    result = None
    while n:
        if n % 2:
            result = x if result is None else result * x
        n //= 2
        x = x * x if n else x
    return x * 0.0 + 1.0 if result is None else result


def weighted_sum(weights: np.ndarray, x: Any) -> Any:
    """Return the sum over the first axis."""
    if not isinstance(x, Wide):
        return np.tensordot(weights, x, axes=1)
    top = x.exponent.max(axis=0)
    return Wide(np.tensordot(weights, _shifted(x.mantissa, x.exponent - top), axes=1), top)


def _wide(x: Any) -> Wide:
    return x if isinstance(x, Wide) else Wide(x)


def _within(values: np.ndarray, bound: Any) -> np.ndarray:
    """np.clip, of whose time most goes into checks."""
    return np.minimum(np.maximum(values, -bound), bound)


def _shifted(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    return np.ldexp(mantissa, _within(exponent, _LOST))


def _add(x: Any, z: Any) -> Wide:
    x, z = _wide(x), _wide(z)
    top = np.maximum(x.exponent, z.exponent)
    with np.errstate(under="ignore"):
        return Wide(_shifted(x.mantissa, x.exponent - top) + _shifted(z.mantissa, z.exponent - top), top)


def _multiply(x: Any, z: Any) -> Wide:
    x, z = _wide(x), _wide(z)
    return Wide(x.mantissa * z.mantissa, x.exponent + z.exponent)


def _divide(x: Any, z: Any) -> Wide:
    x, z = _wide(x), _wide(z)
    return Wide(x.mantissa / z.mantissa, x.exponent - z.exponent)


def _sqrt(x: Wide) -> Wide:
    odd = x.exponent % 2
    return Wide(np.sqrt(np.ldexp(x.mantissa, odd)), (x.exponent - odd) // 2)


def _exp(x: Wide) -> Wide:
    value = _within(narrow(x), _EXP_FAR)
    twos = np.rint(value / (_LN2_HIGH + _LN2_LOW))
    return Wide(np.exp(value - twos * _LN2_HIGH - twos * _LN2_LOW), twos.astype(np.int64))


def _expm1(x: Wide) -> Wide:
    """exp(x) - 1, where x is small to its relative accuracy."""
    value = narrow(x)
    small = np.abs(value) < 1
    some = np.where(small & (value != 0), value, 1.0)
    return where(small, x * np.where(value != 0, np.expm1(some) / some, 1.0), _exp(x) - 1.0)


def _copysign(x: Any, z: Any) -> Any:
    if not isinstance(x, Wide):
        return np.copysign(x, z.mantissa)
    return Wide(np.copysign(x.mantissa, z.mantissa if isinstance(z, Wide) else z), x.exponent)


_RULES: dict[np.ufunc, Callable[..., Any]] = {
    np.add: _add,
    np.subtract: lambda x, z: _add(x, -z),
    np.multiply: _multiply,
    np.true_divide: _divide,
    np.negative: lambda x: Wide._of_parts(-x.mantissa, x.exponent),
    np.absolute: lambda x: Wide._of_parts(np.abs(x.mantissa), x.exponent),
    np.power: power,
    np.square: lambda x: _multiply(x, x),
    np.sqrt: _sqrt,
    np.exp: _exp,
    np.expm1: _expm1,
    np.copysign: _copysign,
}
