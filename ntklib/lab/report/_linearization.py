"""Whether networks stay with the chosen kernel through training: its study and its section."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.progress import Progress
from ntklib._core.sampling import sample_rows
from ntklib.lab.tables.target import centred_numbers

from ._figures import figure
from ._width import network_of

if TYPE_CHECKING:
    from ntklib.lab.studies import LinearizationStudy

    from ._records import Analysis

WIDTHS = (32, 64, 128, 256)
N_DRAWS = 5
N_ROWS = 60
STEPS = 15


def train_beside(kernel: Kernel, X: NDArray, y: NDArray, task: str, seed: int) -> LinearizationStudy | None:
    """Train networks of the kernel's kind, all layers of them, and tangent models on (some of) the rows.

    Where the output layer alone is trained a network is its own tangent model, and there is nothing to see.
    None if the kernel is no network's, networks this narrow are too far from it for its step size, or all
    targets are the same.
    """
    from ntklib.lab.studies import linearization_study

    network = network_of(kernel)
    if network is None:
        return None
    kept = sample_rows(len(X), N_ROWS, seed)
    try:
        return linearization_study(
            np.asarray(X)[kept],
            centred_numbers(np.asarray(y)[kept], task),
            WIDTHS,
            network=clone(network).set_params(symmetric=True, trainable="all"),
            steps=STEPS,
            n_draws=N_DRAWS,
            random_state=seed,
            progress=Progress(len(WIDTHS), io.StringIO()),  # the report has a line of its own
        )
    except ValueError:
        return None


def linearization(analysis: Analysis) -> str | None:
    """Show how far networks leave their tangent models as they are trained."""
    study = analysis.linearization
    if study is None:
        return None
    picture = figure(
        "linearization",
        study.plot,
        alt="distance between networks and their tangent models against width",
        caption=f"Each dot is the root mean square over {study.n_draws} random networks, trained on "
        f"{study.n_samples} training rows for {study.steps[-1]} steps of gradient descent.",
    )
    outputs, parameters = study.slopes["outputs"], study.slopes["parameters"]
    return (
        "<p>A kernel describes a network's training as long as the network stays close to its tangent model, "
        "the linear model with the same gradients at the start. Here both were trained by the same steps, in "
        "all their layers. "
        f"At width {study.width[-1]} their outputs come apart by <b>{study.outputs[-1]:.2%}</b> of how far "
        f"the tangent model goes, their parameters by {study.parameters[-1]:.1%}, and the network's own "
        f"kernel changes by {study.kernel[-1]:.1%}. Over these widths the first falls like "
        f"width<sup>{outputs.exponent:.2f}</sup>, the second like width<sup>{parameters.exponent:.2f}</sup>."
        f"</p>{picture}"
    )
