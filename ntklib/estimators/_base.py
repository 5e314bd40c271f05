"""The base of the estimators: parameters that are checked by name, data that suit the kernel."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, validate_data

from ntklib._core.namespaces import refuse_arrays
from ntklib._core.progress import Gauge, Silent, seconds_text, talk

from ._kernel import accepts_sparse, is_precomputed, refuse_sparse
from ._parameters import CHECKS
from ._routing import Metadata
from ._scoring import Criterion
from ._units import Samples, Units
from .rows import RowView, check_finite_rows, check_finite_values, whole


class Estimator(BaseEstimator):
    """An estimator whose errors name the parameter that is wrong, and say what to give.

    A fit is whole or not at all: what is interrupted, or fails, leaves the estimator as it was.
    """

    verbose: Any = 0  # of those whose fits are short

    def set_params(self, **params: Any) -> Any:
        """Set parameters of the estimator, and ``component__parameter`` of a component.

        Parameters
        ----------
        **params

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter, or the component is None or has none.
        """
        for name in params:
            owner, _, inner = name.partition("__")
            component = params.get(owner, getattr(self, owner, None))
            if inner and hasattr(self, owner) and not hasattr(component, "set_params"):
                example = {"network": "ntklib.networks.TwoLayerNet()"}.get(owner, "ntklib.NTK()")
                raise ValueError(
                    f"{name} cannot be set, since {owner} is {component!r}, which has no parameter {inner}: "
                    f"give {owner} an object that has, such as {example}."
                )
        return super().set_params(**params)

    @contextmanager
    def _fitting(self) -> Iterator[Gauge | Silent]:
        """Show the block as `verbose` asks, and leave the estimator as it was if the block does not end."""
        before, start = dict(vars(self)), time.perf_counter()
        CHECKS["verbose"](self.verbose, "verbose")
        try:
            with talk(type(self).__name__, self.verbose) as gauge:
                yield gauge
                if self.verbose and (outcome := self._outcome()):
                    took = seconds_text(time.perf_counter() - start)
                    gauge.say(f"{type(self).__name__}: {outcome}; {took}")
        except BaseException:  # Ctrl-C as well
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _outcome(self) -> str:
        """Words on what came of a fit; nothing to say if empty."""
        return ""

    def _check_parameters(self) -> None:
        """Refuse wrong parameters before anything is computed."""
        for name, value in self.get_params(deep=False).items():
            if name in CHECKS:
                CHECKS[name](value, name)


class KernelEstimator(Estimator, ABC):
    """A regressor or classifier with a kernel: it takes sparse rows, or a Gram matrix, where the kernel does.

    The families of estimators, ``ridge``, ``tangent`` and ``network``, fit units; `Regression` and
    `Classification` make these of X and y.
    """

    kernel: Any
    kernel_: Any
    support_: NDArray
    _single: bool  # y has no axis of targets
    _reads_blocks = False  # fits from views of the caller's rows, and copies what it keeps

    @abstractmethod
    def _samples(self, X: Any, y: Any, sample_weight: Any) -> Samples:
        """Checked samples, as units with targets (n, k)."""

    @abstractmethod
    def _criterion(self, scoring: Any, units: Units, metadata: Metadata) -> Criterion:
        """Criterion of a scoring for outputs at the units."""

    @abstractmethod
    def _outputs(self, X: Any) -> NDArray:
        """Outputs of the fitted model at the rows of X, (m, k)."""

    def _kernels(self) -> list:
        """The kernels that may be used."""
        return [self.kernel]

    @property
    def _precomputed(self) -> bool:
        return any(map(is_precomputed, self._kernels()))

    @property
    def _accepts_sparse(self) -> bool:
        return all(map(accepts_sparse, self._kernels()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self._precomputed
        tags.input_tags.sparse = self._accepts_sparse
        return tags

    def _validate(self, *data: Any, reset: bool = True, **options: Any) -> Any:
        """Checked X and y in fit; X alone (with reset=False) later.

        In fit X becomes our own to keep, unless a view of it is enough: then numbers are converted when they
        are read.
        """
        if reset:
            self._check_parameters()
        refuse_arrays(data[0])
        for kernel in self._kernels():
            refuse_sparse(kernel, data[0])
        for y in data[1:]:
            check_finite_values(y, "y")
        view = self._reads_blocks and not self._precomputed
        if view and isinstance(data[0], RowView):
            return self._validate_view(*data, reset=reset, **options)
        numbers = isinstance(data[0], np.ndarray) and data[0].dtype.kind in "fiub"
        checked = validate_data(
            self,
            *data,
            accept_sparse="csr" if self._accepts_sparse else False,
            dtype=None if view and numbers else (np.float64, np.float32),
            copy=reset and not view,
            ensure_all_finite=False,
            reset=reset,
            **options,
        )
        X = checked[0] if len(data) > 1 else checked
        if not get_config()["assume_finite"]:
            check_finite_rows(self._view(X))
        return checked

    def _validate_view(self, X: RowView, *y: Any, reset: bool, **options: Any) -> Any:
        """Rows that are a view already, and y."""
        if reset:
            self.n_features_in_ = X.shape[1]
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input."
            )
        if not (X.elsewhere or get_config()["assume_finite"]):
            check_finite_rows(X)
        if not y:
            return X
        targets = validate_data(self, y=y[0], reset=reset, **options)
        check_consistent_length(X, targets)
        return X, targets

    def _view(self, X: Any) -> Any:
        """The rows as they are fitted and predicted from."""
        view = self._reads_blocks and not self._precomputed and not isinstance(X, RowView)
        return RowView(X) if view else X

    def _rows(self, X: Any) -> Any:
        """Checked rows to predict at."""
        return self._fitted_columns(self._view(self._validate(X, reset=False)))

    def _fitted_columns(self, X: Any) -> Any:
        """Rows of a Gram matrix without the columns of samples that were left out of the fit; other rows."""
        if is_precomputed(getattr(self, "kernel_", None)) and X.shape[1] != len(self.support_):
            return whole(X)[:, self.support_]
        return X
