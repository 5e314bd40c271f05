"""``ntklib study homogeneity``: the criterion of lazy training at weights that have been scaled."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._command import note
from ._rows import Study, add_data_options, positive, read_samples

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--factors",
        type=float,
        nargs="+",
        metavar="F",
        help="what all weights are multiplied by, two at least (default: 0.5 0.7 1 1.4 2 2.8 4)",
    )
    parser.add_argument(
        "--depths",
        type=positive,
        nargs="+",
        default=(1, 2, 3),
        metavar="L",
        help="numbers of hidden layers (default: 1 2 3)",
    )
    parser.add_argument(
        "--degrees",
        type=positive,
        nargs="+",
        default=(1, 2),
        metavar="N",
        help="of the activation z^N for z >= 0, 0 below (default: 1 2)",
    )
    parser.add_argument("--width", type=positive, default=64, metavar="M", help="(default: 64)")
    add_data_options(parser, max_samples=20)


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import homogeneity_study
    from ntklib.lab.studies.homogeneity.study import FACTORS

    X, y = read_samples(arguments)
    return homogeneity_study(
        X,
        y,
        arguments.factors or FACTORS,
        depths=arguments.depths,
        degrees=arguments.degrees,
        width=arguments.width,
        random_state=arguments.seed,
        out=out,
        announce=note,
    )


HOMOGENEITY = Study(
    name="homogeneity",
    summary="the criterion of lazy training when all weights are multiplied by a number",
    description=(
        "Multiply the initial weights of networks without biases by several numbers, compute the criterion\n"
        "|h - y| |D^2h| / |Dh|^2 anew at each, and compare it with what homogeneity predicts: from\n"
        "symmetric starts, where it falls without end, and from plain ones, where it does not."
    ),
    examples=(
        "  ntklib study homogeneity                              depth 1 to 3, degrees 1 and 2, 20 digits\n"
        "  ntklib study homogeneity --depths 4 --degrees 1 --factors 0.25 0.5 1 2 4 --out homogeneity"
    ),
    add_options=_add_options,
    run=_run,
)
"""The study, for the list of all."""
