"""Spread of trained, infinitely wide networks over their random starts."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ntklib.dynamics import SquaredError, ensemble
from ntklib.kernels import NTK

from ._models import InfiniteTangent, Tangent
from ._training import Training


def ensemble_spread(
    model: Tangent, training: Training, X: Any, steps: int, learning_rate: float, *, covariance: bool
) -> NDArray:
    """Standard deviation (m,), or covariance (m, m), of each output over random starts.

    Raises
    ------
    ValueError
        If the law of the trained networks is not known: another model than an NTK's, another loss than the
        square, or a start that was no random draw.
    """
    kernel = _checked(model, training)
    units, fresh = training.units, kernel.nngp()
    path = ensemble(
        kernel(units.X),
        fresh(units.X),
        units.targets,
        steps,
        ntk_test=kernel(X, units.X),
        nngp_test=fresh(X, units.X),
        nngp_test_test=fresh(X) if covariance else fresh.diag(X),
        learning_rate=learning_rate,
        momentum=training.momentum,
        sample_weight=units.weights,
        return_cov=covariance,
    )
    spread: Any = path.test_covariance if covariance else path.test_std
    return spread[0]


def _checked(model: Tangent, training: Training) -> NTK:
    kernel = model.kernel if isinstance(model, InfiniteTangent) else None
    if not isinstance(kernel, NTK):
        raise ValueError(
            "the spread over random starts is known for infinitely wide networks only: fit with "
            f"kernel=NTK(...), not with {'a network' if kernel is None else repr(kernel)}."
        )
    if kernel.normalized:
        raise ValueError("a normalized NTK is no network's kernel: no ensemble has it; use normalized=False.")
    if not isinstance(training.loss, SquaredError):
        raise ValueError(
            f"with {training.loss.name} the outputs of trained networks are not Gaussian; "
            "return_std and return_cov need loss='squared_error'."
        )
    if training.before is not None:
        raise ValueError("the spread is not known after a warm start; fit once, with a larger max_iter.")
    return kernel
