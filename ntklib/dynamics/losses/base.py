r"""Losses: convex functions of the outputs, as small frozen objects with scikit-learn's names.

A :class:`Loss` is the function :math:`l(f_i, y_i)` of one sample. Bound to targets and weights it is a
:class:`Risk`, the **sum** :math:`R(f) = \sum_i w_i\, l(f_i, y_i)`: what is trained on. Binding checks and
encodes the targets, so that loops pay for it once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Loss(ABC):
    r"""A convex loss of one sample, :math:`l(f, y)`, and of many, :math:`R(f) = \sum_i w_i\, l(f_i, y_i)`.

    Outputs f have shape (n,) for one output, (n, k) for k of them.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = True

    def value(self, f: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R(f), summed in float64."""
        f = _outputs(f)
        return self.risk(y, f.shape, sample_weight).value(f)

    def gradient(self, f: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray:
        """Gradient of R at f, of f's shape and dtype; where l has a kink, the subgradient 0."""
        f = _outputs(f)
        return self.risk(y, f.shape, sample_weight).gradient(f)

    def hessian(self, f: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray:
        """Second derivatives of R at f: (n,) for f of shape (n,), k x k blocks, (n, k, k), for (n, k).

        Raises
        ------
        ValueError
            If the loss has none (the absolute error).
        """
        f = _outputs(f)
        return self.risk(y, f.shape, sample_weight).hessian(f)

    def risk(
        self, y: ArrayLike, shape: tuple[int, ...] | None = None, sample_weight: ArrayLike | None = None
    ) -> Risk:
        """Bind the loss to targets.

        Parameters
        ----------
        y : array of shape (n,) or (n, k)
            Targets, as the loss wants them.
        shape : tuple of int, default=None
            Shape of the outputs, (n,) or (n, k); None takes the one the targets suggest.
        sample_weight : array of shape (n,), default=None
            Nonnegative weights; None is all ones.

        Returns
        -------
        Risk

        Raises
        ------
        ValueError
            If the targets are not what the loss wants, shapes disagree, or a weight is negative.
        """
        y = np.asarray(y)
        if y.ndim not in (1, 2) or y.size == 0:
            raise ValueError(f"targets must have shape (n,) or (n, k) and be some, got shape {y.shape}.")
        shape = self.output_shape(y) if shape is None else tuple(shape)
        if len(shape) not in (1, 2) or shape[0] != len(y):
            raise ValueError(f"targets of shape {y.shape} do not go with outputs of shape {shape}.")
        weights = None
        if sample_weight is not None:
            weights = np.asarray(sample_weight, dtype=np.float64)
            if weights.shape != (len(y),) or not (np.isfinite(weights).all() and (weights >= 0).all()):
                raise ValueError(f"sample_weight must be {len(y)} nonnegative finite numbers.")
        return Risk(self, self.encode(y, shape), weights)

    def output_shape(self, y: NDArray) -> tuple[int, ...]:
        """Shape of the outputs that these targets suggest."""
        return y.shape

    def encode(self, y: NDArray, shape: tuple[int, ...]) -> NDArray:
        """Check targets and write them as floats of the outputs' shape."""
        return _real_targets(y, shape)

    @abstractmethod
    def strong_convexity(self, n_outputs: int = 1) -> float:
        """Largest m with l - (m/2)|f|^2 convex in f."""

    @abstractmethod
    def smoothness(self, n_outputs: int = 1) -> float:
        """Smallest M with (M/2)|f|^2 - l convex in f: the Lipschitz constant of the gradient; inf if none."""

    def in_units(self, unit: float) -> tuple[Loss, int]:
        """The loss of outputs and targets divided by `unit`, and the power of that to multiply it by.

        Classification losses have no unit but 1.
        """
        return self, 0

    # Of encoded targets t, sample by sample, unweighted; f may have leading axes.

    @abstractmethod
    def _losses(self, f: NDArray, t: NDArray) -> NDArray:
        """Loss of each sample and output (entries of one sample are added up)."""

    @abstractmethod
    def _slopes(self, f: NDArray, t: NDArray) -> NDArray:
        """Gradient in f."""

    @abstractmethod
    def _curvatures(self, f: NDArray, t: NDArray) -> NDArray:
        """Second derivatives: of f's shape where the outputs do not mix, else with an axis more."""


@dataclass(frozen=True, eq=False)
class Risk:
    r"""A loss summed over given targets, :math:`R(f) = \sum_i w_i\, l(f_i, y_i)`.

    Outputs may have axes in front (times, draws); the results then have them too.

    Attributes
    ----------
    loss : Loss
    targets : ndarray of shape (n,) or (n, k)
        Encoded; the outputs must have this shape, leading axes aside.
    weights : ndarray of shape (n,) or None

    Examples
    --------
    >>> from ntklib.dynamics import as_loss
    >>> risk = as_loss("squared_error").risk([1.0, 2.0])
    >>> risk.value([0.0, 0.0]), risk.gradient([0.0, 0.0]).tolist()
    (2.5, [-1.0, -2.0])
    """

    loss: Loss
    targets: NDArray
    weights: NDArray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the outputs."""
        return self.targets.shape

    @property
    def n_outputs(self) -> int:
        """Number of outputs k (1 for outputs of shape (n,))."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    @property
    def strong_convexity(self) -> float:
        """m of R: the loss's times the least weight."""
        return self.loss.strong_convexity(self.n_outputs) * (
            1 if self.weights is None else self.weights.min()
        )

    @property
    def smoothness(self) -> float:
        """M of R: the loss's times the largest weight."""
        return self.loss.smoothness(self.n_outputs) * (1 if self.weights is None else self.weights.max())

    def take(self, rows: Any) -> Risk:
        """The same over some of the samples (an index array or a slice)."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, targets=self.targets[rows], weights=weights)

    def value(self, f: ArrayLike) -> Any:
        """R(f), summed in float64: a float, or an array of the shape of f's leading axes."""
        total = self._per_sample(self.loss._losses(*self._aligned(f)))
        total = total.sum(-1, dtype=np.float64) if self.weights is None else total @ self.weights
        return float(total) if np.ndim(total) == 0 else total

    def gradient(self, f: ArrayLike) -> NDArray:
        """Gradient of R at f, of f's shape and dtype."""
        return self._weigh(self.loss._slopes(*self._aligned(f)), 0)

    def hessian(self, f: ArrayLike) -> NDArray:
        """Second derivatives of R at f: (n,) for f of shape (n,), blocks (n, k, k) for (n, k)."""
        if not self.loss.smooth:
            raise ValueError(f"{self.loss.name} has no second derivative; 'huber' is its smooth relative.")
        f, targets = self._aligned(f)
        out = self.loss._curvatures(f, targets)
        if out.ndim == f.ndim and targets.ndim == 2:
            out = out[..., None] * np.eye(targets.shape[1], dtype=out.dtype)
        return self._weigh(out, out.ndim - f.ndim)

    def _aligned(self, f: ArrayLike) -> tuple[NDArray, NDArray]:
        f = _outputs(f)
        if f.shape[f.ndim - self.targets.ndim :] != self.targets.shape:
            raise ValueError(f"outputs must have shape {self.targets.shape}, got {f.shape}.")
        return f, self.targets.astype(f.dtype, copy=False)

    def _per_sample(self, losses: NDArray) -> NDArray:
        return losses if self.targets.ndim == 1 else losses.sum(-1, dtype=np.float64)

    def _weigh(self, out: NDArray, trailing: int) -> NDArray:
        if self.weights is None:
            return out
        axes = self.targets.ndim - 1 + trailing
        return out * self.weights.reshape(-1, *[1] * axes).astype(out.dtype)


def _outputs(f: ArrayLike) -> NDArray:
    """Outputs as a floating array, float32 kept."""
    f = np.asarray(f)
    return f if f.dtype in (np.float32, np.float64) else f.astype(np.float64)


def _real_targets(y: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Finite numbers of the outputs' shape; a column and a vector are taken for one another."""
    t = _outputs(y)
    if t.size == np.prod(shape) and 1 in (shape[-1], t.shape[-1]) and len(shape) != t.ndim:
        t = t.reshape(shape)
    if t.shape != shape:
        raise ValueError(f"targets of shape {y.shape} do not go with outputs of shape {shape}.")
    if not np.isfinite(t).all():
        raise ValueError("targets contain NaN or infinity.")
    return t
