"""Rows in chunks, and the same rows in memory in the same blocks."""

from functools import partial

import dask.array as da
import numpy as np

from ntklib import NTK
from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom import CentreRows, sum_on_centres

SIZES = (40,) * 5 + (0, 17) + (40,) * 12  # more than two chains of blocks
N = sum(SIZES)
SOLVER = Nystrom(12, subset=300)
KERNEL = NTK(depth=2)


def make_rows(dtype=np.float64):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(N, 3)).astype(dtype)
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


def chunked(array):
    return da.from_array(array, chunks=(SIZES, *((-1,) * (array.ndim - 1))))


def sums_in_blocks(X, targets, *, weights=None, counts=None, kernel=KERNEL):
    """Sums over rows in memory, block by block."""
    ends = np.cumsum(SIZES)
    blocks = [slice(stop - size, stop) for size, stop in zip(SIZES, ends, strict=True)]
    rows = CentreRows(X, targets, weights, counts, blocks=blocks)
    return sum_on_centres(kernel, partial(_diagonal, kernel), rows, SOLVER, fit_intercept=True)


def in_blocks(X, targets, *, alpha=1.0, **options):
    """Fit of rows in memory, block by block."""
    return sums_in_blocks(X, targets, **options).fit(np.full(targets.shape[1], alpha))


def _diagonal(kernel, X):
    return kernel.diag(X).astype(np.float64)
