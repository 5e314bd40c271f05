"""Tables of text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def text_table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    digits: int = 4,
    left: int = 0,
    limit: int | None = None,
) -> str:
    """Lines of a table with aligned columns: the first ``left`` to the left, the others to the right.

    Floats have so many significant digits, NaN is a dash. Of more than ``limit`` rows the middle is left out.

    Examples
    --------
    >>> print(text_table(["step", "loss"], [(0, 1 / 3), (1, float("nan")), (2, 0.5), (10, 0.0)], limit=3))
    step    loss
       0  0.3333
     ...     ...
      10       0
    """
    rows = list(rows)
    if limit is not None and len(rows) > limit:
        first = limit // 2
        rows[first : len(rows) - (limit - first - 1)] = [["..."] * len(head)]
    return "\n".join(_aligned([head, *([_cell(value, digits) for value in row] for row in rows)], left))


def text_list(items: Iterable[tuple[str, str]], *, indent: str = "  ") -> list[str]:
    """Lines of names, each with a text beside it.

    Examples
    --------
    >>> text_list([("loss", "0.5"), ("way", "2 long")])
    ['  loss  0.5', '  way   2 long']
    """
    return [indent + line for line in _aligned(list(items), 2)]


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float | np.floating):
        return "-" if np.isnan(value) else f"{value:.{digits}g}"
    return str(value)


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if j < left else text.rjust(width)
            for j, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
