"""The result of `implicit_bias_study`: what was measured, beside theory, and the courses behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .decay import InfluenceDecay
from .influence import Influence
from .margin import MarginPath
from .norm import MinimumNorm
from .pictures import (
    draw_alignment,
    draw_decay,
    draw_decisions,
    draw_influence,
    draw_margin,
    draw_norm,
    draw_support,
    draw_weights,
)
from .weights import WeightEffect

__all__ = ["ImplicitBiasStudy", "finding_rows"]

COLUMNS = ("part", "model", "quantity", "measured", "predicted")

SPANNED = ("gradient descent", "momentum", "minibatches")
"""Methods whose steps are combinations of gradients."""

Row = tuple[str, str, str, float, float]


PICTURES: dict[str, tuple[str, Callable[..., None]]] = {
    "margin": ("margin", draw_margin),
    "support": ("margin", draw_support),
    "alignment": ("margin", draw_alignment),
    "norm": ("norm", draw_norm),
    "weights": ("weights", draw_weights),
    "decisions": ("weights", draw_decisions),
    "influence": ("influence", draw_influence),
    "decay": ("decay", draw_decay),
}
"""The records that a picture is of, and the function that draws it."""


@result("implicit-bias", pictures={})
class ImplicitBiasStudy(StudyResult):
    """Solutions that training ends at; from `implicit_bias_study`.

    The table has a row for each finding, beside what theory says where it says something.  The courses behind
    it are records by model; a part that was not asked for has none.  The pictures "norm" and "support" are of
    one model, that in the option ``model`` of `plot`: by default the tangent model, or the first.
    """

    part: NDArray = column("Part of the study.")
    model: NDArray = column("Model that was trained.")
    quantity: NDArray = column("Quantity in words.")
    measured: NDArray = column("Its value.")
    predicted: NDArray = column("Its value in theory; NaN where there is no prediction.")
    norm: Mapping[str, MinimumNorm] = entry("Methods on least squares, by model.")
    margin: Mapping[str, MarginPath] = entry("By model, without those that do not separate the classes.")
    weights: Mapping[str, WeightEffect] = entry("Training with importance weights and without, by model.")
    influence: Mapping[str, Influence] = entry("Changes when samples are left out, by model.")
    decay: Mapping[str, InfluenceDecay] = entry(
        "Rank correlations of such changes by weight decay, by model."
    )
    n_samples: int = entry("Number of rows.")
    n_features: int = entry("Number of inputs.")
    width: int = entry("Units of the two-layer networks.")
    noise: float = entry("Share of wrong labels.")
    weight: float = entry("Importance weight of the first class.")
    penalty: float = entry("Penalty where there is one.")
    horizon: float = entry("Largest log t.")
    network_horizon: float = entry("Largest log t of networks.")
    random_state: int = entry("Seed.")

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures: those that there are records for."""
        return tuple(name for name, (part, _) in PICTURES.items() if getattr(self, part))

    def _draw(self, ax: Any, picture: str, **options: Any) -> None:
        part, draw = PICTURES[picture]
        draw(ax, getattr(self, part), **options)

    def headline(self) -> str:
        """State the outcome of each part."""
        start = (
            f"{self.n_samples} samples of {self.n_features} features in two classes; two-layer networks of"
        )
        return "\n".join([f"{start} width {self.width}", *self._findings()])

    def _findings(self) -> Iterator[str]:
        """A line or two on each part."""
        if "tangent" in self.norm:
            tangent = self.norm["tangent"]
            methods = tangent.method.tolist()
            error = tangent.error[methods.index("gradient descent"), -1]
            length = tangent.length[methods.index("Adam"), -1]
            yield (
                f"norm: gradient descent ends at the nearest interpolant (off by {error:.1g}), "
                f"Adam at one {length:.3g} times as far"
            )
        for model in ("linear", "tangent"):
            if model in self.margin:
                path = self.margin[model]
                late = path.log_time[-1]
                yield (
                    f"margin, {model}: the distance from the SVM is {path.distance[-1] * late:.4g} / log t "
                    f"(predicted {path.expected_distance[-1] * late:.4g}), "
                    f"{(path.multipliers > 0).sum()} support vectors"
                )
        if "network" in self.margin:
            path = self.margin["network"]
            yield (
                f"margin, network: {1 - path.gap[-1]:.1%} of the largest margin in its own gradients at "
                f"log t = {path.log_time[-1]:g}, where {path.support_share[-1]:.1%} of the gradient is "
                "support vectors'"
            )
        for model in self.weights:
            if model != "linear":
                moved = 100 * (self.weights[model].positive[1] - self.weights[model].positive[0])
                yield (
                    f"weights, {model}: the heavier class gets {moved[0]:.1f} % more of the points between "
                    f"the classes at the start, {moved[-1]:.1f} % at the end"
                )
        if "kernel ridge" in self.influence:
            record = self.influence["kernel ridge"]
            others = ", ".join(
                f"{model}: off by {other.corrected_error:.0%}"
                for model, other in self.influence.items()
                if other is not record
            )
            yield (
                f"influence: {record.slope:.0%} of the change for kernel ridge, all of it after division by "
                f"1 - h (off by {record.corrected_error:.1g}); {others}"
            )
        if self.decay:
            medians = [np.median(record.rank_correlation_afresh, axis=0) for record in self.decay.values()]
            weak, strong = (", ".join(f"{m[k]:.2f}" for m in medians) for k in (0, -1))
            first, last = next(iter(self.decay.values())).penalty[[0, -1]]
            yield (
                "decay: rank correlations of influence with retraining afresh, "
                f"from {next(iter(self.decay))} on: {weak} at weight decay {first:g}, {strong} at {last:g}"
            )


