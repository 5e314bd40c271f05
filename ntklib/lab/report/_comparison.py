"""Sections on the comparison: scores, predictions, the data, the time."""

from __future__ import annotations

from html import escape

import numpy as np

from ntklib._core.progress import seconds_text

from ._figures import (
    draw_class_counts,
    draw_confusion,
    draw_histogram,
    draw_intervals,
    draw_scatter,
    figure,
)
from ._records import Analysis, ModelResult
from ._tables import cell, heading, score_cell, table, tiles, verdict
from .scores import METRICS, N_RESAMPLES, Metric

MAX_CLASSES_SHOWN = 20


def summary(analysis: Analysis) -> str:
    """Say the result in one glance."""
    data, metric = analysis.data, METRICS[analysis.data.task][0]
    ours = analysis.ntk.scores[metric.name]
    shown = [
        (metric.text(ours.value), f"{metric.title} of the NTK on {data.n_test} unseen rows"),
        (f"{metric.number(ours.low)} to {metric.text(ours.high)}", "95 % confidence interval"),
        (seconds_text(analysis.ntk.fit_seconds), f"to choose and fit it on {data.n_train} rows"),
    ]
    lines = verdict(analysis)
    if analysis.interrupted:
        lines.append("<b>Interrupted</b>: this page holds what was finished by then.")
    return tiles(shown) + "".join(f"<p>{line}</p>" for line in lines)


def scores(analysis: Analysis) -> str:
    """Compare the models."""
    metrics = METRICS[analysis.data.task]
    main = metrics[0]
    rows = []
    for model in analysis.models:
        numbers = [score_cell(model.scores.get(metric.name), metric) for metric in metrics]
        ahead = "" if model.difference is None else score_cell(model.difference, main, signed=True)
        rows.append([heading(model.title), *map(cell, [*numbers, ahead])])
    rivals = [model for model in analysis.models if model.key != "constant"]
    picture = figure(
        "scores",
        lambda ax: draw_intervals(
            ax,
            [model.title for model in rivals],
            [_interval(model, main) for model in rivals],
            f"{main.title}{' (%)' if main.percent else ''}, larger is better",
        ),
        alt=f"{main.title} of each model with its confidence interval",
        caption="Dots are scores on the test rows, bars their 95 % confidence intervals. Bars may overlap "
        "even where the last column of the table, which compares the models row by row, is clear.",
        size=(7.6, 2.4),
    )
    return (
        "<p>All models were trained on the same rows, behind the same preprocessing, and scored on the same "
        "rows that none of them had seen.</p>"
        + table(["model", *(metric.title for metric in metrics), f"NTK ahead in {main.title} by"], rows)
        + picture
        + _methods(analysis)
    )


def _interval(model: ModelResult, metric: Metric) -> tuple[float, float, float]:
    score, scale = model.scores[metric.name], 100.0 if metric.percent else 1.0
    return scale * score.value, scale * score.low, scale * score.high


def _methods(analysis: Analysis) -> str:
    """State how each model was fitted and where the intervals come from."""
    items = []
    for model in analysis.models:
        chosen = f" Chosen: {escape(model.choice)}." if model.choice else ""
        items.append(f"<li><b>{escape(model.title)}</b>: {escape(model.method)}.{chosen}</li>")
    intervals = f"the percentile bootstrap with {N_RESAMPLES} resamples of the test rows"
    if analysis.data.task == "classification":
        intervals = f"Accuracy has Wilson's interval, all else comes from {intervals}"
        remark = " The support vector machine gives no probabilities, hence no log-loss."
    else:
        intervals, remark = f"The intervals come from {intervals}", ""
    return (
        f"<ul>{''.join(items)}</ul><p class='small'>{intervals}; the last column resamples both models "
        "together. The intervals tell of the test rows drawn, not of other training sets; on small tables "
        f"another seed moves the scores about as much.{remark}</p>"
    )


