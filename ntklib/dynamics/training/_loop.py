"""The loop of `train`: steps, records, and the ways in which it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib._core.blocks import row_blocks
from ntklib._core.progress import SILENT, talk
from ntklib.networks import Params

from ..losses import Risk
from ..optimizers import Minibatches, Optimizer
from .history import Callback, History, Snapshot
from .monitor import Monitors

__all__ = ["Loop"]

_EXPLODED = 1e10  # times the loss at the start
_CHUNK = 1 << 16
_NOTHING = np.empty(0)


class _Diverged(Exception):
    """Outputs are no longer finite, or the loss has exploded."""


@dataclass
class Loop:
    """One run: what `train` has checked, and the record as it grows."""

    on: Any
    view: Any
    risk: Risk
    reduction: str
    scale: float
    optimizer: Optimizer
    batches: Minibatches
    steps: int
    every: int
    monitor_every: int
    monitors: Monitors
    callbacks: tuple[Callback, ...]
    gradient_norms: bool
    keep_outputs: bool
    progress: bool

    def run(self) -> History:
        """Train, to whatever end."""
        self.began = time.perf_counter()
        on = self.on
        self.full = self.batches.batch_size == on.X.shape[0] and not self.batches.replace
        self.state = self.optimizer.start(on.arrays, model=on.model, copy=False)
        on.arrays = self.state.position  # the same arrays, in the mapping that the optimiser passes around
        self.first, self.kept = on.vector.copy(), on.vector.copy()
        self.recorded: list[tuple[int, float, NDArray, NDArray | None, float, dict[str, float]]] = []
        self.readings: list[tuple[int, dict[str, float]]] = []
        self.evaluated = -1  # step whose gradient on all rows is at hand
        self.moving = False
        zero = self.scale * self.risk.value(np.zeros(self.risk.shape, on.dtype))
        self.limit = np.inf
        showing = talk("training", 1, self.steps, "step") if self.progress else nullcontext(SILENT)
        with np.errstate(all="ignore"), showing as gauge:  # what these warn of is reported as divergence
            try:
                status = self._go(zero, gauge)
            except _Diverged:
                status = "diverged"
            except KeyboardInterrupt:
                status = self._interrupted()
        return self._history(status)

    def _go(self, zero: float, gauge: Any) -> str:
        while True:
            k = self.state.steps
            if k % self.every == 0 or k == self.steps:
                snapshot = self._record(k)
                if k == 0:
                    self.limit = _EXPLODED * max(snapshot.loss, zero) or np.inf
                # every callback hears of every record
                answers = [callback(snapshot) for callback in self.callbacks]
                if any(answers):
                    return "stopped"
                if gauge:
                    gauge.reach(k, f"loss {snapshot.loss:.6g}")
            if k == self.steps:
                return "finished"
            self.batch, self.calls = self.batches.batch(k), 0
            self.optimizer.step(self.state, self._gradient)
            self.moving = False

    def _interrupted(self) -> str:
        """Keep the point reached, or the last record if some arrays had moved and others had not."""
        if not self.recorded:
            raise KeyboardInterrupt
        if not self.moving and self.recorded[-1][0] != self.state.steps:
            try:
                self._record(self.state.steps)
            except _Diverged:
                return "diverged"
        return "interrupted"

    def _gradient(self, position: Mapping[str, NDArray]) -> Mapping[str, NDArray]:
        """The step's gradient: of all rows, or n/b times that of the batch."""
        fresh = position is self.state.position and self.evaluated == self.state.steps
        if not (fresh and self.full):
            self._evaluate(position, self.batch.rows, self.batch.scale)
        self.calls += 1
        self.moving = self.calls == self.optimizer.evaluations
        return self.on.gradients

    def _evaluate(
        self, position: Mapping[str, NDArray], rows: Any, factor: float, gradient: bool = True
    ) -> tuple[NDArray, float]:
        """Outputs and loss of some rows at a position; the gradient is written."""
        risk = self.risk if isinstance(rows, slice) else self.risk.take(rows)
        total = factor * self.scale
        self.evaluated = -1

        def cotangent(block: slice, f: NDArray) -> NDArray:
            part = risk if len(f) == risk.shape[0] else risk.take(block)
            c = part.gradient(f)
            return c if total == 1 else c * c.dtype.type(total)

        outputs = self.on.evaluate(position, cotangent if gradient else None, rows)
        value = total * risk.value(outputs)
        if not (value <= self.limit and np.isfinite(outputs).all()):
            raise _Diverged
        return outputs, value

    def _record(self, k: int) -> Snapshot:
        on, wanted = self.on, self.gradient_norms or self.full
        outputs, loss = self._evaluate(self.state.position, slice(None), 1.0, wanted)
        self.evaluated = k if wanted else -1
        norms = {}
        if self.gradient_norms:
            norms = {name: _distance(gradient.ravel(), None) for name, gradient in on.gradients.items()}
        distance = _distance(on.vector, self.first)
        test = None if self.view is None else self.view.evaluate(self.state.position)
        numbers = (loss, distance, *norms.values())
        if not np.isfinite(numbers).all() or (test is not None and not np.isfinite(test).all()):
            raise _Diverged
        if self.monitors.names and (k % self.monitor_every == 0 or k == self.steps):
            reading = self.monitors.measure(self._params())
            if not np.isfinite(list(reading.values())).all():
                raise _Diverged
            self.readings.append((k, reading))
        self.recorded.append((k, loss, outputs.copy(), test, distance, norms))
        if not self.keep_outputs and k:
            self.recorded[-2] = (*self.recorded[-2][:2], _NOTHING, _NOTHING, *self.recorded[-2][4:])
        self.kept[:] = on.vector
        seconds = time.perf_counter() - self.began
        return Snapshot(k, loss, self.recorded[-1][2], test, distance, seconds, self._params)

    def _params(self) -> Params:
        return self.on.params(self.on.vector)

    def _history(self, status: str) -> History:
        if not self.recorded:
            raise ValueError(
                "the outputs at the start are not finite, or so large that the loss is not: scale the rows, "
                "the targets or the parameters."
            )
        on, stopped_at = self.on, self.state.steps
        steps, losses, outputs, tests, distances, norms = zip(*self.recorded, strict=True)
        return History(
            steps=np.array(steps),
            loss=np.array(losses),
            outputs=np.stack(outputs if self.keep_outputs else outputs[-1:]),
            test_outputs=None if self.view is None else np.stack(tests if self.keep_outputs else tests[-1:]),
            distance=np.array(distances),
            gradient_norms={name: np.array([one[name] for one in norms]) for name in norms[0]},
            monitor_steps=np.array([k for k, _ in self.readings], dtype=np.int64),
            monitors={n: np.array([one[n] for _, one in self.readings]) for n in self.monitors.names},
            params=on.params(self.kept),
            initial_params=on.start,
            status=status,
            stopped_at=stopped_at,
            optimizer=self.optimizer,
            model=on.model,
            X=on.X,
            risk=self.risk,
            reduction=self.reduction,
            batch_size=None if self.full else self.batches.batch_size,
            seconds=time.perf_counter() - self.began,
        )


def _distance(a: NDArray, b: NDArray | None) -> float:
    """|a - b| in float64, the same at any number of threads."""
    total = 0.0
    for part in row_blocks(len(a), _CHUNK):
        moved = a[part].astype(np.float64)
        if b is not None:
            moved -= b[part]
        total += float(np.square(moved).sum())
    return float(np.sqrt(total))
