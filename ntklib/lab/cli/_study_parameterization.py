"""``ntklib study parameterization`` and ``rescaling``: steps against width, and one function's two ways."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._rows import Study, add_data_options, add_network_options, positive, read_network, read_samples

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult

_TARGET = "what to predict; of classes, the later half against the rest"


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths",
        type=positive,
        nargs="+",
        metavar="M",
        help="units of the hidden layers, two widths at least (default: 128 256 ... 2048)",
    )
    parser.add_argument(
        "--parameterizations",
        choices=("standard", "ntk", "mean_field", "mup"),
        nargs="+",
        metavar="NAME",
        help="among standard, ntk, mean_field and mup (default: standard ntk mup)",
    )
    parser.add_argument(
        "--draws", type=positive, default=8, metavar="N", help="networks a width (default: 8)"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=20,
        metavar="K",
        help="of the short trainings; 0 trains nothing and takes a second (default: 20)",
    )
    add_data_options(parser, max_samples=50, target=_TARGET)
    add_network_options(parser)


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import parameterization_study
    from ntklib.lab.studies.parameterization.study import COMPARED, WIDTHS

    return parameterization_study(
        *read_samples(arguments),
        arguments.widths or WIDTHS,
        network=read_network(arguments),
        parameterizations=arguments.parameterizations or COMPARED,
        n_draws=arguments.draws,
        steps=arguments.steps,
        random_state=arguments.seed,
        out=out,
    )


PARAMETERIZATION = Study(
    name="parameterization",
    summary="gradients and the best step size against width, by parameterisation",
    description=(
        "Draw networks at several widths in the standard, NTK and maximal-update parameterisations, and fit\n"
        "powers of the width to the size of their gradients, the largest stable step size, the best one of\n"
        "short trainings, and what a step changes of the first layer, beside the powers predicted.\n"
        "For homogeneous activations it also trains the rescaled pair: see ntklib study rescaling.\n"
        "--parameterization is that of the rescaled pair."
    ),
    examples=(
        "  ntklib study parameterization                         ReLU on handwritten digits\n"
        "  ntklib study parameterization --data diabetes --out steps\n"
        "  ntklib study parameterization --parameterizations mup --depth 2 --widths 128 256 512"
    ),
    add_options=_add_options,
    run=_run,
)
