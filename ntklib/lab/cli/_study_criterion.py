"""``ntklib study criterion``: the criterion of lazy training as networks grow wider."""

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
        "--widths",
        type=positive,
        nargs="+",
        metavar="M",
        help="units of the hidden layer, two widths at least (default: 128 256 ... 8192)",
    )
    parser.add_argument(
        "--draws", type=positive, default=20, metavar="N", help="networks a width (default: 20)"
    )
    parser.add_argument(
        "--parameterizations",
        nargs="+",
        choices=("ntk", "standard", "mean_field", "mup"),
        default=("ntk", "standard"),
        help="(default: ntk standard)",
    )
    add_data_options(parser, max_samples=20)
    group = parser.add_argument_group("network")
    group.add_argument("--activation", default="relu", metavar="NAME", help="by name (default: relu)")
    group.add_argument("--scale", type=float, default=1.0, metavar="A", help="of the outputs (default: 1)")
    group.add_argument(
        "--output-init",
        choices=("gaussian", "rademacher"),
        default="gaussian",
        help="law of the output weights (default: gaussian)",
    )
    group.add_argument(
        "--symmetric",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="two copies whose outputs cancel at the start (default: yes)",
    )


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import criterion_study
    from ntklib.lab.studies.criterion.study import WIDTHS
    from ntklib.networks import TwoLayerNet

    X, y = read_samples(arguments)
    network = TwoLayerNet(
        activation=arguments.activation,
        scale=arguments.scale,
        output_init=arguments.output_init,
        symmetric=arguments.symmetric,
        input_scaling="fan_in",
    )
    return criterion_study(
        X,
        y,
        arguments.widths or WIDTHS,
        network=network,
        parameterizations=arguments.parameterizations,
        n_draws=arguments.draws,
        random_state=arguments.seed,
        out=out,
        announce=note,
    )


CRITERION = Study(
    name="criterion",
    summary="the criterion of lazy training as networks grow wider",
    description=(
        "Draw networks of one hidden layer at several widths, in several parameterisations, and measure\n"
        "|h - y| |D^2h| / |Dh|^2, which is small where training is lazy, and its parts, each with the\n"
        "predicted and the fitted power of the width."
    ),
    examples=(
        "  ntklib study criterion                                ReLU on 20 handwritten digits\n"
        "  ntklib study criterion --no-symmetric --scale 10 --out criterion\n"
        "  ntklib study criterion --parameterizations ntk standard mean_field"
    ),
    add_options=_add_options,
    run=_run,
)
