"""Held-out scores over the number of iterations, with the one that was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes

from ._fitted import final_step


class StoppingPathDisplay:
    """Stopping path: how well a model predicts samples left out, after every number of iterations.

    Too few iterations have not learned yet (left end), too many follow the noise (right end). The band is one
    standard error of the mean over folds, the faint lines are the folds.

    Parameters
    ----------
    max_iters : array of shape (T,)
        Numbers of iterations, positive.
    fold_scores : array of shape (n_folds, T)
    best : tuple of (int, float) or None, default=None
        Number of iterations and score of the choice.
    score_name : str, default="held-out score"
        For the axis; larger is better.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If lengths differ, or a number of iterations is not positive.

    Examples
    --------
    >>> from ntklib.plotting import StoppingPathDisplay
    >>> display = StoppingPathDisplay([1, 10], [[-2.0, -1.0], [-2.2, -1.4]], best=(10, -1.2))
    >>> display.best
    (10, -1.2)
    """

    def __init__(
        self,
        max_iters: ArrayLike,
        fold_scores: ArrayLike,
        *,
        best: tuple[int, float] | None = None,
        score_name: str = "held-out score",
    ) -> None:
        self.max_iters = np.asarray(max_iters, dtype=float)
        self.fold_scores = np.asarray(fold_scores, dtype=float)
        if self.fold_scores.ndim != 2 or self.max_iters.shape != self.fold_scores.shape[1:]:
            raise ValueError(
                f"{self.max_iters.shape} numbers of iterations and {self.fold_scores.shape} scores do not go "
                "together: there is one row a fold."
            )
        if not self.fold_scores.size or not (self.max_iters > 0).all():
            raise ValueError(
                "max_iters must be positive numbers, one at least, with the scores of some folds."
            )
        self.best = best
        self.score_name = score_name

    @classmethod
    def from_path(cls, path: Any) -> StoppingPathDisplay:
        """Take the arrays of a StoppingPath."""
        best = (path.max_iter, path.best_score)
        return cls(path.max_iters, path.fold_scores, best=best, score_name=f"held-out {path.scoring}")

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **plot_kwargs: Any) -> StoppingPathDisplay:
        """Draw what a fitted estimator kept in ``stopping_path_``.

        Parameters
        ----------
        estimator : fitted TangentRegressorCV or TangentClassifierCV, or a Pipeline that ends with one
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``, for the mean.

        Returns
        -------
        StoppingPathDisplay

        Raises
        ------
        ValueError
            If the estimator searched no numbers of iterations.
        """
        model, _ = final_step(estimator)
        path = getattr(model, "stopping_path_", None)
        if path is None:
            raise ValueError(f"{type(model).__name__} searched no numbers of iterations: nothing to draw")
        return cls.from_path(path).plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> StoppingPathDisplay:
        """Draw the scores over a logarithmic axis of iterations.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``plot``, for the mean.

        Returns
        -------
        StoppingPathDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax)
        self.ax_ = ax
        mean, folds = self.fold_scores.mean(axis=0), len(self.fold_scores)
        ax.plot(self.max_iters, self.fold_scores.T, color=COLORS[-1], linewidth=0.8, alpha=0.4)
        if folds > 1:
            error = self.fold_scores.std(axis=0, ddof=1) / np.sqrt(folds)
            ax.fill_between(
                self.max_iters, mean - error, mean + error, color=COLORS[0], alpha=0.18, linewidth=0
            )
        style = {"color": COLORS[0], "linewidth": 1.8, "label": f"mean of {folds} folds"}
        ax.plot(self.max_iters, mean, **(style | kwargs))
        if self.best is not None:
            label = f"chosen: {self.best[0]:,} iterations, score {self.best[1]:.4g}"
            ax.plot(*self.best, "o", color=COLORS[1], markersize=8, label=label, zorder=5)
        ax.set(xscale="log", xlabel="iterations", ylabel=self.score_name)
        low, high = mean.min(), mean.max()
        folds_low = self.fold_scores[:, mean >= low + 0.5 * (high - low)].min()  # a wild start hides the rest
        ax.set_ylim(bottom=min(folds_low, low) - 0.05 * (high - low) if np.isfinite(low) else None)
        light_axes(ax)
        ax.legend(frameon=False, loc="best")
        return self
