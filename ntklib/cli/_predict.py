"""``ntklib predict``: apply a model file to a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ntklib.cli._command import Command, add_delimiter, note


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a file written by ntklib fit")
    parser.add_argument("data", metavar="DATA", help="a table with the columns the model was fitted on")
    parser.add_argument("--out", metavar="FILE", help="write the CSV here (default: standard output)")
    parser.add_argument("--proba", action="store_true", help="add a column of probabilities for each class")
    parser.add_argument("--force", action="store_true", help="overwrite the output file if there is one")
    add_delimiter(parser)


def _run(arguments: argparse.Namespace) -> None:
    from ntklib._files import csv_text
    from ntklib.cli._model_file import load_model
    from ntklib.datasets import DataError, load_table
    from ntklib.report._output import check_writable, write_atomically

    out = None if arguments.out is None else Path(arguments.out)
    if out is not None:
        check_writable(out, force=arguments.force)
    model = load_model(arguments.model)
    if arguments.proba and model.task != "classification":
        raise DataError(f"{arguments.model}: --proba needs a classifier, this model is for regression")
    table = load_table(arguments.data, delimiter=arguments.delimiter)
    columns = model.predict(table, proba=arguments.proba, note=note)
    text = csv_text(columns)
    if out is None:
        sys.stdout.write(text)
    else:
        write_atomically(out, text)


PREDICT = Command(
    name="predict",
    summary="apply a model file to a table",
    description=(
        "Predict the target for every row of a table, in its order, as CSV with the column 'prediction'.\n"
        "Columns are matched by name; the target and further columns may be there and are not used."
    ),
    examples=(
        "  ntklib predict houses.ntk new.csv                      to the screen\n"
        "  ntklib predict houses.ntk new.csv --out prices.csv     to a file\n"
        "  ntklib predict digits.ntk scans.npz --proba            with probabilities"
    ),
    add_options=_add_options,
    run=_run,
)
