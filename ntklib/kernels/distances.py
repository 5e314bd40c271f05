"""Powers of the distances of rows, by coordinates or by length.

Distances are sums over differences, never differences of products, so that close rows keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib._core.blocks import require_memory, tiles
from ntklib._core.jit import compiled
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_integer, check_rows

__all__ = ["SERIAL_BELOW", "TILE", "canonical_rows", "check_norm", "fill_powers", "median_distance"]

TILE = 256
SERIAL_BELOW = 512  # rows under which starting threads costs more than it brings
_SINGLE = 100  # exponents of length scales whose inverse float32 can multiply with


def median_distance(X: Any, norm: int = 1) -> float:
    r"""Median of the distances :math:`\|x - z\|_p` over all pairs of rows.

    A length scale to begin with: half of the pairs are closer, where :class:`Laplace` is more than 1/e.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples, n_features)
        At least two rows. All pairs are looked at: hand over a sample of many rows.
    norm : {1, 2}, default=1
        p.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there are fewer than two rows, or `norm` is another.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.kernels import median_distance
    >>> median_distance(np.array([[0.0, 0.0], [1.0, 2.0], [4.0, 0.0]]))
    4.0
    """
    norm = check_norm(norm)
    X = check_rows(X)
    n = X.shape[0]
    if n < 2:
        raise ValueError(f"a median distance needs at least 2 rows, got {n}.")
    require_memory((n, n, 2), np.float64, "distances of all pairs of rows", "", single=False)
    largest = float(np.abs(X.data if sparse.issparse(X) else X).max(initial=0.0))
    unit = float(np.ldexp(0.5, int(np.frexp(largest)[1])))  # in which squares neither over- nor underflow
    distances = np.empty((n, n))
    fill_powers(X, X, unit, norm, 1.0, distances, lambda values: None, symmetric=True)
    return float(np.median(distances[np.triu_indices(n, 1)])) * unit


def check_norm(norm: Any) -> int:
    """Check that p is 1 or 2."""
    if check_integer(norm, "norm", minimum=1) > 2:
        raise ValueError(f"norm must be 1 or 2, got {norm}.")
    return int(norm)


def fill_powers(
    X: Any,
    Z: Any,
    scale: float,
    norm: int,
    exponent: float,
    out: NDArray,
    finish: Callable[[NDArray], None],
    *,
    symmetric: bool,
) -> None:
    """Write finish((|x - z| / scale)^exponent) for all rows x, z, tile by tile."""
    mantissa, power = np.frexp(scale)
    inner = out.dtype if abs(power) < _SINGLE else np.dtype(np.float64)
    # a large length scale divides the rows, a small one the differences, by powers of two: the former cannot
    # overflow then, and where the latter do the kernel is 0
    down, up = max(power, 0), max(-power, 0)
    first, second = inner.type(np.ldexp(1.0, up // 2)), inner.type(np.ldexp(1.0, up - up // 2))
    if sparse.issparse(X) or sparse.issparse(Z):
        x, z = canonical_rows(X, down), canonical_rows(Z, down)
        accumulate = _sparse_tiles(x, z, first, second, norm)
    else:
        x, z = (np.ldexp(np.ascontiguousarray(rows, dtype=inner), -down) for rows in (X, Z))

        def accumulate(rows: slice, columns: slice, tile: NDArray) -> None:
            _distances(x[rows], np.ascontiguousarray(z[columns].T), first, second, norm, tile)

    def run(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        values = np.zeros((rows.stop - rows.start, columns.stop - columns.start), inner)
        accumulate(rows, columns, values)
        with np.errstate(over="ignore", under="ignore"):
            if norm == 2:
                np.sqrt(values, out=values)
            values /= inner.type(mantissa)
            if exponent != 1:
                np.power(values, inner.type(exponent), out=values)
            finish(values)
            out[rows, columns] = values
        if symmetric and rows != columns:
            out[columns, rows] = values.T

    work = list(tiles(x.shape[0], z.shape[0], TILE, symmetric=symmetric))
    parallel_for(run, work, threads=1 if max(x.shape[0], z.shape[0]) < SERIAL_BELOW else None)


@compiled
def _distances(X, Zt, first, second, norm, out):
    """Add |(x - z) first second|^norm over the features to a tile of zeros; 8 features share a sweep."""
    n, d = X.shape
    m = Zt.shape[1]
    whole = d - d % 8
    for i in range(n):
        row = out[i]
        for k in range(0, whole, 8):
            a0, a1, a2, a3 = X[i, k], X[i, k + 1], X[i, k + 2], X[i, k + 3]
            a4, a5, a6, a7 = X[i, k + 4], X[i, k + 5], X[i, k + 6], X[i, k + 7]
            z0, z1, z2, z3 = Zt[k], Zt[k + 1], Zt[k + 2], Zt[k + 3]
            z4, z5, z6, z7 = Zt[k + 4], Zt[k + 5], Zt[k + 6], Zt[k + 7]
            if norm == 1:
                for j in range(m):
                    low = (abs(a0 - z0[j]) + abs(a1 - z1[j])) + (abs(a2 - z2[j]) + abs(a3 - z3[j]))
                    high = (abs(a4 - z4[j]) + abs(a5 - z5[j])) + (abs(a6 - z6[j]) + abs(a7 - z7[j]))
                    row[j] += (low + high) * first * second
            else:
                for j in range(m):
                    b0, b1 = (a0 - z0[j]) * first * second, (a1 - z1[j]) * first * second
                    b2, b3 = (a2 - z2[j]) * first * second, (a3 - z3[j]) * first * second
                    b4, b5 = (a4 - z4[j]) * first * second, (a5 - z5[j]) * first * second
                    b6, b7 = (a6 - z6[j]) * first * second, (a7 - z7[j]) * first * second
                    low = (b0 * b0 + b1 * b1) + (b2 * b2 + b3 * b3)
                    row[j] += low + ((b4 * b4 + b5 * b5) + (b6 * b6 + b7 * b7))
        for k in range(whole, d):
            a, z = X[i, k], Zt[k]
            for j in range(m):
                b = abs(a - z[j]) * first * second
                row[j] += b if norm == 1 else b * b


def canonical_rows(X: Any, down: int) -> sparse.csr_array:
    """CSR rows over 2^down in float64, with sorted columns, each named once."""
    rows = sparse.csr_array(X, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    rows.data = np.ldexp(rows.data, -down)
    return rows


def _sparse_tiles(
    x: sparse.csr_array, z: sparse.csr_array, first: Any, second: Any, norm: int
) -> Callable[[slice, slice, NDArray], None]:
    def accumulate(rows: slice, columns: slice, tile: NDArray) -> None:
        _sparse_distances(
            x.data, x.indices, x.indptr[rows.start : rows.stop + 1],
            z.data, z.indices, z.indptr[columns.start : columns.stop + 1],
            first, second, norm, tile,
        )  # fmt: skip

    return accumulate


@compiled
def _sparse_distances(a, a_columns, a_starts, b, b_columns, b_starts, first, second, norm, out):
    """Add the same over the columns where either of two rows is not 0."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            p, q = a_starts[i], b_starts[j]
            total = 0.0
            while p < a_starts[i + 1] or q < b_starts[j + 1]:
                if q == b_starts[j + 1] or (p < a_starts[i + 1] and a_columns[p] < b_columns[q]):
                    difference = a[p]
                    p += 1
                elif p == a_starts[i + 1] or b_columns[q] < a_columns[p]:
                    difference = b[q]
                    q += 1
                else:
                    difference = a[p] - b[q]
                    p += 1
                    q += 1
                part = abs(difference) * first * second
                total += part if norm == 1 else part * part
            out[i, j] = total
