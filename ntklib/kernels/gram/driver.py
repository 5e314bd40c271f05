"""The Gram driver: tiles of pairs of rows, and one write of the output.

Only the finished values of a tile go to memory, to both triangles of a symmetric Gram.  Tiles do not depend
on the number of threads, so neither do the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory, tiles
from ntklib._core.jit import compiled
from ntklib._core.progress import counted, step
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_rows, check_same_features, same_memory

from ..contract import Architecture
from .gaps import products, signed_gaps
from .pairs import TILE, RowPairs, Scales, inner_dtype, mirror_within, row_diagonal, scaled, store
from .rows import prepare

__all__ = ["diagonal", "gram", "gram_gradient"]

_MANY_TILES = 2000  # work of seconds, which is shown as a step of its own
_SERIAL_BELOW = 1024  # rows under which starting threads costs more than it brings


def gram(net: Architecture, X: Any, Y: Any = None) -> np.ndarray:
    """Return K(X, Y), or the symmetric K(X) if Y is None or the same memory as X."""
    X = check_rows(X)
    symmetric = Y is None or same_memory(X, Y)
    if not symmetric:
        Y = check_rows(Y, "Y")
        check_same_features(X, Y)
        symmetric = same_memory(X, Y)
    dtype = X.dtype if symmetric else np.result_type(X.dtype, Y.dtype)
    require_memory((X.shape[0], X.shape[0] if symmetric else Y.shape[0]), dtype)
    pairs = RowPairs(net, X, None if symmetric else Y)
    out = np.empty((pairs.x.n, pairs.z.n), dtype)

    def fill(tile: tuple[slice, slice]) -> None:
        for rows, columns, values in pairs.parts(*tile):
            write(rows, columns, values)
            if symmetric and tile[0] == tile[1]:
                mirror_within(out[rows, rows])

    def write(rows: slice, columns: slice, values: np.ndarray) -> None:
        """Write values, after their mirror image: in a square on the diagonal the lower triangle counts."""
        factors = pairs.factors(rows, columns)
        if factors is None:
            block = pairs.scaled(values, rows, columns)
            if symmetric:
                out[columns, rows] = block.T
            out[rows, columns] = block
            return
        if symmetric:
            _store_transposed(values, *factors, out, columns.start, rows.start)
        store(values, *factors, out, rows.start, columns.start)

    work = pairs.tiles()
    threads = 1 if max(out.shape) < _SERIAL_BELOW else None
    if len(work) < _MANY_TILES:
        parallel_for(fill, work, threads=threads)
    else:
        with step("kernel matrix", len(work)) as gauge:
            parallel_for(counted(fill, gauge), work, threads=threads)
    if symmetric:
        np.fill_diagonal(out, pairs.diagonal())
    return out


def diagonal(net: Architecture, X: Any) -> np.ndarray:
    """Return the diagonal of K(X), the same bytes as in `gram`."""
    X = check_rows(X)
    rows = prepare(X, inner_dtype(net, X.dtype))
    return row_diagonal(net, net.activation.dual.plan(net, rows), X.dtype)


def gram_gradient(net: Architecture, X: Any) -> np.ndarray:
    """Return d K(X) / d log (weight_std, bias_std), shape (n, n, 2), float64."""
    X = check_rows(X)
    require_memory((X.shape[0], X.shape[0], 2), np.float64, "Gram gradient", "", single=False)
    x = prepare(X, np.dtype(np.float64))
    dual = net.activation.dual
    plan = dual.plan(net, x)
    scales = Scales(net, plan, x.dtype, x.dtype)
    out = np.empty((x.n, x.n, 2))
    log_diagonal = None
    if net.normalized:
        slope = dual.diagonal_gradient(net, plan)
        relative = plan.relative_diagonal.astype(np.float64)
        log_diagonal = np.divide(slope, 2 * relative, out=np.zeros_like(slope), where=relative > 0)

    def fill(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        tau = np.empty((rows.stop - rows.start, columns.stop - columns.start))
        products(x, x, rows, columns, tau)
        apart = signed_gaps(x, x, rows, columns, tau, dual.magnifies(net))
        if rows == columns:
            np.fill_diagonal(tau, 0.0)
        px = plan.take(rows)
        pz = px if rows == columns else plan.take(columns)
        slopes = dual.gradient(net, px, pz, tau.copy(), apart)
        if log_diagonal is not None:
            values = dual.tile(net, px, pz, tau, apart)
            slopes = slopes - values * (log_diagonal[:, rows, None] + log_diagonal[:, None, columns])
        for p in range(2):
            block = scaled(np.ascontiguousarray(slopes[p]), scales, scales, rows, columns, out.dtype)
            if rows == columns:
                block = np.tril(block) + np.tril(block, -1).T
                if net.normalized:  # the diagonal is 1 or 0, whatever the parameters
                    np.fill_diagonal(block, 0.0)
            out[rows, columns, p] = block
            out[columns, rows, p] = block.T

    parallel_for(fill, tiles(x.n, x.n, TILE, symmetric=True), threads=1 if x.n < TILE else None)
    return out


@compiled
def _store_transposed(values, x, z, out, j0, i0):
    """The same products, transposed; eight rows of output at a time share the lines they are read from."""
    n, m = values.shape
    whole = m - m % 8
    for j in range(0, whole, 8):
        for i in range(n):
            out[j0 + j, i0 + i] = values[i, j] * x[i] * z[j]
            out[j0 + j + 1, i0 + i] = values[i, j + 1] * x[i] * z[j + 1]
            out[j0 + j + 2, i0 + i] = values[i, j + 2] * x[i] * z[j + 2]
            out[j0 + j + 3, i0 + i] = values[i, j + 3] * x[i] * z[j + 3]
            out[j0 + j + 4, i0 + i] = values[i, j + 4] * x[i] * z[j + 4]
            out[j0 + j + 5, i0 + i] = values[i, j + 5] * x[i] * z[j + 5]
            out[j0 + j + 6, i0 + i] = values[i, j + 6] * x[i] * z[j + 6]
            out[j0 + j + 7, i0 + i] = values[i, j + 7] * x[i] * z[j + 7]
    for j in range(whole, m):
        for i in range(n):
            out[j0 + j, i0 + i] = values[i, j] * x[i] * z[j]
