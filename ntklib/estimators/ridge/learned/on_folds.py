"""One kernel on all folds: its rounds, with a penalty for each that all folds share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.solvers import RidgeFit

from .._clipping import clipped
from .recursion import Recursion

__all__ = ["FoldRounds", "HeldOut", "Trial", "climb"]

MOST_ROUNDS = 8
_LEAST_GAIN = 0.05  # of a round, in all that was gained before: below, there is little to come
_COARSE = 3  # steps of the grid of penalties between those that are looked at first

HeldOut = list[NDArray]
"""Values of the held-out units, (m, k), of each fold."""

Score = Callable[[HeldOut], tuple[float, float]]


class Trial(NamedTuple):
    """A round with its best penalty: a score and what decides between equal ones, and held-out values.

    `tried` are the ranks of all penalties that were looked at.
    """

    rank: tuple[float, float]
    place: int
    values: HeldOut
    tried: dict[int, tuple[float, float]]


class FoldRounds:
    """The rounds of one kernel, side by side on the training units of all folds.

    Parameters
    ----------
    recursions : list of Recursion
        One a fold.
    held_out : list of arrays or CSR matrices
        Held-out rows of each fold.
    limits : list
        Where held-out values are clipped, for each fold; None is nowhere.
    score : function
        Score of held-out values, and what decides between equal ones.
    """

    def __init__(
        self, recursions: list[Recursion], held_out: list[Any], limits: list[Any], score: Score
    ) -> None:
        self.recursions, self.held_out, self.limits, self.score = recursions, held_out, limits, score
        self.trials: list[Trial] = []

    def run(self, known: Sequence[int] = (), most_rounds: int = MOST_ROUNDS) -> list[Trial]:
        """Go through rounds until one brings little or nothing; return all that were tried.

        `known` are places of good penalties of the first rounds: in the last of these it is where the search
        begins, those before are gone through at them alone.
        """
        while True:
            done = len(self.trials)
            with step(f"round {done}"):
                fits = self._round(known[done : done + 1], alone=done + 1 < len(known))
            stays = done + 1 >= len(known) and self._stale
            if done >= most_rounds or stays or not self._advance(fits):
                return self.trials

    @property
    def _stale(self) -> bool:
        """Say if the last round brought less than a twentieth of what those before it did."""
        *before, last = (trial.rank[0] for trial in self.trials)
        return bool(before) and not last - max(before) > _LEAST_GAIN * (max(before) - before[0])

    def _round(self, known: Sequence[int], *, alone: bool) -> list[RidgeFit]:
        """Find the best penalty of a round, and return its fits; a known one may be the only one tried."""
        predict: list[Any] = [None] * len(self.recursions)
        fits: dict[int, list[Any]] = {}
        outcomes: dict[int, tuple[tuple[float, float], HeldOut]] = {}

        def begin(fold: int) -> None:
            self.recursions[fold].begin()
            predict[fold] = self.recursions[fold].predict_from(self.held_out[fold])

        self._on_folds(begin)
        n_penalties = len(self.recursions[0].alphas)

        def rank(place: int) -> tuple[float, float]:
            if place not in outcomes:
                of_folds: list[Any] = [None] * len(self.recursions)
                values: list[Any] = [None] * len(self.recursions)

                def fit(fold: int) -> None:
                    of_folds[fold] = self.recursions[fold].fit(place)
                    values[fold] = clipped(predict[fold](of_folds[fold]), self.limits[fold])

                self._on_folds(fit)
                fits[place], outcomes[place] = of_folds, (self.score(values), values)
            return outcomes[place][0]

        starts = list(known) or [trial.place for trial in self.trials[-1:]]
        starts = starts or list(range(0, n_penalties, _COARSE))
        best = starts[0] if alone else climb(rank, starts, n_penalties)
        rank(best)
        tried = {place: ranked for place, (ranked, _) in outcomes.items()}
        self.trials.append(Trial(tried[best], best, outcomes[best][1], tried))
        for recursion in self.recursions:
            recursion.end()
        return fits[best]

    def _advance(self, fits: list[RidgeFit]) -> bool:
        moved = [False] * len(fits)

        def advance(fold: int) -> None:
            moved[fold] = self.recursions[fold].advance(fits[fold])

        self._on_folds(advance)
        return all(moved)

    def _on_folds(self, function: Callable[[int], None]) -> None:
        parallel_for(function, range(len(self.recursions)))


def climb(rank: Callable[[int], Any], starts: list[int], n: int) -> int:
    """Place of a best rank among n: uphill from the best of some; of equal neighbours the first."""
    best = max(starts, key=rank)
    while True:
        near = [place for place in (best - 1, best, best + 1) if 0 <= place < n]
        top = max(near, key=rank)
        if rank(top) <= rank(best):
            return best
        best = top
