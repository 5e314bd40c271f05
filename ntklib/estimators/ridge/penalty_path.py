"""Scores of one kernel along a grid of penalties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


def scoring_words(scoring: str) -> str:
    """Write the name of a score in words."""
    names = {"neg_mean_squared_error": "negative mean squared error", "r2": "R²"}
    return names.get(scoring, scoring.replace("_", " "))


@dataclass(frozen=True)
class PenaltyPath:
    """Scores of one kernel along a grid of penalties.

    Attributes
    ----------
    alphas : ndarray of shape (p,)
        Penalties, largest first.
    scores : ndarray of shape (p,)
        Held-out score at each; larger is better.
    alpha : float or ndarray of shape (n_targets,)
        The best penalty, or that of each target; of equal ones (after the tie-break) the largest.
    best_score : float or ndarray of shape (n_targets,)
        Its score.
    method : {"leave-one-out", "gcv", "cross-validation"}
    scoring : str
        Name of the score.
    kernel : Kernel, callable or str
    n_samples : int
        Units the scores were computed on.
    target_scores : ndarray of shape (p, n_targets) or None
        Scores of each target, whose mean `scores` is, where each has a penalty of its own.
    """

    alphas: NDArray
    scores: NDArray
    alpha: Any
    best_score: Any
    method: str
    scoring: str
    kernel: Any
    n_samples: int
    target_scores: NDArray | None = None

    @property
    def score_name(self) -> str:
        """Name of the scores in words, for an axis."""
        if self.method == "gcv":
            return "generalised cross-validation score"
        held_out = "leave-one-out" if self.method == "leave-one-out" else "cross-validated"
        return f"{held_out} {scoring_words(self.scoring)}"
