"""Networks and their tangent models trained side by side, by width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import clone

from ntklib._core.blocks import require_memory
from ntklib._core.progress import Progress
from ntklib._core.validation import check_rows, check_same_features
from ntklib.dynamics import largest_stable_step
from ntklib.lab.arguments import Integer, Integers, Real
from ntklib.lab.draws import power_of_width, root_mean_square
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.power_law import PowerLaw
from ntklib.lab.study import Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet

from .measure import measure, recorded_steps
from .result import GAPS, LinearizationStudy

__all__ = ["linearization_study"]

WIDTHS = (64, 128, 256, 512, 1024)
NETWORK = TwoLayerNet(activation="erf", input_scaling="fan_in", symmetric=True)


@study(
    rows=RowSource("samples", max_samples=150, held_out=1 / 3, several_outputs=True),
    networks=Networks(),
    examples="""
    ntklib study linearization                            erf networks on handwritten digits
    ntklib study linearization --activation relu --out relu
    ntklib study linearization --data diabetes --depth 2 --steps 300
    """,
)
def linearization_study(
    X: Any,
    y: Any,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    *,
    X_test: Any = None,
    network: TwoLayerNet | MLP = NETWORK,
    steps: Annotated[int, Integer()] = 100,
    learning_rate: Annotated[float | str, Real(strict=True, words=("auto",))] = "auto",
    n_draws: Annotated[int, Integer(2)] = 10,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LinearizationStudy:
    r"""Distance of networks from their tangent models through training, by width.

    Trains networks of several widths and their tangent models by the same steps of gradient descent, and
    measures how far they come apart: outputs on training and new rows, parameters, the tangent kernel, each
    with the fitted power of the width.

    Both take the same steps on the square loss (a sum over the rows) from the same parameters: the network by
    `ntklib.dynamics.train`, its tangent model :math:`f(w_0) + Df(w_0)(w - w_0)` in closed form.  In the NTK
    parameterisation the outputs come apart by :math:`O(m^{-1/2})` at most as the width m grows (Lee et al.).
    For smooth activations and output weights of mean zero the parameters do so like :math:`m^{-1/2}`, the
    outputs and the kernel like :math:`m^{-1}`: the neurons' contributions to the first correction have random
    signs.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    widths : iterable of int, default=(64, 128, ..., 1024)
        Units of the hidden layers, two widths at least.  Every hidden layer gets the same.
    X_test : array-like or CSR matrix of shape (n_test, n_features), default=None
        Rows on which outputs are compared as well.
    network : TwoLayerNet or MLP, default=TwoLayerNet(activation="erf", ...)
        Everything but the width and the number of outputs, which is that of y.  The default has inputs scaled
        by "fan_in" and is symmetric.
    steps : int, default=100
        Steps of gradient descent.
    learning_rate : float or "auto", default="auto"
        At all widths; "auto" is half the largest stable one of the network of infinite width.  That is 1 over
        the largest eigenvalue of its kernel on X.
    n_draws : int, default=10
        Networks a width, at least 2.

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
    >>> study = linearization_study(X, X[:, 0] * X[:, 1], [64, 256, 1024], steps=20, n_draws=4)
    >>> abs(study.slopes["parameters"].exponent + 0.5) < 0.1
    True
    >>> bool(study.outputs[-1] < 0.05)
    True
    """
    y = np.asarray(y, dtype=np.float64)
    if y.ndim not in (1, 2) or len(y) != X.shape[0] or not y.size or not np.isfinite(y).all():
        raise ValueError(f"y must hold a finite target a row, {X.shape[0]} of them, got shape {y.shape}.")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if X_test is not None:
        X_test = check_rows(X_test, "X_test").astype(np.float64, copy=False)
        check_same_features(X, X_test)
    network = clone(network).set_params(n_outputs=1 if y.ndim == 1 else y.shape[1])
    require_memory((4, y.size, y.size), np.float64, "set of Gram matrices", "", single=False)
    eta = _half_stable_step(network, X) if isinstance(learning_rate, str) else learning_rate
    settings: dict[str, Any] = {
        "network": network.with_width(1).to_dict(),
        "data": digest(X, y) if X_test is None else digest(X, y, X_test),
        "steps": steps,
        "learning_rate": eta,
        "n_draws": n_draws,
        "random_state": random_state,
    }
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"width {m}": partial(
            measure, network.with_width(m), X, y, X_test, steps, eta, n_draws, (random_state, m)
        )
        for m in widths
    }
    values = list(run_parts("linearization", settings, parts, out=out, progress=progress).values())
    drawn = {name: np.stack([v[name] for v in values]) for name in values[0]}
    width, gaps = np.array(list(widths)), {name: drawn[name] for name in GAPS}
    columns: dict[str, np.ndarray] = {}
    slopes: dict[str, PowerLaw] = {}
    for name, gap in gaps.items():
        columns[name], columns[f"{name}_se"] = mean, error = root_mean_square(gap**2)
        if np.isfinite(gap).all():
            slopes[name] = power_of_width(width, mean, error, n_draws)
    paths = {name: drawn[name] for name in ("output_paths", "loss_paths", "tangent_loss_paths")}
    return LinearizationStudy(
        width=width,
        **columns,
        sign_changes=drawn["sign_changes"].mean(axis=1),
        loss=paths["loss_paths"][..., -1].mean(axis=1),
        tangent_loss=paths["tangent_loss_paths"][..., -1].mean(axis=1),
        slopes=slopes,
        gaps=gaps,
        steps=recorded_steps(steps),
        **paths,
        network=network_text(network, width="m"),
        learning_rate=eta,
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_draws=n_draws,
        random_state=random_state,
    )


def _half_stable_step(network: Any, X: Any) -> float:
    """Half the largest stable step of gradient descent at infinite width."""
    largest = largest_stable_step(clone(network).set_params(n_outputs=1).limit_kernel()(X))
    if not np.isfinite(largest):
        raise ValueError("the limit is zero on these rows: no training.")
    return largest / 2
