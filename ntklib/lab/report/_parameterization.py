"""Step sizes of networks like the chosen kernel's against their width: its study and its section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.sampling import sample_rows
from ntklib.lab.tables import DataError
from ntklib.lab.tables.target import centred_numbers

from ._figures import picture
from ._width import network_of

if TYPE_CHECKING:
    from ntklib.lab.studies import ParameterizationStudy

    from ._records import Analysis

WIDTHS = (256, 512, 1024)
N_DRAWS = 8
N_ROWS = 40
_NAMES = {"standard": "standard", "ntk": "NTK", "mup": "maximal-update"}


def measure_steps(
    kernel: Kernel, X: NDArray, y: NDArray, task: str, seed: int
) -> ParameterizationStudy | None:
    """Draw networks of the kernel's kind in three parameterisations, on (some of) the rows.

    All layers are trained, whether the kernel is one of such networks or not.  None if it is no network's, or
    y is the same in all of the rows.
    """
    from ntklib.lab.studies import parameterization_study

    network = network_of(kernel)
    if network is None:
        return None
    rows = sample_rows(len(X), N_ROWS, seed)
    try:
        target = centred_numbers(y[rows], task)
    except DataError:
        return None
    return parameterization_study(
        np.asarray(X)[rows],
        target,
        WIDTHS,
        network=network.set_params(trainable="all"),
        n_draws=N_DRAWS,
        steps=0,
        random_state=seed,
    )


def parameterization(analysis: Analysis) -> dict[str, Any] | None:
    """Largest stable step against width, and what it changes of the first layer."""
    study = analysis.parameterization
    if study is None:
        return None
    return {
        "study": study,
        "fitted": study.law("standard", "largest_step").fitted,
        "changes": [(title, study.law(name, "first_change")) for name, title in _NAMES.items()],
        "steps": picture(
            "steps", study.plot, alt="largest stable step size against width in three parameterisations"
        ),
        "change": picture(
            "change",
            lambda ax: study.plot(ax, picture="change"),
            alt="relative change of the first layer in one step against width in three parameterisations",
        ),
    }
