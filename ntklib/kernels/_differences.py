"""Sums of weighted differences of rows, which gradients of functions of a distance are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ntklib._core.jit import compiled, inlined

__all__ = ["add_differences"]


def add_differences(X: Any, Z: Any, weights: NDArray, out: NDArray, *, signs: bool) -> None:
    """Add sum_j weights_ij (x_i - z_j) to the rows of ``out``, or with ``signs`` those of x_i - z_j.

    Pairs of weight 0 count as 0, however far they are apart.
    """
    if sparse.issparse(X):
        _add_sparse(
            X.data, X.indices, X.indptr, Z.data, Z.indices, Z.indptr, weights, signs, out
        )  # fmt: skip
    else:
        _add(X, Z, weights, signs, out)


@inlined
def _part(x, z, signs):
    if signs:
        return 1.0 * (x > z) - 1.0 * (x < z)
    return x - z


@compiled
def _add(X, Z, weights, signs, out):
    n, d = X.shape
    total = np.empty(d)
    for i in range(n):
        x = X[i]
        total[:] = 0.0
        for j in range(Z.shape[0]):
            w, z = weights[i, j], Z[j]
            if w != 0.0:
                for k in range(d):
                    total[k] += w * _part(x[k], z[k], signs)
        for k in range(d):
            out[i, k] += total[k]


@compiled
def _add_sparse(x, columns_x, starts_x, z, columns_z, starts_z, weights, signs, out):
    """The same for CSR rows without duplicates: a row of x is laid out, and emptied where z has an entry."""
    row = np.zeros(out.shape[1])
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            w = weights[i, j]
            if w == 0.0:
                continue
            for a in range(starts_x[i], starts_x[i + 1]):
                row[columns_x[a]] = x[a]
            for b in range(starts_z[j], starts_z[j + 1]):
                out[i, columns_z[b]] += w * _part(row[columns_z[b]], z[b], signs)
                row[columns_z[b]] = 0.0
            for a in range(starts_x[i], starts_x[i + 1]):
                out[i, columns_x[a]] += w * _part(row[columns_x[a]], 0.0, signs)
                row[columns_x[a]] = 0.0
