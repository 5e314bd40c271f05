"""Fits and predictions of ridge regression for rows that are arrays of other libraries."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length

from ntklib._core.blocks import row_blocks, working_memory
from ntklib._core.namespaces import on_device, to_numpy
from ntklib.kernels.combined import kernel_diagonal, kernel_matrix
from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom.array_api import sum_arrays

from .._units import warn_mean_square
from ..rows import check_finite_values
from ._clipping import target_range
from ._estimator import Part
from ._many_rows import check_blockwise

__all__ = ["check_arrays", "expand_arrays", "fit_arrays"]


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
    check_arrays(model, X, xp)
    kernel_diagonal(kernel, X[:1, :])  # refuses kernels of NumPy arrays before work begins
    check_blockwise(kernel, X.shape[1], solver)
    targets = _targets(model, y)
    model._single, targets = targets.ndim == 1, targets.reshape(len(targets), -1)
    check_consistent_length(X, targets)
    weights = _weights(sample_weight, targets)
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
    cross, diagonal = partial(kernel_matrix, kernel), partial(kernel_diagonal, kernel)
    sums = sum_arrays(cross, diagonal, X, targets, weights, counts, solver, fit_intercept=model.fit_intercept)
    fit = sums.fit(penalties, refine=False)
    model._store_centres(np.where(fit.chosen < 0, -1, kept[fit.chosen]), fit, penalties)
    model._fit_scale(float(counts.sum()))
    model._fit_limits(target_range(targets))


def expand_arrays(model: Any, X: Any, xp: Any) -> Any:
    """Predictions of all outputs at the rows of an array, (m, k), in float64 on its device."""
    check_arrays(model, X, xp)
    if X.shape[1] != model.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(model).__name__} is expecting {model.n_features_in_} "
            "features as input."
        )
    parts = model._summed()
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
        blocks.append(
            xp.astype(kernel_matrix(part.kernel, X[rows, :], centres), xp.float64) @ dual + intercept
        )
    return xp.concat(blocks, axis=0)


def _targets(model: Any, y: Any) -> NDArray:
    """Targets in NumPy, checked as those of NumPy rows are."""
    if y is None:
        raise ValueError(
            f"This {type(model).__name__} estimator requires y to be passed, but the target y is None."
        )
    y = to_numpy(y)
    check_finite_values(y, "y")
    return check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=model)


def _weights(sample_weight: Any, targets: NDArray) -> NDArray:
    """Weights in NumPy, checked as those of NumPy rows are; ones where there are none."""
    if not (sample_weight is None or isinstance(sample_weight, Real)):
        sample_weight = to_numpy(sample_weight)
        check_finite_values(sample_weight, "sample_weight")
    weights = _check_sample_weight(sample_weight, targets, dtype=np.float64, ensure_non_negative=True)
    if not np.isfinite(weights.sum()):
        raise ValueError("the sample weights are too large to be added up.")
    return weights


def check_arrays(model: Any, X: Any, xp: Any) -> None:
    """Refuse rows that are no matrix of finite floats."""
    if X.ndim != 2 or X.dtype not in (xp.float32, xp.float64):
        raise ValueError(
            f"X must be a matrix of float32 or float64, got {X.dtype} of shape {tuple(X.shape)}."
        )
    for length, name in zip(X.shape, ("sample", "feature"), strict=True):
        if not length:
            raise ValueError(
                f"Found array with 0 {name}(s) (shape={tuple(X.shape)}) while a minimum of 1 is required by "
                f"{type(model).__name__}."
            )
    finite = xp.isfinite(X)
    if not bool(xp.all(finite)):
        row = int(xp.nonzero(~xp.all(finite, axis=1))[0][0])
        raise ValueError(
            f"Input X contains NaN or infinity in row {row}: leave such rows out, or fill in missing values."
        )
