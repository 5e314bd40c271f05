"""One draw of `feature_learning_study`: teachers, rows and students, trained at all scales and widths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.threads import set_threads
from ntklib.dynamics import Recording, Snapshot, gradient_descent
from ntklib.lab.seeds import generator
from ntklib.lab.timing import seconds_of
from ntklib.lab.training import train_whole
from ntklib.networks import Params

from .teacher import COSINES, Student, TaughtRows, draw_sample, neurons, rescaled, student

__all__ = [
    "MEASURES",
    "PLANE_ROWS",
    "PLANE_SCALES",
    "PLANE_WIDTH",
    "Sizes",
    "compare",
    "early_step",
    "trial",
]

PLANE_SCALES, PLANE_WIDTH, PLANE_ROWS = (0.05, 2.0), 16, 15
"""Of the experiment in the plane."""

MEASURES = ("test_loss", "best_test_loss", "train_loss", "alignment", "start_alignment", "movement")
"""Measures of each student, in this order."""

_RECORDS, _PATH_RECORDS = 40, 200
_AMPLITUDE = 10.0  # of the teacher in the experiment on widths, times sqrt(d)


class Sizes(NamedTuple):
    """Sizes of the study: rows, students and steps."""

    scales: tuple[float, ...]
    widths: tuple[int, ...]
    reference: int
    n_features: int
    n_train: int
    n_test: int
    width: int
    teacher_width: int
    steps: int


class StudentTraining(NamedTuple):
    """One training."""

    name: str
    student: Student
    sample: TaughtRows
    start: Params
    learning_rate: float

    def run(self, steps: int, every: int, *, path: bool = False) -> dict[str, NDArray]:
        """Train, and return the measures, early and last test outputs and, if asked for, the neurons."""
        sample, net = self.sample, self.student.network
        seen: list[tuple[NDArray, NDArray]] = []

        def look(snapshot: Snapshot) -> None:
            seen.append(neurons(snapshot.params))

        history = train_whole(
            net,
            sample.X,
            sample.y,
            params=self.start,
            learning_rate=self.learning_rate,
            steps=steps,
            record=Recording(
                every=max(1, every * _RECORDS // _PATH_RECORDS) if path else every, gradient_norms=False
            ),
            X_test=sample.X_test,
            callbacks=look if path else (),
        )
        assert history.test_outputs is not None
        errors = np.square(history.test_outputs - sample.y_test).mean(axis=1)
        losses = errors / np.square(sample.y_test).mean()
        W, v = neurons(history.params)
        measures = {
            "test_loss": losses[-1],
            "best_test_loss": losses.min(),
            "train_loss": history.loss[-1] / history.loss[0],
            "alignment": sample.teacher.alignment(W, v),
            "start_alignment": sample.teacher.alignment(*neurons(self.start)),
            "movement": history.distance[-1] / np.linalg.norm(net.ravel(self.start)),
        }
        if history.status == "diverged":
            measures = dict.fromkeys(MEASURES, np.nan)
        values = {"measures": np.array([measures[name] for name in MEASURES])}
        if path:
            points = [np.abs(v)[:, None] * W for W, v in seen]
            values |= {"step": history.steps, "points": np.stack(points), "signs": np.sign(v)}
        values["law"] = sample.teacher.law(W, v)
        values["outputs"] = history.test_outputs[[min(1, len(history) - 1), -1]]
        return values


def early_step(steps: int) -> int:
    """Return the first step after the start that is recorded."""
    return max(1, steps // _RECORDS)


def compare(sizes: Sizes, seed: tuple[int, int]) -> dict[str, NDArray]:
    """Return what was measured of each student of the draw, named as in `jobs_of`, and of both limits."""
    runs: dict[str, Any] = {}
    with set_threads(1):  # the same bytes whatever BLAS does with threads, of no use to small students
        jobs, limits = jobs_of(sizes, seed)
        for job in jobs:
            drawn = job.name.startswith("plane") and seed[1] == 0
            runs[job.name] = job.run(sizes.steps, early_step(sizes.steps), path=drawn)
        values = limits()
    last = jobs[-1]
    values["distance"] = np.stack(
        [_distance(runs[f"mean_field {m}"], runs[last.name], last.sample) for m in sizes.widths]
    )
    values["laws"] = np.stack([runs[f"mean_field {m}"]["law"] for m in (*sizes.widths, sizes.reference)])
    step = COSINES[1] - COSINES[0]
    values["law_distance"] = step * np.abs(values["laws"][:-1] - values["laws"][-1]).sum(axis=1)
    for job in jobs:
        for name, value in runs[job.name].items():
            if name not in ("outputs", "law"):
                values[f"{job.name}: {name}"] = value
        if "points" in runs[job.name]:
            values["teacher"] = job.sample.teacher.directions
            values["teacher_signs"] = job.sample.teacher.signs
    return values


def jobs_of(
    sizes: Sizes, seed: tuple[int, int]
) -> tuple[list[StudentTraining], Callable[[], dict[str, NDArray]]]:
    """Return the trainings of a draw, the widest student last, and what computes both limits' test losses."""
    rng = [generator(*seed, k) for k in range(3 + 2 * len(sizes.widths) + 1)]
    rows = {"teacher_width": sizes.teacher_width, "n_test": sizes.n_test}
    jobs: list[StudentTraining] = []

    def add_scales(name: str, sample: TaughtRows, width: int, scales: tuple[float, ...], own: Any) -> NDArray:
        pupil = student(width, "sum")
        start = pupil.network.init(sample.X.shape[1], own)
        kernel = pupil.network.ntk(start, np.concatenate([sample.X, sample.X_test]), sample.X)
        top, end = np.linalg.eigvalsh(kernel[: len(sample.X)])[-1], sample.teacher.curvature(sample.X)
        for scale in scales:  # both layers' weights grow with it, and so the kernel with its square
            rate = pupil.learning_rate(top * scale**2, end)
            jobs.append(StudentTraining(f"{name} {scale!r}", pupil, sample, rescaled(start, scale), rate))
        return kernel

    plane = draw_sample(rng[0], n_features=2, n_train=PLANE_ROWS, **rows)
    add_scales("plane", plane, PLANE_WIDTH, PLANE_SCALES, rng[0])
    options = {"n_features": sizes.n_features, "n_train": sizes.n_train, **rows}
    sphere = draw_sample(rng[1], **options)
    tangent = add_scales("scale", sphere, sizes.width, sizes.scales, rng[1])
    wide = draw_sample(rng[2], amplitude=_AMPLITUDE * np.sqrt(sizes.n_features), **options)
    infinite = student(sizes.reference, "ntk").network.limit_kernel()(wide.X)
    # one clock for all widths, that of infinite width
    top, end = np.linalg.eigvalsh(infinite)[-1], wide.teacher.curvature(wide.X)
    trained = [(name, m) for name in ("ntk", "mean_field") for m in sizes.widths]
    for own, (name, m) in zip(rng[3:], [*trained, ("mean_field", sizes.reference)], strict=True):
        pupil = student(m, name)
        start = pupil.network.init(sizes.n_features, own)
        rate = pupil.learning_rate(top * pupil.network.scale**2, end)
        jobs.append(StudentTraining(f"{name} {m}", pupil, wide, start, rate))

    def limits() -> dict[str, NDArray]:
        across = student(sizes.reference, "ntk").network.limit_kernel()(wide.X_test, wide.X)
        kernel = np.concatenate([infinite, across])
        return {
            "tangent": _linear_loss(sphere, tangent, sizes.steps),
            "kernel": _linear_loss(wide, kernel, sizes.steps),
        }

    return jobs, limits


