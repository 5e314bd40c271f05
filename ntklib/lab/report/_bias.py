"""End of training the chosen kernel, and influence of single rows on it: its study and its section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.sampling import sample_rows
from ntklib.lab.studies.implicit_bias.pictures import draw_influence, draw_margin

from ._figures import picture

if TYPE_CHECKING:
    from ntklib.lab.studies import Influence, MarginPath

    from ._records import Analysis

N_ROWS = 60
LOG_TIMES = np.geomspace(0.1, 1000, 41)


@dataclass(frozen=True)
class Bias:
    """Influence of single rows on ridge regression, and the way to the largest margin between two classes.

    ``margin`` and ``classes`` are None for regression, and where the kernel does not separate the classes.
    """

    influence: Influence
    margin: MarginPath | None
    classes: tuple[str, str] | None
    n_rows: int
    penalty: float


def follow(kernel: Kernel, X: NDArray, y: NDArray, task: str, penalty: float, seed: int) -> Bias:
    """Study the chosen kernel on (some of) the rows, for classes on those of the two with most rows."""
    from ntklib.lab.studies import Influence, MarginPath
    from ntklib.lab.studies.implicit_bias.influence import ridge_influence
    from ntklib.lab.studies.implicit_bias.margin import margin_path
    from ntklib.lab.studies.implicit_bias.pieces import gram_features

    names: tuple[str, str] | None = None
    if task == "classification":
        labels, counts = np.unique(y, return_counts=True)
        two = np.sort(labels[np.argsort(-counts, kind="stable")[:2]])
        names = str(two[0]), str(two[1])
        kept = np.flatnonzero(np.isin(y, two))
        X, target = X[kept], np.where(y[kept] == two[1], 1.0, -1.0)
    else:
        target = (y - y.mean()) / y.std()
    rows = sample_rows(len(X), N_ROWS, seed)
    K, target = np.asarray(kernel(np.asarray(X)[rows]), dtype=np.float64), target[rows]
    share = max(penalty * len(rows) / len(X), 1e-6 * float(np.trace(K)) / len(K))
    margin: dict[str, Any] = {}
    if names is not None and 0 < (target > 0).sum() < len(target):
        margin = margin_path(gram_features(K)[0], target, LOG_TIMES)
    return Bias(
        influence=Influence(**ridge_influence(K, np.empty((0, len(K))), target, share)),
        margin=MarginPath(**margin) if margin else None,
        classes=names if margin else None,
        n_rows=len(rows),
        penalty=share,
    )


def bias(analysis: Analysis) -> dict[str, Any] | None:
    """End of training the kernel, and how much single rows matter."""
    result = analysis.bias
    if result is None:
        return None
    influence, path = result.influence, result.margin
    most = int(np.abs(influence.actual).argmax())
    values: dict[str, Any] = {"margin": None}
    if path is not None:
        values = {
            "gap": float(np.interp(np.log(10), np.log(path.log_time), path.gap)),
            "margin": picture(
                "bias-margin",
                lambda ax: draw_margin(ax, {"chosen kernel": path}),
                alt="distance of the model's direction from the support vector machine's against log t",
            ),
        }
    return values | {
        "bias": result,
        "largest": abs(influence.actual[most]),
        "rest": 1 - influence.leverage[most],
        "influence": picture(
            "bias-influence",
            lambda ax: draw_influence(ax, {"kernel ridge": influence}),
            alt="predicted against actual changes when rows are left out",
            size=(5.6, 4.2),
        ),
    }
