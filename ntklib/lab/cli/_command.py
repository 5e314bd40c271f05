"""Commands: their record, their messages, and options that several share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ntklib.lab.tables import Table, TableStream

LINE_LIMIT = 2000


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
        Receives the verb's parser and adds its arguments.
    run : callable
        Receives the parsed arguments. It returns when the job is done, raises ``DataError`` for bad input
        and anything else for a job that failed.
    """

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser], None]
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


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on how a table is read for fitting."""
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
        choices=("median",),
        help="fill cells of numeric columns that hold no number by the column's median (default: refuse "
        "them)",
    )
    add_text_options(group)


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
    """Open the files that the arguments ``data`` name, of any size, as one table."""
    from ntklib.lab.tables import open_tables

    return open_tables(arguments.data, **_text_options(arguments))


def _text_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ("delimiter", "decimal", "encoding")}
