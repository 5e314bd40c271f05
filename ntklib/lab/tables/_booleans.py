"""Truth values written as text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ._numbers import as_text, is_missing

_PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
_VALUES = {word: float(value) for pair in _PAIRS for value, word in enumerate(pair)} | {"0": 0.0, "1": 1.0}


def are_booleans(cells: Iterable[str]) -> bool:
    """Say whether cells, missing ones left out, are the two words of a pair such as yes and no.

    Examples
    --------
    >>> are_booleans(["Yes", "no", ""]), are_booleans(["yes", "true"]), are_booleans(["yes", "maybe"])
    (True, False, False)
    """
    words = {cell.strip().lower() for cell in cells if not is_missing(cell)}
    return any(words == set(pair) for pair in _PAIRS)


def parse_booleans(cells: NDArray) -> NDArray:
    """Return 1 for yes, true, y, t, on and 1, 0 for their opposites, and NaN for all else.

    Examples
    --------
    >>> import numpy as np
    >>> parse_booleans(np.array(["yes", "No", "", "perhaps"], dtype=object))
    array([ 1.,  0., nan, nan])
    """
    texts = as_text(cells).tolist()
    return np.array([_VALUES.get(text.strip().lower(), np.nan) for text in texts], dtype=float)
