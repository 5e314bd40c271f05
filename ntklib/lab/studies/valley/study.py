"""Flat minima: sharpness-aware minimisation against gradient descent where all minima fit equally well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ntklib._core.progress import Progress
from ntklib._core.validation import check_integer, check_reals
from ntklib.dynamics import USAM
from ntklib.lab.landscapes import WideningValley
from ntklib.lab.parts import run_parts
from ntklib.lab.result import StudyResult
from ntklib.lab.studies.valley.pictures import ValleyStudyDisplay

__all__ = ["LEARNING_RATES", "RHOS", "ValleyStudy", "valley_study"]

LEARNING_RATES = (0.01, 0.02, 0.05, 0.1)
RHOS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
CONVERGED = 1e-12
"""Loss below which a run has reached a minimum."""

PATH_START = (3.0, 1.0)
"""Where the paths in the picture begin: |u| and v."""


@dataclass(frozen=True, repr=False, eq=False)
class ValleyStudy(StudyResult):
    """Where runs of sharpness-aware minimisation end in the widening valley; from `valley_study`.

    The table has a row for each learning rate and each rho, rho = 0 being gradient descent.  Its figures are
    those of the runs that reached a minimum; NaN where none did.

    Attributes
    ----------
    learning_rate, rho : ndarray of float
    converged, diverged : ndarray of int
        Runs that reached a minimum, and that left the range of floating-point numbers.
    trace, trace_low, trace_high : ndarray
        Median and quartiles of the Hessian's trace at the end.
    flow_trace : ndarray
        Median, over the same starts, of the trace where infinitely small steps end.
    ratio : ndarray
        Median of the trace relative to gradient descent's, with the same step from the same start.
    flatter : ndarray
        Share of such pairs in which the trace is smaller than gradient descent's.
    sharpest : ndarray
        Largest eigenvalue of the Hessian at any of the ends.
    sharpest_stable : ndarray
        The largest at which a minimum can hold the method.
    traces, flow_traces, losses : ndarray of shape (n_learning_rates, n_rhos, n_starts)
        Trace at the end, where the flow would end, and loss at the end, of each run.
    paths : ndarray of shape (n_learning_rates, n_rhos, path_steps + 1, 2)
        The first steps from |u| = 3, v = 1, in the plane that they stay in: u along u_0, and v.
    n_starts, dimension, steps, random_state : int
    """

    study = "valley"
    columns = (
        "learning_rate",
        "rho",
        "converged",
        "diverged",
        "trace",
        "trace_low",
        "trace_high",
        "flow_trace",
        "ratio",
        "flatter",
        "sharpest",
        "sharpest_stable",
    )

    learning_rate: np.ndarray
    rho: np.ndarray
    converged: np.ndarray
    diverged: np.ndarray
    trace: np.ndarray
    trace_low: np.ndarray
    trace_high: np.ndarray
    flow_trace: np.ndarray
    ratio: np.ndarray
    flatter: np.ndarray
    sharpest: np.ndarray
    sharpest_stable: np.ndarray
    traces: np.ndarray
    flow_traces: np.ndarray
    losses: np.ndarray
    paths: np.ndarray
    n_starts: int
    dimension: int
    steps: int
    random_state: int

    @property
    def reached(self) -> np.ndarray:
        """Which runs reached a minimum, shape (n_learning_rates, n_rhos, n_starts)."""
        return self.losses <= CONVERGED

    def ratios(self) -> np.ndarray:
        """Traces relative to gradient descent's from the same start, NaN unless both reached a minimum."""
        traces = np.where(self.reached, self.traces, np.nan)
        return traces / traces[:, :1]

    def headline(self) -> str:
        """Say how often the minima were flatter, and whether any was too sharp to hold."""
        ratios = self.ratios()[:, 1:]
        pairs = ratios[np.isfinite(ratios)]
        lines = [
            f"valley of dimension {self.dimension} + 1, {self.n_starts} starts, {self.steps} steps at most"
        ]
        if pairs.size:
            lines.append(
                f"flatter than gradient descent's in {np.mean(pairs < 1):.0%} of {pairs.size} pairs of runs "
                f"that both reached a minimum; median trace {np.median(pairs):.3g} times"
            )
        lines.append(
            f"{self.converged.sum()} of {self.reached.size} runs reached a minimum, "
            f"{self.diverged.sum()} diverged"
        )
        if self.converged.any():
            sharpest = np.nanmax(self.sharpest / self.sharpest_stable)
            lines.append(f"the sharpest minimum has {sharpest:.3g} times the curvature that can be held")
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> ValleyStudyDisplay:
        """Draw the paths from one start on the loss surface."""
        return ValleyStudyDisplay.from_study(self, ax=ax)

    def plot_trace(self, ax: Any = None) -> ValleyStudyDisplay:
        """Draw the trace at the end, relative to gradient descent's, against rho."""
        return ValleyStudyDisplay.from_study(self, ax=ax, what="trace")

    def pictures(self) -> Mapping[str, Callable[[Any], Any]]:
        """Return the drawings that `save` makes."""
        return {"paths": self.plot, "trace": self.plot_trace}


