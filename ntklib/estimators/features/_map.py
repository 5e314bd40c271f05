"""The base of the feature maps, blocks of features, and the error of their inner products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from ntklib._core.blocks import require_memory, row_blocks, working_memory
from ntklib._core.exponents import exponents
from ntklib._core.namespaces import refuse_arrays
from ntklib._core.threads import get_threads, parallel_for

from .._base import Estimator
from .._kernel import refuse_sparse
from ..rows import check_finite_rows

__all__ = ["FeatureMap", "error_rows", "fill_rows", "relative_error"]

_ERROR_ROWS = 500
_BLOCK, _ROWS = 2**23, 4096  # bytes and rows of a block at most: rounding errors depend on nothing else


class FeatureMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """A transformer of rows, dense or sparse, that keeps float32."""

    n_components_: int

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @property
    def _accepts_sparse(self) -> bool:
        return True

    def _rows(self, X: Any, *, reset: bool) -> Any:
        refuse_arrays(X)
        refuse_sparse(getattr(self, "kernel", None), X)
        sparse, dtypes = "csr" if self._accepts_sparse else False, (np.float64, np.float32)
        X = validate_data(self, X, accept_sparse=sparse, dtype=dtypes, ensure_all_finite=False, reset=reset)
        if not get_config()["assume_finite"]:
            check_finite_rows(X)
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._accepts_sparse
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def fill_rows(function: Callable[[slice], NDArray], n: int, n_components: int, dtype: Any) -> NDArray:
    """Compute an array (n, n_components) of features in blocks of rows and threads.

    Parameters
    ----------
    function : callable
        Features of a slice of rows.
    n, n_components : int
    dtype : numpy.dtype
        Of the features.

    Returns
    -------
    ndarray of shape (n, n_components)

    Raises
    ------
    MemoryError
        If the features would not fit.
    """
    dtype = np.dtype(dtype)
    require_memory((n, n_components), dtype, "array of features", "transform fewer rows at a time")
    result = np.empty((n, n_components), dtype)

    def fill(rows: slice) -> None:
        with np.errstate(over="ignore"):  # infinite is what no float can hold
            result[rows] = function(rows)

    size = min(max(16, _BLOCK // (dtype.itemsize * n_components)), _ROWS)
    workers = working_memory() // (4 * size * dtype.itemsize * n_components)  # a block has a few temporaries
    parallel_for(fill, row_blocks(n, size), threads=max(1, min(get_threads(), workers)))
    return result


def error_rows(X: Any, rng: np.random.Generator) -> Any:
    """Draw the rows on which ``error_`` is measured."""
    n = X.shape[0]
    return X[np.sort(rng.choice(n, min(n, _ERROR_ROWS), replace=False))]


def relative_error(features: NDArray, kernel: NDArray) -> float:
    """Root mean square of what inner products of features lack of a kernel matrix, over the matrix's own."""
    half = int(exponents(kernel)) // 2  # squares of numbers of any size are representable
    features = np.ldexp(np.asarray(features, np.float64), -half)
    kernel = np.ldexp(np.asarray(kernel, np.float64), -2 * half)
    products = np.empty_like(kernel)
    # in our threads, of which there is one: BLAS rounds otherwise by the number of its own
    parallel_for(lambda out: np.matmul(features, features.T, out=out), [products])
    error, size = (np.sqrt(np.square(values).sum()) for values in (products - kernel, kernel))
    return float(error / size) if size else float(error)
