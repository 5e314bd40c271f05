"""Kernel evolution: the tangent kernel along training, and what it has learned for kernel regression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import clone

from ntklib._core.progress import Progress
from ntklib._core.threads import parallel_for
from ntklib._core.validation import check_rows
from ntklib.lab.arguments import Integer, Integers, Real
from ntklib.lab.draws import mean_and_error
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import TRAINED_OPTIONS, Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet

from .measure import MEASURES, REGIMES, draw_sets, follow
from .result import KernelEvolutionStudy

__all__ = ["kernel_evolution_study"]

EPOCHS = (0, 1, 2, 4, 8, 16, 32, 64)
NETWORK = MLP((64, 64), weight_std=2**0.5)


@study(
    rows=RowSource("classes", max_samples=2000),
    networks=Networks(tuple(name for name in TRAINED_OPTIONS if name != "symmetric"), width=True),
    examples="""
    ntklib study kernel-evolution --out evolution          handwritten digits
    ntklib study kernel-evolution --width 256 --depth 3 --epochs 0 1 4 16
    """,
)
def kernel_evolution_study(
    X: Any,
    y: Any,
    epochs: Annotated[Iterable[int], Integers(0, least=2, example="(0, 1, 4, 16)")] = EPOCHS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    scale: Annotated[float, Real(strict=True)] = 30.0,
    n_train: Annotated[int, Integer()] | None = None,
    n_fresh: Annotated[int, Integer()] | None = None,
    batch_size: Annotated[int, Integer()] = 60,
    penalty: Annotated[float, Real(strict=True)] = 1e-3,
    n_draws: Annotated[int, Integer(2)] = 4,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> KernelEvolutionStudy:
    r"""Tangent kernels along training: distance, velocity, and accuracy in kernel regression on fresh rows.

    Trains classifiers, as they are and lazy (outputs centred and scaled up), and takes their tangent kernels
    at several epochs: how far they are from the first, how fast they move, and how well kernel regression
    with them does on rows that training has not seen.

    The distance of two kernels is :math:`S(K, K') = 1 - \langle K, K' \rangle/(|K|\, |K'|)`, the velocity
    :math:`S(K_t, K_{t + \Delta})/\Delta`; kernels are sums over the outputs, on the fresh rows.  Networks
    are trained on the log loss by minibatches with momentum 0.9 and half the largest stable step at the
    start.  Rows are centred and of mean square length 1.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    epochs : iterable of int, default=(0, 1, 2, 4, 8, 16, 32, 64)
        At which the kernel is taken; 0 is always among them.
    network : TwoLayerNet or MLP, default=MLP(weight_std=2**0.5, widths=(64, 64))
        Its outputs and scale are set here.
    scale : float, default=30.0
        Factor of the centred outputs of the lazy networks.
    n_train : int or None, default=None
        Rows to train networks on; half of all by default.
    n_fresh : int or None, default=None
        Other rows, for kernel regression; a twentieth of all by default.  The rest is for testing.
    batch_size : int, default=60
        Rows of a step, at most `n_train`.
    penalty : float, default=1e-3
        Of kernel regression, relative to the mean of the kernel's diagonal.
    n_draws : int, default=4
        Draws of rows and networks, two at least.

    Returns
    -------
    KernelEvolutionStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, there are too few rows or classes, a network diverges, or ``out``
        holds a study of other data or settings.

    References
    ----------
    S. Fort, G. K. Dziugaite, M. Paul, S. Kharaghani, D. M. Roy and S. Ganguli, "Deep learning versus kernel
    learning: an empirical study of loss landscape geometry and the time evolution of the neural tangent
    kernel", NeurIPS 2020 (arXiv 2010.15110).  There the kernel of an epoch is used on the training rows
    themselves; here on fresh ones, so that nothing of their labels is in it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib.lab.studies import kernel_evolution_study
    >>> from ntklib.networks import TwoLayerNet
    >>> X, y = load_iris(return_X_y=True)
    >>> study = kernel_evolution_study(X, y, [0, 1, 20], network=TwoLayerNet(32), batch_size=25, n_draws=2)
    >>> standard, lazy = (study.rows(regime)[-1] for regime in ("standard", "lazy"))
    >>> bool(study.distance[lazy] < study.distance[standard] / 10)
    True
    """
    X = check_rows(X)
    if not isinstance(X, np.ndarray):
        raise TypeError("X is sparse, and rows are centred here; pass X.toarray().")
    size = X.shape[0]
    classes, labels = np.unique(np.asarray(y), return_inverse=True)
    if labels.shape != (size,):
        raise ValueError(f"y must hold a class label a row, {size} of them, got shape {np.shape(y)}.")
    if len(classes) < 3:
        raise ValueError(f"y must hold three classes or more, got {len(classes)}.")
    n_train = size // 2 if n_train is None else n_train
    n_fresh = size // 20 if n_fresh is None else n_fresh
    if min(n_train, n_fresh) < 1 or n_train + n_fresh >= size:
        raise ValueError(f"n_train={n_train} and n_fresh={n_fresh} must be 1 at least and leave test rows.")
    if batch_size > n_train:
        raise ValueError(f"batch_size={batch_size} exceeds the {n_train} training rows.")
    times = sorted({0, *epochs})
    network = clone(network).set_params(n_outputs=len(classes), symmetric=False)
    settings: dict[str, Any] = {
        "data": digest(X, labels),
        "network": network.to_dict(),
        "epochs": times,
        "scale": scale,
        "n_train": n_train,
        "n_fresh": n_fresh,
        "batch_size": batch_size,
        "penalty": penalty,
        "random_state": random_state,
    }

    def draw(index: int) -> Mapping[str, Any]:
        sets = draw_sets(X, labels, n_train, n_fresh, generator(random_state, index))
        values: dict[str, Any] = {}

        def train(regime: str) -> None:  # both from one start, by the same batches
            rng = generator(random_state, index, 0)
            values[regime] = follow(network, sets, regime, scale, times, batch_size, penalty, rng)

        parallel_for(train, REGIMES)
        return {f"{regime}: {name}": values[regime][name] for regime in REGIMES for name in MEASURES}

    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"draw {d}": partial(draw, d) for d in range(n_draws)
    }
    values = list(run_parts(KernelEvolutionStudy.study, settings, parts, out=out, progress=progress).values())
    draws = {
        name: np.concatenate(
            [np.stack([v[f"{regime}: {name}"] for v in values], axis=1) for regime in REGIMES]
        )
        for name in MEASURES
    }
    mean, error = ({name: mean_and_error(value)[k] for name, value in draws.items()} for k in (0, 1))
    spread = ("distance", "velocity", "kernel_accuracy", "accuracy")
    gain = {}
    for index, regime in enumerate(REGIMES):
        first, last = index * len(times), (index + 1) * len(times) - 1
        middle, deviation = mean_and_error(draws["kernel_accuracy"][last] - draws["kernel_accuracy"][first])
        gain[regime] = (float(middle), float(deviation))
    return KernelEvolutionStudy(
        regime=np.repeat(REGIMES, len(times)),
        epoch=np.tile(times, len(REGIMES)),
        **{name: mean[name] for name in MEASURES},
        **{f"{name}_se": error[name] for name in spread},
        gain=gain,
        draws=draws,
        network=network_text(network),
        scale=scale,
        penalty=penalty,
        batch_size=batch_size,
        n_train=n_train,
        n_fresh=n_fresh,
        n_test=size - n_train - n_fresh,
        n_classes=len(classes),
        n_draws=n_draws,
        random_state=random_state,
    )
