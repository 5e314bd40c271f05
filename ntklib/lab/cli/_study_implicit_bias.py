"""``ntklib study implicit-bias``: which of all solutions training ends at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._command import add_text_options
from ._rows import Study, positive, read_classes

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=("norm", "margin", "weights", "influence"),
        metavar="PART",
        help="some of norm, margin, weights, influence (default: all)",
    )
    parser.add_argument(
        "--width", type=positive, default=64, metavar="M", help="of the two-layer networks (default: 64)"
    )
    parser.add_argument(
        "--noise", type=float, default=0.1, metavar="S", help="share of wrong labels (default: 0.1)"
    )
    parser.add_argument(
        "--weight",
        type=float,
        default=10.0,
        metavar="W",
        help="importance weight of the first class (default: 10)",
    )
    parser.add_argument(
        "--penalty", type=float, default=0.5, metavar="P", help="where there is one (default: 0.5)"
    )
    parser.add_argument(
        "--horizon", type=float, default=10_000.0, metavar="T", help="largest log t (default: 10000)"
    )
    parser.add_argument(
        "--network-horizon",
        type=float,
        default=50.0,
        metavar="T",
        help="the same for networks, which take steps (default: 50)",
    )
    parser.add_argument(
        "--left-out",
        type=positive,
        default=12,
        metavar="N",
        help="samples that networks are trained without (default: 12)",
    )
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        metavar="NAME|FILE",
        help="digits, breast_cancer or wine, which come along; or a .csv, .npz or .parquet file "
        "(default: 40 Gaussian rows)",
    )
    group.add_argument("--target", metavar="COLUMN", help="the classes")
    group.add_argument(
        "--classes",
        nargs=2,
        metavar=("A", "B"),
        help="the two to tell apart (default: the two with most rows)",
    )
    group.add_argument(
        "--max-samples",
        type=positive,
        default=40,
        metavar="N",
        help="use at most so many of their rows, drawn at random (default: 40)",
    )
    add_text_options(group)


def _two_classes(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Rows and labels of two classes, none if there is no data."""
    import numpy as np

    from ntklib._core.sampling import sample_rows

    if arguments.data is None:
        for option in ("target", "classes"):
            if getattr(arguments, option) is not None:
                raise ValueError(f"--{option} goes with --data")
        return None, None
    X, labels = read_classes(argparse.Namespace(**{**vars(arguments), "max_samples": None}))
    names = np.array([str(label) for label in labels])
    found, counts = np.unique(names, return_counts=True)
    chosen = arguments.classes or found[np.argsort(-counts, kind="stable")[:2]].tolist()
    if unknown := set(chosen) - set(found):
        raise ValueError(f"there is no class {sorted(unknown)[0]!r}; there are {', '.join(found)}")
    rows = np.flatnonzero(np.isin(names, chosen))
    rows = rows[sample_rows(len(rows), arguments.max_samples, arguments.seed)]
    return X[rows], names[rows]


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import implicit_bias_study
    from ntklib.lab.studies.implicit_bias.parts import PARTS

    X, y = _two_classes(arguments)
    return implicit_bias_study(
        X,
        y,
        parts=arguments.parts or PARTS,
        width=arguments.width,
        noise=arguments.noise,
        weight=arguments.weight,
        penalty=arguments.penalty,
        horizon=arguments.horizon,
        network_horizon=arguments.network_horizon,
        left_out=arguments.left_out,
        random_state=arguments.seed,
        out=out,
    )


IMPLICIT_BIAS = Study(
    name="implicit-bias",
    summary="which of all solutions training ends at: norm, margin, importance weights, influence",
    description=(
        "Show, beside what theory predicts, that least squares ends at the nearest interpolant, that the\n"
        "logistic loss leads to the largest margin at the pace of 1/log t, that the effect of importance\n"
        "weights fades once classes are separated, and how far influence functions are from leaving out."
    ),
    examples=(
        "  ntklib study implicit-bias                            all parts, on Gaussian rows\n"
        "  ntklib study implicit-bias --parts margin weights --out bias\n"
        "  ntklib study implicit-bias --data digits --classes 3 8 --parts margin"
    ),
    add_options=_add_options,
    run=_run,
)
