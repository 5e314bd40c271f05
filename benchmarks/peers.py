"""What others offer for the same Gram matrix: each a function of X, with the name it is shown under."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel

Peers = dict[str, Callable[[np.ndarray], np.ndarray]]


def plain_numpy(X: np.ndarray) -> np.ndarray:
    """The ReLU NTK as written in the papers, in NumPy."""
    product = X @ X.T
    lengths = np.sqrt(np.diag(product))
    outer = np.outer(lengths, lengths)
    theta = np.arccos(np.clip(product / outer, -1, 1))
    return (outer * np.sin(theta) + 2 * (np.pi - theta) * product) / (2 * np.pi)


def peers() -> Peers:
    """Those that can be imported here."""
    found: Peers = {"scikit-learn rbf_kernel": rbf_kernel, "plain NumPy NTK": plain_numpy}
    try:
        from skntk import NeuralTangentKernel

        found["scikit-ntk"] = lambda X: NeuralTangentKernel(depth=1, bias=0)(X)
    except ImportError:
        print("scikit-ntk cannot be imported here and is left out.")
    try:
        from neural_tangents import stax

        kernel = stax.serial(stax.Dense(1, b_std=None), stax.Relu(), stax.Dense(1, b_std=None))[2]
        found["neural-tangents"] = lambda X: np.asarray(kernel(X, None, "ntk"))
    except Exception as error:  # it fails in more ways than ImportError on a current JAX
        print(f"neural-tangents cannot be imported here ({type(error).__name__}) and is left out.")
    return found
