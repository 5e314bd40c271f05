"""What a command is, how it talks, and the options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass


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


def note(message: str) -> None:
    """Tell the user something that is no result: one line on standard error."""
    print(f"note: {message}", file=sys.stderr)


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
    add_delimiter(group)


def add_delimiter(parser: argparse._ActionsContainer) -> None:
    """Add the option for text files that are not separated by commas."""
    parser.add_argument(
        "--delimiter", metavar="CHAR", help="character between the fields of a text file (default: a comma)"
    )
