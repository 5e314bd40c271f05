"""Minibatches: which samples a stochastic gradient is taken from, and by what to multiply it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.validation import check_integer

__all__ = ["Batch", "Minibatches"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of one stochastic gradient.

    Attributes
    ----------
    rows : ndarray of shape (b,) or slice
        Indices of the samples; ``slice(None)`` for all of them, in order.
    scale : float
        n/b: what the gradient of the batch's sum is multiplied with to estimate that of the full sum.
    """

    rows: np.ndarray | slice
    scale: float


class Minibatches:
    """Sampler of minibatches, an unbiased estimate of the full gradient each.

    Without replacement (the default), every epoch goes through all samples once in a new random order.  With
    it, every entry of every batch is drawn by itself.  Each batch is in either case a uniformly random one,
    so that (n/b) times the sum of its gradients has the full sum as its mean; the last batch of an epoch
    without replacement is smaller if b does not divide n, and has its own factor.

    The variance of such an estimate is (n^2/b) times that of a single sample's gradient with replacement, and
    (n - b)/(n - 1) times as much without.

    Batch k is a function of k and the seed alone: a run that goes on from a copied state sees the batches
    that it would have seen.

    Parameters
    ----------
    n_samples : int
        n, at least 1.
    batch_size : int, default=None
        b, at least 1, and at most n without replacement; None is all samples in order.
    replace : bool, default=False
        Draw with replacement.
    random_state : int, Generator, RandomState or None, default=None
        Seed; a generator gives one up when the sampler is made, None takes fresh entropy.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from ntklib.dynamics import Minibatches
    >>> minibatches = Minibatches(5, 2, random_state=0)
    >>> [len(minibatches.batch(k).rows) for k in range(4)], minibatches.batch(2).scale
    ([2, 2, 1, 2], 5.0)
    >>> sorted(int(i) for k in range(3) for i in minibatches.batch(k).rows)
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self,
        n_samples: int,
        batch_size: int | None = None,
        *,
        replace: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_samples = check_integer(n_samples, "n_samples", minimum=1)
        self.batch_size = (
            self.n_samples if batch_size is None else check_integer(batch_size, "batch_size", minimum=1)
        )
        self.replace = bool(replace) and batch_size is not None
        if self.batch_size > self.n_samples and not self.replace:
            raise ValueError(
                f"batch_size is {batch_size} and there are {n_samples} samples; take replace=True or fewer."
            )
        self._seed = _seed(random_state)
        self._epoch: tuple[int, np.ndarray] | None = None

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch: n/b, rounded up."""
        return -(-self.n_samples // self.batch_size)

    def batch(self, k: int) -> Batch:
        """Return batch k = 0, 1, ..."""
        epoch, part = divmod(check_integer(k, "k", minimum=0), self.per_epoch)
        if self.per_epoch == 1 and not self.replace:  # every order of all samples has the same sum
            return Batch(slice(None), 1.0)
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = epoch, self._order(np.random.default_rng([*self._seed, epoch]))
        return self._cut(self._epoch[1], part)

    def __iter__(self) -> Iterator[Batch]:
        """Go through the batches from the first one on, without end."""
        k = 0
        while True:
            yield self.batch(k)
            k += 1

    def _order(self, generator: np.random.Generator) -> np.ndarray:
        """The samples of an epoch, one batch after the other."""
        if self.replace:
            return generator.integers(self.n_samples, size=self.per_epoch * self.batch_size)
        return generator.permutation(self.n_samples)

    def _cut(self, order: np.ndarray, part: int) -> Batch:
        rows = order[part * self.batch_size : (part + 1) * self.batch_size]
        return Batch(rows, self.n_samples / len(rows))

    def __repr__(self) -> str:
        how = "with" if self.replace else "without"
        return f"Minibatches({self.batch_size} of {self.n_samples}, {how} replacement)"


def _seed(random_state: Any) -> tuple[int, ...]:
    """Numbers that seed a generator for every epoch."""
    if random_state is None:
        return tuple(np.random.SeedSequence().generate_state(4).tolist())
    if isinstance(random_state, np.random.Generator):
        return tuple(random_state.integers(2**32, size=4).tolist())
    if isinstance(random_state, np.random.RandomState):
        return tuple(random_state.randint(2**32, size=4, dtype=np.uint32).tolist())
    return (check_integer(random_state, "random_state", minimum=0),)
