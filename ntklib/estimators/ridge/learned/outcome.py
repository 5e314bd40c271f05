"""The record of a search for scales of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..penalty_path import scoring_words

__all__ = ["LearnedFeatures"]


@dataclass(frozen=True)
class LearnedFeatures:
    """Scores, on folds, of a fit with learned scales of the columns and of one without.

    All scores are means over the folds, and larger is better. Scales, penalties and length scales are those
    that the training rows of a fold give.

    Attributes
    ----------
    kept : bool
        If the fit is with learned scales.
    kernel : Kernel
        The kernel whose columns were scaled, as it is for all rows of the search.
    n_rounds : int
        Times the scales were learned anew; the best of those tried.
    score : float
        Held-out score with learned scales.
    fixed_score : float
        That of the kernel the search chose otherwise, on the same folds at its best penalty there.
    difference : float
        `score` minus `fixed_score`.
    standard_error : float
        Of the difference: the jackknife over 20 blocks of the held-out rows, those of a group together.
    round_scores : ndarray of shape (n_tried,)
        Scores of this kernel after 0, 1, 2, ... rounds; the first ones at penalties that a part of the
        units chose, where 1,000 or more took part.
    n_samples : int
        Units that took part.
    scoring : str
        Name of the score.
    """

    kept: bool
    kernel: Any
    n_rounds: int
    score: float
    fixed_score: float
    difference: float
    standard_error: float
    round_scores: NDArray
    n_samples: int
    scoring: str

    @property
    def words(self) -> str:
        """The record in words, as estimators with ``verbose`` say it."""
        numbers = (self.score, self.fixed_score, self.difference, self.standard_error)
        score, fixed, difference, error = (f"{number:.4g}" for number in numbers)
        rounds = f"{self.n_rounds} round{'s' * (self.n_rounds > 1)}"
        verdict, scoring = "kept" if self.kept else "not kept", scoring_words(self.scoring)
        return (
            f"scales of columns learned in {rounds}, {verdict}: on folds {scoring} {score} "
            f"against {fixed} without, difference {difference} +- {error}"
        )
