"""Flat minima: sharpness-aware minimisation against gradient descent where all minima fit equally well."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import Progress
from ntklib.dynamics import USAM
from ntklib.lab.arguments import Integer, Reals
from ntklib.lab.landscapes import WideningValley
from ntklib.lab.parts import run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import study

from .result import CONVERGED, ValleyStudy

__all__ = ["valley_study"]

LEARNING_RATES = (0.01, 0.02, 0.05, 0.1)
RHOS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)

_PATH_START = (3.0, 1.0)
"""Starting point of the paths in the figure: |u| and v."""


@study(
    examples="""
    ntklib study valley                                   the whole grid, in seconds
    ntklib study valley --learning-rates 0.05 --rhos 0.1 0.2 --out valley
    """,
)
def valley_study(
    learning_rates: Annotated[Iterable[float], Reals()] = LEARNING_RATES,
    rhos: Annotated[Iterable[float], Reals(strict=False)] = RHOS,
    *,
    dimension: Annotated[int, Integer()] = 10,
    n_starts: Annotated[int, Integer()] = 20,
    steps: Annotated[int, Integer()] = 5000,
    path_steps: Annotated[int, Integer()] = 100,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ValleyStudy:
    r"""Flatness of the minima that sharpness-aware steps end in.

    Runs unnormalised sharpness-aware minimisation and gradient descent down the widening valley
    ``|u|^2 v^2 / 2`` from random starts, over a grid of learning rates and rhos, and compares the traces of
    the Hessian at their ends with each other, with the limit of small steps and with what is stable.

    The widening valley :math:`L(u, v) = \frac12 |u|^2 v^2` has minima of every flatness.  Two effects lead to
    flat ones.  Small steps follow a flow that conserves :math:`(1 + \rho|u|^2)/(1 + \rho v^2)`, and ends at
    a trace of :math:`(|u_0|^2 - v_0^2)/(1 + \rho v_0^2)` (where :math:`|u_0|^2 > v_0^2`); large steps cannot
    stay at a minimum with an eigenvalue h unless :math:`h (1 + \rho h) < 2/\eta`, and hop until it is flat
    enough, or diverge.

    Parameters
    ----------
    learning_rates : iterable of float, default=(0.01, 0.02, 0.05, 0.1)
        Step sizes eta.
    rhos : iterable of float, default=(0, 0.02, 0.05, 0.1, 0.2, 0.5)
        How far along the gradient the second one is taken.  0, gradient descent, is added if it is not
        among them.
    dimension : int, default=10
        Length of u.
    n_starts : int, default=20
        Random starts.  Standard Gaussian in u and v; the same for all rates and rhos.
    steps : int, default=5000
        Steps at most.  A set of runs ends when all have reached a minimum or diverged.
    path_steps : int, default=100
        Steps in the picture of the paths.

    Returns
    -------
    ValleyStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other settings.

    References
    ----------
    A. Orvieto et al., "Anticorrelated noise injection for improved generalization", ICML 2022, for the
    valley; Y. Dai, K. Ahn and S. Sra, "The crucial role of normalization in sharpness-aware minimization",
    NeurIPS 2023, for the method.

    Examples
    --------
    >>> from ntklib.lab.studies import valley_study
    >>> study = valley_study([0.05], [0.0, 0.1], n_starts=5)
    >>> bool(study.trace[1] < study.trace[0])
    True
    """
    etas, radii = list(learning_rates), sorted({0.0, *rhos})
    settings = {
        "rhos": radii,
        "dimension": dimension,
        "n_starts": n_starts,
        "steps": steps,
        "path_steps": path_steps,
        "random_state": random_state,
    }
    valley = WideningValley()
    starts = generator(random_state).standard_normal((n_starts, dimension + 1))
    parts = {
        f"learning rate {eta!r}": partial(_runs, valley, starts, eta, radii, steps, path_steps)
        for eta in etas
    }
    values = list(run_parts(ValleyStudy.study, settings, parts, out=out, progress=progress).values())
    traces, losses, sharpness = (
        np.stack([v[name] for v in values]) for name in ("trace", "loss", "sharpness")
    )
    flows = np.stack([valley.trace(valley.flow_limit(starts, rho)) for rho in radii])
    reached = losses <= CONVERGED
    grid = [(i, j) for i in range(len(etas)) for j in range(len(radii))]
    quartiles = np.array([_quartiles(traces[at][reached[at]]) for at in grid])
    pairs = [reached[i, j] & reached[i, 0] for i, j in grid]
    ratio = [traces[i, j][both] / traces[i, 0][both] for (i, j), both in zip(grid, pairs, strict=True)]
    return ValleyStudy(
        learning_rate=np.array([etas[i] for i, _ in grid]),
        rho=np.array([radii[j] for _, j in grid]),
        converged=np.array([reached[at].sum() for at in grid]),
        diverged=np.array([(~np.isfinite(losses[at])).sum() for at in grid]),
        trace=quartiles[:, 1],
        trace_low=quartiles[:, 0],
        trace_high=quartiles[:, 2],
        flow_trace=np.array([_quartiles(flows[j][reached[i, j]])[1] for i, j in grid]),
        ratio=np.array([_quartiles(r)[1] for r in ratio]),
        flatter=np.array([np.mean(r < 1) if len(r) else np.nan for r in ratio]),
        sharpest=np.array([max(sharpness[at][reached[at]], default=np.nan) for at in grid]),
        sharpest_stable=np.array([valley.sharpest_stable(etas[i], radii[j]) for i, j in grid]),
        traces=traces,
        flow_traces=flows,
        losses=losses,
        paths=np.stack([v["path"] for v in values]),
        n_starts=n_starts,
        dimension=dimension,
        steps=steps,
        random_state=random_state,
    )


def _quartiles(values: NDArray) -> NDArray:
    return np.quantile(values, [0.25, 0.5, 0.75]) if values.size else np.full(3, np.nan)


def _runs(
    valley: WideningValley, starts: NDArray, eta: float, rhos: list[float], steps: int, path_steps: int
) -> dict[str, NDArray]:
    """The ends of all runs at one learning rate, a row a rho, and the paths for the picture."""
    ends: dict[str, list[NDArray]] = {"trace": [], "loss": [], "sharpness": [], "path": []}
    with np.errstate(over="ignore", invalid="ignore"):  # runs that diverge are part of the result
        for rho in rhos:
            optimizer = USAM(eta, rho)
            ends["path"].append(optimizer.run(valley.gradient, _PATH_START, path_steps))
            state = optimizer.start(starts)
            loss = valley.value(starts)
            while state.steps < steps and np.any(np.isfinite(loss) & (loss > CONVERGED)):
                for _ in range(min(100, steps - state.steps)):
                    optimizer.step(state, valley.gradient)
                loss = valley.value(state.position)
            ends["loss"].append(loss)
            ends["trace"].append(valley.trace(state.position))
            ends["sharpness"].append(valley.sharpness(state.position))
    return {name: np.stack(values) for name, values in ends.items()}
