"""The Gram driver: rows, tiles, layers, and one write of the output.

Each tile is a small BLAS product that stays in cache while gaps and layers are computed from it; only the
finished values go to memory, to both triangles of a symmetric Gram.  Tiles do not depend on the number of
threads, so neither do the results.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory, row_blocks, tiles
from ntklib._core.jit import compiled
from ntklib._core.progress import counted, step
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_rows, check_same_features, same_memory

from .._wide import Wide, narrow
from ..contract import Architecture
from .gaps import products, signed_gaps
from .rows import prepare, prepare_pair, stacked

__all__ = ["diagonal", "gram", "gram_gradient", "row_diagonal", "row_scales"]

_TILE = 256  # a tile of float64 stays in a core's second-level cache
_LARGE_TILE = 512  # of many pairs: longer rows, worked on in parts of the same size
_MANY_PAIRS = 2**22
_MANY_FEATURES = 256  # they make the product dominate, which wants the whole of a large tile
_REACH = {np.dtype(np.float64): 500, np.dtype(np.float32): 60}  # exponents of factors and roots of values
# what docs/accuracy.md allows an error, relative to a value and to the root of its two diagonal entries
_ERRORS = {np.dtype(np.float64): (0.0, 1e-12), np.dtype(np.float32): (4e-6, 1.2e-6)}
_MANY_TILES = 2000  # work of seconds, which is shown as a step of its own
_SERIAL_BELOW = 1024  # rows under which starting threads costs more than it brings


class _Scales:
    """Factors of rows, kept as mantissas and exponents where floats could not hold them, or the values."""

    def __init__(self, net: Architecture, plan: Any, inner: np.dtype, dtype: np.dtype) -> None:
        scale, relative = row_scales(net, plan), plan.relative_diagonal
        self.mantissa, self.exponent = scale.mantissa.astype(np.float64), scale.exponent
        self.root = np.sqrt(relative.astype(np.float64))  # times the factor: the root of the diagonal
        some = (self.mantissa > 0) & (relative > 0)
        exponent, size = self.exponent[some], np.frexp(self.root[some])[1]
        # a tile times two factors stays in range
        wide = np.any(np.abs(exponent) > _REACH[inner]) or np.any(exponent + size > _REACH[dtype])
        self.plain = None if wide else np.ldexp(scale.mantissa, scale.exponent).astype(inner)


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
    dual = net.activation.dual
    inner = _inner_dtype(net, dtype)
    if symmetric:
        x = z = prepare(X, inner)
    else:
        x, z = prepare_pair(X, Y, inner)
    # one plan for both, so that a dual cuts its series at one length
    plan = dual.plan(net, x if symmetric else stacked(x, z))
    plan_x = plan.take(slice(0, x.n))
    plan_z = plan_x if symmetric else plan.take(slice(x.n, x.n + z.n))
    fine = dual.magnifies(net)
    out = np.empty((x.n, z.n), dtype)
    scales_x = _Scales(net, plan_x, inner, dtype)
    scales_z = scales_x if symmetric else _Scales(net, plan_z, inner, dtype)
    buffers = threading.local()
    many_features = x.X.shape[1] >= _MANY_FEATURES
    size = _LARGE_TILE if many_features or x.n * z.n >= _MANY_PAIRS else _TILE
    height = _TILE**2 // size
    blocks_x = {rows.start: (rows, plan_x.take(rows)) for rows in row_blocks(x.n, height)}
    blocks_z = {columns.start: plan_z.take(columns) for columns in row_blocks(z.n, size)}

    def fill(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        diagonal = symmetric and rows == columns
        at_once = many_features and not diagonal
        if at_once:
            whole = _buffer(buffers, inner, rows, columns)
            products(x, z, rows, columns, whole)
        for start in range(rows.start, rows.stop, height):
            part, block = blocks_x[start]
            reach, other = columns, blocks_z[columns.start]
            if diagonal:  # the rest of these rows is a mirror image
                reach = slice(columns.start, part.stop)
                other = other.take(slice(0, part.stop - columns.start))
            if at_once:
                tau = whole[start - rows.start : part.stop - rows.start]
            else:
                tau = _buffer(buffers, inner, part, reach)
                products(x, z, part, reach, tau)
            apart = signed_gaps(x, z, part, reach, tau, fine)
            write(part, reach, dual.tile(net, block, other, tau, apart))
            if diagonal:
                _mirror_within(out[part, part])

    def write(rows: slice, columns: slice, values: np.ndarray) -> None:
        """Write values, after their mirror image: in a square on the diagonal the lower triangle counts."""
        if scales_x.plain is None or scales_z.plain is None:
            block = _scaled(values, scales_x, scales_z, rows, columns, dtype)
            if symmetric:
                out[columns, rows] = block.T
            out[rows, columns] = block
            return
        x_factors, z_factors = scales_x.plain[rows], scales_z.plain[columns]
        if symmetric:
            _store_transposed(values, x_factors, z_factors, out, columns.start, rows.start)
        _store(values, x_factors, z_factors, out, rows.start, columns.start)

    work = list(tiles(x.n, z.n, size, symmetric=symmetric))
    threads = 1 if max(x.n, z.n) < _SERIAL_BELOW else None
    if len(work) < _MANY_TILES:
        parallel_for(fill, work, threads=threads)
    else:
        with step("kernel matrix", len(work)) as gauge:
            parallel_for(counted(fill, gauge), work, threads=threads)
    if symmetric:
        np.fill_diagonal(out, row_diagonal(net, plan_x, dtype))
    return out


def diagonal(net: Architecture, X: Any) -> np.ndarray:
    """Return the diagonal of K(X), the same bytes as in `gram`."""
    X = check_rows(X)
    rows = prepare(X, _inner_dtype(net, X.dtype))
    return row_diagonal(net, net.activation.dual.plan(net, rows), X.dtype)


def gram_gradient(net: Architecture, X: Any) -> np.ndarray:
    """Return d K(X) / d log (weight_std, bias_std), shape (n, n, 2), float64."""
    X = check_rows(X)
    require_memory((X.shape[0], X.shape[0], 2), np.float64, "Gram gradient")
    x = prepare(X, np.dtype(np.float64))
    dual = net.activation.dual
    plan = dual.plan(net, x)
    scales = _Scales(net, plan, x.dtype, x.dtype)
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
            block = _scaled(np.ascontiguousarray(slopes[p]), scales, scales, rows, columns, out.dtype)
            if rows == columns:
                block = np.tril(block) + np.tril(block, -1).T
                if net.normalized:  # the diagonal is 1 or 0, whatever the parameters
                    np.fill_diagonal(block, 0.0)
            out[rows, columns, p] = block
            out[columns, rows, p] = block.T

    parallel_for(fill, tiles(x.n, x.n, _TILE, symmetric=True), threads=1 if x.n < _TILE else None)
    return out


def _inner_dtype(net: Architecture, dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float64) if net.activation.dual.needs_float64(net) else dtype


def row_scales(net: Architecture, plan: Any) -> Wide:
    """Return factors of a tile's rows: the NNGP's standard deviation, or what makes K_xx one."""
    if not net.normalized:
        return plan.scale
    relative = plan.relative_diagonal
    positive = _positive(plan)
    return Wide(np.where(positive, 1 / np.sqrt(np.where(positive, relative, 1)), 0))


def row_diagonal(net: Architecture, plan: Any, dtype: np.dtype) -> np.ndarray:
    """Return K_xx of the rows of a plan."""
    if net.normalized:
        return _positive(plan).astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        return narrow(plan.relative_diagonal * plan.scale**2).astype(np.float64).astype(dtype)


def _positive(plan: Any) -> np.ndarray:
    """Rows with K_xx > 0, be it too small for a float."""
    return (plan.relative_diagonal > 0) & (plan.scale.mantissa > 0)


def _buffer(local: threading.local, dtype: np.dtype, rows: slice, columns: slice) -> np.ndarray:
    """A contiguous tile in memory that the thread keeps."""
    n, m = rows.stop - rows.start, columns.stop - columns.start
    if not hasattr(local, "memory") or local.memory.size < n * m:
        local.memory = np.empty(n * m, dtype)
    return local.memory[: n * m].reshape(n, m)


def _scaled(
    values: np.ndarray, x: _Scales, z: _Scales, rows: slice, columns: slice, dtype: np.dtype
) -> np.ndarray:
    """Multiply by the factors of rows and columns, the mantissas first: no factor need be representable.

    A result is infinite only if it is so for every value within the error allowed.  Rows at a right angle
    may leave nothing but an error, and that times two long rows be beyond the floats where the value is not.
    """
    mantissa = np.outer(x.mantissa[rows], z.mantissa[columns])
    exponent = np.clip(x.exponent[rows, None] + z.exponent[None, columns], -(2**12), 2**12)
    with np.errstate(over="ignore", under="ignore"):
        out = np.ldexp(values * mantissa, exponent).astype(dtype)
        if np.any(np.isinf(out)):
            of_value, of_scale = _ERRORS[dtype]
            least = np.abs(values) * (1 - of_value) - of_scale * np.outer(x.root[rows], z.root[columns])
            beyond = np.isinf(np.ldexp(least * mantissa, exponent).astype(dtype)) & (least > 0)
            largest = np.copysign(np.finfo(dtype).max, values).astype(dtype)
            out = np.where(np.isinf(out) & ~beyond, largest, out)
    return out


@compiled
def _store(values, x, z, out, i0, j0):
    n, m = values.shape
    for i in range(n):
        target = out[i0 + i, j0 : j0 + m]
        for j in range(m):
            target[j] = values[i, j] * x[i] * z[j]


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


@compiled
def _mirror_within(out):
    for i in range(out.shape[0]):
        for j in range(i):
            out[j, i] = out[i, j]