def valley_study(
    learning_rates: Iterable[float] = LEARNING_RATES,
    rhos: Iterable[float] = RHOS,
    *,
    dimension: int = 10,
    n_starts: int = 20,
    steps: int = 5000,
    path_steps: int = 100,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ValleyStudy:
    r"""Compare the minima that unnormalised sharpness-aware minimisation and gradient descent end in.

    The widening valley :math:`L(u, v) = \frac12 |u|^2 v^2` has minima of every flatness.  Two effects lead to
    flat ones.  Small steps follow a flow that conserves :math:`(1 + \rho|u|^2)/(1 + \rho v^2)`, and ends at
    a trace of :math:`(|u_0|^2 - v_0^2)/(1 + \rho v_0^2)` (where :math:`|u_0|^2 > v_0^2`); large steps cannot
    stay at a minimum with an eigenvalue h unless :math:`h (1 + \rho h) < 2/\eta`, and hop until it is flat
    enough, or diverge.

    Parameters
    ----------
    learning_rates : iterable of float, default=(0.01, 0.02, 0.05, 0.1)
        eta, positive.
    rhos : iterable of float, default=(0, 0.02, 0.05, 0.1, 0.2, 0.5)
        Nonnegative; 0, gradient descent, is added if it is not among them.
    dimension : int, default=10
        Length of u, at least 1.
    n_starts : int, default=20
        Starts, standard Gaussian in u and v; the same for all rates and rhos.
    steps : int, default=5000
        Steps at most; a set of runs ends when all have reached a minimum or diverged.
    path_steps : int, default=100
        Steps in the picture of the paths.
    random_state : int, default=0
    out : str, Path or None, default=None
        A folder; each learning rate is kept there as soon as it is finished, and a study that was stopped
        goes on from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.

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
    etas = check_reals(learning_rates, "learning_rates", minimum=0, strict=True)
    radii = sorted({0.0, *check_reals(rhos, "rhos", minimum=0)})
    settings = {
        "rhos": radii,
        "dimension": check_integer(dimension, "dimension", minimum=1),
        "n_starts": check_integer(n_starts, "n_starts", minimum=1),
        "steps": check_integer(steps, "steps", minimum=1),
        "path_steps": check_integer(path_steps, "path_steps", minimum=1),
        "random_state": check_integer(random_state, "random_state", minimum=0),
    }
    valley = WideningValley()
    starts = np.random.default_rng(random_state).standard_normal((n_starts, dimension + 1))
    parts = {
        f"learning rate {eta!r}": partial(_runs, valley, starts, eta, radii, steps, path_steps)
        for eta in etas
    }
    values = list(run_parts("valley", settings, parts, out=out, progress=progress).values())
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


def _quartiles(values: np.ndarray) -> np.ndarray:
    return np.quantile(values, [0.25, 0.5, 0.75]) if values.size else np.full(3, np.nan)


def _runs(
    valley: WideningValley, starts: np.ndarray, eta: float, rhos: list[float], steps: int, path_steps: int
) -> dict[str, np.ndarray]:
    """The ends of all runs at one learning rate, a row a rho, and the paths for the picture."""
    found: dict[str, list[np.ndarray]] = {"trace": [], "loss": [], "sharpness": [], "path": []}
    with np.errstate(over="ignore", invalid="ignore"):  # runs that diverge are part of the result
        for rho in rhos:
            optimizer = USAM(eta, rho)
            found["path"].append(optimizer.run(valley.gradient, PATH_START, path_steps))
            state = optimizer.start(starts)
            loss = valley.value(starts)
            while state.steps < steps and np.any(np.isfinite(loss) & (loss > CONVERGED)):
                for _ in range(min(100, steps - state.steps)):
                    optimizer.step(state, valley.gradient)
                loss = valley.value(state.position)
            found["loss"].append(loss)
            found["trace"].append(valley.trace(state.position))
            found["sharpness"].append(valley.sharpness(state.position))
    return {name: np.stack(values) for name, values in found.items()}
