"""Sections on the comparison: scores, predictions, columns, the data, the time."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from ntklib._core.progress import seconds_text

from ._figures import (
    draw_class_counts,
    draw_confusion,
    draw_histogram,
    draw_intervals,
    draw_scatter,
    label_text,
    picture,
)
from ._records import Analysis, ModelResult
from .scores import METRICS, N_RESAMPLES, Metric

MAX_CLASSES_SHOWN = 20
MAX_COLUMNS_SHOWN = 30


def scores(analysis: Analysis) -> dict[str, Any]:
    """Scores of the models with their intervals, and how each was fitted."""
    metrics = METRICS[analysis.data.task]
    main = metrics[0]
    rivals = [model for model in analysis.models if model.key != "constant"]
    return {
        "metrics": metrics,
        "main": main,
        "classes": analysis.data.task == "classification",
        "n_resamples": N_RESAMPLES,
        "picture": picture(
            "scores",
            lambda ax: draw_intervals(
                ax,
                [label_text(model.title, 28) for model in rivals],
                [_interval(model, main) for model in rivals],
                f"{main.title}{' (%)' if main.percent else ''}, larger is better",
            ),
            alt=f"{main.title} of each model with its confidence interval",
            size=(5.6, 2.2),
        ),
    }


def _interval(model: ModelResult, metric: Metric) -> tuple[float, float, float]:
    score, scale = model.scores[metric.name], 100.0 if metric.percent else 1.0
    return scale * score.value, scale * score.low, scale * score.high


def predictions(analysis: Analysis) -> dict[str, Any] | None:
    """Predictions of the kernel machine against the truth: dots for numbers, a confusion matrix."""
    true, predicted = analysis.y_test, analysis.ours.predicted
    if analysis.data.task == "regression":
        dots = picture(
            "predictions",
            lambda ax: draw_scatter(ax, true, predicted, analysis.data.target),
            alt="predicted against true target on the test rows",
            size=(5.6, 4.2),
        )
        return {"picture": dots, "wrong": None}
    labels = np.unique(np.concatenate([true, predicted]))
    if len(labels) > MAX_CLASSES_SHOWN:
        return None
    counts = confusion_matrix(true, predicted, labels=labels)
    matrix = picture(
        "predictions",
        lambda ax: draw_confusion(ax, [str(label) for label in labels], counts),
        alt="confusion matrix of the kernel machine on the test rows",
        size=(5.6, max(2.6, 0.36 * len(labels) + 1.2)),
    )
    return {"picture": matrix, "wrong": int(counts.sum() - np.trace(counts))}


def columns(analysis: Analysis) -> dict[str, Any]:
    """Uses of the columns of the table."""
    rows = [(one.name, one.holds, one.treatment, one.n_inputs or "–") for one in analysis.data.columns]
    return {"rows": rows, "long": len(rows) > MAX_COLUMNS_SHOWN}


def data(analysis: Analysis) -> dict[str, Any]:
    """Table, task and target."""
    data = analysis.data
    some = f", of which {data.n_used} used" if data.n_used < data.n_rows else ""
    shares = ", with equal shares of the classes" if data.stratified else ""
    used = [column for column in data.columns if column.n_inputs]
    facts = [
        ("rows", f"{data.n_rows}{some}"),
        ("split", f"{data.n_train} for training, {data.n_test} for testing{shares}"),
        ("columns", f"{len(used)} used; {data.n_inputs} inputs after preprocessing"),
        ("target", data.target),
        ("task", f"{data.task}: {data.reason}"),
    ]
    labels, counts = np.unique(data.y, return_counts=True)
    target = None
    if data.task == "regression":
        target = picture(
            "target",
            lambda ax: draw_histogram(ax, data.y, data.target),
            alt="distribution of the target",
            size=(5.6, 2.6),
        )
    elif len(labels) <= MAX_CLASSES_SHOWN:
        target = picture(
            "target",
            lambda ax: draw_class_counts(ax, [str(label) for label in labels], counts.tolist(), data.target),
            alt="rows of each class",
            size=(5.6, 2.6),
        )
    return {"facts": facts, "picture": target}


def timing(analysis: Analysis) -> dict[str, Any]:
    """Seconds that each model took."""
    return {
        "rows": [
            (model.title, seconds_text(model.fit_seconds), seconds_text(model.predict_seconds))
            for model in analysis.models
        ]
    }


def reproduce(analysis: Analysis) -> dict[str, Any]:
    """Command, seed and versions, all of which the analysis holds."""
    return {}
