"""Compiled passes over preactivations that are still in cache: values, slopes, and slopes as bits.

A pass reads a block ``z`` (rows, columns) and writes at (row, column) of a large array, which is passed
whole since loops over views of other layouts do not vectorise.
"""

from __future__ import annotations

import numpy as np

from ntklib._core.jit import compiled
from ntklib.kernels.activations import Activation, Homogeneous

__all__ = ["common_bits", "pack_bits", "slope_levels", "write_slopes", "write_values"]


def write_values(activation: Activation, z: np.ndarray, out: np.ndarray, row: int, column: int) -> None:
    """Write sigma(z) at (row, column) of ``out``."""
    if isinstance(activation, Homogeneous):
        degree, left, right, zero = activation.parts()
        number = z.dtype.type
        _powers(z, degree, number(left), number(right), number(zero), _NO_FACTORS[z.dtype], out, row, column)
    else:
        rows, columns = z.shape
        out[row : row + rows, column : column + columns] = activation(z)


def write_slopes(
    activation: Activation, z: np.ndarray, factors: np.ndarray, out: np.ndarray, row: int, column: int
) -> None:
    """Write sigma'(z) times a factor for each column at (row, column) of ``out``; no factors are ones."""
    rows, columns = z.shape
    if isinstance(activation, Homogeneous):
        degree, left, right, _ = activation.parts()
        number = z.dtype.type
        if degree == 0:
            out[row : row + rows, column : column + columns] = 0
        else:
            a, b = number(-degree * left), number(degree * right)
            _powers(z, degree - 1, a, b, b, factors, out, row, column)
    else:
        slopes = activation.derivative(z)
        out[row : row + rows, column : column + columns] = slopes * factors if factors.size else slopes


_NO_FACTORS = {np.dtype(t): np.ones(0, t) for t in (np.float32, np.float64)}


@compiled
def _powers(z, degree, left, right, zero, factors, out, row, column):
    """right |z|^degree where z >= 0, left |z|^degree elsewhere, and ``zero`` at 0 for degree 0."""
    rows, columns = z.shape
    for i in range(rows):
        line, place = (
            z[i],
            out[row + i, column : column + columns],
        )  # contiguous, indexed from 0: they vectorise
        if degree == 0:
            for j in range(columns):
                t = line[j]
                value = right if t > 0 else left
                place[j] = zero if t == 0 else value
        elif degree == 1:
            for j in range(columns):
                t = line[j]
                place[j] = (right if t >= 0 else -left) * t
        else:
            for j in range(columns):
                t = abs(line[j])
                power = t
                for _ in range(degree - 1):
                    power *= t
                place[j] = (right if line[j] >= 0 else left) * power
        if factors.size:
            for j in range(columns):
                place[j] *= factors[j]


def slope_levels(activation: Activation) -> tuple[float, float] | None:
    """The two values of a derivative that has no others, at negative and at other z; else None."""
    if isinstance(activation, Homogeneous):
        degree, left, right, _ = activation.parts()
        if degree == 1:
            return -left, right
    return None


def pack_bits(z: np.ndarray, out: np.ndarray, row: int, word: int) -> None:
    """Write the bits z >= 0, 64 columns a word, at (row, word) of ``out``; columns missing are left as 0."""
    packed = np.packbits(z >= 0, axis=1)
    start = 8 * word
    out.view(np.uint8)[row : row + len(z), start : start + packed.shape[1]] = packed


@compiled
def common_bits(a, b, out):
    """Count the bits that rows of ``a`` (rows, words) and columns of ``b`` (words, rows) share.

    The inner loop runs over columns, so that counts stay in vector registers and no sum crosses lanes; the
    shifts and masks are the idiom that the compiler turns into the processor's population count.
    """
    rows, words = a.shape
    columns = b.shape[1]
    m1, m2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    m4, h1 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    one, two, four, top = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
    for i in range(rows):
        for j in range(columns):
            out[i, j] = 0
        for w in range(words):
            mine = a[i, w]
            for j in range(columns):
                x = mine & b[w, j]
                x = x - ((x >> one) & m1)
                x = (x & m2) + ((x >> two) & m2)
                x = (x + (x >> four)) & m4
                out[i, j] += (x * h1) >> top
