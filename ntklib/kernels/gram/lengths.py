"""Lengths of rows as mantissas and exponents: no power that a deep network raises them to is out of range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Lengths"]

_FAR = 2**60  # exponents stay within it, far beyond any value that a float could hold


@dataclass(frozen=True)
class Lengths:
    """Numbers mantissa 2^exponent, at least 0."""

    mantissa: np.ndarray  # (n,) np.longdouble, 0 or from 1/2 to 1
    exponent: np.ndarray  # (n,) int64

    @classmethod
    def of(cls, root: np.ndarray, exponent: np.ndarray | int = 0) -> Lengths:
        """Return root 2^exponent."""
        mantissa, shift = np.frexp(np.asarray(root, np.longdouble))
        return cls(mantissa, np.clip(shift.astype(np.int64) + exponent, -_FAR, _FAR))

    def take(self, rows: slice) -> Lengths:
        return Lengths(self.mantissa[rows], self.exponent[rows])

    def times(self, factor: np.floating | float) -> Lengths:
        return Lengths.of(self.mantissa * factor, self.exponent)

    def power(self, n: int) -> Lengths:
        if n == 0:
            return Lengths.of(np.ones_like(self.mantissa))
        return Lengths.of(self.mantissa**n, np.clip(self.exponent, -_FAR // n, _FAR // n) * n)

    def turned(self, bias: float) -> tuple[Lengths, np.ndarray]:
        """Return the lengths hypot(length, bias), and a table (4, n) of the angles a = atan2(bias, length).

        Its rows are cos a, sin a, tan(a/2) and tan((pi/2 - a)/2), each to full relative accuracy.
        """
        zero, one = np.zeros_like(self.mantissa), np.ones_like(self.mantissa)
        if bias == 0:
            return self, np.stack([one, zero, zero, one])
        size, exponent = np.frexp(np.longdouble(bias))
        top = np.where(self.mantissa > 0, np.maximum(self.exponent, exponent), exponent)
        along, across = _shifted(self.mantissa, self.exponent - top), _shifted(size, exponent - top)
        radius = np.hypot(along, across)
        cos, sin = along / radius, across / radius
        return Lengths.of(radius, top), np.stack([cos, sin, sin / (1 + cos), cos / (1 + sin)])

    def squared(self, factor: np.ndarray) -> np.ndarray:
        """Return factor times the squares, 0 or infinite where they are out of range."""
        return _shifted(factor * self.mantissa**2, 2 * self.exponent)


def _shifted(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(mantissa, np.clip(exponent, -(2**16), 2**16))
