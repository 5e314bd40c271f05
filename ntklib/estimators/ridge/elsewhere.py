"""Fits of the ridge estimators to rows that are elsewhere: all that is known of them are sums and samples.

Such rows come with a driver like :class:`~ntklib.solvers.nystrom.CentreRows`. Fits on centres are then the
same bytes as from the same blocks in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import compute_class_weight

from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom import CentreModel, CentreSums, sum_on_centres

from .._classification import class_targets
from .._kernel import accepts_sparse, cross_gram, gram_diagonal, resolve_kernel
from .._units import Units, warn_mean_square
from ._estimator import RidgeEstimator
from ._many_rows import check_blockwise

__all__ = ["RowsElsewhere", "class_targets", "class_weights", "fit_elsewhere", "many_rows_solver"]

Model = TypeVar("Model", bound=RidgeEstimator)


@dataclass(frozen=True)
class RowsElsewhere:
    """Rows of positive weight that are elsewhere.

    Attributes
    ----------
    rows : driver
        In place of :class:`~ntklib.solvers.nystrom.CentreRows`; its `map` gives values of some rows only.
    n_features : int
    feature_names : ndarray of str, or None
    single : bool
        y has no axis of targets.
    mean_square : float
        Mean of |x|^2 / n_features.
    held : callable
        Reads targets, importances, counts and labels of the rows that `map` gives values of.
    classes : ndarray or None
        None in regression.
    class_totals : ndarray of shape (n_classes,) or None
        Sum of the weights of each class, those of classes multiplied in.
    """

    rows: Any
    n_features: int
    feature_names: NDArray | None
    single: bool
    mean_square: float
    held: Callable[[], tuple[NDArray, NDArray, NDArray, NDArray]]
    classes: NDArray | None = None
    class_totals: NDArray | None = None


def many_rows_solver(model: RidgeEstimator) -> Nystrom:
    """Check the parameters of an estimator, and return its solver on centres.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the solver another one.
    """
    model._check_parameters()
    solver = model.solver
    if isinstance(solver, str) and solver in ("auto", "nystrom"):
        return Nystrom()
    if not isinstance(solver, Nystrom):
        raise ValueError(
            "solver must be 'auto', 'nystrom' or a Nystrom object for rows on many machines, since other "
            f"solvers need all rows on one; got {solver!r}."
        )
    return solver


def class_weights(class_weight: Any, classes: NDArray, totals: NDArray) -> NDArray | None:
    """Importances of the classes, (n_classes,), by the sums of their sample weights; None is ones."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        return totals.mean() / totals
    return compute_class_weight(class_weight, classes=classes, y=classes)


def fit_elsewhere(model: Model, data: RowsElsewhere) -> Model:
    """Fit an estimator at its kernel and penalty; return it.

    Parameters
    ----------
    model : NTKRegressor or NTKClassifier
        With a solver on centres.
    data : RowsElsewhere

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the kernel is 0 on all centres or not known block by block.
    """
    solver = many_rows_solver(model)
    model.kernel_ = resolve_kernel(model.kernel)
    describe_fit(model, data)
    penalties = model._penalties_for(data.rows.n_targets)
    sums = sums_elsewhere(model, data, solver)
    store_model(model, data, sums, sums.fit(penalties, refine=solver.refine), penalties)
    if is_classifier(model) and model.calibrate:  # type: ignore[attr-defined]
        model._fit_temperature(held_units(data), sums.left_out(penalties))  # type: ignore[attr-defined]
    model._shape_fit()
    return model


def held_units(data: RowsElsewhere) -> Units:
    """Units, without features, of the rows that leave-one-out is of."""
    targets, importances, counts, labels = data.held()
    return Units(
        np.empty((len(targets), 0)),
        targets,
        importances,
        np.arange(len(targets)),
        counts=counts,
        labels=labels,
    )


def describe_fit(model: RidgeEstimator, data: RowsElsewhere) -> None:
    """Set what scikit-learn knows of a fit beside its parameters."""
    model.n_features_in_ = data.n_features
    if data.feature_names is not None:
        model.feature_names_in_ = data.feature_names
    if data.classes is None:
        model._single = data.single
    else:
        model.classes_ = data.classes
    warn_mean_square(data.mean_square)


def sums_elsewhere(model: RidgeEstimator, data: RowsElsewhere, solver: Nystrom) -> CentreSums:
    """Sums over the rows for the kernel of a model, on centres among them."""
    kernel, rows = model.kernel_, data.rows
    check_blockwise(kernel, data.n_features, solver)
    if getattr(rows.X, "sparse", False) and not accepts_sparse(kernel):
        raise ValueError(
            f"the kernel {kernel} takes no sparse rows: give dense chunks, "
            "X.map_blocks(lambda x: x.toarray())."
        )
    solver.check_rows(rows.X)
    cross, diagonal = partial(cross_gram, kernel), partial(gram_diagonal, kernel)
    return sum_on_centres(cross, diagonal, rows, solver, fit_intercept=model.fit_intercept)


def store_model(
    model: RidgeEstimator, data: RowsElsewhere, sums: CentreSums, fit: CentreModel, penalties: NDArray
) -> None:
    """Keep a fit on centres, and all of it that does not need leave-one-out."""
    model._store_centres(fit.chosen, fit, penalties)
    if is_classifier(model):
        model._keep_shares(data.rows.X.sample, data.class_totals)  # type: ignore[attr-defined]
    else:
        model._fit_scale(sums.regression.sums.count)  # type: ignore[attr-defined]
