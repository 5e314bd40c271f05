"""Gradient flows below, at and above the scales that lazy-training theorems certify, under their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ntklib._core.progress import Progress
from ntklib._core.threads import set_threads
from ntklib._core.validation import check_integer, check_integers, check_real, check_reals
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.samples import check_samples
from ntklib.networks import MLP, TwoLayerNet

from ._rows import collect
from .measure import EARLY, THEOREMS, Plan, certify, follow, forecast
from .result import LazyDecayStudy

__all__ = ["lazy_decay_study"]

WIDTHS = (64, 256, 1024)
N_SAMPLES = (4, 8, 16)
FACTORS = (0.5, 1.0, 2.0)
BELOW = (0.01, 0.1)
MAX_SAMPLES = 32


def lazy_decay_study(
    X: Any,
    y: Any,
    widths: Iterable[int] = WIDTHS,
    n_samples: Iterable[int] | None = None,
    *,
    factors: Iterable[float] = FACTORS,
    below: Iterable[float] = BELOW,
    network: TwoLayerNet | None = None,
    horizon: float = 5.0,
    n_times: int = 25,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> LazyDecayStudy:
    r"""Follow the gradient flow of networks at certified scales and others, and compare it with the bounds.

    For every width and number of rows the constants of theorems A, A' and B are computed (see
    `ntklib.theory.lazy_certificate`), and with them the scale :math:`\alpha` from which on each of them
    holds.  Then the flow :math:`\dot w = -\nabla \tfrac12 |\alpha h(w) - y|^2` of the network and that of its
    linearisation are followed accurately at multiples of these thresholds: losses and distances against what
    was certified before.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    widths : iterable of int, default=(64, 256, 1024)
    n_samples : iterable of int or None, default=None
        Numbers of rows, the first ones of X, 32 at most: what is certified takes a width that grows fast with
        them. None is 4, 8 and 16, as far as there are as many.
    factors : iterable of float, default=(0.5, 1, 2)
        Multiples of each theorem's threshold.
    below : iterable of float, default=(0.01, 0.1)
        More multiples of the threshold of A', the lowest one: there nothing is certified.
    network : TwoLayerNet or None, default=None
        With one output and a smooth activation; its width and scale are set here.  None is
        ``TwoLayerNet(activation="erf", input_scaling="fan_in", symmetric=True, output_init="rademacher")``,
        for rows whose features have about unit variance.
    horizon : float, default=5
        How long flows are followed, in units of :math:`1 / (\alpha \sigma_{\min})^2`: in that time the loss
        of a linearised model falls by :math:`e^{-10}` at least.
    n_times : int, default=25
        Times at which they are looked at, evenly spaced, the start included; at least 2.  Three more are put
        into the first interval, where losses fall fastest.
    random_state : int, default=0
        Seeds the network of each width and number of rows.
    out : str, Path or None, default=None
        A folder; each run is kept there as soon as it is finished, and a study that was killed goes on from
        those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.
    announce : callable or None, default=None
        Told before the start how long it will take; None writes that where progress is written.

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
    network = _network(network)
    X, y = check_samples(X, y, network, every_layer=False)
    X = X.toarray() if sparse.issparse(X) else X
    plan = Plan(
        network=network,
        X=X,
        y=y,
        scales=_multiples(factors, below),
        times=_times(horizon, n_times),
        random_state=check_integer(random_state, "random_state", minimum=0),
    )
    counts = _rows(n_samples, len(X))
    pairs = [(width, n) for width in check_integers(widths, "widths", minimum=1) for n in counts]
    settings = {
        "network": network.with_width(1).to_dict(),
        "data": digest(X, y),
        "scales": plan.scales,
        "horizon": horizon,
        "n_times": n_times,
        "random_state": random_state,
        "bounds": "of theorem A', at every time the sharp one",  # parts of version 0.1 have another
    }
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        (announce or (progress or Progress(0)).say)(line)

    run = partial(run_parts, LazyDecayStudy.study, settings, out=out, progress=progress, announce=say)
    with set_threads(1):  # products are small: more threads of BLAS wait for each other
        return _computed(plan, pairs, run, said)


def _computed(
    plan: Plan, pairs: list[tuple[int, int]], run: Callable[..., Any], said: list[str]
) -> LazyDecayStudy:
    """Certify all networks, then follow their flows; say how long it takes unless that has been said."""
    names = {pair: f"width {pair[0]}, n {pair[1]}" for pair in pairs}
    found = run(
        {names[pair]: partial(certify, plan, *pair) for pair in pairs},
        forecast=lambda left: forecast(plan, [pair for pair in pairs if names[pair] in left]),
    )
    certified = {pair: found[names[pair]] for pair in pairs}
    runs = {
        (pair, int(which)): partial(follow, plan, *pair, float(scale), float(values["sigma"][0]))
        for pair, values in certified.items()
        for which, scale in zip(values["chosen"], values["scales"], strict=True)
    }
    titles = {key: f"{names[key[0]]}, {_title(*plan.scales[key[1]])}" for key in runs}
    ended = run(
        {titles[key]: job for key, job in runs.items()},
        forecast=None if said else lambda left: forecast(plan, pairs, len(left)),
    )
    return collect(plan, certified, {key: ended[title] for key, title in titles.items()})


def _network(network: TwoLayerNet | None) -> TwoLayerNet:
    if network is None:
        options: dict[str, Any] = {"symmetric": True, "output_init": "rademacher"}
        return TwoLayerNet(activation="erf", input_scaling="fan_in", **options)
    if getattr(network, "depth", None) != 1:
        kind = f"{network.depth} of them" if isinstance(network, MLP) else repr(network)
        raise ValueError(f"theorems are certified for networks of one hidden layer here, got {kind}.")
    return network


def _multiples(factors: Iterable[float], below: Iterable[float]) -> tuple[tuple[str, float], ...]:
    """Theorems with multiples of their thresholds, the lowest first."""
    own = check_reals(factors, "factors", minimum=0, strict=True)
    more = [f for f in check_reals(below, "below", minimum=0, strict=True, least=0) if f not in own]
    return (*(("A'", factor) for factor in more), *((name, factor) for name in THEOREMS for factor in own))


def _times(horizon: float, n_times: int) -> np.ndarray:
    end = check_real(horizon, "horizon", minimum=0, strict=True)
    even = np.linspace(0, end, check_integer(n_times, "n_times", minimum=2))
    return np.insert(even, 1, even[1] * np.array(EARLY))


def _rows(n_samples: Iterable[int] | None, available: int) -> list[int]:
    if n_samples is None:
        return [n for n in N_SAMPLES if n <= available] or [available]
    counts = check_integers(n_samples, "n_samples", minimum=1)
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
