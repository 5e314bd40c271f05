"""How the criterion of lazy training falls with the width of a network, by parameterisation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress, seconds_text
from ntklib._core.threads import get_threads, parallel_for
from ntklib._core.validation import check_integer, check_options
from ntklib.lab._networks import network_text
from ntklib.lab._parts import digest, run_parts
from ntklib.lab._power_law import fit_power_law
from ntklib.lab._samples import check_samples
from ntklib.lab._scaling import ScalingLaw, predicted_powers
from ntklib.networks import MLP, PARAMETERIZATIONS, TwoLayerNet
from ntklib.theory import second_derivative_norm

from ..width.study import check_widths
from .result import CriterionStudy

__all__ = ["criterion_study"]

WIDTHS = tuple(2**k for k in range(7, 14))
QUANTITIES = ("kappa", "differential", "second_derivative")
MEASURES = ("kappa", "kappa_upper", "limit", "residual", "differential", "second_derivative")


def criterion_study(
    X: Any,
    y: Any,
    widths: Iterable[int] = WIDTHS,
    *,
    network: TwoLayerNet | MLP | None = None,
    parameterizations: Iterable[str] = ("ntk", "standard"),
    n_draws: int = 20,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> CriterionStudy:
    r"""Measure the criterion of lazy training of random networks at several widths.

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
    X : array-like or CSR matrix of shape (n, n_features)
    y : array-like of shape (n,)
        Targets.
    widths : iterable of int, default=(128, 256, ..., 8192)
        At least two.
    network : TwoLayerNet, MLP of one hidden layer, or None, default=None
        Everything but width and parameterisation; one output, all layers trained.  None is
        ``TwoLayerNet(symmetric=True, input_scaling="fan_in")``, whose outputs start at 0.
    parameterizations : iterable of str, default=("ntk", "standard")
        Of "ntk", "standard", "mean_field" and "mup"; step multipliers do not count here.
    n_draws : int, default=20
        Networks a width, at least 2.
    random_state : int, default=0
        Draw d at width m is seeded by (random_state, m, d) and by nothing else; all parameterisations have
        the same draws.
    out : str, Path or None, default=None
        A folder; each width is kept there as soon as it is finished, and a study that was killed goes on
        from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.
    announce : callable or None, default=None
        Receives a line that says how long the study will take; None writes it where progress is written.

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
    if network is None:
        network = TwoLayerNet(symmetric=True, input_scaling="fan_in")
    if not isinstance(network, TwoLayerNet | MLP):
        raise TypeError(f"network must be a TwoLayerNet or an MLP, got {network!r}.")
    if network.depth != 1:
        raise ValueError(
            f"the network has {network.depth} hidden layers; the second derivative is known from both sides "
            "for one only."
        )
    X, y = check_samples(X, y, network)
    sizes = check_widths(widths)
    names = check_options(parameterizations, "parameterizations", PARAMETERIZATIONS)
    n_draws = check_integer(n_draws, "n_draws", minimum=2)
    random_state = check_integer(random_state, "random_state", minimum=0)
    networks = {name: clone(network).set_params(parameterization=name) for name in names}
    plain = clone(network).set_params(parameterization="ntk")
    settings: dict[str, Any] = {
        "network": plain.with_width(1).to_dict(),
        "data": digest(X, y),
        "n_draws": n_draws,
        "random_state": random_state,
    }
    jobs = {
        f"{name}, width {m}": partial(_draws, networks[name].with_width(m), X, y, n_draws, (random_state, m))
        for name in names
        for m in sizes
    }

    def forecast(left: Sequence[str]) -> str:
        """From the time that one draw takes at the middle width: layers cost what they are wide."""
        middle = sizes[len(sizes) // 2]
        for _ in range(2):  # the first one pays for what is loaded and compiled
            began = time.perf_counter()
            _draws(networks[names[0]].with_width(middle), X, y, 1, (random_state, middle))
        units = sum(max(int(name.rsplit(" ", 1)[1]), middle / 4) for name in left)
        seconds = (time.perf_counter() - began) * n_draws * units / middle / get_threads()
        return f"{n_draws * len(left)} networks, about {seconds_text(seconds)}"

    values = run_parts(
        "criterion", settings, jobs, out=out, progress=progress, forecast=forecast, announce=announce
    )
    draws = {name: np.stack([part[name] for part in values.values()]) for name in MEASURES}
    parameterization, width = np.repeat(names, len(sizes)), np.tile(sizes, len(names))
    error = {name: value.std(axis=1, ddof=1) / np.sqrt(n_draws) for name, value in draws.items()}
    freedom = len(sizes) * (n_draws - 1)
    laws = []
    for name in names:
        rows, predicted = parameterization == name, _predicted(networks[name])
        for quantity in QUANTITIES:
            mean = draws[quantity][rows].mean(axis=1)
            fitted = fit_power_law(width[rows], mean, error[quantity][rows], degrees_of_freedom=freedom)
            laws.append(ScalingLaw(name, quantity, predicted[quantity], fitted))
    return CriterionStudy(
        parameterization=parameterization,
        width=width,
        **{name: value.mean(axis=1) for name, value in draws.items()},
        kappa_se=error["kappa"],
        limit_se=error["limit"],
        laws=tuple(laws),
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


def _draws(network: Any, X: Any, y: np.ndarray, n_draws: int, seed: tuple[int, int]) -> Mapping[str, Any]:
    """The criterion and its parts for each draw; of |D^2h| the lower end where nothing else is said."""
    found = {name: np.empty(n_draws) for name in MEASURES}
    scale = network.scale
    plain = clone(network).set_params(scale=1.0)

    def draw(index: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(seed[0], spawn_key=(seed[1], index)))
        params = network.init(X.shape[1], rng)
        h = plain.apply(params, X)
        second = second_derivative_norm(plain, params, X)
        differential = float(np.sqrt(max(np.linalg.eigvalsh(plain.ntk(params, X))[-1], 0.0)))
        if differential == 0:
            raise ValueError("the outputs do not depend on the parameters at these rows: Dh is 0.")
        residual = float(np.linalg.norm(scale * h - y))
        kappa = second * (residual / (scale * differential**2))
        values = {
            "kappa": kappa.lower,
            "kappa_upper": kappa.upper,
            "limit": second.lower * float(np.linalg.norm(h)) / differential**2,
            "residual": residual,
            "differential": differential,
            "second_derivative": second.lower,
        }
        for name, value in values.items():
            found[name][index] = value

    parallel_for(draw, range(n_draws))
    return found
