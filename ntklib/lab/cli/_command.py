"""Commands: their record, their messages, and options that several share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntklib.lab.tables import Table, TableStream

LINE_LIMIT = 2000

MAX_CATEGORIES = 100  # of `ntklib.lab.tables`, which takes a second to import


@dataclass(frozen=True)
class Command:
    """One verb of the program.

    Parameters
    ----------
    name : str
        The verb.
    summary : str
        One line for the list of verbs.
    description : str
        A paragraph for its own help.
    examples : str
        Command lines with a word on each, shown at the end of its help.
    add_options : callable
        Receives the verb's parser and the words of the command line, and adds the arguments.
    run : callable
        Receives the parsed arguments. It returns when the job is done, raises ``DataError`` for bad input
        and anything else for a job that failed.
    """

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser, Sequence[str]], None]
    run: Callable[[argparse.Namespace], None]


def printable(text: object, limit: int | None = LINE_LIMIT) -> str:
    r"""Return text as one line that a terminal shows and does not obey.

    What comes from files and arguments may hold line breaks, control characters, marks that turn the
    direction of writing, or half a surrogate pair; each becomes an escape such as ``\x1b``.
    """
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    if limit is None or len(line) <= limit:
        return line
    return f"{line[:limit]}... ({len(line)} characters)"


def note(message: str) -> None:
    """Tell the user something that is no result: one line on standard error."""
    print(f"note: {printable(message)}", file=sys.stderr)


def write_data(text: str) -> None:
    """Write data on standard output: to the letter, or escaped line by line where a terminal shows it."""
    if sys.stdout.isatty():
        text = "\n".join(printable(line, None) for line in text.split("\n"))
    sys.stdout.write(text)


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def default_text(value: Any) -> str:
    """Text of the default of an option in its help."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        words = [default_text(item) for item in value]
        return " ".join(words if len(words) <= 8 else [*words[:2], "...", words[-1]])
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def add_data_argument(parser: argparse._ActionsContainer, text: str, *, many: bool = False) -> None:
    """Add the table that a command reads, as an argument ``DATA`` and as the option ``--data DATA``."""
    argument = parser.add_argument("data", nargs="+" if many else "?", metavar="DATA", help=text)

    class Option(argparse.Action):
        """Keep what the option names; the argument is needed no more."""

        def __call__(self, parser, namespace, values, option_string=None):
            argument.required = False
            named = getattr(namespace, self.dest) or []
            setattr(namespace, self.dest, [*named, values] if many else values)

    parser.add_argument(
        "--data",
        dest="data_option",
        action=Option,
        metavar="DATA",
        help=f"the same, named by an option{' (may be repeated)' if many else ''}",
    )


def data_of(arguments: argparse.Namespace, default: Any = None) -> Any:
    """Return what names the table of :func:`add_data_argument`: a name, or a list of them.

    Raises
    ------
    DataError
        If it is named twice.
    """
    from ntklib.lab.tables import DataError

    if arguments.data and arguments.data_option:
        raise DataError("the table is named twice, by an argument and by --data")
    return arguments.data or arguments.data_option or default


def add_reading_options(parser: argparse.ArgumentParser, impute: str) -> None:
    """Add the options on how a table is read for fitting; ``impute`` is the default of the option."""
    group = parser.add_argument_group("reading the table")
    group.add_argument(
        "--task",
        choices=("auto", "regression", "classification"),
        default="auto",
        help="what predicting the target is (default: auto: classification if it is text, or whole numbers "
        "of at most 20 distinct values, each at least 5 times on average; else regression)",
    )
    group.add_argument(
        "--categorical",
        action="append",
        default=[],
        metavar="COLUMN",
        help="read this column as text even if it looks like numbers (may be repeated)",
    )
    group.add_argument(
        "--impute",
        choices=("median", "refuse"),
        default=impute,
        help="what to do with cells of numeric columns that hold no number, and of dates that hold no date: "
        f"fill them by the column's median, or refuse them (default: {impute})",
    )
    group.add_argument(
        "--kernels",
        choices=("all", "ntk"),
        default="all",
        help="kernels to choose from: also those of distances, or only NTK and NNGP, kernels of networks "
        "(default: all)",
    )
    group.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="COLUMN",
        help="leave this column out (may be repeated)",
    )
    group.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="use this column even if it looks like an identifier or has one value (may be repeated)",
    )
    group.add_argument(
        "--max-categories",
        type=_categories,
        default=MAX_CATEGORIES,
        metavar="N",
        help="inputs that a column of text becomes at most: the most frequent texts have one each, all "
        f"others share one (default: {MAX_CATEGORIES})",
    )
    add_text_options(group)


def _categories(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("must be at least 2")
    return value


def reading_choices(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options of :func:`add_reading_options` say of columns and kernels, for a fit."""
    return {
        "categorical": tuple(arguments.categorical),
        "impute": None if arguments.impute == "refuse" else arguments.impute,
        "drop": tuple(arguments.drop),
        "keep": tuple(arguments.keep),
        "max_categories": arguments.max_categories,
        "kernels": None if arguments.kernels == "all" else arguments.kernels,
    }


def add_text_options(parser: argparse._ActionsContainer) -> None:
    """Add the options on how a text file is written; they are of the file, and no model remembers them."""
    parser.add_argument(
        "--delimiter", metavar="CHAR", help="character between the fields of a text file (default: a comma)"
    )
    parser.add_argument(
        "--decimal",
        choices=(".", ","),
        default=".",
        help="decimal sign of the numbers in a text file (default: .)",
    )
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of a text file, such as latin-1, cp1252 or utf-16 (default: utf-8, or what a byte "
        "order mark says)",
    )


def read_table(source: str, arguments: argparse.Namespace) -> Table:
    """Load the table that an argument names, as the options of :func:`add_text_options` say."""
    from ntklib.lab.tables import load_table

    return load_table(source, **_text_options(arguments))


def open_rows(arguments: argparse.Namespace) -> Table | TableStream:
    """Open the files that the arguments name, of any size, as one table."""
    from ntklib.lab.tables import open_tables

    elsewhere = getattr(arguments, "dask", None) is not None
    return open_tables(data_of(arguments), **_text_options(arguments), absolute=elsewhere)


def _text_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ("delimiter", "decimal", "encoding")}
