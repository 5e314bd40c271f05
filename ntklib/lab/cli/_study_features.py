"""``ntklib study features``: students that find their teacher's neurons, or fit its outputs without."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._command import note
from ._rows import Study, positive

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scales",
        type=float,
        nargs="+",
        metavar="S",
        help="of the weights of both layers at the start, two at least (default: 0.01 0.02 0.05 ... 5)",
    )
    parser.add_argument(
        "--widths",
        type=positive,
        nargs="+",
        metavar="M",
        help="even, two of 16 or more at least (default: 4 8 16 ... 256)",
    )
    for name, default, text in (
        ("features", 30, "inputs, where they are not in the plane"),
        ("train", 300, "training rows, there"),
        ("test", 1000, "test rows"),
        ("width", 50, "neurons of the students that are compared by scale"),
        ("reference-width", 1024, "neurons of the student that stands for the mean-field limit"),
        ("teacher-width", 3, "neurons of the teachers"),
        ("steps", 2000, "of every training"),
        ("draws", 8, "of teacher, rows and students"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, default=default, metavar="N", help=f"{text} (default: {default})"
        )


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import feature_learning_study
    from ntklib.lab.studies.feature_learning.study import SCALES, WIDTHS

    return feature_learning_study(
        arguments.scales or SCALES,
        arguments.widths or WIDTHS,
        n_features=arguments.features,
        n_train=arguments.train,
        n_test=arguments.test,
        width=arguments.width,
        reference_width=arguments.reference_width,
        teacher_width=arguments.teacher_width,
        steps=arguments.steps,
        n_draws=arguments.draws,
        random_state=arguments.seed,
        out=out,
        announce=note,
    )


FEATURES = Study(
    name="features",
    summary="students that find their teacher's neurons, or fit its outputs without",
    description=(
        "Train ReLU networks on the outputs of a teacher of few neurons: in the plane, where their paths\n"
        "can be drawn, from small and from large weights; in more dimensions by the scale of the weights at\n"
        "the start; and by width, with outputs divided by the root of the width (lazy in the limit) and by\n"
        "the width (the mean-field limit)."
    ),
    examples=(
        "  ntklib study features --out features                  all of it, in two minutes\n"
        "  ntklib study features --draws 2 --steps 500           a first look\n"
        "  ntklib study features --features 100 --train 1000 --steps 10000   sizes of the paper, half an hour"
    ),
    add_options=_add_options,
    run=_run,
)
