"""Fits and predictions of ridge regression for rows that are arrays of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from ntklib._core.blocks import row_blocks, working_memory
from ntklib._core.namespaces import on_device, to_numpy
from ntklib.kernels import NNGP, NTK, ArcCosine, Laplace
from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom.array_api import sum_arrays

from .._units import warn_mean_square
from ._clipping import target_range
from ._estimator import Part
from ._many_rows import check_blockwise

__all__ = ["check_array_kernel", "check_arrays", "expand_arrays", "fit_arrays"]

_KERNELS = (NTK, NNGP, ArcCosine, Laplace)


def fit_arrays(model: Any, X: Any, y: Any, sample_weight: Any, xp: Any) -> None:
    """Fit a regressor on centres, its kernel resolved, to the rows of an array on its device.

    Raises
    ------
    ValueError
        If the solver needs all rows in NumPy, or the data are not finite numbers of matching shapes.
    TypeError
        If the kernel takes NumPy arrays only.
    """
    model._check_parameters()
    solver, kernel = model.solver, model.kernel_
    if isinstance(solver, str) and solver in ("auto", "nystrom"):
        solver = Nystrom()
    if not isinstance(solver, Nystrom):
        raise ValueError(
            f"arrays of {xp.__name__} are fitted on centres, with solver 'auto', 'nystrom' or a Nystrom "
            f"object, got {solver!r}: convert the rows, numpy.asarray(X)."
        )
    check_array_kernel(kernel)
    check_arrays(X, xp)
    check_blockwise(kernel, X.shape[1], solver)
    targets = check_array(to_numpy(y), ensure_2d=False, dtype=np.float64, input_name="y")
    model._single, targets = targets.ndim == 1, targets.reshape(len(targets), -1)
    weights = np.asarray(1.0 if sample_weight is None else to_numpy(sample_weight), dtype=np.float64)
    weights = np.full(len(targets), weights) if weights.ndim == 0 else weights
    for name, part in (("y", targets), ("sample_weight", weights)):
        if len(part) != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} rows and {name} {len(part)}.")
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.any()):
        raise ValueError("sample weights must be finite, nonnegative and not all 0.")
    kept = np.flatnonzero(weights)
    if len(kept) < len(weights):
        X, targets, weights = xp.take(X, on_device(kept, X), axis=0), targets[kept], weights[kept]
    counts = weights if (weights == np.floor(weights)).all() else np.ones(len(weights))
    model.n_features_in_ = int(X.shape[1])
    model.__dict__.pop("feature_names_in_", None)
    warn_mean_square(float(xp.mean(xp.astype(X, xp.float64) ** 2)))
    penalties = model._penalties_for(targets.shape[1])
    if isinstance(solver.centers, str):
        solver.check_factor(X.shape[0], solver.count(X.shape[0]), "give Nystrom a smaller n_centers")
    sums = sum_arrays(
        kernel, kernel.diag, X, targets, weights, counts, solver, fit_intercept=model.fit_intercept
    )
    fit = sums.fit(penalties, refine=False)
    model._store_centres(np.where(fit.chosen < 0, -1, kept[fit.chosen]), fit, penalties)
    model._fit_scale(float(counts.sum()))
    model._fit_limits(target_range(targets))


def expand_arrays(model: Any, X: Any, xp: Any) -> Any:
    """Predictions of all outputs at the rows of an array, (m, k), in float64 on its device."""
    check_arrays(X, xp)
    if X.shape[1] != model.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(model).__name__} is expecting {model.n_features_in_} "
            "features as input."
        )
    parts = model._summed()
    for part in parts:
        check_array_kernel(part.kernel)
    values = _expand_part(parts[0], X, xp)
    for part in parts[1:]:
        values = values + _expand_part(part, X, xp)
    limits = getattr(model, "prediction_limits_", None)
    if limits is not None:
        low, high = (on_device(end, X) for end in limits.reshape(2, -1))
        values = xp.minimum(xp.maximum(values, low), high)
    return values


def _expand_part(part: Part, X: Any, xp: Any) -> Any:
    """Values of one fit at the rows of an array, times its weight."""
    dual = on_device(part.weight * part.dual_coef, X, xp.float64)
    intercept = on_device(part.weight * np.atleast_1d(part.intercept).astype(np.float64), X)
    centres = on_device(part.X, X, X.dtype)
    size = max(1, working_memory() // (8 * centres.shape[0]))
    blocks = [xp.zeros_like(dual[:0, :])]
    for rows in row_blocks(X.shape[0], size):
        blocks.append(xp.astype(part.kernel(X[rows, :], centres), xp.float64) @ dual + intercept)
    return xp.concat(blocks, axis=0)


def check_array_kernel(kernel: Any) -> None:
    """Refuse kernels without an implementation for arrays of other libraries."""
    if not isinstance(kernel, _KERNELS):
        raise TypeError(
            f"arrays of other libraries have the kernels NTK, NNGP, ArcCosine and Laplace, got {kernel!r}: "
            "convert the rows, numpy.asarray(X)."
        )


def check_arrays(X: Any, xp: Any) -> None:
    """Refuse rows that are no matrix of finite floats."""
    if X.ndim != 2 or X.dtype not in (xp.float32, xp.float64) or 0 in X.shape:
        raise ValueError(
            f"X must be a matrix of float32 or float64 with rows and columns, got {X.dtype} of shape "
            f"{tuple(X.shape)}."
        )
    finite = xp.isfinite(X)
    if not bool(xp.all(finite)):
        row = int(xp.nonzero(~xp.all(finite, axis=1))[0][0])
        raise ValueError(
            f"Input X contains NaN or infinity in row {row}: leave such rows out, or fill in missing values."
        )
