r"""Diagonals of :math:`Q (L L^T)^{-1} Q^T`, L the Cholesky factor of a band, by substitution in blocks.

Rows x of :math:`X = Q L^{-T}` solve :math:`x L^T = q`. In blocks of 32 columns, the band reaching back two,

.. math:: x_j = q_j D_j + x_{j-1} E_j + x_{j-2} F_j , \qquad D_j = L_{jj}^{-T}, \quad
          E_j = -L_{j,j-1}^T D_j, \quad F_j = -L_{j,j-2}^T D_j ,

and the diagonal is the sum of the squares of x. Smaller blocks have fewer zeros in them; much smaller ones
are no work for BLAS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blas import multiply, product_address
from ntklib._core.jit import compiled

from ._band_reduction import WIDTH

BLOCK = 32
"""Columns of a block; `WIDTH` is two of them."""


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
