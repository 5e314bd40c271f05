r"""Reduction of a symmetric matrix to a band by reflections, A = Q B Q^T, in tiles.

A panel of `WIDTH` columns is factored below the band into H R with :math:`H = I - V T V^T`, and the rest of
the matrix becomes

.. math:: H^T A H = A - V W^T - W V^T,    \qquad W = A V T - \tfrac12 V (T^T V^T A V T) .

Nearly all of this is products of matrices, where a reduction to three diagonals, the first stage of an
eigendecomposition, waits for memory in half of its work. Tiles do not depend on the number of threads, so
neither do the results.

References
----------
C. H. Bischof, B. Lang and X. Sun, "A framework for symmetric band reduction", ACM Transactions on
Mathematical Software 26, 2000.
R. Schreiber and C. Van Loan, "A storage-efficient WY representation for products of Householder
transformations", SIAM Journal on Scientific and Statistical Computing 10, 1989.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgeqrt

from ntklib._core.blocks import row_blocks, tiles
from ntklib._core.threads import parallel_for

WIDTH = 64  # diagonals below the main one: wide enough for products, small beside n
_TILE = 256
_STRIP = 512
_TOGETHER = 4  # panels whose reflections are applied at once


def reduce_to_band(matrix: NDArray) -> tuple[NDArray, list[NDArray]]:
    """The band B, and the triangles T of the reflections, whose V take the place of what they set to 0.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Symmetric, float64. Its lower triangle is overwritten, diagonal included, the rest is not touched.

    Returns
    -------
    band : ndarray of shape (WIDTH + 1, n)
        ``band[i - j, j]`` is B[i, j], LAPACK's lower form.
    triangles : list of ndarrays
        T of each panel.
    """
    n, triangles = len(matrix), []
    band = np.zeros((WIDTH + 1, n))
    for k in range(0, n, WIDTH):
        stop = min(k + WIDTH, n)
        strip = np.zeros((2 * WIDTH, stop - k))
        strip[: stop - k] = np.tril(matrix[k:stop, k:stop])
        if stop < n:
            R, V, T = _reflections(matrix[stop:, k:stop])
            matrix[stop:, k : k + V.shape[1]] = V
            strip[WIDTH : WIDTH + len(R)] = R
            triangles.append(T)
            _reflect_both_sides(matrix[stop:, stop:], V, T)
        columns = np.arange(stop - k)
        band[:, k:stop] = strip[np.arange(WIDTH + 1)[:, None] + columns, columns]
    return band, triangles


def _reflections(panel: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """R, V and T of the factorisation of a panel."""
    count = min(panel.shape)
    packed, T, _ = dgeqrt(count, np.array(panel, order="F"), overwrite_a=True)
    V = np.tril(packed[:, :count], -1)
    np.fill_diagonal(V, 1.0)
    return np.triu(packed[:count]), np.ascontiguousarray(V), T[:count, :count]


def _reflect_both_sides(A: NDArray, V: NDArray, T: NDArray) -> None:
    """The lower triangle of H^T A H in place of A's."""
    X = np.ascontiguousarray((V @ T).T)  # products from the left are the faster ones: all is transposed
    W = np.empty(X.shape)

    def multiply(rows: slice) -> None:
        square = np.tril(A[rows, rows])
        product = X[:, : rows.start] @ A[rows, : rows.start].T
        product += X[:, rows] @ (square + np.tril(square, -1).T)
        product += X[:, rows.stop :] @ A[rows.stop :, rows]
        W[:, rows] = product

    parallel_for(multiply, row_blocks(len(A), _TILE))
    W -= (0.5 * (W @ X.T)) @ V.T
    left, right = np.hstack([V, W.T]), np.hstack([W.T, V])

    def update(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        change = left[rows] @ right[columns].T
        A[rows, columns] -= np.tril(change) if rows == columns else change

    parallel_for(update, tiles(len(A), len(A), _TILE, symmetric=True))


def form_orthogonal(matrix: NDArray, triangles: list[NDArray]) -> None:
    """Q in place of what `reduce_to_band` left in the matrix."""
    n, panels = len(matrix), range(len(triangles))
    for first in reversed(panels[::_TOGETHER]):
        some = panels[first : first + _TOGETHER]
        start, width = (first + 1) * WIDTH, sum(len(triangles[k]) for k in some)
        V = np.zeros((n - start, width))
        for place, k in enumerate(some):
            count = len(triangles[k])
            own = matrix[(k + 1) * WIDTH :, k * WIDTH : k * WIDTH + count]
            V[place * WIDTH :, place * WIDTH : place * WIDTH + count] = own
        rest = matrix[start:, start:]  # V of later panels in its first columns, and Q beyond
        rest[:width, width:] = 0.0
        rest[:, :width] = np.eye(len(rest), width)
        _reflect(rest, V, _joined(V, [triangles[k] for k in some]))
    matrix[:WIDTH, WIDTH:] = 0.0
    matrix[:, :WIDTH] = np.eye(n, min(WIDTH, n))


def _joined(V: NDArray, triangles: list[NDArray]) -> NDArray:
    """T of a product of reflections, (I - V1 T1 V1^T) (I - V2 T2 V2^T) ..., of which V has all columns."""
    T = np.zeros((V.shape[1], V.shape[1]))
    done = 0
    for own in triangles:
        here = slice(done, done + len(own))
        T[here, here] = own
        T[:done, here] = -T[:done, :done] @ (V[:, :done].T @ V[:, here]) @ own
        done = here.stop
    return T


def _reflect(C: NDArray, V: NDArray, T: NDArray) -> None:
    """H C in place of C."""

    def reflect(columns: slice) -> None:
        part = T @ (V.T @ C[:, columns])
        for rows in row_blocks(len(C), _TILE):
            C[rows, columns] -= V[rows] @ part

    parallel_for(reflect, row_blocks(C.shape[1], _STRIP))
