"""Checks of the rows and targets that several studies train on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ntklib._core.validation import check_rows

__all__ = ["check_samples"]


def check_samples(X: Any, y: Any, network: Any = None, *, every_layer: bool = True) -> tuple[Any, np.ndarray]:
    """Return rows and targets in float64, for a network all of whose layers are trained if that is asked for.

    Raises
    ------
    ValueError
        If they do not go together, targets are not finite numbers or all 0, or the network has several
        outputs, or layers that stay as they are.
    """
    X = check_rows(X).astype(np.float64, copy=False)
    y = np.asarray(y, dtype=np.float64)
    if y.shape != (X.shape[0],):
        raise ValueError(f"y must have shape ({X.shape[0]},), one number a row of X; got {y.shape}.")
    if not np.isfinite(y).all():
        raise ValueError("y contains NaN or infinity.")
    if not y.any():
        raise ValueError("y is 0 everywhere: there is nothing to train.")
    if network is None:
        return X, y
    if network.n_outputs != 1:
        raise ValueError(f"the network has {network.n_outputs} outputs; this study is of one, n_outputs=1.")
    if every_layer and not all(network.spec.include):
        raise ValueError("this study looks at every layer: the network must have trainable='all'.")
    return X, y
