"""``ntklib study NAME``: the command of every study, made from its declaration."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntklib.lab.registry import STUDIES, load_study

from ._command import Command, default_text, note, write_data

if TYPE_CHECKING:
    from ntklib.lab.study import Declaration


def _add_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    names = parser.add_subparsers(metavar="NAME", required=True, parser_class=type(parser))
    for name in STUDIES:
        declaration = load_study(name)
        doc = declaration.docstring
        own = names.add_parser(
            name,
            help=_lower(doc.summary),
            description=textwrap.fill(doc.description, 100),
            epilog=f"examples:\n{textwrap.indent(declaration.examples, '  ')}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        own.set_defaults(study=declaration)
        if name in argv:  # options are made from the declaration, which takes time
            _add_common_options(own)
            add_arguments(own, declaration)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--traceback",
        action="store_true",
        default=argparse.SUPPRESS,  # the one before the name may have said so already
        help="show where in the code an error came from",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="keep results.json, results.csv and pictures here, and finished parts from which the same "
        "command goes on if it is stopped (default: only print the table)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="overwrite earlier results in the folder; finished parts with the same settings are kept",
    )
    parser.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="what to print on standard output (default: table)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="S", help="of all random numbers (default: 0)"
    )


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def option_of(parameter: str) -> str:
    """Return the option that sets a parameter of a study: ``--draws`` for ``n_draws``."""
    return f"--{parameter.removeprefix('n_').replace('_', '-')}"


def add_arguments(parser: argparse.ArgumentParser, declaration: Declaration) -> None:
    """Add an option for each checked argument of a study, and those on its rows and networks."""
    from ._networks import add_network_options
    from ._rows import add_row_options

    for name, argument in declaration.arguments.items():
        default = declaration.default(name)
        text = _lower(declaration.docstring.help(name))
        if default is not None:
            text += f" (default: {default_text(default)})"
        parser.add_argument(
            option_of(name), dest=name, default=default, help=text.replace("%", "%%"), **argument.option()
        )
    if declaration.rows is not None:
        add_row_options(parser, declaration.rows)
    if declaration.networks is not None:
        add_network_options(parser, declaration.networks, declaration.default("network"))


def read_arguments(arguments: argparse.Namespace, declaration: Declaration) -> dict[str, Any]:
    """Return the arguments that a study is called with.

    Raises
    ------
    DataError
        If an option or the table does not suit.
    """
    from ._networks import read_network
    from ._rows import read_rows

    values = {}
    for name, argument in declaration.arguments.items():
        value = getattr(arguments, name)
        values[name] = value if value is None else argument.check(value, option_of(name))
    if declaration.rows is not None:
        values |= read_rows(arguments, declaration.rows)
    if declaration.networks is not None:
        values["network"] = read_network(arguments, declaration.networks, declaration.default("network"))
    return values | {"random_state": arguments.seed}


def _run(arguments: argparse.Namespace) -> None:
    from ntklib._core.files import csv_text
    from ntklib.lab.parts import PARTS, announcing, replacing_parts
    from ntklib.lab.report.output import find_folder
    from ntklib.lab.result import CSV, RESULTS
    from ntklib.lab.tables import DataError

    declaration: Declaration = arguments.study
    folder: Path | None = None
    if arguments.out is not None:
        # beside finished parts, what is incomplete is of a saving that stopped midway, and replaced
        files: tuple[str, ...] = (RESULTS,) if (Path(arguments.out) / CSV).exists() else ()
        if not (Path(arguments.out) / PARTS).is_dir():
            files = (RESULTS, CSV, *(path.name for path in Path(arguments.out).glob("*.png")))
        folder = find_folder(arguments.out, files, default="", force=arguments.force)
        find_folder(folder / PARTS, (), default="", force=True)
    try:
        with announcing(note), replacing_parts() if arguments.force else nullcontext():
            result = declaration.run(**read_arguments(arguments, declaration), out=folder)
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
    summary="run an experiment on networks and kernels: " + ", ".join(STUDIES),
    description="Run a study and print its table; ntklib study NAME --help says what each one does.",
    examples="  ntklib study width\n  ntklib study width --data wine --out wine-width",
    add_options=_add_options,
    run=_run,
)
