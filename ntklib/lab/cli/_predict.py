"""``ntklib predict``: apply a model file to a table."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._command import Command, add_data_argument, add_text_options, note, open_rows, write_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ntklib._core.progress import Gauge


def _add_options(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    parser.add_argument("model", metavar="MODEL", help="a file written by ntklib fit")
    add_data_argument(
        parser,
        "a table with the columns the model was fitted on: a file, several, a folder or a pattern, as "
        "for fit",
        many=True,
    )
    parser.add_argument("--out", metavar="FILE", help="write the CSV here (default: standard output)")
    parser.add_argument("--proba", action="store_true", help="add a column of probabilities for each class")
    parser.add_argument("--force", action="store_true", help="overwrite the output file if there is one")
    parser.add_argument(
        "--safe-csv",
        action="store_true",
        help="put a quote mark before labels that a spreadsheet would run as a formula (those that begin "
        "with =, +, -, @, a tab or a line break), and double quotes around all text",
    )
    add_text_options(parser)


def _run(arguments: argparse.Namespace) -> None:
    from ntklib._core.progress import Progress
    from ntklib.lab.report.output import check_writable, write_atomically
    from ntklib.lab.tables import DataError

    from ._model_file import load_model
    from ._scores import TargetScorer

    out = None if arguments.out is None else Path(arguments.out)
    if out is not None:
        check_writable(out, force=arguments.force)
    model = load_model(arguments.model, note)
    if arguments.proba and model.task != "classification":
        raise DataError(f"{arguments.model}: --proba needs a classifier, this model is for regression")
    table = open_rows(arguments)
    scorer = TargetScorer(model) if model.target in table.columns else None
    blocks = model.predict_blocks(table, proba=arguments.proba, note=note, scorer=scorer)
    with Progress().step("predicting", unit="rows") as done:
        text = _lines(blocks, arguments, done)
        if out is not None:
            write_atomically(out, text)
        else:
            for part in text:
                write_data(part)
    if scorer is not None and (score := scorer.text()):
        note(f"{table.name}: {score}")


def _lines(blocks: Iterable[dict[str, NDArray]], arguments: argparse.Namespace, done: Gauge) -> Iterator[str]:
    """The CSV of some blocks of predictions, block by block."""
    from ntklib._core.files import csv_text, is_formula

    warned = arguments.safe_csv
    for i, columns in enumerate(blocks):
        if not warned and any(map(is_formula, {*columns["prediction"].tolist()})):
            note("some labels begin as formulas do, and a spreadsheet may run them; --safe-csv quotes them")
            warned = True
        yield csv_text(columns, safe=arguments.safe_csv, header=i == 0)
        done.advance(len(columns["prediction"]))


PREDICT = Command(
    name="predict",
    summary="apply a model file to a table",
    description=(
        "Predict the target for every row of a table, in its order, as CSV with the column 'prediction'.\n"
        "Columns are matched by name. Where the target is there the predictions are scored, on standard\n"
        "error; further columns are not used.\n"
        "Say how the file is written (--delimiter, --decimal, --encoding) as for fit: models do not keep it."
    ),
    examples=(
        "  ntklib predict houses.ntk new.csv                      to the screen\n"
        "  ntklib predict houses.ntk new.csv --out prices.csv     to a file\n"
        "  ntklib predict digits.ntk scans.npz --proba            with probabilities\n"
        "  ntklib predict m.ntk neu.csv --delimiter ';' --decimal ,   a German spreadsheet's export\n"
        "  ntklib predict labels.ntk new.csv --safe-csv --out s.csv   for a spreadsheet"
    ),
    add_options=_add_options,
    run=_run,
)
