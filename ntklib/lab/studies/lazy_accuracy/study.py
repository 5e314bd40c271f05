"""Lazy or not: networks by the scale of their outputs, against the linear models they may turn into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress
from ntklib._core.validation import check_integer, check_real, check_reals, check_rows
from ntklib.lab.networks import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.networks import MLP, TwoLayerNet

from ._measure import MEASURES, Plan, compare
from .result import MODELS, LazyStudy, LinearModel

__all__ = ["lazy_study"]

SCALES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def lazy_study(
    X: Any,
    y: Any,
    scales: Iterable[float] = SCALES,
    *,
    network: TwoLayerNet | MLP | None = None,
    n_train: int = 300,
    steps: int = 1000,
    momentum: float = 0.9,
    n_draws: int = 3,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LazyStudy:
    r"""Classify with networks :math:`\alpha h(w)` at several scales, and with their linear relatives.

    Scaled up, a network hardly has to move to fit the data, and trains like its tangent model: it is lazy.
    Scaled down, its hidden layers have to change.  At each scale the study measures the test accuracy, and
    how many hidden preactivations change sign; and it sets beside it the network's tangent model, the
    analytic NTK, and random features, that is the same network with its output layer trained only.

    All are trained on the square loss (a sum over rows) of centred one-hot labels by the same number of steps
    of gradient descent with momentum, with the learning rate :math:`\eta/\max(\alpha, \alpha^2)`, where
    :math:`\eta` is 1 over the largest eigenvalue of the NTK.  Outputs start at 0: networks are symmetrised.
    Rows are centred and divided by one number, so that their mean squared length is 1.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Class labels.
    scales : iterable of float, default=(0.01, 0.03, 0.1, 0.3, 1, 3, 10)
        alpha, positive.
    network : TwoLayerNet, MLP or None, default=None
        With an analytic limit; its outputs, scale and symmetry are set here.  None is
        ``TwoLayerNet(256, weight_std=2**0.5)``.
    n_train : int, default=300
        Training rows, drawn anew with every network; the other rows are for testing.  The tangent model takes
        the eigenvalues of a matrix of ``n_train * n_classes`` rows.
    steps : int, default=1000
    momentum : float, default=0.9
        At least 0, less than 1.
    n_draws : int, default=3
        Networks and splits, at least 2.
    random_state : int, default=0
        Draw d is seeded by (random_state, d); results are the same bytes at any number of threads.
    out : str, Path or None, default=None
        A folder; each draw is kept there as soon as it is finished, and a study that was killed goes on
        from those.
    progress : Progress or None, default=None
        None writes to standard error if that is a terminal.

    Returns
    -------
    LazyStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, a class has fewer than two rows, the network has no limit, the step
        is too large for the tangent model of a network as narrow as this, or ``out`` holds a study of other
        data or settings.

    References
    ----------
    L. Chizat, E. Oyallon and F. Bach, "On lazy training in differentiable programming", NeurIPS 2019,
    section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib.networks import TwoLayerNet
    >>> from ntklib.lab.studies import lazy_study
    >>> X, y = load_iris(return_X_y=True)
    >>> study = lazy_study(X, y, [0.1, 10.0], network=TwoLayerNet(64), n_train=60, steps=200, n_draws=2)
    >>> bool(study.sign_changes[1] < study.sign_changes[0])
    True
    >>> sorted(study.linear_models)
    ['ntk', 'random_features', 'tangent']
    """
    X = check_rows(X)
    if not isinstance(X, np.ndarray):
        raise TypeError("X is sparse, and rows are centred here; pass X.toarray().")
    X = X.astype(np.float64, copy=False)
    classes, labels, counts = np.unique(np.asarray(y), return_inverse=True, return_counts=True)
    if labels.shape != (X.shape[0],):
        raise ValueError(f"y must hold a class label a row, {X.shape[0]} of them, got shape {np.shape(y)}.")
    if len(classes) < 2 or counts.min() < 2:
        raise ValueError("y must hold at least two classes, of two rows or more each.")
    alphas = check_reals(scales, "scales", minimum=0, strict=True)
    n_train = check_integer(n_train, "n_train", minimum=len(classes))
    if X.shape[0] - n_train < len(classes):
        raise ValueError(
            f"n_train={n_train} of {X.shape[0]} rows leaves too few to test on; {len(classes)} at least."
        )
    momentum = check_real(momentum, "momentum", minimum=0)
    if momentum >= 1:
        raise ValueError(f"momentum must be less than 1, got {momentum}.")
    network = TwoLayerNet(256, weight_std=2**0.5) if network is None else network
    network = clone(network).set_params(n_outputs=len(classes), scale=1.0, symmetric=True)
    plan = Plan(
        network=network,
        X=X,
        labels=labels,
        n_train=n_train,
        scales=tuple(alphas),
        steps=check_integer(steps, "steps", minimum=1),
        momentum=momentum,
    )
    n_draws = check_integer(n_draws, "n_draws", minimum=2)
    random_state = check_integer(random_state, "random_state", minimum=0)
    settings: dict[str, Any] = {
        "network": network.to_dict(),
        "data": digest(X, labels),
        "scales": alphas,
        "n_train": n_train,
        "steps": steps,
        "momentum": momentum,
        "random_state": random_state,
    }
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"draw {d}": partial(compare, plan, (random_state, d)) for d in range(n_draws)
    }
    values = list(run_parts("lazy-accuracy", settings, parts, out=out, progress=progress).values())
    draws = {name: np.stack([v[name] for v in values], axis=1) for name in MEASURES}
    draws["advantage"] = draws["accuracy"] - np.array([v["tangent"][0] for v in values])
    mean = {name: value.mean(axis=1) for name, value in draws.items()}
    error = {
        f"{name}_se": draws[name].std(axis=1, ddof=1) / np.sqrt(n_draws)
        for name in ("accuracy", "advantage", "sign_changes")
    }
    return LazyStudy(
        scale=np.array(alphas),
        **mean,
        **error,
        linear_models={name: _linear_model(np.array([v[name] for v in values])) for name in MODELS},
        draws=draws,
        network=network_text(network),
        learning_rate=float(values[0]["learning_rate"]),
        steps=steps,
        n_train=n_train,
        n_test=X.shape[0] - n_train,
        n_features=X.shape[1],
        n_classes=len(classes),
        n_draws=n_draws,
        random_state=random_state,
    )


def _linear_model(found: np.ndarray) -> LinearModel:
    """From one row a draw: accuracy, accuracy in the limit, loss."""
    accuracy, limit, loss = found.mean(axis=0).tolist()
    error, limit_error, _ = (found.std(axis=0, ddof=1) / np.sqrt(len(found))).tolist()
    return LinearModel(accuracy, error, limit, limit_error, loss)
