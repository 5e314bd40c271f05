"""Options of commands on the rows of a study, and the rows themselves."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ._command import add_data_argument, add_text_options, data_of, note, positive, read_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ntklib.lab.study import RowSource
    from ntklib.lab.tables import Table


def add_row_options(parser: argparse.ArgumentParser, rows: RowSource) -> None:
    """Add the options on the rows."""
    group = parser.add_argument_group("data")
    files = "or a .csv, .npz or .parquet file"
    if rows.kind == "two classes":
        text = f"digits, breast_cancer or wine, which come along; {files} (default: Gaussian rows)"
        add_data_argument(group, text)
        text = "the two to tell apart (default: the two with most rows)"
        group.add_argument("--classes", nargs=2, metavar=("A", "B"), help=text)
    else:
        text = f"digits (default), diabetes, breast_cancer or wine, which come along; {files}"
        add_data_argument(group, text)
    group.add_argument("--target", metavar="COLUMN", help=rows.target)
    text = f"use at most so many rows, drawn at random (default: {rows.max_samples})"
    if rows.held_out:
        text += f"; {rows.held_out:.0%}% of them are held out as new rows"
    group.add_argument("--max-samples", type=positive, default=rows.max_samples, metavar="N", help=text)
    add_text_options(group)


def read_rows(arguments: argparse.Namespace, rows: RowSource) -> dict[str, Any]:
    """Return the arguments ``X``, ``y`` and ``X_test`` of a study, those of them that it takes.

    Numbers are standardised, text is one-hot encoded, and some rows are drawn.

    Raises
    ------
    DataError
        If the table or its target does not suit.
    """
    import numpy as np

    if rows.kind == "two classes":
        return dict(zip("Xy", _two_classes(arguments), strict=True))
    if rows.kind == "rows":
        return {"X": _read(arguments)[0]}
    X, y = _samples(arguments) if rows.kind == "samples" else _classes(arguments)
    if not rows.held_out:
        return {"X": X, "y": y}
    mixed = np.random.default_rng(arguments.seed).permutation(len(X))
    test, train = np.split(mixed, [int(len(X) * rows.held_out)])
    return {"X": X[train], "y": y[train], "X_test": X[test] if len(test) else None}


def _samples(arguments: argparse.Namespace) -> tuple[NDArray, NDArray]:
    """Rows, and their targets as numbers of mean 0 and mean square 1."""
    from ntklib.lab.tables import read_target
    from ntklib.lab.tables.target import centred_numbers

    X, table, chosen = _read(arguments)
    target = read_target(table, arguments.target, note=note)
    return X, centred_numbers(target.values[chosen], target.task)


def _classes(arguments: argparse.Namespace) -> tuple[NDArray, NDArray]:
    """Rows and their class labels."""
    from ntklib.lab.tables import DataError, read_target

    X, table, chosen = _read(arguments)
    target = read_target(table, arguments.target, note=note)
    if target.task != "classification":
        raise DataError(
            f"{table.name}: this study needs classes, and the target is a number ({target.reason}); name a "
            "column of classes with --target"
        )
    return X, target.values[chosen]


def _two_classes(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Rows and labels of two classes, None if there is no data."""
    import numpy as np

    from ntklib._core.sampling import sample_rows

    if not (arguments.data or arguments.data_option):
        for option in ("target", "classes"):
            if getattr(arguments, option) is not None:
                raise ValueError(f"--{option} goes with --data")
        return None, None
    X, labels = _classes(argparse.Namespace(**{**vars(arguments), "max_samples": None}))
    names = np.array([str(label) for label in labels])
    known, counts = np.unique(names, return_counts=True)
    chosen = arguments.classes or known[np.argsort(-counts, kind="stable")[:2]].tolist()
    if unknown := set(chosen) - set(known):
        raise ValueError(f"there is no class {sorted(unknown)[0]!r}; there are {', '.join(known)}")
    indices = np.flatnonzero(np.isin(names, chosen))
    indices = indices[sample_rows(len(indices), arguments.max_samples, arguments.seed)]
    return X[indices], names[indices]


def _read(arguments: argparse.Namespace) -> tuple[NDArray, Table, NDArray]:
    """The rows, the table they are from, and which of its rows they are."""
    import numpy as np

    from ntklib._core.sampling import sample_rows
    from ntklib.lab.tables import Schema, make_preprocessor

    table = read_table(data_of(arguments, "digits"), arguments)
    target = arguments.target or table.target
    if target is not None:
        table.column(target)
    # a study is of the rows as they are: figures of digits count its constant pixels
    schema = Schema.infer(table, target=target, keep=table.columns, note=note)
    X = make_preprocessor(schema).fit_transform(schema.encode(table, note))
    chosen = sample_rows(len(X), arguments.max_samples, arguments.seed)
    return np.asarray(X, dtype=float)[chosen], table, chosen
