"""One kernel on all folds: its rounds, with a penalty for each that all folds share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.solvers import RidgeFit

from .._clipping import clipped
from .recursion import Recursion

__all__ = ["FoldRounds", "HeldOut", "Trial", "climb"]

MOST_ROUNDS = 8
_LEAST_GAIN = 0.05  # of a round, in all that was gained before: below, there is little to come
_LONG = 3  # penalties of the grid to a step, where no good one is known
_LEAST_STEP = 1e-3  # part of a score that a step has to gain

HeldOut = list[NDArray]
"""Values of the held-out units, (m, k), of each fold."""

Score = Callable[[HeldOut], tuple[float, float]]


class Trial(NamedTuple):
    """A round with its best penalty: a score and what decides between equal ones, and held-out values.

    `tried` are the ranks of all penalties that were looked at, `scales` those of the columns on each fold.
    """

    rank: tuple[float, float]
    place: int
    values: HeldOut
    tried: dict[int, tuple[float, float]]
    scales: list[NDArray | None]

    @property
    def start(self) -> int:
        """Place to go on from: of the largest penalty that is as good as the best, but for a thousandth.

        Beyond it there often is a plain of penalties that are too small to matter: no step leads uphill.
        """
        return min(place for place, rank in self.tried.items() if not _gains(self.rank, rank))


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

        start = [*known, *(trial.start for trial in self.trials[-1:]), n_penalties // 4][0]
        strides = () if alone else (1,) if known or self.trials else (_LONG, 1)
        rank(start)
        for stride in strides:
            start = climb(rank, start, n_penalties, stride)
        best = max(sorted(outcomes), key=rank)
        tried = {place: ranked for place, (ranked, _) in outcomes.items()}
        scales = [recursion.scales for recursion in self.recursions]
        self.trials.append(Trial(tried[best], best, outcomes[best][1], tried, scales))
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


def climb(rank: Callable[[int], tuple[float, float]], start: int, n: int, stride: int) -> int:
    """Place among n from which no step of this length gains a thousandth: uphill, to larger places first."""
    best = start
    while True:
        for place in (best + stride, best - stride):
            if 0 <= place < n and _gains(rank(place), rank(best)):
                best = place
                break
        else:
            return best


def _gains(rank: tuple[float, float], before: tuple[float, float]) -> bool:
    """Say if a score, or of equal ones what decides, is better by more than a thousandth of itself."""
    for new, old in zip(rank, before, strict=True):
        if new != old:
            return new > old and (old == -np.inf or new - old > _LEAST_STEP * abs(old))
    return False
