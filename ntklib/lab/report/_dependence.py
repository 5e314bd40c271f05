"""Partial dependence: the mean prediction of held-out rows as one of their columns is set to given values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from ntklib.lab.tables import DATE_KINDS, Schema, Table
from ntklib.lab.tables.cells import as_text, iso_text, read_cells

N_VALUES = 16
MAX_TEXTS = 8
MAX_CLASSES = 3


@dataclass(frozen=True)
class Dependence:
    """Mean predictions along one column.

    Parameters
    ----------
    column : str
        Its name.
    labels : tuple of str or None
        The texts that the column was set to; None where these were numbers.
    values : ndarray of shape (n_values,)
        The numbers, 0, 1, ... for texts, days since 1970 for dates.
    curves : dict of str to ndarray of shape (n_values,)
        Mean prediction, or the mean probabilities of the classes that change most.
    dates : bool, default=False
        Whether ``values`` are days.
    """

    column: str
    labels: tuple[str, ...] | None
    values: NDArray
    curves: dict[str, NDArray]
    dates: bool = False


def partial_dependence(
    column: str, schema: Schema, preprocessor: ColumnTransformer, model: Any, train: Table, test: Table
) -> Dependence | None:
    """Average the predictions of some held-out rows, with a column set to values from the training rows.

    Numbers run from their 2 % to their 98 % quantile; of texts the most frequent ones are taken. None for a
    column with a single value.

    References
    ----------
    J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29,
    2001.
    """
    labels, values, cells = _grid(schema, column, train)
    if len(values) < 2:
        return None
    predict = _predictor(model)
    dates = dict(zip(schema.columns, schema.kinds, strict=True))[column] in DATE_KINDS
    means = []
    for cell in cells:
        column_cells = np.full(test.n_rows, cell, dtype=object if isinstance(cell, str) else np.float64)
        rows = replace(
            test,
            values=tuple(
                column_cells if name == column else own
                for name, own in zip(test.columns, test.values, strict=True)
            ),
        )
        means.append(predict(preprocessor.transform(schema.encode_block(rows))).mean(axis=0))
    table = np.array(means)
    if table.shape[1] == 1:
        return Dependence(column, labels, values, {"mean prediction": table[:, 0]}, dates)
    names = [str(name) for name in model.classes_]
    change = table.max(axis=0) - table.min(axis=0)
    kept = [1] if len(names) == 2 else np.sort(np.argsort(-change, kind="stable")[:MAX_CLASSES]).tolist()
    return Dependence(column, labels, values, {names[j]: table[:, j] for j in kept}, dates)


def _predictor(model: Any) -> Callable[[NDArray], NDArray]:
    """Predictions of shape (n_rows, 1), or probabilities of shape (n_rows, n_classes)."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba
    return lambda X: np.asarray(model.predict(X), dtype=float)[:, None]


def _grid(
    schema: Schema, column: str, train: Table
) -> tuple[tuple[str, ...] | None, NDArray, list[float] | list[str]]:
    """Labels, positions and cells to set a column to."""
    kind = dict(zip(schema.columns, schema.kinds, strict=True))[column]
    values = read_cells(train, column, kind)
    if kind in ("text", "words", "boolean"):
        texts, counts = np.unique(as_text(train.column(column)).astype(str), return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_TEXTS])
        labels = tuple(texts[kept].tolist())
        return labels, np.arange(float(len(labels))), list(labels)
    numbers = values[~np.isnan(values)]
    grid = np.unique(numbers)
    if len(grid) > N_VALUES:
        low, high = np.quantile(numbers, [0.02, 0.98]).tolist()
        grid = np.unique(np.linspace(low, high, N_VALUES))
    return None, grid, [iso_text(day) for day in grid] if kind in DATE_KINDS else grid.tolist()
