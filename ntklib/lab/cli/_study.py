"""``ntklib study NAME``: experiments that return a table; a study is added by listing it in ``STUDIES``."""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from pathlib import Path

from ._command import Command, note, write_data
from ._study_base import Study
from ._study_criterion import CRITERION
from ._study_features import FEATURES
from ._study_homogeneity import HOMOGENEITY
from ._study_implicit_bias import IMPLICIT_BIAS
from ._study_lazy_decay import LAZY
from ._study_linearization import LAZY_ACCURACY, LINEARIZATION
from ._study_parameterization import PARAMETERIZATION, RESCALING
from ._study_scale import SCALE
from ._study_valley import VALLEY
from ._study_width import WIDTH

STUDIES: tuple[Study, ...] = (
    WIDTH,
    LINEARIZATION,
    LAZY_ACCURACY,
    LAZY,
    SCALE,
    CRITERION,
    HOMOGENEITY,
    VALLEY,
    PARAMETERIZATION,
    RESCALING,
    IMPLICIT_BIAS,
    FEATURES,
)
"""The studies, in the order of the help."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    names = parser.add_subparsers(metavar="NAME", required=True, parser_class=type(parser))
    for study in STUDIES:
        own = names.add_parser(
            study.name,
            help=study.summary,
            description=study.description,
            epilog=f"examples:\n{study.examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        own.add_argument(
            "--traceback",
            action="store_true",
            default=argparse.SUPPRESS,  # the one before the name may have said so already
            help="show where in the code an error came from",
        )
        own.add_argument(
            "--out",
            metavar="DIR",
            help="keep results.json, results.csv and pictures here, and finished parts from which the same "
            "command goes on if it is stopped (default: only print the table)",
        )
        own.add_argument(
            "--force",
            action="store_true",
            help="overwrite earlier results in the folder; finished parts with the same settings are kept",
        )
        own.add_argument(
            "--format",
            choices=("table", "csv", "json"),
            default="table",
            help="what to print on standard output (default: table)",
        )
        own.add_argument(
            "--seed", type=_seed, default=0, metavar="S", help="for all that is random (default: 0)"
        )
        study.add_options(own)
        own.set_defaults(study=study)


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def _run(arguments: argparse.Namespace) -> None:
    from ntklib._core.files import csv_text
    from ntklib.lab._parts import PARTS, replacing_parts
    from ntklib.lab.report.output import find_folder
    from ntklib.lab.result import CSV, RESULTS
    from ntklib.lab.tables import DataError

    folder: Path | None = None
    if arguments.out is not None:
        # beside finished parts, what is incomplete is of a saving that stopped midway, and replaced
        files: tuple[str, ...] = (RESULTS,) if (Path(arguments.out) / CSV).exists() else ()
        if not (Path(arguments.out) / PARTS).is_dir():
            files = (RESULTS, CSV, *(path.name for path in Path(arguments.out).glob("*.png")))
        folder = find_folder(arguments.out, files, default="", force=arguments.force)
        find_folder(folder / PARTS, (), default="", force=True)
    try:
        with replacing_parts() if arguments.force else nullcontext():
            result = arguments.study.run(arguments, folder)
    except (TypeError, ValueError) as error:
        raise DataError(" ".join(str(error).split())) from error
    if folder is not None:
        result.save(folder, overwrite=True)
        note(f"results and pictures are in {folder}")
    if arguments.format == "csv":
        write_data(csv_text(result.table()))
    else:
        print(json.dumps(result.to_dict(), indent=1) if arguments.format == "json" else result)


STUDY = Command(
    name="study",
    summary="run an experiment on networks and kernels: " + ", ".join(study.name for study in STUDIES),
    description="Run a study and print its table; ntklib study NAME --help says what each one does.",
    examples="\n".join(study.examples.splitlines()[0] for study in STUDIES),
    add_options=_add_options,
    run=_run,
)
