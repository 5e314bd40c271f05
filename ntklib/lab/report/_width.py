"""Width from which on the chosen kernel describes a real network: its study and its section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.sampling import sample_rows
from ntklib.kernels import NNGP, NTK

from ._figures import picture

if TYPE_CHECKING:
    from ntklib.lab.studies import WidthStudy

    from ._records import Analysis

WIDTHS = (32, 64, 128, 256, 512)
N_DRAWS = 30
N_ROWS = 100


def network_of(kernel: Kernel) -> Any:
    """Return the network whose tangent kernel tends to a kernel, None if there is none."""
    from ntklib.networks import MLP

    if not isinstance(kernel, NNGP | NTK) or kernel.normalized:
        return None
    return MLP(
        (1,) * kernel.depth,
        activation=kernel.activation,
        weight_std=kernel.weight_std,
        bias_std=kernel.bias_std,
        input_scaling=kernel.input_scaling,
        trainable=getattr(kernel, "trainable", "output"),
    )


def widen(kernel: Kernel, X: NDArray, seed: int) -> WidthStudy | None:
    """Study networks of the kernel's kind at several widths, on (some of) the rows."""
    from ntklib.lab.studies import width_study

    network = network_of(kernel)
    if network is None:
        return None
    rows = np.asarray(X)[sample_rows(len(X), N_ROWS, seed)]
    return width_study(rows, WIDTHS, network=network, n_draws=N_DRAWS, random_state=seed)


def width(analysis: Analysis) -> dict[str, Any] | None:
    """Distance of networks of finite width from the kernel."""
    study = analysis.width
    if study is None:
        return None
    alt = "relative error of the kernels of random networks against their width"
    return {"study": study, "picture": picture("width", study.plot, alt=alt)}
