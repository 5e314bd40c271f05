"""How wide a real network must be for the chosen kernel to describe it: its study and its section."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.progress import Progress
from ntklib._core.sampling import sample_rows
from ntklib.kernels import NNGP

from ._figures import figure

if TYPE_CHECKING:
    from ntklib.lab.studies import WidthStudy

    from ._records import Analysis

WIDTHS = (32, 64, 128, 256, 512)
N_DRAWS = 30
N_ROWS = 100


def network_of(kernel: Kernel) -> Any:
    """Return the network whose tangent kernel tends to a kernel, None if there is none."""
    from ntklib.networks import MLP

    if not isinstance(kernel, NNGP) or kernel.normalized:
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
    silent = Progress(len(WIDTHS), io.StringIO())  # the report has a line of its own
    return width_study(rows, WIDTHS, network=network, n_draws=N_DRAWS, random_state=seed, progress=silent)


def width(analysis: Analysis) -> str | None:
    """Show how networks of finite width approach the kernel."""
    study = analysis.width
    if study is None:
        return None
    picture = figure(
        "width",
        study.plot,
        alt="relative error of the kernels of random networks against their width",
        caption=f"Each dot is the root mean square over {study.n_draws} random networks, on "
        f"{study.n_samples} training rows. In theory the error falls like one over the square root of the "
        "width.",
    )
    return (
        "<p>The kernel belongs to networks of infinite width. Here the same networks of finite width were "
        "drawn at random, and the kernels of their gradients compared with it: the difference "
        f"falls like width<sup>{study.slope.exponent:.2f}</sup> (95 % interval {study.slope.low:.2f} to "
        f"{study.slope.high:.2f}). At the start of training the kernel describes a network to about 10 % "
        f"from a width of <b>{rounded(study.width_for(0.1))}</b> on, and to 1 % from "
        f"<b>{rounded(study.width_for(0.01))}</b> on.</p>{picture}"
    )


def rounded(count: int) -> str:
    """Write a number to two digits.

    Examples
    --------
    >>> rounded(12_345)
    '12,000'
    """
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
