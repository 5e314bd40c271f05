"""A kernel on rows whose features are weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntklib._core.namespaces import namespace_of, on_device
from ntklib._core.validation import check_rows, same_memory

from .array_api import check_array_rows, refuse_gradient
from .combined import Combinable, kernel_diagonal, kernel_matrix
from .input_gradients import InputGradients, expansion_gradients, is_composed

__all__ = ["Scaled"]


class Scaled(Combinable, InputGradients, Kernel):
    r"""Kernel on rows whose features are multiplied by scales, :math:`K(s \odot x, s \odot z)`.

    Parameters
    ----------
    kernel : Kernel
        K, whose hyperparameters are those of the scaled kernel.
    scales : float or array-like of shape (d,)
        At least 0; a feature of scale 0 is left out. They are no hyperparameters.

    Raises
    ------
    ValueError
        When called, if a scale is negative or not finite, there is not one for each feature, or a product
        is beyond the floats of the rows.
    TypeError
        When called, if `kernel` is no kernel object.

    See Also
    --------
    Laplace : A kernel with one scale, its length scale, for all features.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib import NTK
    >>> from ntklib.kernels import Scaled
    >>> X = np.array([[1.0, 2.0], [0.5, -1.0]])
    >>> bool((Scaled(NTK(), [2.0, 0.5])(X) == NTK()(X * [2.0, 0.5])).all())
    True
    """

    def __init__(self, kernel: Kernel, scales: Any) -> None:
        self.kernel = kernel
        self.scales = scales

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel k(X, Y) and optionally its gradient.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples_X, n_features)
        Y : array-like or CSR matrix of shape (n_samples_Y, n_features), default=None
            X if None.
        eval_gradient : bool, default=False
            Also return the gradient in the logarithm of the hyperparameters; only if Y is None.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
            Under scikit-learn's ``array_api_dispatch``, of the library and on the device of X.
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only if ``eval_gradient``; as the kernel returns it.
        """
        if (xp := namespace_of(X, Y)) is not None:
            refuse_gradient(eval_gradient)
            check_array_rows(xp, X, Y)
            return kernel_matrix(self.kernel, self._scale(X), None if Y is None else self._scale(Y, "Y"))
        rows = self._scale(X)
        if eval_gradient:
            if Y is not None:
                raise ValueError("the gradient is only available for Y=None.")
            return self.kernel(rows, eval_gradient=True)
        if Y is None or same_memory(X, Y):
            return self.kernel(rows, rows) if Y is not None else self.kernel(rows)
        return self.kernel(rows, self._scale(Y, "Y"))

    def diag(self, X: Any) -> NDArray:
        """Return the diagonal of k(X).

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return kernel_diagonal(self.kernel, self._scale(X))

    def is_stationary(self) -> bool:
        """Say if the kernel that is scaled depends on differences of rows only."""
        return self.kernel.is_stationary()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with ``deep`` those of the kernel too.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        parameters = {"kernel": self.kernel, "scales": self.scales}
        if deep and isinstance(self.kernel, Kernel):
            parameters.update((f"kernel__{name}", value) for name, value in self.kernel.get_params().items())
        return parameters

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """The hyperparameters of the kernel."""
        return [h._replace(name=f"kernel__{h.name}") for h in self.kernel.hyperparameters]

    @property
    def theta(self) -> NDArray:
        """Logarithms of the hyperparameters that are not fixed."""
        return self.kernel.theta

    @theta.setter
    def theta(self, theta: NDArray) -> None:
        self.kernel.theta = theta

    @property
    def bounds(self) -> NDArray:
        """Bounds on theta."""
        return self.kernel.bounds

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scaled):
            return False
        return self.kernel == other.kernel and np.array_equal(self.scales, other.scales)

    def __repr__(self) -> str:
        return f"Scaled({self.kernel!r}, {self.scales!r})"

    @property
    def _composed(self) -> bool:
        return is_composed(self.kernel)

    def _expansion_gradient(self, X: Any, Y: Any, weights: NDArray) -> NDArray:
        scales = self._checked(X.shape[1])
        return expansion_gradients(self.kernel, self._scale(X), self._scale(Y, "Y"), weights) * scales

    def _scale(self, X: Any, name: str = "X") -> Any:
        if (xp := namespace_of(X)) is not None:
            check_array_rows(xp, X, None)
            return X * on_device(self._checked(X.shape[1]), X, X.dtype)
        X = check_rows(X, name)
        scales = self._checked(X.shape[1])
        if scales.max() <= np.finfo(X.dtype).max:
            scales = scales.astype(X.dtype)
        with np.errstate(over="ignore"):
            scaled = sparse.csr_array(X.multiply(scales[None])) if sparse.issparse(X) else X * scales
            scaled = scaled.astype(X.dtype, copy=False)
        if np.isinf(scaled.data if sparse.issparse(scaled) else scaled).any():
            raise ValueError(
                f"{name} times the scales of {type(self).__name__} has numbers beyond {X.dtype}: give "
                "smaller scales."
            )
        return scaled

    def check_kernel(self) -> None:
        """Refuse what is no kernel object.

        Raises
        ------
        TypeError
            If `kernel` is a class, a name or anything else.
        """
        if isinstance(self.kernel, Kernel):
            return
        if isinstance(self.kernel, type):
            name = self.kernel.__name__
            raise TypeError(
                f"kernel of {type(self).__name__} must be a kernel object, and {name} is a class: give an "
                f"instance, {name}(...)."
            )
        raise TypeError(
            f"kernel of {type(self).__name__} must be a kernel object such as NTK(); got {self.kernel!r}."
        )

    def _checked(self, d: int) -> NDArray:
        self.check_kernel()
        try:
            scales = np.asarray(self.scales, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"scales must be a number or one for each feature; got {self.scales!r}."
            ) from None
        if scales.ndim > 1 or (scales.ndim == 1 and len(scales) != d):
            raise ValueError(f"scales must be a number or one for each of {d} features; got {scales.shape}.")
        if not (np.isfinite(scales).all() and (scales >= 0).all()):
            raise ValueError(f"scales must be finite and at least 0; got {self.scales!r}.")
        return np.broadcast_to(scales, (d,))
