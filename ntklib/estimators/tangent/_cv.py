"""The part of the search for a stopping time that is the same for regression and classification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ntklib.dynamics import SquaredError
from ntklib.dynamics.function_space.spectrum import check_momentum

from .._folds import check_folds, folds
from .._routing import Routed, Router
from .._scoring import Criterion
from .._units import Units
from ._descent import Descent, Stage
from ._estimator import TangentEstimator
from ._fit import Training, output_exponent, undisturbed
from ._route import choose_route
from ._stopping_search import Found, loss_criterion, resolve_max_iters, search_stopping


class SearchingTangent(Router, TangentEstimator):
    """Chooses among numbers of iterations, then trains on all samples for the best."""

    warm_start = False

    def _search(self, units: Units, X: Any, y: Any, routed: Routed, *, classifier: bool, judge: Any) -> Found:
        """Search, train, and store what was found; `judge` makes the criterion of a scoring that is given."""
        check_folds(self.cv, (None,))
        loss, momentum = self._loss(), check_momentum(self.momentum)
        square = isinstance(loss, SquaredError)
        max_iters = resolve_max_iters(self.max_iters, square=square)
        splits = folds(self.cv, X, y, units, routed, classifier=classifier)
        model = self._fresh(units.X, units.targets.shape[1])
        most = int(max_iters[-1])
        route = choose_route(model, len(units), square=square, iterations=most)
        exponent = output_exponent(model, units, loss)
        training = Training(units, loss, momentum, route, most, exponent=exponent)
        criterion, name = self._criterion(training, judge)
        found = search_stopping(model, training, self.learning_rate, splits, max_iters, criterion, name)
        self.stopping_path_, self.cv_results_ = found.path, found.path.results()
        self.max_iter_, self.best_score_ = found.path.max_iter, found.path.best_score

        def train() -> tuple[Descent, Stage]:
            descent = training.descent(model, self.learning_rate)
            return descent, next(descent.stages([self.max_iter_]))

        descent, stage = undisturbed(train, training.held(model))
        rate = training.reported_rate(descent)
        self._store(training, rate, stage.step, descent.solution(stage.state))
        return found

    def _criterion(self, training: Training, judge: Any) -> tuple[Criterion, str]:
        """The scoring, equal scores decided by the loss; and its name."""
        own = loss_criterion(training)
        if self.scoring is None:
            return own, f"negative {training.loss.name.replace('_', ' ')}"
        given = judge(self.scoring)

        def scored(values: NDArray, rows: NDArray) -> tuple[float, float]:
            return given(values, rows)[0], own(values, rows)[0]

        return replace(given, judge=scored), self.scoring if isinstance(self.scoring, str) else "score"
