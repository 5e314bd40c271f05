"""Scores of predictions for people: R² and root mean square error, or accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.tables import Table
from ntklib.lab.tables.cells import read_cells
from ntklib.lab.tables.table import show

if TYPE_CHECKING:
    from ._model import TablePredictor


class Scorer:
    """Scores of predictions that come in blocks, in memory that does not depend on their number.

    Parameters
    ----------
    task : {"regression", "classification"}

    Examples
    --------
    >>> import numpy as np
    >>> scorer = Scorer("regression")
    >>> scorer.add(np.array([1.0, 2.0]), np.array([1.0, 2.5]))
    >>> scorer.add(np.array([6.0]), np.array([6.0]))
    >>> scorer.scores()
    {'rows': 3, 'R²': 0.9821428571428571, 'RMSE': 0.28867513459481287}
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self._n = self._right = 0
        self._mean = self._spread = self._error = 0.0

    def add(self, y: NDArray, predicted: NDArray) -> None:
        """Add targets and predictions of some rows."""
        n = len(y)
        if not n:
            return
        if self.task == "classification":
            self._right += int(np.count_nonzero(y == predicted))
        else:
            mean, spread = float(y.mean()), float(((y - y.mean()) ** 2).sum())
            step, total = mean - self._mean, self._n + n
            self._spread += spread + step**2 * self._n * n / total
            self._mean += step * n / total
            self._error += float(((y - predicted) ** 2).sum())
        self._n += n

    def scores(self) -> dict[str, float]:
        """Return the scores by name, with the number of rows; R² is left out where all targets are equal."""
        if self.task == "classification":
            return {"rows": self._n, "accuracy": self._right / self._n} if self._n else {}
        if not self._n:
            return {}
        r2 = {"R²": 1 - self._error / self._spread} if self._spread > 0 else {}
        return {"rows": self._n, **r2, "RMSE": float(np.sqrt(self._error / self._n))}


class TargetScorer:
    """Scores of the predictions of a table whose rows have their targets; those without one are left out.

    Parameters
    ----------
    model : TablePredictor
        Whose predictions are scored.
    """

    def __init__(self, model: TablePredictor) -> None:
        self.target, self._scorer = model.target, Scorer(model.task)
        regression = model.task == "regression"
        self._numbers = regression or model.pipeline.classes_.dtype.kind in "iu"
        self._targets: list[NDArray] = []

    def watch(self, blocks: Iterable[Table]) -> Iterator[Table]:
        """Iterate over the blocks of a table, and keep the targets until their predictions are there."""
        for block in blocks:
            self._targets.append(read_cells(block, self.target, "numeric" if self._numbers else "text"))
            yield block

    def add(self, predicted: NDArray) -> None:
        """Add the predictions of the next rows."""
        targets = np.concatenate(self._targets)
        y, self._targets = targets[: len(predicted)], [targets[len(predicted) :]]
        if self._numbers:
            there = ~np.isnan(y)
        else:
            there = np.array([bool(label.strip()) for label in y.tolist()], dtype=bool)
        self._scorer.add(y[there], predicted[there])

    def text(self) -> str | None:
        """Write the scores in a line, None if no row had a target."""
        if not (scores := self._scorer.scores()):
            return None
        return f"{scores_text(scores)} on the {scores['rows']} rows that have their {show(self.target)}"


def held_out_scores(estimator: Any, task: str, y: NDArray) -> dict[str, float]:
    """Return the scores of an estimator's held-out predictions, as far as they are known; it forgets them."""
    values, rows = (estimator.__dict__.pop(f"held_out_{what}_", None) for what in ("predictions", "rows"))
    y = y if rows is None else y[rows]
    estimator.set_params(store_held_out=False)
    known = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    y, values = y[known], values[known]
    if task == "classification":
        index = (values > 0).astype(int) if values.ndim == 1 else values.argmax(axis=1)
        values = estimator.classes_[index]
    scorer = Scorer(task)
    scorer.add(y, values)
    return scorer.scores()


def scores_text(scores: Mapping[str, float]) -> str:
    """Write scores in a line.

    Examples
    --------
    >>> scores_text({"rows": 60, "accuracy": 0.95}), scores_text({"rows": 9, "R²": 0.5, "RMSE": 12.345678})
    ('accuracy 95.0 %', 'R² 0.500, RMSE 12.35')
    """
    words = []
    for name, value in scores.items():
        if name == "accuracy":
            words.append(f"accuracy {100 * value:.1f} %")
        elif name != "rows":
            words.append(f"{name} {value:.3f}" if name == "R²" else f"{name} {value:.4g}")
    return ", ".join(words)
