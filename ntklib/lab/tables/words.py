"""Free text as numbers: its words, hashed."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

_WORD = re.compile(r"\w+")


class WordHasher(TransformerMixin, BaseEstimator):
    """Count the words of columns of text in a fixed number of columns each.

    A word in lower case adds +1 or -1 to one of the columns, both chosen by its CRC-32. Rows of counts are
    scaled to length 1, so that long texts do not outweigh short ones; a text without words is 0. Nothing is
    learnt from the rows, least of all from their targets.

    Parameters
    ----------
    n_features : int, default=64
        Columns of numbers for each column of text.

    References
    ----------
    K. Weinberger, A. Dasgupta, J. Langford, A. Smola and J. Attenberg, "Feature hashing for large scale
    multitask learning", ICML 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from ntklib.lab.tables import WordHasher
    >>> texts = np.array([["a red door"], ["A door: red!"], [""]], dtype=object)
    >>> X = WordHasher(8).fit_transform(texts)
    >>> bool((X[0] == X[1]).all()), (X**2).sum(axis=1).round(12).tolist()
    (True, [1.0, 1.0, 0.0])
    """

    def __init__(self, n_features: int = 64) -> None:
        self.n_features = n_features

    def fit(self, X: Any, y: Any = None) -> WordHasher:
        """Count the columns of text."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> NDArray:
        """Return counts of the words of some rows, shape (n_rows, n_columns * n_features)."""
        counts = np.zeros((len(X), X.shape[1], self.n_features))
        for i, row in enumerate(X):
            for j, text in enumerate(row):
                for word in _WORD.findall(text.lower()):
                    code = crc32(word.encode())
                    counts[i, j, (code >> 1) % self.n_features] += 1 if code & 1 else -1
        lengths = np.sqrt((counts**2).sum(axis=2, keepdims=True))
        return (counts / np.where(lengths > 0, lengths, 1.0)).reshape(len(X), -1)


def words_per_text(texts: list[str]) -> float:
    """Return the mean number of words of some texts."""
    return sum(len(_WORD.findall(text)) for text in texts) / max(len(texts), 1)
