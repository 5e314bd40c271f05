"""Classification by one kernel ridge regression per class."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from ntklib.solvers import Solver
from ntklib.solvers.nystrom import CentreSums

from .._calibration import fit_temperature, probabilities
from .._classification import Classification, class_targets
from .._kernel import tells_nothing
from .._units import Units
from ..defaults import DEFAULT_ALPHA
from ._estimator import RidgeEstimator
from .stream import HELD_OUT, Stream, StreamEstimator, streams


class RidgeClassification(Classification, RidgeEstimator):
    """Decisions and probabilities from one expansion per class (one in all for two classes)."""

    calibrate: Any = True

    def _fit_at(self, units: Units, penalties: NDArray, solver: Solver | None = None) -> None:
        """Fit at one penalty, and the temperature on the leave-one-out scores of that fit."""
        units = self._merged(units, [self.kernel_])
        left_out = self._fit_units(units, penalties, solver, left_out=bool(self.calibrate))
        if left_out is not None:
            self._use_left_out(units, left_out)

    def _use_left_out(self, units: Units, values: NDArray) -> None:
        """Fit the temperature; keep the shares of the classes where the kernel tells no samples apart."""
        assert units.labels is not None
        self._fit_temperature(units, values)
        counts = np.bincount(units.labels, weights=units.weights, minlength=len(self.classes_))
        self._keep_shares(units.X, counts)

    def _fit_temperature(self, units: Units, values: NDArray) -> None:
        """Fit the temperature on the leave-one-out values (n, k) of the units, as far as they are known."""
        known = np.flatnonzero(np.isfinite(values).all(axis=1))
        held = units if len(known) == len(units) else units.take(known)
        self.temperature_ = 1.0
        if len(known):
            assert held.labels is not None
            self.temperature_ = fit_temperature(values[known], held.labels, held.weights, held.n_copies)

    def _keep_shares(self, X: Any, weights: NDArray) -> None:
        """Keep the classes' shares of their weights if the kernel does not tell the rows of X apart."""
        self._shares: NDArray | None = None
        if self._constant and tells_nothing(self.kernel_, X):
            self._shares = weights / weights.sum()

    def decision_gradient(self, X: Any) -> NDArray:
        """Differentiate the decision values in the inputs, at the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (m, d)

        Returns
        -------
        ndarray of shape (m, d) for two classes, else (m, d, n_classes)
            Gradients of `decision_function`, dense; see :func:`ntklib.kernels.gradient_x` for kinks.

        Raises
        ------
        TypeError
            If the kernel has no gradients in the inputs.
        ValueError
            If X does not match the fitted data, or with ``kernel="precomputed"``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from ntklib import NTKClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> NTKClassifier().fit(X, y).decision_gradient(X[:2]).shape
        (2, 4, 3)
        """
        slopes = self._gradients(X, "decision_gradient")
        return slopes[:, :, 0] if slopes.shape[2] == 1 else slopes

    @property
    def _has_probabilities(self) -> bool:
        return self.calibrate

    def _probabilities(self, outputs: NDArray) -> NDArray:
        check_is_fitted(self, "temperature_")
        if self._shares is not None:
            return np.tile(self._shares, (len(outputs), 1))
        return probabilities(outputs, self.temperature_)


