"""Networks and their linearisations as outputs are scaled up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq
from sklearn.base import clone

from ntklib._core.progress import Progress, seconds_text
from ntklib.dynamics import SquaredError
from ntklib.kernels import NumericalActivation
from ntklib.lab.arguments import Real, Reals
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import NETWORK_OPTIONS, Networks, RowSource, study
from ntklib.lab.timing import seconds_of
from ntklib.networks import MLP, TwoLayerNet

from .measure import MEASURES, measure, scaled_models
from .result import PREDICTED, LocalSlopes, ScaleStudy, local_slopes

__all__ = ["scale_study"]

SCALES = tuple(float(f"{10 ** (quarter / 4):.4g}") for quarter in range(-4, 21))
"""Four a decade, from 0.1 to 100000."""

NETWORK = TwoLayerNet(64, activation="erf", input_scaling="fan_in")

_FARTHEST = 1e15
"""Changes of the weights by one part in as much are rounding."""


@study(
    rows=RowSource("samples", max_samples=16, several_outputs=True),
    networks=Networks(tuple(name for name in NETWORK_OPTIONS if name != "symmetric"), width=True),
    examples="""
    ntklib study scale                                    erf network, 16 digits, less than a minute
    ntklib study scale --activation softplus --depth 2 --scales 1 10 100 1000 --out scale
    """,
)
def scale_study(
    X: Any,
    y: Any,
    scales: Annotated[Iterable[float], Reals(least=2)] = SCALES,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    remaining: Annotated[float, Real(strict=True, below=1.0)] = 0.01,
    offset: Annotated[float, Real(strict=True)] = 0.01,
    rtol: Annotated[float, Real(1e-14)] = 1e-12,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> ScaleStudy:
    r"""Powers with which networks become their linearisations as outputs are scaled up.

    Follows the gradient flow of networks at several scales of their outputs, and of their linearisations, and
    reports with which powers of the scale the movement and the gaps between both fall: for centred and
    symmetrised networks, and for such as do not start at 0 and never become lazy, all made from one network.

    All networks :math:`\alpha h(w)` follow the gradient flow of the square loss, a sum over rows, up to one
    :math:`\alpha^2 t`; there the network is compared with its linearisation at w_0.  There is no chance in it
    and nothing is fitted: the study reports the slopes between adjacent scales.  As :math:`\alpha` grows,

    - the **centred** model h - h(w_0) moves by :math:`\alpha^{-1}`; parameters of network and linearisation
      differ by :math:`\alpha^{-2}`, outputs by :math:`\alpha^{-1}`, for which the second derivative
      :math:`D^2 h[w_t - w_0, w_t - w_0]` accounts;
    - a **symmetric** start, two copies of the network whose outputs cancel, makes h odd under their exchange:
      that term vanishes, and outputs differ by :math:`\alpha^{-2}`;
    - a **plain** network with h(w_0) other than 0 does not become lazy: the residual
      :math:`|h(w_0) - y/\alpha|`, which has to be undone by h itself, tends to :math:`|h(w_0)|`, and movement
      and relative gaps to constants;
    - a symmetric start that is a little off (``offset``) looks lazy up to :math:`\alpha \approx |y|/|h(w_0)|`
      and stops there.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, k)
        Targets, shaped like the outputs.
    scales : iterable of float, default=(0.1, 0.1778, ..., 100000)
        Factors alpha of the outputs, two at least.
    network : TwoLayerNet or MLP, default=TwoLayerNet(64, activation="erf", input_scaling="fan_in")
        With a smooth activation; its scale and symmetry are set here.
    remaining : float, default=0.01
        Share of its loss that the linearisation of the centred model has left when models are compared.  That
        is at one :math:`\alpha^2 t` for all scales.  More than 0, less than 1.
    offset : float, default=0.01
        By how much, relatively, the output weights of the second copy are longer in the last model.  More
        than 0.
    rtol : float, default=1e-12
        Relative tolerance of a step of the integration.

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
    network = clone(network).set_params(scale=1.0, symmetric=False)
    _refuse_kinks(network)
    k = network.n_outputs
    y = SquaredError().risk(y, (X.shape[0],) if k == 1 else (X.shape[0], k)).targets
    alphas = np.array(scales)
    if alphas[0] < 1 / _FARTHEST or alphas[-1] > _FARTHEST:
        raise ValueError(
            f"scales must lie between {1 / _FARTHEST:g} and {_FARTHEST:g}, got {alphas[0]:g} to "
            f"{alphas[-1]:g}; beyond, rounding is all there is."
        )
    models = scaled_models(network, X.shape[1], random_state, offset)
    gram = network.ntk(models["plain"].params, X, output="full").reshape(y.size, y.size)
    time = _time(gram, y.ravel(), remaining)
    settings: dict[str, Any] = {
        "network": network.to_dict(),
        "data": digest(X, y),
        "remaining": remaining,
        "offset": offset,
        "rtol": rtol,
        "random_state": random_state,
    }
    computed: dict[str, Mapping[str, Any]] = {}

    def at_scale(name: str, alpha: float) -> Mapping[str, Any]:
        if name not in computed:
            computed[name] = measure(models, X, y, alpha, time, rtol)
        return computed[name]

    parts = {f"scale {alpha!r}": partial(at_scale, f"scale {alpha!r}", alpha) for alpha in alphas.tolist()}

    def forecast(left: Sequence[str]) -> str:
        """From the time that one of the scales takes, which is kept."""
        seconds = len(left) * seconds_of(parts[left[len(left) // 2]])
        return f"{len(models) * len(left)} flows, about {seconds_text(seconds)}"

    values = run_parts("scale", settings, parts, out=out, progress=progress, forecast=forecast).values()
    columns = {name: np.stack([part[name] for part in values], axis=1) for name in MEASURES}
    slopes, local = _slopes(alphas, list(models), columns)
    return ScaleStudy(
        model=np.repeat(list(models), len(alphas)),
        scale=np.tile(alphas, len(models)),
        **{name: column.ravel() for name, column in {**columns, **local}.items()},
        slopes=slopes,
        start_outputs={
            name: float(np.linalg.norm(model.at_scale(1.0).apply(model.params, X)))
            for name, model in models.items()
        },
        target_norm=float(np.linalg.norm(y)),
        network=network_text(network),
        time=time,
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
    """Time at which a linear model that starts at 0 has a share of its loss left."""
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
