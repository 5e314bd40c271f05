"""A Gram matrix as a picture, rows sorted by the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.angles import cosines
from ntklib._core.drawing import axes_and_figure
from ntklib._core.sampling import sample_rows, take_rows

from ._fitted import final_step, fitted_kernel, gram_of

MAX_CLASS_LABELS = 20


class KernelHeatmapDisplay:
    r"""Kernel heat map: which samples the kernel takes for similar.

    Rows and columns are the same samples, sorted by their target. A kernel that suits the target shows
    bright blocks on the diagonal (classes) or a brightness that falls off away from it (regression). Shown
    is the cosine in feature space, :math:`K_{ij} / \sqrt{K_{ii} K_{jj}}`, unless told otherwise.

    Parameters
    ----------
    gram : array-like of shape (n_samples, n_samples)
        The matrix, already sorted.
    y : array-like of shape (n_samples,) or None, default=None
        The sorted targets. Strings and integers of at most 20 distinct values are marked as classes, others
        by a few values along the axis.
    target_name : str, default="target"
        For the axis.
    value_name : str, default="kernel"
        For the colour bar.

    Attributes
    ----------
    ax_, figure_, im_ : matplotlib axes, figure and image
        Where it was drawn.

    Raises
    ------
    ValueError
        If ``gram`` is not a square matrix of finite numbers or ``y`` does not fit it.

    Examples
    --------
    >>> from ntklib.plotting import KernelHeatmapDisplay
    >>> display = KernelHeatmapDisplay([[1.0, 0.2], [0.2, 1.0]], y=["cat", "dog"])
    >>> display.gram.shape
    (2, 2)
    """

    def __init__(
        self,
        gram: ArrayLike,
        *,
        y: ArrayLike | None = None,
        target_name: str = "target",
        value_name: str = "kernel",
    ) -> None:
        self.gram: NDArray = np.asarray(gram, dtype=float)
        if self.gram.ndim != 2 or len(set(self.gram.shape)) != 1 or not self.gram.size:
            raise ValueError(f"gram must be a square matrix, not empty; got shape {self.gram.shape}")
        if not np.isfinite(self.gram).all():
            raise ValueError("gram must hold finite numbers only")
        self.y = None if y is None else np.asarray(y)
        if self.y is not None and self.y.shape != self.gram.shape[:1]:
            raise ValueError(f"y must have shape {self.gram.shape[:1]}, got {self.y.shape}")
        self.target_name = target_name
        self.value_name = value_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        normalize: bool = True,
        max_samples: int | None = 400,
        random_state: Any = 0,
        target_name: str = "target",
        ax: Any = None,
        **plot_kwargs: Any,
    ) -> KernelHeatmapDisplay:
        """Compute the matrix of a fitted estimator's kernel on ``X``, sorted by ``y``, and draw it.

        Parameters
        ----------
        estimator : fitted kernel estimator, or a Pipeline that ends with one
            It has ``kernel_``; a pipeline's other steps transform ``X`` first.
        X : array-like of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            Their targets.
        normalize : bool, default=True
            Show the cosine in feature space instead of the kernel.
        max_samples : int or None, default=400
            Use at most so many rows.
        random_state : int, RandomState or None, default=0
            Draws those rows.
        target_name : str, default="target"
            For the axis.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``imshow``.

        Returns
        -------
        KernelHeatmapDisplay
        """
        model, transform = final_step(estimator)
        kernel, y = fitted_kernel(model), np.asarray(y)
        rows = sample_rows(len(y), max_samples, random_state)
        rows = rows[np.argsort(y[rows], kind="stable")]
        gram = gram_of(kernel, transform(take_rows(X, rows)))
        value_name = "kernel"
        if normalize:
            gram, value_name = cosines(gram), "kernel, scaled to 1 on the diagonal"
        display = cls(gram, y=y[rows], target_name=target_name, value_name=value_name)
        return display.plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> KernelHeatmapDisplay:
        """Draw the matrix with a colour bar and the targets along its side.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``imshow``.

        Returns
        -------
        KernelHeatmapDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax, (5.6, 4.6))
        self.ax_ = ax
        # a few extreme pairs must not take the whole colour scale
        low, high = np.quantile(self.gram, [0.005, 0.995])
        style = {"cmap": "viridis", "interpolation": "nearest", "vmin": low, "vmax": max(high, low + 1e-12)}
        self.im_ = ax.imshow(self.gram, **(style | kwargs))
        self.figure_.colorbar(self.im_, ax=ax, label=self.value_name, shrink=0.9, extend="both")
        ax.set_xticks([])
        ax.set_xlabel(f"the same {len(self.gram)} samples")
        ax.set_ylabel(f"samples sorted by {self.target_name}")
        if self.y is None:
            ax.set_yticks([])
            ax.set_ylabel("samples")
        else:
            self._mark_targets(ax)
        return self

    def _mark_targets(self, ax: Any) -> None:
        y = self.y
        assert y is not None
        labels, starts, counts = np.unique(y, return_index=True, return_counts=True)
        if y.dtype.kind != "f" and len(labels) <= MAX_CLASS_LABELS:
            ax.set_yticks(starts + (counts - 1) / 2, [str(label) for label in labels])
            ax.tick_params(axis="y", length=0)
            for start in starts[starts > 0]:
                ax.axhline(start - 0.5, color="white", linewidth=0.7, alpha=0.7)
                ax.axvline(start - 0.5, color="white", linewidth=0.7, alpha=0.7)
        else:
            at = np.unique(np.linspace(0, len(y) - 1, 5).astype(int))
            names = [f"{v:.3g}" if y.dtype.kind in "fi" else str(v) for v in y[at]]
            ax.set_yticks(at, names)
