"""Phase diagram: networks alpha (f - f_0) over widths and alpha, lazy and with features that are learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import Progress
from ntklib.lab.arguments import Integer, Integers, Options, Real, Reals
from ntklib.lab.draws import mean_and_error
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.power_law import fit_power_law
from ntklib.lab.seeds import generator
from ntklib.lab.study import Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet

from .measure import MEASURES, draw_spiral, draw_split, train_at_scales
from .result import PhaseBoundary, PhaseDiagramStudy

__all__ = ["phase_diagram_study"]

WIDTHS = (32, 128, 512)
SCALES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TASKS = ("rows", "spiral")
NETWORK = TwoLayerNet(weight_std=2**0.5, bias_std=1.0)
_OPTIONS = ("depth", "activation", "weight_std", "bias_std", "input_scaling", "output_init")


@study(
    rows=RowSource("samples", max_samples=1000),
    networks=Networks(_OPTIONS),
    examples="""
    ntklib study phase-diagram --out phases                digits and a spiral
    ntklib study phase-diagram --data wine --tasks rows
    ntklib study phase-diagram --activation softplus --depth 3 --steps 5000
    """,
)
def phase_diagram_study(
    X: Any,
    y: Any,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    scales: Annotated[Iterable[float], Reals(least=2)] = SCALES,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    tasks: Annotated[Iterable[str], Options(TASKS)] = TASKS,
    n_train: Annotated[int, Integer()] | None = None,
    steps: Annotated[int, Integer()] = 2000,
    tolerance: Annotated[float, Real(strict=True)] = 1e-3,
    n_draws: Annotated[int, Integer(2)] = 3,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> PhaseDiagramStudy:
    r"""Lazy and feature-learning networks over widths and output scales, and the line between them.

    Trains networks alpha (f - f_0) in the NTK parameterisation over widths and alpha, on the rows given and
    on a spiral in the plane, and measures how far the tangent kernel moves and how well they predict.

    The outputs :math:`F = \alpha (f - f_0)` start at 0.  A neuron has to move like
    :math:`1/(\alpha \sqrt m)`: where :math:`\alpha \sqrt m` is large training is lazy, where it is small the
    kernel changes by more than itself.  :math:`\alpha = m^{-1/2}` is the mean-field scaling.  The line
    between the phases is taken where the kernel changes by 100 %, and its power of the width is fitted.

    All are trained on the square loss by gradient descent with momentum 0.9, and a learning rate of
    :math:`1/(2 \lambda_{\max} (\alpha^2 + \alpha/\sqrt m))`, :math:`\lambda_{\max}` that of the limit kernel.
    Rows are centred and of mean square length 1, targets of mean square 1.

    Parameters
    ----------
    widths : iterable of int, default=(32, 128, 512)
        Units of the hidden layers, two widths at least.
    scales : iterable of float, default=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
        Values of alpha, two at least.
    network : TwoLayerNet or MLP, default=TwoLayerNet(bias_std=1.0, weight_std=2**0.5)
        f, in the NTK parameterisation; its widths and scale are set here.
    tasks : iterable of {"rows", "spiral"}, default=("rows", "spiral")
        The rows given, or two arms of a spiral in the plane, drawn anew in every draw.
    n_train : int or None, default=None
        Training rows; 200 by default, at most half of all.  The others are for testing, 1000 of the spiral.
    steps : int, default=2000
        Steps of training, at most.
    tolerance : float, default=1e-3
        Loss, relative to that of outputs 0, at which training ends.
    n_draws : int, default=3
        Draws of rows and networks, two at least.

    Returns
    -------
    PhaseDiagramStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, there are too few rows, the network has no limit or another
        parameterisation, or ``out`` holds a study of other data or settings.

    References
    ----------
    M. Geiger, S. Spigler, A. Jacot and M. Wyart, "Disentangling feature and lazy training in deep neural
    networks", J. Stat. Mech. 2020 (arXiv 1906.08034).  Alpha here is that of the article; in its code,
    github.com/mariogeiger/feature_lazy, outputs are multiplied by alpha over the width and not over its
    root, so that their alpha is the one here times the root of the width.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib.lab.studies import phase_diagram_study
    >>> X, y = load_iris(return_X_y=True)
    >>> study = phase_diagram_study(
    ...     X, y - 1.0, [16, 64], [0.01, 1.0, 100.0], tasks=["rows"], steps=200, n_draws=2)
    >>> abs(study.boundaries["rows"].exponent + 0.5) < 0.3
    True
    """
    size, sizes, alphas = X.shape[0], list(widths), list(scales)
    if not isinstance(X, np.ndarray):
        raise TypeError("X is sparse, and rows are centred here; pass X.toarray().")
    if network.parameterization != "ntk":
        raise ValueError(
            f"the network has parameterization={network.parameterization!r}; scales are of 'ntk' here."
        )
    n_train = min(200, size // 2) if n_train is None else n_train
    if not 0 < n_train < size:
        raise ValueError(f"n_train={n_train} must leave some of the {size} rows for testing, and take one.")
    settings: dict[str, Any] = {
        "data": digest(X, y),
        "network": network.with_width(1).to_dict(),
        "scales": alphas,
        "n_train": n_train,
        "steps": steps,
        "tolerance": tolerance,
        "random_state": random_state,
    }

    def train(task: str, width: int, draw: int) -> Mapping[str, Any]:
        seed = (draw, TASKS.index(task))
        rng = generator(random_state, *seed)
        split = draw_spiral(n_train, rng) if task == "spiral" else draw_split(X, y, n_train, rng)
        start = generator(random_state, *seed, width)
        return train_at_scales(network.with_width(width), split, alphas, steps, tolerance, start)

    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"{task} width {m} draw {d}": partial(train, task, m, d)
        for task in tasks
        for m in sizes
        for d in range(n_draws)
    }
    values = list(run_parts(PhaseDiagramStudy.study, settings, parts, out=out, progress=progress).values())
    shape = (len(list(tasks)) * len(sizes), n_draws, len(alphas))
    draws = {
        name: np.array([v[name] for v in values]).reshape(shape).swapaxes(1, 2).reshape(-1, n_draws)
        for name in MEASURES
    }
    mean, error = ({name: mean_and_error(value)[k] for name, value in draws.items()} for k in (0, 1))
    change = draws["kernel_change"].reshape(-1, len(sizes), len(alphas), n_draws)
    width = np.tile(np.repeat(sizes, len(alphas)), len(change))
    scale = np.tile(alphas, shape[0])
    return PhaseDiagramStudy(
        task=np.repeat(list(tasks), len(sizes) * len(alphas)),
        width=width,
        scale=scale,
        control=scale * np.sqrt(width),
        **{name: mean[name] for name in MEASURES},
        **{f"{name}_se": error[name] for name in ("kernel_change", "test_loss", "test_error")},
        boundaries={
            task: _boundary(np.array(sizes), np.array(alphas), one)
            for task, one in zip(tasks, change, strict=True)
        },
        draws=draws,
        network=network_text(network, width="m"),
        n_train=n_train,
        n_draws=n_draws,
        random_state=random_state,
    )


def _boundary(widths: NDArray, scales: NDArray, change: NDArray) -> PhaseBoundary:
    """Find where the kernel's change, of shape (widths, scales, draws), is 1, on logarithmic axes."""
    logs = np.array([[_crossing(np.log(scales), np.log(one)) for one in rows.T] for rows in change])
    middle, spread = mean_and_error(logs)
    none = np.zeros(widths.size)
    exponents = np.array([fit_power_law(widths, np.exp(one), none).exponent for one in logs.T])
    exponent, exponent_error = mean_and_error(exponents)
    return PhaseBoundary(widths, np.exp(middle), spread, float(exponent), float(exponent_error))


def _crossing(x: NDArray, y: NDArray) -> float:
    """Return the last point where a sequence falls through 0, by linear interpolation; NaN without one."""
    below = np.flatnonzero((y[1:] <= 0) & (y[:-1] > 0))
    if not below.size:
        return np.nan
    k = below[-1]
    return float(x[k] + (x[k + 1] - x[k]) * y[k] / (y[k] - y[k + 1]))
