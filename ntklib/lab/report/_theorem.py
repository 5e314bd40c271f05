"""Promises of theory on a wide network before it is trained on some of the rows, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ntklib._core.sampling import sample_rows
from ntklib._core.threads import set_threads
from ntklib.lab.tables import DataError
from ntklib.lab.tables.target import centred_numbers

__all__ = ["DescentRun", "LazyTraining", "TheoremPromise", "certify_rows"]

WIDTH = 1024
N_ROWS = 8
CANDIDATES = 500
CONDITION = 300.0
"""Of the rows' tangent kernel, at most: flows and runs are so many times longer than their steps."""

HORIZON = 5.0
"""In units of the slowest direction's time: the linear model's loss falls by exp(-10) at least."""

N_TIMES = 41
MAX_STEPS = 2000


@dataclass(frozen=True)
class TheoremPromise:
    """A theorem's conclusions at the scale shown, and from where on it holds.

    ``certifying_width`` is None where none is known.
    """

    scale_threshold: float
    certifying_width: int | None
    loss_bound: NDArray
    distance_bound: float
    jacobian_lipschitz: float
    radius: float


@dataclass(frozen=True)
class DescentRun:
    """Gradient descent at scale 1, step by step, under the bound that its own eigenvalues prove."""

    learning_rate: float
    loss: NDArray
    loss_bound: NDArray


@dataclass(frozen=True)
class LazyTraining:
    """A network on rows far apart: constants, promises by theorem, a flow that they hold for, a run."""

    n_rows: int
    n_candidates: int
    n_repeated: int
    width: int
    sigma_min: float
    sigma_max: float
    residual: float
    scale: float
    times: NDArray
    loss: NDArray
    linear_loss: NDArray
    linear_loss_bound: NDArray
    distance: float
    promises: Mapping[str, TheoremPromise]
    run: DescentRun


def certify_rows(X: NDArray, y: NDArray, task: str, seed: int) -> LazyTraining | None:
    """Certify a network of one smooth hidden layer on a few rows, and train it.

    None if there are no two rows that such a network can tell apart well, or their targets are all 0.
    """
    from ntklib.lab.studies.lazy_decay.measure import in_span
    from ntklib.networks import TwoLayerNet

    options: dict[str, Any] = {"activation": "erf", "input_scaling": "fan_in", "output_init": "rademacher"}
    network = TwoLayerNet(WIDTH, symmetric=True, **options)
    try:
        target = centred_numbers(y, task)
    except DataError:
        return None
    candidates = sample_rows(len(X), CANDIDATES, seed)
    X, target = np.asarray(X, dtype=np.float64)[candidates], target[candidates]
    rows = _far_apart(network.limit_kernel()(X))
    if len(rows) < 2 or not target[rows].any():
        return None
    repeated = len(X) - len(np.unique(X, axis=0))
    with set_threads(1):  # problems of this size gain nothing by more
        return _follow(*in_span(network, X[rows]), target[rows], seed, (len(X), repeated))


def _follow(
    network: Any, X: NDArray, y: NDArray, seed: int, looked_at: tuple[int, int]
) -> LazyTraining | None:
    """Certify a network, follow its flow where both theorems hold, and let it descend at scale 1."""
    from ntklib.dynamics import integrate_flow, linearized_flow
    from ntklib.theory import lazy_certificate

    params = network.init(X.shape[1], seed)
    first = lazy_certificate(network, params, X, y, theorem="A")
    if first.scale_interval is None:
        return None
    scale = first.scale_threshold * 1.001
    certificates_at = {name: first.at_scale(scale, name) for name in ("A", "A'")}
    times = HORIZON * np.linspace(0, 1, N_TIMES) ** 2 / (scale * first.sigma_min) ** 2
    scaled = clone(network).set_params(scale=scale)
    flow = integrate_flow(scaled, X, y, times, params=params, rtol=1e-8)
    linear = linearized_flow(scaled, X, y, times, params=params)
    return LazyTraining(
        n_rows=len(X),
        n_candidates=looked_at[0],
        n_repeated=looked_at[1],
        width=WIDTH,
        sigma_min=first.sigma_min,
        sigma_max=first.sigma_max,
        residual=float(np.linalg.norm(y)),
        scale=scale,
        times=times,
        loss=flow.loss,
        linear_loss=linear.loss,
        linear_loss_bound=certificates_at["A"].linear_loss_bound(times),
        distance=float(flow.distance.max()),
        promises={name: _promise(one, times) for name, one in certificates_at.items()},
        run=_run(network, params, X, y, first.condition_number),
    )


def _far_apart(kernel: NDArray) -> NDArray:
    """Return rows whose tangent features are far apart, by pivoted Cholesky factorisation of their cosines.

    Each row is the one that those before it say least about, so that no row is taken twice; as many as keep
    the kernel's condition number small.
    """
    lengths = np.sqrt(np.diag(kernel))
    cosines = kernel / np.where(lengths > 0, np.outer(lengths, lengths), 1.0)
    left, factor = np.diag(cosines).copy(), np.zeros((len(kernel), N_ROWS))
    rows: list[int] = []
    for k in range(min(N_ROWS, len(kernel))):
        row = int(left.argmax())
        if left[row] <= 1e-6:
            break
        factor[:, k] = (cosines[:, row] - factor[:, :k] @ factor[row, :k]) / np.sqrt(left[row])
        left -= factor[:, k] ** 2
        left[row] = 0.0
        values = np.linalg.eigvalsh(kernel[np.ix_([*rows, row], [*rows, row])])
        if values[-1] > CONDITION * values[0]:
            break
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def _promise(certificate: Any, times: NDArray) -> TheoremPromise:
    return TheoremPromise(
        scale_threshold=certificate.scale_threshold,
        certifying_width=certificate.certifying_width,
        loss_bound=certificate.loss_bound(times),
        distance_bound=certificate.distance_bound,
        jacobian_lipschitz=certificate.jacobian_lipschitz,
        radius=certificate.radius,
    )


def _run(network: Any, params: Any, X: NDArray, y: NDArray, condition: float) -> DescentRun:
    from ntklib.dynamics import Recording, train
    from ntklib.theory import path_certificate

    steps = min(MAX_STEPS, ceil(HORIZON * condition))
    history = train(
        network,
        X,
        y,
        params=params,
        steps=steps,
        record=Recording(
            every=1,
            monitors=("min_eigenvalue", "max_eigenvalue"),
            monitor_every=max(1, steps // 100),
            keep_outputs=False,
        ),
    )
    bound = path_certificate(history).loss_bound
    assert bound is not None
    rate = history.optimizer.learning_rate
    assert not callable(rate)
    return DescentRun(rate, history.loss, bound)
