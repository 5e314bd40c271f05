"""Scores over the ridge penalty, a curve a kernel, with the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ntklib._core.drawing import COLORS, axes_and_figure, light_axes
from ntklib._core.penalty_paths import search_paths

from ._fitted import final_step

MAX_NAMED = 3


class LeaveOneOutPathDisplay:
    """Leave-one-out path: how well each penalty predicts rows that were left out.

    One eigendecomposition gives the score of every penalty on every row, each left out in turn. Too small a
    penalty follows the noise (left end), too large a one flattens the prediction (right end).

    Parameters
    ----------
    paths : mapping of str to (penalties, scores)
        For each kernel its name and two equally long arrays.
    best : tuple of (str, float, float) or None, default=None
        Name, penalty and score of the choice.
    score_name : str, default="leave-one-out score"
        For the axis; larger is better.

    Attributes
    ----------
    ax_, figure_ : matplotlib axes and figure
        Where it was drawn.

    Raises
    ------
    ValueError
        If there is no path, lengths differ, or a penalty is not positive.

    Examples
    --------
    >>> from ntklib.plotting import LeaveOneOutPathDisplay
    >>> display = LeaveOneOutPathDisplay({"depth 1": ([0.1, 1.0], [0.7, 0.8])}, best=("depth 1", 1.0, 0.8))
    >>> display.best
    ('depth 1', 1.0, 0.8)
    """

    def __init__(
        self,
        paths: Mapping[str, tuple[ArrayLike, ArrayLike]],
        *,
        best: tuple[str, float, float] | None = None,
        score_name: str = "leave-one-out score",
    ) -> None:
        self.paths: dict[str, tuple[NDArray, NDArray]] = {}
        for name, (penalties, scores) in paths.items():
            x, y = np.asarray(penalties, dtype=float), np.asarray(scores, dtype=float)
            if x.ndim != 1 or x.shape != y.shape or not x.size:
                raise ValueError(
                    f"path {name!r}: {x.shape} penalties and {y.shape} scores do not go together"
                )
            if not (x > 0).all():
                raise ValueError(f"path {name!r}: penalties must be positive")
            order = np.argsort(x)
            self.paths[name] = x[order], y[order]
        if not self.paths:
            raise ValueError("paths must hold one kernel at least")
        if best is not None and best[0] not in self.paths:
            raise ValueError(f"best names the path {best[0]!r}, which is not there")
        self.best = best
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, score_name: str | None = None, ax: Any = None, **plot_kwargs: Any
    ) -> LeaveOneOutPathDisplay:
        """Draw what a fitted CV estimator kept in ``cv_results_``.

        Parameters
        ----------
        estimator : fitted NTKRegressorCV or NTKClassifierCV, or a Pipeline that ends with one
            It has ``cv_results_``, ``best_score_`` and ``alpha_``.
        score_name : str or None, default=None
            For the axis; None says what the estimator scored by.
        ax : matplotlib axes or None, default=None
            Where to draw.
        **plot_kwargs
            For matplotlib's ``plot``.

        Returns
        -------
        LeaveOneOutPathDisplay

        Raises
        ------
        ValueError
            If the estimator searched no penalties.
        """
        model, _ = final_step(estimator)
        by_target = getattr(getattr(model, "loo_path_", None), "target_scores", None)
        if by_target is None:
            paths, best = search_paths(model)
        else:  # the chosen kernel's, for each target
            alphas = model.loo_path_.alphas
            paths, best = {f"target {j}": (alphas, scores) for j, scores in enumerate(by_target.T)}, None
        title = model.loo_path_.score_name if score_name is None else score_name
        return cls(paths, best=best, score_name=title).plot(ax=ax, **plot_kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> LeaveOneOutPathDisplay:
        """Draw the scores over a logarithmic penalty axis.

        Of many kernels only the best three and the chosen one are named, the others are faint.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
            Where to draw; new axes if None.
        **kwargs
            For matplotlib's ``plot``, for every curve.

        Returns
        -------
        LeaveOneOutPathDisplay
            Itself.
        """
        ax, self.figure_ = axes_and_figure(ax)
        self.ax_ = ax
        ranked = sorted(self.paths, key=lambda name: -np.nanmax(self.paths[name][1]))
        if self.best is not None:
            ranked.remove(self.best[0])
            ranked.insert(0, self.best[0])
        for position in reversed(range(len(ranked))):  # the best on top
            penalties, scores = self.paths[ranked[position]]
            style: dict[str, Any] = {"color": COLORS[-1], "linewidth": 1.0, "alpha": 0.35}
            if position <= MAX_NAMED:
                style = {"color": COLORS[position], "linewidth": 1.8, "label": ranked[position]}
            ax.plot(penalties, scores, **(style | kwargs))
        if self.best is not None:
            _, penalty, score = self.best
            label = rf"chosen: $\alpha$ = {penalty:.3g}, score {score:.4g}"
            ax.plot([penalty], [score], "o", color=COLORS[0], markersize=9, label=label, zorder=5)
        ax.set(xscale="log", xlabel=r"ridge penalty $\alpha$", ylabel=self.score_name)
        light_axes(ax)
        handles, labels = ax.get_legend_handles_labels()
        order = np.argsort([ranked.index(label) if label in ranked else len(ranked) for label in labels])
        ax.legend([handles[i] for i in order], [labels[i] for i in order], frameon=False, loc="best")
        return self
