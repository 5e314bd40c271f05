"""The course of a training until it stops: losses, patience, and the best iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ntklib._core.progress import SILENT, Gauge, Silent
from ntklib._core.warning import warn
from ntklib.dynamics import Risk


class Stopping(NamedTuple):
    """Checked rules of stopping."""

    max_iter: int
    tol: float
    rounds: int


class Watch:
    """The course of one training: its losses, the end of patience, and the best stage.

    Training is over when the loss watched, on the training samples or on those set aside, has not fallen by
    more than `tol` times its first value for `rounds` iterations. The best stage is the last one, or that of
    least loss on samples set aside.

    Parameters
    ----------
    rules : Stopping
    held : Risk or None, default=None
        The loss on samples set aside.
    reported : callable, default=float
        From losses to those in the user's unit, to be shown.
    """

    def __init__(self, rules: Stopping, held: Risk | None = None, reported: Callable = float) -> None:
        self.rules, self.held, self.reported = rules, held, reported
        self.gauge: Gauge | Silent = SILENT  # is told of every iteration
        self.losses: list[float] = []
        self.watched: list[float] = []
        self.least = np.inf
        self.waited = self.best = 0

    def over(self, loss: float, outputs: Any) -> bool:
        """Take note of a stage, by its loss and its outputs on the samples set aside; say if to stop."""
        watched, iteration = loss, len(self.losses)
        if self.held is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                watched = self.held.value(outputs)
        self.losses.append(loss)
        self.watched.append(watched)
        if self.held is None or iteration == 0 or watched < self.least:
            self.best = iteration
        self.waited = 0 if watched < self.least - self.rules.tol * self.watched[0] else self.waited + 1
        self.least = min(self.least, watched)
        if self.gauge:
            extra = "" if self.held is None else f", validation loss {self.reported(watched):.6g}"
            self.gauge.reach(iteration, f"loss {self.reported(loss):.6g}{extra}")
        return self.waited >= self.rules.rounds


def warn_of_rise(first: float, last: float, learning_rate: float) -> None:
    """Warn if the loss on the training samples is larger than at the start."""
    if last > first:
        warn(
            f"the loss rose from {first:.4g} to {last:.4g}: the learning rate, {learning_rate:.4g}, may be "
            "too large.",
            ConvergenceWarning,
        )
