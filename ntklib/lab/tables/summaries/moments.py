"""Mean and variance of numbers from exact sums, which do not depend on how the numbers are cut or ordered."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import row_blocks

_UNIT = 1074
"""Every float is a whole multiple of 2^-1074; sums are whole numbers of these units, of any length."""

_BITS = 20
_ROWS = 2**13
"""Products of two limbs of at most 2^19, added up over so many rows, are exact in float64."""


class ExactMoments:
    """Count, sum and sum of squares of finite numbers, without rounding.

    Numbers are cut into limbs: whole numbers of at most 2^19, each times a power of two that a block
    shares. The sums of limbs, and of their products in pairs, are exact in float64, and go into whole numbers
    of any length. Only the mean and the variance are rounded, once.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = ExactMoments(), ExactMoments()
    >>> one.add(np.array([1e100, 0.25]))
    >>> other.add(np.array([-1e100]))
    >>> one.merge(other)
    >>> one.count, one.mean == 0.25 / 3
    (3, True)
    """

    def __init__(self) -> None:
        self.count = self._sum = self._squares = 0

    def add(self, numbers: NDArray) -> None:
        """Add finite numbers, an array of shape (n,)."""
        for rows in row_blocks(len(numbers), _ROWS):
            limbs, places = _limbs(numbers[rows])
            products = (limbs @ limbs.T).tolist()
            for i, (total, place) in enumerate(zip(limbs.sum(axis=1).tolist(), places, strict=True)):
                self._sum += int(total) << (_UNIT - place)
                self._squares += int(products[i][i]) << 2 * (_UNIT - place)
                for j in range(i):
                    self._squares += int(products[i][j]) << (2 * _UNIT + 1 - place - places[j])
        self.count += len(numbers)

    def add_copies(self, number: float, count: int) -> None:
        """Add one finite number ``count`` times."""
        units = int(Fraction(number) * 2**_UNIT)
        self.count += count
        self._sum += count * units
        self._squares += count * units**2

    def merge(self, other: ExactMoments) -> None:
        """Add the numbers of another object."""
        self.count += other.count
        self._sum += other._sum
        self._squares += other._squares

    @property
    def mean(self) -> float:
        """Mean of the numbers, correctly rounded."""
        return self._sum / (self.count << _UNIT)

    @property
    def variance(self) -> float:
        """Mean square distance from the mean, correctly rounded; 0 only where all numbers are equal."""
        return (self.count * self._squares - self._sum**2) / (self.count**2 << 2 * _UNIT)


def _limbs(numbers: NDArray) -> tuple[NDArray, list[int]]:
    """Whole numbers l and places p with x = sum_i l_i 2^-p_i, shape (n_limbs, n)."""
    rest, limbs, places = numbers.astype(np.float64), [], []
    while (largest := max(rest.max(), -rest.min())) > 0:
        place = min(_BITS - 1 - math.frexp(largest)[1], _UNIT)
        if abs(place) < 1000:  # powers of two that are floats, and products that do not underflow
            limb = np.rint(rest * 2.0**place)
            rest -= limb * 2.0**-place
        else:
            limb = np.rint(np.ldexp(rest, place))
            rest -= np.ldexp(limb, -place)
        limbs.append(limb)
        places.append(place)
    return np.array(limbs).reshape(len(limbs), len(rest)), places
