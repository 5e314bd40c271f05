"""Models that ``benchmarks/tables.py`` compares, by name.

Ours come first: ``default`` is the estimator with no argument, ``stack`` has ``combine="stack"``, ``ntk`` the
grid of kernels of networks alone, and ``before`` is that without clipping, the default of earlier versions.
The others are tuned or taken as their documentation recommends:

- ``svm``: an RBF support vector machine, C in 2^-1 .. 2^9 and gamma in 2^-6 .. 2^2 times scikit-learn's
  "scale", both in steps of 4, chosen by three inner folds, on which its probabilities are calibrated;
- ``forest``: 500 trees;
- ``boosting``: scikit-learn's histogram gradient boosting as it comes;
- ``lightgbm``, ``catboost``: LightGBM and CatBoost as they come, where they are installed;
- ``xrfm``: xRFM, where it is installed, tuned as in ``_tables_xrfm.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from _tables_xrfm import XRFMClassifier, XRFMRegressor
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

import ntklib

SEED = 0
Maker = Callable[[bool, np.ndarray], BaseEstimator]


def _ours(*args: Any, **options: Any) -> Maker:
    def make(classes: bool, X: np.ndarray) -> BaseEstimator:
        return (ntklib.NTKClassifierCV if classes else ntklib.NTKRegressorCV)(*args, **options)

    return make


def _before(classes: bool, X: np.ndarray) -> BaseEstimator:
    return ntklib.NTKClassifierCV("ntk") if classes else ntklib.NTKRegressorCV("ntk", clip=False)


def _svm(classes: bool, X: np.ndarray) -> BaseEstimator:
    scale = 1 / (X.shape[1] * X.var())
    grid = {"C": 2.0 ** np.arange(-1, 10, 2), "gamma": scale * 2.0 ** np.arange(-6, 3, 2)}
    if classes:
        return TunedSVC(grid)
    search = GridSearchCV(SVR(), grid, cv=KFold(3, shuffle=True, random_state=SEED))
    return TransformedTargetRegressor(search, transformer=StandardScaler())


class TunedSVC(ClassifierMixin, BaseEstimator):
    """A support vector machine tuned by its accuracy and then calibrated, on the same three folds."""

    def __init__(self, grid: dict[str, np.ndarray]) -> None:
        self.grid = grid

    def fit(self, X: np.ndarray, y: np.ndarray) -> TunedSVC:
        inner = StratifiedKFold(3, shuffle=True, random_state=SEED)
        best = GridSearchCV(SVC(), self.grid, cv=inner, refit=False).fit(X, y).best_params_
        self.model_ = CalibratedClassifierCV(SVC(**best), cv=inner, ensemble=False).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.model_.predict(X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.model_.predict_proba(X)


def _forest(classes: bool, X: np.ndarray) -> BaseEstimator:
    return (RandomForestClassifier if classes else RandomForestRegressor)(500, random_state=SEED)


def _boosting(classes: bool, X: np.ndarray) -> BaseEstimator:
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(random_state=SEED)


def _lightgbm(classes: bool, X: np.ndarray) -> BaseEstimator:
    import lightgbm

    kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
    return kind(n_jobs=1, random_state=SEED, verbose=-1)


def _catboost(classes: bool, X: np.ndarray) -> BaseEstimator:
    import catboost

    kind = catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor
    return kind(thread_count=1, random_seed=SEED, verbose=False, allow_writing_files=False)


def _xrfm(classes: bool, X: np.ndarray) -> BaseEstimator:
    return XRFMClassifier() if classes else XRFMRegressor()


MODELS: dict[str, Maker] = {
    "default": _ours(),
    "stack": _ours(combine="stack"),
    "ntk": _ours("ntk"),
    "before": _before,
    "svm": _svm,
    "forest": _forest,
    "boosting": _boosting,
    **({"lightgbm": _lightgbm} if find_spec("lightgbm") else {}),
    **({"catboost": _catboost} if find_spec("catboost") else {}),
    **({"xrfm": _xrfm} if find_spec("xrfm") else {}),
}
"""Makers of unfitted models, by name: of classifiers or regressors, for training rows X."""


def with_settings(settings: dict[str, Any]) -> Maker:
    """Our estimator with other parameters."""
    return _ours(**settings)
