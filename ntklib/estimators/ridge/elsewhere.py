"""Fits of the ridge estimators to rows that are elsewhere: all that is known of them are sums and samples.

Such rows come with a driver like :class:`~ntklib.solvers.nystrom.CentreRows`. Fits on centres are then the
same bytes as from the same blocks in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import compute_class_weight

from ntklib._core.threads import single_threaded
from ntklib.solvers import Nystrom
from ntklib.solvers.nystrom import CentreModel, CentreSums, sum_on_centres

from .._classification import class_targets
from .._folds import check_folds
from .._kernel import accepts_sparse, cross_gram, gram_diagonal, resolve_kernel
from .._routing import Metadata
from .._units import Units, warn_mean_square
from ..rows import RowView
from ._candidates import candidates_of, settled
from ._clipping import clipped, left_out_limits
from ._cv import RidgeSearch, search_order
from ._estimator import RidgeEstimator
from ._kernel_search import SearchResult
from ._many_rows import check_blockwise

__all__ = [
    "RowsElsewhere",
    "class_targets",
    "class_weights",
    "fit_elsewhere",
    "many_rows_solver",
    "search_elsewhere",
]

Model = TypeVar("Model", bound=RidgeEstimator)
Search = TypeVar("Search", bound=RidgeSearch)


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
    n_copies : float
        Sum of the counts.
    numbers : ndarray of int
        Of the rows that `map` gives values of, ascending.
    held : callable
        Reads their targets, importances, counts and labels.
    ends : ndarray of shape (2, k)
        Least and largest of each target.
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
    n_copies: float
    numbers: NDArray
    held: Callable[[], tuple[NDArray, NDArray, NDArray, NDArray]]
    ends: NDArray
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
    single_threaded(_fit_on_centres, model, data, solver)
    model._shape_fit()
    return model


def _fit_on_centres(model: RidgeEstimator, data: RowsElsewhere, solver: Nystrom) -> None:
    """Fit at the kernel and penalty of the model."""
    penalties = model._penalties_for(data.rows.n_targets)
    sums = sums_elsewhere(model, data, solver)
    store_model(model, data, sums.fit(penalties, refine=solver.refine), penalties)
    if is_classifier(model) and model.calibrate:  # type: ignore[attr-defined]
        model._fit_temperature(held_units(data), sums.left_out(penalties))  # type: ignore[attr-defined]


def search_elsewhere(model: Search, data: RowsElsewhere) -> Search:
    """Choose kernel and penalty of an estimator, and fit it; return it.

    Kernels are compared exactly on a few rows, drawn among those that `map` gives values of; the penalty
    is searched from the sums over all rows, by leave-one-out of the rows that `map` is for.

    Parameters
    ----------
    model : NTKRegressorCV or NTKClassifierCV
        With a solver on centres.
    data : RowsElsewhere

    Raises
    ------
    ValueError
        If a parameter is out of its range or needs all rows in one place, or a kernel is 0 on all centres or
        not known block by block.
    """
    solver = many_rows_solver(model)
    check_folds(model.cv, (None, "gcv"))
    refused = {"cv": model._splits_samples, "combine": model.combine == "stack"}
    for name, wrong in refused.items():
        if wrong:
            raise ValueError(
                f"{name}={getattr(model, name)!r} needs all rows on one machine: leave its default (cv may "
                "also be 'gcv'), or fit to rows in memory."
            )
    candidates = candidates_of(model.kernels, model._grid)
    describe_fit(model, data)
    for candidate in candidates:
        if candidate.is_fixed:
            check_kernel(candidate.kernel, data, solver)
    units = held_units(data)
    units = replace(units, X=HeldRows(data.rows.X, data.numbers, driver_of_all=data.rows))
    order = search_order(len(units), deepcopy(model.random_state), units.labels)[: model.max_search_samples]
    if len(order) < len(units):  # one reading for all rounds
        units.X[np.sort(order)]
    metadata = Metadata(None, {}, {})
    result, *_ = model._search(settled(candidates, units.X), units, metadata, None, solver)
    single_threaded(_fit_chosen, model, data, units, result, solver)
    model._shape_fit()
    return model


def _fit_chosen(
    model: RidgeSearch, data: RowsElsewhere, units: Units, result: SearchResult, solver: Nystrom
) -> None:
    """Fit all rows as the search has chosen."""
    choice, held_out = result.choice, result.held_out
    if result.learned is not None and choice is None:
        penalties = np.full(units.targets.shape[1], model.alpha_)
        sums = sums_elsewhere(model, data, solver)
        store_model(model, data, sums.fit(penalties, refine=solver.refine), penalties)
        if is_classifier(model):
            model._fit_temperature(without_rows(units).take(result.learned), held_out)  # type: ignore[attr-defined]
        if model.store_held_out:
            held_out = clipped(sums.left_out(penalties), left_out_limits(units) if model.clip else None)
            held_out[result.learned] = result.held_out
    else:
        assert choice is not None
        assert choice.model is not None
        store_model(model, data, choice.model, choice.penalties)
        if is_classifier(model):
            model._fit_temperature(without_rows(units), choice.left_out)  # type: ignore[attr-defined]
    if model.store_held_out:
        keep_held_out(model, data, held_out)


def keep_held_out(model: RidgeSearch, data: RowsElsewhere, values: NDArray) -> None:
    """Keep predictions of rows by fits without them, and the numbers of these rows."""
    single = values.shape[1] == 1 and (is_classifier(model) or model._single)
    model.held_out_predictions_ = values[:, 0] if single else values
    model.held_out_rows_ = data.numbers


@dataclass(frozen=True)
class HeldRows(RowView):
    """The rows that leave-one-out is of, of which some are read, and the driver of the sums over all."""

    elsewhere = True
    driver_of_all: Any = None

    def take(self, rows: NDArray) -> RowView:
        return RowView(self[rows])

    def driver(self, targets: Any, weights: Any, counts: Any) -> Any:
        return self.driver_of_all


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


def without_rows(units: Units) -> Units:
    """Units without features, which are not read."""
    return replace(units, X=np.empty((len(units), 0)))


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
    kernel = model.kernel_
    check_kernel(kernel, data, solver)
    cross, diagonal = partial(cross_gram, kernel), partial(gram_diagonal, kernel)
    return sum_on_centres(cross, diagonal, data.rows, solver, fit_intercept=model.fit_intercept)


def check_kernel(kernel: Any, data: RowsElsewhere, solver: Nystrom) -> None:
    """Refuse a kernel that the rows do not suit, and centres that do not fit in memory."""
    check_blockwise(kernel, data.n_features, solver)
    if getattr(data.rows.X, "sparse", False) and not accepts_sparse(kernel):
        raise ValueError(
            f"the kernel {kernel} takes no sparse rows: give dense chunks, "
            "X.map_blocks(lambda x: x.toarray())."
        )
    solver.check_rows(data.rows.X)


def store_model(model: RidgeEstimator, data: RowsElsewhere, fit: CentreModel, penalties: NDArray) -> None:
    """Keep a fit on centres, and all of it that does not need leave-one-out."""
    model._store_centres(fit.chosen, fit, penalties)
    if is_classifier(model):
        model._keep_shares(data.rows.X.sample, data.class_totals)  # type: ignore[attr-defined]
    else:
        model._fit_scale(data.n_copies)  # type: ignore[attr-defined]
        model._fit_limits(data.ends)  # type: ignore[attr-defined]
