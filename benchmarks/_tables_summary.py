"""What scores on many tables say: means, ranks, wins, and paired differences with their standard errors.

Tables, not folds, are the independent units.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

UNITS = {"accuracy": 100.0, "log_loss": -1.0, "r2": 100.0}  # a larger product is better


def summary(rows: list[dict], models: list[str], classes: bool) -> str:
    """Tables of the summary, as text, of rows that hold all the models."""
    lines = []
    for measure in ("log_loss", "accuracy") if classes else ("r2",):
        scores = np.array([[np.mean(row[name][measure]) for name in models] for row in rows]) * UNITS[measure]
        seconds = np.array([[row[name]["seconds"] for name in models] for row in rows]).sum(axis=0)
        lines += [f"{measure}, {len(rows)} tables{', larger is better' if measure != 'log_loss' else ''}"]
        lines += [*_rows(models, scores, seconds, sign=-1 if measure == "log_loss" else 1), ""]
    for name in models:
        if all("own_score" in row[name] for row in rows):
            gap = np.array([np.mean(row[name]["log_loss"]) - np.mean(row[name]["own_score"]) for row in rows])
            lines.append(
                f"{name}: log-loss less its own held-out score {gap.mean():+.3f} +- {_error(gap):.3f}"
            )
    return "\n".join(lines)


def _rows(models: list[str], scores: np.ndarray, seconds: np.ndarray, sign: int) -> list[str]:
    ranks = rankdata(-scores.round(9), axis=1)
    best = scores.max(axis=1)
    lines = [f"  {'':10}{'mean':>9}{'rank':>15}{'first':>7}{'gain of the first over it':>32}{'cost':>8}"]
    for j, name in enumerate(models):
        gap = scores[:, 0] - scores[:, j]
        wins, losses = (gap > 1e-9).sum(), (gap < -1e-9).sum()
        behind = f"{gap.mean():+.3f} +- {_error(gap):.3f} ({wins}:{losses})" if j else ""
        lines.append(
            f"  {name:10}{sign * scores[:, j].mean():9.3f}"
            f"{ranks[:, j].mean():8.2f} +- {_error(ranks[:, j]):.2f}"
            f"{int((scores[:, j] >= best - 1e-9).sum()):7}{behind:>32}{seconds[j] / seconds[0]:8.2f}"
        )
    return lines


def _error(values: np.ndarray) -> float:
    """Standard error of a mean over tables."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
