"""Lazy or not: networks by the scale of their outputs, against the linear models they may turn into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress
from ntklib._core.validation import check_rows
from ntklib.lab.arguments import Integer, Real, Reals
from ntklib.lab.draws import mean_and_error
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import NETWORK_OPTIONS, Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet

from .measure import MEASURES, compare, draw_split
from .result import MODELS, LazyAccuracyStudy, LinearModel

__all__ = ["lazy_accuracy_study"]

SCALES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
NETWORK = TwoLayerNet(256, weight_std=2**0.5)


@study(
    rows=RowSource("classes", max_samples=2000),
    networks=Networks(tuple(name for name in NETWORK_OPTIONS if name != "symmetric"), width=True),
    examples="""
    ntklib study lazy-accuracy                            handwritten digits, less than a minute
    ntklib study lazy-accuracy --data wine --scales 0.1 1 10 --out lazy-wine
    """,
)
def lazy_accuracy_study(
    X: Any,
    y: Any,
    scales: Annotated[Iterable[float], Reals()] = SCALES,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    n_train: Annotated[int, Integer()] | None = None,
    steps: Annotated[int, Integer()] = 1000,
    momentum: Annotated[float, Real(below=1.0)] = 0.9,
    n_draws: Annotated[int, Integer(2)] = 3,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LazyAccuracyStudy:
    r"""Accuracy of networks that learn features or do not, beside their linear relatives.

    Classifies with networks whose outputs are scaled up (lazy: they train like their tangent models) or down
    (their hidden layers have to change), and compares test accuracy, activations that change sign and kernels
    with the tangent model, the analytic NTK and random features.

    A network :math:`\alpha h(w)` that is scaled up hardly has to move to fit the data.  Random features are
    the same network with its output layer trained only.  All are trained on the square loss (a sum over rows)
    of centred one-hot labels by the same number of steps of gradient descent with momentum, with the learning
    rate :math:`\eta/\max(\alpha, \alpha^2)`, where :math:`\eta` is 1 over the largest eigenvalue of the NTK.
    Outputs start at 0: networks are symmetrised.  Rows are centred and divided by one number, so that their
    mean squared length is 1.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    scales : iterable of float, default=(0.01, 0.03, 0.1, 0.3, 1, 3, 10)
        Factors alpha of the outputs.
    network : TwoLayerNet or MLP, default=TwoLayerNet(256, weight_std=2**0.5)
        With an analytic limit; its outputs, scale and symmetry are set here.
    n_train : int or None, default=None
        Training rows; 300 by default, at most half of all.  They are drawn anew with every network; the
        other rows are for testing.  The tangent model takes the eigenvalues of a matrix of
        ``n_train * n_classes`` rows.
    steps : int, default=1000
        Steps of every training.
    momentum : float, default=0.9
        At least 0, less than 1.
    n_draws : int, default=3
        Networks and splits, at least 2.

    Returns
    -------
    LazyAccuracyStudy

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
    >>> from ntklib.lab.studies import lazy_accuracy_study
    >>> X, y = load_iris(return_X_y=True)
    >>> network = TwoLayerNet(64)
    >>> study = lazy_accuracy_study(X, y, [0.1, 10.0], network=network, n_train=60, steps=200, n_draws=2)
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
    if n_train is None:
        n_train = min(300, X.shape[0] // 2)
    n_train = Integer(len(classes)).check(n_train, "n_train")
    if X.shape[0] - n_train < len(classes):
        raise ValueError(
            f"n_train={n_train} of {X.shape[0]} rows leaves too few to test on; {len(classes)} at least."
        )
    network = clone(network).set_params(n_outputs=len(classes), scale=1.0, symmetric=True)
    alphas = list(scales)
    settings: dict[str, Any] = {
        "network": network.to_dict(),
        "data": digest(X, labels),
        "scales": alphas,
        "n_train": n_train,
        "steps": steps,
        "momentum": momentum,
        "random_state": random_state,
    }

    def draw(index: int) -> Mapping[str, Any]:
        rng = generator(random_state, index)
        return compare(network, draw_split(X, labels, n_train, rng), alphas, steps, momentum, rng)

    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"draw {d}": partial(draw, d) for d in range(n_draws)
    }
    values = list(run_parts("lazy-accuracy", settings, parts, out=out, progress=progress).values())
    draws = {name: np.stack([v[name] for v in values], axis=1) for name in MEASURES}
    draws["advantage"] = draws["accuracy"] - np.array([v["tangent"][0] for v in values])
    moments = {name: mean_and_error(value) for name, value in draws.items()}
    return LazyAccuracyStudy(
        scale=np.array(alphas),
        **{name: mean for name, (mean, _) in moments.items()},
        **{f"{name}_se": moments[name][1] for name in ("accuracy", "advantage", "sign_changes")},
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


def _linear_model(scores: np.ndarray) -> LinearModel:
    """From one row a draw: accuracy, accuracy in the limit, loss."""
    (accuracy, limit, loss), (error, limit_error, _) = map(np.ndarray.tolist, mean_and_error(scores, axis=0))
    return LinearModel(accuracy, error, limit, limit_error, loss)
