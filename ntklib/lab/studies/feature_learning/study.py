"""Teacher and student: whether training finds the teacher's neurons depends on scale and parameterisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ntklib._core.blocks import require_memory
from ntklib._core.progress import Progress, seconds_text
from ntklib._core.validation import check_integer, check_reals
from ntklib.lab.parts import run_parts
from ntklib.lab.power_law import fit_power_law

from ..width.study import check_widths
from ._measure import MEASURES, PLANE_SCALES, PLANE_WIDTH, Plan, compare, early_step, trial
from ._teacher import COSINES
from .result import FeatureLearningStudy, MeanFieldLimit, NeuronPaths

__all__ = ["feature_learning_study"]

SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
WIDTHS = (4, 8, 16, 32, 64, 128, 256)
_WIDE = 16  # from here on sums over the neurons scatter about as the law of large numbers says


def feature_learning_study(
    scales: Iterable[float] = SCALES,
    widths: Iterable[int] = WIDTHS,
    *,
    n_features: int = 30,
    n_train: int = 300,
    n_test: int = 1000,
    width: int = 50,
    reference_width: int = 1024,
    teacher_width: int = 3,
    steps: int = 2000,
    n_draws: int = 8,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> FeatureLearningStudy:
    r"""Train ReLU students :math:`c \sum_{j=1}^m v_j \sigma(w_j \cdot x)` on the outputs of a small teacher.

    - **plane**: inputs on the circle, 15 of them, 16 neurons, c = 1, and Gaussian weights of standard
      deviation 0.05 or 2.  At the small scale neurons turn towards the teacher's and grow there; at the large
      one they hardly move.
    - **scale**: the same in more dimensions, at every scale: the larger it is, the lazier the student and the
      higher its test loss, up to that of its tangent model.
    - **width**: standard deviation 1, a teacher of amplitude :math:`10 \sqrt d`, and :math:`c = m^{-1/2}`,
      which is lazy in the limit, that of the analytic NTK; or :math:`c = 1/m` with steps in proportion to
      m, which tends to the mean-field limit, the Wasserstein gradient flow of the law of the neurons.

    Students are symmetrised: half of the neurons are drawn, each has a twin of opposite sign, and outputs
    start at 0.  All are trained on all rows, on the square loss (a sum), by the same number of steps of
    gradient descent with half the largest step that is stable for the sum of two kernels, that of the start
    and that of a student that has become the teacher; all widths share a clock, with the kernel of infinite
    width for the start.

    Parameters
    ----------
    scales : iterable of float, default=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
        Of the students in part "scale", two of them at least.  Scaling both layers by s scales outputs by
        s squared.
    widths : iterable of int, default=(4, 8, 16, 32, 64, 128, 256)
        Of the students in the last part: even, two of 16 or more at least.
    n_features, n_train, n_test : int, default=30, 300, 1000
        Of the parts that are not in the plane; rows are uniform on the unit sphere.
    width : int, default=50
        Of the students in part "scale", even.
    reference_width : int, default=1024
        Of the student that stands for the mean-field limit, even and larger than `widths`.
    teacher_width : int, default=3
        Neurons of the teachers: directions uniform on the sphere, redrawn until the lines through any two
        are at least 90 / `teacher_width` degrees apart, and random signs.
    steps : int, default=2000
    n_draws : int, default=8
        Of teacher, rows and students, two at least.
    random_state : int, default=0
        Draw d is seeded by (random_state, d); results are the same bytes at any number of threads.
    out : str, Path or None, default=None
        A folder; each draw is kept there as soon as it is finished, and a study that was stopped goes on
        from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.
    announce : callable or None, default=None
        Receives a line that says beforehand how long it will take; None writes it where progress is written.

    Returns
    -------
    FeatureLearningStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other settings.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    section 3; L. Chizat and F. Bach, "On the global convergence of gradient descent for over-parameterized
    models using optimal transport", NeurIPS 2018; S. Mei, A. Montanari and P.-M. Nguyen, "A mean field view
    of the landscape of two-layer neural networks", PNAS 2018.

    Examples
    --------
    >>> from ntklib.lab.studies import feature_learning_study
    >>> study = feature_learning_study(
    ...     [0.02, 2.0], [16, 32], n_features=5, n_train=50, width=20, reference_width=64, steps=200,
    ...     n_draws=2)
    >>> small, large = study.rows("scale")
    >>> bool(study.test_loss[small] < study.test_loss[large] / 3)
    True
    >>> bool(study.alignment[small] > 0.8 > study.alignment[large])
    True
    """
    plan = Plan(
        scales=tuple(check_reals(scales, "scales", minimum=0, strict=True, least=2)),
        widths=tuple(_check_even(m, "each width") for m in check_widths(widths)),
        reference=_check_even(reference_width, "reference_width"),
        n_features=check_integer(n_features, "n_features", minimum=2),
        n_train=check_integer(n_train, "n_train", minimum=1),
        n_test=check_integer(n_test, "n_test", minimum=1),
        width=_check_even(width, "width"),
        teacher_width=check_integer(teacher_width, "teacher_width", minimum=1),
        steps=check_integer(steps, "steps", minimum=1),
    )
    require_memory((3, plan.n_train + plan.n_test, plan.n_train), np.float64, "set of Gram matrices")
    if plan.reference <= plan.widths[-1]:
        raise ValueError(f"reference_width={plan.reference} must exceed all widths, up to {plan.widths[-1]}.")
    if sum(m >= _WIDE for m in plan.widths) < 2:
        raise ValueError(f"widths must name two of {_WIDE} or more, for the rate of the mean-field limit.")
    if teacher_width > PLANE_WIDTH // 2:
        raise ValueError(
            f"teacher_width must be at most {PLANE_WIDTH // 2}, half that of students in the plane."
        )
    n_draws = check_integer(n_draws, "n_draws", minimum=2)
    random_state = check_integer(random_state, "random_state", minimum=0)
    seeds = {f"draw {d}": (random_state, d) for d in range(n_draws)}
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        name: partial(compare, plan, seed) for name, seed in seeds.items()
    }

    def forecast(left: Sequence[str]) -> str:
        """From some steps of every training of a draw."""
        count, seconds = trial(plan, seeds[left[0]])
        return f"{count * len(left)} trainings, about {seconds_text(max(1.0, seconds * len(left)))}"

    settings = {**plan._asdict(), "random_state": random_state}
    found = run_parts(
        "features", settings, parts, out=out, progress=progress, forecast=forecast, announce=announce
    )
    values = list(found.values())
    return _result(plan, values, random_state)


def _result(plan: Plan, values: Sequence[Mapping[str, Any]], random_state: int) -> FeatureLearningStudy:
    """Average the draws."""
    names = [f"plane {scale!r}" for scale in PLANE_SCALES]
    names += [f"scale {scale!r}" for scale in plan.scales]
    names += [f"{name} {m}" for name in ("ntk", "mean_field") for m in plan.widths]
    names += [f"mean_field {plan.reference}"]
    part = np.array([name.split()[0] for name in names])
    number = np.array([float(name.split()[1]) for name in names])
    measured = np.stack([[v[f"{name}: measures"] for v in values] for name in names])
    draws: dict[str, np.ndarray] = {name: measured[:, :, k] for k, name in enumerate(MEASURES)}
    by_width = np.isin(part, ("ntk", "mean_field"))
    distance = np.stack([v["distance"] for v in values], axis=2)  # widths, steps, draws
    draws |= {"early_distance": distance[:, 0], "distance": distance[:, 1]}
    draws["law_distance"] = np.stack([v["law_distance"] for v in values], axis=1)
    draws |= {name: np.array([[float(v[name]) for v in values]]) for name in ("tangent", "kernel")}
    mean = {name: value.mean(axis=1) for name, value in draws.items()}
    error = {name: value.std(axis=1, ddof=1) / np.sqrt(len(values)) for name, value in draws.items()}
    return FeatureLearningStudy(
        part=part,
        width=np.where(by_width, number, np.where(part == "plane", PLANE_WIDTH, plan.width)).astype(int),
        scale=np.where(by_width, 1.0, number),
        **{name: mean[name] for name in MEASURES},
        test_loss_se=error["test_loss"],
        alignment_se=error["alignment"],
        tangent_loss=float(mean["tangent"][0]),
        tangent_loss_se=float(error["tangent"][0]),
        kernel_loss=float(mean["kernel"][0]),
        kernel_loss_se=float(error["kernel"][0]),
        paths={
            name: NeuronPaths(
                scale=scale,
                teacher=values[0]["teacher"],
                teacher_signs=values[0]["teacher_signs"],
                **{key: values[0][f"plane {scale!r}: {key}"] for key in ("step", "points", "signs")},
            )
            for name, scale in zip(("small", "large"), PLANE_SCALES, strict=True)
        },
        limit=_limit(plan, draws, values[0]["laws"]),
        draws=draws,
        n_features=plan.n_features,
        n_train=plan.n_train,
        n_test=plan.n_test,
        teacher_width=plan.teacher_width,
        steps=plan.steps,
        n_draws=len(values),
        random_state=random_state,
    )


def _limit(plan: Plan, draws: Mapping[str, np.ndarray], laws: np.ndarray) -> MeanFieldLimit:
    """Fit the powers draw by draw: widths share the rows and the very wide student, draws share nothing."""
    width = np.array(plan.widths)
    effective = 1 / (1 / width + 1 / plan.reference)
    wide = width >= _WIDE
    distance = np.stack([draws["early_distance"], draws["distance"]])
    none = np.zeros(wide.sum())
    exponents = np.array(
        [[fit_power_law(effective[wide], one[wide], none).exponent for one in rows.T] for rows in distance]
    )
    root = np.sqrt(distance.shape[2])
    return MeanFieldLimit(
        reference_width=plan.reference,
        width=width,
        effective_width=effective,
        step=np.array([early_step(plan.steps), plan.steps]),
        distance=distance.mean(axis=2),
        distance_se=distance.std(axis=2, ddof=1) / root,
        exponent=exponents.mean(axis=1),
        exponent_se=exponents.std(axis=1, ddof=1) / root,
        smallest_fitted=_WIDE,
        cosine=COSINES,
        laws=laws,
        law_distance=draws["law_distance"].mean(axis=1),
        law_distance_se=draws["law_distance"].std(axis=1, ddof=1) / root,
    )


def _check_even(value: int, name: str) -> int:
    value = check_integer(value, name, minimum=2)
    if value % 2:
        raise ValueError(f"{name} must be even, since neurons come in opposite pairs, got {value}.")
    return value
