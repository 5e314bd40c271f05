"""The `kernel` parameter: a Kernel object, a function of two arrays, or "precomputed"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Kernel

from ntklib._blocks import require_memory, row_blocks
from ntklib.estimators._defaults import default_kernel
from ntklib.estimators._units import distinct_rows
from ntklib.kernels import NNGP, NTK, ArcCosine
from ntklib.networks import EmpiricalNTK

_PRECOMPUTED = "precomputed"


def is_precomputed(kernel: Any) -> bool:
    """Whether rows of X are rows of a Gram matrix."""
    return isinstance(kernel, str) and kernel == _PRECOMPUTED


def resolve_kernel(kernel: Any) -> Kernel | Callable | str:
    """A kernel of our own to fit with: None becomes the default, objects are cloned."""
    if kernel is None:
        return default_kernel()
    if isinstance(kernel, Kernel):
        return clone(kernel)
    if callable(kernel) or is_precomputed(kernel):
        return kernel
    raise ValueError(
        "kernel must be None, a kernel object such as ntklib.NTK(), a function of two arrays that returns "
        f"their Gram matrix, or 'precomputed'; got {kernel!r}."
    )


def accepts_sparse(kernel: Any) -> bool:
    """Whether the kernel takes CSR input: ours and plain functions do, scikit-learn's objects do not."""
    if isinstance(kernel, Kernel):
        parts = [value for value in kernel.get_params(deep=False).values() if isinstance(value, Kernel)]
        return (
            all(map(accepts_sparse, parts))
            if parts
            else isinstance(kernel, (NTK, NNGP, ArcCosine, EmpiricalNTK))
        )
    return not isinstance(kernel, str)


def gram(kernel: Kernel | Callable | str, X: Any) -> tuple[np.ndarray, bool]:
    """Gram matrix of X with itself, and whether its memory is ours to overwrite.

    Equal rows of X are equal rows of it to the last digit: rounding must not tell them apart, lest a fit with
    a small penalty learns by it which target belongs to which of them.
    """
    if isinstance(kernel, str):
        return X, False
    require_memory((X.shape[0], X.shape[0]), X.dtype)
    first, place = distinct_rows(X)
    if len(first) < X.shape[0]:
        return gram(kernel, X[first])[0][np.ix_(place, place)], True
    if isinstance(kernel, Kernel):
        return _checked(kernel(X), X.shape[0], X.shape[0]), True
    return _checked(kernel(X, X), X.shape[0], X.shape[0]), False  # a function may keep what it returns


def cross_gram(kernel: Kernel | Callable, X: Any, Y: Any) -> np.ndarray:
    """Gram matrix of X with Y."""
    return _checked(kernel(X, Y), X.shape[0], Y.shape[0])


def gram_diagonal(kernel: Kernel | Callable, X: Any) -> np.ndarray:
    """K(x, x) for every row of X."""
    if isinstance(kernel, Kernel):
        return np.asarray(kernel.diag(X), dtype=np.float64)
    return np.concatenate([np.diagonal(kernel(X[rows], X[rows])) for rows in row_blocks(X.shape[0], 64)])


def _checked(values: Any, n: int, m: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (n, m):
        raise ValueError(f"the kernel returned an array of shape {values.shape}, expected {(n, m)}.")
    return values
