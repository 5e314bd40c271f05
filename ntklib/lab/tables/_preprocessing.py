"""From an encoded table to numbers of comparable size, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ._schema import Schema
from .squash import Squash
from .summaries import ExactMoments, TableSummary
from .words import WordHasher

_NOISE = 8 * np.finfo(np.float64).eps
"""Columns that spread by less, beside their mean, are constant but for rounding: they are not scaled up."""


def make_preprocessor(schema: Schema) -> ColumnTransformer:
    """Return the transformer for arrays encoded by ``schema``.

    Numbers are standardised to mean 0 and variance 1 (after filling in medians if the schema says so), and
    squashed if it says so; categories are one-hot encoded, words hashed. A category first met in prediction
    is encoded as all zeros, or as the rare ones, where these share a column.

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
    kinds = np.array([kind for _, kind in schema.inputs])
    scale = StandardScaler()
    steps = [scale]
    if schema.impute is not None:
        steps.insert(0, SimpleImputer(strategy=schema.impute, keep_empty_features=True))
    if schema.squash:
        steps.append(Squash())
    unknown = "ignore" if schema.max_categories is None else "infrequent_if_exist"
    one_hot = OneHotEncoder(handle_unknown=unknown, max_categories=schema.max_categories, sparse_output=False)
    parts = {
        "numeric": make_pipeline(*steps) if len(steps) > 1 else scale,
        "text": one_hot,
        "words": WordHasher(),
    }
    places = [(name, part, np.flatnonzero(kinds == name)) for name, part in parts.items()]
    return ColumnTransformer([place for place in places if len(place[2])], sparse_threshold=0.0)


def category_widths(encoder: OneHotEncoder) -> list[int]:
    """Return how many columns each column of text becomes."""
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    return [
        len(own) - (0 if few is None else len(few) - 1)
        for own, few in zip(encoder.categories_, rare, strict=True)
    ]


def preprocessor_of(schema: Schema, summary: TableSummary) -> ColumnTransformer:
    """Return the preprocessor of :func:`make_preprocessor` that has learnt the categories of a table.

    It is fitted on a few made-up rows; :func:`learn_numbers` replaces what it learnt of their numbers.
    """
    row: list[float | str] = [0.0 if kind == "numeric" else "" for _, kind in schema.inputs]
    dtype = np.float64 if all(kind == "numeric" for _, kind in schema.inputs) else object
    preprocessor = make_preprocessor(schema).fit(np.array([row], dtype=dtype))
    if text := schema.of_kind("text"):
        columns = [_made_up(summary, name, schema.max_categories) for name in text]
        longest = max(map(len, columns))
        filled = [own + own[-1:] * (longest - len(own)) for own in columns]
        encoder = preprocessor.named_transformers_["text"].fit(np.array(filled, dtype=object).T)
        parts, stop = preprocessor.output_indices_, 0
        widths = {name: part.stop - part.start for name, part in parts.items()}
        widths["text"] = sum(category_widths(encoder))
        for name in ("numeric", "text", "words"):
            if name in parts and (name == "text" or parts[name].stop > parts[name].start):
                parts[name] = slice(stop, stop + widths[name])
                stop += widths[name]
    return preprocessor


def _made_up(summary: TableSummary, name: str, most: int | None) -> list[str]:
    """Return cells with the categories of a column, of which an encoder finds the same ones to be rare.

    The frequent ones come twice, the last of them most often, and the others once. As for the encoder, equal
    counts are decided by the order of the texts.
    """
    counts: Mapping[str, int] = summary.texts[name].counts or {}
    categories = sorted(counts)
    if most is None or len(categories) <= most:
        return categories
    order = sorted(categories, key=lambda text: counts[text])
    return categories + order[len(order) - (most - 1) :]


def with_squash(preprocessor: ColumnTransformer) -> ColumnTransformer:
    """Return a fitted preprocessor that also squashes its numbers, as that of a squashing schema does."""
    result = copy(preprocessor)
    for name in ("transformers", "transformers_"):
        parts = []
        for key, part, columns in getattr(preprocessor, name):
            if key == "numeric":
                steps = _steps(part)
                squash = Squash()
                if name == "transformers_":
                    squash.fit(np.empty((0, len(columns))))
                part = make_pipeline(*steps, squash)
            parts.append((key, part, columns))
        setattr(result, name, parts)
    return result


def _steps(part: Any) -> list[Any]:
    """Return the transformers of the numbers, one after the other."""
    return [part] if isinstance(part, StandardScaler) else [step for _, step in part.steps]


def learn_numbers(
    preprocessor: ColumnTransformer,
    moments: Sequence[ExactMoments],
    medians: NDArray | None,
    n_rows: int,
) -> None:
    """Set means, variances and medians of a preprocessor to those of a table.

    ``medians`` fill the cells without a number; means and variances are those of the filled columns.
    """
    if not moments:
        return
    steps = _steps(preprocessor.named_transformers_["numeric"])
    scaler = next(step for step in steps if isinstance(step, StandardScaler))
    if medians is not None:
        steps[0].statistics_ = medians
        for own, median in zip(moments, medians, strict=True):
            own.add_copies(float(median), n_rows - own.count)
    scaler.mean_ = np.array([own.mean for own in moments])
    scaler.var_ = np.array([own.variance for own in moments])
    spread = np.sqrt(scaler.var_)
    scaler.scale_ = np.where(spread > _NOISE * np.abs(scaler.mean_), spread, 1.0)
    scaler.n_samples_seen_ = type(scaler.n_samples_seen_)(n_rows)
