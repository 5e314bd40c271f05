"""Study of implicit bias, the choice of training among all that fits, in five parts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from ntklib._core.progress import Progress
from ntklib.lab.arguments import Integer, Options, Real
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import RowSource, study

from .pieces import PARTS, draw_sample, given_sample, pieces, split
from .result import ImplicitBiasStudy, finding_rows

__all__ = ["implicit_bias_study"]


@study(
    rows=RowSource("two classes", max_samples=40),
    examples="""
    ntklib study implicit-bias                            all parts, on Gaussian rows
    ntklib study implicit-bias --parts margin weights --out bias
    ntklib study implicit-bias --data digits --classes 3 8 --parts margin
    """,
)
def implicit_bias_study(
    X: Any = None,
    y: Any = None,
    *,
    parts: Annotated[Iterable[str], Options(PARTS)] = PARTS,
    width: Annotated[int, Integer()] = 64,
    noise: Annotated[float, Real(below=0.5)] = 0.1,
    weight: Annotated[float, Real(strict=True)] = 10.0,
    penalty: Annotated[float, Real(strict=True)] = 0.5,
    horizon: Annotated[float, Real(1.0)] = 10_000.0,
    network_horizon: Annotated[float, Real(1.0)] = 50.0,
    steps: Annotated[int, Integer()] = 10_000,
    left_out: Annotated[int, Integer(2)] = 12,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ImplicitBiasStudy:
    r"""Solutions that training ends at: norm, margin, importance weights, influence.

    Shows, beside what theory predicts, that least squares ends at the nearest interpolant, that the logistic
    loss leads to the largest margin at the pace of 1/log t, that the effect of importance weights fades once
    classes are separated, and how far influence functions are from leaving out, by depth and weight decay.

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
    - **decay**: the changes that influence functions predict go with those of retraining less in deeper
      networks, and less where weight decay is weak.

    Times are followed on the clock :math:`\log t`, for which a flow is integrated in that variable and a
    network takes steps in inverse proportion to its loss.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or None, default=None
        Rows; None draws 40 of 5 Gaussian features that a plane separates.
    y : array-like of shape (n_samples,) or None, default=None
        Labels of two classes.
    parts : iterable of str, default=("norm", "margin", "weights", "influence", "decay")
        Parts of the study.
    width : int, default=64
        Units of the two-layer ReLU networks and the tangent models.
    noise : float, default=0.1
        Share of labels that are wrong in the parts on weights and on influence, below 1/2.
    weight : float, default=10.0
        Importance weight of the first class in sorted order, the other having 1.
    penalty : float, default=0.5
        Penalty of ridge regression, of the networks in the part on influence and of one model in that on
        weights.  The part on decay takes half of it to four times as much.
    horizon : float, default=10_000.0
        Largest log t of models that are linear in their parameters.
    network_horizon : float, default=50.0
        Largest log t of networks, which take steps.
    steps : int, default=10_000
        Steps in the part on the norm.
    left_out : int, default=12
        Samples that networks are trained without, one by one, in the part on influence.  Half of them in
        that on decay.

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
    if X is None and y is not None:
        raise ValueError("y needs its rows: pass X too, or neither.")
    sample = draw_sample(random_state) if X is None else given_sample(X, y)
    settings: dict[str, Any] = {
        "width": width,
        "noise": noise,
        "weight": weight,
        "penalty": penalty,
        "horizon": horizon,
        "network_horizon": network_horizon,
        "random_state": random_state,
    }
    own = {"steps": steps, "left_out": left_out}
    kept = {**settings, **own, "data": digest(sample.X, sample.signs)}
    jobs = pieces(sample, list(parts), **own, **settings)
    records: dict[str, Any] = split(
        run_parts(ImplicitBiasStudy.study, kept, jobs, out=out, progress=progress)
    )
    return ImplicitBiasStudy(
        **finding_rows(**records),
        **records,
        n_samples=len(sample.X),
        n_features=sample.X.shape[1],
        **settings,
    )
