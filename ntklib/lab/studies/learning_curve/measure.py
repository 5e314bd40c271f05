"""Fits of `learning_curve_study`: kernel regression and networks on a few rows, tested on the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ntklib.dynamics import Momentum, Recording, largest_stable_step
from ntklib.lab.draws import measure_draws
from ntklib.lab.training import train_whole
from ntklib.solvers import EigenFactor

__all__ = ["Population", "fit_kernel", "fit_network"]

_MODES = 14
_MOMENTUM = 0.9
_LOOK = 25  # steps between looks at the training loss


class Population(NamedTuple):
    """All rows with their targets and Gram matrix."""

    X: Any
    y: NDArray
    K: NDArray

    def modes(self) -> tuple[NDArray, NDArray, NDArray]:
        """Numbers of some eigenfunctions, from 1, their eigenvalues, and their values, of mean square 1."""
        size = len(self.y)
        values, vectors = eigh(self.K / size, driver="evd", check_finite=False)
        last = int(np.sum(values > size * np.finfo(float).eps * values[-1]))
        mode = np.unique(np.geomspace(1, last, _MODES).round().astype(int))
        return mode, values[size - mode], np.sqrt(size) * vectors[:, size - mode]

    def errors(self, outputs: NDArray, on: NDArray) -> dict[str, float]:
        """Mean squared errors on the rows that are not trained on, and on those that are."""
        square = np.square(outputs - self.y) / np.square(self.y).mean()
        return {"error": np.delete(square, on).mean(), "train_error": square[on].mean()}


def fit_kernel(
    population: Population, sizes: Sequence[int], penalty: float, n_draws: int, random_state: int
) -> dict[str, NDArray]:
    """Return errors and learnabilities of kernel regression, one row a draw and one column a size."""
    K, y = population.K, population.y
    _, values, functions = population.modes()

    def draw(rng: np.random.Generator) -> dict[str, Any]:
        order = rng.permutation(len(y))
        rows = []
        for n in sizes:
            on = order[:n]
            targets = np.column_stack([y[on], functions[on]])
            dual = EigenFactor(K[np.ix_(on, on)]).solve(targets, penalty).value
            learned = values * np.einsum("ik,ik->k", functions[on], dual[:, 1:])
            rows.append({**population.errors(K[:, on] @ dual[:, 0], on), "learnability": learned})
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    return measure_draws(draw, n_draws, (random_state, 0))


def fit_network(
    population: Population,
    network: Any,
    sizes: Sequence[int],
    steps: int,
    tolerance: float,
    rng: np.random.Generator,
) -> dict[str, NDArray]:
    """Return errors of networks trained until their loss is small, by size.

    The first random numbers draw the rows: networks of a draw are trained on those of the kernel's draw.
    """
    X, y = population.X.astype(np.float32), population.y
    order = rng.permutation(len(y))
    params = network.init(X.shape[1], rng, dtype=np.float32)
    rows = []
    for n in sizes:
        on = order[:n]
        rate = largest_stable_step(population.K[np.ix_(on, on)]) / 2
        start = 0.5 * np.square(y[on]).sum()
        history = train_whole(
            network,
            X[on],
            y[on],
            params=params,
            optimizer=Momentum(rate, _MOMENTUM),
            steps=steps,
            callbacks=lambda snapshot, enough=tolerance * start: snapshot.loss <= enough,
            record=Recording(every=_LOOK, gradient_norms=False, keep_outputs=False),
        )
        errors = population.errors(network.apply(history.params, X), on)
        if history.status == "diverged":
            errors = dict.fromkeys(errors, np.nan)
        rows.append(errors)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
