"""The tangent kernel Theta = sum_l (w_l H_l H_l^T + b_l) * (D_l D_l^T), tile by tile.

Each tile is a handful of small BLAS products and one elementwise sum, so that beside the output there are
only the features of the rows at hand; where they do not fit in the working memory, the rows are cut into
blocks, and the neurons of two-layer networks into chunks.  Nothing depends on the number of threads.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks, tiles, working_memory
from ntklib._core.threads import get_threads

from ._features import ELEMENTWISE, ROWS, SEGMENT, Bits, Features, each, threads_for, uses_bits
from ._plan import TangentPlan
from ._tiles import Share, write_shares

__all__ = ["diagonal", "fill_gram"]

_TILE = 512  # rows and columns; fewer where several threads would not find work otherwise
_CUT = (
    2e9  # operations, times bytes of a number: with s^2 times as many a side is cut into s parts, at most 4
)
_FEW = 3  # tiles whose products are computed one by one, by whichever thread is free


def fill_gram(plan: TangentPlan, X: Any, Y: Any, out: np.ndarray, split: bool) -> None:
    """Write the kernel into ``out``; Y=None is X.  ``split``: the layers apart, into zeros.

    To be called where BLAS has one thread (`single_threaded`), like `diagonal`.
    """
    symmetric = Y is None
    Y = X if symmetric else Y
    size, chunks = _division(plan, X.shape, Y.shape)
    for copy in plan.copies:
        for rows in row_blocks(X.shape[0], size):
            left: Features | None = None
            for columns in row_blocks(rows.stop if symmetric else Y.shape[0], size):
                same = symmetric and rows == columns
                block = _Block(plan, rows, columns, same)
                for chunk in chunks:
                    if left is None or len(chunks) > 1:
                        left = Features(copy, X, rows, plan.dtype, chunk)
                    right = left if same else Features(copy, Y, columns, plan.dtype, chunk)
                    block.add(left, right, last=chunk is chunks[-1])
                    if chunk is chunks[-1]:
                        block.write(out, symmetric, split, add=copy is not plan.copies[0])


def diagonal(plan: TangentPlan, X: Any) -> np.ndarray:
    """Kernel of each row with itself, (n,) or (n, k): the same bytes as in the Gram."""
    n = X.shape[0]
    result = np.zeros((n, plan.n_outputs) if plan.form == "diagonal" else n, plan.dtype)
    size, chunks = _division(plan, X.shape, X.shape)
    for number, copy in enumerate(plan.copies):
        for rows in row_blocks(n, size):
            squares = _Squares(plan)
            for chunk in chunks:
                squares.add(Features(copy, X, rows, plan.dtype, chunk))
            part = sum(squares.parts())
            result[rows] = result[rows] + part if number else part
    return result


class _Squares:
    """Squared lengths of the features of some rows, which make up the diagonal of the kernel."""

    def __init__(self, plan: TangentPlan) -> None:
        self.plan = plan
        self.inputs: dict[int, np.ndarray] = {}
        self.signals: dict[int, np.ndarray] = {}

    def add(self, features: Features) -> None:
        """Take another chunk of neurons."""
        for layer in self.plan.trained:
            if layer or layer not in self.inputs:  # chunks of neurons have the rows themselves in common
                _accumulate(self.inputs, layer, features.input_squares(layer))
            if layer < self.plan.top:
                _accumulate(self.signals, layer, features.signal_squares(layer))

    def parts(self) -> list[np.ndarray]:
        """Contribution of each trained layer to the diagonal, (n,) or (n, k)."""
        plan, result = self.plan, []
        for layer in plan.trained:
            part = plan.weights[layer] * self.inputs[layer] + plan.biases[layer]
            if plan.form == "trace":
                part *= self.signals[layer].sum(axis=1) if layer < plan.top else plan.n_outputs
            else:
                part = part[:, None] * self.signals.get(layer, np.ones((1, plan.n_outputs)))
            result.append(part.astype(plan.dtype, copy=False))
        return result


class _Block:
    """Some rows against others, for one copy: products grow over the chunks, then tiles are written."""

    def __init__(self, plan: TangentPlan, rows: slice, columns: slice, same: bool) -> None:
        self.plan, self.rows, self.columns = plan, rows, columns
        n, m = rows.stop - rows.start, columns.stop - columns.start
        widths = [layer.weight.shape[1] for layer in plan.copies[0].layers]
        operations = 4 * n * m * sum(widths)
        self.threads = threads_for(operations, plan.dtype)
        cuts = min(4, isqrt(int(operations * plan.dtype.itemsize / _CUT)))
        parts = max(1, cuts, -(-isqrt(n * m) // _TILE))  # of nearly the same size
        side = min(_TILE, max(_TILE // 4, isqrt(n * m) // parts + 1))
        side = max(1, side // (plan.n_outputs if plan.form == "full" else 1))
        self.places = list(tiles(n, m, side, symmetric=same))
        # whether products are computed one by one before tiles are put together, which then takes little time
        self.apart = len(self.places) <= _FEW and (self.threads or get_threads()) > 1
        self.finishing = threads_for(ELEMENTWISE * n * m, plan.dtype) if self.apart else self.threads
        self.items = [(place, layer) for place in range(len(self.places)) for layer in plan.trained]
        self.products: list[dict[Any, np.ndarray]] = [{} for _ in self.places]
        self.squares = _Squares(plan) if same else None
        self.features: tuple[Features, Features]

    def add(self, left: Features, right: Features, *, last: bool) -> None:
        """Take another chunk of neurons; the products of the last one wait for `write`."""
        self.features = left, right
        if self.squares is not None:
            self.squares.add(left)
        if not last:
            each(self._multiply, self.items, self.threads)

    def write(self, out: np.ndarray, symmetric: bool, split: bool, *, add: bool) -> None:
        """Multiply what is left, and put or add every tile in its place."""
        plan = self.plan
        diagonals = self.squares.parts() if self.squares is not None else []
        if diagonals and plan.form == "trace" and not split:
            diagonals = [sum(diagonals[1:], start=diagonals[0])]

        def finish(number: int) -> None:
            if not self.apart:
                for layer in plan.trained:
                    self._multiply((number, layer))
            mine, theirs = self.places[number]
            rows, columns = _moved(mine, self.rows.start), _moved(theirs, self.columns.start)
            values = [diagonal[mine] for diagonal in diagonals] if mine == theirs else []
            if plan.form == "trace":
                self._write_trace(number, out, rows, columns, values, split, add)
                if symmetric and rows != columns:
                    out[..., columns, rows] = out[..., rows, columns].swapaxes(-1, -2)
            else:
                self._write_outputs(number, out, rows, columns, values, symmetric, split, add)

        if self.apart:
            each(self._multiply, self.items, self.threads)
        each(finish, range(len(self.places)), self.finishing)
        self.products = []

    def _write_trace(
        self,
        number: int,
        out: np.ndarray,
        rows: slice,
        columns: slice,
        diagonals: list[np.ndarray],
        split: bool,
        add: bool,
    ) -> None:
        """Put or add a tile of the kernel of traces straight in its place."""
        plan, kept = self.plan, self.products[number]
        for index, group in enumerate([[layer] for layer in plan.trained] if split else [plan.trained]):
            target = out[group[0]] if split else out
            after = len(target) + 1  # from one number of the diagonal to the next
            diagonal = target.reshape(-1)[rows.start * after : rows.stop * after : after]
            before = diagonal.copy() if add and diagonals else 0
            hidden = [self._share(kept, layer) for layer in group if layer < plan.top]
            top = self._share(kept, plan.top) if plan.top in group else None
            first = hidden[0] if hidden else None
            write_shares(first, top, target, rows.start, columns.start, add=add)
            for share in hidden[1:]:
                write_shares(share, None, target, rows.start, columns.start, add=True)
            if diagonals:
                diagonal[...] = before + diagonals[index] if add else diagonals[index]

    def _share(self, kept: dict[Any, np.ndarray], layer: int) -> Share:
        """Contribution of a layer to a tile of the kernel of traces."""
        plan, values = self.plan, kept.pop((layer, "H"))
        if layer < plan.top:
            return Share(values, plan.weights[layer], plan.biases[layer], kept.pop((layer, 0)))
        return Share(values, plan.n_outputs * plan.weights[layer], plan.n_outputs * plan.biases[layer])

    def _write_outputs(
        self,
        number: int,
        out: np.ndarray,
        rows: slice,
        columns: slice,
        diagonals: list[np.ndarray],
        symmetric: bool,
        split: bool,
        add: bool,
    ) -> None:
        """Put or add a tile of the kernel with axes of outputs, and its mirror image, in their places."""
        plan, layers = self.plan, self._layers(number)
        for layer, values in zip(layers, diagonals, strict=bool(diagonals)):
            _set_diagonal(layer, values, plan.form)
        if split:
            tile = np.zeros((plan.top + 1, *layers[0].shape), plan.dtype)
            tile[plan.trained] = layers
        else:
            tile = layers[0]
            for layer in layers[1:]:
                tile += layer
        place = plan.place(out, rows, columns)
        place[...] = place + tile if add else tile
        if symmetric and rows != columns:
            mirror = plan.place(out, columns, rows)
            parts = list(tile) if split else [tile]
            for target, part in zip(mirror if split else [mirror], parts, strict=True):
                target[...] = target + plan.transposed(part) if add else plan.transposed(part)

    def _multiply(self, item: tuple[int, int]) -> None:
        """Add a layer's products of the features at hand to those of a tile."""
        number, layer = item
        plan, (left, right), kept = self.plan, self.features, self.products[number]
        mine, theirs = self.places[number]
        if layer or (0, "H") not in kept:
            _accumulate(kept, (layer, "H"), left.H[layer][mine] @ right.H[layer][theirs].T)  # type: ignore[index]
        if layer < plan.top:
            for key, product in self._signal_products(left.D[layer], right.D[layer], mine, theirs):
                _accumulate(kept, (layer, key), product)

    def _signal_products(self, a: Any, b: Any, mine: slice, theirs: slice):
        if isinstance(a, Bits):
            yield 0, a.product(mine, b, theirs, self.plan.dtype)
        elif self.plan.form == "diagonal":
            for output in range(self.plan.n_outputs):
                yield output, a[mine, output] @ b[theirs, output].T
        else:
            columns = a.shape[2] * (self.plan.n_outputs if self.plan.form == "trace" else 1)
            yield 0, a[mine].reshape(-1, columns) @ b[theirs].reshape(-1, columns).T

    def _layers(self, number: int) -> list[np.ndarray]:
        """Contribution of each trained layer to a tile."""
        plan, kept, k = self.plan, self.products[number], self.plan.n_outputs
        result = []
        for layer in plan.trained:
            values = kept.pop((layer, "H"))
            values *= values.dtype.type(plan.weights[layer])
            values += values.dtype.type(plan.biases[layer])
            if plan.form == "diagonal":
                signals = [kept.pop((layer, o)) if layer < plan.top else 1 for o in range(k)]
                values = np.stack([values * signal for signal in signals], axis=2)
            else:
                n, m = values.shape
                eye = np.eye(k, dtype=plan.dtype)[None, :, None, :]
                signal = kept.pop((layer, 0)).reshape(n, k, m, k) if layer < plan.top else eye
                values = values[:, None, :, None] * signal
            result.append(values)
        return result


