"""From an encoded table to numbers of comparable size, as a scikit-learn transformer."""

from __future__ import annotations

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ._schema import Schema


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