class NTKClassifier(StreamEstimator, RidgeClassification):
    r"""Kernel ridge classification: one regression per class on targets of +1 and -1.

    Probabilities are :math:`p(c \mid x) \propto \exp(f_c(x)/T)` (with f and -f for two classes), the
    temperature T minimising the log-loss of the exact leave-one-out scores. Equal samples are merged, and one
    copy is left out; see :class:`NTKRegressorCV`.

    Parameters
    ----------
    kernel : Kernel, callable, "precomputed" or None, default=None
        As in :class:`NTKRegressor`.
    alpha : float, default=1.0
        Penalty; nonnegative.
    fit_intercept : bool, default=True
        Fit an unpenalised constant in each regression.
    solver : {"auto", "cholesky", "nystrom", "cg"} or Solver, default="auto"
        As in :class:`NTKRegressor`; ``ConjugateGradient`` needs ``calibrate=False``.
    class_weight : dict, "balanced" or None, default=None
        Importances of the classes, multiplied into the sample weights; "balanced" ones make the weights of
        all classes sum to the same.
    calibrate : bool, default=True
        Fit the temperature, which costs about as much again as the factorisation. Without it
        there is no `predict_proba`.
    verbose : int, default=0
        As in :class:`NTKRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    temperature_ : float
        T; only with `calibrate`.
    dual_coef_ : ndarray of shape (n_fit, 1) for two classes, else (n_fit, n_classes)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    X_fit_, support_, kernel_, solve_, n_features_in_, feature_names_in_,
    feature_importances_
        As in :class:`NTKRegressor`.

    See Also
    --------
    NTKClassifierCV : Chooses kernel and penalty by exact leave-one-out.

    References
    ----------
    R. Rifkin, G. Yeo and T. Poggio, "Regularized least-squares classification", 2003.
    C. Guo et al., "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTKClassifier
    >>> X = np.array([[-2.0], [-1.5], [-1.0], [1.0], [1.5], [2.0]])
    >>> model = NTKClassifier().fit(X, ["low", "low", "low", "high", "high", "high"])
    >>> model.predict([[-1.2], [3.0]]).tolist()
    ['low', 'high']
    """

    def __init__(
        self,
        kernel=None,
        *,
        alpha=DEFAULT_ALPHA,
        fit_intercept=True,
        solver="auto",
        class_weight=None,
        calibrate=True,
        verbose=0,
    ):
        self.kernel = kernel
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.verbose = verbose

    @available_if(streams)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on learning from further samples; only with the solver ``Nystrom``.

        As :meth:`NTKRegressor.partial_fit`. The temperature is fitted to samples that are kept out of the
        sums: at most 1,000, and a fourth of `n_init`, drawn from all that have come.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, d)
        y : array-like of shape (n,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed on the first call, unless they are those of `fit` before.
        sample_weight : array-like of shape (n,) or float, default=None
            As in `fit`; whole numbers are counts as long as all weights so far are whole.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data are not finite numbers of matching shapes, their columns are not those of the first
            call, a label is not among the classes, ``class_weight="balanced"`` is set, which needs all labels
            at once, or a parameter other than `alpha` and `verbose` is not that of the first call; nothing
            has changed then.

        Examples
        --------
        >>> import numpy as np
        >>> from ntklib import NTKClassifier
        >>> from ntklib.solvers import Nystrom
        >>> model = NTKClassifier(solver=Nystrom(20, n_init=100))
        >>> rng = np.random.default_rng(0)
        >>> for _ in range(10):
        ...     X = rng.uniform(-2, 2, size=(50, 2))
        ...     model = model.partial_fit(X, X[:, 0] > X[:, 1], classes=[False, True])
        >>> model.predict([[1.0, -1.0], [-1.0, 1.0]]).tolist()
        [True, False]
        """
        with self._fitting():
            first = self._begins
            if not first:
                self._check_parameters()
            if isinstance(self.class_weight, str):
                raise ValueError(
                    "class_weight='balanced' needs all labels at once, and those of a stream come one after "
                    "the other: give partial_fit a dict of class and weight, or sample weights."
                )
            X, y = self._validate(X, y, reset=first)
            check_classification_targets(y)
            known = self._classes_of_stream(classes, first)
            labels = np.searchsorted(known, y) % len(known)
            strange = known[labels] != y
            if strange.any():
                label = y[strange].tolist()[0]
                raise ValueError(f"the label {label!r} is not among the classes {known.tolist()}.")
            self._set_classes(known)
            targets = class_targets(labels, len(known), self._absent)
            importances = compute_class_weight(self.class_weight, classes=known, y=known)[labels]
            self._learn(X, targets, labels, importances, sample_weight)
        return self

    def _classes_of_stream(self, classes: Any, first: bool) -> NDArray:
        """Sorted classes of the stream, given on the first call."""
        if classes is None:
            if first and not hasattr(self, "classes_"):
                raise ValueError(
                    "classes must be given on the first call of partial_fit: all labels there are."
                )
            return self.classes_
        try:
            given = unique_labels(classes)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "classes must be the labels that will come, all of one type, in one list or array; "
                f"got {classes!r}."
            ) from error
        if not first and not np.array_equal(given, self.classes_):
            raise ValueError(
                f"classes are {given.tolist()}, and were {self.classes_.tolist()} on the first call."
            )
        if len(given) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, got {given.tolist()}.")
        return given

    @property
    def _n_held_out(self) -> int:
        return HELD_OUT if self.calibrate else 0

    def _complete_stream(self, stream: Stream, sums: CentreSums) -> None:
        held = stream.reservoir.rows
        if held is not None:
            self._use_left_out(held.units(whole_weights=stream.whole_weights), self._expand(held.X))
