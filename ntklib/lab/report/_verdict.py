"""The answer in one sentence: the best model, its lead over the next one, and how much of that is chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ntklib._core.progress import seconds_text

from .scores import METRICS, Metric, Score, accuracy_statistic, bootstrap, r2_statistic

if TYPE_CHECKING:
    from ._records import Analysis, ModelResult


@dataclass(frozen=True)
class Verdict:
    """Comparison of the best model, by the main score on the test rows, with the next one.

    Parameters
    ----------
    best, second : str
        Titles of the two models; of equal ones, that which is listed first is ``best``.
    lead : Score
        Score of the best minus that of the second, with its paired 95 % interval.
    over_constant : Score or None
        Score of the best minus that of a model that looks at no column; None where there is no other.
    """

    best: str
    second: str
    lead: Score
    over_constant: Score | None


def paired_statistic(task: str) -> Callable[[NDArray, NDArray], Callable[[NDArray], NDArray]]:
    """Return the main score of a task as a function of the rows, for targets and predictions."""
    return accuracy_statistic if task == "classification" else r2_statistic


def paired_difference(task: str, y: NDArray, one: NDArray, other: NDArray, draws: NDArray) -> Score:
    """Return the main score of some predictions minus that of others, both on the same resampled rows."""
    statistic = paired_statistic(task)
    first, second = statistic(y, one), statistic(y, other)
    return bootstrap(lambda rows: first(rows) - second(rows), draws)


def judge(models: Sequence[ModelResult], task: str, y: NDArray, draws: NDArray) -> Verdict | None:
    """Compare the best of some models with the next one; None for a single model."""
    if len(models) < 2:
        return None
    name = METRICS[task][0].name
    best, second = sorted(models, key=lambda model: -model.scores[name].value)[:2]
    constant = next((model for model in models if model.key == "constant"), None)

    def ahead_of(other: ModelResult) -> Score:
        return paired_difference(task, y, best.predicted, other.predicted, draws)

    over = None if constant is None or constant is best else ahead_of(constant)
    return Verdict(best.title, second.title, ahead_of(second), over)


def interval_text(score: Score, metric: Metric) -> str:
    """Write the interval of a difference."""
    unit = " points" if metric.percent else ""
    return f"{metric.number(score.low, signed=True)} to {metric.number(score.high, signed=True)}{unit}"


def verdict_text(analysis: Analysis) -> str:
    """Write the verdict of an analysis as one sentence."""
    data, verdict = analysis.data, analysis.verdict
    metric = METRICS[data.task][0]
    if verdict is None:
        only = analysis.models[0]
        score = metric.text(only.scores[metric.name].value)
        return f"The {only.title} reaches {metric.title} {score} on {data.n_test} rows it had not seen."
    scores = {model.title: model.scores[metric.name].value for model in analysis.models}
    lead, over = verdict.lead, verdict.over_constant
    interval = f"95 % interval of the difference {interval_text(lead, metric)}"
    if over is None or over.low <= 0:
        baseline = analysis.models[-1].title
        return (
            f"No model predicts {data.target} better than the {baseline} beyond chance: the best, the "
            f"{verdict.best}, reaches {metric.title} {metric.text(scores[verdict.best])} on {data.n_test} "
            "rows it had not seen."
        )
    reached = (
        f"{metric.title} {metric.text(scores[verdict.best])} on {data.n_test} rows that no model had seen"
    )
    if float(metric.number(lead.value)) == 0:
        return (
            f"The {verdict.best} and the {verdict.second} predict {data.target} equally well: {reached} "
            f"({interval})."
        )
    gap = f"{metric.number(lead.value)}{' points' if metric.percent else ''}"
    chance = "a difference beyond chance" if lead.low > 0 else "a difference that may be chance"
    return (
        f"The {verdict.best} predicts {data.target} best: {reached}, {gap} ahead of the {verdict.second}, "
        f"{chance} ({interval})."
    )


def summary(analysis: Analysis) -> dict[str, Any]:
    """Result in one glance."""
    data, metric = analysis.data, METRICS[analysis.data.task][0]
    ours = analysis.ours.scores[metric.name]
    tiles = [
        (
            metric.text(ours.value),
            f"{metric.title} of the {analysis.ours.title}, {data.n_test} unseen rows",
        ),
        (f"{metric.number(ours.low)} to {metric.text(ours.high)}", "95 % confidence interval"),
        (analysis.ours.kernel, f"kernel chosen, in {seconds_text(analysis.ours.fit_seconds)}"),
    ]
    return {"metric": metric, "tiles": tiles, "verdict": verdict_text(analysis)}
