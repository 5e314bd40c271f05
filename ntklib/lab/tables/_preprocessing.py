"""From an encoded table to numbers of comparable size, as a scikit-learn transformer."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ._schema import Schema
from .summaries import TableSummary

_NOISE = 8 * np.finfo(np.float64).eps
"""Columns that spread by less, beside their mean, are constant but for rounding: they are not scaled up."""


def make_preprocessor(schema: Schema) -> ColumnTransformer:
    """Return the transformer for arrays encoded by ``schema``.

    Numeric columns are standardised to mean 0 and variance 1 (after filling in medians if the schema says
    so), text columns one-hot encoded; a category first met in prediction is encoded as all zeros.

    Parameters
    ----------
    schema : Schema
        The columns and their kinds.

    Returns
    -------
    sklearn.compose.ColumnTransformer
        Not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Schema, make_preprocessor
    >>> X = np.array([[1.0, "a"], [3.0, "b"]], dtype=object)
    >>> make_preprocessor(Schema(("size", "kind"), ("numeric", "text"))).fit_transform(X)
    array([[-1.,  1.,  0.],
           [ 1.,  0.,  1.]])
    """
    kinds = np.array(schema.kinds)
    of_kind = {kind: np.flatnonzero(kinds == kind) for kind in ("numeric", "text")}
    scale = StandardScaler()
    if schema.impute is not None:
        scale = make_pipeline(SimpleImputer(strategy=schema.impute, keep_empty_features=True), scale)
    steps = [
        ("numeric", scale, of_kind["numeric"]),
        ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), of_kind["text"]),
    ]
    return ColumnTransformer([step for step in steps if len(step[2])], sparse_threshold=0.0)


def preprocessor_of(schema: Schema, summary: TableSummary) -> ColumnTransformer:
    """Return the preprocessor of :func:`make_preprocessor` that has learnt the categories of a table.

    It is fitted on a few made-up rows; :func:`learn_numbers` replaces what it learnt of their numbers.
    """
    text = schema.of_kind("text")
    row: list[float | str] = [0.0 if kind == "numeric" else "" for kind in schema.kinds]
    preprocessor = make_preprocessor(schema).fit(np.array([row], dtype=object if text else np.float64))
    if text:
        categories = [list(summary.texts[name].counts or ()) for name in text]
        longest = max(map(len, categories))
        filled = [own + own[:1] * (longest - len(own)) for own in categories]
        encoder = preprocessor.named_transformers_["text"].fit(np.array(filled, dtype=object).T)
        start = len(schema.of_kind("numeric"))
        width = sum(map(len, encoder.categories_))
        preprocessor.output_indices_["text"] = slice(start, start + width)
    return preprocessor


def learn_numbers(
    preprocessor: ColumnTransformer, schema: Schema, summary: TableSummary, medians: NDArray | None
) -> None:
    """Set means, variances and medians of a preprocessor to those of a table.

    ``medians`` fill the cells without a number; means and variances are those of the filled columns.
    """
    names = schema.of_kind("numeric")
    if not names:
        return
    moments = [copy(summary.moments[name]) for name in names]
    scaler = preprocessor.named_transformers_["numeric"]
    if medians is not None:
        imputer, scaler = scaler
        imputer.statistics_ = medians
        for name, own, median in zip(names, moments, medians, strict=True):
            own.add_copies(float(median), summary.numbers[name].bad.count)
    scaler.mean_ = np.array([own.mean for own in moments])
    scaler.var_ = np.array([own.variance for own in moments])
    spread = np.sqrt(scaler.var_)
    scaler.scale_ = np.where(spread > _NOISE * np.abs(scaler.mean_), spread, 1.0)
    scaler.n_samples_seen_ = type(scaler.n_samples_seen_)(summary.n_rows)
