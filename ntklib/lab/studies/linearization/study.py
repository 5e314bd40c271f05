"""How closely a network follows its tangent model through training, and how that depends on the width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ntklib._core.blocks import require_memory
from ntklib._core.progress import Progress
from ntklib._core.validation import check_integer, check_real, check_rows, check_same_features
from ntklib.dynamics import largest_stable_step
from ntklib.lab.networks import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.power_law import PowerLaw, fit_power_law
from ntklib.networks import MLP, TwoLayerNet

from ..width.study import check_widths, root_mean_square
from .measure import Task, draws, recorded
from .result import LinearizationStudy

__all__ = ["linearization_study"]

WIDTHS = (64, 128, 256, 512, 1024)


def linearization_study(
    X: Any,
    y: Any,
    widths: Iterable[int] = WIDTHS,
    *,
    X_test: Any = None,
    network: TwoLayerNet | MLP | None = None,
    steps: int = 100,
    learning_rate: float | str = "auto",
    n_draws: int = 10,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LinearizationStudy:
    r"""Train networks and their tangent models side by side, and measure how far they come apart.

    Both take the same steps of gradient descent on the square loss (a sum over the rows) from the same
    parameters: the network by `ntklib.dynamics.train`, its tangent model
    :math:`f(w_0) + Df(w_0)(w - w_0)` in closed form.  In the NTK parameterisation the outputs come apart by
    :math:`O(m^{-1/2})` at most as the width m grows (Lee et al.).  For smooth activations and output weights
    of mean zero the parameters do so like :math:`m^{-1/2}`, the outputs and the kernel like :math:`m^{-1}`:
    the neurons' contributions to the first correction have random signs.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    widths : iterable of int, default=(64, 128, ..., 1024)
        At least two; every hidden layer gets the same.
    X_test : array-like or CSR matrix of shape (n_test, n_features), default=None
        Rows on which outputs are compared as well.
    network : TwoLayerNet, MLP or None, default=None
        Everything but the width and the number of outputs, which is that of y; None is
        ``TwoLayerNet(activation="erf", symmetric=True)``.
    steps : int, default=100
        Of gradient descent, at least 1.
    learning_rate : float or "auto", default="auto"
        At all widths; "auto" is half the largest stable one of the network of infinite width, 1 over the
        largest eigenvalue of its kernel on X.
    n_draws : int, default=10
        Networks a width, at least 2.
    random_state : int, default=0
        Draw d at width m is seeded by (random_state, m, d) and by nothing else: widths can be added later,
        and results are the same bytes at any number of threads.
    out : str, Path or None, default=None
        A folder; each width is kept there as soon as it is finished, and a study that was killed goes on
        from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.

    Returns
    -------
    LinearizationStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, the step is too large for a network or its tangent model, the
        network has no limit to take it from, or ``out`` holds a study of other data or settings.

    References
    ----------
    J. Lee et al., "Wide neural networks of any depth evolve as linear models under gradient descent",
    NeurIPS 2019, theorem 2.1; E. Dyer and G. Gur-Ari, "Asymptotics of wide networks from Feynman diagrams",
    ICLR 2020, for the power -1.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import linearization_study
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> study = linearization_study(X, X[:, 0] * X[:, 1], [64, 256, 1024], steps=50)
    >>> abs(study.slopes["parameters"].exponent + 0.5) < 0.1
    True
    >>> bool(study.outputs[-1] < 0.05)
    True
    """
    X = check_rows(X).astype(np.float64, copy=False)
    y = np.asarray(y, dtype=np.float64)
    if y.ndim not in (1, 2) or len(y) != X.shape[0] or not y.size or not np.isfinite(y).all():
        raise ValueError(f"y must hold a finite target a row, {X.shape[0]} of them, got shape {y.shape}.")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if X_test is not None:
        X_test = check_rows(X_test, "X_test").astype(np.float64, copy=False)
        check_same_features(X, X_test)
    network = TwoLayerNet(activation="erf", symmetric=True) if network is None else network
    network = clone(network).set_params(n_outputs=1 if y.ndim == 1 else y.shape[1])
    sizes = check_widths(widths)
    steps = check_integer(steps, "steps", minimum=1)
    n_draws = check_integer(n_draws, "n_draws", minimum=2)
    random_state = check_integer(random_state, "random_state", minimum=0)
    require_memory((4, y.size, y.size), np.float64, "set of Gram matrices")
    eta = _step_size(network, X, learning_rate)
    settings: dict[str, Any] = {
        "network": network.with_width(1).to_dict(),
        "data": digest(X, y) if X_test is None else digest(X, y, X_test),
        "steps": steps,
        "learning_rate": eta,
        "n_draws": n_draws,
        "random_state": random_state,
    }
    task = Task(X, y, X_test, steps, eta)
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"width {m}": partial(draws, network.with_width(m), task, n_draws, (random_state, m)) for m in sizes
    }
    values = list(run_parts("linearization", settings, parts, out=out, progress=progress).values())
    drawn = {name: np.stack([v[name] for v in values]) for name in values[0]}
    width, freedom = np.array(sizes), len(sizes) * (n_draws - 1)
    gaps = {name: drawn[name] for name in ("outputs", "test_outputs", "parameters", "kernel")}
    found: dict[str, np.ndarray] = {}
    slopes: dict[str, PowerLaw] = {}
    for name, gap in gaps.items():
        found[name], found[f"{name}_se"] = root_mean_square(gap**2)
        if np.isfinite(gap).all():
            slopes[name] = fit_power_law(width, found[name], found[f"{name}_se"], degrees_of_freedom=freedom)
    return LinearizationStudy(
        width=width,
        **found,
        sign_changes=drawn["sign_changes"].mean(axis=1),
        loss=drawn["loss_paths"][..., -1].mean(axis=1),
        tangent_loss=drawn["tangent_loss_paths"][..., -1].mean(axis=1),
        slopes=slopes,
        gaps=gaps,
        steps=recorded(steps),
        output_paths=drawn["output_paths"],
        loss_paths=drawn["loss_paths"],
        tangent_loss_paths=drawn["tangent_loss_paths"],
        network=network_text(network, width="m"),
        learning_rate=eta,
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_draws=n_draws,
        random_state=random_state,
    )


def _step_size(network: Any, X: Any, learning_rate: float | str) -> float:
    if not isinstance(learning_rate, str):
        return check_real(learning_rate, "learning_rate", minimum=0, strict=True)
    if learning_rate != "auto":
        raise ValueError(f"learning_rate must be a number or 'auto', got {learning_rate!r}.")
    largest = largest_stable_step(clone(network).set_params(n_outputs=1).limit_kernel()(X))
    if not np.isfinite(largest):
        raise ValueError("the limit is zero on these rows: no training.")
    return largest / 2
