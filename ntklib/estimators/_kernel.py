"""The `kernel` parameter: a Kernel object, a function of two arrays, or "precomputed"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, WhiteKernel

from ntklib._core.blocks import require_memory, row_blocks, working_memory
from ntklib._core.progress import step
from ntklib._core.warning import warn
from ntklib.kernels import NNGP, NTK, Activation, ArcCosine, Laplace, Scaled
from ntklib.networks import EmpiricalNTK

from ._units import distinct_rows
from .defaults import default_kernel
from .rows import read_rows, whole

_PRECOMPUTED = "precomputed"
_ROW_COPIES = 6
_OF_NETWORKS = (NTK, NNGP, ArcCosine, EmpiricalNTK)
_OURS = (*_OF_NETWORKS, Laplace)
_WITHOUT_VALUES = (ConstantKernel, WhiteKernel)  # of scikit-learn: they only count rows


def is_precomputed(kernel: Any) -> bool:
    """Say if rows of X are rows of a Gram matrix."""
    return isinstance(kernel, str) and kernel == _PRECOMPUTED


def resolve_kernel(kernel: Any, name: str = "kernel") -> Kernel | Callable | str:
    """A kernel of our own to fit with: None becomes the default, objects are cloned."""
    if kernel is None:
        return default_kernel()
    if isinstance(kernel, Kernel):
        for leaf in _leaves(kernel):
            if isinstance(leaf, Scaled):  # of what is no kernel
                leaf.check_kernel()
        return clone(kernel)
    if isinstance(kernel, type):
        raise TypeError(
            f"{name} must be a kernel object, and {kernel.__name__} is a class: give an instance, "
            f"{kernel.__name__}(...)."
        )
    if isinstance(kernel, Activation):
        raise TypeError(
            f"{name} must be a kernel, and {kernel!r} is an activation: give NTK(activation=...) of it."
        )
    if callable(kernel) or is_precomputed(kernel):
        return kernel
    raise ValueError(
        f"{name} must be None, a kernel object such as ntklib.NTK(), a function of two arrays that returns "
        f"their Gram matrix, or 'precomputed'; got {kernel!r}."
    )


def accepts_sparse(kernel: Any) -> bool:
    """Say if the kernel takes CSR input: ours, constants, noise and plain functions do."""
    return not isinstance(kernel, str) and dense_part(kernel) is None


def dense_part(kernel: Any) -> Kernel | None:
    """The first part of a kernel that takes no CSR input, as kernels of scikit-learn's do; None if all do."""
    leaves = _leaves(kernel) if isinstance(kernel, Kernel) else []
    return next((leaf for leaf in leaves if not isinstance(leaf, (*_OURS, *_WITHOUT_VALUES))), None)


def refuse_sparse(kernel: Any, X: Any) -> None:
    """Refuse CSR input of a kernel that takes none, by the name of the part at fault."""
    if sparse.issparse(X) and (part := dense_part(kernel)) is not None:
        raise TypeError(
            f"X is sparse, and the kernel {part!r} takes dense rows only: give X.toarray(), or a kernel of "
            "ntklib."
        )


def is_ours(kernel: Any) -> bool:
    """Say if a kernel is one of this library, whose values are computed in threads."""
    return is_ours(kernel.kernel) if isinstance(kernel, Scaled) else type(kernel) in _OURS


def _leaves(kernel: Kernel) -> list[Kernel]:
    """The kernels that a sum, a product or a power is made of; itself otherwise."""
    parts = [value for value in kernel.get_params(deep=False).values() if isinstance(value, Kernel)]
    return [leaf for part in parts for leaf in _leaves(part)] if parts else [kernel]


def warn_blind(kernel: Any, X: Any) -> None:
    """Warn about a kernel of ours that sees no more of a single feature than its sign and its size.

    On one side of 0 the Gram matrix of such a kernel has rank 1.
    """
    if X.shape[1] != 1 or not isinstance(kernel, Kernel):
        return
    K = np.asarray(kernel(np.array([[1.0], [2.0]])))
    with np.errstate(over="ignore", invalid="ignore"):
        blind = K[0, 1] ** 2 >= (1 - 1e-12) * K[0, 0] * K[1, 1]
    if blind and any(isinstance(leaf, _OF_NETWORKS) for leaf in _leaves(kernel)):
        warn(
            "with one feature and no bias all that can be fitted is a multiple of a power of |x| on either "
            "side of 0: give the kernel or network a bias (bias_std=1.0; NNGP(1, RectifiedPower(degree), "
            "bias_std=1.0) in place of ArcCosine(degree)), or add a column of ones.",
        )


def adds_noise(kernel: Any, X: Any) -> bool:
    """Say if a kernel adds noise of its own, as ``WhiteKernel`` does: another draw for each sample.

    The matrix of rows with themselves then has more on its diagonal than the kernel between equal rows, and
    equal samples are not the same.
    """
    if not isinstance(kernel, Kernel):
        return False
    row = X[:1].astype(np.float64)
    own, between = np.asarray(kernel(row)), np.asarray(kernel(row, row))
    with np.errstate(over="ignore", invalid="ignore"):  # of values beyond the floats, which a fit refuses
        return bool(abs(own - between).max() > 1e-9 * abs(own).max())


