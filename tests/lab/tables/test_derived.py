"""Numbers that dates and truth values become: the same sums however the rows are cut."""

import numpy as np

from ntklib.lab.tables import Schema, Table, summarise
from ntklib.lab.tables.derived import DerivedNumbers, numbers_of


def test_a_summary_of_all_rows_is_the_merged_summary_of_parts():
    days = [f"2021-0{i % 9 + 1}-1{i % 7}" if i % 6 else "" for i in range(40)]
    flags = ["maybe" if i == 17 else ("yes", "no")[i % 2] for i in range(40)]
    values = (np.array(days, dtype=object), np.arange(40.0) ** 2, np.array(flags, dtype=object))
    table = Table("t", ("day", "size", "flag"), values, np.arange(40))
    schema = Schema(("day", "size", "flag"), ("date", "numeric", "boolean"), "median")

    def summary(rows):
        result, part = DerivedNumbers(schema), table.take(rows)
        result.add(part, numbers_of(part, schema))
        return result

    whole = summary(np.arange(40))
    numbers = numbers_of(table, schema)
    moments = whole.moments(summarise(table))
    np.testing.assert_allclose([own.mean for own in moments], np.nanmean(numbers, axis=0), rtol=1e-14)
    np.testing.assert_allclose([own.variance for own in moments], np.nanvar(numbers, axis=0), rtol=1e-12)
    assert whole.unread["day"].count == 7
    assert whole.unread["day"].first == "t: row 0, column 'day': missing value"
    assert whole.unread["flag"].first == "t: row 17, column 'flag': 'maybe' is no truth value"
    for cuts in ([1], [13, 18], range(1, 40)):
        parts = [summary(rows) for rows in np.split(np.arange(40), cuts)]
        for later in parts[1:]:
            parts[0].merge(later)
        assert parts[0].unread == whole.unread
        ours, theirs = (one.moments(summarise(table)) for one in (parts[0], whole))
        assert [vars(own) for own in ours] == [vars(own) for own in theirs]
    assert not DerivedNumbers(Schema(("size",), ("numeric",))).needed
