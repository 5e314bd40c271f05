"""The search for a number of iterations: one training per fold answers all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.blocks import working_memory
from ntklib._core.progress import step
from ntklib._core.threads import get_threads, parallel_for

from .._folds import Splits
from .._scoring import Criterion, check_scores, comparable
from ._models import Tangent
from ._training import Training, held_rows, undisturbed
from .stopping_path import StoppingPath


class StoppingSearch(NamedTuple):
    """A path, and the rows of all folds with the outputs there after the best number of iterations."""

    path: StoppingPath
    held_rows: NDArray
    held_outputs: NDArray


def search_stopping(
    model: Tangent,
    training: Training,
    learning_rate: Any,
    splits: Splits,
    max_iters: NDArray,
    criterion: Criterion,
    scoring: str,
) -> StoppingSearch:
    """Train on each fold, and judge the samples left out after every number of iterations.

    Folds are shared out to threads as far as `working_memory` allows: an eigendecomposition gains little
    from threads of its own.
    """
    units = training.units
    outputs: list[NDArray] = [np.empty(0)] * len(splits)
    ranks = np.empty((len(splits), len(max_iters), 2))

    def run(fold: int) -> None:
        rows, test = splits[fold]
        if len(rows) == 0 or len(test) == 0:
            raise ValueError("a fold of cv has no training or no test samples left.")
        with step(f"fold {fold + 1} of {len(splits)}"):
            descent = replace(training, units=units.take(rows)).descent(model, learning_rate)
            stages = descent.stages(max_iters, descent.view(held_rows(units, test, rows)))
            outputs[fold] = np.stack([stage.outputs for stage in stages]) * training.unit  # type: ignore[misc]
        gauge.advance()
        for i, values in enumerate(outputs[fold]):
            ranks[fold, i] = criterion(values, test) if np.isfinite(values).all() else -np.inf

    held = training.numbers_held(model)
    parallel = min(get_threads(), len(splits), working_memory() // (8 * held))
    with step("folds", len(splits)) as gauge:
        if parallel > 1:
            parallel_for(run, range(len(splits)), threads=parallel)
        else:
            for fold in range(len(splits)):
                undisturbed(partial(run, fold), held)
    mean = ranks.mean(axis=0)
    order = comparable(mean)
    best = max(range(len(max_iters)), key=lambda i: (*order[i], -i))
    check_scores(order[best, 0], bool(np.isfinite(ranks).all()), f"{scoring}, cross-validation")
    scores = criterion.reported(mean[:, 0])
    path = StoppingPath(
        max_iters=max_iters,
        scores=scores,
        fold_scores=criterion.reported(ranks[:, :, 0]),
        max_iter=int(max_iters[best]),
        best_score=float(scores[best]),
        scoring=scoring,
        n_samples=len(units),
    )
    rows = np.concatenate([test for _, test in splits])
    return StoppingSearch(path, rows, np.concatenate([values[best] for values in outputs]))


def loss_criterion(training: Training) -> Criterion:
    """Minus the mean, over held-out samples, of the loss that is trained on."""
    units, risk = training.units, training.risk(training.units)

    def scored(values: NDArray, rows: NDArray) -> tuple[float, float]:
        total = len(rows) if units.weights is None else units.weights[rows].sum()
        return -risk.take(rows).value(values / training.unit) / total, 0.0

    return Criterion(scored, training.loss.in_units(training.unit)[1] * training.exponent)


def resolve_max_iters(max_iters: ArrayLike | None, *, square: bool) -> NDArray:
    """Ascending numbers of iterations; None is quarter decades, with the closed form as far as 10^6."""
    if max_iters is None:
        last = 6 if square else 3
        return np.unique(np.logspace(0, last, 4 * last + 1).round().astype(np.int64))
    numbers = np.asarray(max_iters)
    whole = numbers.dtype.kind in "iuf" and numbers.ndim <= 1 and numbers.size
    if not whole or not (np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all()):
        raise ValueError(f"max_iters must be whole numbers, one or a list of them, got {max_iters!r}.")
    if numbers.min() < 1:
        raise ValueError(f"max_iters must be at least 1, got {numbers.min()}.")
    return np.unique(numbers.astype(np.int64))
