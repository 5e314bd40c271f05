"""``ntklib study linearization`` and ``lazy-accuracy``: networks and tangent models by width and scale."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ._rows import (
    Study,
    add_data_options,
    add_network_options,
    positive,
    read_classes,
    read_network,
    read_samples,
)

if TYPE_CHECKING:
    from ntklib.lab.studies import StudyResult


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths",
        type=positive,
        nargs="+",
        metavar="M",
        help="units of the hidden layers, two widths at least (default: 64 128 ... 1024)",
    )
    parser.add_argument(
        "--draws", type=positive, default=10, metavar="N", help="networks a width (default: 10)"
    )
    parser.add_argument(
        "--steps", type=positive, default=100, metavar="K", help="of gradient descent (default: 100)"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="E",
        help="(default: half the largest stable one of the network of infinite width)",
    )
    add_data_options(
        parser,
        max_samples=150,
        target="what to predict; of classes, the later half against the rest. A third of the rows is kept "
        "for comparing outputs on new rows",
    )
    add_network_options(parser, activation="erf", input_scaling="fan_in", symmetric=True)


def _run(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    import numpy as np

    from ntklib.lab.studies import linearization_study
    from ntklib.lab.studies.linearization.study import WIDTHS

    X, y = read_samples(arguments)
    mixed = np.random.default_rng(arguments.seed).permutation(len(X))
    test, train = np.split(mixed, [len(X) // 3])
    return linearization_study(
        X[train],
        y[train],
        arguments.widths or WIDTHS,
        X_test=X[test] if len(test) else None,
        network=read_network(arguments),
        steps=arguments.steps,
        learning_rate="auto" if arguments.learning_rate is None else arguments.learning_rate,
        n_draws=arguments.draws,
        random_state=arguments.seed,
        out=out,
    )


LINEARIZATION = Study(
    name="linearization",
    summary="how closely networks follow their tangent models through training",
    description=(
        "Train networks of several widths and their tangent models by the same steps of gradient descent,\n"
        "and measure how far they come apart: outputs on training and new rows, parameters, the tangent\n"
        "kernel, each with the fitted power of the width."
    ),
    examples=(
        "  ntklib study linearization                            erf networks on handwritten digits\n"
        "  ntklib study linearization --activation relu --out relu\n"
        "  ntklib study linearization --data diabetes --depth 2 --steps 300"
    ),
    add_options=_add_options,
    run=_run,
)


def _add_lazy_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scales",
        type=float,
        nargs="+",
        metavar="A",
        help="factors of the outputs (default: 0.01 0.03 0.1 0.3 1 3 10)",
    )
    parser.add_argument("--width", type=positive, default=256, metavar="M", help="(default: 256)")
    parser.add_argument(
        "--train", type=positive, metavar="N", help="training rows (default: 300, at most half of all)"
    )
    parser.add_argument(
        "--steps", type=positive, default=1000, metavar="K", help="of every training (default: 1000)"
    )
    parser.add_argument(
        "--momentum", type=float, default=0.9, metavar="B", help="at least 0, less than 1 (default: 0.9)"
    )
    parser.add_argument(
        "--draws", type=positive, default=3, metavar="N", help="networks and splits (default: 3)"
    )
    add_data_options(parser, max_samples=2000, target="the classes")
    add_network_options(parser, weight_std=2**0.5, symmetric=None)


def _run_lazy(arguments: argparse.Namespace, out: Path | None) -> StudyResult:
    from ntklib.lab.studies import lazy_study
    from ntklib.lab.studies.lazy_accuracy.study import SCALES

    X, y = read_classes(arguments)
    return lazy_study(
        X,
        y,
        arguments.scales or SCALES,
        network=read_network(arguments).with_width(arguments.width),
        n_train=arguments.train or min(300, len(X) // 2),
        steps=arguments.steps,
        momentum=arguments.momentum,
        n_draws=arguments.draws,
        random_state=arguments.seed,
        out=out,
    )


LAZY_ACCURACY = Study(
    name="lazy-accuracy",
    summary="networks that learn features or do not, beside their linear relatives",
    description=(
        "Classify with networks whose outputs are scaled up (lazy: they train like their tangent models) or\n"
        "down (their hidden layers have to change), and compare test accuracy, activations that change sign\n"
        "and kernels with the tangent model, the analytic NTK and random features."
    ),
    examples=(
        "  ntklib study lazy-accuracy                            handwritten digits, less than a minute\n"
        "  ntklib study lazy-accuracy --data wine --scales 0.1 1 10 --out lazy-wine"
    ),
    add_options=_add_lazy_options,
    run=_run_lazy,
)
