"""The search for scales of the columns: kernels, rounds and penalties by folds.

Plain leave-one-out cannot judge them. The scales are made of all labels, that of the row left out among them,
so that its error with the others' coefficients is too small; the more columns, the more so. Here each fold
learns its scales from its training rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ntklib._core.progress import step
from ntklib._core.threads import parallel_for
from ntklib.kernels import NTK

from ..._folds import Splits
from ..._kernel import gram_diagonal
from ..._scoring import Criterion, comparable
from ..._units import Units
from ...defaults import REGRESSION_GRID
from ...rows import whole
from .._candidates import Candidate, candidates_of, settled
from .._clipping import limits_of, target_range
from .._halving import first_part
from ..penalty_path import PenaltyPath
from .difference import blocks_of, jackknife
from .gradients import mean_scales
from .on_folds import FoldRounds, HeldOut, Trial
from .outcome import LearnedFeatures
from .recursion import Penalties, Recursion, rows_of_gradients

__all__ = ["FeatureChoice", "FeatureSearch", "LearnedFit", "base_candidates", "restricted", "three_folds"]

_N_FOLDS = 3


class LearnedFit(NamedTuple):
    """A kernel with learned scales: its path of penalties, and the pair it is ranked by.

    `held_out` are the values of left-out units, NaN of those that no fold leaves out.
    """

    path: PenaltyPath
    rank: tuple[float, float]
    held_out: NDArray


class FeatureChoice(NamedTuple):
    """The record of what folds say of learned scales, and the fit with them if they are kept."""

    outcome: LearnedFeatures
    fit: LearnedFit | None


@dataclass(frozen=True)
class FeatureSearch:
    """Folds of some units, and a criterion to judge held-out values by.

    Parameters
    ----------
    units : Units
        Those that take part.
    rows : ndarray of int
        Their places among all units, as the criterion names them.
    order : ndarray of int
        They at random, as places among `rows`.
    splits : list of pairs of arrays
        Training and held-out units, as places among `rows`.
    groups : ndarray or None
        Groups of the units: those of one are left out together in standard errors.
    criterion : Criterion
    scoring : str
    penalties : function
        Penalties to choose from, for a Gram matrix of this mean diagonal.
    fit_intercept, clip : bool
    """

    units: Units
    rows: NDArray
    order: NDArray
    splits: Splits
    groups: NDArray | None
    criterion: Criterion
    scoring: str
    penalties: Penalties
    fit_intercept: bool
    clip: bool
    _blocks: NDArray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", replace(self.units, X=whole(self.units.X)))
        object.__setattr__(self, "_blocks", blocks_of(self.order, self.groups))

    def run(self, candidates: list[Candidate], fixed: Candidate, *, always: bool) -> FeatureChoice | None:
        """Learn scales for each candidate, and return the best; None where all gradients are 0.

        Of 1,000 units and more, a quarter, and 500 at least, chooses the candidate and finds where to look
        for penalties. Only the best goes on to all units: through rounds at the penalties of the part up to
        its last, whose penalty is chosen, and beyond as long as that helps.

        It is to be used if `always`, or if its score is better than that of the `fixed` kernel by more than
        the standard error of the difference.
        """
        part, results = self._part(), {}

        def compare() -> tuple[Candidate, list[Trial], int] | None:
            best = (self if part is None else part)._best(candidates)
            if part is None or best is None:
                return best
            candidate, trials, n_rounds = best
            return self._best([candidate], [trial.start for trial in trials[: n_rounds + 1]])

        def leave() -> Trial:
            with step("kernel without scales"):
                known = [] if part is None else [part._rounds(fixed).run(most_rounds=0)[0].start]
                return self._rounds(fixed).run(known, most_rounds=0)[0]

        def run(task: Any) -> None:
            results[task] = task()

        parallel_for(run, [compare, leave])  # side by side: three folds leave one of two threads idle
        best, rest = results[compare], results[leave]
        if best is None:
            return None
        candidate, trials, n_rounds = best
        outcome = self._judged(candidate, trials, n_rounds, rest, always=always)
        fit = self._fits(candidate, trials[n_rounds - 1 : n_rounds + 1])[0] if outcome.kept else None
        return FeatureChoice(outcome, fit)

    def each(
        self, candidates: list[Candidate], fixed: Candidate
    ) -> tuple[LearnedFeatures | None, list[LearnedFit]]:
        """Learn scales for each candidate, and return the fits of all rounds.

        The record compares the best of them with the `fixed` kernel; None where all gradients are 0.
        """
        with step("kernel without scales"):
            rest = self._rounds(fixed).run(most_rounds=0)[0]
        best, fits = None, []
        for candidate in candidates:
            if (tried := self._best([candidate])) is not None:
                fits += self._fits(*tried[:2])
                best = tried if best is None else max(best, tried, key=lambda one: one[1][one[2]].rank)
        return None if best is None else self._judged(*best, rest, always=True), fits

    def _part(self) -> FeatureSearch | None:
        """The search on the first units, where they are enough and no fold is lost."""
        rows = np.sort(self.order[: first_part(len(self.order))])
        splits = restricted(self.splits, rows)
        if not len(rows) or len(splits) < len(self.splits):
            return None
        return replace(
            self,
            units=self.units.take(rows),
            rows=self.rows[rows],
            order=np.searchsorted(rows, self.order[: len(rows)]),
            splits=splits,
            groups=None if self.groups is None else self.groups[rows],
        )

    def _best(
        self, candidates: list[Candidate], known: Sequence[int] = ()
    ) -> tuple[Candidate, list[Trial], int] | None:
        """The best candidate, its trials and its number of rounds; of rounds whose penalty was chosen."""
        best: tuple[Any, Candidate, list[Trial], int] | None = None
        for candidate in settled(candidates, self.units.X):  # for folds whose training rows set no scale
            with step(f"learning features for {candidate.name} on {len(self.units):,} rows"):
                trials = self._rounds(candidate).run(known)
            for n in range(max(len(known) - 1, 1), len(trials)):
                if best is None or trials[n].rank > best[0]:
                    best = trials[n].rank, candidate, trials, n
        return None if best is None else best[1:]

    def _rounds(self, candidate: Candidate) -> FoldRounds:
        recursions = []
        for train, _ in self.splits:
            units = self.units.take(train)
            sample = rows_of_gradients(self.order, train)
            recursions.append(self._recursion(candidate, units, sample))
        limits = [limits_of(target_range(one.units.targets)) if self.clip else None for one in recursions]
        held_out = [self.units.X[test] for _, test in self.splits]
        return FoldRounds(recursions, held_out, limits, self.score)

    def _recursion(self, candidate: Candidate, units: Units, sample: NDArray) -> Recursion:
        return Recursion(_kernel_for(candidate, units), units, self.penalties, self.fit_intercept, sample)

    def _judged(
        self, candidate: Candidate, trials: list[Trial], n_rounds: int, rest: Trial, *, always: bool
    ) -> LearnedFeatures:
        """Compare the best round with the fit without scales."""
        values = trials[n_rounds].values

        def gain(block: int | None) -> float:
            return self.score(values, block)[0] - self.score(rest.values, block)[0]

        difference, error = jackknife(gain, int(self._blocks.max()) + 1)
        reported = self.criterion.reported
        return LearnedFeatures(
            kept=always or bool(difference > error),
            kernel=_kernel_for(candidate, self.units),
            n_rounds=n_rounds,
            score=float(reported(trials[n_rounds].rank[0])),
            fixed_score=float(reported(rest.rank[0])),
            difference=float(reported(difference)),
            standard_error=float(reported(error)),
            round_scores=reported(np.array([trial.rank[0] for trial in trials])),
            n_samples=len(self.units),
            scoring=self.scoring,
        )

    def _fits(self, candidate: Candidate, trials: list[Trial]) -> list[LearnedFit]:
        """Make the rounds after the first on all units, each from the mean scales of the folds before it."""
        everything, kernels = np.arange(len(self.units)), []
        recursion = self._recursion(candidate, self.units, rows_of_gradients(self.order, everything))

        def go_through(rounds: list[Trial]) -> None:
            for before in rounds:
                recursion.scales = mean_scales(before.scales)
                recursion.repeat(before.place)
                kernels.append(recursion.kernel)

        with step("learning features on all rows of the search"):
            parallel_for(go_through, [trials[:-1]])  # in a pool of one, for BLAS to have one thread
        return [self._fit(kernel, trial) for kernel, trial in zip(kernels, trials[1:], strict=True)]

    def _fit(self, kernel: Any, trial: Trial) -> LearnedFit:
        diagonal = gram_diagonal(kernel, self.units.X)
        alphas = self.penalties(float(np.average(diagonal, weights=self.units.weights)))
        tried = sorted(trial.tried)
        scores = self.criterion.reported(np.array([trial.tried[place][0] for place in tried]))
        path = PenaltyPath(
            alphas=alphas[tried],
            scores=scores,
            alpha=float(alphas[trial.place]),
            best_score=float(scores[tried.index(trial.place)]),
            method="cross-validation",
            scoring=self.scoring,
            kernel=kernel,
            n_samples=len(self.units),
        )
        return LearnedFit(path, trial.rank, self._held_out(trial.values))

    def _held_out(self, values: HeldOut) -> NDArray:
        """Mean of the values that folds have of each unit."""
        total, times = np.zeros(self.units.targets.shape), np.zeros((len(self.units), 1))
        for (_, test), of_fold in zip(self.splits, values, strict=True):
            np.add.at(total, test, of_fold)
            np.add.at(times, test, 1)
        with np.errstate(invalid="ignore"):
            return total / times

    def score(self, values: HeldOut, without: int | None = None) -> tuple[float, float]:
        """Mean of the criterion over the folds, and of what decides between equal ones.

        One block of the units may be left out.
        """
        ranks = []
        for (_, test), of_fold in zip(self.splits, values, strict=True):
            left = slice(None) if without is None else np.flatnonzero(self._blocks[test] != without)
            if len(test[left]):
                ranks.append(self.criterion(of_fold[left], self.rows[test[left]]))
        score, tie = comparable(ranks).mean(axis=0)
        return float(score), float(tie)


def _kernel_for(candidate: Candidate, units: Units) -> Any:
    return candidate.on(units, np.arange(len(units)))


def base_candidates(kernels: Any) -> list[Candidate]:
    """Kernels whose columns are scaled: those that are given, or two of our own."""
    network = NTK(depth=1, weight_std=float(np.sqrt(2.0)), bias_std=1.0, input_scaling="fan_in")
    if kernels is None:
        return [Candidate(network), Candidate(None, 1.0, norm=2)]
    if isinstance(kernels, str):
        return [Candidate(network)]
    return candidates_of(kernels, REGRESSION_GRID)


def three_folds(order: NDArray, labels: NDArray | None, copies: NDArray | None = None) -> Splits:
    """Three folds of units in a random order, with the same share of each class.

    Units of the same number in `copies` are equal, and in one fold. There is none of fewer than three others.
    """
    copies = np.arange(len(order)) if copies is None else copies
    different, first = np.unique(copies[order], return_index=True)
    if len(different) < _N_FOLDS:
        return []
    order = order[np.sort(first)]
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(different), dtype=np.intp)
    fold[np.searchsorted(different, copies[order])] = np.arange(len(order)) % _N_FOLDS
    fold = fold[np.searchsorted(different, copies)]
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(_N_FOLDS)]


def restricted(splits: Splits, rows: NDArray) -> Splits:
    """Folds among some units, as places among these; folds that are left without training or test are not."""
    inside = [tuple(np.flatnonzero(np.isin(rows, side)) for side in fold) for fold in splits]
    return [(train, test) for train, test in inside if len(train) > 1 and len(test)]
