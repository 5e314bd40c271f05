"""What the tangent estimators share: the model, its training, its outputs, and going on from a fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ntklib._core.validation import check_integer, check_option, check_real
from ntklib.dynamics import Loss, SquaredError, as_loss
from ntklib.dynamics.function_space.spectrum import check_momentum
from ntklib.networks import EmpiricalNTK, Network, TwoLayerNet

from .._kernel import accepts_sparse, is_precomputed, resolve_kernel, warn_blind
from .._parameters import Estimator
from .._units import Units
from ._descent import Descent
from ._fit import Held, Run, Training, held_rows, output_exponent, run, undisturbed
from ._models import Expansion, FiniteTangent, InfiniteTangent, Tangent
from ._route import choose_route
from .steps import Patience

_OF_A_FIT = (
    *("network_", "params_", "displacement_", "kernel_", "X_fit_", "dual_coef_"),
    *("validation_loss_curve_", "_training"),
)


class TangentEstimator(Estimator):
    """A tangent model trained by gradient descent; outputs are (m, k) in here."""

    _losses: tuple[str, ...] = ()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = is_precomputed(self.kernel)
        tags.input_tags.sparse = self._accepts_sparse
        return tags

    @property
    def _accepts_sparse(self) -> bool:
        return self.kernel is None or accepts_sparse(self.kernel)

    def _validate(self, *data: Any, **options: Any) -> Any:
        """Checked X and y in fit, where X becomes our own to keep; X alone (with reset=False) later."""
        if options.get("reset", True):
            self._check_parameters()
        sparse, own = "csr" if self._accepts_sparse else False, options.get("reset", True)
        return validate_data(
            self, *data, accept_sparse=sparse, dtype=(np.float64, np.float32), copy=own, **options
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_training")

    @property
    def _goes_on(self) -> bool:
        """Whether this fit continues the last one."""
        return bool(self.warm_start) and hasattr(self, "_training")

    def _loss(self) -> Loss:
        loss = (
            self.loss
            if isinstance(self.loss, Loss)
            else as_loss(check_option(self.loss, "loss", self._losses))
        )
        if loss.name not in self._losses:
            raise ValueError(f"{type(self).__name__} has no use for {loss!r}; its losses are {self._losses}.")
        return loss

    # the model

    def _fresh(self, X: Any, n_outputs: int) -> Tangent:
        """The model at its start; what an earlier fit left is forgotten."""
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

    def _seed(self) -> Any:
        """An integer is the network's own seed, so that its start can be made again."""
        if self.random_state is None or isinstance(self.random_state, (int, np.integer)):
            return self.random_state
        return check_random_state(self.random_state).randint(2**31 - 1)

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
        finite = hasattr(self, "network_")
        if is_precomputed(self.kernel):
            raise ValueError(
                "warm_start needs the samples themselves, which kernel='precomputed' does not give."
            )
        if n_outputs != self._n_outputs or X.shape[1] != self._training.units.X.shape[1]:
            raise ValueError(
                "warm_start goes on with as many features and outputs as the model was fitted to."
            )
        same = (
            self.kernel is None and resolve_network(self.network, n_outputs) == self.network_
            if finite
            else self.network is None and resolve_kernel(self.kernel) == self.kernel_
        )
        if not same:
            raise ValueError(
                "warm_start goes on with the fitted model: network and kernel must stay as they are."
            )
        return self._model(n_outputs), self._learned

    # training

    def _train(self, units: Units, *, strata: NDArray | None = None) -> Run:
        """Train on the units and store what came of it."""
        loss, momentum = self._loss(), check_momentum(self.momentum)
        max_iter = check_integer(self.max_iter, "max_iter", minimum=1)
        patience = self._patience(max_iter)
        n_outputs, before = units.targets.shape[1], None
        if self._goes_on:
            model, before = self._continued(units.X, n_outputs)
        else:
            model = self._fresh(units.X, n_outputs)
        rows, watched = self._split(len(units), strata)
        part = units if watched is None else units.take(rows)
        route = choose_route(model, len(part), square=isinstance(loss, SquaredError), iterations=max_iter)
        exponent = output_exponent(model, part, loss, before)
        training = Training(part, loss, momentum, route, max_iter, before, exponent)

        def train() -> tuple[Descent, Run]:
            descent, held = training.descent(model, self.learning_rate), None
            if watched is not None:
                own = units.take(watched)
                view = descent.view(held_rows(units, watched, rows))
                held = Held(view, training.risk(own))
            return descent, run(training, descent, max_iter, patience, held, int(self.verbose))

        descent, result = undisturbed(train, training.held(model))
        rate, solution = training.reported_rate(descent), descent.solution(result.stage.state)
        self._store(training, rate, result.stage.step, solution)
        self.loss_curve_ = result.losses
        if result.held_losses is not None:
            self.validation_loss_curve_ = result.held_losses
        return result

    def _patience(self, max_iter: int) -> Patience:
        rounds = check_integer(self.n_iter_no_change, "n_iter_no_change", minimum=1)
        if self.tol is None:
            return Patience(0.0, max_iter + 2)
        return Patience(check_real(self.tol, "tol", minimum=0), rounds)

    def _split(self, n: int, strata: NDArray | None) -> tuple[NDArray, NDArray | None]:
        """Rows to train on, and those to watch, if any."""
        if not self.early_stopping:
            return np.arange(n), None
        rows, held = train_test_split(
            np.arange(n), test_size=self.validation_fraction, random_state=self.random_state, stratify=strata
        )
        return np.sort(rows), np.sort(held)

    def _store(self, training: Training, learning_rate: float, n_iter: int, solution: Any) -> None:
        self._training = training
        self.learning_rate_, self.n_iter_, self.route_ = learning_rate, n_iter, str(training.route)
        self.support_ = training.units.support
        if isinstance(solution, Expansion):
            self.X_fit_, self.dual_coef_ = solution.X, solution.coef
        else:
            self.displacement_ = solution

    # outputs

    def _rows(self, X: Any) -> Any:
        """Checked rows; of a Gram matrix the columns that were trained on."""
        X = self._validate(X, reset=False)
        if is_precomputed(getattr(self, "kernel_", None)) and X.shape[1] != len(self.support_):
            X = X[:, self.support_]
        return X

    def _outputs(self, X: Any) -> NDArray:
        """Outputs of the trained model at the rows of X, (m, k)."""
        check_is_fitted(self)
        X, model = self._rows(X), self._model(self._n_outputs)
        return model.start(X) + model.evaluate(self._learned, X)

    def _staged_outputs(self, X: Any) -> Iterator[NDArray]:
        """Outputs after each iteration of the last fit, by training again; (m, k)."""
        check_is_fitted(self)
        X = self._rows(X)
        descent = self._training.descent(self._model(self._n_outputs), self.learning_rate_)
        for stage in descent.stages(range(1, self.n_iter_ + 1), descent.view(X)):
            assert stage.outputs is not None
            yield stage.outputs * self._training.unit


def resolve_network(network: Any, n_outputs: int) -> Network:
    """A network of our own with this many outputs: None is the default, others are cloned."""
    if network is None:
        network = TwoLayerNet(512)
    if not isinstance(network, Network):
        raise TypeError(
            f"network must be a TwoLayerNet or an MLP of ntklib.networks, got {network!r}; a kernel goes to "
            "the parameter kernel."
        )
    own = network.get_params()["n_outputs"]
    if own not in (1, n_outputs):
        raise ValueError(
            f"the network has {own} outputs and the targets need {n_outputs}; leave n_outputs=1, fit sets it."
        )
    return clone(network).set_params(n_outputs=n_outputs)
