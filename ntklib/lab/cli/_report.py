"""``ntklib report``: the main job."""

from __future__ import annotations

import argparse
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ._command import (
    MAX_CATEGORIES,
    Command,
    add_data_argument,
    add_reading_options,
    data_of,
    note,
    printable,
    read_table,
    reading_choices,
)

if TYPE_CHECKING:
    from ntklib.lab.report import Analysis

DEFAULT_FOLDER = "ntklib-report"
DEFAULT_DATA = "digits"
_MAX_SAMPLES = 30_000  # of `ntklib.lab.report`, which takes a second to import


def _add_options(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_data_argument(
        parser,
        "digits (default), diabetes, breast_cancer or wine, which come along; or a .csv, .npz or .parquet "
        "file",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict (.npz files: y)")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help=f"folder for the page (default: {DEFAULT_FOLDER}, or {DEFAULT_FOLDER}-2, -3, ... if there is "
        "one)",
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="S", help="for the split and all else (default: 0)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an earlier report in the folder")
    parser.add_argument(
        "--max-samples",
        type=_count,
        default=_MAX_SAMPLES,
        metavar="N",
        help=f"use at most so many rows, drawn at random (default: {_MAX_SAMPLES})",
    )
    parser.add_argument(
        "--theory",
        action="store_true",
        help="also draw, train and certify networks like the chosen kernel's, on some of the rows",
    )
    add_reading_options(parser, impute="median")


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError("must be between 0 and 2**32 - 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 20:
        raise argparse.ArgumentTypeError("must be at least 20")
    return value


def _run(arguments: argparse.Namespace) -> None:
    from ntklib.lab.report import PAGE, RESULTS, analyse, write_report
    from ntklib.lab.report.output import find_folder

    table = read_table(data_of(arguments, DEFAULT_DATA), arguments)
    place = partial(
        find_folder, arguments.out, (PAGE, RESULTS), default=DEFAULT_FOLDER, force=arguments.force
    )
    place()  # a folder that does not do is refused now; it is made when there is something to put in it
    analysis = analyse(
        table,
        target=arguments.target,
        task=arguments.task,
        seed=arguments.seed,
        **reading_choices(arguments),
        max_samples=arguments.max_samples,
        theory=arguments.theory,
        command=_command_line(arguments),
        note=note,
    )
    with _held_interrupt(not analysis.interrupted) as held:
        page, results = write_report(analysis, place)
    print(_summary(analysis))
    if arguments.out is None and str(page.parent) != DEFAULT_FOLDER:
        print(f"\n{DEFAULT_FOLDER} holds an earlier report, which was kept.")
    print(f"\nnumbers: {printable(results)}\nreport:  {page.resolve().as_uri()}")
    if analysis.interrupted or held:
        raise KeyboardInterrupt


@contextmanager
def _held_interrupt(hold: bool) -> Iterator[list[int]]:
    """Hold back the first Ctrl-C until the block has ended, and list it; the second is obeyed at once."""
    held: list[int] = []
    usual = signal.default_int_handler

    def keep(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, usual)
        held.append(number)
        note("interrupted, but all is computed and will be written; once more gives it up")

    # other threads receive none, and who ignores or handles it goes on to do so
    hold = hold and threading.current_thread() is threading.main_thread()
    if not hold or signal.getsignal(signal.SIGINT) is not usual:
        yield held
        return
    signal.signal(signal.SIGINT, keep)
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, usual)


def _command_line(arguments: argparse.Namespace) -> str:
    """Return the command that gives the same numbers again."""
    words = ["ntklib", "report", "--data", data_of(arguments, DEFAULT_DATA)]
    for option in ("target", "delimiter", "encoding"):
        if (value := getattr(arguments, option)) is not None:
            words += [f"--{option}", value]
    if arguments.decimal != ".":
        words += ["--decimal", arguments.decimal]
    for option in ("categorical", "drop", "keep"):
        for column in getattr(arguments, option):
            words += [f"--{option}", column]
    if arguments.kernels != "all":
        words += ["--kernels", arguments.kernels]
    if arguments.impute != "median":
        words += ["--impute", arguments.impute]
    if arguments.max_categories != MAX_CATEGORIES:
        words += ["--max-categories", str(arguments.max_categories)]
    if arguments.task != "auto":
        words += ["--task", arguments.task]
    if arguments.max_samples != _MAX_SAMPLES:
        words += ["--max-samples", str(arguments.max_samples)]
    if arguments.theory:
        words.append("--theory")
    return shlex.join([*words, "--seed", str(arguments.seed)])


def _summary(analysis: Analysis) -> str:
    """Return the table of scores for the terminal."""
    from ntklib._core.progress import seconds_text
    from ntklib._core.text import text_table
    from ntklib.lab.report import verdict_text
    from ntklib.lab.report.scores import METRICS

    data, metrics = analysis.data, METRICS[analysis.data.task]
    lines = [
        f"{printable(data.name)}: {data.n_used} rows ({data.n_train} to train, {data.n_test} to test), "
        f"{data.n_inputs} inputs",
        f"task:   {data.task} ({printable(data.reason)})",
        f"chosen: {analysis.ours.choice}",
        "",
    ]
    head = ["", metrics[0].title, "95 % interval", *(m.title for m in metrics[1:]), "fit"]
    rows = []
    for model in analysis.models:
        main = model.scores[metrics[0].name]
        interval = f"{metrics[0].text(main.low)} to {metrics[0].text(main.high)}"
        others = [m.text(model.scores[m.name].value) if m.name in model.scores else "-" for m in metrics[1:]]
        rows.append(
            [model.title, metrics[0].text(main.value), interval, *others, seconds_text(model.fit_seconds)]
        )
    drivers = () if analysis.importance is None else analysis.importance.columns[:4]
    ending = ["", verdict_text(analysis)]
    if drivers:
        ending.append(f"Columns that matter most: {', '.join(drivers)}.")
    return "\n".join([*lines, text_table(head, rows, left=1), *map(printable, ending)])


REPORT = Command(
    name="report",
    summary="say on an HTML page how well a table can be predicted, by which model, and from which columns",
    description=(
        "Fit a kernel machine, an RBF support vector machine (or kernel ridge) and a random forest on one\n"
        "split of a table, and write a self-contained HTML page and results.json: which model predicts\n"
        "best, by how much, whether that may be chance, and which columns its predictions rest on."
    ),
    examples=(
        "  ntklib report                                     handwritten digits, which come along\n"
        "  ntklib report --data diabetes --out diabetes      regression, into the folder diabetes\n"
        "  ntklib report --data houses.csv --target price    your own table\n"
        "  ntklib report --data preise.csv --target Preis --delimiter ';' --decimal ,   German numbers\n"
        "  ntklib report --data cells.npz --seed 7           arrays X and y, another split\n"
        "  ntklib report --data wine --theory                with networks like the chosen kernel's"
    ),
    add_options=_add_options,
    run=_run,
)
