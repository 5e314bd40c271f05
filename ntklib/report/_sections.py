"""The sections of the page. A section is added by writing its function and listing it in ``SECTIONS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import numpy as np

from ntklib.plotting import (
    KernelAngleDisplay,
    KernelHeatmapDisplay,
    KernelSpectrumDisplay,
    LeaveOneOutPathDisplay,
)
from ntklib.report._figures import (
    draw_class_counts,
    draw_confusion,
    draw_histogram,
    draw_intervals,
    draw_scatter,
    figure,
)
from ntklib.report._records import Analysis
from ntklib.report._scores import METRICS, N_RESAMPLES
from ntklib.report._tables import cell, score_cell, seconds_text, table, tiles, verdict

MAX_CLASSES_SHOWN = 20


@dataclass(frozen=True)
class Section:
    """A part of the page; ``render`` returns its HTML, or None where there is nothing to say."""

    slug: str
    title: str
    render: Callable[[Analysis], str | None]


def summary(analysis: Analysis) -> str:
    """Say the result in one glance."""
    data, main = analysis.data, METRICS[analysis.data.task][0]
    ours = analysis.ntk.scores[main.name]
    shown = [
        (main.text(ours.value), f"{main.title} of the NTK on {data.n_test} unseen rows"),
        (f"{main.text(ours.low)} to {main.text(ours.high)}", "95 % confidence interval"),
        (seconds_text(analysis.ntk.fit_seconds), f"to choose and fit it on {data.n_train} rows"),
    ]
    return tiles(shown) + "".join(f"<p>{line}</p>" for line in verdict(analysis))


def scores(analysis: Analysis) -> str:
    """Compare the models."""
    metrics = METRICS[analysis.data.task]
    main = metrics[0]
    head = ["model", *(metric.title for metric in metrics), f"NTK ahead in {main.title} by"]
    rows = []
    for model in analysis.models:
        difference = "" if model.difference is None else score_cell(model.difference, main, signed=True)
        numbers = [score_cell(model.scores.get(metric.name), metric) for metric in metrics]
        rows.append([f"<th>{escape(model.title)}</th>", *(cell(n) for n in [*numbers, difference])])
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
        caption="Dots are scores on the test rows, bars their 95 % confidence intervals. Bars overlap easily even "
        "where the last column of the table, which compares the models row by row, is clear.",
        size=(7.6, 2.4),
    )
    methods = "".join(
        f"<li><b>{escape(model.title)}</b>: {escape(model.method)}."
        + (f" Chosen: {escape(model.choice)}." if model.choice and model.key != "forest" else "")
        + "</li>"
        for model in analysis.models
    )
    wilson = "Accuracy has Wilson's interval, all else" if main.name == "accuracy" else "Intervals come from"
    return (
        "<p>All models were trained on the same rows, behind the same preprocessing, and scored on the same rows "
        "that none of them had seen.</p>"
        + table(head, rows)
        + picture
        + f"<ul>{methods}</ul>"
        + f"<p><small style='white-space:normal'>{wilson} the percentile bootstrap with {N_RESAMPLES} resamples of the test rows; "
        "the last column resamples both models together. The intervals tell of the test rows drawn, not of other "
        "training sets. The support vector machine gives no probabilities, hence no log-loss.</small></p>"
    ).replace(
        " The support vector machine gives no probabilities, hence no log-loss."
        if analysis.data.task == "regression"
        else "\0",
        "",
    )


def _interval(model, metric) -> tuple[float, float, float]:
    score, scale = model.scores[metric.name], 100.0 if metric.percent else 1.0
    return scale * score.value, scale * score.low, scale * score.high


def data(analysis: Analysis) -> str:
    """Describe the table and the task."""
    data = analysis.data
    inputs = f"{data.n_numeric} numeric" + (f", {data.n_text} of text" if data.n_text else "")
    rows = [
        ("rows", f"{data.n_rows}" + (f", of which {data.n_used} used" if data.n_used < data.n_rows else "")),
        (
            "split",
            f"{data.n_train} for training, {data.n_test} for testing"
            + (", with equal shares of the classes" if data.stratified else ""),
        ),
        ("columns", f"{inputs}; {data.n_inputs} inputs after preprocessing"),
        ("target", f"{data.target} ({data.task}: {data.reason})"),
    ]
    html = f"<p>{escape(data.description)}</p>" if data.description else ""
    html += table(None, [[f"<th>{escape(name)}</th>", f"<td>{escape(text)}</td>"] for name, text in rows])
    html += (
        "<p>Numeric columns are standardised to mean 0 and variance 1, text columns one-hot encoded, by what the "
        "training rows say.</p>"
    )
    if analysis.notes:
        html += "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in analysis.notes) + "</ul>"
    if data.task == "classification":
        labels, counts = np.unique(data.y, return_counts=True)
        if len(labels) > MAX_CLASSES_SHOWN:
            return html
        names = [str(label) for label in labels]
        return html + figure(
            "target",
            lambda ax: draw_class_counts(ax, names, counts.tolist(), data.target),
            alt="rows of each class",
            caption="How often each class occurs. Where one dominates, compare the accuracy with that of always "
            "naming the most frequent class.",
            size=(7.6, 2.8),
        )
    return html + figure(
        "target",
        lambda ax: draw_histogram(ax, data.y, data.target),
        alt="distribution of the target",
        caption="The distribution of the target over all rows used.",
        size=(7.6, 2.8),
    )


def predictions(analysis: Analysis) -> str | None:
    """Show where the NTK is right and wrong."""
    true, predicted = analysis.y_test, analysis.ntk.predicted
    if analysis.data.task == "regression":
        return figure(
            "predictions",
            lambda ax: draw_scatter(ax, true, predicted, analysis.data.target),
            alt="predicted against true target on the test rows",
            caption="Each dot is a test row. Dots on the line are predicted exactly; above it too high, below it "
            "too low. A cloud flatter than the line means that extremes are drawn towards the mean.",
            size=(6.4, 4.6),
        )
    labels = np.unique(np.concatenate([true, predicted]))
    if len(labels) > MAX_CLASSES_SHOWN:
        return None
    position = np.searchsorted(labels, true), np.searchsorted(labels, predicted)
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, position, 1)
    wrong = int(counts.sum() - np.trace(counts))
    return figure(
        "predictions",
        lambda ax: draw_confusion(ax, [str(label) for label in labels], counts),
        alt="confusion matrix of the NTK on the test rows",
        caption=f"Each row of the matrix is a true class, each column a predicted one. {wrong} of "
        f"{len(true)} test rows lie off the diagonal: these are the mistakes.",
        size=(6.4, max(2.6, 0.36 * len(labels) + 1.2)),
    )


def path(analysis: Analysis) -> str:
    """Show how the kernel and penalty were chosen."""
    kernel = analysis.kernel
    display = LeaveOneOutPathDisplay(kernel.paths, best=kernel.best, score_name=kernel.score_name)
    return (
        "<p>Nothing was tuned by hand. Every training row was predicted from all the others, for "
        f"{len(kernel.paths)} kernels and {len(next(iter(kernel.paths.values()))[0])} penalties each; one "
        "eigendecomposition a kernel gives all of these predictions exactly, without refitting. The best pair was "
        f"kept: <code>{escape(kernel.text)}</code>.</p>"
        + figure(
            "path",
            lambda ax: display.plot(ax),
            alt="leave-one-out score over the ridge penalty for each kernel",
            caption="To the left the model follows every training value, noise included; to the right the penalty "
            "flattens it. A broad top means that the exact penalty matters little.",
        )
    )


def spectrum(analysis: Analysis) -> str:
    """Show the eigenvalues of the kernel matrix."""
    kernel = analysis.kernel
    display = KernelSpectrumDisplay(kernel.spectrum, penalty=kernel.spectrum_penalty)
    return (
        "<p>The kernel sorts functions from simple to complicated. Each eigenvalue says how readily one of them is "
        "learnt: those well above the penalty are fitted, those below are suppressed. Together they amount to "
        f"<b>{display.effective_dimension:.0f} effective parameters</b> for {len(kernel.spectrum)} training rows.</p>"
        + figure(
            "spectrum",
            lambda ax: display.plot(ax),
            alt="eigenvalues of the Gram matrix, largest first, with the penalty",
            caption="Eigenvalues of the kernel matrix of the training rows, largest first, on logarithmic axes.",
        )
    )


def heatmap(analysis: Analysis) -> str:
    """Show the kernel matrix."""
    kernel, data = analysis.kernel, analysis.data
    display = KernelHeatmapDisplay(
        kernel.gram, y=kernel.gram_y, target_name=data.target, value_name="kernel, 1 = same direction"
    )
    expect = (
        "Bright squares on the diagonal are classes whose members resemble each other; brightness off the diagonal "
        "shows which classes are near each other."
        if data.task == "classification"
        else "Brightness near the diagonal that fades away from it means that rows alike to the kernel have alike "
        "targets."
    )
    return (
        f"<p>{len(kernel.gram)} training rows, sorted by {escape(data.target)}, each compared with each. {expect}</p>"
        + figure(
            "heatmap",
            lambda ax: display.plot(ax),
            alt="kernel matrix of the training rows sorted by target",
            caption="The kernel between pairs of rows, scaled to 1 on the diagonal. The colours span all but the most "
            "extreme 0.5 % of pairs at each end.",
            size=(6.6, 5.2),
        )
    )


def angle(analysis: Analysis) -> str:
    """Show the kernel as a function of the angle."""
    kernel = analysis.kernel
    display = KernelAngleDisplay(kernel.angles, kernel.curves, data_angles=kernel.data_angles)
    return (
        "<p>Between rows of one length the kernel depends on their angle alone. The neural tangent kernel falls at "
        "once, with a kink at angle 0 where the activation has one, and so tells near neighbours apart while it still "
        "connects rows far from each other; the RBF kernel is flat at the top and soon reaches zero. The NNGP kernel "
        "belongs to the same network when only its last layer is trained.</p>"
        + figure(
            "angle",
            lambda ax: display.plot(ax),
            alt="kernels against the angle between two rows",
            caption=f"Rows of the data's median length ({kernel.norm:.3g} after preprocessing). The grey bars show "
            "which angles occur between rows of the data: only there does the shape matter.",
        )
    )


def timing(analysis: Analysis) -> str:
    """Say how long everything took."""
    head = ["model", "choose and fit", f"predict {analysis.data.n_test} rows"]
    rows = [
        [
            f"<th>{escape(model.title)}</th>",
            cell(seconds_text(model.fit_seconds)),
            cell(seconds_text(model.predict_seconds)),
        ]
        for model in analysis.models
    ]
    total = sum(analysis.seconds.values())
    return (
        f"<p>The whole comparison took {seconds_text(total)} on this machine ({escape(analysis.versions['machine'])}); "
        "compiling the kernels is not counted in the rows below.</p>" + table(head, rows)
    )


def reproduce(analysis: Analysis) -> str:
    """Say how to get the same numbers again."""
    rows = [
        [f"<th>{escape(name)}</th>", f"<td>{escape(text)}</td>"] for name, text in analysis.versions.items()
    ]
    return (
        f"<p>The same command gives the same scores again; seed {analysis.seed} rules the split, the searches and the "
        f"intervals.</p><pre><code>{escape(analysis.command)}</code></pre>" + table(None, rows)
    )


SECTIONS: tuple[Section, ...] = (
    Section("summary", "In short", summary),
    Section("scores", "Scores", scores),
    Section("predictions", "Right and wrong", predictions),
    Section("data", "The data", data),
    Section("path", "How kernel and penalty were chosen", path),
    Section("spectrum", "Kernel spectrum", spectrum),
    Section("heatmap", "Kernel matrix", heatmap),
    Section("angle", "Kernel against angle", angle),
    Section("timing", "Time", timing),
    Section("reproduce", "To do it again", reproduce),
)
"""The page's sections, in order."""
