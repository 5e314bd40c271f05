"""``ntklib study scale``: how fast networks become their linearisations as their outputs are scaled up."""

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
        "--scales",
        type=float,
        nargs="+",
        metavar="A",
        help="factors of the outputs, two at least (default: four a decade from 0.1 to 100000)",
    )
    parser.add_argument("--width", type=positive, default=64, metavar="M", help="(default: 64)")
    parser.add_argument(
        "--remaining",
        type=float,
        default=0.01,
        metavar="R",
        help="compare when the centred linearisation has this share of its loss left (default: 0.01)",
    )
    parser.add_argument(
        "--offset",
        type=float,
        default=0.01,
        metavar="E",
        help="by how much the start of the last model is not symmetric (default: 0.01)",
    )
    parser.add_argument(
        "--rtol", type=float, default=1e-12, metavar="R", help="tolerance of a step (default: 1e-12)"
    )
    add_data_options(parser, max_samples=16)
    add_network_options(parser, activation="erf", input_scaling="fan_in", symmetric=None)


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import scale_study
    from ntklib.lab.studies.scale.study import SCALES

    X, y = read_samples(arguments)
    return scale_study(
        X,
        y,
        arguments.scales or SCALES,
        network=read_network(arguments).with_width(arguments.width),
        remaining=arguments.remaining,
        offset=arguments.offset,
        rtol=arguments.rtol,
        random_state=arguments.seed,
        out=out,
        announce=note,
    )


SCALE = Study(
    name="scale",
    summary="how fast networks become their linearisations as outputs are scaled up",
    description=(
        "Follow the gradient flow of networks at several scales of their outputs, and of their\n"
        "linearisations, and report with which powers of the scale the movement and the gaps between both\n"
        "fall: for centred and symmetrised networks, and for such as do not start at 0 and never become\n"
        "lazy, all made from one network."
    ),
    examples=(
        "  ntklib study scale                                    erf network, 16 digits, less than a minute\n"
        "  ntklib study scale --activation softplus --depth 2 --scales 1 10 100 1000 --out scale"
    ),
    add_options=_add_options,
    run=_run,
)
