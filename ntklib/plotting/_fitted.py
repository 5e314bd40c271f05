"""Last step of a fitted pipeline, and its kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.gaussian_process.kernels import Kernel
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def final_step(estimator: Any) -> tuple[Any, Callable[[ArrayLike], Any]]:
    """Return the fitted last step of ``estimator`` and the function that maps raw rows to its input."""
    if isinstance(estimator, Pipeline):
        check_is_fitted(estimator)
        transform = estimator[:-1].transform if len(estimator.steps) > 1 else np.asarray
        return estimator[-1], transform
    check_is_fitted(estimator)
    return estimator, np.asarray


def fitted_kernel(estimator: Any) -> Callable:
    """Return the kernel object a fitted estimator ended with.

    Raises
    ------
    ValueError
        If it has none that can be called on two arrays of rows.
    """
    kernel = getattr(estimator, "kernel_", None)
    if not callable(kernel):
        raise ValueError(
            f"{type(estimator).__name__} has no kernel object to evaluate (kernel_ is {kernel!r}); "
            "use the display's constructor with arrays computed elsewhere"
        )
    return kernel


def gram_of(kernel: Callable, X: Any) -> NDArray:
    """Return the Gram matrix of rows, whether ``kernel`` is a kernel object or a function of two arrays."""
    return np.asarray(kernel(X) if isinstance(kernel, Kernel) else kernel(X, X))
