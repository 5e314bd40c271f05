"""Reading tables: what is accepted is kept to the letter, all else is refused with a place."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from ntklib.lab.tables import EMBEDDED, DataError, Schema, Table, load_table, make_preprocessor, read_target


def csv(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_have_their_target_last_and_no_gaps(name):
    table = load_table(name)
    assert table.columns[-1] == table.target
    assert all(len(values) == table.n_rows for values in table.values)
    schema = Schema.infer(table, target=table.target)
    assert set(schema.kinds) == {"numeric"}
    assert {*schema.columns, *schema.left_out, table.target} == {*table.columns}
    assert len(schema.left_out) == (3 if name == "digits" else 0)  # pixels that are 0 everywhere


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,x\n2,y\n",
        b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n",  # byte order mark and Windows line ends
        b"a,b\n1,x\n2,y",  # no newline at the end
        b'"a","b"\n"1","x"\n"2","y"\n\n\n',  # quotes, and blank lines after the data
    ],
)
def test_spellings_of_the_same_csv_read_the_same(tmp_path, text):
    table = load_table(csv(tmp_path, text))
    assert table.columns == ("a", "b")
    assert [values.tolist() for values in table.values] == [["1", "2"], ["x", "y"]]
    assert table.rows.tolist()[0] == 2


def test_quoted_fields_keep_commas_quotes_and_newlines(tmp_path):
    table = load_table(csv(tmp_path, 'a,b\n"1,5","say ""hi""\nthere"\n2,y\n'))
    assert table.values[0].tolist() == ["1,5", "2"]
    assert table.values[1][0] == 'say "hi"\nthere'
    assert table.rows.tolist() == [2, 4]  # the line on which the row begins


def test_a_tab_file_and_a_delimiter(tmp_path):
    assert load_table(csv(tmp_path, "a\tb\n1\t2\n", "d.tsv")).columns == ("a", "b")
    assert load_table(csv(tmp_path, "a;b\n1;2\n"), delimiter=";").columns == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty: it has no bytes"),
        ("\n\n", "only blank lines; a header"),
        ("\n\na,b\n1,2\n", "line 1 is blank, a header"),
        ("a,b\n", r"no data rows \(only a header\); write it again with its rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, the header has 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields"),
        ("a,b\n1,2\n\n3,4\n", "line 3 is blank"),
        ("a,b,a\n1,2,3\n", "'a' is used more than once"),
        (",b\n1,2\n", r"column 1 has no name \(an index that was saved along"),
        (
            "a,b,\n1,2,\n",
            r"column 3 has no name \(is the first line the header, without a delimiter too many",
        ),
        ("1,2\n3,4\n", "line 1 holds only numbers"),
        ("a;b\n1;2\n", "separated by ';'"),
        ('a,b\n"1,2\n', "line 2"),
        (b"a,b\n\xff\xfe,2\n", "not UTF-8"),
    ],
)
def test_malformed_csv_is_refused_with_its_place(tmp_path, text, message):
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        load_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_unknown_kinds(tmp_path):
    with pytest.raises(DataError, match="no such file, and no embedded data set"):
        load_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        load_table(tmp_path)
    with pytest.raises(DataError, match=r"unknown kind of file '\.txt'"):
        load_table(csv(tmp_path, "a\n1\n", "data.txt"))
    with pytest.raises(DataError, match="one character"):
        load_table(csv(tmp_path, "a\n1\n"), delimiter=";;")


def test_npz_round_trip_and_refusals(tmp_path):
    path = tmp_path / "data.npz"
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    np.savez(path, X=X, y=y, feature_names=np.array(["p", "q"]))
    table = load_table(path)
    assert table.columns == ("p", "q", "y")
    assert table.target == "y"
    np.testing.assert_array_equal(Schema.infer(table, target="y").encode(table), X)
    for arrays, message in [
        ({"Z": X}, "no array 'X'"),
        ({"X": X[0]}, "two dimensions"),
        ({"X": X, "y": y[:3]}, r"shape \(3,\)"),
        ({"X": X, "other": y}, "unknown array 'other'"),
        ({"X": X.astype(complex)}, "numbers or strings"),
        ({"X": X, "feature_names": np.array(["p"])}, "2 strings"),
        ({"X": X.astype(object)}, "plain arrays"),
        ({"X": X[:0]}, r"array 'X' has shape \(0, 2\): no rows"),
        ({"X": X[:, :0], "y": y}, r"array 'X' has shape \(6, 0\): no columns"),
        ({"X": X, "feature_names": np.array(["p", "p"])}, "more than once"),
    ]:
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            load_table(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="not a readable"):
        load_table(path)


def test_parquet_keeps_its_types(tmp_path):
    frame = pd.DataFrame({"size": [1, 2, None], "code": ["01", "02", None], "flag": [True, False, True]})
    frame.to_parquet(tmp_path / "data.parquet")
    table = load_table(tmp_path / "data.parquet")
    assert Schema.infer(table).kinds == ("numeric", "text", "boolean")
    assert table.values[1].tolist() == ["01", "02", ""]  # declared as text: no numbers are made of it
    assert np.isnan(table.values[0][2])
    pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}).to_parquet(tmp_path / "dates.parquet")
    assert load_table(tmp_path / "dates.parquet").values[0][0].startswith("2020-01-01 00:00:00")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a readable Parquet"):
        load_table(tmp_path / "bad.parquet")


def test_parquet_without_pandas_names_the_extra(tmp_path, monkeypatch):
    path = csv(tmp_path, "PAR1", "data.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'ntklib\[parquet\]'"):
        load_table(path)


def test_kinds_of_columns_and_stray_cells(tmp_path):
    table = load_table(csv(tmp_path, "n,t,z,y\n1,x,01,0\n2,,02,1\nabc,7,03,0\n4,u,04,1\n,v,05,0\n"))
    with pytest.raises(DataError, match=r"line 4, column 'n': 'abc' is not a finite number \(and 1 more"):
        Schema.infer(table, target="y").encode(table)
    notes = []
    schema = Schema.infer(table, target="y", categorical=["z"], impute="median")
    assert schema.kinds == ("numeric", "text", "text")
    X = schema.encode(table, notes.append)
    assert X[:, 1].tolist() == ["x", "", "7", "u", "v"]  # an empty cell is a category, as it stands
    assert X[:, 2].tolist() == ["01", "02", "03", "04", "05"]
    assert len(notes) == 1
    assert "line 4, column 'n'" in notes[0]
    # median of 1, 2, 4 is 2
    filled = make_preprocessor(schema).fit(X).named_transformers_["numeric"][0].statistics_
    assert filled.tolist() == [2.0]


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1e999", "1_000", "0x10", "NA", " ", "1.2.3"])
def test_cells_that_python_or_others_would_take_for_numbers(tmp_path, cell):
    table = load_table(csv(tmp_path, f"n,y\n1,0\n2,1\n{cell},0\n"))
    with pytest.raises(DataError, match="line 4, column 'n'"):
        Schema.infer(table, target="y").encode(table)


def test_empty_and_missing_columns(tmp_path):
    table = load_table(csv(tmp_path, "n,m\n,1\n,2\n"))
    with pytest.raises(DataError, match=r"no column is left beside .*'n': no value in any row"):
        Schema.infer(table, target="m")
    assert Schema.infer(table).left_out == {"n": "no value in any row"}
    with pytest.raises(DataError, match=r"no column is left"):
        Schema.infer(table.__class__("t", ("y",), (np.ones(3),), np.arange(3)), target="y")
    with pytest.raises(DataError, match=r"no column 'ages'.*did you mean 'age'"):
        Schema(("ages",), ("numeric",)).encode(load_table(csv(tmp_path, "age,b\n1,2\n")))


def column(tmp_path, cells):
    return load_table(csv(tmp_path, "x,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["no", "yes"] * 5, "classification"),
        ([0, 1] * 5, "classification"),
        (list(range(20)) * 5, "classification"),
        (list(range(21)) * 5, "regression"),  # one class too many
        (list(range(20)) * 4, "regression"),  # each too rare
        ([0.5, 1] * 5, "regression"),
    ],
)
def test_the_rule_for_the_task(tmp_path, cells, task):
    target = read_target(column(tmp_path, cells), "y")
    assert target.task == task
    assert "'y'" in target.reason


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ([1, 2, "", 4, 5, 6], {}, "line 4, column 'y': missing value in the target"),
        (["a", "b", "", "a", "b"], {}, "line 4, column 'y': missing value in the target; leave"),
        (
            ["a", "b", "", "a", " "],
            {},
            r"line 4, column 'y': missing value in the target \(and 1 more\); leave",
        ),
        ([1, 2, "x", 4, 5, 6], {}, "'x' is not a finite number in the target"),
        ([1, 1, 1, 1, 1], {}, "same value in every row"),
        (["a", "b"] * 5, {"task": "regression"}, "is text"),
        ([0.5, 1.5] * 5, {"task": "classification"}, "fractional"),
        (list("abcdefgh"), {}, "an identifier"),
        ([1, 2], {}, "too few"),
    ],
)
def test_targets_that_cannot_be_learnt(tmp_path, cells, options, message):
    with pytest.raises(DataError, match=message):
        read_target(column(tmp_path, cells), "y", **options)


def test_labels_read_as_text_keep_their_zeros(tmp_path):
    target = read_target(column(tmp_path, ["01", "1"] * 5), "y", categorical=True)
    assert sorted(set(target.values.tolist())) == ["01", "1"]


def test_labels_that_may_be_missing_are_noted(tmp_path):
    table, heard = column(tmp_path, ["a", "NA", "b", "?", "NA"] * 3), []
    target = read_target(table, "y", note=heard.append)
    assert sorted(set(target.values.tolist())) == ["?", "NA", "a", "b"]
    assert [line.split("data.csv: ")[1] for line in heard] == [
        f"the target 'y' is {label!r} in {count} rows, used as a class; leave these rows out if it "
        "stands for a missing value"
        for label, count in (("?", 3), ("NA", 6))
    ]
    for cells, options in ((["a", "NA"] * 3, {"categorical": True}), (["a", "none of these"] * 3, {})):
        assert (
            read_target(column(tmp_path, cells), "y", note=heard.append, **options).task == "classification"
        )
    assert len(heard) == 2


def test_the_same_table_with_either_decimal_sign(tmp_path):
    """The numbers of both files are those that Python reads after the signs are exchanged by hand."""
    cells = ["0.5", "-12.25", "3", " 4.125 ", ".5", "1e-3", "1.5E+2", "+7."]
    rows = "".join(f"{cell};{i % 2}.5\n" for i, cell in enumerate(cells))
    point = load_table(csv(tmp_path, f"x;y\n{rows}"), delimiter=";")
    comma = load_table(csv(tmp_path, f"x;y\n{rows}".replace(".", ",")), delimiter=";", decimal=",")
    for table in (point, comma, comma.take(np.arange(8))):
        assert Schema.infer(table, target="y").encode(table).ravel().tolist() == [float(c) for c in cells]
        assert read_target(table, "y").values.tolist() == [0.5, 1.5] * 4


@pytest.mark.parametrize("cell", ["1.5", "1.000,5", "1,000,5", "1_0,5", "0x1,8"])
def test_cells_that_are_no_numbers_with_a_decimal_comma(tmp_path, cell):
    table = load_table(csv(tmp_path, f"n;y\n1,5;0\n2;1\n{cell};0\n"), delimiter=";", decimal=",")
    with pytest.raises(DataError, match="line 4, column 'n'"):
        Schema.infer(table, target="y").encode(table)


TEXT = "größe,straße\n1,öl\n2,Œ\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), None),
        (TEXT.encode("utf-8-sig"), None),
        (TEXT.encode("utf-8-sig"), "utf8"),
        (TEXT.encode("utf-16"), None),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), None),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "UTF-16LE"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), None),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.encode("iso8859-15"), "iso8859-15"),
        (TEXT.encode("cp850", "replace"), "cp850"),
    ],
)
def test_encodings(tmp_path, data, encoding):
    table = load_table(csv(tmp_path, data), encoding=encoding)
    assert table.columns == ("größe", "straße")
    assert table.values[1][0] == "öl"


HEAD = '"a\nb",c\n"one\ntwo\r\nthree\rfour",1\n'
"""A header on lines 1 and 2, and a record on lines 3 to 6."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5\n", "line 7 has 1 fields, the header has 2"),
        ("5,6\r\n5\r\n", "line 8 has 1 fields"),
        ('5,"6\n\n7",8\n9,9\n', "the record on lines 7 to 9 has 3 fields, the header has 2"),
        ('"5\n6",7\n\n\n8,9\n', "line 9 is blank in the middle"),
        ('5,6\n"7\n8,9\n' + "1,2\n" * 9, "line 8: a quote that opens in the record on this line is never"),
        (
            '5,6\n"7\n8,9\n' + "1,2\n" * 50_000,
            r"line 8: field larger than field limit .* is a quote never closed in the record that begins on",
        ),
        (
            '5,"6\n\n"inner" 7"\n8,9\n',
            r"line 9: ',' expected after '\"', in the record that begins on line 7",
        ),
        ('5,"6"7\n', r"line 7: ',' expected after '\"'$"),
        ('5,"6\n\n\0"\n', "line 9 holds a NUL"),
    ],
)
def test_lines_are_counted_through_quoted_breaks(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        load_table(csv(tmp_path, HEAD + text))
    assert "\n" not in str(caught.value)


def test_records_are_named_by_the_line_on_which_they_begin(tmp_path):
    path = csv(tmp_path, HEAD + '5,"2\n"\n6,3\n"7\n\n8",x\n9,4\n\n\n')
    lines = path.read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    table = load_table(path)
    starts = [lines[line - 1].split(",")[0].strip('"') for line in table.rows]
    assert starts == ["one", "5", "6", "7", "9"]
    with pytest.raises(DataError, match="line 10, column 'c': 'x' is not a finite number"):
        Schema.infer(table, categorical=["a\nb"]).encode(table)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("shift", range(4))
def test_lines_with_any_end_are_counted_up_to_what_is_no_text(tmp_path, monkeypatch, end, shift):
    """Whatever the end of a line, and wherever the pieces that are decoded are cut."""
    monkeypatch.setattr("ntklib.lab.tables._csv._CHUNK", 5 + shift)
    path = csv(tmp_path, f"a,b{end}1,ö{end}{end}2,".encode() + b"\xe9" + f"{end}".encode())
    with pytest.raises(DataError, match="line 4, byte 0xe9"):
        load_table(path)


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            b"a,b\n1,x\n2,caf\xe9\n",
            None,
            r"not UTF-8 text: line 3, byte 0xe9 at position 13 .*--encoding latin-1",
        ),
        (b"\xef\xbb\xbfa,b\n1,\xff\n", None, r"line 2, byte 0xff at position 9 "),
        (
            b"a,b\n1,\x81\n",
            "cp1252",
            r"not CP1252 text: line 2, byte 0x81 at position 6 .*another --encoding",
        ),
        (b"\xff\xfea\x00,\x00b", None, "not UTF-16-LE text: line 1"),
        (TEXT.encode("utf-16-le"), None, "not UTF-8 text.*--encoding utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), None, "NUL character.*--encoding utf-16-le or utf-16-be"),
        (b"\xef\xbb\xbfa,b\n", "latin-1", "byte order mark says UTF-8, not latin-1"),
        (b"a,b\n1,2\n", "nonsense", "unknown encoding 'nonsense'"),
        (b"a,b\n1,2\n", "hex", "unknown encoding 'hex'"),
        (b"a,b\n1,2\n", "punycode", "not PUNYCODE text"),
        (b"a\0,b\n1,2\n", None, "line 1 holds a NUL"),
        (b"a,b\n1,x\0\n", None, "line 2 holds a NUL"),
    ],
)
def test_what_is_wrong_with_the_encoding(tmp_path, data, encoding, message):
    with pytest.raises(DataError, match=message) as caught:
        load_table(csv(tmp_path, data), encoding=encoding)
    assert "\n" not in str(caught.value)


