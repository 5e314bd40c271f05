"""The search for a number of iterations: one training per fold answers all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.blocks import working_memory
from ntklib._core.scaling import standard_deviation
from ntklib._core.threads import get_threads, parallel_for

from .._folds import Splits
from .._scoring import Criterion, check_scores, comparable
from ._fit import Training, held_rows, undisturbed
from ._models import Tangent


@dataclass(frozen=True, eq=False, repr=False)
class StoppingPath:
    """Held-out scores of numbers of iterations.

    Attributes
    ----------
    max_iters : ndarray of int of shape (T,)
        Numbers of iterations, ascending.
    scores : ndarray of shape (T,)
        Mean over the folds; larger is better.
    fold_scores : ndarray of shape (n_folds, T)
    max_iter : int
        The best number; of equal ones the smallest.
    best_score : float
        Its score.
    scoring : str
        Name of the score.
    n_samples : int
    """

    max_iters: NDArray
    scores: NDArray
    fold_scores: NDArray
    max_iter: int
    best_score: float
    scoring: str
    n_samples: int

    def plot(self, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the scores against the number of iterations.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
        **kwargs
            For matplotlib's ``plot``, for the mean.

        Returns
        -------
        StoppingPathDisplay
        """
        from ntklib.plotting import StoppingPathDisplay

        return StoppingPathDisplay.from_path(self).plot(ax=ax, **kwargs)

    def __repr__(self) -> str:
        folds, times = self.fold_scores.shape
        return (
            f"StoppingPath({times} numbers of iterations, {self.max_iters[0]} to {self.max_iters[-1]}, on "
            f"{folds} folds of {self.n_samples} samples: {self.max_iter} is best, {self.scoring} "
            f"{self.best_score:.6g})"
        )

    def results(self) -> dict[str, NDArray]:
        """Return a dictionary of columns, as grid searches keep in ``cv_results_``."""
        order = np.sort(-comparable(self.scores))
        splits = {f"split{i}_test_score": scores for i, scores in enumerate(self.fold_scores)}
        return {
            "param_max_iter": self.max_iters,
            **splits,
            "mean_test_score": self.scores,
            "std_test_score": standard_deviation(self.fold_scores),
            "rank_test_score": 1 + np.searchsorted(order, -comparable(self.scores)),
        }


class Found(NamedTuple):
    """A path, and for each fold its rows and the outputs there after the best number of iterations."""

    path: StoppingPath
    held_out: list[tuple[NDArray, NDArray]]


def search_stopping(
    model: Tangent,
    training: Training,
    learning_rate: Any,
    splits: Splits,
    max_iters: NDArray,
    criterion: Criterion,
    scoring: str,
) -> Found:
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
        descent = replace(training, units=units.take(rows)).descent(model, learning_rate)
        stages = descent.stages(max_iters, descent.view(held_rows(units, test, rows)))
        outputs[fold] = np.stack([stage.outputs for stage in stages]) * training.unit  # type: ignore[misc]
        for i, values in enumerate(outputs[fold]):
            pair = criterion(values, test) if np.isfinite(values).all() else (-np.inf, -np.inf)
            ranks[fold, i] = pair

    held = training.held(model)
    parallel = min(get_threads(), len(splits), working_memory() // (8 * held))
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
    return Found(path, [(test, values[best]) for (_, test), values in zip(splits, outputs, strict=True)])


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
