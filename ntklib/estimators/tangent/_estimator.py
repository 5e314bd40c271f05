"""The base of the tangent estimators: the model, its training, its outputs, and going on from a fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ntklib.dynamics import SquaredError
from ntklib.networks import EmpiricalNTK

from .._forecast import announce
from .._kernel import is_precomputed, resolve_kernel, warn_blind
from .._stopping import Watch
from .._trained import DescentParameters, TrainedEstimator, resolve_network
from .._units import Units
from ._descent import Descent, Stage
from ._models import Expansion, FiniteTangent, InfiniteTangent, Tangent
from ._route import choose_route
from ._training import Training, held_rows, output_exponent, undisturbed, watched_descent

_OF_A_FIT = (
    *("network_", "params_", "displacement_", "kernel_", "X_fit_", "dual_coef_"),
    *("validation_loss_curve_", "_training"),
)


class TangentEstimator(TrainedEstimator):
    """A tangent model trained by gradient descent."""

    network: Any

    def _fresh(self, X: Any, n_outputs: int) -> Tangent:
        """The model at its start; the results of an earlier fit are forgotten."""
        if self.network is not None and self.kernel is not None:
            raise ValueError(
                "network and kernel are both given: a network of finite width is trained through its own "
                "Jacobian, an infinite one through its kernel; leave one of them None."
            )
        for name in _OF_A_FIT:
            self.__dict__.pop(name, None)
        if self.kernel is not None:
            self.kernel_ = resolve_kernel(self.kernel)
            warn_blind(self.kernel_, X)
        else:
            self.network_ = resolve_network(self.network, n_outputs)
            self.params_ = self.network_.init(X.shape[1], self._seed(), dtype=X.dtype)
            warn_blind(EmpiricalNTK(self.network_, self.params_), X)
        return self._model(n_outputs)

    def _model(self, n_outputs: int) -> Tangent:
        if hasattr(self, "kernel_"):
            return InfiniteTangent(self.kernel_, n_outputs)
        return FiniteTangent(self.network_, self.params_)

    @property
    def _n_outputs(self) -> int:
        return self._training.units.targets.shape[1]

    @property
    def _learned(self) -> Any:
        if hasattr(self, "kernel_"):
            return Expansion(self.X_fit_, self.dual_coef_.reshape(-1, self._n_outputs))
        return self.displacement_

    def _continued(self, X: Any, n_outputs: int) -> tuple[Tangent, Any]:
        """The fitted model and what it has learned, if the parameters still describe it."""
        if is_precomputed(self.kernel):
            raise ValueError(
                "warm_start needs the samples themselves, which kernel='precomputed' does not give."
            )
        if n_outputs != self._n_outputs or X.shape[1] != self._training.units.X.shape[1]:
            raise ValueError(
                "warm_start goes on with as many features and outputs as the model was fitted to."
            )
        if hasattr(self, "network_"):
            same = self.kernel is None and resolve_network(self.network, n_outputs) == self.network_
        else:
            same = self.network is None and resolve_kernel(self.kernel) == self.kernel_
        if not same:
            raise ValueError(
                "warm_start goes on with the fitted model: network and kernel must stay as they are."
            )
        return self._model(n_outputs), self._learned

    def _train(self, units: Units) -> None:
        parameters, rules = self._descent_parameters(), self._stopping()
        n_outputs, before = units.targets.shape[1], None
        if self._goes_on:
            model, before = self._continued(units.X, n_outputs)
        else:
            model = self._fresh(units.X, n_outputs)
        rows, watched = self._split(units)
        part = units if watched is None else units.take(rows)
        training = self._planned(model, part, parameters, rules.max_iter, before)

        announce(
            f"{rules.max_iter:,} iterations on {len(part):,} rows in {training.route}",
            lambda: training.seconds(model),
            at_most=True,
        )

        def train() -> tuple[Descent, Stage, Watch]:
            descent, view = training.descent(model, parameters.learning_rate), None
            watch = Watch(rules, reported=training.reported)
            if watched is not None:
                view = descent.view(held_rows(units, watched, rows))
                watch.held = training.risk(units.take(watched))
            return descent, watched_descent(training, descent, view, watch), watch

        descent, stage, watch = undisturbed(train, training.numbers_held(model))
        self._store(training, descent, stage)
        self.loss_curve_ = training.reported(np.array(watch.losses))
        if watched is not None:
            self.validation_loss_curve_ = training.reported(np.array(watch.watched))

    @staticmethod
    def _planned(
        model: Tangent, units: Units, parameters: DescentParameters, iterations: int, before: Any = None
    ) -> Training:
        """A training of so many iterations, by its cheapest route and in the unit that it needs."""
        loss, _, momentum = parameters
        square = isinstance(loss, SquaredError)
        route = choose_route(model, len(units), square=square, iterations=iterations)
        exponent = output_exponent(model, units, loss, before)
        return Training(units, loss, momentum, route, iterations, before, exponent)

    def _store(self, training: Training, descent: Descent, stage: Stage) -> None:
        self._training = training
        self.learning_rate_, self.n_iter_ = training.reported_rate(descent), stage.step
        self.route_, self.support_ = str(training.route), training.units.support
        solution = descent.solution(stage.state)
        if isinstance(solution, Expansion):
            self.X_fit_ = solution.X
            self.dual_coef_ = solution.coef[:, 0] if self._single else solution.coef
        else:
            self.displacement_ = solution

    def _outcome(self) -> str:
        return f"{super()._outcome()}, in {self.route_}"

    def _outputs(self, X: Any) -> NDArray:
        check_is_fitted(self)
        X, model = self._rows(X), self._model(self._n_outputs)
        return model.start(X) + model.evaluate(self._learned, X)

    def _staged_outputs(self, X: Any) -> Iterator[NDArray]:
        check_is_fitted(self)
        X, training = self._rows(X), self._training
        descent = training.descent(self._model(self._n_outputs), self.learning_rate_)
        for stage in descent.stages(range(1, self.n_iter_ + 1), descent.view(X)):
            assert stage.outputs is not None
            yield stage.outputs * training.unit
