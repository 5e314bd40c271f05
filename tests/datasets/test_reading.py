"""Reading tables: what is accepted is kept to the letter, all else is refused with a place."""

import numpy as np
import pandas as pd
import pytest

from ntklib.datasets import EMBEDDED, DataError, Schema, load_table, make_preprocessor, read_target


def csv(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_have_their_target_last_and_no_gaps(name):
    table = load_table(name)
    assert table.columns[-1] == table.target
    assert all(len(values) == table.n_rows for values in table.values)
    assert Schema.infer(table, target=table.target).kinds == ("numeric",) * (len(table.columns) - 1)


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
    assert table.rows.tolist() == [3, 4]  # the line on which the row ends


def test_a_tab_file_and_a_delimiter(tmp_path):
    assert load_table(csv(tmp_path, "a\tb\n1\t2\n", "d.tsv")).columns == ("a", "b")
    assert load_table(csv(tmp_path, "a;b\n1;2\n"), delimiter=";").columns == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "no data rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, the header has 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields"),
        ("a,b\n1,2\n\n3,4\n", "line 3 is blank"),
        ("a,b,a\n1,2,3\n", "'a' is used more than once"),
        (",b\n1,2\n", "column 1 has no name"),
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
        ({"X": X[:0]}, "no data rows"),
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
    assert Schema.infer(table).kinds == ("numeric", "text", "numeric")
    assert table.values[1].tolist() == ["01", "02", ""]  # declared as text: no numbers are made of it
    assert np.isnan(table.values[0][2])
    pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}).to_parquet(tmp_path / "dates.parquet")
    with pytest.raises(DataError, match="column 'when' has type datetime64"):
        load_table(tmp_path / "dates.parquet")
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
    with pytest.raises(DataError, match="'n' has no value in any row"):
        Schema.infer(table)
    with pytest.raises(DataError, match="no column is left"):
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
        (["a", "b", "", "a", "b"], {}, "line 4, column 'y': missing value"),
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
