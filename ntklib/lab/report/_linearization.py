"""Distance of networks from the chosen kernel through training: its study and its section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.sampling import sample_rows
from ntklib.lab.tables.target import centred_numbers

from ._figures import picture
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
        )
    except ValueError:
        return None


def linearization(analysis: Analysis) -> dict[str, Any] | None:
    """Distance of networks from their tangent models as they are trained."""
    study = analysis.linearization
    if study is None:
        return None
    alt = "distance between networks and their tangent models against width"
    return {"study": study, "picture": picture("linearization", study.plot, alt=alt)}
