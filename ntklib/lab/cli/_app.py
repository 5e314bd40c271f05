"""The program around the commands: parsing, exit codes, and errors in one line."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from ._command import Command, printable
from ._fit import FIT
from ._info import INFO, WARMUP
from ._predict import PREDICT
from ._report import REPORT
from ._study import STUDY

COMMANDS: tuple[Command, ...] = (REPORT, STUDY, FIT, PREDICT, INFO, WARMUP)
"""The verbs, in the order of the help."""

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Parser that reports an error in one line, not under a screen of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser with every command in it, and the options of those that are named in ``argv``."""
    from ntklib import __version__

    parser = _Parser(
        prog="ntklib",
        description="Neural tangent kernel regression and classification on tables of data.",
        epilog="exit codes: 0 done, 1 the job ran and failed, 2 bad usage or input",
    )
    parser.add_argument("--version", action="version", version=f"ntklib {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        verb = verbs.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=f"examples:\n{command.examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_argument(
            "--traceback", action="store_true", help="show where in the code an error came from"
        )
        if command.name in argv:
            command.add_options(verb, argv)
        verb.set_defaults(command=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments after the program's name; None takes them from the system.

    Returns
    -------
    int
        0 if the job is done, 1 if it ran and failed, 2 for bad usage or input, 130 if interrupted.

    Examples
    --------
    >>> from ntklib.lab.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    ntklib ...
    0
    """
    if sys.stderr is None:
        # closed: a file opened later would get its number, and what libraries write to standard error
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (for as long as the process lives)
    if sys.stdout is None:
        print("ntklib: error: standard output is closed", file=sys.stderr)
        return BAD_INPUT
    try:
        argv = sys.argv[1:] if argv is None else argv
        arguments = build_parser(argv).parse_args(argv)
    except SystemExit as stop:  # argparse has said what there was to say
        return int(stop.code or 0)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from ntklib.lab.tables import DataError

    prog = f"ntklib {arguments.command.name}"
    try:
        arguments.command.run(arguments)
        sys.stdout.flush()
        return DONE
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print(f"\n{prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except DataError as error:
        if arguments.traceback:
            _show_traceback()
        print(f"{prog}: error: {printable(error)}", file=sys.stderr)
        return BAD_INPUT
    except Exception as error:
        if arguments.traceback:
            _show_traceback()
        reason = printable(" ".join(str(error).split())) or "no reason given"
        print(
            f"{prog}: failed: {type(error).__name__}: {reason} (--traceback shows where)",
            file=sys.stderr,
        )
        return FAILED


def _show_traceback() -> None:
    for line in traceback.format_exc().rstrip("\n").split("\n"):
        print(printable(line), file=sys.stderr)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    print(f"warning: {printable(' '.join(str(message).split()))}", file=sys.stderr)
