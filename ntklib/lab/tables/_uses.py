"""Use of each column: the inputs of a model that it became, and a few words for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from ._dates import DATE_KINDS, parts_of
from ._preprocessing import category_widths
from ._schema import Schema


@dataclass(frozen=True)
class ColumnUse:
    """Use of one column.

    Parameters
    ----------
    name : str
        The column.
    holds : str
        What it holds.
    treatment : str
        What was done to it.
    n_inputs : int
        Inputs of the model that it became.
    """

    name: str
    holds: str
    treatment: str
    n_inputs: int


def input_columns(schema: Schema, preprocessor: ColumnTransformer) -> dict[str, NDArray]:
    """Return the columns of the preprocessed array that each column of a table became.

    Parameters
    ----------
    schema : Schema
    preprocessor : ColumnTransformer
        Of :func:`make_preprocessor` for the schema, fitted.

    Returns
    -------
    dict of str to ndarray of int

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import Schema, input_columns, make_preprocessor
    >>> X = np.array([["a", 1.0], ["b", 3.0]], dtype=object)
    >>> schema = Schema(("kind", "size"), ("text", "numeric"))
    >>> inputs = input_columns(schema, make_preprocessor(schema).fit(X))
    >>> inputs["kind"].tolist(), inputs["size"].tolist()
    ([1, 2], [0])
    """
    parts, transformers = preprocessor.output_indices_, preprocessor.named_transformers_
    names = [name for name, kind in schema.inputs if kind == "numeric"]
    owners = {"numeric": names, "text": schema.of_kind("text"), "words": schema.of_kind("words")}
    inputs: dict[str, list[int]] = {name: [] for name in schema.columns}
    for part, own in owners.items():
        if not own:
            continue
        widths = [1] * len(own)
        if part == "text":
            widths = category_widths(transformers[part])
        elif part == "words":
            widths = [transformers[part].n_features] * len(own)
        place = count(parts[part].start)
        for name, width in zip(own, widths, strict=True):
            inputs[name] += islice(place, width)
    return {name: np.array(own) for name, own in inputs.items()}


def column_uses(
    schema: Schema, preprocessor: ColumnTransformer, columns: Sequence[str]
) -> tuple[ColumnUse, ...]:
    """Say of each column of a table but its target what was done to it, in the order of the table.

    ``columns`` are the columns of the table.
    """
    inputs = input_columns(schema, preprocessor)
    kinds = dict(zip(schema.columns, schema.kinds, strict=True))
    grouped = set()  # columns whose rarest categories share an input
    if names := schema.of_kind("text"):
        categories = preprocessor.named_transformers_["text"].categories_
        grouped = {n for n, own in zip(names, categories, strict=True) if len(own) > len(inputs[n])}
    uses = []
    for name in columns:
        if name in kinds:
            holds, treatment = _words(schema, kinds[name], name in grouped)
            uses.append(ColumnUse(name, holds, treatment, len(inputs[name])))
        elif name in schema.left_out:
            uses.append(ColumnUse(name, schema.left_out[name], "left out", 0))
    return tuple(uses)


def _words(schema: Schema, kind: str, grouped: bool) -> tuple[str, str]:
    """Contents of a column of some kind, and what is done to them."""
    if kind == "text":
        return "categories", "one input each, the rarest share one" if grouped else "one input each"
    if kind == "words":
        return "free text", "words, hashed"
    scaled = "standardised, squashed" if schema.squash else "standardised"
    filled = ", any gaps filled by the median" if schema.impute else ""
    if kind in DATE_KINDS:
        return "dates", f"{', '.join(parts_of(kind))}: {scaled}{filled}"
    return ("yes or no" if kind == "boolean" else "numbers"), f"{scaled}{filled}"
