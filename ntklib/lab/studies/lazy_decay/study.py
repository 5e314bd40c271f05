"""Gradient flows below, at and above the scales that lazy-training theorems certify, under their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy import sparse

from ntklib._core.progress import Progress
from ntklib._core.threads import set_threads
from ntklib.lab.arguments import Integer, Integers, Real, Reals
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import NETWORK_OPTIONS, Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet

from .collect import collect
from .measure import EARLY, THEOREMS, DecayPlan, certify, follow, forecast
from .result import LazyDecayStudy

__all__ = ["lazy_decay_study"]

N_SAMPLES = (4, 8, 16)
MAX_SAMPLES = 32
NETWORK = TwoLayerNet(activation="erf", input_scaling="fan_in", symmetric=True, output_init="rademacher")


@study(
    rows=RowSource("samples", max_samples=MAX_SAMPLES, every_layer=False),
    networks=Networks(NETWORK_OPTIONS[1:]),
    examples="""
    ntklib study lazy-decay                               erf networks on up to 16 digits
    ntklib study lazy-decay --widths 8192 --samples 4 --out decay   wide enough for scale 1
    ntklib study lazy-decay --data diabetes --activation softplus --widths 256 --samples 8
    """,
)
def lazy_decay_study(
    X: Any,
    y: Any,
    widths: Annotated[Iterable[int], Integers()] = (64, 256, 1024),
    n_samples: Annotated[Iterable[int], Integers()] | None = None,
    *,
    factors: Annotated[Iterable[float], Reals()] = (0.5, 1.0, 2.0),
    below: Annotated[Iterable[float], Reals(least=0)] = (0.01, 0.1),
    network: TwoLayerNet | MLP = NETWORK,
    horizon: Annotated[float, Real(strict=True)] = 5.0,
    n_times: Annotated[int, Integer(2)] = 25,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LazyDecayStudy:
    r"""Losses of networks under the bounds that lazy-training theorems certify.

    Computes from networks at their start what the lazy-training theorems A, A' and B certify: from which
    scale of the outputs on they hold, how fast the loss falls, how far parameters move at most. Then
    follows the gradient flow, and that of the linearised network, below, at and above these scales, and
    compares: no certified bound may be exceeded, and most are far from it.

    For every width and number of rows the constants of theorems A, A' and B are computed (see
    `ntklib.theory.lazy_certificate`), and with them the scale :math:`\alpha` from which on each of them
    holds.  Then the flow :math:`\dot w = -\nabla \tfrac12 |\alpha h(w) - y|^2` of the network and that of its
    linearisation are followed accurately at multiples of these thresholds: losses and distances against what
    was certified before.

    Parameters
    ----------
    widths : iterable of int, default=(64, 256, 1024)
        Hidden units.
    n_samples : iterable of int or None, default=None
        Numbers of rows to train on, 32 at most (default: 4 8 16, as far as there are as many).  They are the
        first ones of X; what is certified takes a width that grows fast with them.
    factors : iterable of float, default=(0.5, 1, 2)
        Scales, as multiples of the least that each theorem certifies.
    below : iterable of float, default=(0.01, 0.1)
        More multiples for theorem A', whose threshold is the lowest.  There nothing is certified.
    network : TwoLayerNet or MLP of one hidden layer
        With one output and a smooth activation; its width and scale are set here.  The default is
        ``TwoLayerNet(activation="erf", input_scaling="fan_in", symmetric=True, output_init="rademacher")``,
        for rows whose features have about unit variance.
    horizon : float, default=5
        How long flows are followed: a linear model's loss falls by exp(-2 T) at least.  In units of
        :math:`1 / (\alpha \sigma_{\min})^2`.
    n_times : int, default=25
        Times at which flows are looked at, evenly spaced, the start included.  Three more are put into the
        first interval, where losses fall fastest.
    random_state : int, default=0
        Seed of the network of each width and number of rows.

    Returns
    -------
    LazyDecayStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, more than 32 rows are asked for, no scale is certified at some width
        and number of rows (as with ReLU, or equal rows), or ``out`` holds a study of other data or settings.
    RuntimeError
        If the flow cannot be integrated to the end.

    Notes
    -----
    First-layer weights move in the span of the rows, so that networks are drawn and followed in coordinates
    of it: the same in law, in fewer dimensions.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019, theorem
    2.4.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import lazy_decay_study
    >>> X = np.random.default_rng(0).normal(size=(4, 8))
    >>> study = lazy_decay_study(X, [1, -1, 1, -1], [64], [4], factors=[1.0], below=[0.1], n_times=6)
    >>> study.exceeded, study.certified.tolist()
    (0, [False, True, True, True])
    """
    X = X.toarray() if sparse.issparse(X) else X
    own = list(factors)
    even = np.linspace(0, horizon, n_times)
    plan = DecayPlan(
        network=network,
        X=X,
        y=y,
        scales=(
            *(("A'", factor) for factor in below if factor not in own),  # the lowest first
            *((name, factor) for name in THEOREMS for factor in own),
        ),
        times=np.insert(even, 1, even[1] * np.array(EARLY)),
        random_state=random_state,
    )
    names = {(width, n): f"width {width}, n {n}" for width in widths for n in _counts(n_samples, len(X))}
    settings = {
        "network": network.with_width(1).to_dict(),
        "data": digest(X, y),
        "scales": plan.scales,
        "horizon": horizon,
        "n_times": n_times,
        "random_state": random_state,
    }
    run = partial(run_parts, LazyDecayStudy.study, settings, out=out, progress=progress)
    told: list[str] = []

    def forecast_all(left: Sequence[str]) -> str:
        told.append(forecast(plan, [pair for pair, name in names.items() if name in left]))
        return told[0]

    def forecast_runs(left: Sequence[str]) -> str:
        return forecast(plan, list(names), len(left))

    with set_threads(1):  # products are small: more threads of BLAS wait for each other
        parts_of_flows = run(
            {name: partial(certify, plan, *pair) for pair, name in names.items()}, forecast=forecast_all
        )
        certified = {pair: parts_of_flows[name] for pair, name in names.items()}
        jobs, titles = {}, {}
        for pair, values in certified.items():
            sigma_min = float(values["sigma"][0])
            for which, scale in zip(values["chosen"], values["scales"], strict=True):
                title = f"{names[pair]}, {_title(*plan.scales[which])}"
                jobs[title] = partial(follow, plan, *pair, float(scale), sigma_min)
                titles[pair, int(which)] = title
        # the time of all of it may have been told already
        ended = run(jobs, forecast=None if told else forecast_runs)
    return collect(plan, certified, {key: ended[title] for key, title in titles.items()})


def _counts(n_samples: Iterable[int] | None, available: int) -> list[int]:
    if n_samples is None:
        return [n for n in N_SAMPLES if n <= available] or [available]
    counts = list(n_samples)
    if counts[-1] > MAX_SAMPLES:
        raise ValueError(
            f"{counts[-1]} rows are more than the {MAX_SAMPLES} that are certified here: the width that "
            "theorems ask for grows fast with them; a study of fewer says how fast."
        )
    if counts[-1] > available:
        raise ValueError(f"n_samples asks for {counts[-1]} rows, and X has {available}.")
    return counts


def _title(theorem: str, factor: float) -> str:
    """Name a run in letters that a file name keeps."""
    return f"{factor:.12g} of {theorem.replace(chr(39), ' prime')}"
