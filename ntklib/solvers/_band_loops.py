r"""Compiled loops of the band form, and the product of small matrices that they are made of.

For the diagonals of :math:`Q (L L^T)^{-1} Q^T`, L the Cholesky factor of the band, rows x of
:math:`X = Q L^{-T}` solve :math:`x L^T = q`. In blocks of 32 columns, the band reaching back two,

.. math:: x_j = q_j D_j + x_{j-1} E_j + x_{j-2} F_j , \qquad D_j = L_{jj}^{-T}, \quad
          E_j = -L_{j,j-1}^T D_j, \quad F_j = -L_{j,j-2}^T D_j ,

and the diagonal is the sum of the squares of x. Smaller blocks have fewer zeros in them; much smaller ones
are no work for BLAS.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ntklib._core.blas import function_at, product_address
from ntklib._core.jit import compiled, inlined

__all__ = [
    "BLOCK",
    "TILE",
    "WIDTH",
    "multiply",
    "multiply_strip",
    "prepare_sweep",
    "reflect",
    "sweep",
    "update_below",
    "update_strip",
]

WIDTH = 64
"""Diagonals below the main one: wide enough for products, small beside n."""

BLOCK = 32
"""Columns of a block of substitution; `WIDTH` is two of them."""

TILE = 256
"""Rows of a strip."""

_TALL, _SMALL, _FLAT = 128, 64, 32  # sides of blocks small enough for BLAS to multiply without copies


@inlined
def multiply(address, alpha, a, b, beta, c):
    """Put alpha a b + beta c in the place of c, in compiled loops.

    Neighbours in the rows of c are neighbours in memory, in those of a and b or in their columns. float64;
    shapes are not checked.
    """
    m, n, k = c.shape[0], c.shape[1], a.shape[1]
    if m == 0 or n == 0:
        return
    a_turned, b_turned = a.strides[1] != 8, b.strides[1] != 8
    _dgemm(  # rows of ours are columns of BLAS: c^T = b^T a^T
        address,
        b_turned,
        a_turned,
        n,
        m,
        k,
        alpha,
        b.ctypes.data,
        max(b.strides[1] // 8, k) if b_turned else max(b.strides[0] // 8, n),
        a.ctypes.data,
        max(a.strides[1] // 8, m) if a_turned else max(a.strides[0] // 8, k),
        beta,
        c.ctypes.data,
        max(c.strides[0] // 8, n),
    )


def _dgemm_in_python(address, a_turned, b_turned, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """Stand-in for `_dgemm` where nothing is compiled (NUMBA_DISABLE_JIT)."""
    letters = (ctypes.c_char(b"T" if turned else b"N") for turned in (a_turned, b_turned))
    m, n, k, lda, ldb, ldc = map(ctypes.c_int, (m, n, k, lda, ldb, ldc))
    alpha, beta = ctypes.c_double(alpha), ctypes.c_double(beta)
    held = (*letters, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
    function_at(address, len(held))(*(one if isinstance(one, int) else ctypes.addressof(one) for one in held))


@intrinsic
def _dgemm_compiled(_, address, a_turned, b_turned, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    count, number, flag = types.intp, types.float64, types.boolean
    of_matrix = count, count
    signature = types.void(
        count, flag, flag, count, count, count, number, *of_matrix, *of_matrix, number, *of_matrix
    )

    def call(context, builder, signature, values):
        byte, integer = ir.IntType(8), ir.IntType(32)
        pointer = byte.as_pointer()

        def address_of(value):
            slot = cgutils.alloca_once_value(builder, value)
            return builder.bitcast(slot, pointer)

        def argument(place, value):
            if place in (_A, _B, _C):
                return builder.inttoptr(value, pointer)
            if signature.args[place] == flag:
                return address_of(builder.select(builder.trunc(value, ir.IntType(1)), byte(84), byte(78)))
            return address_of(value if signature.args[place] == number else builder.trunc(value, integer))

        function = ir.FunctionType(ir.VoidType(), [pointer] * (len(values) - 1)).as_pointer()
        arguments = [argument(place, value) for place, value in enumerate(values) if place]
        builder.call(builder.inttoptr(values[0], function), arguments)
        return context.get_dummy_value()

    return signature, call


_A, _B, _C = 7, 9, 12  # places of the matrices' addresses
_dgemm: Any = _dgemm_compiled
if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    _dgemm = _dgemm_in_python


@compiled
def multiply_strip(address, A, X, start, Y):
    """Rows of A X from `start` on, of a symmetric matrix given by its lower triangle."""
    stop = start + len(Y)
    square = A[start:stop, start:stop].copy()
    for i in range(len(square)):
        for j in range(i):
            square[j, i] = square[i, j]
    Y[:] = 0.0
    for i in range(0, len(Y), _TALL):
        rows = slice(i, min(i + _TALL, len(Y)))
        _add_products(address, square[rows], X[start:stop], Y[rows])
        _add_products(address, A[start + i : start + rows.stop, :start], X[:start], Y[rows])
    for j in range(stop, len(A), _FLAT):
        rows = slice(j, min(j + _FLAT, len(A)))
        multiply(address, 1.0, A[rows, start:stop].T, X[rows], 1.0, Y)


@inlined
def _add_products(address, A, X, Y):
    for j in range(0, len(X), _SMALL):
        some = slice(j, min(j + _SMALL, len(X)))
        multiply(address, 1.0, A[:, some], X[some], 1.0, Y)


@compiled
def update_strip(address, A, left, right, start):
    """Take left @ right from the lower triangle of the rows from `start` on."""
    stop = start + len(left)
    multiply(address, -1.0, left, right[:, :start], 1.0, A[start:stop, :start])
    change = np.empty((_SMALL, _SMALL))
    for i in range(start, stop, _SMALL):
        end = min(i + _SMALL, stop)
        own = left[i - start : end - start]
        multiply(address, -1.0, own, right[:, start:i], 1.0, A[i:end, start:i])
        square = change[: end - i, : end - i]
        multiply(address, 1.0, own, right[:, i:end], 0.0, square)
        for r in range(end - i):
            for c in range(r + 1):
                A[i + r, i + c] -= square[r, c]


@compiled
def update_below(address, A, left, right):
    """Take left @ right from all of A."""
    for i in range(0, len(A), TILE):
        rows = slice(i, min(i + TILE, len(A)))
        multiply(address, -1.0, left[rows], right, 1.0, A[rows])


@compiled
def reflect(address, V, T, C):
    """H C in place of C."""
    inner, part = np.empty((len(T), C.shape[1])), np.empty((len(T), C.shape[1]))
    multiply(address, 1.0, V.T, C, 0.0, inner)
    for i in range(0, len(T), WIDTH):  # T is a triangle
        rows = slice(i, min(i + WIDTH, len(T)))
        multiply(address, 1.0, T[rows, i:], inner[i:], 0.0, part[rows])
    multiply(address, -1.0, V, part, 1.0, C)


def sweep(Q: NDArray, factors: NDArray) -> NDArray:
    """Sums of squares of the rows of Q L^{-T}, shape (p, rows), for the factors of p penalties."""
    out = np.empty((len(factors), len(Q)))
    _sweep(product_address(), np.ascontiguousarray(Q), factors, out)
    return out


@compiled
def _sweep(address, Q, factors, out):
    n_rows, count, size = len(Q), factors.shape[1], factors.shape[3]
    blocks = np.zeros((count, n_rows, size))  # of Q, each by itself: all penalties read them
    for j in range(count):
        for i in range(n_rows):
            row, own = Q[i, j * size :], blocks[j, i]
            for c in range(min(size, len(row))):
                own[c] = row[c]
    for p in range(len(factors)):
        squares, x, last = np.zeros((n_rows, size)), np.empty((n_rows, size)), np.zeros((n_rows, WIDTH))
        for j in range(count):
            multiply(address, 1.0, blocks[j], factors[p, j, :size], 0.0, x)
            multiply(address, 1.0, last, factors[p, j, size:], 1.0, x)
            start = j * size % WIDTH  # in the place of the block that the next one does not reach
            for i in range(n_rows):
                row, kept = x[i], last[i, start : start + size]
                for c in range(size):
                    kept[c] = row[c]
            for i in range(n_rows):
                row, sums = x[i], squares[i]
                for c in range(size):
                    sums[c] += row[c] * row[c]
        for i in range(n_rows):
            out[p, i] = squares[i].sum()


@compiled
def prepare_sweep(cholesky, factors):
    """D_j, and below it E_j and F_j in the order in which `sweep` keeps the last two blocks.

    Beyond its end the band goes on with ones on the diagonal.

    Parameters
    ----------
    cholesky : ndarray of shape (WIDTH + 1, n)
        ``cholesky[i - j, j]`` is L[i, j].
    factors : ndarray of shape (blocks, BLOCK + WIDTH, BLOCK)
        Written.
    """
    n, block = cholesky.shape[1], factors.shape[2]
    inverse = np.zeros((block, block))
    factors[:] = 0.0
    for j in range(len(factors)):
        first, D, before = j * block, factors[j, :block], factors[j, block:]
        size = min(block, n - first)
        for i in range(block):  # row i of L_jj^{-1} from those above
            row = inverse[i]
            row[:i] = 0.0
            row[i] = 1.0
            if i < size:
                for k in range(i):
                    above, entry = inverse[k], cholesky[i - k, first + k]
                    for c in range(k + 1):
                        row[c] -= entry * above[c]
                for c in range(i + 1):
                    row[c] /= cholesky[0, first + i]
            for c in range(block):
                D[c, i] = row[c]
        for k in range(max(first - WIDTH, 0), first):  # row k of -L_{j,.}^T D_j
            own = before[k % WIDTH]
            for i in range(min(k + WIDTH - first + 1, size)):
                right, entry = D[i], cholesky[first + i - k, k]
                for c in range(i, block):
                    own[c] -= entry * right[c]
