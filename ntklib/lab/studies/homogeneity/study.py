"""The criterion of lazy training when all weights are multiplied by a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ntklib._core.progress import Progress, seconds_text
from ntklib.kernels import RectifiedPower
from ntklib.lab.arguments import Integer, Integers, Reals
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import RowSource, study
from ntklib.lab.timing import seconds_of
from ntklib.networks import MLP, Params
from ntklib.theory import LazyCriterion, lazy_criterion

from .result import STARTS, HomogeneityStudy

__all__ = ["homogeneity_study"]

FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@study(
    rows=RowSource("samples", max_samples=20),
    examples="""
    ntklib study homogeneity                              depth 1 to 3, degrees 1 and 2, 20 digits
    ntklib study homogeneity --depths 4 --degrees 1 --factors 0.25 0.5 1 2 4 --out homogeneity
    """,
)
def homogeneity_study(
    X: Any,
    y: Any,
    factors: Annotated[Iterable[float], Reals(least=2)] = FACTORS,
    *,
    depths: Annotated[Iterable[int], Integers()] = (1, 2, 3),
    degrees: Annotated[Iterable[int], Integers()] = (1, 2),
    width: Annotated[int, Integer()] = 64,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> HomogeneityStudy:
    r"""Criterion of lazy training when all weights are multiplied by a number.

    Multiplies the initial weights of networks without biases by several numbers, computes the criterion
    ``|h - y| |D^2h| / |Dh|^2`` anew at each, and compares it with what homogeneity predicts: from symmetric
    starts, where it falls without end, and from plain ones, where it does not.

    Networks without biases whose activation is :math:`\sigma_n(z) = z^n 1\{z \ge 0\}` are homogeneous in
    their weights: :math:`h(\lambda w) = \lambda^q h(w)` with :math:`q = 1 + n + \dots + n^L` for L hidden
    layers, L + 1 for ReLU.  The k-th derivative then is of degree q - k, and the criterion

    .. math::
        \kappa(\lambda w_0) = \lambda^{-q} \, |\lambda^q h(w_0) - y| \, \frac{|D^2h(w_0)|}{|Dh(w_0)|^2}.

    It falls as :math:`\lambda^{-q}` without end only if :math:`h(w_0) = 0`, as in symmetric networks;
    otherwise it tends to :math:`|h(w_0)||D^2h(w_0)|/|Dh(w_0)|^2`.  The study computes it anew at every
    :math:`\lambda w_0`, by `ntklib.theory.lazy_criterion`, from both starts, and takes the step, too.
    Second derivatives of deep networks are lower bounds, searched from the same random starts at each factor.

    Weights have the spread that keeps the mean square of the preactivations, in the NTK parameterisation.

    Parameters
    ----------
    factors : iterable of float, default=(0.5, 0.7, 1, 1.4, 2, 2.8, 4)
        Lambda, what all weights are multiplied by, two at least.
    depths : iterable of int, default=(1, 2, 3)
        Numbers of hidden layers.
    degrees : iterable of int, default=(1, 2)
        Powers N in the activation z^N for z >= 0, 0 below.
    width : int, default=64
        Units of every hidden layer.
    random_state : int, default=0
        Seed.  Both starts have the same weights.

    Returns
    -------
    HomogeneityStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other data or settings.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    section 1.2 and appendix A.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import homogeneity_study
    >>> study = homogeneity_study(np.eye(3), [1, -1, 1], [1, 2, 4], depths=[2], degrees=[1], width=16)
    >>> study.slope[study.rows(2, 1, "symmetric")].round(3)
    array([nan, -3., -3.])
    >>> plain = study.rows(2, 1, "plain")
    >>> bool(study.kappa[plain][-1] > 0.9 * study.limit[plain][-1] > 0)
    True
    """
    lambdas = list(factors)
    settings: dict[str, Any] = {
        "data": digest(X, y),
        "factors": lambdas,
        "width": width,
        "random_state": random_state,
    }
    networks = {(L, n): _network(L, n, width) for n in degrees for L in depths}
    names = {key: f"depth {key[0]}, degree {key[1]}" for key in networks}

    def follow(network: MLP, start: str, at: Sequence[float]) -> Mapping[str, Any]:
        return _at_factors(network, start, X, y, at, random_state)

    parts = {
        f"{names[key]}, {start}": partial(follow, network, start, lambdas)
        for key, network in networks.items()
        for start in STARTS
    }

    def forecast(left: Sequence[str]) -> str:
        """From the time that each network takes at one factor; its symmetric twin takes twice as long."""
        seconds = 0.0
        for key, name in names.items():
            copies = sum(1 + (part == f"{name}, symmetric") for part in left if part.startswith(f"{name}, "))
            if copies:
                each = seconds_of(partial(follow, networks[key], "plain", [1.0]), warm=not seconds)
                seconds += each * copies * len({*lambdas, 1.0})
        return f"{len(left)} networks at {len(lambdas)} factors, about {seconds_text(seconds)}"

    values = run_parts("homogeneity", settings, parts, out=out, progress=progress, forecast=forecast)
    keys = [(*key, start) for key in networks for start in STARTS]
    columns = {
        name: np.concatenate([v[name] for v in values.values()]) for name in next(iter(values.values()))
    }
    depth, degree, start = (np.repeat(column, len(lambdas)) for column in zip(*keys, strict=True))
    return HomogeneityStudy(
        depth=depth,
        degree=degree,
        start=start,
        factor=np.tile(lambdas, len(keys)),
        deviation=columns["kappa"] / columns["predicted"] - 1,
        **columns,
        networks={names[key]: network_text(network, width="m") for key, network in networks.items()},
        width=width,
        n_samples=X.shape[0],
        n_features=X.shape[1],
        random_state=random_state,
    )


def _network(depth: int, degree: int, width: int) -> MLP:
    """With E[sigma_n(z)^2] = (2n - 1)!!/2 for a standard Gaussian z, preactivations of mean square 1."""
    spread = (prod(range(1, 2 * degree, 2)) / 2) ** -0.5
    activation = RectifiedPower(degree)
    return MLP((width,) * depth, activation=activation, weight_std=spread, input_scaling="fan_in")


def _at_factors(
    network: MLP, start: str, X: Any, y: np.ndarray, factors: Sequence[float], seed: int
) -> Mapping[str, Any]:
    """The criterion at each factor, computed anew, and predicted from the one at the weights as drawn."""
    network = MLP(**{**network.get_params(), "symmetric": start == "symmetric"})
    params = network.init(X.shape[1], seed)

    def at(factor: float) -> LazyCriterion:
        scaled = Params({name: factor * array for name, array in params.items()})
        try:
            return lazy_criterion(network, scaled, X, y)
        except ValueError as error:
            hint = "Choose fewer layers" if factor == 1 else "Choose factors nearer to 1"
            raise ValueError(f"depth {network.depth} at factor {factor:g}: {error} {hint}.") from None

    one = at(1.0)
    criteria = [one if factor == 1 else at(factor) for factor in factors]
    kappa = np.array([criterion.kappa.lower for criterion in criteria])
    steps = np.diff(np.log(kappa)) / np.diff(np.log(factors))
    return {
        "q": np.full(len(criteria), one.homogeneity),
        "kappa": kappa,
        "kappa_upper": [criterion.kappa.upper for criterion in criteria],
        "predicted": [one.at_weights_times(factor).lower for factor in factors],
        "limit": np.full(len(criteria), one.limit.lower),
        "loss_change": [criterion.loss_change for criterion in criteria],
        "differential_change": [criterion.differential_change for criterion in criteria],
        "slope": [np.nan, *steps],
    }
