"""Paths of scores over the ridge penalty that a fitted search kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .naming import short_names


def search_paths(model: Any) -> tuple[dict[str, tuple[NDArray, NDArray]], tuple[str, float, float]]:
    """Return the paths of a fitted CV estimator by name, and the name, penalty and score of its choice.

    Of kernels that were compared on growing numbers of rows, the paths on the most rows; the chosen kernel's
    path is the one over all rows, where the comparison was on some only. A kernel with learned scales was not
    among those compared: its path, by folds, is one more.

    Raises
    ------
    ValueError
        If the estimator searched no penalties.
    """
    results, chosen = getattr(model, "cv_results_", None), getattr(model, "loo_path_", None)
    if results is None or chosen is None:
        raise ValueError(f"{type(model).__name__} searched no penalties: there is no path to draw")
    objects: list[Any] = []
    rows: list[list[int]] = []
    for row in np.flatnonzero(results["n_samples"] == results["n_samples"].max()).tolist():
        kernel = results["param_kernel"][row]
        # one object a kernel: rows of one path follow each other and share it
        if not objects or objects[-1] is not kernel:
            objects.append(kernel)
            rows.append([])
        rows[-1].append(row)
    names = short_names(objects)
    paths = {
        name: (results["param_alpha"][at], results["mean_test_score"][at])
        for name, at in zip(names, rows, strict=True)
    }
    same = (name for name, kernel in zip(names, objects, strict=True) if _equal(kernel, chosen.kernel))
    best = next(same, None) or f"{type(chosen.kernel).__name__} {type(chosen.kernel.kernel).__name__}"
    paths[best] = chosen.alphas, chosen.scores
    return paths, (best, float(chosen.alpha), float(chosen.best_score))


def _equal(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))