def finding_rows(
    norm: Mapping[str, MinimumNorm],
    margin: Mapping[str, MarginPath],
    weights: Mapping[str, WeightEffect],
    influence: Mapping[str, Influence],
    decay: Mapping[str, InfluenceDecay],
) -> dict[str, Any]:
    """Return the columns of the table."""
    rows = [*_norm(norm), *_margin(margin), *_weights(weights), *_influence(influence), *_decay(decay)]
    values = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    return {name: np.array(value) for name, value in zip(COLUMNS, values, strict=True)}


def _norm(records: Mapping[str, MinimumNorm]) -> Iterator[Row]:
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


def _margin(records: Mapping[str, MarginPath]) -> Iterator[Row]:
    for model, record in records.items():
        late = record.log_time[-1]
        for title, name in (("distance from the SVM", "distance"), ("missing margin", "gap")):
            last, expected = float(getattr(record, name)[-1]), float(getattr(record, f"expected_{name}")[-1])
            if np.isfinite(record.gap_rate):
                yield "margin", model, f"{title} x log t", last * late, expected * late
            else:
                yield "margin", model, title, last, np.nan
        last, expected = float(record.angle[-1]), float(record.expected_angle[-1])
        known = np.isfinite(expected)
        title = "angle to the gradient x log t" if known else "angle to the gradient"
        yield "margin", model, title, last * late if known else last, expected * late
        yield "margin", model, "support vectors' share", float(record.support_share[-1]), 1.0


def _weights(records: Mapping[str, WeightEffect]) -> Iterator[Row]:
    for model, record in records.items():
        if np.isfinite(record.rate):
            late = record.log_time[-1]
            last, expected = float(record.effect[-1] * late), float(record.expected[-1] * late)
            yield "weights", model, "effect x log t", last, expected
        else:
            yield "weights", model, "effect at the end", float(record.effect[-1]), float(record.remains)


def _influence(records: Mapping[str, Influence]) -> Iterator[Row]:
    for model, record in records.items():
        exact = 0.0 if model == "kernel ridge" else np.nan
        if exact == 0:
            yield "influence", model, "predicted change per actual one", record.slope, np.nan
        yield "influence", model, "error after division by 1 - h", record.corrected_error, exact
        yield "influence", model, "rank correlation elsewhere", record.rank_correlation, np.nan


def _decay(records: Mapping[str, InfluenceDecay]) -> Iterator[Row]:
    for model, record in records.items():
        for way in ("rank_correlation", "rank_correlation_afresh"):
            for penalty, values in zip(record.penalty, getattr(record, way).T, strict=True):
                quantity = f"{way.replace('_', ' ')}, weight decay {penalty:g}"
                yield "decay", model, quantity, float(np.median(values)), np.nan
