"""How gradients and step sizes depend on width in the parameterisations of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_integer, check_options
from ntklib.dynamics import Optimizer, as_optimizer, largest_stable_step
from ntklib.lab.networks import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.power_law import fit_power_law
from ntklib.lab.samples import check_samples
from ntklib.lab.scaling import ScalingLaw, predicted_powers, reference_step
from ntklib.lab.training import described, first_move
from ntklib.networks import MLP, PARAMETERIZATIONS, TwoLayerNet

from ..rescaling.measure import can_be_rescaled
from ..rescaling.study import rescaling_study
from ..width.study import check_widths
from ._best_step import best_steps
from .result import ParameterizationStudy

__all__ = ["COMPARED", "WIDTHS", "parameterization_study"]

WIDTHS = (128, 256, 512, 1024, 2048)
COMPARED = ("standard", "ntk", "mup")


def parameterization_study(
    X: Any,
    y: Any,
    widths: Iterable[int] = WIDTHS,
    *,
    network: TwoLayerNet | MLP | None = None,
    parameterizations: Iterable[str] = COMPARED,
    optimizer: str | Optimizer = "gradient_descent",
    n_draws: int = 8,
    steps: int = 20,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ParameterizationStudy:
    r"""Measure gradients and step sizes against width, and compare their powers with those predicted.

    Networks are drawn at every width, and at their start this measures the gradient of
    :math:`\frac12 |f - f_0 - y|^2` layer by layer, the step size up to which gradient descent is stable,
    :math:`2/\lambda_{\max}` of the tangent kernel weighted by the network's step multipliers, and what that
    step changes of the first layer; and by short trainings, the step size that leaves the smallest loss.  All
    go with powers of the width (`predicted_powers`):

    ===================================  ========  =====  ====
    quantity                             standard  ntk    mup
    ===================================  ========  =====  ====
    entries of first layer's gradient    -1/2      -1/2   -1
    norm of first layer's gradient       0         0      -1/2
    norm of output layer's gradient      1/2       0      1/2
    step size                            -1        0      0
    change of the first layer in a step  -3/2      -1/2   0
    ===================================  ========  =====  ====

    For one hidden layer the first three hold exactly in mean square, at any width; the others, and all of
    deeper networks, up to terms smaller by 1/width.

    For another optimiser the step size is the one whose first move would change the outputs by the targets'
    length, to first order; with the optimiser's own step multipliers it does not depend on the width in "mup"
    and "mean_field".  The rescaled pair is `rescaling_study`, of the
    network as given, with the largest of the widths up to 256.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Outputs count from where they start: the targets are y plus the outputs at the start.
    widths : iterable of int, default=(128, 256, ..., 2048)
        At least two; every hidden layer gets the same.
    network : TwoLayerNet, MLP or None, default=None
        Everything but width and parameterisation; one output, all layers trained.  None is ``TwoLayerNet()``.
    parameterizations : iterable of str, default=("standard", "ntk", "mup")
        Of "standard", "ntk", "mean_field", "mup".
    optimizer : str or Optimizer, default="gradient_descent"
        Of the trainings, as in `ntklib.dynamics.train`; its learning rate is varied, all else are numbers.
    n_draws : int, default=8
        Networks a width, at least 2; the same random numbers in every parameterisation.
    steps : int, default=20
        Of the short trainings; 0 trains nothing, neither for the best step size nor the rescaled pair.
    random_state : int, default=0
        Draw d at width m is seeded by (random_state, m, d) and by nothing else.
    out : str, Path or None, default=None
        A folder; each parameterisation and width is kept there as soon as it is finished, and a study that
        was stopped goes on from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.

    Returns
    -------
    ParameterizationStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other data or settings.

    References
    ----------
    Y. LeCun et al., "Efficient backprop", 1998; A. Jacot et al., "Neural tangent kernel", 2018; G. Yang and
    E. J. Hu, "Feature learning in infinite-width neural networks", 2021; G. Yang et al., "Tensor programs V:
    tuning large neural networks via zero-shot hyperparameter transfer", 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import parameterization_study
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> study = parameterization_study(X, np.sin(X[:, 0]), [64, 256], n_draws=3, steps=5)
    >>> law = study.law("standard", "first_entry")
    >>> law.predicted, abs(law.z) < 5
    (-0.5, True)
    """
    network = TwoLayerNet() if network is None else network
    X, y = check_samples(X, y, network)
    sizes = check_widths(widths)
    names = check_options(parameterizations, "parameterizations", PARAMETERIZATIONS)
    chosen = as_optimizer(optimizer)
    _numbers_only(chosen)
    plain = clone(network).set_params(parameterization="ntk")
    settings: dict[str, Any] = {
        "network": plain.with_width(1).to_dict(),
        "optimizer": described(chosen, 0, without="learning_rate"),
        "data": digest(X, y),
        "n_draws": check_integer(n_draws, "n_draws", minimum=2),
        "steps": check_integer(steps, "steps", minimum=0),
        "random_state": check_integer(random_state, "random_state", minimum=0),
    }
    nets = {name: clone(network).set_params(parameterization=name) for name in names}
    rows = [(name, m) for name in names for m in sizes]
    parts = {
        f"{name} width {m}": partial(
            _measure, nets[name].with_width(m), X, y, chosen, n_draws, steps, (random_state, m)
        )
        for name, m in rows
    }
    values = list(run_parts("parameterization", settings, parts, out=out, progress=progress).values())
    quantities = [name for name in predicted_powers(network, chosen) if name in values[0]]
    draws = {name: np.array([value[name] for value in values]) for name in quantities}
    means = {name: [_power_mean(row, _ORDER.get(name, 2)) for row in draws[name]] for name in quantities}
    found = {name: np.array([mean for mean, _ in pairs]) for name, pairs in means.items()}
    errors = {name: np.array([error for _, error in pairs]) for name, pairs in means.items()}
    laws = []
    for index, name in enumerate(names):
        at = slice(index * len(sizes), (index + 1) * len(sizes))
        powers = predicted_powers(nets[name], chosen)
        for quantity in quantities:
            freedom = len(sizes) * (n_draws - 1)
            fitted = fit_power_law(
                np.array(sizes), found[quantity][at], errors[quantity][at], degrees_of_freedom=freedom
            )
            laws.append(ScalingLaw(name, quantity, powers[quantity], fitted))
    rescaling = None
    if steps and can_be_rescaled(network):
        width = max([m for m in sizes if m <= _RESCALED_WIDTH], default=sizes[0])
        rescaling = rescaling_study(
            X,
            y,
            network=network.with_width(width),
            random_state=random_state,
            out=out,
            progress=progress,
        )
    norms = np.stack([found[name] for name in quantities if name.startswith("norm_")], axis=1)
    return ParameterizationStudy(
        parameterization=np.array([name for name, _ in rows]),
        width=np.array([m for _, m in rows]),
        first_entry=found["first_entry"],
        first_norm=norms[:, 0],
        output_norm=norms[:, -1],
        **{name: found.get(name, np.full(len(rows), np.nan)) for name in _STEPS},
        first_change=found["first_change"],
        hidden_norms=norms[:, 1:-1],
        laws=tuple(laws),
        draws=draws,
        standard_errors=errors,
        sweeps=tuple(np.stack([value["rates"], value["losses"]], axis=1) for value in values if steps),
        rescaling=rescaling,
        network=network_text(plain, width="m"),
        optimizer=settings["optimizer"],
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_draws=n_draws,
        steps=steps,
        random_state=random_state,
    )


_RESCALED_WIDTH = 256

_STEPS = ("largest_step", "unit_step", "best_step")

_ORDER = {"largest_step": -1, "unit_step": -1, "best_step": 0, "first_change": 0}
"""Order of the power mean over the draws: of gradients 2, whose mean squares are exact; of 2/lambda -1."""


def _numbers_only(optimizer: Optimizer) -> None:
    """Raise if anything but the learning rate, which is varied, is a schedule."""
    names = [name for name, value in vars(optimizer).items() if callable(value) and name != "learning_rate"]
    if names:
        raise ValueError(f"optimizer has a schedule of {', '.join(names)}; the study takes numbers only.")


def _power_mean(values: np.ndarray, order: int) -> tuple[float, float]:
    """Mean of values^order to the power 1/order, geometric for 0, and its standard error to first order."""
    powers = values**order if order else np.log(values)
    mean, error = powers.mean(), powers.std(ddof=1) / np.sqrt(len(values))
    if order == 0:
        return float(np.exp(mean)), float(np.exp(mean) * error)
    return float(mean ** (1 / order)), float(mean ** (1 / order) * error / mean / abs(order))


def _measure(
    network: Any,
    X: Any,
    y: np.ndarray,
    optimizer: Any,
    n_draws: int,
    steps: int,
    seed: tuple[int, int],
) -> dict[str, np.ndarray]:
    """Every quantity of every draw, and the losses of the sweep."""
    found = {name: np.empty(n_draws) for name in predicted_powers(network, optimizer) if name != "best_step"}
    reference = reference_step(optimizer)
    starts: list[Any] = [None] * n_draws

    def draw(index: int) -> None:
        source = np.random.SeedSequence(seed[0], spawn_key=(seed[1], index))
        params = network.init(X.shape[1], source)
        gradient = network.unravel(params, network.vjp(params, X, -y))
        for layer in range(network.depth + 1):
            squares = sum((gradient[name] ** 2).sum() for name in _weights(params, layer))
            found[f"norm_{layer}"][index] = np.sqrt(squares)
        first = _weights(params, 0)
        entries = sum(params[name].size for name in first)
        size = np.sqrt(sum((params[name] ** 2).sum() for name in first) / entries)
        found["first_entry"][index] = found["norm_0"][index] / np.sqrt(entries)
        move, change = first_move(network, params, X, y, replace(optimizer, learning_rate=1.0))
        if reference == "largest_step":
            step = largest_stable_step(network.ntk(params, X, weighted=True))
        else:
            step = float(np.linalg.norm(y)) / change
        found[reference][index] = step
        moved = sum((move[name] ** 2).sum() for name in first)
        found["first_change"][index] = step * np.sqrt(moved / entries) / size
        starts[index] = network.init(X.shape[1], source, dtype=np.float32)

    parallel_for(draw, range(n_draws))
    if not steps:
        return found
    limit = _power_mean(found[reference], -1)[0]
    rates, losses, found["best_step"] = best_steps(network, starts, X, y, limit, steps, optimizer)
    return {**found, "rates": rates, "losses": losses}


def _weights(params: Any, layer: int) -> list[str]:
    """Names of a layer's weights, in both copies of a symmetric network."""
    return [name for name in params.names if name.removeprefix("mirror_") == f"W{layer}"]