def predictions(analysis: Analysis) -> str | None:
    """Show where the NTK is right and wrong."""
    true, predicted = analysis.y_test, analysis.ntk.predicted
    if analysis.data.task == "regression":
        return figure(
            "predictions",
            lambda ax: draw_scatter(ax, true, predicted, analysis.data.target),
            alt="predicted against true target on the test rows",
            caption="Each dot is a test row. Dots on the line are predicted exactly; above it too high, "
            "below it too low. A cloud flatter than the line means that extremes are drawn towards the mean.",
            size=(6.4, 4.6),
        )
    labels = np.unique(np.concatenate([true, predicted]))
    if len(labels) > MAX_CLASSES_SHOWN:
        return None
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (np.searchsorted(labels, true), np.searchsorted(labels, predicted)), 1)
    wrong = int(counts.sum() - np.trace(counts))
    return figure(
        "predictions",
        lambda ax: draw_confusion(ax, [str(label) for label in labels], counts),
        alt="confusion matrix of the NTK on the test rows",
        caption=f"Each row of the matrix is a true class, each column a predicted one. {wrong} of "
        f"{len(true)} test rows lie off the diagonal: these are the mistakes.",
        size=(6.4, max(2.6, 0.36 * len(labels) + 1.2)),
    )


def data(analysis: Analysis) -> str:
    """Describe the table and the task."""
    data = analysis.data
    used = f", of which {data.n_used} used" if data.n_used < data.n_rows else ""
    shares = ", with equal shares of the classes" if data.stratified else ""
    text = f", {data.n_text} of text" if data.n_text else ""
    facts = {
        "rows": f"{data.n_rows}{used}",
        "split": f"{data.n_train} for training, {data.n_test} for testing{shares}",
        "columns": f"{data.n_numeric} numeric{text}; {data.n_inputs} inputs after preprocessing",
        "target": data.target,
        "task": f"{data.task}: {data.reason}",
    }
    description = f"<p>{escape(data.description)}</p>" if data.description else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in analysis.notes)
    return (
        description
        + table(None, [[heading(name), f"<td>{escape(fact)}</td>"] for name, fact in facts.items()])
        + "<p>Numeric columns are standardised to mean 0 and variance 1, text columns one-hot encoded, by "
        "what the training rows say.</p>" + (f"<ul>{notes}</ul>" if notes else "") + _target_figure(analysis)
    )


def _target_figure(analysis: Analysis) -> str:
    data = analysis.data
    if data.task == "regression":
        return figure(
            "target",
            lambda ax: draw_histogram(ax, data.y, data.target),
            alt="distribution of the target",
            caption="The distribution of the target over all rows used.",
            size=(7.6, 2.8),
        )
    labels, counts = np.unique(data.y, return_counts=True)
    if len(labels) > MAX_CLASSES_SHOWN:
        return ""
    return figure(
        "target",
        lambda ax: draw_class_counts(ax, [str(label) for label in labels], counts.tolist(), data.target),
        alt="rows of each class",
        caption="How often each class occurs. Where one dominates, compare the accuracy with that of always "
        "naming the most frequent class.",
        size=(7.6, 2.8),
    )


def timing(analysis: Analysis) -> str:
    """Say how long everything took."""
    rows = [
        [
            heading(model.title),
            cell(seconds_text(model.fit_seconds)),
            cell(seconds_text(model.predict_seconds)),
        ]
        for model in analysis.models
    ]
    total = seconds_text(sum(analysis.seconds.values()))
    return (
        f"<p>The whole comparison took {total} on this machine ({escape(analysis.versions['threads'])}); "
        "compiling the kernels is not counted in the rows below.</p>"
        + table(["model", "choose and fit", f"predict {analysis.data.n_test} rows"], rows)
    )


def reproduce(analysis: Analysis) -> str:
    """Say how to get the same numbers again."""
    versions = [[heading(name), f"<td>{escape(text)}</td>"] for name, text in analysis.versions.items()]
    return (
        f"<p>The same command gives the same scores again; seed {analysis.seed} rules the split, the "
        f"searches and the intervals.</p><pre><code>{escape(analysis.command)}</code></pre>"
        + table(None, versions)
    )
