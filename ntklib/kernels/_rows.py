"""Rows made ready for a Gram: unit vectors, their lengths, and the offset they are measured from.

Everything between two rows depends on their lengths and the angle between them.  Lengths are kept apart
(in extended precision, so that 1e150 can be raised to a power), unit rows go into the BLAS product.
Where most rows point the same way (columns that were not centred), a common offset is subtracted from
the unit rows first: angles come from differences, which an offset leaves alone, and the product of small
rows has a small rounding error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .._blocks import row_blocks

__all__ = ["Rows", "prepare", "prepare_pair"]

_OFFSET_BELOW = 1e-2  # mean squared distance from the mean direction under which the offset pays
_BLOCK_BYTES = 2**23


@dataclass(frozen=True)
class Rows:
    """Unit rows less the offset, with the lengths of the original rows."""

    directions: Any  # (n, d) array or CSR matrix: x / |x| - offset
    half_squares: np.ndarray  # (n,) |direction|^2 / 2, exactly 1/2 without an offset
    lengths: np.ndarray  # (n,) |x|, np.longdouble
    offset: np.ndarray  # (d,) zeros without an offset

    @property
    def n(self) -> int:
        return self.lengths.shape[0]

    @property
    def dtype(self) -> np.dtype:
        return self.half_squares.dtype


def prepare(X: Any) -> Rows:
    """Return the rows of one matrix."""
    return _offset_rows([X])[0]


def prepare_pair(X: Any, Y: Any) -> tuple[Rows, Rows]:
    """Return the rows of two matrices, measured from one offset, in the wider of their dtypes."""
    x, y = _offset_rows([X, Y])
    return x, y


def _offset_rows(matrices: list[Any]) -> list[Rows]:
    dtype = np.result_type(*(matrix.dtype for matrix in matrices))
    if any(sparse.issparse(matrix) for matrix in matrices):
        return [_sparse_rows(sparse.csr_array(matrix), dtype) for matrix in matrices]
    d = matrices[0].shape[1]
    lengths = [_lengths(matrix) for matrix in matrices]
    mean = np.zeros(d)
    for matrix, length in zip(matrices, lengths, strict=True):
        for block, unit in _unit_blocks(matrix, length):
            mean += unit.sum(axis=0)
    mean /= sum(max(np.count_nonzero(length), 1) for length in lengths)
    offset = mean if 1.0 - mean @ mean < _OFFSET_BELOW else np.zeros(d)
    rows = []
    for matrix, length in zip(matrices, lengths, strict=True):
        directions = np.empty(matrix.shape, dtype)
        half_squares = np.full(matrix.shape[0], 0.5)
        for block, unit in _unit_blocks(matrix, length):
            if offset.any():
                unit -= offset
                half_squares[block] = np.sum(unit * unit, axis=1) / 2
            directions[block] = unit
        rows.append(Rows(directions, half_squares.astype(dtype), length, offset.astype(dtype)))
    return rows


def _power_of_two(largest: np.ndarray) -> np.ndarray:
    """Exponents e with largest / 2^e in [1/2, 1), 0 for a zero."""
    return np.frexp(largest)[1]


def _lengths(X: np.ndarray) -> np.ndarray:
    lengths = np.empty(X.shape[0], np.longdouble)
    for block in _blocks(X):
        rows = np.asarray(X[block], np.float64)
        exponent = _power_of_two(np.max(np.abs(rows), axis=1))
        scaled = np.ldexp(rows, -exponent[:, None])
        # pairwise summation: the error grows with log d
        root = np.sqrt(np.sum(scaled * scaled, axis=1), dtype=np.longdouble)
        lengths[block] = np.ldexp(root, exponent)
    return lengths


def _unit_blocks(X: np.ndarray, lengths: np.ndarray) -> Any:
    for block in _blocks(X):
        mantissa, exponent = np.frexp(lengths[block])
        rows = np.ldexp(np.asarray(X[block], np.float64), -exponent[:, None])
        safe = np.where(mantissa > 0, mantissa, 1).astype(np.float64)
        yield block, rows / safe[:, None]


def _blocks(X: np.ndarray) -> Any:
    return row_blocks(X.shape[0], max(1, _BLOCK_BYTES // (8 * X.shape[1])))


def _sparse_rows(X: sparse.csr_array, dtype: np.dtype) -> Rows:
    X = X.copy() if X.has_canonical_format else _summed(X)
    counts = np.diff(X.indptr)
    values = X.data.astype(np.float64)
    lengths = np.zeros(X.shape[0], np.longdouble)
    filled = np.flatnonzero(counts)
    if filled.size:
        exponent = np.zeros(X.shape[0], np.int64)
        exponent[filled] = _power_of_two(np.maximum.reduceat(np.abs(values), X.indptr[filled]))
        scaled = np.ldexp(values, -np.repeat(exponent, counts))
        squares = np.add.reduceat(scaled * scaled, X.indptr[filled])
        roots = np.sqrt(squares)
        lengths[filled] = np.ldexp(roots.astype(np.longdouble), exponent[filled])
        divisor = np.ones(X.shape[0])
        divisor[filled] = np.where(roots > 0, roots, 1)
        values = scaled / np.repeat(divisor, counts)
    unit = sparse.csr_array((values.astype(dtype), X.indices, X.indptr), shape=X.shape)
    return Rows(unit, np.full(X.shape[0], 0.5, dtype), lengths, np.zeros(0, dtype))


def _summed(X: sparse.csr_array) -> sparse.csr_array:
    X = X.copy()
    X.sum_duplicates()
    return X
