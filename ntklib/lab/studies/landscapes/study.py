"""Gradient descent on simple functions: where every step leads, and which steps arrive."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import Progress
from ntklib.dynamics import GradientDescent
from ntklib.lab.arguments import Integer, Real, Reals
from ntklib.lab.parts import run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import study

from .functions import SimpleFunction, simple_functions
from .result import LandscapesStudy

__all__ = ["landscapes_study"]

LEARNING_RATES = (0.01, 0.1, 0.5, 1.0, 1.9, 2.1)
CURVATURES = (0.1, 0.00001)

_PATH_STEPS = 40
_PER_DECADE = 20
_WINDOW = 10  # steps that rates are measured over: even, since a hop comes back after two
_SMALLEST = 1e-150  # distance at which a rate is read at the latest: far above underflow
_BACK = 1e-3  # of a step: what two hops may miss the place they left by


@study(
    examples="""
    ntklib study landscapes                               all functions, in seconds
    ntklib study landscapes --learning-rates 0.1 1 --curvatures 0.001 --out landscapes
    ntklib study landscapes --slope 5 --tolerance 0.5
    """,
)
def landscapes_study(
    learning_rates: Annotated[Iterable[float], Reals()] = LEARNING_RATES,
    curvatures: Annotated[Iterable[float], Reals(example="(0.1, 0.00001)")] = CURVATURES,
    *,
    slope: Annotated[float, Real(strict=True)] = 2.0,
    threshold: Annotated[float, Real(strict=True)] = 1.0,
    spread: Annotated[float, Real(strict=True)] = 3.0,
    tolerance: Annotated[float, Real(strict=True)] = 0.1,
    n_starts: Annotated[int, Integer()] = 20,
    steps: Annotated[int, Integer(2)] = 1000,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LandscapesStudy:
    r"""Gradient descent on quadratics, a cone, Huber's function and a smooth one with a kink.

    Runs gradient descent with constant steps from random starts in the plane, and measures distance, loss,
    the factor by which the distance shrinks a step, the hops that remain and the steps to a given loss, each
    beside what is known in closed form.

    The functions are :math:`x^2/2 + \lambda y^2/2` for each curvature, :math:`G |w|`, Huber's function of x
    plus that of y, and :math:`x^2/2 + |y|`.

    Parameters
    ----------
    learning_rates : iterable of float, default=(0.01, 0.1, 0.5, 1.0, 1.9, 2.1)
        Step sizes eta.
    curvatures : iterable of float, default=(0.1, 0.00001)
        Second curvatures lambda of the quadratics.  The first is 1.
    slope : float, default=2.0
        Slope G of the cone.
    threshold : float, default=1.0
        Where Huber's function becomes linear.
    spread : float, default=3.0
        Standard deviation of both coordinates of the starts.
    tolerance : float, default=0.1
        Loss to which steps are counted.
    n_starts : int, default=20
        Random starts.  The same for all functions and learning rates.
    steps : int, default=1000
        Steps of every run, at least 2.

    Returns
    -------
    LandscapesStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other settings.

    References
    ----------
    B. T. Polyak, *Introduction to Optimization*, 1987, sections 1.4 and 5.3; Y. Nesterov, *Introductory
    Lectures on Convex Optimization*, 2004, section 3.2.3.

    Examples
    --------
    >>> from ntklib.lab.studies import landscapes_study
    >>> study = landscapes_study([0.5, 2.1], [0.1], steps=200)
    >>> for row in study.records():
    ...     print(f"{row['function']:<16}{row['learning_rate']:<5}{row['outcome']}")
    quadratic 0.1   0.5  converges
    quadratic 0.1   2.1  diverges
    cone            0.5  hops
    cone            2.1  hops
    huber           0.5  converges
    huber           2.1  hops
    square plus abs 0.5  hops
    square plus abs 2.1  diverges
    """
    etas = list(learning_rates)
    functions = simple_functions(curvatures, slope, threshold)
    recorded = _recorded_steps(steps)
    starts = spread * generator(random_state).standard_normal((n_starts, 2))
    settings: dict[str, Any] = {
        "learning_rates": etas,
        "slope": slope,
        "threshold": threshold,
        "spread": spread,
        "tolerance": tolerance,
        "n_starts": n_starts,
        "steps": steps,
        "random_state": random_state,
    }
    parts = {f.name: partial(_runs, f, starts, etas, steps, tolerance, recorded) for f in functions}
    values = list(run_parts(LandscapesStudy.study, settings, parts, out=out, progress=progress).values())
    joined: dict[str, Any] = {name: np.concatenate([part[name] for part in values]) for name in values[0]}
    rows = [(f, eta) for f in functions for eta in etas]
    return LandscapesStudy(
        function=np.array([f.name for f, _ in rows]),
        learning_rate=np.array([eta for _, eta in rows]),
        expected_rate=np.array([f.rate(eta) for f, eta in rows]),
        expected_hop=np.array([f.hop(eta) for f, eta in rows]),
        expected_loss=np.array([f.loss(eta) for f, eta in rows]),
        **joined,
        recorded=recorded,
        curvatures=list(curvatures),
        **{name: value for name, value in settings.items() if name != "learning_rates"},
    )


def _recorded_steps(steps: int) -> NDArray:
    """Steps at which a course is kept: early ones all, later ones in pairs, so that hops are seen."""
    late = np.geomspace(1, steps - 1, round(_PER_DECADE * np.log10(steps)) + 2).round().astype(int)
    return np.unique(np.concatenate([np.arange(min(steps, _PATH_STEPS) + 1), late, late + 1]))


def _runs(
    function: SimpleFunction,
    starts: NDArray,
    etas: list[float],
    steps: int,
    tolerance: float,
    recorded: NDArray,
) -> dict[str, NDArray]:
    """Measure the runs on one function, a row for each learning rate."""
    with np.errstate(over="ignore", invalid="ignore"):  # runs that diverge are part of the result
        rows = [_measured(function, starts, eta, steps, tolerance, recorded) for eta in etas]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _measured(
    function: SimpleFunction,
    starts: NDArray,
    eta: float,
    steps: int,
    tolerance: float,
    recorded: NDArray,
) -> dict[str, NDArray]:
    """Run from all starts with one learning rate; figures are medians over the starts."""
    landscape = function.landscape
    path = GradientDescent(eta).run(landscape.gradient, starts, steps)
    distance, loss = np.linalg.norm(path, axis=-1), landscape.value(path)
    rates = np.array([_late_rate(course) for course in distance.T])
    hops, back = (np.linalg.norm(path[-1] - path[-k], axis=-1) for k in (2, 3))
    outcomes = np.where((hops > 0) & (back <= _BACK * hops), "hops", "converges")
    outcomes[~(rates <= 1 + 1e-9)] = "diverges"
    reached = loss <= tolerance
    first = np.where(reached.any(axis=0), reached.argmax(axis=0), np.inf)
    names, counts = np.unique(outcomes, return_counts=True)
    return {
        "outcome": names[counts.argmax()],
        "rate": np.median(rates),
        "hop": np.median(hops),
        "loss": np.median(loss[-2:].mean(axis=0)),
        "distance": np.median(distance[-1]),
        "steps_to": np.median(first),
        "error": _difference(function, path[recorded], eta, recorded),
        "distances": distance[recorded, 0],
        "losses": loss[recorded, 0],
        "paths": path[: min(_PATH_STEPS, steps) + 1, 0],
    }


def _late_rate(distance: NDArray) -> float:
    """Factor a step over the last steps in which the distance is neither 0 nor too large to be held."""
    small, lost = distance < _SMALLEST, ~np.isfinite(distance)
    end = int(np.argmax(small | lost)) if np.any(small | lost) else len(distance) - 1
    end -= int(lost[end])  # where it arrives, 0 included, or the last place that can be held
    width = min(_WINDOW, end - end % 2) or 1
    return float((distance[end] / distance[end - width]) ** (1 / width)) if end else np.nan


def _difference(function: SimpleFunction, path: NDArray, eta: float, recorded: NDArray) -> float:
    """Largest difference from the closed form, relative to the larger of the distances there and before."""
    if not function.has_formula(eta):
        return np.nan
    formula = np.stack([function.landscape.after(path[0], int(k), eta) for k in recorded])
    size = np.maximum(np.linalg.norm(formula, axis=-1), np.linalg.norm(path[0], axis=-1))
    held = np.isfinite(size) & np.isfinite(path).all(axis=-1)
    return float((np.linalg.norm(path - formula, axis=-1) / size)[held].max())
