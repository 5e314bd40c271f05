"""Trainings of `phase_diagram_study`: one network at every scale, and the rows they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ntklib._core.threads import get_threads, parallel_for, set_threads
from ntklib.dynamics import Momentum, Recording, largest_stable_step
from ntklib.lab.training import train_whole

__all__ = ["MEASURES", "Split", "draw_spiral", "draw_split", "train_at_scales"]

MEASURES = ("kernel_change", "test_loss", "test_error", "train_loss")
"""Measures of a training, in this order."""

_MOMENTUM = 0.9
_LOOK = 20  # steps between looks at the training loss
_TURNS = 1.25
_SPIRAL_TEST = 1000


class Split(NamedTuple):
    """Training and test rows, centred and of mean square length 1, with targets of mean square 1."""

    X: NDArray
    y: NDArray
    X_test: NDArray
    y_test: NDArray


def draw_split(X: NDArray, y: NDArray, n_train: int, rng: np.random.Generator) -> Split:
    """Return training rows, and the others as test rows."""
    on, off = np.split(rng.permutation(len(y)), [n_train])
    center = X[on].mean(axis=0)
    length = np.sqrt(np.square(X[on] - center).sum(axis=1).mean())
    size = np.sqrt(np.square(y[on]).mean())
    if not (length > 0 and size > 0):
        raise ValueError("all training rows are equal, or their targets 0; take more rows.")
    X, y = (X - center) / length, y / size
    return Split(X[on], y[on], X[off], y[off])


def draw_spiral(n_train: int, rng: np.random.Generator) -> Split:
    """Return rows on two intertwined arms in the plane, uniform in area, and the arm, 1 or -1."""
    n = n_train + _SPIRAL_TEST
    radius = np.sqrt(rng.uniform(0.05, 1.0, n))
    arm = rng.choice([-1.0, 1.0], n)
    angle = 2 * np.pi * _TURNS * radius + np.pi * (arm > 0)
    return draw_split(radius[:, None] * np.c_[np.cos(angle), np.sin(angle)], arm, n_train, rng)


def train_at_scales(
    network: Any, split: Split, scales: Sequence[float], steps: int, tolerance: float, seed: Any
) -> dict[str, NDArray]:
    r"""Train :math:`F = \alpha (f - f_0)` from one start at every scale; measures of shape (scales,).

    The learning rate is :math:`1/(2 \lambda_{\max})` for the kernel at the start, times
    :math:`1/(\alpha^2 + \alpha/\sqrt m)`: where :math:`\alpha \sqrt m` is small the kernel grows like its
    inverse before targets of size 1 are fitted.
    """
    width = network.hidden_widths[-1]
    rate = largest_stable_step(network.limit_kernel()(split.X)) / 4
    start = network.init(split.X.shape[1], seed, dtype=np.float32)
    X, X_test = split.X.astype(np.float32), split.X_test.astype(np.float32)
    whole = 0.5 * np.square(split.y).sum()
    values = np.full((len(MEASURES), len(scales)), np.nan)

    def train(index: int) -> None:
        alpha = scales[index]
        model = clone(network).set_params(scale=alpha).centered_at(start)
        history = train_whole(
            model,
            X,
            split.y,
            params=start,
            optimizer=Momentum(rate / (alpha**2 + alpha / np.sqrt(width)), _MOMENTUM),
            steps=steps,
            callbacks=lambda snapshot: snapshot.loss <= tolerance * whole,
            record=Recording(every=_LOOK, gradient_norms=False, keep_outputs=False),
        )
        if history.status == "diverged":
            return
        first, last = (model.ntk(params, X) for params in (start, history.params))
        outputs = model.apply(history.params, X_test)
        values[:, index] = (
            np.linalg.norm(last - first) / np.linalg.norm(first),
            np.square(outputs - split.y_test).mean() / np.square(split.y_test).mean(),
            np.mean(outputs * split.y_test <= 0),
            history.loss[-1] / whole,
        )

    threads = get_threads()
    with set_threads(1):
        parallel_for(train, range(len(scales)), threads=threads)
    return dict(zip(MEASURES, values, strict=True))
