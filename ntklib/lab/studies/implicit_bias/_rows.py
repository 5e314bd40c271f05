"""The findings of the study of implicit bias: a table of what was measured beside theory, and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .influence import Influence
from .margin import MarginPath
from .norm import MinimumNorm
from .weights import WeightEffect

__all__ = ["COLUMNS", "finding_rows", "findings"]

COLUMNS = ("part", "model", "quantity", "measured", "predicted")
SPANNED = ("gradient descent", "momentum", "minibatches")
"""Methods whose steps are combinations of gradients."""

Norms = Mapping[str, MinimumNorm]
Margins = Mapping[str, MarginPath]
Weights = Mapping[str, WeightEffect]
Influences = Mapping[str, Influence]
Row = tuple[str, str, str, float, float]


def finding_rows(norm: Norms, margin: Margins, weights: Weights, influence: Influences) -> dict[str, Any]:
    """Return the columns of the table."""
    rows = [*_norm(norm), *_margin(margin), *_weights(weights), *_influence(influence)]
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    return {name: np.array(column) for name, column in zip(COLUMNS, columns, strict=True)}


def _norm(records: Norms) -> Iterator[Row]:
    for model, record in records.items():
        for index, method in enumerate(record.method.tolist()):
            predicted = np.nan
            if method in SPANNED:
                predicted = float(record.predicted[-1]) if method == SPANNED[0] else 0.0
            error = float(record.error[index, -1])
            yield "norm", model, f"{method}: distance from the nearest interpolant", error, predicted
        outside = record.outside.max(axis=1)
        spanned = np.isin(record.method, SPANNED)
        yield "norm", model, "largest share outside the gradients' span", float(outside[spanned].max()), 0.0


def _margin(records: Margins) -> Iterator[Row]:
    for model, record in records.items():
        late = record.log_time[-1]
        if np.isfinite(record.gap_rate):
            for name, rate in (
                ("distance", record.expected_distance),
                ("gap", record.expected_gap),
            ):
                title = "distance from the SVM" if name == "distance" else "missing margin"
                yield (
                    "margin",
                    model,
                    f"{title} x log t",
                    float(getattr(record, name)[-1] * late),
                    float(rate[-1] * late),
                )
        else:
            yield "margin", model, "distance from the SVM", float(record.distance[-1]), np.nan
            yield "margin", model, "missing margin", float(record.gap[-1]), np.nan
        yield "margin", model, "support vectors' share", float(record.support_share[-1]), 1.0


def _weights(records: Weights) -> Iterator[Row]:
    for model, record in records.items():
        if np.isfinite(record.rate):
            late = record.log_time[-1]
            last, expected = float(record.effect[-1] * late), float(record.expected[-1] * late)
            yield "weights", model, "effect x log t", last, expected
        else:
            yield "weights", model, "effect at the end", float(record.effect[-1]), float(record.remains)


def _influence(records: Influences) -> Iterator[Row]:
    for model, record in records.items():
        exact = 0.0 if model == "kernel ridge" else np.nan
        if exact == 0:
            yield "influence", model, "predicted change per actual one", record.slope, np.nan
        yield "influence", model, "error after division by 1 - h", record.corrected_error, exact
        yield "influence", model, "rank correlation elsewhere", record.rank_correlation, np.nan


def findings(norm: Norms, margin: Margins, weights: Weights, influence: Influences) -> Iterator[str]:
    """Say what each part found, in a line or two each."""
    if "tangent" in norm:
        tangent = norm["tangent"]
        methods = tangent.method.tolist()
        error = tangent.error[methods.index("gradient descent"), -1]
        length = tangent.length[methods.index("Adam"), -1]
        yield (
            f"norm: gradient descent ends at the nearest interpolant (off by {error:.1g}), "
            f"Adam at one {length:.3g} times as far"
        )
    for model in ("linear", "tangent"):
        if model in margin:
            path = margin[model]
            late = path.log_time[-1]
            yield (
                f"margin, {model}: the distance from the SVM is {path.distance[-1] * late:.4g} / log t "
                f"(predicted {path.expected_distance[-1] * late:.4g}), "
                f"{(path.multipliers > 0).sum()} support vectors"
            )
    if "network" in margin:
        path = margin["network"]
        yield (
            f"margin, network: {1 - path.gap[-1]:.1%} of the largest margin in its own gradients at log t = "
            f"{path.log_time[-1]:g}, where {path.support_share[-1]:.1%} of the gradient is support vectors'"
        )
    for model in weights:
        if model != "linear":
            moved = 100 * (weights[model].positive[1] - weights[model].positive[0])
            yield (
                f"weights, {model}: the heavier class gets {moved[0]:.1f} % more of the points between the "
                f"classes at the start, {moved[-1]:.1f} % at the end"
            )
    if "kernel ridge" in influence:
        record = influence["kernel ridge"]
        others = ", ".join(
            f"{model}: off by {other.corrected_error:.0%}"
            for model, other in influence.items()
            if other is not record
        )
        yield (
            f"influence: {record.slope:.0%} of the change for kernel ridge, all of it after division by "
            f"1 - h (off by {record.corrected_error:.1g}); {others}"
        )
