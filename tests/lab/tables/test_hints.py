"""Text columns that look like something else: said once a kind, in lines of bounded length."""

import numpy as np
import pytest

from ntklib.lab.tables import DataError, Schema, Table, load_table, read_target


def table(decimal=".", typed=False, **columns):
    values = tuple(np.array(cells, dtype=object) for cells in columns.values())
    rows = np.arange(1, len(values[0]) + 1)
    return Table("t", tuple(columns), values, rows, typed=typed, decimal=decimal)


def notes(data, **options):
    heard = []
    Schema.infer(data, note=heard.append, **options)
    return heard


FEW = ["u", "v"] * 4


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["0,5", "12", "-3,25", "1e3", "4,0", ",5", "+7,1", "8"], "decimal comma, as in '0,5'; --decimal ,"),
        (["0,125", "0,250", "0,500", "0,750"] * 2, "decimal comma, as in '0,125'"),
        (["1,000", "12,500", "3,250", "900"] * 2, "if it stands between thousands"),
        (["1,234.5", "1,000,000", "2,500"] * 3, "signs between the thousands, as in '1,234.5'"),
        (["1.234,5", "1.000.000", "2.500,0"] * 3, "signs between the thousands"),
        (["1 234", "12\u202f500", "3\u00a0250,5", "1'000"] * 2, "signs between the thousands"),
        (
            ["31.1.2020", "1/31/2020"] * 4,
            "dates or times that are not read or not written alike, as in '31.1.2020'",
        ),
        (["12:30", "07:45:10"] * 4, "dates or times"),
        (["3. Januar 2021", "14. März 2021"] * 4, "dates or times that are not read"),
        (["Tue Jan  5 10:00:00 2021", "5 Jan", "Jan-21"] * 3, "dates or times"),
        (["march of 3 soldiers", "12 mayors", "May", "dec1"] * 2, None),
        (
            ["\u22125", "\u22120.5", "\u22121e"] * 3,
            "a typographer's minus, as in '\u22125'; write plain numbers",
        ),
        (["5 %", "12.5%", "$3", "-€ 1,000", "7"] * 2, "numbers with a unit"),
        (
            ["12.5 °C", "-3 °C", "7°C", "0.5 °C"] * 2,
            "numbers with a unit or a typographer's minus, as in '12.5",
        ),
        (["120 m2", "80m2", "95 m2", "1,200 m2"] * 2, "numbers with a unit"),
        (["3 BHK", "2 BHK", "4 Bedroom", "1 BHK"] * 2, "numbers with a unit"),
        (["5kg", "7.5 kg", "12kg", "unknown"] * 2, "numbers with a unit"),
        (["5 kg", "7 lb", "1 m", "2 days"] * 2, None),
        (["12A", "7B", "3A", "4A"] * 2, None),
        (["10.0.0.1", "10.0.0.2"] * 4, None),
        (["5-6", "1\u20132", "%", "$x"] * 2, None),
        (FEW, None),
        (["a", "b", "", "c", "a", "b", "", "c"], None),
        (["1,5", *["text"] * 7], None),
        (["2020-01-31", *["text"] * 7], None),
        (["1-2", "3-4"] * 4, None),
    ],
)
def test_what_a_column_looks_like(cells, message):
    heard = notes(table(x=cells, f=FEW[: len(cells)] + ["u"] * (len(cells) - len(FEW))))
    if message is None:
        assert heard == []
    else:
        (line,) = heard
        assert line.startswith("t: read as text, but the cells of column 'x' ")
        assert message in line


