"""``ntklib study lazy``: gradient flows under the bounds of the lazy-training theorems."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._command import note
from ._rows import Study, add_data_options, add_network_options, positive, read_network, read_samples

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths", type=positive, nargs="+", metavar="M", help="hidden units (default: 64 256 1024)"
    )
    parser.add_argument(
        "--rows",
        type=positive,
        nargs="+",
        metavar="N",
        help="numbers of rows to train on, 32 at most (default: 4 8 16)",
    )
    parser.add_argument(
        "--factors",
        type=float,
        nargs="+",
        metavar="F",
        help="scales, as multiples of the least that each theorem certifies (default: 0.5 1 2)",
    )
    parser.add_argument(
        "--below",
        type=float,
        nargs="*",
        metavar="F",
        help="more multiples for theorem A', whose threshold is the lowest (default: 0.01 0.1)",
    )
    parser.add_argument(
        "--horizon",
        type=float,
        default=5.0,
        metavar="T",
        help="how long flows are followed: a linear model's loss falls by exp(-2 T) at least (default: 5)",
    )
    add_data_options(parser, max_samples=32)
    add_network_options(
        parser,
        activation="erf",
        input_scaling="fan_in",
        symmetric=True,
        output_init="rademacher",
        deep=False,
    )


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import lazy_decay_study
    from ntklib.lab.studies.lazy_decay.study import BELOW, FACTORS, WIDTHS

    X, y = read_samples(arguments)
    return lazy_decay_study(
        X,
        y,
        arguments.widths or WIDTHS,
        arguments.rows,
        factors=arguments.factors or FACTORS,
        below=BELOW if arguments.below is None else arguments.below,
        network=read_network(arguments),
        horizon=arguments.horizon,
        random_state=arguments.seed,
        out=out,
        announce=note,
    )


LAZY = Study(
    name="lazy",
    summary="losses of networks under the bounds that lazy-training theorems certify",
    description=(
        "Compute from networks at their start what the lazy-training theorems A, A' and B certify: from\n"
        "which scale of the outputs on they hold, how fast the loss falls, how far parameters move at most.\n"
        "Then follow the gradient flow, and that of the linearised network, below, at and above these\n"
        "scales, and compare: no certified bound may be exceeded, and most are far from it."
    ),
    examples=(
        "  ntklib study lazy                                     erf networks on up to 16 digits\n"
        "  ntklib study lazy --widths 8192 --rows 4 --out lazy   wide enough for scale 1\n"
        "  ntklib study lazy --data diabetes --activation softplus --widths 256 --rows 8"
    ),
    add_options=_add_options,
    run=_run,
)
