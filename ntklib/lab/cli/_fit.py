"""``ntklib fit``: train on a whole table and keep the model in a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ._command import (
    Command,
    add_data_argument,
    add_reading_options,
    note,
    open_rows,
    printable,
    reading_choices,
)


def _add_options(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_data_argument(
        parser,
        "a .csv, .npz or .parquet file, or an embedded data set; several .csv or .parquet files with "
        "the same columns, a folder of them, or a pattern such as 'data/*.parquet' are one table, in sorted "
        "order",
        many=True,
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict (.npz files: y)")
    parser.add_argument("--out", required=True, metavar="MODEL", help="the model file to write")
    parser.add_argument("--force", action="store_true", help="overwrite the model file if there is one")
    parser.add_argument(
        "--dask",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="fit on centres by Dask: on the workers of the scheduler at this address, such as "
        "tcp://host:8786, which read the files from the same paths; without an address in threads of this "
        "machine. Each row group of a Parquet file, or a CSV file, is read by itself",
    )
    add_reading_options(parser, impute="refuse")


def _run(arguments: argparse.Namespace) -> None:
    from ntklib._core.naming import describe_choice
    from ntklib._core.progress import Progress
    from ntklib.lab.report.output import check_writable
    from ntklib.lab.tables import summarise

    from ._cluster import open_cluster
    from ._model import TablePredictor
    from ._model_file import save_model
    from ._scores import scores_text

    out = Path(arguments.out)
    check_writable(out, force=arguments.force)
    table = open_rows(arguments)
    choices = reading_choices(arguments)
    progress = Progress(4, loud=True)
    with open_cluster(arguments.dask, table) as cluster:
        with progress.step(f"first pass over {printable(table.name)}"):
            if cluster is None:
                summary = summarise(table, text=choices["categorical"])
            else:
                summary = cluster.summarise(text=choices["categorical"])
        model = TablePredictor.fit(
            table,
            summary=summary,
            target=arguments.target,
            task=arguments.task,
            **choices,
            note=note,
            progress=progress,
            cluster=cluster,
        )
    save_model(model, out)
    fitted = model.pipeline[-1]
    n_columns = len(model.schema.columns)
    columns = f"{n_columns} column{'s' * (n_columns != 1)}"
    print(f"data:    {printable(table.name)}, {summary.n_rows} rows, {columns}")
    print(f"task:    {model.task} ({printable(model.reason)})")
    print("kernel:  " + "\n       + ".join(describe_choice(fitted)))
    if fitted.learned_features_ is not None:
        print(f"scales:  {fitted.learned_features_.words.removeprefix('scales of columns ')}")
    if model.schema.squash:
        print("numbers: standardised z, squashed to z / sqrt(1 + (z / 3)^2)")
    if model.scores:
        print(f"score:   {scores_text(model.scores)}, each row predicted by a fit without it")
    name, how = fitted.loo_path_.score_name, "the best that was tried"
    if hasattr(fitted, "stack_"):  # of its fits, each by leave-one-out or folds
        name, how = f"held-out {name.split(' ', 1)[1]}", "of the sum, by weights of other folds"
    print(f"choice:  {name} {float(fitted.best_score_):.4g}, {how}")
    print(f"model:   {printable(out)}")


FIT = Command(
    name="fit",
    summary="train on a table and keep the model in a file",
    description=(
        "Fit preprocessing and NTK estimator on all rows of a table and save both in one file.\n"
        "The file holds no code: it is read back with a list of trusted types."
    ),
    examples=(
        "  ntklib fit houses.csv --target price --out houses.ntk\n"
        "  ntklib fit patients.csv --target outcome --impute median --out patients.ntk\n"
        "  ntklib fit maisons.csv --target prix --delimiter ';' --decimal , --encoding cp1252 --out m.ntk\n"
        "  ntklib fit 'rides/*.parquet' --target fare --dask tcp://scheduler:8786 --out rides.ntk\n"
        "  ntklib fit digits --out digits.ntk"
    ),
    add_options=_add_options,
    run=_run,
)