def _accumulate(kept: dict[Any, np.ndarray], key: Any, product: np.ndarray) -> None:
    if key in kept:
        kept[key] += product
    else:
        kept[key] = product


def _set_diagonal(tile: np.ndarray, values: np.ndarray, form: str) -> None:
    index = np.arange(len(tile))
    if form == "full":
        outputs = np.arange(tile.shape[1])
        tile[index[:, None], outputs, index[:, None], outputs] = values
    else:
        tile[index, index] = values


def _moved(part: slice, start: int) -> slice:
    return slice(part.start + start, part.stop + start)


def _division(
    plan: TangentPlan, shape: tuple[int, int], other: tuple[int, int]
) -> tuple[int, list[slice | None]]:
    """Rows of a block and chunks of neurons, such that all features at hand fit in the working memory."""
    copy, trained, k = plan.copies[0], plan.trained, plan.n_outputs
    layers = copy.layers
    n = max(shape[0], other[0])
    sides = 1 if n <= shape[0] and shape == other else 2
    numbers = working_memory() // plan.dtype.itemsize
    signal = 1 / 16 if uses_bits(copy) else k  # numbers for each neuron of a row, packed bits rounded up
    widths = [len(layer.weight) for layer in layers[:-1]]
    row = shape[1] + sum(
        width * ((index + 1 in trained) + (signal if index in trained else 0))
        for index, width in enumerate(widths)
    )
    if sides * n * row <= numbers:
        return n, [None]
    if len(layers) > 2:
        return _whole(numbers / (2 * row)), [None]
    # a third for the products that grow from chunk to chunk, a third for the features of a chunk
    products = 1 + {"trace": 1, "diagonal": k, "full": k * k}[plan.form]
    block = min(n, _whole(isqrt(int(numbers / (3 * products)))))
    neurons = (numbers / 3 / (2 * block) - shape[1]) / (1 + signal)
    chunk = max(SEGMENT, int(neurons) // SEGMENT * SEGMENT)
    return block, list(row_blocks(widths[0], chunk))


def _whole(rows: float) -> int:
    """A number of rows made of whole tasks."""
    return max(ROWS, int(rows) // ROWS * ROWS)
