"""Teacher and student: whether training finds the teacher's neurons depends on scale and parameterisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import require_memory
from ntklib._core.progress import Progress, seconds_text
from ntklib.lab.arguments import Integer, Integers, Reals
from ntklib.lab.draws import mean_and_error
from ntklib.lab.parts import run_parts
from ntklib.lab.power_law import fit_power_law
from ntklib.lab.study import study

from .measure import MEASURES, PLANE_SCALES, PLANE_WIDTH, Sizes, compare, early_step, trial
from .result import FeatureLearningStudy, MeanFieldLimit, NeuronPaths
from .teacher import COSINES

__all__ = ["feature_learning_study"]

SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
WIDTHS = (4, 8, 16, 32, 64, 128, 256)
_WIDE = 16  # from here on sums over the neurons scatter about as the law of large numbers says


@study(
    examples="""
    ntklib study feature-learning --out features          all of it, in two minutes
    ntklib study feature-learning --draws 2 --steps 500   a first look
    ntklib study feature-learning --features 100 --train 1000 --steps 10000   the paper's sizes, half an hour
    """,
)
def feature_learning_study(
    scales: Annotated[Iterable[float], Reals(least=2)] = SCALES,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    *,
    n_features: Annotated[int, Integer(2)] = 30,
    n_train: Annotated[int, Integer()] = 300,
    n_test: Annotated[int, Integer()] = 1000,
    width: Annotated[int, Integer(2)] = 50,
    reference_width: Annotated[int, Integer(2)] = 1024,
    teacher_width: Annotated[int, Integer()] = 3,
    steps: Annotated[int, Integer()] = 2000,
    n_draws: Annotated[int, Integer(2)] = 8,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> FeatureLearningStudy:
    r"""Students that find their teacher's neurons, or fit its outputs without.

    Trains ReLU networks on the outputs of a teacher of few neurons: in the plane, where their paths can be
    drawn, from small and from large weights; in more dimensions by the scale of the weights at the start; and
    by width, with outputs divided by the root of the width (lazy in the limit) and by the width (the
    mean-field limit).

    Students are :math:`c \sum_{j=1}^m v_j \sigma(w_j \cdot x)`.

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
        Standard deviations of the weights at the start in part "scale", two at least.  Scaling both layers by
        s scales outputs by s squared.
    widths : iterable of int, default=(4, 8, 16, 32, 64, 128, 256)
        Neurons of the students in the last part: even, two of 16 or more at least.
    n_features : int, default=30
        Inputs, where they are not in the plane.  Rows are uniform on the unit sphere.
    n_train : int, default=300
        Training rows, there.
    n_test : int, default=1000
        Test rows.
    width : int, default=50
        Neurons of the students in part "scale", even.
    reference_width : int, default=1024
        Neurons of the student that stands for the mean-field limit, even and larger than `widths`.
    teacher_width : int, default=3
        Neurons of the teachers.  Their directions are uniform on the sphere, redrawn until the lines through
        any two are at least 90 / `teacher_width` degrees apart, and their signs random.
    steps : int, default=2000
        Steps of every training.
    n_draws : int, default=8
        Draws of teacher, rows and students, two at least.

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
    ...     [0.02, 2.0], [16, 32], n_features=5, n_train=50, width=20, reference_width=64, steps=100,
    ...     n_draws=2)
    >>> small, large = study.rows("scale")
    >>> bool(study.test_loss[small] < study.test_loss[large] / 3)
    True
    >>> bool(study.alignment[small] > 0.8 > study.alignment[large])
    True
    """
    even = {"each width": list(widths), "reference_width": [reference_width], "width": [width]}
    for name, odd in ((name, m) for name, values in even.items() for m in values if m % 2):
        raise ValueError(f"{name} must be even, since neurons come in opposite pairs, got {odd}.")
    sizes = Sizes(
        scales=tuple(scales),
        widths=tuple(widths),
        reference=reference_width,
        n_features=n_features,
        n_train=n_train,
        n_test=n_test,
        width=width,
        teacher_width=teacher_width,
        steps=steps,
    )
    require_memory((3, n_train + n_test, n_train), np.float64, "set of Gram matrices", "", single=False)
    if reference_width <= sizes.widths[-1]:
        raise ValueError(
            f"reference_width={reference_width} must exceed all widths, up to {sizes.widths[-1]}."
        )
    if sum(m >= _WIDE for m in sizes.widths) < 2:
        raise ValueError(f"widths must name two of {_WIDE} or more, for the rate of the mean-field limit.")
    if teacher_width > PLANE_WIDTH // 2:
        raise ValueError(
            f"teacher_width must be at most {PLANE_WIDTH // 2}, half that of students in the plane."
        )
    seeds = {f"draw {d}": (random_state, d) for d in range(n_draws)}
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        name: partial(compare, sizes, seed) for name, seed in seeds.items()
    }

    def forecast(left: Sequence[str]) -> str:
        """From some steps of every training of a draw."""
        count, seconds = trial(sizes, seeds[left[0]])
        return f"{count * len(left)} trainings, about {seconds_text(max(1.0, seconds * len(left)))}"

    settings = {**sizes._asdict(), "random_state": random_state}
    values = run_parts(
        FeatureLearningStudy.study, settings, parts, out=out, progress=progress, forecast=forecast
    )
    return _result(sizes, list(values.values()), random_state)


def _result(sizes: Sizes, values: Sequence[Mapping[str, Any]], random_state: int) -> FeatureLearningStudy:
    """Average the draws."""
    names = [f"plane {scale!r}" for scale in PLANE_SCALES]
    names += [f"scale {scale!r}" for scale in sizes.scales]
    names += [f"{name} {m}" for name in ("ntk", "mean_field") for m in sizes.widths]
    names += [f"mean_field {sizes.reference}"]
    part = np.array([name.split()[0] for name in names])
    number = np.array([float(name.split()[1]) for name in names])
    measured = np.stack([[v[f"{name}: measures"] for v in values] for name in names])
    draws: dict[str, NDArray] = {name: measured[:, :, k] for k, name in enumerate(MEASURES)}
    by_width = np.isin(part, ("ntk", "mean_field"))
    distance = np.stack([v["distance"] for v in values], axis=2)  # widths, steps, draws
    draws |= {"early_distance": distance[:, 0], "distance": distance[:, 1]}
    draws["law_distance"] = np.stack([v["law_distance"] for v in values], axis=1)
    draws |= {name: np.array([[float(v[name]) for v in values]]) for name in ("tangent", "kernel")}
    mean, error = ({name: mean_and_error(value)[k] for name, value in draws.items()} for k in (0, 1))
    return FeatureLearningStudy(
        part=part,
        width=np.where(by_width, number, np.where(part == "plane", PLANE_WIDTH, sizes.width)).astype(int),
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
        limit=_limit(sizes, draws, values[0]["laws"]),
        draws=draws,
        n_features=sizes.n_features,
        n_train=sizes.n_train,
        n_test=sizes.n_test,
        teacher_width=sizes.teacher_width,
        steps=sizes.steps,
        n_draws=len(values),
        random_state=random_state,
    )


def _limit(sizes: Sizes, draws: Mapping[str, NDArray], laws: NDArray) -> MeanFieldLimit:
    """Fit the powers draw by draw: widths share the rows and the very wide student, draws share nothing."""
    width = np.array(sizes.widths)
    effective = 1 / (1 / width + 1 / sizes.reference)
    wide = width >= _WIDE
    distance = np.stack([draws["early_distance"], draws["distance"]])
    none = np.zeros(wide.sum())
    exponents = np.array(
        [[fit_power_law(effective[wide], one[wide], none).exponent for one in rows.T] for rows in distance]
    )
    middle, spread = mean_and_error(distance)
    exponent, exponent_error = mean_and_error(exponents)
    law_middle, law_spread = mean_and_error(draws["law_distance"])
    return MeanFieldLimit(
        reference_width=sizes.reference,
        width=width,
        effective_width=effective,
        step=np.array([early_step(sizes.steps), sizes.steps]),
        distance=middle,
        distance_se=spread,
        exponent=exponent,
        exponent_se=exponent_error,
        smallest_fitted=_WIDE,
        cosine=COSINES,
        laws=laws,
        law_distance=law_middle,
        law_distance_se=law_spread,
    )
