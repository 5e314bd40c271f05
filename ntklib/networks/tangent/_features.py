"""Features of the tangent kernel of one copy: every layer's inputs and back-propagated signals.

Rows are cut into tasks of `ROWS` and columns into segments of `SEGMENT`, whatever the memory allows, so that
a row's numbers do not depend on how it is computed: the diagonal has the same bytes alone and in a Gram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks
from ntklib._core.threads import parallel_for

from ..derivatives.layers import Copy, Layer
from ..derivatives.loops import (
    add_squares,
    common_bits,
    pack_bits,
    slope_levels,
    write_slopes,
    write_two_slopes,
    write_values,
)
from ..derivatives.passes import dense

__all__ = ["ELEMENTWISE", "ROWS", "SEGMENT", "Bits", "Features", "each", "threads_for", "uses_bits"]

ROWS = 128
SEGMENT = 1024
_SERIAL = 4e8  # operations, times bytes of a number, that are nearly done before a second thread has begun
ELEMENTWISE = 100  # operations that a value and its slope count as


def threads_for(operations: float, dtype: np.dtype) -> int | None:
    """1 where more threads would not pay, else None."""
    return 1 if operations * dtype.itemsize < _SERIAL else None


def each(function: Callable[[Any], object], items: Iterable[Any], threads: int | None) -> None:
    """Call ``function`` on every item, as `parallel_for` does, where BLAS has one thread already."""
    if threads == 1:
        for item in items:
            function(item)
    else:
        parallel_for(function, items, threads=threads)


@dataclass
class Bits:
    """Signals that take two values only, sign of the output weight apart: one bit a neuron.

    A ReLU's slope is 0 or 1, so the Gram of its signals counts the neurons that two rows both activate.
    """

    words: np.ndarray
    levels: tuple[float, float]
    square: float
    width: int

    def product(self, mine: slice, other: Bits, theirs: slice, dtype: np.dtype) -> np.ndarray:
        """Inner products of the signals of some rows with those of others."""
        a, b = self.words[mine], other.words[theirs]
        low, high = self.levels
        result = np.empty((len(a), len(b)), np.float64 if low else dtype)
        factor = 1.0 if low else float(high * high * self.square)
        common_bits(a, np.ascontiguousarray(b.T), factor, result)
        if low:
            result *= (high - low) ** 2
            result += low * (high - low) * np.add.outer(self.counts(a), self.counts(b))
            result += low * low * self.width
            result *= self.square
        return result.astype(dtype, copy=False)

    def counts(self, words: np.ndarray) -> np.ndarray:
        """Set bits of each row."""
        return np.bitwise_count(words).sum(axis=1, dtype=np.int64) if _COUNTS else _count(words)

    def squares(self, rows: slice) -> np.ndarray:
        """Squared length of the signals of some rows."""
        low, high = self.levels
        return self.square * (low * low * self.width + (high**2 - low**2) * self.counts(self.words[rows]))


_COUNTS = hasattr(np, "bitwise_count")  # NumPy 2


def _count(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)


def uses_bits(copy: Copy) -> bool:
    """True if the signals of a two-layer copy take two values, up to sign: see `Bits`."""
    output = copy.layers[-1].weight
    if len(copy.layers) > 2 or len(output) > 1 or abs(output[0, 0]) != abs(output[0, -1]):
        return False
    return slope_levels(copy.activation) is not None and bool((abs(output) == abs(output[0, 0])).all())


class Features:
    """Layer inputs H[l] (rows, width) and signals D[l] = d outputs / d h^{l+1} (rows, k, width) of some rows.

    Both only for trained layers; the output layer's signals are the identity and left out.  ``columns`` takes
    part of the neurons of a two-layer copy.
    """

    def __init__(
        self, copy: Copy, X: Any, rows: slice, dtype: np.dtype, columns: slice | None = None
    ) -> None:
        self.x = dense(X, rows, dtype)
        self.copy = copy if columns is None else cut(copy, columns)
        n, layers = len(self.x), self.copy.layers
        self.k, self.lowest = len(layers[-1].weight), copy.include.index(True)
        self.H: list[np.ndarray | None] = [self.x if copy.include[0] else None]
        self.D: list[np.ndarray | Bits | None] = []
        packed = uses_bits(self.copy)
        for index, layer in enumerate(layers[:-1]):
            width = len(layer.weight)
            self.H.append(np.empty((n, width), dtype) if copy.include[index + 1] else None)
            if not copy.include[index]:
                self.D.append(None)
            elif packed:
                self.D.append(_empty_bits(self.copy, n, width))
            else:
                self.D.append(np.empty((n, self.k, width), dtype))
        levels = slope_levels(copy.activation)
        both = isinstance(self.H[-1], np.ndarray) and isinstance(self.D[-1], np.ndarray) and self.k == 1
        self.levels = levels if both else None
        self.squares = np.zeros((n, 2)) if self.levels else None  # of the last hidden layer
        operations = sum(2 * layer.weight.size + ELEMENTWISE * len(layer.weight) for layer in layers[:-1])
        each(self._fill, row_blocks(n, ROWS), threads_for(n * operations, dtype))

    def _fill(self, rows: slice) -> None:
        """Compute a task's rows: up through the layers, then down again from the outputs."""
        a, slopes = self.x[rows], []
        for index in range(len(self.copy.layers) - 1):
            a, slope = self._layer(index, a, rows)
            slopes.append(slope)
        if not isinstance(self.D[-1], Bits):
            self._back(rows, slopes)

    def _layer(self, index: int, a: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Values and slopes of hidden layer ``index``, with no rows where nobody asks for them.

        They are written into the features themselves where these keep them, else into memory of the task.
        If there is one output, the slopes of the last hidden layer come times its weights.
        """
        copy, n, width = self.copy, len(a), len(self.copy.layers[index].weight)
        last = index == len(copy.layers) - 2
        H, D, at, start = self.H[index + 1], self.D[index], rows.start, 0
        if H is None:
            H, at = np.empty((0 if last else n, width), a.dtype), 0
        S, factors = np.empty((0, width), a.dtype), np.ones(0, a.dtype)
        if last and self.k == 1:
            factors = _output_weights(copy)
        if isinstance(D, np.ndarray) and factors.size:
            S, start = D.reshape(len(D), width), rows.start
        elif index >= self.lowest and not isinstance(D, Bits):
            S = np.empty((n, width), a.dtype)
        for part in row_blocks(width, SEGMENT):
            z = _affine(copy.layers[index], a, part)
            if last and self.levels and self.squares is not None:
                write_two_slopes(self.levels, z, factors[part], H, S, at, part.start, self.squares)
                continue
            if len(H):
                write_values(copy.activation, z, H, at, part.start)
            if isinstance(D, Bits):
                pack_bits(z, D.words, rows.start, part.start // 64)
            elif len(S):
                write_slopes(copy.activation, z, factors[part], S, start, part.start)
        return H[at : at + n], S[start : start + n]

    def _back(self, rows: slice, slopes: list[np.ndarray]) -> None:
        """Propagate from the outputs down to the lowest trained layer."""
        layers, g = self.copy.layers, None
        for index in range(len(layers) - 2, self.lowest - 1, -1):
            layer, slope = layers[index + 1], slopes[index]
            if g is not None:
                back = layer.back(g.reshape(-1, g.shape[-1]), layer.weight).reshape(len(slope), self.k, -1)
                back *= slope[:, None, :]
            elif self.k == 1:  # the output weights are in the slopes already
                back = slope[:, None, :]
            else:
                back = slope[:, None, :] * (slope.dtype.type(layer.weight_multiplier) * layer.weight)
            kept = self.D[index]
            if isinstance(kept, np.ndarray) and not np.may_share_memory(kept, back):
                kept[rows] = back
            g = back

    def input_squares(self, index: int) -> np.ndarray:
        """|H[index]|^2 of each row, in float64."""
        H = self.H[index]
        assert H is not None
        if index and index == len(self.H) - 1 and self.squares is not None:
            return self.squares[:, 0]
        return _squares(H)

    def signal_squares(self, index: int) -> np.ndarray:
        """|D[index]|^2 of each row and output, in float64."""
        D = self.D[index]
        assert D is not None
        if index == len(self.D) - 1 and self.squares is not None:
            return self.squares[:, 1:]
        if isinstance(D, Bits):
            return D.squares(slice(None))[:, None]
        return _squares(D.reshape(-1, D.shape[-1])).reshape(-1, self.k)


def cut(copy: Copy, columns: slice) -> Copy:
    """A two-layer copy with some of its neurons; only the first ones come with the output bias."""
    first, last = copy.layers
    bias = None if first.bias is None else first.bias[columns]
    part = Layer(first.weight[columns], bias, first.weight_multiplier, first.bias_multiplier)
    bias = last.bias if columns.start == 0 else None
    end = Layer(last.weight[:, columns], bias, last.weight_multiplier, last.bias_multiplier)
    return Copy((part, end), copy.activation, copy.coefficient, copy.include)


def _empty_bits(copy: Copy, n: int, width: int) -> Bits:
    levels = slope_levels(copy.activation)
    last = copy.layers[-1]
    assert levels is not None
    square = float(last.weight_multiplier * float(last.weight[0, 0])) ** 2
    return Bits(np.zeros((n, -(-width // 64)), np.uint64), levels, square, width)


def _output_weights(copy: Copy) -> np.ndarray:
    last = copy.layers[-1]
    return last.weight.dtype.type(last.weight_multiplier) * last.weight[0]


def _affine(layer: Layer, a: np.ndarray, part: slice) -> np.ndarray:
    """Preactivations of some neurons; their own product, so that they do not depend on the others."""
    if part.stop - part.start == len(layer.weight):
        return layer(a)
    bias = None if layer.bias is None else layer.bias[part]
    return Layer(layer.weight[part], bias, layer.weight_multiplier, layer.bias_multiplier)(a)


def _squares(rows: np.ndarray) -> np.ndarray:
    """Squared lengths, summed by segments so that they do not depend on the columns at hand."""
    total = np.zeros(len(rows))
    add_squares(rows, SEGMENT, total)
    return total
