"""Held-out scores of numbers of iterations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ntklib._core.exponents import standard_deviation

from .._scoring import ranking


@dataclass(frozen=True, eq=False, repr=False)
class StoppingPath:
    """Held-out scores of numbers of iterations.

    Attributes
    ----------
    max_iters : ndarray of int of shape (T,)
        Numbers of iterations, ascending.
    scores : ndarray of shape (T,)
        Mean over the folds; larger is better.
    fold_scores : ndarray of shape (n_folds, T)
    max_iter : int
        The best number; of equal ones the smallest.
    best_score : float
        Its score.
    scoring : str
        Name of the score.
    n_samples : int
    """

    max_iters: NDArray
    scores: NDArray
    fold_scores: NDArray
    max_iter: int
    best_score: float
    scoring: str
    n_samples: int

    def plot(self, ax: Any = None, **kwargs: Any) -> Any:
        """Draw the scores against the number of iterations.

        Parameters
        ----------
        ax : matplotlib axes or None, default=None
        **kwargs
            For matplotlib's ``plot``, for the mean.

        Returns
        -------
        StoppingPathDisplay
        """
        from ntklib.plotting import StoppingPathDisplay

        return StoppingPathDisplay.from_path(self).plot(ax=ax, **kwargs)

    def __repr__(self) -> str:
        folds, times = self.fold_scores.shape
        return (
            f"StoppingPath({times} numbers of iterations, {self.max_iters[0]} to {self.max_iters[-1]}, on "
            f"{folds} folds of {self.n_samples} samples: {self.max_iter} is best, {self.scoring} "
            f"{self.best_score:.6g})"
        )

    def results(self) -> dict[str, NDArray]:
        """Return a dictionary of columns, as grid searches keep in ``cv_results_``."""
        splits = {f"split{i}_test_score": scores for i, scores in enumerate(self.fold_scores)}
        return {
            "param_max_iter": self.max_iters,
            **splits,
            "mean_test_score": self.scores,
            "std_test_score": standard_deviation(self.fold_scores),
            "rank_test_score": ranking(self.scores),
        }
