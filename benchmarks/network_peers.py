"""What others offer for the tangent kernel of a two-layer ReLU network: functions of parameters and rows."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

Peers = dict[str, Callable[[Any, np.ndarray], np.ndarray]]


def plain_numpy(params: Any, X: np.ndarray) -> np.ndarray:
    """The closed form as one writes it."""
    W, v = params["W0"], params["W1"][0]
    Z = X @ W.T
    A, B = np.maximum(Z, 0), (Z >= 0) * v
    return (A @ A.T + (X @ X.T) * (B @ B.T)) / X.dtype.type(len(v))


def peers() -> Peers:
    """Those that can be imported here, and plain NumPy."""
    return {"plain NumPy": plain_numpy} | _torch() | _neural_tangents()


def _torch() -> Peers:
    try:
        import torch
        from torch.func import jacrev, vmap
    except ImportError:
        print("torch cannot be imported here and is left out.")
        return {}

    def net(w: dict[str, Any], x: Any) -> Any:
        return (w["W1"] @ torch.relu(w["W0"] @ x))[0] / sqrt(w["W1"].shape[1])

    def contraction(params: Any, X: np.ndarray) -> np.ndarray:
        """Jacobians of all rows, contracted: the recipe of torch.func's own tutorial on tangent kernels."""
        w = {name: torch.from_numpy(np.array(array)) for name, array in params.items()}
        jacobians = vmap(jacrev(net), (None, 0))(w, torch.from_numpy(X))
        flat = [part.flatten(1) for part in jacobians.values()]
        return sum(part @ part.T for part in flat).numpy()

    return {f"torch.func {torch.__version__.split('+')[0]}, Jacobian contraction": contraction}


def _neural_tangents() -> Peers:
    try:
        import jax
        import neural_tangents as nt
        from jax import numpy as jnp
    except Exception as error:  # it fails in more ways than ImportError on a current JAX
        print(f"neural-tangents cannot be imported here ({type(error).__name__}) and is left out.")
        return {}

    def net(w: dict[str, Any], X: Any) -> Any:
        return jnp.maximum(X @ w["W0"].T, 0) @ w["W1"].T / sqrt(w["W1"].shape[1])

    def kernel(**options: Any) -> Callable[[Any, np.ndarray], np.ndarray]:
        function = jax.jit(lambda X, w: nt.empirical_ntk_fn(net, **options)(X, None, w))
        return lambda params, X: np.asarray(function(X, {name: jnp.array(a) for name, a in params.items()}))

    kinds = nt.NtkImplementation
    return {
        "neural-tangents, structured, told of the batch axis": kernel(
            vmap_axes=0, implementation=kinds.STRUCTURED_DERIVATIVES
        ),
        "neural-tangents, structured": kernel(implementation=kinds.STRUCTURED_DERIVATIVES),
        "neural-tangents, Jacobian contraction": kernel(
            vmap_axes=0, implementation=kinds.JACOBIAN_CONTRACTION
        ),
    }