@pytest.mark.parametrize("how", ["{0:02}:{1:02}:{2:02}", "{0}. Januar 2{1:03}", "13.1.2{3:03}; 1/13/2{3:03}"])
def test_free_text_too(how):
    """Many different cells of three words or more."""
    cells = [part for i in range(150) for part in how.format(i % 24, i % 60, i % 59, i).split("; ")]
    data = table(x=cells, f=FEW * (len(cells) // 8) + FEW[: len(cells) % 8])
    schema, heard = Schema.infer(data), notes(data)
    assert schema.kinds == ("words", "text")
    assert "the cells of column 'x' look like dates or times" in heard[0]


def test_numbers_that_are_days():
    days = [20210131.0, 20200229.0, 19991231.0, 20000101.0, 20240704.0, np.nan]
    said = (
        "t: read as numbers, but those of column 'd' look like dates, as in 20210131; "
        "2020-01-31 would be read as such"
    )
    others = {
        "no_day": [*days[:4], 20210231.0, np.nan],
        "half": [*days[:4], 20210131.5, np.nan],
        "few": [*days[:2], *days[:2], *days[:2]],
        "large": [*days[:4], 99990101.0, np.nan],
    }
    names = ("d", *others)
    data = Table("t", names, tuple(np.array(v) for v in (days, *others.values())), np.arange(6), typed=False)
    heard = []
    assert Schema.infer(data, note=heard.append).kinds == ("numeric",) * 5
    assert [line for line in heard if "dates" in line] == [said]


def test_decimal_points_under_the_decimal_comma():
    (line,) = notes(table(decimal=",", x=["0.5", "1.25", "3", "4.75"] * 2))
    assert "decimal point, as in '0.5'; without --decimal ," in line


def test_one_line_a_kind_of_bounded_length():
    commas = {f"{'x' * 500}{i}": ["0,5", "1,5"] * 4 for i in range(200)}
    dates = {f"d{i}": ["12:30", "07:45"] * 4 for i in range(3)}
    heard = notes(table(**commas, **dates, f=FEW))
    assert len(heard) == 2
    assert "(200 in all)" in heard[0]
    assert "columns 'd0', 'd1', 'd2' look like dates" in heard[1]
    assert all(len(line) < 700 for line in heard)


def test_columns_asked_for_as_text_are_not_talked_of():
    data = table(x=["0,5", "1,5"] * 4, f=FEW)
    assert notes(data, categorical=["x"]) == []


def test_types_that_a_file_declares_are_no_matter_of_options():
    (line,) = notes(table(typed=True, x=["0,5", "1,5"] * 4, f=FEW))
    assert "write them as numbers" in line
    assert "--decimal" not in line


def test_the_target_too():
    heard = []
    read_target(table(x=FEW * 2, y=["0,5", "1,5"] * 8), "y", note=heard.append)
    (line,) = heard
    assert "the target 'y' is read as text; its cells look like numbers with a decimal comma" in line
    for task in ("auto", "regression"):
        with pytest.raises(DataError, match="as in '0,25'; --decimal , reads them as such"):
            read_target(table(y=[f"{i},25" for i in range(16)]), "y", task=task)


def test_targets_that_are_no_numbers_come_with_a_way_out():
    for cells, message in (
        ([f"${i},250.00" for i in range(1, 17)], r"as in '\$1,250.00'; write plain numbers"),
        ([f"{i}.5 °C" for i in range(16)], "as in '0.5 °C'; write plain numbers"),
        ([f"2020-01-{i:02}" for i in range(10, 26)], "to predict a time, write it as a number, of days for"),
    ):
        with pytest.raises(DataError, match="16 classes in 16 rows: .*" + message):
            read_target(table(y=cells), "y")
        with pytest.raises(DataError, match="is text, which regression cannot predict.*" + message):
            read_target(table(y=cells), "y", task="regression")
        heard = []
        read_target(table(y=cells[:4] * 4), "y", note=heard.append)
        (line,) = heard
        assert line.startswith("t: the target 'y' is read as text; its cells look like ")


def test_categories_and_labels_that_differ_in_their_spelling_only():
    data = table(x=["Oak", "oak", "elm "] * 4, k=["a", "b"] * 6, z=["elm", "elm ", "ash"] * 4)
    assert notes(data) == [
        "t: columns 'x', 'z': 'Oak' and 'oak' are different categories; write them alike if they mean "
        "the same"
    ]
    heard = []
    target = read_target(table(y=["yes", "no", "yes "] * 4), "y", note=heard.append)
    assert len(set(target.values.tolist())) == 3
    assert heard == [
        "t: column 'y': 'yes' and 'yes ' are different categories; write them alike if they mean the same"
    ]
    read_target(data, "k", note=heard.append)
    assert len(heard) == 1


def test_numbers_with_the_other_sign_in_a_column_of_numbers(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x;f\n" + "0,5;u\n1,5;v\n" * 4)
    with pytest.raises(DataError, match=r"line 2, column 'x': '0,5' is not a finite .*--decimal , reads"):
        Schema(("x",), ("numeric",)).encode(load_table(path, delimiter=";"))
    X = Schema(("x",), ("numeric",)).encode(load_table(path, delimiter=";", decimal=","))
    assert X.ravel().tolist() == [0.5, 1.5] * 4


@pytest.mark.parametrize("cells", [np.array([1.5, np.nan, *range(10)]), [*"uv" * 5, "", "u"]], ids=["n", "t"])
def test_a_missing_target_comes_with_a_way_out(cells):
    with pytest.raises(DataError, match="missing value in the target; leave out rows whose target is not"):
        read_target(
            table(y=cells) if isinstance(cells, list) else Table("t", ("y",), (cells,), np.arange(12)), "y"
        )
