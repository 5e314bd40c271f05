"""What training the chosen kernel ends at, and what single rows do to it: its study and its section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from ntklib._core.sampling import sample_rows
from ntklib.lab.studies.implicit_bias.pictures import ImplicitBiasDisplay

from ._figures import figure

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
    from ntklib.lab.studies.implicit_bias.data import gram_features
    from ntklib.lab.studies.implicit_bias.influence import ridge_influence
    from ntklib.lab.studies.implicit_bias.margin import margin_path

    names: tuple[str, str] | None = None
    if task == "classification":
        found, counts = np.unique(y, return_counts=True)
        two = np.sort(found[np.argsort(-counts, kind="stable")[:2]])
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


def bias(analysis: Analysis) -> str | None:
    """Show what training the kernel ends at, and how much single rows matter."""
    from html import escape

    found = analysis.bias
    if found is None:
        return None
    influence = found.influence
    text = ""
    if found.margin is not None and found.classes is not None:
        path = found.margin
        first, second = map(escape, found.classes)
        at_10 = float(np.interp(np.log(10), np.log(path.log_time), path.gap))
        text = (
            "<p>Trained by gradient descent on the log-loss without end, the kernel's model of the classes "
            f"{first} and {second} tends to the separator of largest margin, that of a hard-margin support "
            f"vector machine without intercept, which {(path.multipliers > 0).sum()} of {found.n_rows} rows "
            f"decide. It does so slowly, like one over the logarithm of time: at log t = 10 the margin lacks "
            f"{100 * at_10:.0f} % of the largest.</p>"
        ) + figure(
            "bias-margin",
            lambda ax: ImplicitBiasDisplay(margin={"chosen kernel": path}).plot(ax, what="margin"),
            alt="distance of the model's direction from the support vector machine's against log t",
            caption="Distance between the parameters' direction and the support vector machine's; dashed, "
            "what theory predicts.",
        )
    most = int(np.abs(influence.actual).argmax())
    unit = "targets being -1 and 1" if analysis.data.task == "classification" else "standard deviations"
    return (
        text
        + "<p>How much does one row matter? Leaving rows out one by one changes the prediction at the row "
        f"by up to {np.abs(influence.actual).max():.2g} ({unit}). "
        f"First-order influence functions see {100 * influence.slope:.0f} % of such changes: they are off by "
        f"the factor 1 - H<sub>ii</sub>, for the most influential row {1 - influence.leverage[most]:.2g}.</p>"
        + figure(
            "bias-influence",
            lambda ax: ImplicitBiasDisplay(influence={"kernel ridge": influence}).plot(ax, what="influence"),
            alt="predicted against actual changes when rows are left out",
            caption=f"Each dot is one of {found.n_rows} training rows, left out of a ridge regression with "
            f"the chosen kernel and penalty {found.penalty:.3g}.",
            size=(5.6, 4.2),
        )
    )
