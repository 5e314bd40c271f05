"""Use of each column: the inputs of a model that it became, and a few words for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

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
    parts = preprocessor.output_indices_
    widths = dict.fromkeys(schema.of_kind("numeric"), 1)
    if names := schema.of_kind("text"):
        categories = preprocessor.named_transformers_["text"].categories_
        widths |= {name: len(own) for name, own in zip(names, categories, strict=True)}
    inputs: dict[str, NDArray] = {}
    for kind in ("numeric", "text"):
        at = parts[kind].start if kind in parts else 0
        for name in schema.of_kind(kind):
            inputs[name] = np.arange(at, at + widths[name])
            at += widths[name]
    return {name: inputs[name] for name in schema.columns}


def column_uses(schema: Schema, preprocessor: ColumnTransformer) -> tuple[ColumnUse, ...]:
    """Say of each column of a table what was done to it, in the order of the table."""
    treatments = {"numeric": "standardised", "text": "one-hot"}
    holds = {"numeric": "numbers", "text": "text"}
    return tuple(
        ColumnUse(name, holds[kind], treatments[kind], len(inputs))
        for (name, inputs), kind in zip(
            input_columns(schema, preprocessor).items(), schema.kinds, strict=True
        )
    )