def gram(kernel: Kernel | Callable | str, X: Any) -> tuple[NDArray, bool]:
    """Gram matrix of X with itself, and True if its memory is ours: others may keep the array they return.

    Equal rows of X are equal rows of it to the last digit: rounding must not tell them apart, lest a fit with
    a small penalty learns by it which target belongs to which of them. Only noise of the kernel's own does.
    """
    if isinstance(kernel, str):
        return X, False
    require_memory((X.shape[0], X.shape[0]), X.dtype)
    X = whole(X)
    if _may_repeat(X):
        first, place = distinct_rows(X)
        if len(first) < X.shape[0] and not adds_noise(kernel, X):
            return gram(kernel, X[first])[0][np.ix_(place, place)], True
    if isinstance(kernel, Kernel):
        return _checked(kernel(X), X.shape[0], X.shape[0]), is_ours(kernel)
    return _checked(kernel(X, X), X.shape[0], X.shape[0]), False


def cross_gram(kernel: Kernel | Callable | str, X: Any, Y: Any) -> NDArray:
    """Gram matrix of X with Y."""
    return X if isinstance(kernel, str) else _checked(kernel(X, Y), X.shape[0], Y.shape[0])


def batches(X: Any, n: int) -> Iterator[slice]:
    """Slices of rows that fit in the working memory with all that is made of them.

    That is their Gram matrix with n others, or the rows themselves, which a kernel copies a few times.
    """
    size = max(1, working_memory() // (8 * max(n, _ROW_COPIES * X.shape[1])))
    shape, less = (min(size, X.shape[0]), n), "lower sklearn.set_config(working_memory=...)"
    require_memory(shape, X.dtype, "batch of kernel values", less, rows=False)
    return row_blocks(X.shape[0], size)


def evaluate_expansion(kernel: Kernel | Callable | str, X: Any, Y: Any, coef: NDArray) -> NDArray:
    """Values sum_i coef_i K(x, y_i) at the rows x of X, (m, k), one batch of the cross-Gram at a time.

    Coefficients of equal rows are added first: at small penalties they are large, of both signs, and would
    multiply what rounding makes of one value in two places of a matrix.
    """
    out = np.empty((X.shape[0], coef.shape[1]))
    if not isinstance(kernel, str) and _may_repeat(Y):
        first, place = distinct_rows(Y)
        together = np.zeros((len(first), coef.shape[1]))
        np.add.at(together, place, coef)
        Y, coef = Y[first], together
    with step("predictions", len(out), "rows") as gauge:
        for rows in batches(X, len(coef)):
            out[rows] = cross_gram(kernel, X[rows], Y) @ coef
            gauge.reach(rows.stop)
    check_finite_rows(out)
    return out


def check_finite_rows(values: NDArray) -> None:
    """Refuse values of new rows by kernels that are NaN or infinite there."""
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(bad):
        raise ValueError(
            f"the kernel, or the prediction by it, is NaN or infinite on row {bad[0]} of X: scale the "
            "features, as StandardScaler does, or mend the kernel."
        )


def _may_repeat(X: Any) -> bool:
    """Say if some rows may be equal, by a projection: quicker than a look at all of each."""
    if sparse.issparse(X):
        return X.shape[0] > 1
    weights = np.random.default_rng(0).standard_normal(X.shape[1]).astype(X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        projections = np.sort((X * weights).sum(axis=1))  # of equal rows to the last digit, unlike a product
    return not np.all(projections[1:] > projections[:-1])


def gram_diagonal(kernel: Kernel | Callable, X: Any) -> NDArray:
    """K(x, x) for every row of X."""
    if isinstance(kernel, Kernel):
        parts = [kernel.diag(block) for block in read_rows(X)]
    else:
        blocks = (X[rows] for rows in row_blocks(X.shape[0], 64))
        parts = [np.diagonal(cross_gram(kernel, block, block)) for block in blocks]
    return np.concatenate(parts).astype(np.float64, copy=False)


def tells_nothing(kernel: Kernel | Callable | str, X: Any) -> bool:
    """Say if the Gram matrix of X is constant, 0 for example: the rows have the same features."""
    if isinstance(kernel, str):
        level, parts = X[0, 0], iter([X.diagonal(), X[0]])
    else:
        level = gram_diagonal(kernel, X[:1])[0]
        parts = (part for block in read_rows(X) for part in _first_values(kernel, X[:1], block))
    rounding = 8 * np.finfo(X.dtype).eps * abs(float(level))
    with np.errstate(over="ignore", invalid="ignore"):  # as above
        return all(np.abs(values - level).max() <= rounding for values in parts)


def _first_values(kernel: Kernel | Callable, first: Any, block: Any) -> tuple[NDArray, NDArray]:
    """Kernel of rows with themselves, and with one row."""
    return gram_diagonal(kernel, block), cross_gram(kernel, first, block)[0]


def _checked(values: Any, n: int, m: int) -> NDArray:
    values = np.asarray(values)
    if values.shape != (n, m):
        raise ValueError(f"the kernel returned an array of shape {values.shape}, expected {(n, m)}.")
    return values
