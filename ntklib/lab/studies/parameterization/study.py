"""Gradients and step sizes of networks against width, by parameterisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress
from ntklib.dynamics import Optimizer, as_optimizer, largest_stable_step
from ntklib.lab.arguments import Integer, Integers, OptimizerName, Options
from ntklib.lab.draws import mean_and_error, measure_draws
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import TRAINED_OPTIONS, Networks, RowSource, study
from ntklib.lab.training import described, first_move
from ntklib.lab.width_powers import fit_laws, predicted_powers, reference_step
from ntklib.networks import MLP, PARAMETERIZATIONS, TwoLayerNet

from ..rescaling import rescaling_study
from ..rescaling.measure import can_be_rescaled
from ._best_step import best_steps
from .result import ParameterizationStudy

__all__ = ["parameterization_study"]

WIDTHS = (128, 256, 512, 1024, 2048)
COMPARED = ("standard", "ntk", "mup")
NETWORK = TwoLayerNet()

_RESCALED_WIDTH = 256

_STEPS = ("largest_step", "unit_step", "best_step")

_ORDER = {"largest_step": -1, "unit_step": -1, "best_step": 0, "first_change": 0}
"""Order of the power mean over the draws: of gradients 2, whose mean squares are exact; of 2/lambda -1."""


@study(
    rows=RowSource("samples", max_samples=50),
    networks=Networks(TRAINED_OPTIONS),
    examples="""
    ntklib study parameterization                         ReLU on handwritten digits
    ntklib study parameterization --data diabetes --out steps
    ntklib study parameterization --optimizer adam --parameterizations standard mup
    ntklib study parameterization --parameterizations mup --depth 2 --widths 128 256 512
    """,
)
def parameterization_study(
    X: Any,
    y: Any,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    parameterizations: Annotated[Iterable[str], Options(PARAMETERIZATIONS)] = COMPARED,
    optimizer: Annotated[str | Optimizer, OptimizerName()] = "gradient_descent",
    n_draws: Annotated[int, Integer(2)] = 8,
    steps: Annotated[int, Integer(0)] = 20,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ParameterizationStudy:
    r"""Gradients and the best step size against width, by parameterisation.

    Draws networks at several widths in the standard, NTK and maximal-update parameterisations, and fits
    powers of the width to the size of their gradients, the largest stable step size, the best one of short
    trainings, and what a step changes of the first layer, beside the powers predicted.  For homogeneous
    activations it also trains the rescaled pair, as the rescaling study does; the network's own
    parameterisation is that of this pair.

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
    y : array-like of shape (n_samples,)
        Targets.  Outputs count from where they start: the targets are y plus the outputs at the start.
    widths : iterable of int, default=(128, 256, ..., 2048)
        Units of the hidden layers, two widths at least.  Every hidden layer gets the same.
    network : TwoLayerNet or MLP, default=TwoLayerNet()
        Everything but width and, for all but the rescaled pair, parameterisation; one output, all layers
        trained.
    parameterizations : iterable of str, default=("standard", "ntk", "mup")
        Parameterisations to compare.
    optimizer : str or Optimizer, default="gradient_descent"
        Optimiser of the trainings.  As in `ntklib.dynamics.train`; its learning rate is varied, all else are
        numbers.
    n_draws : int, default=8
        Networks a width, at least 2.  All parameterisations have the same random numbers.
    steps : int, default=20
        Steps of the short trainings; 0 trains nothing, neither for the best step size nor the rescaled pair.

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
    >>> study = parameterization_study(X, np.sin(X[:, 0]), [32, 128], n_draws=3, steps=2)
    >>> law = study.law("standard", "first_entry")
    >>> law.predicted, abs(law.z) < 5
    (-0.5, True)
    """
    sizes, names, chosen = list(widths), list(parameterizations), as_optimizer(optimizer)
    _numbers_only(chosen)
    plain = clone(network).set_params(parameterization="ntk")
    settings: dict[str, Any] = {
        "network": plain.with_width(1).to_dict(),
        "optimizer": described(chosen, 0, without="learning_rate"),
        "data": digest(X, y),
        "n_draws": n_draws,
        "steps": steps,
        "random_state": random_state,
    }
    nets = {name: clone(network).set_params(parameterization=name) for name in names}
    parts = {
        f"{name} width {m}": partial(
            _measure, nets[name].with_width(m), X, y, chosen, n_draws, steps, (random_state, m)
        )
        for name in names
        for m in sizes
    }
    values = list(run_parts("parameterization", settings, parts, out=out, progress=progress).values())
    predicted = {name: predicted_powers(net, chosen) for name, net in nets.items()}
    if not steps:
        for powers in predicted.values():
            del powers["best_step"]
    draws = {name: np.array([value[name] for value in values]) for name in predicted[names[0]]}
    means = {name: _power_mean(drawn, _ORDER.get(name, 2)) for name, drawn in draws.items()}
    width, missing = np.tile(sizes, len(names)), np.full(len(values), np.nan)
    rescaling = None
    if steps and can_be_rescaled(network):
        rescaled = network.with_width(max([m for m in sizes if m <= _RESCALED_WIDTH], default=sizes[0]))
        rescaling = rescaling_study(
            X, y, network=rescaled, random_state=random_state, out=out, progress=progress
        )
    norms = np.stack([mean for name, (mean, _) in means.items() if name.startswith("norm_")], axis=1)
    return ParameterizationStudy(
        parameterization=np.repeat(names, len(sizes)),
        width=width,
        first_entry=means["first_entry"][0],
        first_norm=norms[:, 0],
        output_norm=norms[:, -1],
        **{name: means[name][0] if name in means else missing for name in _STEPS},
        first_change=means["first_change"][0],
        hidden_norms=norms[:, 1:-1],
        laws=fit_laws(predicted, width, means, n_draws),
        draws=draws,
        standard_errors={name: error for name, (_, error) in means.items()},
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


def _numbers_only(optimizer: Optimizer) -> None:
    """Raise if anything but the learning rate, which is varied, is a schedule."""
    names = [name for name, value in vars(optimizer).items() if callable(value) and name != "learning_rate"]
    if names:
        raise ValueError(f"optimizer has a schedule of {', '.join(names)}; the study takes numbers only.")


def _power_mean(draws: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of draws^order to the power 1/order, geometric for 0, and its standard error to first order."""
    mean, error = mean_and_error(draws**order if order else np.log(draws))
    if order == 0:
        return np.exp(mean), np.exp(mean) * error
    return mean ** (1 / order), mean ** (1 / order) * error / mean / abs(order)