def test_a_place_far_into_a_long_file(tmp_path):
    """Decoders work piece by piece; the position is that within the file."""
    data = b"a,b\n" + b"1,x\n" * 50_000 + b"2,\xe9\n"
    with pytest.raises(DataError, match=f"line 50002, byte 0xe9 at position {data.index(0xE9)} "):
        load_table(csv(tmp_path, data))


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "\0"])
def test_delimiters_that_mean_something_else(tmp_path, delimiter):
    with pytest.raises(DataError, match="delimiter cannot be"):
        load_table(csv(tmp_path, "a,b\n1,2\n"), delimiter=delimiter)


def test_a_file_of_one_line_larger_than_memory(tmp_path, monkeypatch):
    path = csv(tmp_path, "a,b\n1,2\n")
    with path.open("r+b") as file:
        file.truncate(2**31)  # zeros that take no room on the disk
    with pytest.raises(DataError, match="line 3 holds a NUL"):
        load_table(path)
    monkeypatch.setattr("ntklib.lab.tables._csv._LONGEST_LINE", 10)
    assert load_table(csv(tmp_path, "a,b\n1,234567\n")).n_rows == 1
    with pytest.raises(DataError, match="line 2 is longer than 10 characters"):
        load_table(csv(tmp_path, "a,b\n1,23456789\n"))


