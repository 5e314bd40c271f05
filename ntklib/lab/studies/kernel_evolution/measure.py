"""One training of `kernel_evolution_study`, and the tangent kernels along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ntklib.dynamics import Recording, Snapshot
from ntklib.lab.training import train_whole
from ntklib.solvers import EigenFactor

__all__ = ["LAZY", "MEASURES", "REGIMES", "ThreeSets", "draw_sets", "follow", "kernel_distance"]

LAZY = "lazy"
REGIMES = ("standard", LAZY)
"""Networks as they are, and with centred outputs that are scaled up."""

MEASURES = ("distance", "distance_to_end", "velocity", "kernel_accuracy", "accuracy", "loss")
"""Measures at each epoch, in this order."""


class ThreeSets(NamedTuple):
    """Rows to train networks on, fresh ones for kernel regression, and test rows, with labels from 0."""

    X: NDArray
    labels: NDArray
    X_fresh: NDArray
    labels_fresh: NDArray
    X_test: NDArray
    labels_test: NDArray


def draw_sets(X: NDArray, labels: NDArray, n_train: int, n_fresh: int, rng: np.random.Generator) -> ThreeSets:
    """Return three sets of rows at random, centred, and scaled to a mean square length of 1, in float32."""
    train, fresh, test = np.split(rng.permutation(len(labels)), [n_train, n_train + n_fresh])
    center = X[train].mean(axis=0)
    length = np.sqrt(np.square(X[train] - center).sum(axis=1).mean())
    if not length > 0:
        raise ValueError("all training rows are equal.")
    X = ((X - center) / length).astype(np.float32)
    return ThreeSets(X[train], labels[train], X[fresh], labels[fresh], X[test], labels[test])


def kernel_distance(first: NDArray, second: NDArray) -> float:
    r"""Return 1 minus the cosine of two matrices, :math:`1 - \langle A, B \rangle/(|A| |B|)`.

    Computed as half the squared distance of the normalised matrices, which keeps the digits of small ones.
    """
    a, b = (np.asarray(matrix, dtype=np.float64) for matrix in (first, second))
    return float(0.5 * np.square(a / np.linalg.norm(a) - b / np.linalg.norm(b)).sum())


def follow(
    network: Any,
    sets: ThreeSets,
    regime: str,
    scale: float,
    epochs: Sequence[int],
    batch_size: int,
    penalty: float,
    rng: np.random.Generator,
) -> dict[str, NDArray]:
    """Train on the log loss, and return the measures at the epochs, shape (epochs,) each."""
    lazy = regime == LAZY
    network = clone(network).set_params(scale=scale if lazy else 1.0)
    start = network.init(sets.X.shape[1], rng, dtype=np.float32)
    model = network.centered_at(start) if lazy else network
    each = len(sets.X) // batch_size  # steps of an epoch
    kernels: list[NDArray] = []
    rows: list[tuple[float, float, float]] = []
    k = network.n_outputs
    targets = np.eye(k)[sets.labels_fresh] - 1 / k

    def look(snapshot: Snapshot) -> None:
        if snapshot.step % each or snapshot.step // each not in epochs:
            return
        params = snapshot.params
        kernel = model.ntk(params, sets.X_fresh).astype(np.float64)
        added = penalty * np.trace(kernel) / len(kernel)
        dual = EigenFactor(kernel.copy()).solve(targets, added).value
        fit = model.ntk(params, sets.X_test, sets.X_fresh) @ dual
        outputs = model.apply(params, sets.X_test)
        kernels.append(kernel)
        rows.append(
            (
                np.mean(fit.argmax(axis=1) == sets.labels_test),
                np.mean(outputs.argmax(axis=1) == sets.labels_test),
                snapshot.loss / len(sets.X),
            )
        )

    history = train_whole(
        model,
        sets.X,
        np.eye(k)[sets.labels],
        params=start,
        loss="log_loss",
        optimizer="momentum",
        learning_rate="auto",
        batch_size=batch_size,
        steps=epochs[-1] * each,
        record=Recording(every=each, gradient_norms=False, keep_outputs=False),
        callbacks=look,
        random_state=rng,
    )
    if history.status == "diverged":
        raise ValueError(f"a {regime} network diverged; take larger batches.")
    steps = zip(kernels, kernels[1:], np.diff(epochs), strict=False)
    columns = (
        [kernel_distance(kernels[0], kernel) for kernel in kernels],
        [kernel_distance(kernel, kernels[-1]) for kernel in kernels],
        [*(kernel_distance(a, b) / time for a, b, time in steps), np.nan],
        *zip(*rows, strict=True),
    )
    return {name: np.array(values) for name, values in zip(MEASURES, columns, strict=True)}
