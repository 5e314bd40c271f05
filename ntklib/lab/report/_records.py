"""Frozen records of an analysis: computed once, drawn and written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.files import plain

from .scores import Score

if TYPE_CHECKING:
    from ntklib.estimators import LearnedFeatures
    from ntklib.lab.studies import LinearizationStudy, ParameterizationStudy, WidthStudy
    from ntklib.lab.tables import ColumnUse

    from ._bias import Bias
    from ._calibration import Calibration
    from ._dependence import Dependence
    from ._importance import Importance
    from ._theorem import LazyTraining
    from ._verdict import Verdict


@dataclass(frozen=True)
class DataSummary:
    """The table, the task, and how the rows were split."""

    name: str
    description: str
    target: str
    task: str
    reason: str
    n_rows: int
    n_used: int
    n_train: int
    n_test: int
    columns: tuple[ColumnUse, ...]
    n_inputs: int
    stratified: bool
    y: NDArray


@dataclass(frozen=True)
class ModelResult:
    """One model's scores on the test rows, and what it took to get them.

    ``kernel`` names the kernel that was chosen, "" for a model without one. ``difference`` is the first
    model's main score minus this one's, with a paired interval; None for the first model itself.
    """

    key: str
    title: str
    method: str
    choice: str
    kernel: str
    scores: Mapping[str, Score]
    difference: Score | None
    fit_seconds: float
    predict_seconds: float
    predicted: NDArray


@dataclass(frozen=True)
class KernelResult:
    """Pictures of the chosen kernel on the training rows, as arrays."""

    text: str
    parts: list[str]  # of a sum of fits
    paths: Mapping[str, tuple[NDArray, NDArray]]
    best: tuple[str, float, float]
    score_name: str
    learned: LearnedFeatures | None
    penalty: float
    spectrum: NDArray
    spectrum_penalty: float
    gram: NDArray
    gram_y: NDArray
    angles: NDArray
    curves: Mapping[str, NDArray]
    data_angles: NDArray
    norm: float
    n_compared: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, for results.json."""
        return {
            "leave_one_out_path": {
                "score": self.score_name,
                "kernels": [
                    {"kernel": name, "penalty": x.tolist(), "score": y.tolist()}
                    for name, (x, y) in self.paths.items()
                ],
                "best": dict(zip(("kernel", "penalty", "score"), self.best, strict=True)),
                "n_rows_compared": self.n_compared,
            },
            "added_up": self.parts,
            "learned_scales": None
            if self.learned is None
            else {"words": self.learned.words, "kept": self.learned.kept},
            "kernel_spectrum": {
                "n_rows": len(self.spectrum),
                "kernel": self.text,
                "penalty": self.spectrum_penalty,
                "eigenvalues": self.spectrum.tolist(),
            },
            "kernel_matrix": {
                "sorted_target": self.gram_y.tolist(),
                "values": np.round(self.gram, 4).tolist(),
            },
            "kernel_against_angle": {
                "row_norm": self.norm,
                "angles": self.angles.tolist(),
                "curves": {name: curve.tolist() for name, curve in self.curves.items()},
            },
        }


@dataclass(frozen=True)
class Analysis:
    """Everything a report page and results.json are written from.

    Parts that an interruption prevented, and those that do not apply to the data, are None.
    """

    seed: int
    command: str
    data: DataSummary
    models: tuple[ModelResult, ...]
    y_test: NDArray
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    verdict: Verdict | None = None
    importance: Importance | None = None
    dependences: tuple[Dependence, ...] = ()
    calibration: Calibration | None = None
    kernel: KernelResult | None = None
    width: WidthStudy | None = None
    parameterization: ParameterizationStudy | None = None
    linearization: LinearizationStudy | None = None
    theorem: LazyTraining | None = None
    bias: Bias | None = None
    theory: bool = False
    interrupted: bool = False

    @property
    def ours(self) -> ModelResult:
        """The first model, ours."""
        return self.models[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dictionaries, for results.json."""
        data = self.data
        return {
            "format": "ntklib-report",
            "format_version": 2,
            "interrupted": self.interrupted,
            "seed": self.seed,
            "confidence_level": 0.95,
            "data": {key: value for key, value in plain(data).items() if key != "y"}
            | {"target_summary": summarise_target(data)},
            "scores": {
                model.key: {name: _score_dict(score) for name, score in model.scores.items()}
                | ({} if model.difference is None else {"kernel_minus_this": _score_dict(model.difference)})
                for model in self.models
            },
            "models": {
                model.key: {
                    "title": model.title,
                    "method": model.method,
                    "choice": model.choice,
                    "kernel": model.kernel,
                }
                for model in self.models
            },
            "verdict": plain(self.verdict),
            "importance": plain(self.importance),
            "partial_dependence": [plain(one) for one in self.dependences],
            "calibration": plain(self.calibration),
            **({} if self.kernel is None else self.kernel.to_dict()),
            "width_study": None if self.width is None else self.width.to_dict(),
            "linearization_study": None if self.linearization is None else self.linearization.to_dict(),
            "parameterization_study": (
                None if self.parameterization is None else self.parameterization.to_dict()
            ),
            "lazy_training": plain(self.theorem),
            "implicit_bias": plain(self.bias),
            "predictions": {
                "true": self.y_test.tolist(),
                **{model.key: model.predicted.tolist() for model in self.models},
            },
            "timing": {
                "steps": dict(self.seconds),
                "fit": {model.key: model.fit_seconds for model in self.models},
                "predict": {model.key: model.predict_seconds for model in self.models},
            },
            "versions": dict(self.versions),
            "notes": list(self.notes),
        }


def _score_dict(score: Score) -> dict[str, Any]:
    return {"value": score.value, "low": score.low, "high": score.high, "interval": score.method}


def summarise_target(data: DataSummary) -> dict[str, Any]:
    """Return class counts, or the quartiles, mean and standard deviation of a number."""
    if data.task == "classification":
        labels, counts = np.unique(data.y, return_counts=True)
        return {"classes": {str(label): int(count) for label, count in zip(labels, counts, strict=True)}}
    names = ("min", "lower_quartile", "median", "upper_quartile", "max")
    summary = dict(zip(names, np.quantile(data.y, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
    return summary | {"mean": float(data.y.mean()), "standard_deviation": float(data.y.std())}
