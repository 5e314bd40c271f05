"""The result of `feature_learning_study`: students by scale and width, paths of neurons, a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ntklib.lab.result import StudyResult, column, entry, result

from .pictures import draw_laws, draw_limit, draw_paths, draw_scale, draw_width

__all__ = ["FeatureLearningStudy", "MeanFieldLimit", "NeuronPaths"]


@dataclass(frozen=True)
class NeuronPaths:
    """Paths of neurons in the plane while one student was trained.

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
    step: NDArray
    points: NDArray
    signs: NDArray
    teacher: NDArray
    teacher_signs: NDArray


@dataclass(frozen=True)
class MeanFieldLimit:
    """Approach of outputs in the mean-field parameterisation to those of a very wide student.

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
    width: NDArray
    effective_width: NDArray
    step: NDArray
    distance: NDArray
    distance_se: NDArray
    exponent: NDArray
    exponent_se: NDArray
    smallest_fitted: int
    cosine: NDArray
    laws: NDArray
    law_distance: NDArray
    law_distance_se: NDArray


@result(
    "feature-learning",
    pictures={
        "paths": draw_paths,
        "scale": draw_scale,
        "width": draw_width,
        "limit": draw_limit,
        "laws": draw_laws,
    },
)
class FeatureLearningStudy(StudyResult):
    """Students that find their teacher's neurons, or fit its outputs without; from `feature_learning_study`.

    Means over the draws; NaN where a training diverged.
    """

    part: NDArray = column(
        '"plane" (inputs on the circle), "scale" (more dimensions), "ntk" (outputs divided by the root of '
        'the width) or "mean_field" (divided by the width).'
    )
    width: NDArray = column("Neurons of the student.")
    scale: NDArray = column("Factor of the Gaussian weights of both layers at the start.")
    test_loss: NDArray = column("Mean squared error on test rows relative to the teacher's mean square.")
    test_loss_se: NDArray = column("Its standard error.")
    best_test_loss: NDArray = column("The lowest along training.")
    train_loss: NDArray = column("At the end, relative to the start.")
    alignment: NDArray = column(
        "Mean cosine of the angle between a neuron and the nearest teacher neuron of its sign; neurons count "
        "by their mass ``|v_j| |w_j|``."
    )
    alignment_se: NDArray = column("Its standard error.")
    start_alignment: NDArray = column("Alignment before training.")
    movement: NDArray = column("``|w_T - w_0| / |w_0|``.")
    tangent_loss: float = entry(
        'Test loss of the tangent models of the students in part "scale": the limit of large scales.'
    )
    tangent_loss_se: float = entry("Its standard error.")
    kernel_loss: float = entry('Test loss of the analytic NTK in part "ntk": the limit of large widths.')
    kernel_loss_se: float = entry("Its standard error.")
    paths: Mapping[str, NeuronPaths] = entry('"small" and "large" scale in the plane, of the first draw.')
    limit: MeanFieldLimit = entry("Students in the mean-field parameterisation against a very wide one.")
    draws: Mapping[str, NDArray] = entry(
        'Draws of the columns, and of "tangent", "kernel", "early_distance", "distance" and "law_distance", '
        "each of shape (rows, n_draws)."
    )
    n_features: int = entry("Number of inputs, where they are not in the plane.")
    n_train: int = entry("Number of training rows.")
    n_test: int = entry("Number of test rows.")
    teacher_width: int = entry("Neurons of the teachers.")
    steps: int = entry("Number of steps.")
    n_draws: int = entry("Number of draws.")
    random_state: int = entry("Seed.")

    def rows(self, part: str) -> NDArray:
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
        ends = []
        for row in (rows[0], rows[-1]):
            values = []
            for name in names:
                error = getattr(self, f"{name}_se", None)
                spread = np.nan if error is None else error[row]
                values.append(f"{name.replace('_', ' ')} {_number(getattr(self, name)[row], spread)}")
            ends.append(f"{', '.join(values)} at scale {self.scale[row]:g}")
        return "; ".join(ends)


def _number(value: float, error: float) -> str:
    return f"{value:.3g}" if np.isnan(error) else f"{value:.3g} +- {error:.1g}"
