"""Summaries of rows: exact, and the same however the rows are cut."""

from fractions import Fraction

import numpy as np
import pytest

from ntklib.lab.tables import ExactMoments, MedianSearch, Table, TableSummary, summarise

rng = np.random.default_rng(0)
COLUMNS = {
    "normal": rng.normal(size=300) * 10.0 ** rng.integers(-5, 5, 300),
    "whole": rng.integers(-9, 9, 301).astype(float),
    "wide": rng.normal(size=300) * 10.0 ** rng.integers(-300, 150, 300),
    "offset": 1e15 + rng.integers(0, 3, 300) / 8,
    "cancelling": np.array([1e150, 3.0, -1e150, 5e-324]),
    "tiny": np.array([5e-324, 1e-323, -5e-324]),
    "constant": np.full(7, 0.1),
    "zeros": np.array([0.0, -0.0]),
    "one": np.array([1e-150]),
}


def moments_of(*parts):
    total = ExactMoments()
    for part in parts:
        one = ExactMoments()
        one.add(part)
        total.merge(one)
    return total


@pytest.mark.parametrize("name", COLUMNS)
def test_moments_are_fractions_rounded_once(name):
    numbers = COLUMNS[name]
    exact = [Fraction(x) for x in numbers.tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((x - mean) ** 2 for x in exact) / len(exact)
    moments = moments_of(numbers)
    assert (moments.count, moments.mean, moments.variance) == (len(exact), float(mean), float(variance))


@pytest.mark.parametrize("name", COLUMNS)
def test_moments_do_not_depend_on_cuts_or_order(name):
    numbers, whole = COLUMNS[name], vars(moments_of(COLUMNS[name]))
    assert vars(moments_of(*np.array_split(numbers, 5))) == whole
    assert vars(moments_of(*numbers[::-1, None])) == whole
    assert vars(moments_of(numbers[:0], numbers)) == whole


def test_moments_of_copies():
    moments, repeated = moments_of(COLUMNS["wide"]), moments_of(COLUMNS["wide"], np.full(11, -0.3))
    moments.add_copies(-0.3, 11)
    assert vars(moments) == vars(repeated)
    moments.add_copies(7.0, 0)
    assert vars(moments) == vars(repeated)


def median_of(parts, n_columns, n_searches=1):
    main = MedianSearch(n_columns)
    while not main.done:
        others = [MedianSearch(n_columns) for _ in range(n_searches - 1)]
        for other in others:
            other.__dict__.update({k: v.copy() for k, v in vars(main).items() if isinstance(v, np.ndarray)})
            other._digit = main._digit
        for i, part in enumerate(parts):
            [main, *others][i % n_searches].add(part)
        for other in others:
            main.merge(other)
        main.end_pass()
    return main.medians


@pytest.mark.parametrize("n", [1, 2, 3, 10, 257, 1000])
def test_medians_are_those_of_numpy(n):
    X = np.stack(
        [
            rng.normal(size=n) * 10.0 ** rng.integers(-300, 150, n),
            rng.integers(-2, 3, n) * 1.0,
            rng.choice([0.0, -0.0, 1.0], n),
            np.full(n, -1.5),
            1e15 + rng.integers(0, 3, n) / 8,
        ],
        axis=1,
    )
    X[rng.random(X.shape) < 0.3] = np.nan
    X[0] = [5e-324, -1e150, -0.0, -1.5, 1e15]  # no column without a number
    expected = np.nanmedian(X, axis=0)
    for parts in ([X], np.array_split(X, 7)):
        for n_searches in (1, 3):
            np.testing.assert_array_equal(median_of(parts, 5, n_searches), expected)


def text_table(rows):
    rows = np.asarray(rows)
    cells = np.array([["1.5", "7", "x", ""], ["", "inf", "y", "u"], ["abc", "1e200", "x", ""]], dtype=object)
    values = tuple(cells[rows % 3].T)
    return Table("t", ("a", "b", "c", "d"), values, rows + 1, typed=False)


def state(summary):
    """All that a summary knows, as plain values."""
    parts = [summary.n_rows, summary.numbers, summary.texts]
    return repr(parts), {name: vars(own) for name, own in summary.moments.items()}


def test_a_summary_of_all_rows_is_the_merged_summary_of_parts():
    whole = summarise(text_table(np.arange(30)))
    assert whole.n_rows == 30
    assert whole.numbers["a"].bad.first == "t: row 2, column 'a': missing value"
    assert (whole.numbers["a"].bad.count, whole.numbers["a"].missing) == (20, 10)
    assert (whole.numbers["b"].infinite, whole.numbers["b"].large.count) == (10, 10)
    assert whole.numbers["b"].large.first == "t: row 3, column 'b': 1e+200"
    assert dict(whole.texts["c"].counts) == {"x": 20, "y": 10}
    for cuts in ([1], [29], [3, 4, 17], range(1, 30)):
        merged = TableSummary(text_table(np.arange(30)))
        for rows in np.split(np.arange(30), cuts):
            part = TableSummary(text_table(rows))
            part.add(text_table(rows))
            merged.merge(part)
        assert state(merged) == state(whole)


def test_texts_of_a_column_of_numbers_are_counted_once_it_is_text(monkeypatch):
    monkeypatch.setattr("ntklib.lab.tables.summaries.cells._DOUBTFUL", 5)
    cells = np.array([*map(str, range(40)), *"abc" * 20], dtype=object)
    table = Table("t", ("x",), (cells,), np.arange(100), typed=False)

    class Cut:  # in blocks of ten rows
        name, columns, typed, decimal, target = "t", ("x",), False, ".", None
        passes = 0

        def blocks(self):
            self.passes += 1
            return (table.take(rows) for rows in np.split(np.arange(100), 10))

    cut = Cut()
    counts = summarise(cut).texts["x"].counts
    assert cut.passes == 2
    assert counts == summarise(table).texts["x"].counts
    assert counts["a"] == 20
    assert counts["7"] == 1
