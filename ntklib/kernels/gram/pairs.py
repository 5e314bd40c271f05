"""Pairs of rows: two sets of rows carried through the layers, and values of tiles between them.

Each tile is a small BLAS product that stays in cache while gaps and layers are computed from it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from ntklib._core.blocks import row_blocks, tiles
from ntklib._core.jit import compiled

from .._wide import Wide, narrow
from ..contract import Architecture
from .gaps import products, signed_gaps
from .rows import prepare, prepare_pair, stacked

__all__ = [
    "TILE",
    "RowPairs",
    "Scales",
    "inner_dtype",
    "mirror_within",
    "row_diagonal",
    "row_scales",
    "scaled",
    "store",
]

TILE = 256  # a tile of float64 stays in a core's second-level cache
_LARGE_TILE = 512  # of many pairs: longer rows, worked on in parts of the same size
_MANY_PAIRS = 2**22
_MANY_FEATURES = 256  # they make the product dominate, which wants the whole of a large tile
_REACH = {np.dtype(np.float64): 500, np.dtype(np.float32): 60}  # exponents of factors and roots of values
# what docs/accuracy.md allows an error, relative to a value and to the root of its two diagonal entries
_ERRORS = {np.dtype(np.float64): (0.0, 1e-12), np.dtype(np.float32): (4e-6, 1.2e-6)}


class Scales:
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


class RowPairs:
    """Rows of one matrix or of two, ready for the tiles of the kernel between them.

    Parameters
    ----------
    net : Architecture
    X, Y : array or CSR matrix, checked
        Without Y the pairs are those of X with itself.
    """

    def __init__(self, net: Architecture, X: Any, Y: Any = None) -> None:
        self.net, self.symmetric = net, Y is None
        self.dtype = X.dtype if Y is None else np.result_type(X.dtype, Y.dtype)
        self.inner, self.dual = inner_dtype(net, self.dtype), net.activation.dual
        self.x, self.z = (prepare(X, self.inner),) * 2 if Y is None else prepare_pair(X, Y, self.inner)
        # one plan for both, so that a dual cuts its series at one length
        plan = self.dual.plan(net, self.x if self.symmetric else stacked(self.x, self.z))
        n, m = self.x.n, self.z.n
        plan_x = plan.take(slice(0, n))
        plan_z = plan_x if self.symmetric else plan.take(slice(n, n + m))
        self.plan = plan_x
        self.of_x = Scales(net, plan_x, self.inner, self.dtype)
        self.of_z = self.of_x if self.symmetric else Scales(net, plan_z, self.inner, self.dtype)
        self._many_features = self.x.X.shape[1] >= _MANY_FEATURES
        self.size = _LARGE_TILE if self._many_features or n * m >= _MANY_PAIRS else TILE
        self.height = TILE**2 // self.size
        self._rows = {rows.start: (rows, plan_x.take(rows)) for rows in row_blocks(n, self.height)}
        self._columns = {columns.start: plan_z.take(columns) for columns in row_blocks(m, self.size)}
        self._memory = threading.local()

    def tiles(self) -> list[tuple[slice, slice]]:
        """All tiles, of symmetric pairs those on and below the diagonal."""
        return list(tiles(self.x.n, self.z.n, self.size, symmetric=self.symmetric))

    def parts(self, rows: slice, columns: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Values of a tile over the scales of its rows and columns, a few rows at a time.

        On the diagonal of symmetric pairs a part ends where the rest is a mirror image, and only the lower
        triangle of its last square counts.  A part may lie in memory that the next one is written to.
        """
        diagonal = self.symmetric and rows == columns
        at_once = self._many_features and not diagonal
        fine = self.dual.magnifies(self.net)
        if at_once:
            whole = self._buffer(rows, columns)
            products(self.x, self.z, rows, columns, whole)
        for start in range(rows.start, rows.stop, self.height):
            part, block = self._rows[start]
            reach, other = columns, self._columns[columns.start]
            if diagonal:
                reach = slice(columns.start, part.stop)
                other = other.take(slice(0, part.stop - columns.start))
            if at_once:
                tau = whole[start - rows.start : part.stop - rows.start]
            else:
                tau = self._buffer(part, reach)
                products(self.x, self.z, part, reach, tau)
            apart = signed_gaps(self.x, self.z, part, reach, tau, fine)
            yield part, reach, self.dual.tile(self.net, block, other, tau, apart)

    def factors(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray] | None:
        """The scales of rows and columns, None where floats cannot hold them."""
        if self.of_x.plain is None or self.of_z.plain is None:
            return None
        return self.of_x.plain[rows], self.of_z.plain[columns]

    def scaled(self, values: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Values times scales, whatever the range of these."""
        return scaled(values, self.of_x, self.of_z, rows, columns, self.dtype)

    def diagonal(self) -> np.ndarray:
        """K(x, x) of the rows of x."""
        return row_diagonal(self.net, self.plan, self.dtype)

    def _buffer(self, rows: slice, columns: slice) -> np.ndarray:
        """A contiguous tile in memory that the thread keeps."""
        n, m = rows.stop - rows.start, columns.stop - columns.start
        local = self._memory
        if not hasattr(local, "tile") or local.tile.size < n * m:
            local.tile = np.empty(n * m, self.inner)
        return local.tile[: n * m].reshape(n, m)


def inner_dtype(net: Architecture, dtype: np.dtype) -> np.dtype:
    """Type that the angles of rows of a type are computed in."""
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


def scaled(
    values: np.ndarray, x: Scales, z: Scales, rows: slice, columns: slice, dtype: np.dtype
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
def store(values, x, z, out, i0, j0):
    """Write values times the factors of rows and columns to a place of an array."""
    n, m = values.shape
    for i in range(n):
        target = out[i0 + i, j0 : j0 + m]
        for j in range(m):
            target[j] = values[i, j] * x[i] * z[j]


@compiled
def mirror_within(out):
    """Copy the lower triangle of a square to the upper one."""
    for i in range(out.shape[0]):
        for j in range(i):
            out[j, i] = out[i, j]
