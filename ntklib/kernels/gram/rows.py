"""Rows made ready for a Gram: unit vectors, their lengths, and the offset they are measured from.

Everything between two rows depends on their lengths and the angle between them.  Lengths are kept apart
as mantissas and exponents, unit rows go into the BLAS product.
Where most rows point the same way (columns that were not centred), a common offset is subtracted from
the unit rows first: angles come from differences, which an offset leaves alone, and the product of small
rows has a small rounding error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ntklib._core.blocks import row_blocks
from ntklib._core.jit import compiled, inlined
from ntklib._core.threads import parallel_for

__all__ = ["Rows", "prepare", "prepare_pair", "stacked"]

_OFFSET_BELOW = 1e-2  # mean squared distance from the mean direction under which the offset pays
_BLOCK_BYTES = 2**20
_LANES = 64  # running maxima and sums of a row, which then vectorise


@dataclass(frozen=True)
class Rows:
    """Unit rows less the offset, with the lengths of the original rows."""

    directions: Any  # (n, d) array or CSR matrix: x / |x| - offset
    half_squares: np.ndarray  # (n,) |direction|^2 / 2, exactly 1/2 without an offset
    X: Any  # (n, d) the rows themselves
    root: np.ndarray  # (n,) |x| = root 2^exponent
    exponent: np.ndarray  # (n,) int64

    @property
    def n(self) -> int:
        return self.root.shape[0]

    @property
    def lengths(self) -> np.ndarray:
        """|x| in extended precision."""
        return np.ldexp(self.root.astype(np.longdouble), self.exponent)

    @property
    def dtype(self) -> np.dtype:
        return self.half_squares.dtype


def prepare(X: Any, dtype: np.dtype) -> Rows:
    """Return the rows of one matrix, with their directions in a type."""
    return _offset_rows([X], dtype)[0]


def prepare_pair(X: Any, Y: Any, dtype: np.dtype) -> tuple[Rows, Rows]:
    """Return the rows of two matrices, measured from one offset."""
    x, y = _offset_rows([X, Y], dtype)
    return x, y


def stacked(x: Rows, z: Rows) -> Rows:
    """Return the rows of both, for what looks at rows one by one; they have no directions."""
    rows = [x.X, z.X]
    return Rows(
        directions=None,
        half_squares=np.concatenate([x.half_squares, z.half_squares]),
        X=sparse.vstack(rows, format="csr") if sparse.issparse(x.X) else _read_only(np.concatenate(rows)),
        root=np.concatenate([x.root, z.root]),
        exponent=np.concatenate([x.exponent, z.exponent]),
    )


def _offset_rows(matrices: list[Any], dtype: np.dtype) -> list[Rows]:
    if any(sparse.issparse(matrix) for matrix in matrices):
        return [_sparse_rows(sparse.csr_array(matrix), dtype) for matrix in matrices]
    d = matrices[0].shape[1]
    kind = np.result_type(*matrices)
    measured = [_measured(_read_only(matrix, kind)) for matrix in matrices]
    mean = np.sum([m.unit_sum for m in measured], axis=0) / max(
        sum(np.count_nonzero(m.root) for m in measured), 1
    )
    # of few bits, so that what is subtracted from a row has no rounding error
    offset = mean.astype(np.float32).astype(np.float64) if 1.0 - mean @ mean < _OFFSET_BELOW else np.zeros(d)
    return [m.rows(dtype, offset) for m in measured]


def _read_only(matrix: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """The rows as loops take them, all read-only and of one type: loops are compiled for each kind."""
    X = np.ascontiguousarray(matrix, dtype).view()
    X.flags.writeable = False
    return X


@dataclass(frozen=True)
class _Measured:
    """Rows with their lengths root * 2^exponent, and the sum of their unit vectors."""

    X: np.ndarray
    root: np.ndarray
    exponent: np.ndarray
    unit_sum: np.ndarray

    def rows(self, dtype: np.dtype, offset: np.ndarray) -> Rows:
        directions, half_squares = np.empty(self.X.shape, dtype), np.full(self.X.shape[0], 0.5)
        shifted = bool(offset.any())

        def write(rows: slice) -> None:
            _write_directions(
                self.X[rows],
                self.root[rows],
                self.exponent[rows],
                offset,
                shifted,
                directions[rows],
                half_squares[rows],
            )

        parallel_for(write, _blocks(self.X))
        return Rows(directions, half_squares.astype(dtype), self.X, self.root, self.exponent)


def _measured(X: np.ndarray) -> _Measured:
    n, d = X.shape
    root, exponent = np.empty(n), np.empty(n, np.int64)
    blocks = _blocks(X)
    sums = np.zeros((len(blocks), d))

    def measure(index: int) -> None:
        rows = blocks[index]
        _measure(X[rows], root[rows], exponent[rows], sums[index])

    parallel_for(measure, range(len(blocks)))
    return _Measured(X, root, exponent, sums.sum(axis=0))


def _blocks(X: np.ndarray) -> list[slice]:
    """Blocks of rows that do not depend on the number of threads, so that neither does their sum."""
    return list(row_blocks(X.shape[0], max(1, _BLOCK_BYTES // (8 * X.shape[1]))))


@inlined
def _halves(exponent):
    """Two powers of two whose product is 2^-exponent; one alone may be out of range."""
    whole = -int(exponent)
    first = whole // 2
    return math.ldexp(1.0, first), math.ldexp(1.0, whole - first)


@compiled
def _measure(X, root, exponent, unit_sum):
    """Lengths of rows, and the sum of their unit vectors."""
    n, d = X.shape
    whole = d - d % _LANES
    lanes = np.empty(_LANES)
    for i in range(n):
        row = X[i]
        lanes[:] = 0.0
        for k in range(0, whole, _LANES):
            part = row[k : k + _LANES]
            for j in range(_LANES):
                value = abs(np.float64(part[j]))
                lanes[j] = value if value > lanes[j] else lanes[j]
        largest = 0.0
        for j in range(_LANES):
            largest = max(largest, lanes[j])
        for k in range(whole, d):
            largest = max(largest, abs(np.float64(row[k])))
        e = math.frexp(largest)[1]
        first, second = _halves(e)
        lanes[:] = 0.0
        for k in range(0, whole, _LANES):
            part = row[k : k + _LANES]
            for j in range(_LANES):
                value = np.float64(part[j]) * first * second
                lanes[j] += value * value
        total = 0.0
        for j in range(_LANES):
            total += lanes[j]
        for k in range(whole, d):
            value = np.float64(row[k]) * first * second
            total += value * value
        length = math.sqrt(total)
        root[i], exponent[i] = length, e
        if length > 0.0:
            for k in range(d):
                unit_sum[k] += np.float64(row[k]) * first * second / length


@compiled
def _write_directions(X, root, exponent, offset, shifted, out, half_squares):
    n, d = X.shape
    for i in range(n):
        row, line = X[i], out[i]
        first, second = _halves(exponent[i])
        length = root[i] if root[i] > 0.0 else 1.0
        if not shifted:
            for k in range(d):
                line[k] = np.float64(row[k]) * first * second / length
            continue
        high = np.float64(np.float32(length))
        low = length - high
        total = 0.0
        for k in range(d):
            rest = np.float64(row[k]) * first * second - offset[k] * high
            line[k] = (rest - offset[k] * low) / length
        for k in range(d):
            total += np.float64(line[k]) * np.float64(line[k])
        half_squares[i] = total / 2.0


def _sparse_rows(X: sparse.csr_array, dtype: np.dtype) -> Rows:
    X = X.copy() if X.has_canonical_format else _summed(X)
    counts = np.diff(X.indptr)
    values = X.data.astype(np.float64)
    n = X.shape[0]
    root, exponent = np.zeros(n), np.zeros(n, np.int64)
    filled = np.flatnonzero(counts)
    if filled.size:
        exponent[filled] = np.frexp(np.maximum.reduceat(np.abs(values), X.indptr[filled]))[1]
        values = np.ldexp(values, -np.repeat(exponent, counts))
        root[filled] = np.sqrt(np.add.reduceat(values * values, X.indptr[filled]))
        values = values / np.repeat(np.where(root > 0, root, 1), counts)
    unit = sparse.csr_array((values.astype(dtype), X.indices, X.indptr), shape=X.shape)
    return Rows(unit, np.full(n, 0.5, dtype), X, root, exponent)


def _summed(X: sparse.csr_array) -> sparse.csr_array:
    X = X.copy()
    X.sum_duplicates()
    return X
