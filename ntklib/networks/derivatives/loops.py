"""Compiled passes over preactivations that are still in cache: values, slopes, signals, and slopes as bits.

A pass reads a block ``z`` (rows, columns) and writes at (row, column) of a large array, which is passed
whole since loops over views of other layouts do not vectorise.  Passes of sweeps write contiguous tiles that
never overlap what is read, and take less than 0.1 ns a neuron for activations of two slopes.
"""

from __future__ import annotations

import numpy as np

from ntklib._core.jit import compiled, compiled_sums, inlined
from ntklib.kernels.activations import Activation, Homogeneous

__all__ = [
    "add_squares",
    "common_bits",
    "multiply_slopes",
    "pack_bits",
    "slope_levels",
    "write_signals",
    "write_slopes",
    "write_two_slopes",
    "write_values",
]


def write_values(
    activation: Activation, z: np.ndarray, out: np.ndarray, row: int = 0, column: int = 0, factor: float = 1.0
) -> None:
    """Write factor sigma(z) at (row, column) of ``out``."""
    number = z.dtype.type
    if isinstance(activation, Homogeneous):
        degree, *sides = activation.parts()  # at negative and positive z, and at 0
        levels = (number(factor * side) for side in sides)
        _powers(z, degree, *levels, _NO_FACTORS[z.dtype], out, row, column)
    else:
        place = out[row : row + len(z), column : column + z.shape[1]]
        np.multiply(activation(z), number(factor), out=place)


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
        # contiguous, indexed from 0: they vectorise
        line, place = z[i], out[row + i, column : column + columns]
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


def write_two_slopes(
    levels: tuple[float, float],
    z: np.ndarray,
    factors: np.ndarray,
    values: np.ndarray,
    slopes: np.ndarray,
    row: int,
    column: int,
    squares: np.ndarray,
) -> None:
    """Write sigma(z), and sigma'(z) times a factor for each column, where sigma' takes two values only.

    The sums of squares that each row of ``z`` brings go to ``squares`` (rows, 2), values first.
    """
    low, high = (z.dtype.type(level) for level in levels)
    _values_and_slopes(z, low, high, factors, values, slopes, row, column, squares)


@compiled_sums
def _values_and_slopes(z, low, high, factors, values, slopes, row, column, squares):
    rows, columns = z.shape
    kind = z.dtype.type
    for i in range(rows):
        line = z[i]
        here, there = values[row + i, column : column + columns], slopes[row + i, column : column + columns]
        for j in range(columns):
            level = high if line[j] >= 0 else low
            here[j], there[j] = level * line[j], level * factors[j]
        # a loop that stores as well may run unvectorised where arrays lie close: with sums in another order
        first, second = kind(0), kind(0)
        for j in range(columns):
            first += here[j] * here[j]
            second += there[j] * there[j]
        squares[row + i, 0] += first
        squares[row + i, 1] += second


@compiled_sums
def add_squares(z, segment, out):
    """Add the squared length of each row of a contiguous ``z`` to ``out``, one segment after the other."""
    rows, columns = z.shape
    for i in range(rows):
        line = z[i]
        for start in range(0, columns, segment):
            part = line[start : start + segment]
            total = z.dtype.type(0)
            for j in range(len(part)):
                total += part[j] * part[j]
            out[i] += total


def write_signals(
    activation: Activation, z: np.ndarray, c: np.ndarray, v: np.ndarray, factor: float, out: np.ndarray
) -> np.ndarray:
    """Write factor c_i v_j sigma'(z_ij) to ``out`` and return the sums over i of c_i sigma(z_ij)."""
    levels = slope_levels(activation)
    c, v = np.ascontiguousarray(c), v.dtype.type(factor) * v
    if levels is None:
        np.multiply(activation.derivative(z), v, out=out)
        out *= c[:, None]
        return c @ activation(z)
    sums = np.zeros_like(v)
    _two_slope_signals(z, c, v, *(z.dtype.type(level) for level in levels), out, sums)
    return sums


@compiled
def _two_slope_signals(z, c, v, left, right, out, sums):
    for i in range(z.shape[0]):
        a, b = left * c[i], right * c[i]
        for j in range(z.shape[1]):
            slope = b if z[i, j] >= 0 else a
            sums[j] += slope * z[i, j]
            out[i, j] = slope * v[j]


def multiply_slopes(activation: Activation, z: np.ndarray, factor: float, out: np.ndarray) -> None:
    """Multiply ``out`` by factor sigma'(z)."""
    levels = slope_levels(activation)
    if levels is None:
        out *= activation.derivative(z)
        out *= out.dtype.type(factor)
    else:
        _by_two_slopes(z, *(z.dtype.type(factor * level) for level in levels), out)


@compiled
def _by_two_slopes(z, left, right, out):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[i, j] *= right if z[i, j] >= 0 else left


def pack_bits(z: np.ndarray, out: np.ndarray, row: int, word: int) -> None:
    """Write the bits z >= 0, 64 columns a word, at (row, word) of ``out``; columns missing are left as 0."""
    packed = np.packbits(z >= 0, axis=1)
    start = 8 * word
    out.view(np.uint8)[row : row + len(z), start : start + packed.shape[1]] = packed


@inlined
def _ones(x):
    """Number of bits that are set: shifts and masks that the compiler knows as the population count."""
    m1, m2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    m4, h1 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    x = x - ((x >> np.uint64(1)) & m1)
    x = (x & m2) + ((x >> np.uint64(2)) & m2)
    x = (x + (x >> np.uint64(4))) & m4
    return (x * h1) >> np.uint64(56)


@compiled
def common_bits(a, b, factor, out):
    """Write ``factor`` times the number of bits that rows of ``a`` (rows, words) and columns of ``b`` share.

    The inner loops run over columns, so that no sum crosses lanes of a vector; two rows and four words at a
    time, so that words are loaded for two rows, and sums for four words.
    """
    rows, words = a.shape
    columns = b.shape[1]
    kind = out.dtype.type
    first, second = np.empty(columns, np.uint64), np.empty(columns, np.uint64)
    whole = words - words % 4
    for i in range(0, rows, 2):
        x, y = a[i], a[min(i + 1, rows - 1)]
        first[:], second[:] = 0, 0
        for w in range(0, whole, 4):
            x0, x1, x2, x3 = x[w], x[w + 1], x[w + 2], x[w + 3]
            y0, y1, y2, y3 = y[w], y[w + 1], y[w + 2], y[w + 3]
            b0, b1, b2, b3 = b[w], b[w + 1], b[w + 2], b[w + 3]
            for j in range(columns):
                z0, z1, z2, z3 = b0[j], b1[j], b2[j], b3[j]
                first[j] += (_ones(x0 & z0) + _ones(x1 & z1)) + (_ones(x2 & z2) + _ones(x3 & z3))
                second[j] += (_ones(y0 & z0) + _ones(y1 & z1)) + (_ones(y2 & z2) + _ones(y3 & z3))
        for w in range(whole, words):
            line = b[w]
            for j in range(columns):
                first[j] += _ones(x[w] & line[j])
                second[j] += _ones(y[w] & line[j])
        row, following = out[i], out[min(i + 1, rows - 1)]
        for j in range(columns):
            row[j] = kind(factor * np.float64(first[j]))
        for j in range(columns):
            following[j] = kind(factor * np.float64(second[j]))
