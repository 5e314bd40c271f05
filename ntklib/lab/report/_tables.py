"""Numbers in words, tables and tiles."""

from __future__ import annotations

from html import escape

from ._records import Analysis
from .scores import METRICS, Metric, Score


def cell(content: str) -> str:
    """Return a right-aligned table cell."""
    return f'<td class="number">{content}</td>'


def heading(title: str) -> str:
    """Return the first cell of a row."""
    return f'<th scope="row">{escape(title)}</th>'


def table(head: list[str] | None, rows: list[list[str]]) -> str:
    """Return an HTML table; the first row is ours where there is a head."""
    top = ""
    if head is not None:
        names = [
            f'<th scope="col"{" class=number" if i else ""}>{escape(name)}</th>'
            for i, name in enumerate(head)
        ]
        top = f"<thead><tr>{''.join(names)}</tr></thead>"
    body = "".join(
        f"<tr{' class=ours' if head is not None and i == 0 else ''}>{''.join(row)}</tr>"
        for i, row in enumerate(rows)
    )
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def tiles(items: list[tuple[str, str]]) -> str:
    """Return large numbers with a word below each."""
    inner = "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(small)}</span></div>' for big, small in items
    )
    return f'<div class="tiles">{inner}</div>'


def score_cell(score: Score | None, metric: Metric, *, signed: bool = False) -> str:
    """Return a score with its interval, a dash where there is none."""
    if score is None:
        return "&ndash;"
    unit = "" if not metric.percent else " points" if signed else " %"
    value, low, high = (metric.number(v, signed=signed) for v in (score.value, score.low, score.high))
    return f'{value}{unit}<br><span class="interval">{low} to {high}</span>'


def verdict(analysis: Analysis) -> list[str]:
    """Compare the NTK with each rival in a sentence that claims no more than the interval allows."""
    metric = METRICS[analysis.data.task][0]
    lines = []
    for model in analysis.models[1:]:
        difference = model.difference
        if difference is None:
            continue
        gap = f"{metric.number(abs(difference.value))}{' points' if metric.percent else ''}"
        reached = metric.text(model.scores[metric.name].value)
        theirs = f"the {escape(model.title)}, which reaches {reached}"
        if difference.low > 0:
            lines.append(f"<b>Better</b> than {theirs}, {gap} less.")
        elif difference.high < 0:
            lines.append(f"<b>Worse</b> than {theirs}, {gap} more.")
        else:
            lines.append(f"<b>On a par</b> with {theirs}: the difference may be chance.")
    return lines
