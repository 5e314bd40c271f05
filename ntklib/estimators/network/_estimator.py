"""The base of the networks' estimators: the training itself, and going on from a fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ntklib._core.progress import step
from ntklib._core.validation import check_integer
from ntklib.dynamics import GradientDescent, History, Loss, Momentum, Optimizer, Recording, Snapshot, train
from ntklib.networks import EmpiricalNTK, Network, Params

from .._forecast import announce, call_seconds
from .._kernel import warn_blind
from .._stopping import Stopping, Watch, warn_of_rise
from .._trained import TrainedEstimator, resolve_network
from .._units import Units

_SAMPLE = 1024  # rows that a pass is timed on
_SMALL = 1e-140  # its square has all its digits still


@dataclass(frozen=True)
class NetworkTraining:
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

    def run(self, iterations: int, learning_rate: Any, *, keep: bool = True, **options: Any) -> History:
        """Train from the start, with a record of every iteration; ``keep`` their outputs or the last."""
        history = train(
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
            record=Recording(every=self.steps_per_iteration, gradient_norms=False, keep_outputs=keep),
            random_state=self.seed,
            **options,
        )
        if history.status == "interrupted":  # half a training is no fit
            raise KeyboardInterrupt
        return history

    def run_watched(
        self, rules: Stopping, learning_rate: Any, held: Units | None
    ) -> tuple[History, Watch, Params]:
        """Train until the rules say stop; also return the parameters that are best on samples set aside."""
        watch = Watch(rules)
        best: list[Params] = []
        if held is not None:
            shape = held.targets.shape if held.targets.shape[1] > 1 else (len(held),)
            watch.held = self.loss.risk(held.targets, shape, held.weights)

        def follow(snapshot: Snapshot) -> bool:
            over = watch.over(snapshot.loss, snapshot.test_outputs)
            if held is not None and watch.best == len(watch.losses) - 1:
                best[:] = [snapshot.params]
            return over

        rows = None if held is None else held.X
        with step("training", rules.max_iter, "iteration") as watch.gauge:
            history = self.run(rules.max_iter, learning_rate, keep=False, callbacks=follow, X_test=rows)
        return history, watch, history.params if held is None else best[0]


def pass_seconds(network: Network, params: Params, units: Units) -> float:
    """Seconds that outputs and gradient take on all rows, from a part of them."""
    part = units.take(np.arange(min(len(units), _SAMPLE)))
    ones = np.ones(part.targets.shape)

    def both() -> None:
        network.apply(params, part.X)
        network.vjp(params, part.X, ones)

    return call_seconds(both) * len(units) / len(part)


def _rate(history: History) -> float:
    rate = history.optimizer.learning_rate
    assert not callable(rate)
    return rate


class NetworkEstimator(TrainedEstimator):
    """A network trained by gradient descent."""

    kernel = None  # an infinitely wide network that is trained is its tangent model
    network: Any
    batch_size: Any

    def _train(self, units: Units) -> None:
        parameters, rules = self._descent_parameters(), self._stopping()
        rows, watched = self._split(units)
        part, held = (units, None) if watched is None else (units.take(rows), units.take(watched))
        batch_size = self.batch_size
        if batch_size is not None:
            batch_size = min(check_integer(batch_size, "batch_size", minimum=1), len(part))
        seed = self._seed()
        if seed is None:
            seed = check_random_state(None).randint(2**31 - 1)
        network, start = self._start(units, seed)
        momentum = parameters.momentum
        optimizer = Momentum(momentum=momentum) if momentum else GradientDescent()
        training = NetworkTraining(network, start, part, parameters.loss, optimizer, batch_size, int(seed))
        announce(
            f"{rules.max_iter:,} iterations on {len(part):,} rows",
            lambda: rules.max_iter * pass_seconds(network, start, part),
            at_most=True,
        )
        history, watch, best = training.run_watched(rules, parameters.learning_rate, held)
        while parameters.learning_rate == "auto" and history.status == "diverged":
            # features moved, and the curvature with them
            history, watch, best = training.run_watched(rules, _rate(history) / 2, held)
        self._report(history, training)
        self._training, self.network_, self.support_ = training, network, part.support
        self.initial_params_, self.loss_curve_ = start, history.loss
        self.learning_rate_ = _rate(history)
        self.params_, self.n_iter_ = best, len(history) - 1 if held is None else watch.best
        self.__dict__.pop("validation_loss_curve_", None)
        if held is not None:
            self.validation_loss_curve_ = np.array(watch.watched)

    def _start(self, units: Units, seed: int) -> tuple[Network, Params]:
        """The network and the start of its training: a new one, or the end of the last fit."""
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

    @staticmethod
    def _report(history: History, training: NetworkTraining) -> None:
        """Raise or warn if training did not end well."""
        if history.status == "diverged":
            raise ValueError(
                f"training {history.stop_reason}, with learning_rate={_rate(history):.4g}; take a smaller "
                "one, or 'auto'."
            )
        largest = float(np.abs(training.units.targets).max())
        if 0 < largest < _SMALL and history.loss[0] < _SMALL**2 and training.loss.in_units(1.0)[1] == 2:
            raise ValueError(
                f"targets of at most {largest:.2g} are so small that their squares, and the loss, underflow: "
                "scale them."
            )
        warn_of_rise(history.loss[0], history.loss[-1], _rate(history))

    def _outputs(self, X: Any) -> NDArray:
        check_is_fitted(self)
        X = self._rows(X)
        return self.network_.apply(self.params_, X).reshape(X.shape[0], -1).astype(np.float64)

    def _staged_outputs(self, X: Any) -> Iterator[NDArray]:
        check_is_fitted(self)
        X = self._rows(X)
        history = self._training.run(self.n_iter_, self.learning_rate_, X_test=X)
        for outputs in history.test_outputs[1:]:
            yield outputs.reshape(X.shape[0], -1).astype(np.float64)
