"""The constants of the lazy-training theorems, and what keeps them from being applied at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.validation import check_rows
from ntklib.dynamics import SquaredError
from ntklib.networks import Params
from ntklib.networks.params import in_float64
from ntklib.networks.spec import MIRROR
from ntklib.networks.taylor_models import CenteredModel

from .._jacobian import jacobian_spectrum
from .._jacobian_lipschitz import OUTWARD, bound
from .._neurons import Neurons, base_network, unscaled
from .scale_interval import residual

__all__ = ["AnyBall", "GivenBalls", "LazyConstants", "constants_of", "targets_like"]


@dataclass(frozen=True)
class OnBalls:
    """beta(B) of a network, each ball looked at once."""

    neurons: Neurons
    values: dict[float, float] = field(default_factory=dict)

    def __call__(self, radius: float) -> float:
        if radius not in self.values:
            self.values[radius] = bound(self.neurons, radius).value
        return self.values[radius]


@dataclass(frozen=True)
class AnyBall:
    """One beta for all balls."""

    value: float

    def __call__(self, radius: float) -> float:
        return self.value


@dataclass(frozen=True)
class GivenBalls:
    """beta(B) by a function of the user's, each value checked."""

    function: Callable[[float], float]

    def __call__(self, radius: float) -> float:
        value = self.function(float(radius))
        if not (isinstance(value, Real) and value >= 0):
            raise ValueError(
                f"jacobian_lipschitz must return a number of at least 0, got {value!r} at radius {radius:g}."
            )
        return float(value)


@dataclass(frozen=True)
class LazyConstants:
    """Numbers that the theorems take of h at the start; no scale is in them."""

    h0: NDArray  # (n k,)
    y: NDArray  # (n k,)
    output_error: float  # bound on the rounding error of h0, a Euclidean norm
    sigma_min: float  # of the Jacobian, rounded down
    sigma_max: float  # rounded up
    eigenvalue_error: float  # bound on the rounding errors of their squares
    beta: Any  # of the radius of a ball
    failures: tuple[str, ...] = ()  # assumptions that do not hold, whatever the scale
    width: int | None = None  # of a network in the NTK parameterisation: beta falls like its root

    def residual(self, scale: float) -> float:
        """Return e = |h_0 - y / alpha|, rounded up."""
        return residual(self.h0, self.y, scale) + self.output_error * OUTWARD


def constants_of(net: Any, params: Params, X: Any, y: ArrayLike) -> LazyConstants:
    """Return the constants of a network of one hidden layer, or a centred one."""
    network, model, params, X = base_network(net), unscaled(net), in_float64(params), check_rows(X)
    neurons = Neurons.of(model, params, X)
    spectrum = jacobian_spectrum(model, params, X, neurons)
    h0 = model.apply(params, X)
    target = targets_like(h0, y)
    beta = OnBalls(neurons.distinct())
    start = bound(beta.neurons, 0.0)
    failures = []
    if start.reason:
        failures.append(f"activation: {start.reason} (beta = {start.value:g})")
    p, order = network.n_params(X.shape[1]), h0.size
    if p < order:
        failures.append(f"parameters: p = {p:,} trained ones cannot fit {order:,} outputs, p < n")
    copies = len(neurons.rows) - len(np.unique(neurons.rows, axis=0))
    if copies:
        failures.append(f"duplicate rows: {copies} of {len(neurons.rows)} rows repeat another one")
    if spectrum.sigma_min == 0:
        failures.append(
            f"rank deficiency: the smallest eigenvalue of the tangent kernel, {spectrum.eigenvalues[0]:.3g}, "
            f"is not above its rounding error, {spectrum.eigenvalue_error:.2g}"
        )
    return LazyConstants(
        h0=h0.ravel(),
        y=target,
        output_error=_output_error(net, params, X),
        sigma_min=spectrum.sigma_min,
        sigma_max=spectrum.sigma_max,
        eigenvalue_error=spectrum.eigenvalue_error,
        beta=beta,
        failures=tuple(failures),
        width=network.hidden_widths[0] if network.parameterization == "ntk" else None,
    )


def targets_like(h0: NDArray, y: ArrayLike) -> NDArray:
    """Return the targets as a vector in the order of the outputs.

    Raises
    ------
    ValueError
        If they are of another shape, or not finite.
    """
    targets = SquaredError().risk(np.atleast_1d(y), h0.shape).targets
    return targets.astype(np.float64, copy=False).ravel()


def _output_error(net: Any, params: Params, X: Any) -> float:
    """Norm of what rounding may have done to the outputs at scale 1; 0 where they are 0 by construction."""
    if isinstance(net, CenteredModel):
        centre = in_float64(net.params)
        if params == centre:
            return 0.0
        return _output_error(net.model, params, X) + _output_error(net.model, centre, X)
    mirrored = [name for name in params if name.startswith(MIRROR)]
    if mirrored and all((params[name] == params[name.removeprefix(MIRROR)]).all() for name in mirrored):
        return 0.0
    outputs = unscaled(net).apply(params, X)
    return Neurons.of(unscaled(net), params, X).output_rounding(float(np.linalg.norm(outputs)))
