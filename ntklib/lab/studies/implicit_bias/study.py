"""What training chooses among all that fits: the study of implicit bias, made of four parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ntklib._core.progress import Progress
from ntklib._core.validation import check_integer, check_options, check_real
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.result import StudyResult
from ntklib.lab.studies.implicit_bias.pictures import ImplicitBiasDisplay

from ._rows import COLUMNS, finding_rows, findings
from .data import Sample, draw_sample, given_sample
from .influence import Influence
from .margin import MarginPath
from .norm import MinimumNorm
from .parts import PARTS, jobs, split
from .weights import WeightEffect

__all__ = ["ImplicitBiasStudy", "implicit_bias_study"]


@dataclass(frozen=True, repr=False, eq=False)
class ImplicitBiasStudy(StudyResult):
    """What training chooses among all that fits; from `implicit_bias_study`.

    The table has a row for each finding, beside what theory says where it says something.  The courses behind
    it are records by model; a part that was not asked for has none.

    Attributes
    ----------
    part, model, quantity : ndarray of str
    measured, predicted : ndarray of float
        NaN where there is no prediction.
    norm : dict of str to MinimumNorm
    margin : dict of str to MarginPath
        Without the models that do not separate the classes.
    weights : dict of str to WeightEffect
    influence : dict of str to Influence
    n_samples, n_features, width, random_state : int
    noise, weight, penalty, horizon, network_horizon : float
    """

    study = "implicit-bias"
    columns = COLUMNS

    part: np.ndarray
    model: np.ndarray
    quantity: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    norm: Mapping[str, MinimumNorm]
    margin: Mapping[str, MarginPath]
    weights: Mapping[str, WeightEffect]
    influence: Mapping[str, Influence]
    n_samples: int
    n_features: int
    width: int
    noise: float
    weight: float
    penalty: float
    horizon: float
    network_horizon: float
    random_state: int

    def headline(self) -> str:
        """Say what each part found."""
        return "\n".join(
            [
                f"{self.n_samples} samples of {self.n_features} features in two classes; "
                f"two-layer networks of width {self.width}",
                *findings(self.norm, self.margin, self.weights, self.influence),
            ]
        )

    def plot(self, ax: Any = None) -> ImplicitBiasDisplay:
        """Draw how directions approach that of the support vector machine."""
        return ImplicitBiasDisplay.from_study(self, ax=ax, what="margin")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes: those that there are parts for."""
        kept = {
            "norm": self.norm,
            "margin": self.margin,
            "support": self.margin,
            "weights": self.weights,
            "influence": self.influence,
        }
        return {
            name: partial(ImplicitBiasDisplay.from_study, self, what=name)
            for name, part in kept.items()
            if part
        }


