"""How fast a network becomes its linearisation as its outputs are scaled up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq
from sklearn.base import clone

from ntklib._core.progress import Progress, seconds_text
from ntklib._core.validation import check_integer, check_real, check_reals, check_rows
from ntklib.dynamics import SquaredError
from ntklib.kernels import NumericalActivation
from ntklib.lab._networks import network_text
from ntklib.lab._parts import digest, run_parts
from ntklib.networks import MLP, TwoLayerNet

from ._measure import MEASURES, Plan, measure, starts
from .result import PREDICTED, LocalSlopes, ScaleStudy, local_slopes

__all__ = ["SCALES", "scale_study"]

SCALES = tuple(float(f"{10 ** (quarter / 4):.4g}") for quarter in range(-4, 21))
"""Four a decade, from 0.1 to 100000."""

_FARTHEST = 1e15
"""Changes of the weights by one part in as much are rounding."""


def scale_study(
    X: Any,
    y: Any,
    scales: Iterable[float] = SCALES,
    *,
    network: TwoLayerNet | MLP | None = None,
    remaining: float = 0.01,
    offset: float = 0.01,
    rtol: float = 1e-12,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[str], None] | None = None,
) -> ScaleStudy:
    r"""Measure how networks :math:`\alpha h(w)` approach their linearisations as :math:`\alpha` grows.

    All follow the gradient flow of the square loss, a sum over rows, up to one :math:`\alpha^2 t`; there the
    network is compared with its linearisation at w_0.  There is no chance in it and nothing
    is fitted: the study reports the slopes between adjacent scales.  As :math:`\alpha` grows,

    - the **centred** model h - h(w_0) moves by :math:`\alpha^{-1}`; parameters of network and linearisation
      differ by :math:`\alpha^{-2}`, outputs by :math:`\alpha^{-1}`, for which the second derivative
      :math:`D^2 h[w_t - w_0, w_t - w_0]` accounts;
    - a **symmetric** start, two copies of the network whose outputs cancel, makes h odd under their exchange:
      that term vanishes, and outputs differ by :math:`\alpha^{-2}`;
    - a **plain** network with h(w_0) other than 0 does not become lazy: the residual
      :math:`|h(w_0) - y/\alpha|`, which has to be undone by h itself, tends to |h(w_0)|, and movement and
      relative gaps to constants;
    - a symmetric start that is a little off (``offset``) looks lazy up to :math:`\alpha \approx |y|/|h(w_0)|`
      and stops there.

    Parameters
    ----------
    X : array-like or CSR matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, k)
        Targets, shaped like the outputs.
    scales : iterable of float, default=(0.1, 0.1778, ..., 100000)
        alpha, positive, at least two.
    network : TwoLayerNet, MLP or None, default=None
        With a smooth activation; its scale and symmetry are set here.  None is
        ``TwoLayerNet(64, activation="erf", input_scaling="fan_in")``.
    remaining : float, default=0.01
        Models are compared when the linearisation of the centred one has this share of its loss left; that
        is one :math:`\alpha^2 t` for all scales.  More than 0, less than 1.
    offset : float, default=0.01
        By how much, relatively, the output weights of the second copy are longer in the last model; more
        than 0.
    rtol : float, default=1e-12
        Of `integrate_flow`.
    random_state : int, default=0
    out : str, Path or None, default=None
        A folder; each scale is kept there as soon as it is finished, and a study that was killed goes on from
        those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.
    announce : callable or None, default=None
        Receives a line that says beforehand how long it will take; None writes it where progress is written.

    Returns
    -------
    ScaleStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, the activation has kinks, the flow cannot be integrated, or ``out``
        holds a study of other data or settings.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    section 2; Y. Zhang et al., "A type of generalization error induced by initialization in
    deep neural networks", 2020 (symmetrised initialisation).

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.lab.studies import scale_study
    >>> X, y = np.eye(3), [1.0, -1.0, 0.5]
    >>> study = scale_study(X, y, [100.0, 300.0, 1000.0], network=TwoLayerNet(16, activation="erf"))
    >>> study.slopes["symmetric"]["output_gap"].deviation < 0.02
    True
    """
    X = check_rows(X)
    X = X.astype(np.float64, copy=False)
    network = TwoLayerNet(64, activation="erf", input_scaling="fan_in") if network is None else network
    if not isinstance(network, TwoLayerNet | MLP):
        raise TypeError(f"network must be a TwoLayerNet or an MLP, got {network!r}.")
    network = clone(network).set_params(scale=1.0, symmetric=False)
    _refuse_kinks(network)
    k = network.n_outputs
    y = SquaredError().risk(y, (X.shape[0],) if k == 1 else (X.shape[0], k)).targets
    alphas = np.array(check_reals(scales, "scales", minimum=0, strict=True, least=2))
    if alphas[0] < 1 / _FARTHEST or alphas[-1] > _FARTHEST:
        raise ValueError(
            f"scales must lie between {1 / _FARTHEST:g} and {_FARTHEST:g}, got {alphas[0]:g} to "
            f"{alphas[-1]:g}; beyond, rounding is all there is."
        )
    remaining = check_real(remaining, "remaining", minimum=0, strict=True)
    if remaining >= 1:
        raise ValueError(f"remaining must be less than 1, got {remaining}.")
    offset = check_real(offset, "offset", minimum=0, strict=True)
    rtol = check_real(rtol, "rtol", minimum=1e-14)
    random_state = check_integer(random_state, "random_state", minimum=0)
    found = starts(network, X.shape[1], random_state, offset)
    plain = found["plain"]
    gram = network.ntk(plain.params, X, output="full").reshape(y.size, y.size)
    plan = Plan(found, X, y, _time(gram, y.ravel(), remaining), rtol)
    settings: dict[str, Any] = {
        "network": network.to_dict(),
        "data": digest(X, y),
        "remaining": remaining,
        "offset": offset,
        "rtol": rtol,
        "random_state": random_state,
    }
    computed: dict[str, Mapping[str, Any]] = {}

    def part(name: str, alpha: float) -> Mapping[str, Any]:
        return computed.pop(name) if name in computed else _at_scale(plan, alpha)

    names = {f"scale {alpha!r}": alpha for alpha in alphas.tolist()}
    parts = {name: partial(part, name, alpha) for name, alpha in names.items()}

    def forecast(left: Sequence[str]) -> str:
        """From the time that one of the scales takes."""
        began, name = time.perf_counter(), left[len(left) // 2]
        computed[name] = _at_scale(plan, names[name])
        seconds = len(left) * (time.perf_counter() - began)
        return f"{len(found) * len(left)} flows, about {seconds_text(seconds)}"

    values = run_parts(
        "scale", settings, parts, out=out, progress=progress, forecast=forecast, announce=announce
    )
    columns = {name: np.stack([part[name] for part in values.values()], axis=1) for name in MEASURES}
    slopes, local = _slopes(alphas, list(found), columns)
    return ScaleStudy(
        model=np.repeat(list(found), len(alphas)),
        scale=np.tile(alphas, len(found)),
        **{name: column.ravel() for name, column in {**columns, **local}.items()},
        slopes=slopes,
        start_outputs={
            name: float(np.linalg.norm(start.at_scale(1.0).apply(start.params, X)))
            for name, start in found.items()
        },
        target_norm=float(np.linalg.norm(y)),
        network=network_text(network),
        time=plan.time,
        remaining=remaining,
        rtol=rtol,
        offset=offset,
        n_samples=X.shape[0],
        n_features=X.shape[1],
        random_state=random_state,
    )


def _refuse_kinks(network: Any) -> None:
    activation = network.spec.activation
    if isinstance(activation, NumericalActivation):
        return  # nothing is known of it
    if network.trainable != "output" and np.isinf(activation.derivative_bounds(0.0, 0.0)[1]):
        raise ValueError(
            f"the derivative of {activation!r} jumps, and flows that slide along kinks cannot be "
            "integrated; choose a smooth activation such as 'erf' or 'softplus'."
        )


def _time(gram: np.ndarray, y: np.ndarray, remaining: float) -> float:
    """When a linear model that starts at 0 has a share of its loss left."""
    values, vectors = eigh(gram)
    shares = np.square(vectors.T @ y) / max(float(y @ y), np.finfo(float).tiny)
    moves = values > len(y) * np.finfo(float).eps * max(values[-1], 0.0)
    if not y.any() or 1 - shares[moves].sum() >= remaining:
        raise ValueError(
            f"the linearised model never has only {remaining:g} of its loss left; choose a larger remaining, "
            "rows without duplicates, or a wider network."
        )
    rates, shares = 2 * values[moves], shares[moves]

    def excess(time: float) -> float:
        return float(shares @ np.exp(-rates * time)) + 1 - shares.sum() - remaining

    late = 1 / rates.max()
    while excess(late) > 0:
        late *= 2
    return float(brentq(excess, 0, late, xtol=1e-12 * late))


def _at_scale(plan: Plan, scale: float) -> dict[str, np.ndarray]:
    try:
        return measure(plan, scale)
    except RuntimeError as error:
        raise ValueError(f"scale {scale:g}: {error}") from error


def _slopes(
    alphas: np.ndarray, models: list[str], columns: Mapping[str, np.ndarray]
) -> tuple[dict[str, dict[str, LocalSlopes]], dict[str, np.ndarray]]:
    """Of every model and quantity the slopes of the last decade, and the columns of all of them."""
    errors = {"movement": "parameter_error", "parameter_gap": "parameter_error", "output_gap": "output_error"}
    slopes: dict[str, dict[str, LocalSlopes]] = {model: {} for model in models}
    local: dict[str, np.ndarray] = {}
    for name, error in errors.items():
        rows = []
        for i, model in enumerate(models):
            each, last = local_slopes(alphas, columns[name][i], columns[error][i], PREDICTED[model][name])
            rows.append(each)
            slopes[model][name] = last
        local[name.replace("_gap", "") + "_slope"] = np.stack(rows)
    return slopes, local