@pytest.mark.parametrize("name", ["a\0b.csv", "\ud800.csv"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(DataError, match="cannot be read"):
        load_table(name)


def test_decimal_signs_that_are_none(tmp_path):
    with pytest.raises(DataError, match="decimal sign has to be"):
        load_table(csv(tmp_path, "a,b\n1,2\n"), decimal="x")


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("number", ["1e308", "1.7e308", "1.1e150"])
def test_numbers_too_large_to_be_standardised(tmp_path, sign, number):
    table = load_table(csv(tmp_path, f"n,y\n1,0\n{sign}{number},1\n"))
    with pytest.raises(DataError, match=r"line 3, column 'n': .* too large to be standardised \(1e\+150"):
        Schema.infer(table, target="y").encode(table)


@pytest.mark.parametrize("power", [-320, -308, -200, -147, -144, -100, 0, 100, 148])
def test_standardised_columns_do_not_depend_on_their_unit(tmp_path, power):
    """Either the standard scores of 0 to 39, or a refusal: no column is lost or infinite."""
    table = load_table(csv(tmp_path, "n,y\n" + "".join(f"{i}e{power},{i % 2}\n" for i in range(40))))
    expected = (np.arange(40) - 19.5) / np.sqrt((40**2 - 1) / 12)
    if power < -145:
        with pytest.raises(DataError, match=r"column 'n' spreads over .* too little to be standardised"):
            Schema.infer(table, target="y")
    else:
        schema = Schema.infer(table, target="y")
        scores = make_preprocessor(schema).fit_transform(schema.encode(table)).ravel()
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)


def test_columns_of_infinite_numbers_are_no_categories(tmp_path):
    for cells in (["inf"] * 6, ["inf", "-inf", "1e999", "1", "2", "x"]):
        table = load_table(csv(tmp_path, "n,y\n" + "".join(f"{cell},0\n" for cell in cells)))
        with pytest.raises(DataError, match="line 2, column 'n': 'inf' is not a finite number"):
            Schema.infer(table, target="y").encode(table)


def test_labels_that_float64_cannot_tell_apart(tmp_path):
    with pytest.raises(DataError, match="same value in every row as 64-bit numbers; --categorical"):
        read_target(column(tmp_path, [10**17, 10**17 + 1] * 5), "y")
    with pytest.raises(DataError, match=r"beyond 2\*\*53"):
        read_target(column(tmp_path, [10**17, 10**18] * 5), "y", task="classification")


def test_long_names_and_cells_are_cut_in_messages(tmp_path):
    name, cell = "n" * 50_000, "z" * 50_000
    table = load_table(csv(tmp_path, f"{name},y\n1,0\n2,1\n{cell},0\n"))
    for trial in (lambda: Schema.infer(table).encode(table), lambda: table.column("x" * 50_000)):
        with pytest.raises(DataError) as caught:
            trial()
        assert len(str(caught.value)) < 600


class Counted(tuple):
    """Column names that count how often they are searched through."""

    searches = 0

    def index(self, *arguments):
        type(self).searches += 1
        return super().index(*arguments)

    def __contains__(self, item):
        type(self).searches += 1
        return super().__contains__(item)


def test_no_search_through_all_names_for_each_of_them():
    names = [f"c{i}" for i in range(300)]
    values = tuple(np.arange(3.0) for _ in names)
    table = Table("t", Counted(names), values, np.arange(3), target="c0")
    Counted.searches = 0
    schema = Schema.infer(table, target="c0", categorical=names[1::2])
    schema.encode(table)
    make_preprocessor(schema).fit(schema.encode(table))
    assert Counted.searches == 0


def test_text_of_arrays_that_no_file_could_hold(tmp_path):
    path = tmp_path / "data.npz"
    X = np.array([["a\0b", "c"]] * 5)
    for arrays, message in [
        ({"X": X}, "array 'X' holds a NUL"),
        ({"X": np.array([["\ud800", "c"]] * 5)}, "array 'X' holds text that is not valid Unicode"),
        ({"X": np.zeros((5, 2)), "feature_names": np.array(["a\0b", "c"])}, "'feature_names' holds a NUL"),
    ]:
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            load_table(path)


def test_damaged_arrays_of_every_kind(tmp_path):
    path, rng = tmp_path / "data.npz", np.random.default_rng(0)
    np.savez_compressed(path, X=rng.normal(size=(20, 3)), y=np.arange(20))
    whole = path.read_bytes()
    for trial in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data if trial % 3 else whole[: rng.integers(len(whole))])
        with contextlib.suppress(DataError):  # and nothing else
            load_table(path)
