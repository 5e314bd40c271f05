"""The log-loss of classifiers: logistic for one output, softmax cross-entropy for several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from .base import Loss


@dataclass(frozen=True)
class LogLoss(Loss):
    r"""Log-loss: logistic for one output, softmax cross-entropy for several.

    .. math:: l(f, y) = \log(1 + e^{-s f}), \quad s = \pm 1; \qquad
              l(f, y) = \log \sum_j e^{f_j} - \sum_j y_j f_j .

    m = 0; M = 1/4 for one output, 1/2 for several. Values, gradients and second derivatives keep their
    relative accuracy for outputs of any size.

    Targets for outputs of shape (n,) or (n, 1): labels {0, 1}, {-1, +1} or booleans. For (n, k) with k > 1:
    integer labels 0, ..., k - 1 of shape (n,), or one row of probabilities a sample, (n, k), one-hot rows
    among them. Where the outputs' shape is not given, labels up to 1 mean one output, larger ones
    k = largest + 1.

    Examples
    --------
    >>> from ntklib.dynamics import LogLoss
    >>> round(LogLoss().value([0.0, 2.0], [0, 1]), 6)
    0.820075
    >>> LogLoss().gradient([[0.0, 0.0, 0.0]], [2]).round(3).tolist()
    [[0.333, 0.333, -0.667]]
    """

    name = "log_loss"

    def output_shape(self, y: NDArray) -> tuple[int, ...]:
        """Shape of the outputs that these targets suggest: (n,) or (n, k)."""
        if y.ndim == 2:
            return y.shape
        largest = _labels(y).max()
        return y.shape if largest <= 1 else (len(y), int(largest) + 1)

    def encode(self, y: NDArray, shape: tuple[int, ...]) -> NDArray:
        """Signs +-1 of the outputs' shape, or a row of probabilities a sample."""
        n_classes = 1 if len(shape) == 1 else shape[1]
        if y.ndim == 2 and y.shape[1] > 1:
            return _probabilities(y, shape)
        labels = _labels(y.ravel())
        low, high = labels.min(), labels.max()
        if n_classes > 1:
            if low < 0 or high >= n_classes:
                raise ValueError(
                    f"labels must be 0, ..., {n_classes - 1} for {n_classes} outputs, got {low} to {high}."
                )
            return np.eye(n_classes)[labels]
        if low < -1 or high > 1 or (low == -1 and (labels == 0).any()):
            raise ValueError(
                "with one output, labels must be 0 and 1 or -1 and +1; for more classes give as many outputs."
            )
        return np.where(labels > 0, 1.0, -1.0).reshape(shape)

    def strong_convexity(self, n_outputs: int = 1) -> float:
        """Return 0."""
        return 0.0

    def smoothness(self, n_outputs: int = 1) -> float:
        """Return 1/4 for one output, 1/2 for several: the largest eigenvalue of diag(p) - p p^T."""
        return 0.25 if n_outputs == 1 else 0.5

    def _losses(self, f: NDArray, t: NDArray) -> NDArray:
        if _binary(t):
            return -log_expit(t * f)
        below, _, _, others = _softmax_parts(f)
        # lse - f_j = (f_top - f_j) + log(1 + others): a sum of nonnegative numbers
        return t * (np.log1p(others) - below)

    def _slopes(self, f: NDArray, t: NDArray) -> NDArray:
        if _binary(t):
            return -t * expit(-t * f)
        p, rest = _probabilities_and_rest(f)
        return p * (1 - t) - t * rest

    def _curvatures(self, f: NDArray, t: NDArray) -> NDArray:
        if _binary(t):
            return expit(f) * expit(-f)
        p, rest = _probabilities_and_rest(f)
        out = -p[..., :, None] * p[..., None, :]
        diagonal = np.arange(p.shape[-1])
        out[..., diagonal, diagonal] = p * rest
        return out


def _binary(t: NDArray) -> bool:
    return t.ndim == 1 or t.shape[1] == 1


def _softmax_parts(f: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """f - largest, exp of it, a mask of one largest a row, and the sum of the others' exp; axis kept."""
    below = f - f.max(axis=-1, keepdims=True)
    is_top = np.argmax(f, axis=-1)[..., None] == np.arange(f.shape[-1])
    ratios = np.exp(below)
    return below, ratios, is_top, np.where(is_top, 0, ratios).sum(-1, keepdims=True)


def _probabilities_and_rest(f: NDArray) -> tuple[NDArray, NDArray]:
    """Softmax p, and 1 - p without the cancellation at the largest."""
    _, ratios, is_top, others = _softmax_parts(f)
    whole = 1 + others
    p = ratios / whole
    return p, np.where(is_top, others / whole, 1 - p)


def _labels(y: NDArray) -> NDArray:
    """Labels as integers."""
    if y.dtype.kind not in "biuf" or not (np.isfinite(y).all() and (y == np.floor(y)).all()):
        raise ValueError("log_loss wants integer labels, or rows of probabilities; encode the classes first.")
    return y.astype(np.int64)


def _probabilities(y: NDArray, shape: tuple[int, ...]) -> NDArray:
    if y.shape != shape:
        raise ValueError(f"one-hot targets of shape {y.shape} do not go with outputs of shape {shape}.")
    t = y if y.dtype in (np.float32, np.float64) else y.astype(np.float64)
    # written so that NaN fails
    if not ((t >= 0).all() and (np.abs(t.sum(1) - 1) <= 1e-5).all()):
        raise ValueError("rows of targets must be nonnegative and sum to 1 (one-hot, or probabilities).")
    return t
