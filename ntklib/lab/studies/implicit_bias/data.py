"""Rows in two classes, as the parts of the study of implicit bias use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ntklib._core.validation import check_rows

__all__ = ["Sample", "draw_sample", "given_sample", "gram_features"]

_PROBES = 1000


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows and their classes, +1 and -1."""

    X: np.ndarray
    signs: np.ndarray

    def with_wrong_labels(self, noise: float, rng: np.random.Generator) -> Sample:
        """Return the same rows with a share of the labels turned, never all of a class."""
        signs = self.signs.copy()
        wrong = rng.permutation(len(signs))[: round(noise * len(signs))]
        signs[wrong] *= -1
        return Sample(self.X, signs) if 0 < (signs > 0).sum() < len(signs) else self

    def between(self, rng: np.random.Generator) -> np.ndarray:
        """Return points halfway between rows of the two classes: where classifiers differ."""
        ends = [
            self.X[rng.choice(np.flatnonzero(side), _PROBES)] for side in (self.signs > 0, self.signs < 0)
        ]
        return (ends[0] + ends[1]) / 2


def draw_sample(random_state: int, n: int = 40, d: int = 5) -> Sample:
    """Draw Gaussian rows with the sign of their first feature as class, and a gap between the classes."""
    rng = np.random.default_rng(np.random.SeedSequence(random_state, spawn_key=(0,)))
    X = rng.standard_normal((n, d))
    signs = np.sign(X[:, 0])
    X[:, 0] += 0.3 * signs
    return Sample(X, signs)


def given_sample(X: Any, y: Any) -> Sample:
    """Check rows and labels of two classes; the class that sorts first is -1.

    Raises
    ------
    ValueError
        If there are not two classes, or not as many labels as rows.
    """
    X = check_rows(X)
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    if y is None:
        raise ValueError("X needs the classes of its rows: pass y too.")
    labels = np.asarray(y)
    if labels.shape != (len(X),):
        raise ValueError(f"y must hold one label for each of the {len(X)} rows, got shape {labels.shape}.")
    classes = np.unique(labels)
    if len(classes) != 2:
        raise ValueError(f"y must hold two classes, got {len(classes)}; select the rows of two of them.")
    return Sample(X, np.where(labels == classes[1], 1.0, -1.0))


def gram_features(K: np.ndarray, K_probe: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return features phi with phi phi^T = K, and those of further samples given their kernel with these."""
    values, vectors = np.linalg.eigh(K)
    kept = values > values[-1] * len(K) * np.finfo(float).eps
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    probes = np.empty((0, len(roots))) if K_probe is None else K_probe @ (vectors / roots)
    return vectors * roots, probes
