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

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blas import factor_columns, product_address
from ntklib._core.blocks import row_blocks
from ntklib._core.threads import parallel_for

from ._band_loops import TILE, WIDTH, multiply_strip, reflect, update_below, update_strip

_STRIP = 768
_TOGETHER = 4  # panels whose reflections are applied at once


class _Panel(NamedTuple):
    """A factored panel: R, V beside room for W, T and V T."""

    R: NDArray
    left: NDArray
    T: NDArray
    X: NDArray


def reduce_to_band(matrix: NDArray) -> tuple[NDArray, list[NDArray]]:
    """The band B, and the triangles T of the reflections, whose V take the place of what they set to 0.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        Symmetric, float64, rows contiguous. Its lower triangle is overwritten, diagonal included, the rest is
        not touched.

    Returns
    -------
    band : ndarray of shape (WIDTH + 1, n), Fortran order
        ``band[i - j, j]`` is B[i, j], LAPACK's lower form.
    triangles : list of ndarrays
        T of each panel.
    """
    n, triangles = len(matrix), []
    band = np.zeros((WIDTH + 1, n), order="F")
    panel = _factored(matrix[WIDTH:, :WIDTH])
    for k in range(0, n, WIDTH):
        stop = min(k + WIDTH, n)
        strip = np.zeros((2 * WIDTH, stop - k))
        strip[: stop - k] = np.tril(matrix[k:stop, k:stop])
        if stop < n:
            strip[WIDTH : WIDTH + len(panel.R)] = panel.R
            triangles.append(panel.T)
            panel = _reflect_both_sides(matrix[stop:, stop:], panel)
        columns = np.arange(stop - k)
        band[:, k:stop] = strip[np.arange(WIDTH + 1)[:, None] + columns, columns]
    return band, triangles


def _factored(panel: NDArray) -> _Panel:
    """Factor a panel, in whose place V is left."""
    count = min(panel.shape)
    T = np.zeros((count, count), order="F")
    packed = np.array(panel, order="F")
    factor_columns(packed, T)
    left = np.empty((len(panel), 2 * count))
    V = left[:, :count]
    V[:] = packed[:, :count]
    V[:count] = np.tril(V[:count], -1)
    np.fill_diagonal(V, 1.0)
    panel[:, :count] = V
    return _Panel(np.triu(packed[:count]), left, np.triu(T), V @ np.triu(T))


def _reflect_both_sides(A: NDArray, panel: _Panel) -> _Panel:
    """The lower triangle of H^T A H in place of A's, and its first panel, factored.

    With Y = A V T it is A - V Y^T - (Y - V M) V^T, M = T^T V^T Y. While one thread factors the panel the
    others go on with the rest.
    """
    left, X, address = panel.left, panel.X, product_address()
    count = X.shape[1]
    right = np.empty((2 * count, len(A)))
    strips = list(row_blocks(len(A), TILE))
    inner = np.empty((len(strips), count, count))

    def multiply(place: int) -> None:
        rows = strips[place]
        Y = np.empty((rows.stop - rows.start, count))
        multiply_strip(address, A, X, rows.start, Y)
        inner[place] = X[rows].T @ Y
        left[rows, count:] = Y
        right[:count, rows] = Y.T
        right[count:, rows] = left[rows, :count].T

    parallel_for(multiply, range(len(strips)))
    M = inner.sum(axis=0)
    M = 0.5 * (M + M.T)
    following: list[_Panel] = []

    def update(rows: slice | None) -> None:
        if rows is not None:
            own = left[WIDTH:][rows].copy()
            own[:, count:] -= own[:, :count] @ M
            update_strip(address, A[WIDTH:, WIDTH:], own, right[:, WIDTH:], rows.start)
            return
        first = right[:, :WIDTH].copy()
        first[:count] -= M @ first[count:]
        update_strip(address, A[:WIDTH, :WIDTH], left[:WIDTH], first, 0)
        update_below(address, A[WIDTH:, :WIDTH], left[WIDTH:], first)
        if len(A) > WIDTH:
            following.append(_factored(A[WIDTH:, :WIDTH]))

    rest = list(row_blocks(max(len(A) - WIDTH, 0), TILE))
    parallel_for(update, [None, *reversed(rest)])
    return following[0] if following else panel


def form_orthogonal(matrix: NDArray, triangles: list[NDArray]) -> None:
    """Q in place of what `reduce_to_band` left in the matrix.

    Reflections are applied in groups, the last ones first, while one thread joins those of the next group.
    """
    groups = [slice(first, first + _TOGETHER) for first in range(0, len(triangles), _TOGETHER)]
    ready: list[tuple[NDArray, NDArray]] = []

    def join_last() -> None:
        if groups:
            some = groups.pop()
            ready.append(_joined(matrix[(some.start + 1) * WIDTH :, some.start * WIDTH :], triangles[some]))

    join_last()
    while ready:
        V, T = ready.pop()
        rest = matrix[-len(V) :, -len(V) :]  # V of later panels in its first columns, and Q beyond
        own, beyond = rest[:, : len(T)], rest[:, len(T) :]
        beyond[: len(T)] = 0.0
        apply = partial(reflect, product_address(), V, T)
        strips = [partial(apply, beyond[:, some]) for some in _wide_then_narrow(beyond.shape[1])]
        parallel_for(_run, [join_last, partial(_reflect_identity, V, T, own), *strips])
    matrix[:WIDTH, WIDTH:] = 0.0
    matrix[:, :WIDTH] = np.eye(len(matrix), min(WIDTH, len(matrix)))


def _run(task: Callable[[], None]) -> None:
    task()


def _wide_then_narrow(n: int) -> list[slice]:
    """Blocks of `range(n)`: wide ones for speed, and narrow ones for threads to end together."""
    wide = max(n // _STRIP - 1, 0) * _STRIP
    narrow = [slice(wide + some.start, wide + some.stop) for some in row_blocks(n - wide, _STRIP // 4)]
    return [*row_blocks(wide, _STRIP), *narrow]


def _joined(below: NDArray, triangles: list[NDArray]) -> tuple[NDArray, NDArray]:
    """V and T of a product of reflections, (I - V1 T1 V1^T) (I - V2 T2 V2^T) ... = I - V T V^T.

    Each V is WIDTH rows below the one before.
    """
    width, done = sum(map(len, triangles)), 0
    V, T = np.zeros((len(below), width)), np.zeros((width, width))
    for own in triangles:
        here = slice(done, done + len(own))
        V[done:, here] = below[done:, here]
        T[here, here] = own
        T[:done, here] = -T[:done, :done] @ (V[:, :done].T @ V[:, here]) @ own
        done = here.stop
    return V, T


def _reflect_identity(V: NDArray, T: NDArray, out: NDArray) -> None:
    """The first columns of H."""
    part = T @ V[: len(T)].T
    for rows in row_blocks(len(V), TILE):
        out[rows] = -(V[rows] @ part)
    out[np.arange(len(T)), np.arange(len(T))] += 1.0
