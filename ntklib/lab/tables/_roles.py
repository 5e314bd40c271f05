"""Roles of columns: what each one holds, and which say nothing that a model could use."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ._booleans import are_booleans
from ._dates import DATE_KINDS, date_kind, parts_of
from ._hints import lookalike, note_lookalikes, note_numbered_dates, note_spellings
from .cells import TEXT_KINDS
from .summaries import TableSummary
from .table import DataError, shorten, show
from .words import words_per_text

SMALLEST_SPREAD = 1e-145
"""Columns of less spread cannot be standardised: their variance would be lost."""

MAX_CATEGORIES = 100
"""Inputs that a column of text becomes by default, at most."""

_FREE_TEXT = 3.0  # words of a cell, on average, from which on different texts have words in common
_IDENTIFIER_NAME = re.compile(
    r"(.*[\W_])?(id|uuid|guid|identifier|row[ _.]?names?|row[ _.]?numbers?|unnamed: 0|index|isbn|barcode"
    r"|(tele)?phone([ _.]?(number|no\.?))?)|.*[a-z](Id|ID)",
)
_STOPS = re.compile("[、。，；：！？]")  # of scripts without blanks between words

_DROPPED = "asked for"
_EMPTY = "no value in any row"
_CONSTANT = "the same value in every row"
_ONE_VALUE = "the same value in every row that has one"
_ALIKE = "numbers that are the same in 64 bits; --categorical reads them as text"
_IDENTIFIER = "identifiers, which say nothing of other rows"


@dataclass
class Roles:
    """Kinds of the columns that are used, and reasons why others are left out, both by name."""

    kinds: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def find_roles(
    summary: TableSummary,
    target: str | None,
    *,
    categorical: Collection[str] = (),
    drop: Collection[str] = (),
    keep: Collection[str] = (),
    max_categories: int = MAX_CATEGORIES,
    note: Callable[[str], None],
) -> Roles:
    """Find out what each column but the target holds.

    Raises
    ------
    DataError
        If ``drop`` or ``keep`` names no column, nothing is left, or numbers spread too little.
    """
    for name in (*drop, *keep):
        summary.check_column(name)
    roles, unsure = Roles(), []
    for name in summary.columns:
        if name == target:
            continue
        if name in drop:
            roles.left_out[name] = _DROPPED
        elif (reason := _useless(summary, name)) and (reason == _EMPTY or name not in keep):
            roles.left_out[name] = reason
        else:
            kind, doubtful = _kind(summary, name, name in categorical, name in keep, max_categories)
            if kind == "identifier":
                roles.left_out[name] = _IDENTIFIER
                continue
            roles.kinds[name] = kind
            unsure += [name] * doubtful
    if not roles.kinds:
        gone = "".join(f"; {show(name)}: {reason}" for name, reason in list(roles.left_out.items())[:3])
        raise DataError(f"{summary.name}: no column is left beside the target {show(target)}{gone}")
    _tell(summary, roles, unsure, categorical, max_categories, note)
    return roles


def _useless(summary: TableSummary, name: str) -> str | None:
    """Say why a column tells nothing, or None."""
    numeric = summary.looks_numeric(name)
    if numeric is None:
        return _EMPTY
    if not numeric:
        counts = summary.texts[name].counts
        return _CONSTANT if counts is not None and len(counts) == 1 else None
    numbers, text = summary.numbers[name], summary.texts.get(name)
    if numbers.spread == 0 and numbers.bad.count == numbers.missing:  # gaps are filled by that value
        if text is not None and abs(numbers.low) >= 2**53 and len(set(text.present)) > 1:
            return _ALIKE
        return _ONE_VALUE if numbers.missing else _CONSTANT
    different = numbers.all_different or (text is not None and text.all_different)
    counts_rows = numbers.whole and not numbers.bad.count and different
    if counts_rows and _IDENTIFIER_NAME.fullmatch(name if name[-2:] in {"Id", "ID"} else name.lower()):
        return _IDENTIFIER
    return None


def _kind(
    summary: TableSummary, name: str, chosen: bool, kept: bool, max_categories: int
) -> tuple[str, bool]:
    """Kind of a column that says something, and whether day and month of its dates may be reversed."""
    if summary.looks_numeric(name):
        spread = summary.numbers[name].spread
        if 0 < spread < SMALLEST_SPREAD:
            raise DataError(
                f"{summary.name}: column {show(name)} spreads over {spread:.3g} only, too little to be "
                f"standardised ({SMALLEST_SPREAD:g} at least); multiply it by a power of ten"
            )
        return "numeric", False
    text = summary.texts[name]
    if chosen:
        return "text", False
    cells = list(text.counts) if text.counts is not None else text.present
    if dates := date_kind(text.present, cells, summary.decimal):
        return dates
    if text.counts is not None and are_booleans(text.counts):
        return "boolean", False
    different = text.all_different
    many = text.counts is None or len(text.counts) > max_categories or different
    words = many and words_per_text(text.present) >= _FREE_TEXT
    prose = words and 2 * sum(map(_is_code, text.present)) <= len(text.present)
    if different and not (prose or kept) and lookalike(text, summary.decimal) is None:
        return "identifier", False
    return "words" if words else "text", False


def _is_code(cell: str) -> bool:
    """Say if a cell is no prose: a single word as of a web address, or words with digits as of a phone."""
    words = cell.split()
    if len(words) < 2:
        return _STOPS.search(cell) is None
    return not {",", ";"} & {*cell} and all(
        any(map(str.isdigit, word)) or not any(map(str.isalpha, word)) or (len(word) < 3 and word.isupper())
        for word in words
    )


def _tell(
    summary: TableSummary,
    roles: Roles,
    unsure: list[str],
    categorical: Collection[str],
    max_categories: int,
    note: Callable[[str], None],
) -> None:
    """Say what is left out, and what else might surprise, in a line for each kind."""
    for reason in dict.fromkeys(roles.left_out.values()):
        names = [name for name, own in roles.left_out.items() if own == reason]
        way_out = "; --keep uses such a column" if reason == _IDENTIFIER else ""
        note(f"{summary.name}: left out {_columns(names)}: {reason}{way_out}")
    text = [name for name, kind in roles.kinds.items() if kind == "text"]
    read_as_text = [name for name, kind in roles.kinds.items() if kind in TEXT_KINDS]
    note_lookalikes(summary, [name for name in read_as_text if name not in categorical], note)
    note_numbered_dates(summary, [name for name, kind in roles.kinds.items() if kind == "numeric"], note)
    note_spellings(summary, text, note)
    if many := [name for name in text if len(summary.texts[name].counts or ()) > max_categories]:
        note(
            f"{summary.name}: {_columns(many)} with more than {max_categories} different texts: the "
            f"{max_categories - 1} most frequent have an input each, all others share one (--max-categories)"
        )
    if words := [name for name, kind in roles.kinds.items() if kind == "words"]:
        note(f"{summary.name}: free text in {_columns(words)}: its words are hashed into a few inputs")
    if dates := [name for name, kind in roles.kinds.items() if kind in DATE_KINDS]:
        parts = max((parts_of(roles.kinds[name]) for name in dates), key=len)
        note(f"{summary.name}: dates in {_columns(dates)}: read as {', '.join(parts)}")
    for name in unsure:
        first = "day" if roles.kinds[name].endswith("day first") else "month"
        note(
            f"{summary.name}: dates such as {show(summary.texts[name].present[0], 40)} in column "
            f"{show(name)} are read with the {first} first; write 2020-01-31 if that is wrong"
        )


def _columns(names: list[str]) -> str:
    return f"{'columns' if len(names) > 1 else 'column'} {shorten(names, 4)}"
