"""Rows of a stream, and a sample of them that is kept out of the fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ntklib.solvers.nystrom import stack_rows

from .._units import Units

__all__ = ["Reservoir", "StreamRows"]


@dataclass(frozen=True)
class StreamRows:
    """Some rows of a stream, all of positive weight.

    Attributes
    ----------
    X : ndarray or CSR matrix of float64, shape (n, d)
    targets : ndarray of shape (n, k)
    sample_weights : ndarray of shape (n,)
    importances : ndarray of shape (n,)
        Of the rows' classes.
    labels : ndarray of int, shape (n,)
        Places of the rows' classes; 0 in regression.
    numbers : ndarray of int, shape (n,)
        Places in the stream.
    """

    X: Any
    targets: NDArray
    sample_weights: NDArray
    importances: NDArray
    labels: NDArray
    numbers: NDArray

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def weights(self) -> NDArray:
        """Sample weights times importances."""
        return self.sample_weights * self.importances

    def take(self, rows: Any) -> StreamRows:
        """Rows at some places, or a slice of them."""
        return StreamRows(*(part[rows] for part in self._parts()))

    def joined(self, other: StreamRows) -> StreamRows:
        """These rows and others below them."""
        X, *parts = zip(self._parts(), other._parts(), strict=True)
        return StreamRows(stack_rows(list(X)), *(np.concatenate(pair) for pair in parts))

    def units(self, *, whole_weights: bool) -> Units:
        """The rows as units of an exact fit; weights that are whole numbers are counts."""
        counts = self.sample_weights if whole_weights else None
        importances = self.importances if whole_weights else self.weights
        return Units(self.X, self.targets, importances, self.numbers, counts=counts, labels=self.labels)

    def _parts(self) -> tuple[Any, ...]:
        return self.X, self.targets, self.sample_weights, self.importances, self.labels, self.numbers


@dataclass(frozen=True)
class Reservoir:
    """A uniform sample of the rows that have come so far, whatever pieces they came in.

    Row t takes the place of one of the sample with probability size / (t + 1); the others go on.

    References
    ----------
    J. S. Vitter (1985), "Random sampling with a reservoir", algorithm R.
    """

    size: int
    rng: np.random.Generator = field(repr=False)
    n_rows: int = 0
    rows: StreamRows | None = None

    @classmethod
    def seeded(cls, size: int, seed: int) -> Reservoir:
        """Return an empty one, whose draws have nothing to do with those of the centres."""
        return cls(size, np.random.default_rng([seed, size]))

    def extended(self, rows: StreamRows) -> tuple[Reservoir, StreamRows]:
        """Return the sample with further rows, and the rows that go on, in their order."""
        if self.size == 0 or len(rows) == 0:
            return self, rows
        rng = np.random.default_rng()
        rng.bit_generator.state = self.rng.bit_generator.state
        both = rows if self.rows is None else self.rows.joined(rows)
        start = len(both) - len(rows)
        kept, leaving = list(range(start)), np.arange(start, len(both))
        places = (rng.random(len(rows)) * (self.n_rows + 1 + np.arange(len(rows)))).astype(np.intp)
        for i in np.flatnonzero((places < self.size) | (self.n_rows + np.arange(len(rows)) < self.size)):
            if len(kept) < self.size:
                kept.append(start + int(i))
                leaving[i] = -1
            else:
                kept[places[i]], leaving[i] = start + int(i), kept[places[i]]
        sample = replace(self, rng=rng, n_rows=self.n_rows + len(rows), rows=both.take(np.array(kept)))
        return sample, both.take(leaving[leaving >= 0])
