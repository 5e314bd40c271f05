"""Training of a real network where the tangent estimators train its tangent model: the rest is shared."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ntklib._core.validation import check_integer, check_real
from ntklib.dynamics import GradientDescent, History, Loss, Momentum, Optimizer, Risk, Snapshot, train
from ntklib.dynamics.function_space.spectrum import check_momentum
from ntklib.networks import EmpiricalNTK, Network, Params

from .._kernel import warn_blind
from .._units import Units
from ..tangent._estimator import resolve_network
from ..tangent.steps import Patience

_SMALL = 1e-140  # its square has all its digits still


@dataclass(frozen=True)
class Course:
    """All that one training of a network depends on."""

    network: Network
    start: Params
    units: Units
    loss: Loss
    optimizer: Optimizer
    batch_size: int | None
    seed: int

    @property
    def steps_per_iteration(self) -> int:
        """Steps that go once through all samples."""
        return -(-len(self.units) // (self.batch_size or len(self.units)))

    def run(self, iterations: int, learning_rate: Any, **options: Any) -> History:
        """Train from the start, with a record of every iteration."""
        return train(
            self.network,
            self.units.X,
            self.units.targets,
            params=self.start,
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=learning_rate,
            steps=iterations * self.steps_per_iteration,
            batch_size=self.batch_size,
            sample_weight=self.units.weights,
            record_every=self.steps_per_iteration,
            gradient_norms=False,
            random_state=self.seed,
            **options,
        )


def _rate(history: History) -> float:
    rate = history.optimizer.learning_rate
    assert not callable(rate)
    return rate


class Watch:
    """Callback that stops when patience is over, and keeps the parameters that are best on other samples."""

    def __init__(self, patience: Patience, held: Risk | None, every: int) -> None:
        self.patience, self.held, self.every = patience, held, every
        self.losses: list[float] = []
        self.best, self.least = 0, np.inf
        self.params: Params | None = None

    def __call__(self, snapshot: Snapshot) -> bool:
        watched = snapshot.loss
        if self.held is not None:
            assert snapshot.test_outputs is not None
            watched = self.held.value(snapshot.test_outputs)
            if watched < self.least or self.params is None:
                self.best, self.params, self.least = len(self.losses), snapshot.params, watched
        iteration = len(self.losses)
        self.losses.append(watched)
        over = self.patience.over(watched)
        if self.every and (over or iteration % self.every == 0):
            extra = "" if self.held is None else f", validation loss {watched:.6g}"
            print(f"iteration {iteration}: loss {snapshot.loss:.6g}{extra}")
        return over


class TrainedNetwork:
    """Mixin before a tangent estimator: trains the network itself."""

    kernel = None  # an infinitely wide network that is trained is its tangent model
    _training: Any  # a Course
    learning_rate_: Any

    def _train(self: Any, units: Units, *, strata: NDArray | None = None) -> Any:
        """Train on the units and store what came of it."""
        loss, momentum = self._loss(), check_momentum(self.momentum)
        max_iter = check_integer(self.max_iter, "max_iter", minimum=1)
        automatic = isinstance(self.learning_rate, str)
        if not automatic:
            check_real(self.learning_rate, "learning_rate", minimum=0, strict=True)
        elif self.learning_rate != "auto":
            raise ValueError(
                f"learning_rate must be 'auto' or a positive number, got {self.learning_rate!r}."
            )
        rows, watched = self._split(len(units), strata)
        part = units if watched is None else units.take(rows)
        batch_size = self.batch_size
        if batch_size is not None:
            batch_size = min(check_integer(batch_size, "batch_size", minimum=1), len(part))
        seed = self._seed()
        if seed is None:
            seed = check_random_state(None).randint(2**31 - 1)
        network, start = self._start(units, seed)
        optimizer = Momentum(momentum=momentum) if momentum else GradientDescent()
        course = Course(network, start, part, loss, optimizer, batch_size, int(seed))
        held = options = None
        if watched is not None:
            own = units.take(watched)
            shape = own.targets.shape if own.targets.shape[1] > 1 else (len(own),)
            held, options = loss.risk(own.targets, shape, own.weights), {"X_test": own.X}
        every = 0 if self.verbose < 1 else 1 if self.verbose > 1 else max(1, max_iter // 10)
        rate: Any = self.learning_rate
        while True:
            watch = Watch(self._patience(max_iter), held, every)
            history = course.run(max_iter, rate, callbacks=watch, keep_outputs=False, **(options or {}))
            if not automatic or history.status != "diverged":
                break
            rate = _rate(history) / 2  # features moved, and the curvature with them
        self._report(history, part.targets)
        self._training, self.network_, self.support_ = course, network, part.support
        self.initial_params_, self.loss_curve_ = start, history.loss
        self.learning_rate_ = _rate(history)
        if held is None:
            self.params_, self.n_iter_ = history.params, len(history) - 1
            self.__dict__.pop("validation_loss_curve_", None)
        else:
            self.params_, self.n_iter_ = watch.params, watch.best
            self.validation_loss_curve_ = np.array(watch.losses)

    def _start(self: Any, units: Units, seed: int) -> tuple[Network, Params]:
        """The network and where its training begins: anew, or where the last fit ended."""
        network = resolve_network(self.network, units.targets.shape[1])
        if not self._goes_on:
            params = network.init(units.X.shape[1], seed, dtype=units.X.dtype)
            warn_blind(EmpiricalNTK(network, params), units.X)
            return network, params
        if network != self.network_ or units.X.shape[1] != self._training.units.X.shape[1]:
            raise ValueError(
                "warm_start goes on with the fitted network, on as many features and outputs: they must stay "
                "as they are."
            )
        return network, self.params_

    def _report(self: Any, history: History, targets: NDArray) -> None:
        """Say so if training did not end well."""
        if history.status == "diverged":
            raise ValueError(
                f"training {history.stop_reason}, with learning_rate={_rate(history):.4g}; take a smaller "
                "one, or 'auto'."
            )
        largest = float(np.abs(targets).max())
        if 0 < largest < _SMALL and history.loss[0] < _SMALL**2 and self._loss().in_units(1.0)[1] == 2:
            raise ValueError(
                f"targets of at most {largest:.2g} are so small that their squares, and the loss, underflow: "
                "scale them."
            )
        if history.status == "interrupted":
            warnings.warn(f"training was {history.stop_reason}; the model is what it came to.", stacklevel=4)
        if history.loss[-1] > history.loss[0]:
            warnings.warn(
                f"the loss rose from {history.loss[0]:.4g} to {history.loss[-1]:.4g}: the learning rate, "
                f"{_rate(history):.4g}, may be too large.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _outputs(self: Any, X: Any) -> NDArray:
        """Outputs of the trained network at the rows of X, (m, k)."""
        check_is_fitted(self)
        X = self._rows(X)
        return self.network_.apply(self.params_, X).reshape(X.shape[0], -1).astype(np.float64)

    def _staged_outputs(self: Any, X: Any) -> Iterator[NDArray]:
        """Outputs after each iteration of the last fit, by training again; (m, k)."""
        check_is_fitted(self)
        X = self._rows(X)
        history = self._training.run(self.n_iter_, self.learning_rate_, X_test=X)
        for outputs in history.test_outputs[1:]:
            yield outputs.reshape(X.shape[0], -1).astype(np.float64)
