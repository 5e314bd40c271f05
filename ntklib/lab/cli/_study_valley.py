"""``ntklib study valley``: flat minima, with and without sharpness-aware steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._rows import Study, positive

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--learning-rates",
        type=float,
        nargs="+",
        metavar="E",
        help="step sizes (default: 0.01 0.02 0.05 0.1)",
    )
    parser.add_argument(
        "--rhos",
        type=float,
        nargs="+",
        metavar="R",
        help="how far along the gradient the second one is taken; gradient descent, 0, is always there "
        "(default: 0 0.02 0.05 0.1 0.2 0.5)",
    )
    parser.add_argument(
        "--dimension", type=positive, default=10, metavar="D", help="length of u (default: 10)"
    )
    parser.add_argument("--starts", type=positive, default=20, metavar="N", help="(default: 20)")
    parser.add_argument(
        "--steps", type=positive, default=5000, metavar="K", help="steps at most (default: 5000)"
    )


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import valley_study
    from ntklib.lab.studies.valley.study import LEARNING_RATES, RHOS

    return valley_study(
        arguments.learning_rates or LEARNING_RATES,
        arguments.rhos or RHOS,
        dimension=arguments.dimension,
        n_starts=arguments.starts,
        steps=arguments.steps,
        random_state=arguments.seed,
        out=out,
    )


VALLEY = Study(
    name="valley",
    summary="how flat the minima are that sharpness-aware steps end in",
    description=(
        "Run unnormalised sharpness-aware minimisation and gradient descent down the widening valley\n"
        "|u|^2 v^2 / 2 from random starts, over a grid of learning rates and rhos, and compare the traces\n"
        "of the Hessian at their ends with each other, with the limit of small steps and with what is stable."
    ),
    examples=(
        "  ntklib study valley                                   the whole grid, in seconds\n"
        "  ntklib study valley --learning-rates 0.05 --rhos 0.1 0.2 --out valley"
    ),
    add_options=_add_options,
    run=_run,
)
