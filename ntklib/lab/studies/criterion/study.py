"""The criterion of lazy training against the width of a network, by parameterisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress, seconds_text
from ntklib._core.threads import get_threads
from ntklib.lab.arguments import Integer, Integers, Options
from ntklib.lab.draws import mean_and_error, measure_draws
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import Networks, RowSource, study
from ntklib.lab.timing import seconds_of
from ntklib.lab.width_powers import fit_laws, predicted_powers
from ntklib.networks import MLP, PARAMETERIZATIONS, TwoLayerNet
from ntklib.theory import second_derivative_norm

from .result import CriterionStudy

__all__ = ["criterion_study"]

WIDTHS = tuple(2**k for k in range(7, 14))
NETWORK = TwoLayerNet(symmetric=True, input_scaling="fan_in")
MEASURES = ("kappa", "kappa_upper", "limit", "residual", "differential", "second_derivative")


@study(
    rows=RowSource("samples", max_samples=20),
    networks=Networks(("activation", "scale", "output_init", "symmetric")),
    examples="""
    ntklib study criterion                                ReLU on 20 handwritten digits
    ntklib study criterion --no-symmetric --scale 10 --out criterion
    ntklib study criterion --parameterizations ntk standard mean_field
    """,
)
def criterion_study(
    X: Any,
    y: Any,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    parameterizations: Annotated[Iterable[str], Options(PARAMETERIZATIONS)] = ("ntk", "standard"),
    n_draws: Annotated[int, Integer(2)] = 20,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> CriterionStudy:
    r"""Criterion of lazy training as networks grow wider.

    Draws networks of one hidden layer at several widths, in several parameterisations, and measures
    ``|h - y| |D^2h| / |Dh|^2``, which is small where training is lazy, and its parts, each with the predicted
    and the fitted power of the width.

    At the start, the criterion is :math:`\kappa = |h - y| |D^2h|/|Dh|^2` (`ntklib.theory.lazy_criterion`).
    The second derivative is block diagonal over the neurons, so that its norm is that of one neuron, while
    all m of them add to the first: :math:`|D^2h| \sim |Dh|/\sqrt m`.  With :math:`|Dh| \sim m^\delta`,

    .. math:: \kappa \sim m^{-1/2 - \delta}:

    :math:`m^{-1/2}` in the NTK parameterisation, :math:`\delta = 0`; :math:`1/m` in the standard one (of
    LeCun), :math:`\delta = 1/2`; and no power at all in mean-field networks, :math:`\delta = -1/2`, which are
    never lazy.  The largest of m neurons adds a factor :math:`\sqrt{\log m}` where the second derivative of
    the activation is not 0 and output weights are Gaussian: ReLU has the clean power.

    Parameters
    ----------
    widths : iterable of int, default=(128, 256, ..., 8192)
        Units of the hidden layer, two widths at least.
    parameterizations : iterable of str, default=("ntk", "standard")
        Powers of the width.  Step multipliers do not count here.
    n_draws : int, default=20
        Networks a width, at least 2.  All parameterisations have the same draws.

    Returns
    -------
    CriterionStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, or ``out`` holds a study of other data or settings.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    appendix A.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import criterion_study
    >>> X = np.random.default_rng(0).normal(size=(5, 3))
    >>> study = criterion_study(X, X[:, 0], [64, 256, 1024], n_draws=10)
    >>> [round(study.law(name).predicted, 1) for name in ("ntk", "standard")]
    [-0.5, -1.0]
    >>> bool(abs(study.law("standard").fitted.exponent + 1) < 0.2)
    True
    """
    sizes, names = list(widths), list(parameterizations)
    networks = {name: clone(network).set_params(parameterization=name) for name in names}
    plain = clone(network).set_params(parameterization="ntk")
    settings: dict[str, Any] = {
        "network": plain.with_width(1).to_dict(),
        "data": digest(X, y),
        "n_draws": n_draws,
        "random_state": random_state,
    }

    def draw(name: str, m: int, count: int) -> Mapping[str, Any]:
        return measure_draws(partial(_measure, networks[name].with_width(m), X, y), count, (random_state, m))

    jobs = {f"{name}, width {m}": partial(draw, name, m, n_draws) for name in names for m in sizes}

    def forecast(left: Sequence[str]) -> str:
        """From the time that one draw takes at the middle width: layers cost what they are wide."""
        middle = sizes[len(sizes) // 2]
        units = sum(max(int(name.rsplit(" ", 1)[1]), middle / 4) for name in left)
        each = seconds_of(partial(draw, names[0], middle, 1), warm=True)
        seconds = each * n_draws * units / middle / get_threads()
        return f"{n_draws * len(left)} networks, about {seconds_text(seconds)}"

    values = list(
        run_parts("criterion", settings, jobs, out=out, progress=progress, forecast=forecast).values()
    )
    draws = {name: np.stack([part[name] for part in values]) for name in MEASURES}
    moments = {name: mean_and_error(value) for name, value in draws.items()}
    width = np.tile(sizes, len(names))
    predicted = {name: _predicted(networks[name]) for name in names}
    return CriterionStudy(
        parameterization=np.repeat(names, len(sizes)),
        width=width,
        **{name: mean for name, (mean, _) in moments.items()},
        kappa_se=moments["kappa"][1],
        limit_se=moments["limit"][1],
        laws=fit_laws(predicted, width, moments, n_draws),
        draws=draws,
        network=network_text(plain, width="m"),
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_draws=n_draws,
        random_state=random_state,
    )


def _predicted(network: Any) -> dict[str, float]:
    powers = predicted_powers(network)
    delta = max(powers["norm_0"], powers["norm_1"])
    return {"kappa": -0.5 - delta, "differential": delta, "second_derivative": delta - 0.5}


def _measure(network: Any, X: Any, y: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """The criterion and its parts for a draw; of |D^2h| the lower end where nothing else is said."""
    scale, plain = network.scale, clone(network).set_params(scale=1.0)
    params = network.init(X.shape[1], rng)
    h = plain.apply(params, X)
    second = second_derivative_norm(plain, params, X)
    differential = float(np.sqrt(max(np.linalg.eigvalsh(plain.ntk(params, X))[-1], 0.0)))
    if differential == 0:
        raise ValueError("the outputs do not depend on the parameters at these rows: Dh is 0.")
    residual = float(np.linalg.norm(scale * h - y))
    kappa = second * (residual / (scale * differential**2))
    return {
        "kappa": kappa.lower,
        "kappa_upper": kappa.upper,
        "limit": second.lower * float(np.linalg.norm(h)) / differential**2,
        "residual": residual,
        "differential": differential,
        "second_derivative": second.lower,
    }
