"""Words of free text, hashed."""

import numpy as np
from sklearn.base import clone

from ntklib.lab.tables import WordHasher

TEXTS = np.array(
    [["red house, near station"], ["Near station: RED house"], ["a quiet garden"], ["  "]], dtype=object
)


def test_texts_of_the_same_words_are_the_same():
    X = WordHasher(256).fit_transform(TEXTS)
    np.testing.assert_array_equal(X[0], X[1])
    np.testing.assert_allclose((X**2).sum(axis=1), [1, 1, 1, 0])
    assert X[0] @ X[2] == 0


def test_products_are_shares_of_common_words():
    """Signs make products of hashed counts those of the counts on average, up to collisions."""
    words = [f"w{i}" for i in range(400)]
    one, other = " ".join(words[:300]), " ".join(words[100:])
    X = WordHasher(2**16).fit_transform(np.array([[one], [other]], dtype=object))
    assert abs(X[0] @ X[1] - 200 / 300) < 0.02


def test_columns_are_hashed_apart_and_rows_do_not_matter():
    hasher = WordHasher(8).fit(np.hstack([TEXTS, TEXTS[::-1]]))
    X = hasher.transform(np.hstack([TEXTS, TEXTS[::-1]]))
    assert X.shape == (4, 16)
    np.testing.assert_array_equal(X[:, 8:], X[::-1, :8])
    np.testing.assert_array_equal(clone(hasher).fit(TEXTS).transform(TEXTS[2:3]), X[2:3, :8])