def _measure(
    network: Any, X: Any, y: np.ndarray, optimizer: Any, n_draws: int, steps: int, seed: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Every quantity of every draw, and the losses of the sweep."""
    reference = reference_step(optimizer)

    def draw(rng: np.random.Generator) -> Mapping[str, float]:
        params = network.init(X.shape[1], rng)
        gradient = network.unravel(params, network.vjp(params, X, -y))
        squares = [_squares(gradient, _weights(params, layer)) for layer in range(network.depth + 1)]
        first = _weights(params, 0)
        entries = sum(params[name].size for name in first)
        size = np.sqrt(_squares(params, first) / entries)
        move, change = first_move(network, params, X, y, replace(optimizer, learning_rate=1.0))
        if reference == "largest_step":
            step = largest_stable_step(network.ntk(params, X, weighted=True))
        else:
            step = float(np.linalg.norm(y)) / change
        norms = {f"norm_{layer}": np.sqrt(square) for layer, square in enumerate(squares)}
        return {
            **norms,
            "first_entry": norms["norm_0"] / np.sqrt(entries),
            reference: step,
            "first_change": step * np.sqrt(_squares(move, first) / entries) / size,
        }

    measured = measure_draws(draw, n_draws, seed)
    if not steps:
        return measured
    # training in single precision is precise enough
    starts = [network.init(X.shape[1], generator(*seed, d), dtype=np.float32) for d in range(n_draws)]
    limit = float(_power_mean(measured[reference], -1)[0])
    rates, losses, best = best_steps(network, starts, X, y, limit, steps, optimizer)
    return {**measured, "best_step": best, "rates": rates, "losses": losses}


def _squares(arrays: Any, names: list[str]) -> float:
    return float(sum((arrays[name] ** 2).sum() for name in names))


def _weights(params: Any, layer: int) -> list[str]:
    """Names of a layer's weights, in both copies of a symmetric network."""
    return [name for name in params.names if name.removeprefix("mirror_") == f"W{layer}"]
