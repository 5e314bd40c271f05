"""How step sizes of networks like the chosen kernel's depend on their width: its study and its section."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.progress import Progress
from ntklib._core.sampling import sample_rows
from ntklib.lab.tables import DataError
from ntklib.lab.tables.target import centred_numbers

from ._figures import figure
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
    silent = Progress(3 * len(WIDTHS), io.StringIO())  # the report has a line of its own
    return parameterization_study(
        np.asarray(X)[rows],
        target,
        WIDTHS,
        network=network.set_params(trainable="all"),
        n_draws=N_DRAWS,
        steps=0,
        random_state=seed,
        progress=silent,
    )


def parameterization(analysis: Analysis) -> str | None:
    """Show how the largest stable step depends on width, and what it changes of the first layer."""
    study = analysis.parameterization
    if study is None:
        return None
    steps = figure(
        "steps",
        study.plot,
        alt="largest stable step size against width in three parameterisations",
        caption=f"Means over {study.n_draws} random networks a width, on {study.n_samples} training rows.",
    )
    change = figure(
        "change",
        lambda ax: study.plot(ax, what="change"),
        alt="relative change of the first layer in one step against width in three parameterisations",
        caption="By one step of the largest stable size, relative to the layer's weights at the start.",
    )
    powers = ", ".join(
        f"width<sup>{study.law(name, 'first_change').fitted.exponent:.2f}</sup> in the {title} one"
        for name, title in _NAMES.items()
    )
    fitted = study.law("standard", "largest_step").fitted
    return (
        "<p>A network like the chosen kernel's, with all layers trained, can be written in several ways, "
        "which differ in how far it may step. In the standard parameterisation, that of most libraries, the "
        f"largest stable step goes like width<sup>{fitted.exponent:.2f}</sup> (95 % interval "
        f"{fitted.low:.2f} to {fitted.high:.2f}; in theory -1 for wide ones), so that a step size tuned on a "
        "narrow network is too large for a wide one. In the other two it does not depend on width.</p>"
        f"{steps}<p>Such a step changes the first layer like {powers} (in theory -1.5, -0.5 and 0): the "
        "wider a network of the first two kinds, the closer training stays to the kernel; one of the third "
        f"learns features at any width.</p>{change}"
    )
