"""Text columns that look like something else: numbers in another notation, times of day."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from ._dates import MONTH_NAME, parse_dates
from ._numbers import looks_numeric, parse_numbers
from .summaries import NumberSummary, TableSummary, TextSummary
from .table import shorten, show

_THOUSANDS = re.compile(
    r"""[-+]?[1-9]\d{0,2}(?:
        (?:,\d{3})+(?:\.\d*)?
      | (?:\.\d{3})+(?:,\d*)?
      | (?:[ '’\u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?
    )""",
    re.VERBOSE,
)
_MARKED = re.compile(r"(?=.*[−–%‰€$£¥])[-+−–]?\s*[€$£¥]?\s*[-+−–]?\d[\d.,]*\s*[%‰€$£¥]?")
_WITH_UNIT = re.compile(
    r"""[-+−]?\d[\d.,]* (?:
        \s+[^\W\d_]{1,8}[23²³]?
      | \s*(?: °[CFK]? | [kcmµμM]?(?:[glmVW]|Hz)[23²³]? | min | km/h | mph | [kMGT]B | ft | lbs? )
    )""",
    re.VERBOSE,
)
_DATE = re.compile(
    r"""(?: \d{4}([-/.])\d{1,2}\1\d{1,2} | \d{1,2}([-/.])\d{1,2}\2\d{2,4} )
        (?: [T\ ]+\d{1,2}:\d{2}\S* (?:\ [AaPp][Mm])? )?
      | \d{4}[-/]\d{1,2}
      | \d{1,2}:\d{2}(?::\d{2})?
      | \d{1,2}\.?\ (?:de\ )?[^\W\d_]{3,}\.?\ (?:de\ )?(?:1[5-9]|20)\d{2}
      | (?=.*\d) (?=.{4,40}\Z) (?:\d[\d:.]*[-/.,\ ]* | [a-z]{3,9}[.,]?[-/\ ]+){0,2} """
    + MONTH_NAME  # with numbers
    + r"""\b [-/.,\ ]* (?:\d[\d:.]*[-/.,\ ]* ){0,3}""",
    re.VERBOSE | re.IGNORECASE,
)
_YEARS = (19000101, 21001231)
_FEWEST_DAYS = 5

_MESSAGES = {
    "comma": "look like numbers with a decimal comma, as in {}; {}",
    "point": "look like numbers with a decimal point, as in {}; {}",
    "either": "look like numbers with a comma, as in {}; if it is a decimal comma, {}; if it stands between "
    "thousands, write the numbers without it",
    "thousands": "look like numbers with signs between the thousands, as in {}; write them without",
    "marked": "look like numbers with a unit or a typographer's minus, as in {}; write plain numbers",
    "date": "look like dates or times that are not read or not written alike, as in {}; 2020-01-31 12:30 "
    "would be read",
}
_WAYS_OUT = {
    ",": "--decimal , reads them as such",
    ".": "without --decimal , they are read as such",
}


def note_lookalikes(summary: TableSummary, names: Iterable[str], note: Callable[[str], None]) -> None:
    """Say which of these text columns look like something else: one line a kind, however many columns."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        if (kind := lookalike(summary.texts[name], summary.decimal)) is not None:
            kinds.setdefault(kind, []).append(name)
    for kind, columns in kinds.items():
        which = f"{'columns' if len(columns) > 1 else 'column'} {shorten(columns, 4)}"
        message = _message(summary, columns[0], kind)
        note(f"{summary.name}: read as text, but the cells of {which} {message}")


def note_numbered_dates(summary: TableSummary, names: Iterable[str], note: Callable[[str], None]) -> None:
    """Say which of these columns of numbers may be dates without signs between their parts: in one line."""
    if columns := [name for name in names if _numbers_days(summary.numbers[name])]:
        which = f"{'columns' if len(columns) > 1 else 'column'} {shorten(columns, 4)}"
        note(
            f"{summary.name}: read as numbers, but those of {which} look like dates, as in "
            f"{summary.numbers[columns[0]].sample[0]:.0f}; 2020-01-31 would be read as such"
        )


def _numbers_days(numbers: NumberSummary) -> bool:
    """Say if numbers are days, 20200131 for example."""
    if not numbers.whole or numbers.low < _YEARS[0] or numbers.high > _YEARS[1]:
        return False
    different = {f"{number:.0f}" for number in numbers.sample}
    days = np.array([f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" for digits in different], dtype=object)
    return len(different) >= _FEWEST_DAYS and not np.isnan(parse_dates(days, "date")).any()


def decimal_hint(summary: TableSummary, name: str) -> str:
    """Say what the other decimal sign would do to a column, or nothing where it would do nothing."""
    if name not in summary.texts:
        return ""
    kind = lookalike(summary.texts[name], summary.decimal)
    return f"; its cells {_message(summary, name, kind)}" if kind in {"comma", "point", "either"} else ""


def lookalike(text: TextSummary, decimal: str) -> str | None:
    """Return what a column of text looks like, by its first cells, or None."""
    sample = [cell.strip() for cell in text.present]
    if not sample:
        return None

    def most(pattern: re.Pattern[str]) -> bool:
        return 2 * sum(pattern.fullmatch(cell) is not None for cell in sample) > len(sample)

    other = "," if decimal == "." else "."
    if most(_DATE):
        return "date"
    signed = [cell for cell in sample if other in cell]
    first = np.array(text.first, dtype=object)
    if signed and looks_numeric(first, parse_numbers(first, other)):
        if all(_THOUSANDS.fullmatch(cell) for cell in signed) and other == ",":
            return "either"
        return "comma" if other == "," else "point"
    if most(_THOUSANDS):
        return "thousands"
    if most(_MARKED) or _have_a_unit(sample):
        return "marked"
    return None


def _have_a_unit(cells: list[str]) -> bool:
    """Say if more than half of some cells are numbers with the same unit."""
    units = Counter(cell.lstrip("-+−.,0123456789").strip() for cell in cells if _WITH_UNIT.fullmatch(cell))
    return 2 * max(units.values(), default=0) > len(cells)


def note_spellings(summary: TableSummary, names: Iterable[str], note: Callable[[str], None]) -> None:
    """Say in which columns categories differ in case or in blanks around them only: in one line."""
    pairs = {name: pair for name in names if (pair := _spelt_twice(summary.texts[name].counts or ()))}
    if pairs:
        columns = list(pairs)
        which = f"{'columns' if len(columns) > 1 else 'column'} {shorten(columns, 4)}"
        one, other = (show(text, 40) for text in pairs[columns[0]])
        note(
            f"{summary.name}: {which}: {one} and {other} are different categories; write them alike if they "
            "mean the same"
        )


def _spelt_twice(texts: Iterable[str]) -> tuple[str, str] | None:
    """The first two texts that differ in case or in blanks around them only, in the order of the alphabet."""
    seen: dict[str, str] = {}
    for text in sorted(texts):
        if (first := seen.setdefault(text.strip().casefold(), text)) != text:
            return first, text
    return None


def target_hint(summary: TableSummary, name: str) -> str:
    """Say what the texts of a target look like, or nothing."""
    kind = lookalike(summary.texts[name], summary.decimal)
    if kind == "date":
        return "; its cells look like dates: to predict a time, write it as a number, of days for instance"
    return "" if kind is None else f"; its cells {_message(summary, name, kind)}"


def _message(summary: TableSummary, name: str, kind: str) -> str:
    sign = {"comma": ",", "point": ".", "either": ","}.get(kind, "")
    cell = next(cell for cell in summary.texts[name].present if sign in cell)
    other = "," if summary.decimal == "." else "."
    way_out = "write them as numbers" if summary.typed else _WAYS_OUT[other]
    return _MESSAGES[kind].format(show(cell, 40), way_out)