def _distance(one: dict[str, NDArray], other: dict[str, NDArray], sample: TaughtRows) -> NDArray:
    """Distance of the test outputs, early and after training, relative to the teacher's."""
    squares = np.square(one["outputs"] - other["outputs"]).mean(axis=1)
    return np.sqrt(squares / np.square(sample.y_test).mean())


def _linear_loss(sample: TaughtRows, kernel: NDArray, steps: int) -> NDArray:
    """Relative test loss of a model linear in its parameters, trained as long as the students."""
    n = len(sample.X)
    K = (kernel[:n] + kernel[:n].T) / 2
    rate = 1 / (np.linalg.eigvalsh(K)[-1] or 1.0)  # few neurons may see no row
    path = gradient_descent(K, sample.y, steps, learning_rate=rate, K_test=kernel[n:])
    assert path.test_outputs is not None
    return np.square(path.test_outputs[-1] - sample.y_test).mean() / np.square(sample.y_test).mean()


def trial(sizes: Sizes, seed: tuple[int, int]) -> tuple[int, float]:
    """Return how many trainings a draw has and about how many seconds they take, from a fortieth of each."""
    every = early_step(sizes.steps)
    with set_threads(1):
        jobs = jobs_of(sizes, seed)[0]

        def run_all(steps: int) -> None:
            for job in jobs:
                job.run(steps, every)

        short = seconds_of(lambda: run_all(1))
        record = max(seconds_of(lambda: run_all(1 + every)) - short, 0.0)
    return len(jobs), short + record * sizes.steps / every
