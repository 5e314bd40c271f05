"""Dates written as text: the order of day and month, days since 1970, and the parts that a model reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ._numbers import is_missing

_REMEMBERED = 2**16
_EPOCH = date(1970, 1, 1).toordinal()

_CLOCK = r"""(?: ,?[T\ ]+ (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}(?:\.\d+)?) )?
    (?: \ ? (?P<half>[AaPp])[Mm] )? (?: \ ? (?: Z | UTC | GMT | [-+]\d{2}:?\d{2} ) )? )?"""
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4}) (?P<sign>[-/.]) (?P<month>\d{1,2}) (?: (?P=sign) (?P<day>\d{1,2})" + _CLOCK + " )?",
    re.VERBOSE,
)
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2}) (?P<sign>[-/.]) (?P<two>\d{1,2}) (?P=sign) (?P<year>\d{4}|\d{2})" + _CLOCK, re.VERBOSE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAME = r"""(?: jan(?:uary)? | feb(?:ruary)? | mar(?:ch)? | apr(?:il)? | may | june? | july?
    | aug(?:ust)? | sept?(?:ember)? | oct(?:ober)? | nov(?:ember)? | dec(?:ember)? )"""
"""Pattern of the English names of months, in lower case, to be compiled with ``re.VERBOSE``."""
_NAME = rf"(?P<name>{MONTH_NAME})\.?"
_WEEKDAY = r"(?: (?: mon | tues? | wed(?:nes)? | thu(?:rs?)? | fri | sat(?:ur)? | sun ) (?:day)? [.,]?\ + )?"
_DAY = r"(?P<day>\d{1,2}) (?: st | nd | rd | th )?"
_NAMED = tuple(
    re.compile(pattern, re.VERBOSE | re.IGNORECASE)
    for pattern in (
        rf"{_WEEKDAY} {_DAY} \.?[-/\ ]* {_NAME} [-/,\ ]* (?P<year>\d{{4}}|\d{{2}}) {_CLOCK}",
        rf"{_WEEKDAY} {_NAME} (?: [-/\ ]* {_DAY} [-/,\ ]+ | [-/,\ ]+ ) (?P<year>\d{{4}}) {_CLOCK}",
        rf"(?P<year>\d{{4}}) [-/\ ]+ {_NAME} (?: [-/\ ]+ {_DAY} {_CLOCK} )?",
    )
)

DATE_KINDS = {
    "date": (False, False),
    "date, day first": (True, False),
    "time": (False, True),
    "time, day first": (True, True),
}
"""Kinds of columns of dates: whether the day stands before the month, and whether there are times of day."""

DATE_PARTS = ("year", "month", "day of week", "elapsed days")
"""Numbers that a date becomes; a time has the hour as well."""


def parts_of(kind: str) -> tuple[str, ...]:
    """Return the names of the numbers that a cell of some kind of date becomes."""
    return (*DATE_PARTS, "hour") if DATE_KINDS[kind][1] else DATE_PARTS


def parse_dates(cells: NDArray, kind: str) -> NDArray:
    """Return days since 1970-01-01, with a fraction for times of day, and NaN where a cell is no date.

    Months may have English names. Time zones are left out: the clock counts. Years of two digits are those
    from 1969 to 2068.

    Examples
    --------
    >>> import numpy as np
    >>> texts = ["1970-01-02", "03/02/1970", "31.12.69", "January 1, 1970 06:00 PM", "soon"]
    >>> parse_dates(np.array(texts, dtype=object), "time, day first")
    array([ 1.  , 33.  , -1.  ,  0.75,   nan])
    """
    day_first = DATE_KINDS[kind][0]
    return np.array([_days(cell, day_first) for cell in cells.tolist()], dtype=float)


def expand_dates(days: NDArray, kind: str) -> NDArray:
    """Return the numbers that dates become, shape (n, 4), or (n, 5) with the hour; NaN for NaN.

    Examples
    --------
    >>> import numpy as np
    >>> expand_dates(np.array([0.75]), "time").tolist()  # a Thursday
    [[1970.0, 1.0, 3.0, 0.75, 18.0]]
    """
    there = ~np.isnan(days)
    whole = np.floor(days[there])
    months = whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    values = np.full((len(days), len(parts_of(kind))), np.nan)
    values[there, 0] = 1970 + months // 12
    values[there, 1] = 1 + months % 12
    values[there, 2] = (whole + 3) % 7  # 1970 began with a Thursday
    values[there, 3] = days[there]
    if values.shape[1] == 5:
        values[there, 4] = 24 * (days[there] - whole)
    return values


def date_kind(sample: Sequence[str], cells: Iterable[str], decimal: str) -> tuple[str, bool] | None:
    """Return the kind of dates that a column holds, and whether day and month may be the other way round.

    Parameters
    ----------
    sample : sequence of str
        Cells that are not missing, more than half of which have to be dates.
    cells : iterable of str
        Cells that tell the order of day and month. Where none does it is that of the sign: the day is first
        before a point, and with the decimal sign ",", else the month.
    decimal : {".", ","}
    """
    matches = [_match(cell) for cell in sample]
    if 2 * sum(match is not None for match in matches) <= len(matches) or not matches:
        return None
    times = any(match is not None and match["hour"] for match in matches)
    ordered = [match for cell in cells if (match := _match(cell)) is not None and match.re is _YEAR_LAST]
    day_first = any(int(match["one"]) > 12 for match in ordered)
    month_first = any(int(match["two"]) > 12 for match in ordered)
    if day_first and month_first:
        return None
    unsure = bool(ordered) and not (day_first or month_first)
    if unsure:
        day_first = ordered[0]["sign"] == "." or decimal == ","
    kind = ("time" if times else "date") + (", day first" if day_first else "")
    good = sum(not np.isnan(_days(cell, day_first)) for cell in sample)
    return (kind, unsure) if 2 * good > len(matches) else None


def iso_text(days: float) -> str:
    """Write days since 1970 as a date with its time of day."""
    return str(np.datetime64(round(days * 86400), "s")).replace("T", " ")


def _match(cell: str) -> re.Match[str] | None:
    cell = cell.strip()
    matches = (pattern.fullmatch(cell) for pattern in (_YEAR_FIRST, _YEAR_LAST, *_NAMED))
    return next((match for match in matches if match is not None), None)


@lru_cache(_REMEMBERED)
def _days(cell: str, day_first: bool) -> float:
    match = None if is_missing(cell) else _match(cell)
    if match is None:
        return np.nan
    year = int(match["year"])
    if match.re is _YEAR_FIRST:
        month, day = int(match["month"]), int(match["day"] or 1)
    elif match.re is _YEAR_LAST:
        month, day = (int(match[name]) for name in (("two", "one") if day_first else ("one", "two")))
    else:
        month, day = 1 + _MONTHS.index(match["name"][:3].lower()), int(match["day"] or 1)
    if len(match["year"]) == 2:
        year += 1900 if year > 68 else 2000
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return np.nan
    if not match["hour"]:
        return float(days)
    hour, minute, second = int(match["hour"]), int(match["minute"]), float(match["second"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return np.nan
        hour = hour % 12 + 12 * (match["half"] in "Pp")
    if hour > 23 or minute > 59 or second >= 61:
        return np.nan
    return days + (3600 * hour + 60 * minute + second) / 86400
