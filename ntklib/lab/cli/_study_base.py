"""What a study is to the command line, and the options that several share: the rows, the network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._command import add_text_options, note, read_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ntklib.lab.studies import StudyResult
    from ntklib.lab.tables import Table


@dataclass(frozen=True)
class Study:
    """One name after ``ntklib study``.

    Parameters
    ----------
    name : str
        The one of its result, too.
    summary : str
        One line for the list of studies.
    description : str
        A paragraph for its own help.
    examples : str
        Command lines with a word on each.
    add_options : callable
        Receives the parser and adds the study's own arguments; ``--out``, ``--seed``, ``--force``,
        ``--format`` are there already.
    run : callable
        Receives the parsed arguments and the folder to keep finished parts in (or None), and returns the
        result.  A ValueError or TypeError is taken for bad input.
    """

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Path | None], StudyResult]


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def add_data_options(
    parser: argparse.ArgumentParser, *, max_samples: int = 200, target: str = "a column that is no input"
) -> None:
    """Add the options on the rows."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        default="digits",
        metavar="NAME|FILE",
        help="digits (default), diabetes, breast_cancer or wine, which come along; or a .csv, .npz or "
        ".parquet file",
    )
    group.add_argument("--target", metavar="COLUMN", help=target)
    group.add_argument(
        "--max-samples",
        type=positive,
        default=max_samples,
        metavar="N",
        help=f"use at most so many rows, drawn at random (default: {max_samples})",
    )
    add_text_options(group)


def read_rows(arguments: argparse.Namespace) -> NDArray:
    """Return the rows asked for: numbers standardised, text one-hot encoded, some drawn.

    Raises
    ------
    DataError
        If the table does not suit.
    """
    return _read(arguments)[0]


def read_samples(arguments: argparse.Namespace) -> tuple[NDArray, NDArray]:
    """Return the rows asked for and their targets as numbers of mean 0 and mean square 1.

    Raises
    ------
    DataError
        If the table or its target does not suit.
    """
    from ntklib.lab.tables import read_target
    from ntklib.lab.tables.target import centred_numbers

    X, table, rows = _read(arguments)
    target = read_target(table, arguments.target, note=note)
    return X, centred_numbers(target.values[rows], target.task)


def read_classes(arguments: argparse.Namespace) -> tuple[NDArray, NDArray]:
    """Return the rows asked for and their class labels.

    Raises
    ------
    DataError
        If the table does not suit, or its target is no class.
    """
    from ntklib.lab.tables import DataError, read_target

    X, table, rows = _read(arguments)
    target = read_target(table, arguments.target, note=note)
    if target.task != "classification":
        raise DataError(
            f"{table.name}: this study needs classes, and the target is a number ({target.reason}); name a "
            "column of classes with --target"
        )
    return X, target.values[rows]


def _read(arguments: argparse.Namespace) -> tuple[NDArray, Table, NDArray]:
    """The rows, the table they are from, and which of its rows they are."""
    import numpy as np

    from ntklib._core.sampling import sample_rows
    from ntklib.lab.tables import Schema, make_preprocessor

    table = read_table(arguments.data, arguments)
    target = arguments.target or table.target
    if target is not None:
        table.column(target)
    schema = Schema.infer(table, target=target, note=note)
    X = make_preprocessor(schema).fit_transform(schema.encode(table, note))
    rows = sample_rows(len(X), arguments.max_samples, arguments.seed)
    return np.asarray(X, dtype=float)[rows], table, rows


def add_network_options(
    parser: argparse.ArgumentParser,
    *,
    activation: str = "relu",
    weight_std: float = 1.0,
    input_scaling: str = "none",
    symmetric: bool | None = False,
    output_init: str = "gaussian",
    deep: bool = True,
) -> None:
    """Add the options on the network, all but its width, with these defaults.

    ``symmetric=None`` is for studies that decide on symmetry themselves, ``deep=False`` for those of one
    hidden layer: options that could do nothing are not offered.
    """
    parser.set_defaults(depth=1, symmetric=False)
    group = parser.add_argument_group("network")
    if deep:
        group.add_argument(
            "--depth", type=positive, default=1, metavar="L", help="hidden layers (default: 1)"
        )
    sigma = group.add_mutually_exclusive_group()
    sigma.add_argument(
        "--activation", default=activation, metavar="NAME", help=f"by name (default: {activation})"
    )
    sigma.add_argument("--degree", type=int, metavar="N", help="the activation z^N for z >= 0, 0 below")
    group.add_argument(
        "--parameterization",
        choices=("ntk", "standard", "mean_field", "mup"),
        default="ntk",
        help="(default: ntk)",
    )
    group.add_argument(
        "--trainable", choices=("all", "hidden", "output"), default="all", help="layers (default: all)"
    )
    std = f"(default: {weight_std:.4g})"
    group.add_argument("--weight-std", type=float, default=weight_std, metavar="S", help=std)
    group.add_argument("--bias-std", type=float, default=0.0, metavar="S", help="(default: 0, no biases)")
    group.add_argument(
        "--input-scaling",
        choices=("none", "fan_in"),
        default=input_scaling,
        help=f"fan_in divides the first layer by the root of the number of inputs (default: {input_scaling})",
    )
    group.add_argument(
        "--output-init",
        choices=("gaussian", "rademacher"),
        default=output_init,
        help=f"law of the output weights (default: {output_init})",
    )
    if symmetric is not None:
        group.add_argument(
            "--symmetric",
            action=argparse.BooleanOptionalAction,
            default=symmetric,
            help=f"two copies whose outputs cancel at the start (default: {'yes' if symmetric else 'no'})",
        )


def read_network(arguments: argparse.Namespace) -> Any:
    """Return the network asked for, with layers of width 1."""
    from ntklib.kernels import RectifiedPower
    from ntklib.networks import MLP, TwoLayerNet

    names = ("parameterization", "trainable", "weight_std", "bias_std", "input_scaling", "output_init")
    options = {name: getattr(arguments, name) for name in (*names, "symmetric")}
    degree = arguments.degree
    options["activation"] = arguments.activation if degree is None else RectifiedPower(degree)
    return TwoLayerNet(1, **options) if arguments.depth == 1 else MLP((1,) * arguments.depth, **options)
