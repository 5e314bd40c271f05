"""The result of `feature_learning_study`: students by scale and width, paths of neurons, a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ntklib.lab.result import StudyResult
from ntklib.lab.studies.feature_learning.pictures import FeatureLearningDisplay

__all__ = ["FeatureLearningStudy", "MeanFieldLimit", "NeuronPaths"]


@dataclass(frozen=True)
class NeuronPaths:
    """How neurons moved in the plane while one student was trained.

    Attributes
    ----------
    scale : float
        Of the student's weights at the start.
    step : ndarray of int of shape (T,)
    points : ndarray of shape (T, m, 2)
        ``|v_j| w_j`` at these steps: direction and mass of each neuron.
    signs : ndarray of shape (m,)
        Of the output weights at the end.
    teacher : ndarray of shape (k, 2)
        The teacher's neurons, as points.
    teacher_signs : ndarray of shape (k,)
    """

    scale: float
    step: np.ndarray
    points: np.ndarray
    signs: np.ndarray
    teacher: np.ndarray
    teacher_signs: np.ndarray


@dataclass(frozen=True)
class MeanFieldLimit:
    """How outputs in the mean-field parameterisation approach those of a very wide student.

    Attributes
    ----------
    reference_width : int
        M, of the very wide student.
    width : ndarray of shape (k,)
        m.
    effective_width : ndarray of shape (k,)
        ``1 / (1/m + 1/M)``: at a fixed step, two students whose neurons are drawn independently differ like
        its power -1/2.
    step : ndarray of int of shape (2,)
        An early one and the last.
    distance, distance_se : ndarray of shape (2, k)
        Root-mean-square difference of the outputs on test rows at these steps, relative to the teacher's
        outputs; mean of the draws and standard error.
    exponent, exponent_se : ndarray of shape (2,)
        Of the power of the effective width, fitted draw by draw to the widths from ``smallest_fitted``.
    smallest_fitted : int
    cosine : ndarray of shape (g,)
    laws : ndarray of shape (k + 1, g)
        Share of the neurons' mass, after training in the first draw, whose cosine to the nearest teacher
        neuron of their sign is at most that; the very wide student comes last.
    law_distance, law_distance_se : ndarray of shape (k,)
        Wasserstein distance between a width's law of cosines and the very wide student's, mean of the draws
        and standard error.
    """

    reference_width: int
    width: np.ndarray
    effective_width: np.ndarray
    step: np.ndarray
    distance: np.ndarray
    distance_se: np.ndarray
    exponent: np.ndarray
    exponent_se: np.ndarray
    smallest_fitted: int
    cosine: np.ndarray
    laws: np.ndarray
    law_distance: np.ndarray
    law_distance_se: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class FeatureLearningStudy(StudyResult):
    """Students that find their teacher's neurons, or fit its outputs without; from `feature_learning_study`.

    Means over the draws; NaN where a training diverged.

    Attributes
    ----------
    part : ndarray of str
        "plane" (inputs on the circle), "scale" (more dimensions), "ntk" (outputs divided by the root of the
        width) or "mean_field" (divided by the width).
    width : ndarray of int
        Neurons of the student.
    scale : ndarray
        What the Gaussian weights of both layers are multiplied by at the start.
    test_loss, test_loss_se : ndarray
        Mean squared error on test rows relative to the teacher's mean square, and its standard error.
    best_test_loss : ndarray
        The lowest along training.
    train_loss : ndarray
        At the end, relative to the start.
    alignment, alignment_se : ndarray
        Mean cosine of the angle between a neuron and the nearest teacher neuron of its sign; neurons count by
        their mass ``|v_j| |w_j|``.
    start_alignment : ndarray
        Before training.
    movement : ndarray
        ``|w_T - w_0| / |w_0|``.
    tangent_loss, tangent_loss_se : float
        Test loss of the tangent models of the students in part "scale": the limit of large scales.
    kernel_loss, kernel_loss_se : float
        Test loss of the analytic NTK in part "ntk": the limit of large widths.
    paths : mapping of str to NeuronPaths
        "small" and "large" scale in the plane, of the first draw.
    limit : MeanFieldLimit
    draws : mapping of str to ndarray of shape (rows, n_draws)
        The draws of the columns, and of "tangent", "kernel", "early_distance", "distance" and
        "law_distance".
    n_features, n_train, n_test, teacher_width, steps, n_draws, random_state : int
    """

    study = "features"
    columns = (
        "part",
        "width",
        "scale",
        "test_loss",
        "test_loss_se",
        "best_test_loss",
        "train_loss",
        "alignment",
        "alignment_se",
        "start_alignment",
        "movement",
    )

    part: np.ndarray
    width: np.ndarray
    scale: np.ndarray
    test_loss: np.ndarray
    test_loss_se: np.ndarray
    best_test_loss: np.ndarray
    train_loss: np.ndarray
    alignment: np.ndarray
    alignment_se: np.ndarray
    start_alignment: np.ndarray
    movement: np.ndarray
    tangent_loss: float
    tangent_loss_se: float
    kernel_loss: float
    kernel_loss_se: float
    paths: Mapping[str, NeuronPaths]
    limit: MeanFieldLimit
    draws: Mapping[str, np.ndarray]
    n_features: int
    n_train: int
    n_test: int
    teacher_width: int
    steps: int
    n_draws: int
    random_state: int

    def rows(self, part: str) -> np.ndarray:
        """Return the indices of a part's rows in the table."""
        return np.flatnonzero(self.part == part)

    def headline(self) -> str:
        """Compare small scales with large ones, and both ways of growing wide."""
        lines = [
            f"students of {self.teacher_width} ReLU neurons, {self.n_draws} draws of teacher, rows and "
            f"student; {self.steps} steps of gradient descent",
            "in the plane: " + self._ends("plane", ("alignment", "movement")),
            f"in {self.n_features} dimensions: " + self._ends("scale", ("test_loss", "alignment")),
            f"  tangent model: test loss {_number(self.tangent_loss, self.tangent_loss_se)}",
        ]
        for part, name in (("ntk", "1/sqrt(m)"), ("mean_field", "1/m")):
            rows = self.rows(part)
            first, last = rows[0], rows[-1]
            lines.append(
                f"outputs times {name}: test loss {self._loss(first)} at width {self.width[first]}, "
                f"{self._loss(last)} at width {self.width[last]}"
            )
        limit = self.limit
        lines[-2] += f"; analytic NTK {_number(self.kernel_loss, self.kernel_loss_se)}"
        powers = (
            f"(effective width)^{_number(power, error)} after {step} steps"
            for power, error, step in zip(limit.exponent, limit.exponent_se, limit.step, strict=True)
        )
        lines.append(f"  outputs come near those of width {limit.reference_width} like {', '.join(powers)}")
        return "\n".join(lines)

    def _loss(self, row: int) -> str:
        return _number(self.test_loss[row], self.test_loss_se[row])

    def _ends(self, part: str, names: tuple[str, ...]) -> str:
        rows = self.rows(part)
        said = []
        for row in (rows[0], rows[-1]):
            values = []
            for name in names:
                error = getattr(self, f"{name}_se", None)
                spread = np.nan if error is None else error[row]
                values.append(f"{name.replace('_', ' ')} {_number(getattr(self, name)[row], spread)}")
            said.append(f"{', '.join(values)} at scale {self.scale[row]:g}")
        return "; ".join(said)

    def plot(self, ax: Any = None) -> FeatureLearningDisplay:
        """Draw the paths of neurons in the plane, at small and at large scale."""
        return FeatureLearningDisplay.from_study(self, ax=ax)

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {
            name: partial(FeatureLearningDisplay.from_study, self, what=name)
            for name in ("paths", "scale", "width", "limit", "laws")
        }


def _number(value: float, error: float) -> str:
    return f"{value:.3g}" if np.isnan(error) else f"{value:.3g} +- {error:.1g}"
