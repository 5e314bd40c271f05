"""The rescaled pair: networks that are one function with other weights, and where optimisers take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ntklib._core.progress import Progress
from ntklib._core.threads import parallel_for
from ntklib.dynamics import (
    Adam,
    GradientDescent,
    Muon,
    Optimizer,
    Recording,
    SignDescent,
    largest_stable_step,
)
from ntklib.lab.arguments import Integer, Reals
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import TRAINED_OPTIONS, Networks, RowSource, study
from ntklib.lab.training import described, first_move, train_whole
from ntklib.networks import MLP, Params, TwoLayerNet

from .measure import WithMultipliers, rescale, scale_factors, step_power
from .result import RescalingStudy

__all__ = ["rescaling_study"]

NETWORK = TwoLayerNet(256)
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

_FIRST_CHANGE = 0.05
"""Largest change by the first step of a method with fixed step sizes, relative to the targets."""


@study(
    rows=RowSource("samples", max_samples=50),
    networks=Networks(TRAINED_OPTIONS, width=True),
    examples="""
    ntklib study rescaling                                factors from 1/4 to 4
    ntklib study rescaling --data diabetes --factors 0.1 10 --out rescaled
    """,
)
def rescaling_study(
    X: Any,
    y: Any,
    factors: Annotated[Iterable[float], Reals()] = FACTORS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    optimizers: Mapping[str, Optimizer] | None = None,
    steps: Annotated[int, Integer()] = 100,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> RescalingStudy:
    r"""One function from rescaled weights, under four optimisers.

    Trains a network whose first layer is multiplied by c and whose last is divided by it, which leaves its
    function unchanged, by gradient descent, Adam, sign descent and orthogonalised steps, and measures how far
    the outputs go apart, and whether rescaled steps bring them together.

    With a homogeneous activation, such as ReLU, :math:`W_0 \to c W_0`, :math:`W_L \to W_L / c` leaves the
    function unchanged.  Its gradients are not: an array multiplied by c has its gradient divided by c.  An
    optimiser whose steps go with the q-th power of the gradient therefore trains the rescaled network as the
    original would be trained with step sizes :math:`c^{-(1 + q)}` times as large in the first layer, and
    :math:`c^{1 + q}` times as large in the last.  The power 1 + q is 2 for gradient descent, with momentum or
    without; 1 for sign descent and orthogonalised steps, whose length does not depend on the gradient's; and
    1, up to its epsilon, for Adam.  None is invariant (q = -1 would be, as Newton's method is); steps that
    compensate for the factor make all of them so.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Targets.  Outputs count from where they start: the targets are y plus the outputs at the start.
    factors : iterable of float, default=(1/4, 1/2, 1, 2, 4)
        Factors c of the first layer.  1 is added if it is not among them.
    network : TwoLayerNet or MLP, default=TwoLayerNet(256)
        One output, a homogeneous activation.
    optimizers : mapping of str to Optimizer, default=None
        By name.  None is gradient descent, Adam, sign descent and orthogonalised steps.  Gradient descent
        then has half the step that is stable for all factors; the others have one whose first step changes
        the outputs by 5 % of the targets' length for the factor where it changes them most.
    steps : int, default=100
        Steps of every training.

    Returns
    -------
    RescalingStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other data or settings.

    References
    ----------
    B. Neyshabur, R. Salakhutdinov and N. Srebro, "Path-SGD: path-normalized optimization in deep neural
    networks", NeurIPS 2015, for the rescaling and its effect on gradient descent.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import rescaling_study
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> study = rescaling_study(X, np.sin(X[:, 0]), [0.5, 2.0], steps=20)
    >>> sorted(study.power.items())
    [('Adam', 1.0), ('gradient descent', 2.0), ('orthogonalised', 1.0), ('sign descent', 1.0)]
    >>> bool(study.difference.max() > 0.1), bool(study.compensated_difference.max() < 1e-3)
    (True, True)
    """
    values = sorted({1.0, *factors})
    scale_factors(network, 1.0)  # can it be rescaled?
    params = network.init(X.shape[1], random_state)
    starts = {c: rescale(network, params, c) for c in values}
    chosen = _default_optimizers(network, starts, X, y) if optimizers is None else dict(optimizers)
    for name, optimizer in chosen.items():
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizers[{name!r}] must be an optimiser such as Adam(), got {optimizer!r}.")
    if not chosen:
        raise ValueError("optimizers is empty.")
    settings: dict[str, Any] = {
        "network": network.to_dict(),
        "data": digest(X, y),
        "factors": values,
        "optimizers": {name: described(optimizer, steps) for name, optimizer in chosen.items()},
        "steps": steps,
        "random_state": random_state,
    }
    parts = {name: partial(_paths, network, starts, X, y, chosen[name], steps) for name in chosen}
    runs = run_parts(RescalingStudy.study, settings, parts, out=out, progress=progress)
    losses = np.concatenate([runs[name]["losses"] for name in chosen])
    differences = np.concatenate([runs[name]["differences"] for name in chosen])
    rates = {name: optimizer.learning_rate for name, optimizer in chosen.items()}
    return RescalingStudy(
        optimizer=np.repeat(list(chosen), len(values)),
        factor=np.tile(values, len(chosen)),
        difference=differences.max(axis=1),
        compensated_difference=np.concatenate([runs[name]["compensated"] for name in chosen]),
        loss=losses[:, -1],
        power={name: step_power(optimizer) for name, optimizer in chosen.items()},
        learning_rate={name: np.nan if callable(rate) else float(rate) for name, rate in rates.items()},
        losses=losses,
        differences=differences,
        network=network_text(network, width="m"),
        width=max(network.hidden_widths),
        n_samples=X.shape[0],
        n_features=X.shape[1],
        steps=steps,
        random_state=random_state,
    )


def _default_optimizers(
    network: Any, starts: Mapping[float, Params], X: Any, y: np.ndarray
) -> dict[str, Optimizer]:
    optimizers: dict[str, Optimizer] = {}
    for name, kind in (("Adam", Adam), ("sign descent", SignDescent), ("orthogonalised", Muon)):
        change = max(first_move(network, params, X, y, kind(1.0))[1] for params in starts.values())
        optimizers[name] = kind(float(f"{_FIRST_CHANGE * np.linalg.norm(y) / change:.4g}"))
    limit = min(largest_stable_step(network.ntk(params, X, weighted=True)) for params in starts.values())
    return {"gradient descent": GradientDescent(float(f"{limit / 2:.4g}")), **optimizers}


def _paths(
    network: Any, starts: Mapping[float, Params], X: Any, y: np.ndarray, optimizer: Optimizer, steps: int
) -> dict[str, np.ndarray]:
    """Train from every start, with the network's steps and with steps that compensate for the factor."""
    power, size = step_power(optimizer), np.sqrt(np.mean(y**2))
    runs: dict[tuple[float, bool], np.ndarray] = {}

    def run(key: tuple[float, bool]) -> None:
        factor, compensate = key
        scales = scale_factors(network, factor)
        model = WithMultipliers(
            network, {n: scale**power if compensate else 1.0 for n, scale in scales.items()}
        )
        runs[key] = _outputs(network, model, starts[factor], X, y, optimizer, steps)

    # at 1 nothing is to compensate
    parallel_for(run, [(factor, at) for factor in starts for at in (False, True) if factor != 1 or not at])
    reference = runs[1.0, True] = runs[1.0, False]
    target, total = reference[0] + y, (y**2).sum()
    plain, compensated = ([runs[factor, at] for factor in starts] for at in (False, True))
    return {
        "losses": np.array([((outputs - target) ** 2).sum(axis=1) / total for outputs in plain]),
        "differences": np.array([_apart(outputs, reference) / size for outputs in plain]),
        "compensated": np.array([_apart(outputs, reference).max() / size for outputs in compensated]),
    }


def _apart(outputs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Largest difference at each step; of infinite outputs infinite."""
    both = np.isfinite(outputs).all(axis=1) & np.isfinite(others).all(axis=1)
    distances = np.full(len(outputs), np.inf)
    distances[both] = np.abs(outputs[both] - others[both]).max(axis=1)
    return distances


def _outputs(
    network: Any, model: Any, start: Params, X: Any, y: np.ndarray, optimizer: Optimizer, steps: int
) -> np.ndarray:
    """Outputs at every step, (steps + 1, n); infinite from where training diverged."""
    history = train_whole(
        model,
        X,
        y + network.apply(start, X),
        params=start,
        optimizer=optimizer,
        steps=steps,
        record=Recording(every=1, gradient_norms=False),
    )
    values = np.full((steps + 1, len(y)), np.inf)
    values[: len(history)] = history.outputs
    return values
