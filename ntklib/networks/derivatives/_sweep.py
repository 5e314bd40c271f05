"""Outputs and gradients in one sweep over the rows: layer by layer, on tiles that stay in cache.

Every layer is cut into segments of neurons, and rows into groups, whatever the number of threads: a task
computes what belongs to its segment and group with a single-threaded BLAS, so that results are the same
bytes at any thread count.  Preactivations are kept segment by segment; what follows from them elementwise
is never written to memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks
from ntklib._core.threads import get_threads, parallel_for, single_threaded

from ..spec import Spec
from .layers import Copy, Direction, Layer
from .loops import multiply_slopes, write_signals, write_values
from .passes import dense, row_step

__all__ = ["Sweep"]

ROWS = 2048  # of a tile
SEGMENTS = (128, 512)  # neurons of a tile, where the layer's products are thin and where they are not
THIN = 512
TASKS = 16  # per layer at least, if there are rows enough: segments times groups of rows
SERIAL = 2e7  # operations that are done before a second thread has begun

Gradients = tuple[Direction | None, ...]


class Sweep:
    """Sweeps of a network over blocks of at most ``n_rows`` rows that fit in the working memory.

    The workspace is kept from one sweep to the next.
    """

    def __init__(self, spec: Spec, n_rows: int, dtype: np.dtype) -> None:
        self.n_outputs, self.dtype = spec.n_outputs, dtype
        self.block = min(n_rows, row_step(spec, dtype, 2 if spec.depth == 1 else 4))
        self.passes = [_Pass(spec, self.block, dtype) for _ in spec.copies]

    def __call__(
        self,
        copies: tuple[Copy, ...],
        X: Any,
        cotangent: Callable[[slice, np.ndarray], np.ndarray] | None = None,
        gradients: list[Gradients] | None = None,
    ) -> np.ndarray:
        """Return the outputs (n, k); write the gradient of <c, outputs> for c = cotangent(rows, outputs)."""
        return single_threaded(self._sweep, copies, X, cotangent, gradients)

    def _sweep(
        self,
        copies: tuple[Copy, ...],
        X: Any,
        cotangent: Callable[[slice, np.ndarray], np.ndarray] | None,
        gradients: list[Gradients] | None,
    ) -> np.ndarray:
        result = np.empty((X.shape[0], self.n_outputs), self.dtype)
        with np.errstate(all="ignore"):  # whoever asks looks at the outputs: they show what was too large
            for rows in row_blocks(X.shape[0], self.block):
                x = dense(X, rows, self.dtype)
                parts = [one.forward(copy, x) for one, copy in zip(self.passes, copies, strict=True)]
                result[rows] = f = combined(copies, parts)
                if cotangent is None or gradients is None:
                    continue
                c = np.asarray(cotangent(rows, f), self.dtype).reshape(f.shape)
                for one, copy, gradient in zip(self.passes, copies, gradients, strict=True):
                    one.backward(copy, self.dtype.type(copy.coefficient) * c, gradient, rows.start == 0)
        return result


def combined(copies: tuple[Copy, ...], parts: list[np.ndarray]) -> np.ndarray:
    """The outputs of all copies together; two equal copies give exactly 0."""
    factor = parts[0].dtype.type(copies[0].coefficient)
    return factor * (parts[0] if len(parts) == 1 else parts[0] - parts[1])


class _Pass:
    """One copy on one block of rows: a forward pass, and the backward pass that follows it.

    Of hidden layer l, h[l] holds the preactivations (a segment after the other), ``values[l]`` what the layer
    above reads, its multiplier included, and g[l] the signals; the last two only where a product needs them
    whole, that is between hidden layers.
    """

    def __init__(self, spec: Spec, rows: int, dtype: np.dtype) -> None:
        self.dtype, self.rows, widths = dtype, rows, spec.widths
        self.lowest = spec.include.index(True)
        self.h = [np.empty(rows * width, dtype) for width in widths]
        self.values = [np.empty((rows, width), dtype) for width in widths[:-1]]
        self.g: list[np.ndarray | None] = [
            np.empty((rows, width), dtype) if index > self.lowest else None
            for index, width in enumerate(widths)
        ]
        self.scratch: list[np.ndarray] = []  # tiles that no task holds just now

    def forward(self, copy: Copy, x: np.ndarray) -> np.ndarray:
        """The copy's outputs (rows, k), without its coefficient."""
        self.n, top = len(x), copy.layers[-1]
        self.inputs = [_times(x, copy.layers[0].weight_multiplier)]
        outputs = np.empty((0, 0, 0), x.dtype)
        for index, (layer, above) in enumerate(pairwise(copy.layers)):
            parts, groups = self._cut(layer, above)
            if above is top:
                outputs = np.empty((len(parts), self.n, len(top.weight)), x.dtype)

            def work(task, index=index, layer=layer, above=above, outputs=outputs):
                number, part, group = task
                a, last = self.inputs[index], above is top
                for rows in _chunks(group):
                    z = self._preactivations(index, part)[rows]
                    np.matmul(a[rows], layer.weight[part].T, out=z)
                    if layer.bias is not None:
                        z += _times(layer.bias[part], layer.bias_multiplier)
                    tile = self._borrow(z.shape)
                    write_values(copy.activation, z, tile, factor=1.0 if last else above.weight_multiplier)
                    if last:
                        np.matmul(tile, top.weight[:, part].T, out=outputs[number, rows])
                    else:
                        self.values[index][rows, part] = tile
                    self._give_back(tile)

            self._run(work, layer, above, [(*one, group) for one in enumerate(parts) for group in groups])
            if above is not top:
                self.inputs.append(self.values[index][: self.n])
        f = _times(outputs.sum(axis=0), top.weight_multiplier)
        return f if top.bias is None else f + _times(top.bias, top.bias_multiplier)

    def backward(self, copy: Copy, c: np.ndarray, gradient: Gradients, fresh: bool) -> None:
        """Write the gradient of <c, outputs> in the trained layers, or add it to what is there."""
        top, last = copy.layers[-1], len(copy.layers) - 2
        if gradient[-1] is not None and top.bias is not None:
            _put(gradient[-1].bias, _times(c.sum(axis=0), top.bias_multiplier), fresh)
        signals = _times(c, top.weight_multiplier)
        for index in range(last, min(self.lowest, last) - 1, -1):
            signals = self._descend(copy, index, signals, gradient, fresh)

    def _descend(
        self, copy: Copy, index: int, signals: np.ndarray, gradient: Gradients, fresh: bool
    ) -> np.ndarray:
        """Return the signals of hidden layer ``index`` from those of the layer above; write its gradient."""
        layer, above = copy.layers[index], copy.layers[index + 1]
        mine, outer = gradient[index], gradient[-1] if above is copy.layers[-1] else None
        a, kept, sigma = self.inputs[index], self.g[index], copy.activation
        needed = index >= self.lowest
        # the factor of the layer above is in its signals already if it is the output layer
        factor = 1.0 if above is copy.layers[-1] else above.weight_multiplier
        parts, groups = self._cut(layer, above)
        targets = [(mine, outer)]
        targets += [(_like(mine, True), _like(outer, False)) for _ in groups[1 if fresh else 0 :]]
        into = targets if fresh else targets[1:]

        def work(task):
            part, number = task
            own, top = into[number]
            for rows in _chunks(groups[number]):
                z, g = self._preactivations(index, part)[rows], signals[rows]
                first = rows.start == groups[number].start
                weights = above.weight[:, part]
                tile = self._borrow(z.shape)
                if top is not None or g.shape[1] == 1:
                    if g.shape[1] == 1:  # outer products of rows and neurons
                        sums = write_signals(sigma, z, g[:, 0], weights[0], factor, tile)[None]
                    else:
                        write_values(sigma, z, tile)
                        sums = g.T @ tile
                    if top is not None:
                        _put(top.weight[:, part], sums, first)
                if needed and g.shape[1] > 1:
                    np.matmul(g, weights, out=tile)
                    multiply_slopes(sigma, z, factor, tile)
                if kept is not None:
                    kept[rows, part] = tile
                if own is not None:
                    if first:
                        np.matmul(tile.T, a[rows], out=own.weight[part])
                    else:
                        own.weight[part] += tile.T @ a[rows]
                    if own.bias is not None:
                        _put(own.bias[part], _times(tile.sum(axis=0), layer.bias_multiplier), first)
                self._give_back(tile)

        self._run(work, layer, above, [(part, number) for part in parts for number in range(len(groups))])
        for pair in targets[1:]:
            for total, more in zip(targets[0], pair, strict=True):
                if total is not None and more is not None:
                    total.weight[...] += more.weight
                    if total.bias is not None and more.bias is not None:
                        total.bias[...] += more.bias
        return signals if kept is None else kept[: self.n]

    def _cut(self, layer: Layer, above: Layer) -> tuple[list[slice], list[slice]]:
        """Segments of the layer's neurons, and groups of rows."""
        width, inputs = layer.weight.shape
        least = SEGMENTS[0 if max(inputs, len(above.weight)) <= THIN else 1]
        most = min(SEGMENTS[0] * ROWS // self.n, width // TASKS)  # of few rows, wide tiles
        parts = list(row_blocks(width, max(least, most // 128 * 128)))
        groups = min(-(-TASKS // len(parts)), -(-self.n // (ROWS // 8)))
        return parts, list(row_blocks(self.n, -(-self.n // groups)))

    def _preactivations(self, index: int, part: slice) -> np.ndarray:
        """Preactivations of a segment (rows, neurons), contiguous."""
        flat = self.h[index][self.n * part.start : self.n * part.stop]
        return flat.reshape(self.n, part.stop - part.start)

    def _borrow(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of that shape from the scratch memory."""
        size = shape[0] * shape[1]
        while self.scratch:
            try:
                memory = self.scratch.pop()
            except IndexError:  # another thread was faster
                break
            if memory.size >= size:
                return memory[:size].reshape(shape)
        return np.empty(size, self.dtype).reshape(shape)

    def _give_back(self, tile: np.ndarray) -> None:
        assert tile.base is not None
        self.scratch.append(tile.base)

    def _run(self, work: Callable[[Any], None], layer: Layer, above: Layer, tasks: list[Any]) -> None:
        waiting = iter(tasks)

        def take_turns(_: int) -> None:
            with np.errstate(all="ignore"):  # each thread has its own
                for task in waiting:  # the next one that no thread has taken
                    work(task)

        width, inputs = layer.weight.shape
        operations = 2.0 * self.n * width * (inputs + len(above.weight))
        if operations < SERIAL:
            take_turns(0)
        else:
            parallel_for(take_turns, range(min(get_threads(), len(tasks))))


def _chunks(group: slice) -> Iterator[slice]:
    for start in range(group.start, group.stop, ROWS):
        yield slice(start, min(start + ROWS, group.stop))


def _times(array: np.ndarray, factor: float) -> np.ndarray:
    return array if factor == 1 else array.dtype.type(factor) * array


def _put(out: np.ndarray | None, array: np.ndarray, fresh: bool) -> None:
    assert out is not None
    if fresh:
        out[...] = array
    else:
        out += array


def _like(part: Direction | None, biases: bool) -> Direction | None:
    if part is None:
        return None
    bias = np.empty_like(part.bias) if biases and part.bias is not None else None
    return Direction(np.empty_like(part.weight), bias)
