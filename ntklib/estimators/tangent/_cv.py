"""The base of the tangent estimators that choose their number of iterations by cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from numpy.typing import NDArray
from sklearn.base import is_classifier

from ntklib.dynamics import SquaredError

from .._folds import check_folds, folds
from .._forecast import announce
from .._routing import Metadata, RoutingMixin
from .._scoring import Criterion
from .._units import Samples
from ._descent import Descent, Stage
from ._estimator import TangentEstimator
from ._stopping_search import StoppingSearch, loss_criterion, resolve_max_iters, search_stopping
from ._training import Training, undisturbed


class TangentSearch(RoutingMixin, TangentEstimator):
    """A tangent model that is trained on all samples for the number of iterations that is best on folds."""

    warm_start = False
    max_iters: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Self:
        """Choose the number of iterations, and train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
            Training samples, or their (n, n) Gram matrix with ``kernel="precomputed"``.
        y : array-like of shape (n,) or (n, k)
            Targets, which share the number of iterations; class labels, of shape (n,), in classification.
        sample_weight : array-like of shape (n,) or float, default=None
            Nonnegative; a sample of weight 0 is as if absent. Whole numbers are counts; a scorer that takes
            no weights is given the values of every copy.
        **params : dict
            ``groups``, for a splitter by groups. With scikit-learn's metadata routing, all that the splitter
            and the scorer ask for.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes or hold one class only, network and kernel
            are both given, a parameter is out of its range, or a step is not stable.
        """
        with self._fitting():
            samples = self._samples(X, y, sample_weight)
            metadata = self._route(samples.X, sample_weight, params)
            self._use_held_out(samples, self._search(samples, metadata))
        return self

    def _outcome(self) -> str:
        return (
            f"{self.max_iter_:,} iterations of size {self.learning_rate_:.3g} are best, held-out score "
            f"{self.best_score_:.4g}, in {self.route_}"
        )

    def _use_held_out(self, samples: Samples, search: StoppingSearch) -> None:
        """Fit to the outputs of the search on held-out samples; nothing in regression."""

    def _search(self, samples: Samples, metadata: Metadata) -> StoppingSearch:
        """Search, train, and store the outcome."""
        check_folds(self.cv, (None,))
        parameters, units = self._descent_parameters(), samples.units
        max_iters = resolve_max_iters(self.max_iters, square=isinstance(parameters.loss, SquaredError))
        splits = folds(self.cv, samples.X, samples.y, units, metadata, classifier=is_classifier(self))
        model = self._fresh(units.X, units.targets.shape[1])
        training = self._planned(model, units, parameters, int(max_iters[-1]))
        criterion, name = self._judging(training, metadata)
        rate = parameters.learning_rate
        announce(
            f"{len(splits)} folds and all of {len(units):,} rows in {training.route}",
            lambda: (len(splits) + 1) * training.seconds(model),
        )
        search = search_stopping(model, training, rate, splits, max_iters, criterion, name)
        path = self.stopping_path_ = search.path
        self.cv_results_, self.max_iter_, self.best_score_ = path.results(), path.max_iter, path.best_score

        def train() -> tuple[Descent, Stage]:
            descent = training.descent(model, rate)
            return descent, next(descent.stages([path.max_iter]))

        self._store(training, *undisturbed(train, training.numbers_held(model)))
        return search

    def _judging(self, training: Training, metadata: Metadata) -> tuple[Criterion, str]:
        """The scoring, equal scores decided by the loss; and its name."""
        own = loss_criterion(training)
        if self.scoring is None:
            return own, f"negative {training.loss.name.replace('_', ' ')}"
        given = self._criterion(self.scoring, training.units, metadata)

        def scored(values: NDArray, rows: NDArray) -> tuple[float, float]:
            return given(values, rows)[0], own(values, rows)[0]

        return replace(given, judge=scored), self.scoring if isinstance(self.scoring, str) else "score"
