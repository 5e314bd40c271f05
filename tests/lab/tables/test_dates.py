"""Dates written as text: what is read, in which order, and the numbers that they become."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ntklib.lab.tables import DataError, Schema, Table
from ntklib.lab.tables._dates import date_kind, expand_dates, iso_text, parse_dates


def table(cells, **options):
    values = (np.array(cells, dtype=object), np.arange(float(len(cells))))
    return Table("t", ("d", "x"), values, np.arange(1, len(cells) + 1), typed=False, **options)


def test_every_day_of_four_centuries_agrees_with_pandas():
    days = np.arange(-70_000, 90_000, 7) + 0.25
    dates = pd.to_datetime(days, unit="D")
    values = expand_dates(days, "time")
    expected = np.stack([dates.year, dates.month, dates.dayofweek, days, dates.hour], axis=1)
    np.testing.assert_allclose(values, expected)
    np.testing.assert_array_equal(expand_dates(days, "date"), values[:, :4])
    cells = np.array([iso_text(day) for day in days[::50]], dtype=object)
    np.testing.assert_allclose(parse_dates(cells, "time"), days[::50])


SPELLINGS = {
    "%Y-%m-%d": "date",
    "%Y/%m/%d": "date",
    "%Y-%m-%dT%H:%M:%SZ": "time",
    "%Y-%m-%d %H:%M:%S.%f+02:00": "time",
    "%d.%m.%Y": "date, day first",
    "%d.%m.%y": "date, day first",
    "%d/%m/%Y %H:%M": "time, day first",
    "%m/%d/%Y": "date",
    "%m/%d/%Y %I:%M %p": "time",
    "%d-%m-%Y": "date, day first",
    "%d %b %Y": "date",
    "%d-%b-%y": "date",
    "%d%b%Y": "date",
    "%B %d, %Y": "date",
    "%b. %d %Y, %I:%M:%S %p": "time",
    "%a, %d %b %Y %H:%M:%S GMT": "time",
    "%A %d %B %Y": "date",
    "%Y-%b-%d": "date",
    "%Y %B %d %H:%M": "time",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(spelling):
    days = [datetime(1999, 1, 28) + timedelta(days=37 * i, minutes=61 * i) for i in range(40)]
    cells = [day.strftime(spelling) for day in days]
    kind, unsure = date_kind(cells, cells, ".")
    assert (kind, unsure) == (SPELLINGS[spelling], False)
    clock = [(day - datetime(1970, 1, 1)) / timedelta(days=1) for day in days]
    expected = clock if kind.startswith("time") else np.floor(clock)
    np.testing.assert_allclose(parse_dates(np.array(cells, dtype=object), kind), expected, atol=1 / 86400)


def test_months_alone_are_their_first_days_and_names_have_any_case():
    cells = [
        "Jan 2021",
        "JANUARY, 2021",
        "2021 january",
        "1st jan 2021",
        "Sunday, Sept 5th, 2021",
        "5. May 69",
    ]
    expected = ["2021-01-01"] * 4 + ["2021-09-05", "1969-05-05"]
    np.testing.assert_array_equal(
        parse_dates(np.array(cells, dtype=object), "date"),
        np.array(expected, dtype="datetime64[D]").astype(float),
    )


@pytest.mark.parametrize("spelling", ["%d %b %Y", "%B %d, %Y"])
def test_named_months_say_as_much_as_numbers(spelling):
    """They were hashed as words, three of them a cell."""
    days = [datetime(2001, 1, 3) + timedelta(days=11 * i) for i in range(200)]
    named, plain = (table([day.strftime(how) for day in days]) for how in (spelling, "%Y-%m-%d"))
    schemas = [Schema.infer(one) for one in (named, plain)]
    assert schemas[0].kinds == schemas[1].kinds == ("date", "numeric")
    np.testing.assert_array_equal(
        *(schema.encode(one) for schema, one in zip(schemas, (named, plain), strict=True))
    )


@pytest.mark.parametrize(
    "cell", ["", "31 Feb 2021", "5 mars 2021", "Jan 21", "Marchen 3, 2021", "May", "5 Jan", "Mond 5 Jan 2021",
             "NA", "2020-02-30", "2020-13-01", "1.2", "12:30", "31/31/2020", "2020-1-1 25:00", "20200101",
             "2020-01-01 13:00 PM", "2020-01/01", "0000-01-01"],
)  # fmt: skip
def test_cells_that_are_no_dates(cell):
    assert np.isnan(parse_dates(np.array([cell], dtype=object), "time")).all()


def test_the_order_follows_the_sign_where_no_cell_tells():
    first = "date, day first"
    for sign, decimal, kind in (("/", ".", "date"), (".", ".", first), ("/", ",", first)):
        cells = [f"0{i}{sign}0{i + 1}{sign}2020" for i in range(1, 8)]
        assert date_kind(cells, cells, decimal) == (kind, True)
    heard = []
    Schema.infer(table([f"0{i}/0{i + 1}/2020" for i in range(1, 8)]), note=heard.append)
    assert heard[-1].startswith("t: dates such as '01/02/2020' in column 'd' are read with the month first")


def test_orders_that_contradict_are_no_dates():
    assert date_kind(["13/1/2020", "1/13/2020"], ["13/1/2020", "1/13/2020"], ".") is None
    assert date_kind(["2020-02-30"] * 5, [], ".") is None


def test_cells_without_a_date_are_filled_or_refused():
    cells = ["2020-01-01", "2020-01-03", "", "soon", "2020-01-05"]
    with pytest.raises(DataError, match=r"t: row 3, column 'd': missing value \(and 1 more in this column\)"):
        Schema.infer(table(cells)).encode(table(cells))
    schema, heard = Schema.infer(table(cells), impute="median"), []
    X = schema.encode(table(cells), heard.append)
    assert np.isnan(X[2:4, :4]).all()
    assert len(heard) == 1
    schema.encode(table([*cells[:2], "31.1.2020", *cells[:2]]), heard.append)
    assert "row 3, column 'd': '31.1.2020' is no date: filled" in heard[1]


def test_numbers_are_no_dates():
    """A column of dates in training that holds numbers later would be read as days otherwise."""
    schema = Schema(("d",), ("date",))
    numbers = Table("t", ("d",), (np.array([18262.0]),), np.arange(1))
    with pytest.raises(DataError, match="'18262' is no date"):
        schema.encode(numbers)
