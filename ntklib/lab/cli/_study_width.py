"""``ntklib study width``: the tangent kernel against its limit as networks grow wider."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._study_base import Study, add_data_options, add_network_options, positive, read_network, read_rows

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths",
        type=positive,
        nargs="+",
        metavar="M",
        help="units of the hidden layers, two widths at least (default: 64 128 ... 8192)",
    )
    parser.add_argument(
        "--draws", type=positive, default=20, metavar="N", help="networks a width (default: 20)"
    )
    add_data_options(parser)
    add_network_options(parser)


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import width_study
    from ntklib.lab.studies.width.study import WIDTHS

    return width_study(
        read_rows(arguments),
        arguments.widths or WIDTHS,
        network=read_network(arguments),
        n_draws=arguments.draws,
        random_state=arguments.seed,
        out=out,
    )


WIDTH = Study(
    name="width",
    summary="how fast the tangent kernel approaches its limit as networks grow wider",
    description=(
        "Draw networks at several widths and measure how far their tangent kernels are from the analytic\n"
        "limit: root-mean-square errors relative to the limit in Frobenius and operator norm, smallest\n"
        "eigenvalue, the fitted power of the width, and the exact expectation where there is a formula."
    ),
    examples=(
        "  ntklib study width                                    ReLU on handwritten digits\n"
        "  ntklib study width --data wine --out wine-width       keep table, numbers and pictures\n"
        "  ntklib study width --degree 2 --widths 100 1000 10000\n"
        "  ntklib study width --depth 3 --weight-std 1.4 --bias-std 0.1 --input-scaling fan_in\n"
        "  ntklib study width --format csv > errors.csv"
    ),
    add_options=_add_options,
    run=_run,
)
