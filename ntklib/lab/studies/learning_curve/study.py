"""Learning curves: errors of kernel regression as eigenlearning predicts them, measured, and of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ntklib._core.blocks import require_memory
from ntklib._core.progress import Progress
from ntklib.lab.arguments import Integer, Integers, Real
from ntklib.lab.draws import mean_and_error
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.seeds import generator
from ntklib.lab.study import Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import LearningCurve, eigenlearning_curve, eigenlearning_from_spectrum

from .measure import Population, fit_kernel, fit_network
from .result import LearnabilityByMode, LearningCurveStudy

__all__ = ["learning_curve_study"]

WIDTHS = (32, 128, 512)
NETWORK = TwoLayerNet(symmetric=True)
_OPTIONS = ("depth", "activation", "weight_std", "bias_std", "input_scaling", "output_init")


@study(
    rows=RowSource("samples", max_samples=1000),
    networks=Networks(_OPTIONS),
    examples="""
    ntklib study learning-curve --out curve                digits, the later five against the others
    ntklib study learning-curve --data diabetes --penalty 10 --widths
    ntklib study learning-curve --depth 3 --weight-std 1.4 --draws 50
    """,
)
def learning_curve_study(
    X: Any,
    y: Any,
    n_train: Annotated[Iterable[int], Integers(example="(50, 100, 200)")] | None = None,
    widths: Annotated[Iterable[int], Integers(least=0)] = WIDTHS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    kernel: Any = None,
    penalty: Annotated[float, Real()] = 0.0,
    steps: Annotated[int, Integer()] = 1000,
    tolerance: Annotated[float, Real(strict=True)] = 1e-3,
    n_draws: Annotated[int, Integer(2)] = 20,
    network_draws: Annotated[int, Integer(2)] = 4,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> LearningCurveStudy:
    r"""Learning curves of kernel regression and of trained networks, beside the predicted ones.

    Predicts the test error of kernel regression by number of training rows from the eigenvalues of the kernel
    and the target's coefficients in its eigenfunctions, measures it on the rows that are not trained on, and
    trains networks of finite width on the same rows; also what is learned of single eigenfunctions.

    The prediction is `ntklib.theory.eigenlearning_curve`, which knows that training rows are drawn without
    replacement from the rows that there are; that for infinitely many is given as well.  Networks start at
    outputs 0 and are trained by gradient descent with momentum 0.9, with the learning rate
    :math:`1/\lambda_{\max}` of the kernel on the training rows.

    Parameters
    ----------
    n_train : iterable of int, default=None
        Numbers of training rows; None is 25, 50, 100 and so on, up to half of all rows.
    widths : iterable of int, default=(32, 128, 512)
        Units of the hidden layers of networks; none for kernel regression alone.
    network : TwoLayerNet or MLP, default=TwoLayerNet(symmetric=True)
        Its limit is the kernel; widths and symmetry are set here.
    kernel : kernel object or callable, default=None
        Called with X, it returns the Gram matrix; None is the limit of `network`.  Other kernels have no
        networks: give no `widths`.
    penalty : float, default=0.0
        Added to the diagonal of the Gram matrix of the training rows.  Networks are trained without one: with
        a penalty give no `widths`.
    steps : int, default=1000
        Steps of training of a network, at most.
    tolerance : float, default=1e-3
        Loss, relative to that of outputs 0, at which training ends.
    n_draws : int, default=20
        Draws of training rows for kernel regression, two at least.
    network_draws : int, default=4
        Draws of networks a width, two at least, trained on the rows of the first draws.

    Returns
    -------
    LearningCurveStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, the rows are too few, the network has no limit, or ``out`` holds a
        study of other data or settings.

    References
    ----------
    J. B. Simon, M. Dickens, D. Karkada and M. R. DeWeese, "The eigenlearning framework: a conservation law
    perspective on kernel ridge regression and wide neural networks", TMLR 2023 (arXiv 2110.03922).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ntklib.lab.studies import learning_curve_study
    >>> X, y = load_iris(return_X_y=True)
    >>> study = learning_curve_study(X, y - y.mean(), [20, 40], widths=(), penalty=0.1)
    >>> bool(abs(study.error / study.predicted - 1).max() < 0.15)
    True
    """
    size, wide = X.shape[0], list(widths)
    if n_train is None:
        n_train = [25 * 2**k for k in range(30) if 25 * 2**k <= size // 2]
    sizes = list(n_train)
    if not sizes or sizes[-1] >= size:
        raise ValueError(
            f"n_train must leave some of the {size} rows unseen, and be 1 at least; got {sizes}."
        )
    if wide and (penalty or kernel is not None):
        reason = "a kernel of your own" if kernel is not None else "a penalty"
        raise ValueError(
            f"there are no networks to train with {reason}: pass widths=(), in a shell --widths."
        )
    network = clone(network).set_params(symmetric=True)
    require_memory((5, size, size), np.float64, "set of Gram matrices", "", single=False)
    gram = np.asarray((network.limit_kernel() if kernel is None else kernel)(X), dtype=np.float64)
    population = Population(X, y, gram)
    curve = eigenlearning_curve(gram, y, sizes, penalty=penalty)
    settings: dict[str, Any] = {
        "data": digest(X, y, gram),
        "network": network.with_width(1).to_dict() if kernel is None else None,
        "n_train": sizes,
        "penalty": penalty,
        "steps": steps,
        "tolerance": tolerance,
        "random_state": random_state,
    }

    def train(width: int, draw: int) -> Mapping[str, Any]:
        rng = generator(random_state, 0, draw)
        return fit_network(population, network.with_width(width), sizes, steps, tolerance, rng)

    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"{n_draws} draws": partial(fit_kernel, population, sizes, penalty, n_draws, random_state)
    }
    parts |= {f"width {m} draw {d}": partial(train, m, d) for m in wide for d in range(network_draws)}
    values = run_parts(LearningCurveStudy.study, settings, parts, out=out, progress=progress)
    fits = values.pop(f"{n_draws} draws")
    networks = {
        name: np.array([v[name] for v in values.values()]).reshape(len(wide), network_draws, len(sizes))
        for name in ("error", "train_error")
        if wide
    }
    return _result(
        population,
        curve,
        wide,
        fits,
        {name: value.swapaxes(1, 2) for name, value in networks.items()},
        kernel=f"NTK of {network_text(network, width='m')}" if kernel is None else repr(kernel),
        penalty=penalty,
        network_draws=network_draws,
        random_state=random_state,
    )


def _result(
    population: Population,
    curve: LearningCurve,
    widths: list[int],
    fits: Mapping[str, NDArray],
    networks: Mapping[str, NDArray],
    **entries: Any,
) -> LearningCurveStudy:
    """Average the draws, and predict."""
    sizes, y = curve.n_train, population.y
    infinite = eigenlearning_from_spectrum(
        curve.eigenvalues, np.sqrt(curve.power), sizes.tolist(), penalty=curve.penalty
    )
    mean_square = np.square(y).mean()
    draws = {name: fits[name].T for name in ("error", "train_error")}
    rows = [draws["error"], *networks.get("error", ())]
    moments = [mean_and_error(row) for row in rows]
    train_rows = [draws["train_error"], *networks.get("train_error", ())]
    times = 1 + len(widths)
    mode, values, functions = population.modes()
    learned, spread = mean_and_error(fits["learnability"], axis=0)
    return LearningCurveStudy(
        model=np.repeat(["kernel", "network"], [sizes.size, sizes.size * len(widths)]),
        width=np.repeat([np.nan, *widths], sizes.size),
        n_train=np.tile(sizes, times),
        error=np.concatenate([mean for mean, _ in moments]),
        error_se=np.concatenate([error for _, error in moments]),
        predicted=np.tile(curve.unseen_error / mean_square, times),
        uncorrected=np.tile(infinite.unseen_error / mean_square, times),
        train_error=np.concatenate([row.mean(axis=-1) for row in train_rows]),
        predicted_train_error=np.tile(curve.train_error / mean_square, times),
        learnability=LearnabilityByMode(
            mode=mode,
            eigenvalue=values,
            power=np.square(functions.T @ y / y.size) / mean_square,
            predicted=curve.learnability[:, mode - 1],
            measured=learned,
            measured_se=spread,
        ),
        kappa=curve.kappa,
        draws=draws | {f"network {name}": value for name, value in networks.items()},
        population=y.size,
        n_features=population.X.shape[1],
        n_draws=len(fits["error"]),
        **entries,
    )