def implicit_bias_study(
    X: Any = None,
    y: Any = None,
    *,
    parts: Iterable[str] = PARTS,
    width: int = 64,
    noise: float = 0.1,
    weight: float = 10.0,
    penalty: float = 0.5,
    horizon: float = 10_000.0,
    network_horizon: float = 50.0,
    steps: int = 10_000,
    left_out: int = 12,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ImplicitBiasStudy:
    r"""Show which of all solutions training ends at, and what weights and single samples do to it.

    - **norm**: gradient descent on least squares reaches :math:`w_0 + J^+ (y - f_0)`, the interpolant nearest
      to its start, and never leaves :math:`w_0 + \mathrm{range}(J^T)`; so do momentum and minibatches, while
      Adam and sign descent end elsewhere.
    - **margin**: on the logistic loss :math:`w(t) = \hat w \log t + \tilde w + o(1)`, :math:`\hat w` being
      the hard-margin support vector machine without intercept, so that directions approach it like
      :math:`1/\log t` and the support vectors take over the gradient.  For linear and tangent models the
      constants of that rate are known; a homogeneous network is compared with the machine in its own
      gradients.
    - **weights**: importance weights move :math:`\tilde w` only.  Their effect fades like :math:`1/\log t`
      once the classes are separated, and stays where they are not, or where there is a penalty.
    - **influence**: influence functions are short of leave-one-out by :math:`1 - H_{ii}` for kernel ridge
      regression, exactly, and further off for networks.

    Times are followed on the clock :math:`\log t`, for which a flow is integrated in that variable and a
    network takes steps in inverse proportion to its loss.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or None, default=None
        Rows; None draws 40 of 5 Gaussian features that a plane separates.
    y : array-like of shape (n_samples,) or None, default=None
        Labels of two classes.
    parts : iterable of str, default=("norm", "margin", "weights", "influence")
    width : int, default=64
        Of the two-layer ReLU networks and the tangent models.
    noise : float, default=0.1
        Share of labels that are wrong in the parts on weights and on influence, below 1/2.
    weight : float, default=10.0
        Importance weight of the first class in sorted order, the other having 1.
    penalty : float, default=0.5
        Of ridge regression, of the networks in the part on influence and of one model in that on weights.
    horizon, network_horizon : float, default=10_000.0, 50.0
        Largest log t, for models linear in their parameters and for networks.
    steps : int, default=10_000
        In the part on the norm.
    left_out : int, default=12
        Samples that networks are trained without, one by one, in the part on influence.
    random_state : int, default=0
    out : str, Path or None, default=None
        A folder; finished pieces are kept there, and a study that was stopped goes on from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.

    Returns
    -------
    ImplicitBiasStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, y does not hold two classes, or ``out`` holds a study of other data
        or settings.

    References
    ----------
    D. Soudry et al., "The implicit bias of gradient descent on separable data", JMLR 19, 2018; K. Lyu and
    J. Li, "Gradient descent maximizes the margin of homogeneous neural networks", ICLR 2020; J. Byrd and
    Z. C. Lipton, "What is the effect of importance weighting in deep learning?", ICML 2019; S. Basu, P. Pope
    and S. Feizi, "Influence functions in deep learning are fragile", ICLR 2021.

    Examples
    --------
    >>> from ntklib.lab.studies import implicit_bias_study
    >>> study = implicit_bias_study(parts=["margin"], network_horizon=5)
    >>> path = study.margin["linear"]
    >>> bool(abs(path.distance[-1] * path.log_time[-1] / path.distance_rate - 1) < 0.01)
    True
    """
    wanted = sorted(check_options(parts, "parts", PARTS), key=list(PARTS).index)
    settings: dict[str, Any] = {
        "width": check_integer(width, "width", minimum=1),
        "noise": check_real(noise, "noise", minimum=0),
        "weight": check_real(weight, "weight", minimum=0, strict=True),
        "penalty": check_real(penalty, "penalty", minimum=0, strict=True),
        "horizon": check_real(horizon, "horizon", minimum=1),
        "network_horizon": check_real(network_horizon, "network_horizon", minimum=1),
        "random_state": check_integer(random_state, "random_state", minimum=0),
    }
    steps = check_integer(steps, "steps", minimum=1)
    left_out = check_integer(left_out, "left_out", minimum=2)
    if noise >= 0.5:
        raise ValueError(f"noise must be below 1/2, the share of a coin, got {noise}.")
    sample: Sample = draw_sample(random_state) if X is None else given_sample(X, y)
    if X is None and y is not None:
        raise ValueError("y needs its rows: pass X too, or neither.")
    kept = {**settings, "steps": steps, "left_out": left_out, "data": digest(sample.X, sample.signs)}
    values = run_parts(
        "implicit-bias",
        kept,
        jobs(sample, wanted, steps=steps, left_out=left_out, **settings),
        out=out,
        progress=progress,
    )
    records: dict[str, Any] = split(values)
    return ImplicitBiasStudy(
        **finding_rows(*records.values()),
        **records,
        n_samples=len(sample.X),
        n_features=sample.X.shape[1],
        **settings,
    )
