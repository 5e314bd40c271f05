"""xRFM (recursive feature machines with kernels, by Beaglehole and others) as it is tuned in ``tables.py``.

Its authors draw settings at random and choose by validation rows, which also say after how many rounds of
learned features to stop. Here 30 settings are drawn from their search space "default" in PyTabKit (columns of
classes one-hot encoded throughout, as for every model of ``tables.py``) and tried on the first of five inner
folds, the best three on all five; tables of more than 64 columns have draws of "only_l2", the authors' other
space, since their kernels of other norms are slow without a graphics card. The five models of the best one
are averaged. Error is log-loss for classes and squared error for numbers, which are standardised.
Probabilities get a temperature fitted on the inner folds' held-out rows, as those of the support vector
machine are calibrated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

SETTINGS, FINALISTS, FOLDS, SEED = 30, 3, 5, 0
LPQ_COLUMNS = 64  # beyond which gradients of "lpq" take minutes without a graphics card
Trial = tuple[Any, np.ndarray, np.ndarray]


def draw(rng: np.random.Generator, n_columns: int) -> dict[str, Any]:
    """Parameters of a leaf, drawn from the authors' search space, or without "lpq" from their "only_l2"."""
    lpq = 0.8 if n_columns <= LPQ_COLUMNS else 0.0
    exponent = rng.uniform(0.7, 1.4)
    model = {
        "bandwidth": float(np.exp(rng.uniform(np.log(0.5), np.log(200)))),
        "exponent": exponent,
        "norm_p": exponent + (2 - exponent) * rng.uniform(0, 0.8),
        "diag": bool(rng.choice([False, True])),
        "kernel": str(rng.choice(["lpq", "l2"], p=[lpq, 1 - lpq])),
        "bandwidth_mode": "constant",
    }
    fit = {
        "reg": float(np.exp(rng.uniform(np.log(1e-6), np.log(10)))),
        "iters": 5,
        "early_stop_rfm": True,
        "early_stop_multiplier": 1.1,
        "verbose": False,
        "solver": "solve",
    }
    return {"model": model, "fit": fit}


class _XRFM(BaseEstimator):
    """What the classifier and the regressor share: settings, folds, and the mean over folds."""

    classes = False

    def __init__(self, settings: int = SETTINGS, finalists: int = FINALISTS, folds: int = FOLDS) -> None:
        self.settings = settings
        self.finalists = finalists
        self.folds = folds

    def _search(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Keep the models of the best setting; return their predictions on rows they were not trained on."""
        X = np.asarray(X, dtype=np.float32)
        cut = (StratifiedKFold if self.classes else KFold)(self.folds, shuffle=True, random_state=SEED)
        first, *others = cut.split(X, y)
        rng = np.random.default_rng(SEED)
        settings = [draw(rng, X.shape[1]) for _ in range(self.settings)]
        trials = [[self._one(setting, X, y, *first)] for setting in settings]
        order = np.argsort([self._error(y, trial) for trial in trials], kind="stable")
        finalists = []
        for i in order[: self.finalists]:
            finalists.append(trials[i] + [self._one(settings[i], X, y, *fold) for fold in others])
        best = min(finalists, key=lambda trial: self._error(y, trial))
        self.models_ = [model for model, _, _ in best]
        held_out = np.empty((len(X), *best[0][2].shape[1:]))
        for _, rows, values in best:
            held_out[rows] = values
        return held_out

    def _one(self, setting: dict, X: np.ndarray, y: np.ndarray, train: np.ndarray, rows: np.ndarray) -> Trial:
        """A model of the training rows, the rows left out, and its predictions on them."""
        import torch
        import xrfm

        model = xrfm.xRFM(
            {name: dict(part) for name, part in setting.items()},
            device=torch.device("cpu"),
            tuning_metric="logloss" if self.classes else "mse",
            classification_mode="prevalence",
            random_state=SEED,
            n_threads=1,
            verbose=False,
        )
        labels = torch.tensor(y, dtype=torch.int64 if self.classes else torch.float32)
        model.fit(X[train], labels[train], X[rows], labels[rows])
        return model, rows, self._values(model, X[rows])

    def _values(self, model: Any, X: np.ndarray) -> np.ndarray:
        """Probabilities or standardised numbers of one model."""
        if self.classes:
            shares = np.asarray(model.predict_proba(X), dtype=float)
            return shares / shares.sum(axis=1, keepdims=True)  # they add up to 1 in single precision
        return np.asarray(model.predict(X), dtype=float).ravel()

    def _error(self, y: np.ndarray, trial: list[Trial]) -> float:
        rows = np.concatenate([rows for _, rows, _ in trial])
        values = np.concatenate([values for _, _, values in trial])
        if not np.isfinite(values).all():
            return np.inf
        if self.classes:
            return float(log_loss(y[rows], values, labels=range(values.shape[1])))
        return float(mean_squared_error(y[rows], values))

    def _mean(self, X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=np.float32)
        return np.mean([self._values(model, X) for model in self.models_], axis=0)


class XRFMRegressor(RegressorMixin, _XRFM):
    """Tuned xRFM for a number."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> XRFMRegressor:
        self.mean_, self.scale_ = float(np.mean(y)), float(np.std(y)) or 1.0
        self._search(X, (np.asarray(y) - self.mean_) / self.scale_)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.mean_ + self.scale_ * self._mean(X)


class XRFMClassifier(ClassifierMixin, _XRFM):
    """Tuned and calibrated xRFM for classes."""

    classes = True

    def fit(self, X: np.ndarray, y: np.ndarray) -> XRFMClassifier:
        self.classes_, labels = np.unique(y, return_inverse=True)
        held_out = np.log(self._search(X, labels))

        def loss(log_sharpness: float) -> float:
            return log_loss(labels, softmax(np.exp(log_sharpness) * held_out, axis=1))

        self.sharpness_ = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return softmax(self.sharpness_ * np.log(self._mean(X)), axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
