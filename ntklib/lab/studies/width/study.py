"""The tangent kernel of random networks against its limit, by width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from scipy.linalg import eigvalsh

from ntklib._core.blocks import require_memory, working_memory
from ntklib._core.progress import Progress
from ntklib._core.threads import get_threads
from ntklib.lab.arguments import Integer, Integers
from ntklib.lab.draws import mean_and_error, measure_draws, power_of_width, root_mean_square
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import digest, run_parts
from ntklib.lab.study import Networks, RowSource, study
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import ntk_variance_of

from .result import WidthStudy

__all__ = ["width_study"]

WIDTHS = tuple(2**k for k in range(6, 14))
NETWORK = TwoLayerNet()


@study(
    rows=RowSource("rows"),
    networks=Networks(),
    examples="""
    ntklib study width                                    ReLU on handwritten digits
    ntklib study width --data wine --out wine-width       keep table, numbers and pictures
    ntklib study width --degree 2 --widths 100 1000 10000
    ntklib study width --depth 3 --weight-std 1.4 --bias-std 0.1 --input-scaling fan_in
    ntklib study width --format csv > errors.csv
    """,
)
def width_study(
    X: Any,
    widths: Annotated[Iterable[int], Integers(least=2)] = WIDTHS,
    *,
    network: TwoLayerNet | MLP = NETWORK,
    n_draws: Annotated[int, Integer(2)] = 20,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> WidthStudy:
    r"""Distance of the tangent kernels of random networks from their limit, by width.

    Draws networks at several widths and measures how far their tangent kernels are from the analytic limit:
    root-mean-square errors relative to the limit in Frobenius and operator norm, smallest eigenvalue, the
    fitted power of the width, and the exact expectation where there is a formula.

    At each width m, ``network.ntk(params, X, weighted=True)`` is compared with ``network.limit_kernel()(X)``.
    The root-mean-square error falls like :math:`m^{-1/2}`; for one hidden layer and a homogeneous activation
    its size is known exactly (`ntklib.theory.ntk_variance_of`).

    Parameters
    ----------
    widths : iterable of int, default=(64, 128, ..., 8192)
        Units of the hidden layers, two widths at least.  Every hidden layer gets the same.
    n_draws : int, default=20
        Networks a width, at least 2.

    Returns
    -------
    WidthStudy

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above, the network has several outputs or no limit, the limit is zero on X,
        or ``out`` holds a study of other data or settings.

    References
    ----------
    Jacot et al. (2018), "Neural tangent kernel"; Arora et al. (2019), "On exact computation with an
    infinitely wide neural net", for bounds at finite width.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.studies import width_study
    >>> X = np.random.default_rng(0).normal(size=(10, 3))
    >>> study = width_study(X, [64, 256, 1024], n_draws=10)
    >>> study.slope.low < -0.5 < study.slope.high
    True
    >>> study.frame().shape
    (3, 8)
    """
    sizes = list(widths)
    if network.n_outputs != 1:
        raise ValueError(
            f"the network has {network.n_outputs} outputs; the limit is that of one, n_outputs=1."
        )
    require_memory((4, X.shape[0], X.shape[0]), np.float64, "set of Gram matrices", "", single=False)
    limit = np.asarray(network.limit_kernel()(X))
    spectrum = eigvalsh(limit)
    if not spectrum[-1] > 0:
        raise ValueError("the limit is zero on these rows, so that no error is relative to it.")
    settings: dict[str, Any] = {
        "network": network.with_width(1).to_dict(),
        "data": digest(X),
        "n_draws": n_draws,
        "random_state": random_state,
    }
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        f"width {m}": partial(_draws, network.with_width(m), X, limit, n_draws, (random_state, m))
        for m in sizes
    }
    values = list(run_parts("width", settings, parts, out=out, progress=progress).values())
    squared = np.array([v["squared"] for v in values]) / (limit**2).sum()
    operator = np.array([v["operator"] for v in values]) / spectrum[-1]
    eigenvalues = np.array([v["eigenvalue"] for v in values])
    error, operator_error = root_mean_square(squared), root_mean_square(operator**2)
    eigenvalue = mean_and_error(eigenvalues)
    width = np.array(sizes)
    return WidthStudy(
        width=width,
        error=error[0],
        error_se=error[1],
        exact_error=_exact(network, X, sizes),
        operator_error=operator_error[0],
        operator_error_se=operator_error[1],
        min_eigenvalue=eigenvalue[0],
        min_eigenvalue_se=eigenvalue[1],
        slope=power_of_width(width, *error, n_draws),
        operator_slope=power_of_width(width, *operator_error, n_draws),
        limit_eigenvalue=float(spectrum[0]),
        squared_errors=squared,
        operator_errors=operator,
        eigenvalues=eigenvalues,
        network=network_text(network, width="m"),
        n_samples=X.shape[0],
        n_features=X.shape[1],
        n_draws=n_draws,
        random_state=random_state,
    )


def _draws(
    network: Any, X: Any, limit: np.ndarray, n_draws: int, seed: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Squared Frobenius and operator norm of the error, and smallest eigenvalue, for each draw."""

    def measure(rng: np.random.Generator) -> dict[str, float]:
        kernel = network.ntk(network.init(X.shape[1], rng), X, weighted=True)
        smallest = eigvalsh(kernel, subset_by_index=[0, 0])[0]
        error = kernel - limit
        return {
            "squared": (error**2).sum(),
            "operator": np.abs(eigvalsh(error)).max(),
            "eigenvalue": smallest,
        }

    # several draws at a time as far as their layers and matrices fit in the working memory
    n, units = X.shape[0], sum(network.hidden_widths)
    at_once = working_memory() // (8 * (4 * n * units + 6 * n * n + 2 * network.n_params(X.shape[1])))
    return measure_draws(measure, n_draws, seed, threads=max(1, min(get_threads(), at_once)))


def _exact(network: Any, X: Any, sizes: list[int]) -> np.ndarray:
    try:
        law = ntk_variance_of(network.with_width(1), X)
    except ValueError:  # no formula for this network
        return np.full(len(sizes), np.nan)
    return law.relative_error / np.sqrt(sizes)
