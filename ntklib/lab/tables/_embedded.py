"""The data sets that come with scikit-learn, as tables: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn import datasets

from .table import Table


@dataclass(frozen=True)
class _Source:
    loader: Callable
    target: str
    description: str


_SOURCES = {
    "digits": _Source(
        datasets.load_digits,
        "digit",
        "1,797 handwritten digits as 8 x 8 images; each of the 64 columns is the grey value of one pixel.",
    ),
    "diabetes": _Source(
        datasets.load_diabetes,
        "progression",
        "442 patients; from ten measurements, a measure of how far diabetes progressed in one year.",
    ),
    "breast_cancer": _Source(
        datasets.load_breast_cancer,
        "diagnosis",
        "569 tumours, malignant or benign, described by 30 measurements of their cell nuclei.",
    ),
    "wine": _Source(
        datasets.load_wine,
        "cultivar",
        "178 wines of three cultivars from one region of Italy, described by 13 chemical measurements.",
    ),
}

EMBEDDED: tuple[str, ...] = tuple(_SOURCES)
"""Names of the embedded data sets; the first is the default."""


def load_embedded(name: str) -> Table:
    """Return one of the data sets that come with scikit-learn.

    Parameters
    ----------
    name : {"digits", "diabetes", "breast_cancer", "wine"}
        Which one.

    Returns
    -------
    Table
        With its ``target`` column last.

    Raises
    ------
    KeyError
        For any other name.

    Examples
    --------
    >>> from ntklib.lab.tables import load_embedded
    >>> load_embedded("diabetes").columns[-1]
    'progression'
    """
    source = _SOURCES[name]
    bunch = source.loader()
    y = bunch.target.astype(np.float64)
    if name in {"breast_cancer", "wine"}:
        y = np.array([str(bunch.target_names[label]) for label in bunch.target], dtype=object)
    columns = (*map(str, bunch.feature_names), source.target)
    values = (*np.asarray(bunch.data, dtype=np.float64).T, y)
    rows = np.arange(1, len(y) + 1)
    return Table(name, columns, values, rows, target=source.target, description=source.description)
