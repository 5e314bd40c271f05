"""Tables read in blocks: the same bytes however they are cut, every check with its place, bounded memory."""

import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import config_context

from ntklib.lab.tables import (
    DataError,
    Schema,
    Table,
    TableStream,
    TargetColumn,
    encode_rows,
    load_table,
    make_preprocessor,
    open_tables,
    read_target,
    summarise,
)
from ntklib.lab.tables.blocks import equal_blocks, place_of
from ntklib.lab.tables.cluster import ClusterTable

rng = np.random.default_rng(0)


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut all tables into blocks of three rows."""
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", 3)


def csv_of(columns):
    return pd.DataFrame(columns).to_csv(index=False)


N = 41
NUMBERS = {"a": rng.normal(size=N), "b": 1e3 * rng.random(N), "y": rng.normal(size=N)}
TEXTS = {
    "numbers": (csv_of(NUMBERS), {}),
    "text": (csv_of({**NUMBERS, "t": rng.choice(["oak", "elm, old", 'a "b"', ""], N)}), {}),
    "only text": (csv_of({"t": rng.choice(["u", "v"], N), "y": rng.choice(["p", "longer"], N)}), {}),
    "gaps": (
        csv_of(
            {**NUMBERS, "g": np.where(np.arange(N) % 5 == 0, np.nan, rng.random(N)), "t": rng.choice([1], N)}
        ),
        {"impute": "median", "categorical": ("t",)},
    ),
    "whole target": (csv_of({"a": NUMBERS["a"], "y": np.arange(N) % 3}), {}),
    "decimal comma": ("a;y\n" + "".join(f"{i},5;{i % 7},25\n" for i in range(N)), {"decimal": ","}),
    "dates": (csv_of({**NUMBERS, "d": [f"2020-01-{i % 28 + 1:02}" for i in range(N)]}), {}),
    "times": (
        csv_of({**NUMBERS, "d": [f"{i % 12 + 1}/{i % 28 + 1}/2020 4:{i + 10} pm" for i in range(N)]}),
        {},
    ),
    "dates with gaps": (
        csv_of({**NUMBERS, "d": ["" if i % 5 == 0 else f"2020-0{i % 9 + 1}-1{i % 7}" for i in range(N)]}),
        {"impute": "median"},
    ),
    "booleans": (csv_of({**NUMBERS, "f": np.where(NUMBERS["a"] > 0, "Yes", "no")}), {}),
    "many": (csv_of({**NUMBERS, "m": [f"t{i % 7 * (i % 3)}" for i in range(N)]}), {"max_categories": 4}),
    "words": (csv_of({"w": [f"a word {i} of {i % 3}, {i % 5}" for i in range(N)], **NUMBERS}), {}),
    "newlines": ("t,a,y\n" + "".join(f'"x\n{i % 3}""\r\n",{i},{i % 4}.5\n' for i in range(N)), {}),
    "wide": (csv_of({f"c{j}": rng.normal(size=N) for j in range(200)} | {"y": np.arange(N) * 1.5}), {}),
    "blank end": (csv_of(NUMBERS) + "\n\n\n", {}),
    "constant": (csv_of({**NUMBERS, "c": np.full(N, 0.1), "n": 1 + 2**-52 * (np.arange(N) % 2)}), {}),
}


def encoded(source, *, categorical=(), **options):
    """A table in two passes, with all that was said of it."""
    heard = []
    summary = summarise(source, text=categorical)
    column = TargetColumn.of(source, summary, "y")
    schema = Schema.of(summary, target="y", categorical=categorical, note=heard.append, **options)
    schema.check(summary, heard.append)
    rows = encode_rows(source, schema, column, note=heard.append)
    return schema, rows, column.decide(rows.y, categorical="y" in categorical, note=heard.append), heard


@pytest.fixture(params=TEXTS)
def csv_file(request, tmp_path):
    text, options = TEXTS[request.param]
    path = tmp_path / "d.csv"
    path.write_bytes(text.encode())
    reading = {"decimal": ",", "delimiter": ";"} if "decimal" in options else {}
    return path, reading, {name: value for name, value in options.items() if name != "decimal"}


def test_two_passes_give_what_scikit_learn_learns_in_memory(csv_file):
    path, reading, options = csv_file
    schema, rows, target, heard = encoded(open_tables([path], **reading), **options)
    table = load_table(path, **reading)
    notes = []
    expected = read_target(table, "y", note=notes.append)
    assert (expected.task, expected.reason) == (target.task, target.reason)
    np.testing.assert_array_equal(target.values, expected.values)
    assert target.values.dtype == expected.values.dtype
    assert schema == Schema.infer(table, target="y", note=notes.append, **options)
    assert not set(notes) - set(heard)
    X = schema.encode(table, notes.append)
    theirs = make_preprocessor(schema).fit(X)
    np.testing.assert_allclose(rows.X, theirs.transform(X), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(rows.X, rows.preprocessor.transform(X))
    for name, fitted in theirs.named_transformers_.items():
        assert_same_parts(rows.preprocessor.named_transformers_[name], fitted)
    assert rows.preprocessor.output_indices_ == theirs.output_indices_
    assert vars(rows.preprocessor).keys() == vars(theirs).keys()


def assert_same_parts(ours, theirs):
    """All attributes of fitted transformers agree, numbers up to rounding."""
    if hasattr(theirs, "steps"):
        for one, other in zip(ours, theirs, strict=True):
            assert_same_parts(one, other)
        return
    assert vars(ours).keys() == vars(theirs).keys()
    for name, value in vars(theirs).items():
        own = vars(ours)[name]
        if name == "categories_":
            for one, other in zip(own, value, strict=True):
                np.testing.assert_array_equal(one, other)
                assert one.dtype == other.dtype
        elif isinstance(value, np.ndarray):
            np.testing.assert_allclose(own, value, rtol=1e-13, atol=1e-15)
            assert (own.shape, own.dtype) == (value.shape, value.dtype)
        else:
            assert (str(own), type(own)) == (str(value), type(value))


def test_cuts_change_no_byte(csv_file, monkeypatch):
    path, reading, options = csv_file
    stream = open_tables([path], **reading)
    schema, rows, target, heard = encoded(stream, **options)
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", 3)
    assert len(list(stream.blocks())) == -(-N // 3)
    with config_context(working_memory=0):  # and on the disk
        other_schema, other, other_target, other_heard = encoded(stream, **options)
    assert isinstance(other.X, np.memmap)
    assert (schema, heard) == (other_schema, other_heard)
    np.testing.assert_array_equal(other.X, rows.X)
    np.testing.assert_array_equal(other_target.values, target.values)
    assert other_target.values.dtype == target.values.dtype
    whole, cut = load_table(path, **reading), stream.table()
    assert whole.rows.tolist() == cut.rows.tolist()
    assert [v.tolist() for v in whole.values] == [v.tolist() for v in cut.values]


def frame():
    n = 20
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "k": np.arange(n),
            "flag": rng.random(n) < 0.5,
            "t": rng.choice(["oak", "elm"], n),
            "c": pd.Categorical(rng.choice([1, 2], n)),
            "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(n), "D"),
            "y": rng.normal(size=n),
        }
    ).assign(day=lambda frame: frame["day"].dt.date)


@pytest.mark.parametrize("row_group", [1, 7, 100])
def test_row_groups_change_nothing(tmp_path, small_blocks, row_group):
    data = frame()
    data.to_parquet(tmp_path / "d.parquet", row_group_size=row_group)
    table = load_table(tmp_path / "d.parquet")
    assert table.rows.tolist() == list(range(1, 21))
    for name in ("x", "k", "y"):
        np.testing.assert_array_equal(table.column(name), data[name].astype(float))
    for name in ("flag", "t", "c", "day"):
        assert table.column(name).tolist() == data[name].astype(str).tolist()
    schema, rows, _, _ = encoded(open_tables([tmp_path / "d.parquet"]))
    assert schema.kinds == ("numeric", "numeric", "boolean", "text", "text", "date")
    whole = encoded(Table("t", table.columns, table.values, table.rows))
    np.testing.assert_array_equal(rows.X, whole[1].X)


def test_row_groups_larger_than_memory(tmp_path):
    """Eight megabytes in one row group are read through buffers of a quarter of one."""
    table = pa.table({"x": rng.normal(size=2**20)})
    pq.write_table(table, tmp_path / "d.parquet", row_group_size=2**20, use_dictionary=False)
    del table
    before = pa.total_allocated_bytes()
    stream, rows = open_tables([tmp_path / "d.parquet"]), 0
    tracemalloc.start()
    for block in stream.blocks():
        rows += block.n_rows
        assert pa.total_allocated_bytes() - before < 4 * 2**20
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 2**20
    assert peak < 4 * 2**20


def write(path, **columns):
    with pq.ParquetWriter(path, pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns).slice(0, 0))  # a row group without rows
        writer.write_table(pa.table(columns))
    return path


def test_types_of_parquet(tmp_path):
    path = write(
        tmp_path / "d.parquet",
        half=pa.array([0.5, None], pa.float16()),
        large=pa.array([2**60 + 1, None]),
        flag=pa.array([True, None]),
        price=pa.array(["0.1", None]).cast(pa.decimal128(20, 10)),
        time=pa.array([3_600_000, None], pa.time32("ms")),
        nothing=pa.nulls(2),
        text=pa.array(["u", None], pa.large_string()),
    )
    table = load_table(path)
    numbers = {"half": 0.5, "large": 2.0**60, "price": 0.1, "nothing": np.nan}
    for name, number in numbers.items():
        np.testing.assert_array_equal(table.column(name), [number, np.nan])
    assert table.column("flag").tolist() == ["True", ""]
    assert table.column("time").tolist() == ["01:00:00", ""]
    assert table.column("text").tolist() == ["u", ""]
    assert "nothing" in Schema.infer(table).left_out
    stamp = pa.array([1_500_000_000_123_456_789, None], pa.timestamp("ns", "UTC"))
    stamps = load_table(write(tmp_path / "stamps.parquet", t=stamp)).column("t")
    assert stamps.tolist() == ["2017-07-14 02:40:00.123456789Z", ""]
    for kind in (pa.array([b"x"]), pa.array([[1]]), pa.array([{"a": 1}]), pa.array([1], pa.duration("s"))):
        with pytest.raises(DataError, match=r"column 'z' has type .*numbers or text are needed"):
            load_table(write(tmp_path / "bad.parquet", z=kind))


def test_the_same_frame_as_text_and_as_parquet(tmp_path):
    """Numbers, truth values, dates and categories of text are encoded alike, whatever the file."""
    data = frame().drop(columns="c")
    data["gaps"] = pd.array(np.where(np.arange(20) % 5, data["flag"], None), dtype="boolean")
    data.to_csv(tmp_path / "d.csv", index=False)
    data.to_parquet(tmp_path / "d.parquet")
    one, other = (
        encoded(open_tables([tmp_path / f"d.{kind}"]), impute="median") for kind in ("csv", "parquet")
    )
    assert one[0] == other[0]
    assert one[0].kinds == ("numeric", "numeric", "boolean", "text", "date", "boolean")
    np.testing.assert_array_equal(one[1].X, other[1].X)


def test_indices_of_pandas_are_columns(tmp_path):
    data = pd.DataFrame({"x": [1.0, 2.0]}, index=[4, 7])
    index = pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=[None, "key"])
    for own in (data, data.rename_axis("id"), data.set_index(index), data.rename(columns={"x": "index"})):
        own.to_parquet(tmp_path / "d.parquet")
        table = load_table(tmp_path / "d.parquet")
        expected = own.reset_index()
        if "index" in own:  # pandas calls a single one so
            expected = expected.rename(columns={"level_0": "level_0"})
        assert table.columns == tuple(expected.columns)
        assert table.column("key" if "key" in table.columns else table.columns[-1]).tolist() == (
            expected.iloc[:, 1].tolist()
        )


def test_files_with_the_same_columns_are_one_table(tmp_path, small_blocks):
    data = frame().drop(columns="day")
    for i, rows in enumerate((slice(0, 7), slice(7, 8), slice(8, 20))):
        part = data.iloc[rows].reset_index(drop=True)
        part = part[part.columns[::-1]] if i == 1 else part
        part.to_csv(tmp_path / f"{i}.csv", index=False)
        part.to_parquet(tmp_path / f"{i}.parquet")
    (tmp_path / "csv").mkdir()
    for i in range(3):
        (tmp_path / f"{i}.csv").rename(tmp_path / "csv" / f"{i}.csv")
    (tmp_path / "csv" / "_SUCCESS").touch()
    (tmp_path / "csv" / ".part.csv").touch()
    for kind, sources in (
        ("parquet", [tmp_path / "*.parquet"]),
        ("parquet", [tmp_path / f"{i}.parquet" for i in (2, 0, 1)]),
        ("csv", [tmp_path / "csv"]),
        ("csv", [tmp_path / "csv" / "[02].csv", tmp_path / "csv" / "1.csv"]),
    ):
        stream = open_tables(sources)
        assert stream.columns == tuple(data.columns)
        table = stream.table()
        numbers = table.column("x").astype(float)
        np.testing.assert_array_equal(numbers, data["x"])
        blocks = list(stream.blocks())
        assert [block.name.rsplit("/", 1)[1] for block in blocks] == [
            f"{i}.{kind}" for i in (0, 0, 0, 1, 2, 2, 2, 2)
        ]
        assert place_of(stream, 9) == f"{blocks[-1].name}: " + ("row 2" if kind == "parquet" else "line 3")


def test_files_that_are_no_table_together(tmp_path):
    one = write(tmp_path / "1.parquet", a=[1.0], b=["x"], n=pa.nulls(1))
    empty = write(tmp_path / "2.parquet", a=pa.nulls(1), b=["y"], n=["z"])
    assert open_tables([one, empty]).table().column("n").tolist() == ["", "z"]
    for columns, message in (
        ({"a": [1.0], "b": ["x"]}, r"3.parquet: no column 'n', which .*1.parquet has"),
        ({"a": [1.0], "b": ["x"], "n": ["z"], "w": [1]}, r"1.parquet: no column 'w', which .*3.parquet has"),
        ({"a": ["1"], "b": ["x"], "n": ["z"]}, r"3.parquet: column 'a' holds text, and numbers in .*1.parq"),
        ({"a": [1], "b": ["x"], "n": [2]}, r"3.parquet: column 'n' holds numbers, and text in .*2.parquet"),
    ):
        other = write(tmp_path / "3.parquet", **columns)
        with pytest.raises(DataError, match=message):
            open_tables([one, empty, other])
    (tmp_path / "c.csv").write_text("a,b\n1,2\n")
    (tmp_path / "e.csv").write_text("a\n1\n")
    np.savez(tmp_path / "d.npz", X=np.ones((2, 2)))
    (tmp_path / "empty").mkdir()
    for sources, message in (
        ([one, one], "1.parquet: is named twice"),
        ([tmp_path / "c.csv", one], "c.csv: is of another kind than .*1.parquet"),
        ([tmp_path / "c.csv", tmp_path / "d.npz"], "d.npz: only .csv, .tsv and .parquet"),
        ([tmp_path / "c.csv", tmp_path / "e.csv"], "e.csv: no column 'b', which .*c.csv has"),
        ([tmp_path / "x*.csv"], "no file matches"),
        ([tmp_path / "empty"], "a folder without .csv, .tsv or .parquet files"),
        (["wine", one], "wine: no such file"),
        ([tmp_path / "none.csv"], "none.csv: no such file"),
    ):
        with pytest.raises(DataError, match=message):
            open_tables(sources)
    assert open_tables(["wine"]).n_rows == 178
    assert open_tables([tmp_path / "d.npz"]).n_rows == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n" + "1,2\n" * 7 + "3\n", "line 9 has 1 fields, the header has 2"),
        ("a,y\n" + "1,2\n" * 7 + "\n\n3,4\n", "line 9 is blank"),
        ("a,y\n" + "1,2\n" * 7 + "\0,1\n", "line 9 holds a NUL"),
        ("a,y\n" + "1,2\n" * 7 + '"3,4\n', "line 9"),
        (b"a,y\n" + b"1,2\n" * 7 + b"\xe9,2\n", "line 9, byte 0xe9 at position 32 "),
    ],
)
def test_what_is_wrong_far_down_is_named(tmp_path, small_blocks, text, message):
    path = tmp_path / "d.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=message):
        summarise(open_tables([path]))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_places_behind_quoted_line_breaks(tmp_path, monkeypatch, size):
    """In memory, in blocks of any size and in parts, a cell is on the line on which its record begins."""
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", size)
    breaks, numbers = ["\n", "\n\r\n", "\r\r\n"], [*map(str, range(17)), "x", "18", "19"]
    records = [f'"red{breaks[i % 3]}door",{number},{i}.5\n' for i, number in enumerate(numbers)]
    for i, part in enumerate((records[:6], records[6:])):
        (tmp_path / f"{i}.csv").write_bytes(("note,n,y\n" + "".join(part)).encode())
    line = 2 + sum(2 + i % 3 - (i % 3 == 2) for i in range(6, 17))
    message = f"1.csv: line {line}, column 'n': 'x' is not a finite number"
    stream = open_tables([tmp_path])
    with pytest.raises(DataError, match=message):
        encoded(stream)
    with pytest.raises(DataError, match=message):
        encoded(load_table(tmp_path / "1.csv"))
    assert place_of(stream, 17) == f"{tmp_path / '1.csv'}: line {line}"
    summary = ClusterTable(stream).summarise()
    assert summary.numbers["n"].bad.first.endswith(message)


def test_cells_that_are_no_numbers_far_down(tmp_path, small_blocks):
    for i, cells in enumerate((["1", "2", "3", "4"], ["5", "x", "7", "", "y"])):
        lines = "".join(f"{cell},{j}.5\n" for j, cell in enumerate(cells))
        (tmp_path / f"{i}.csv").write_text(f"n,y\n{lines}")
    with pytest.raises(DataError, match=r"1.csv: line 3, column 'n': 'x' is not .*\(and 2 more in this"):
        encoded(open_tables([tmp_path]))
    _, rows, _, heard = encoded(open_tables([tmp_path]), impute="median")
    assert "1.csv: line 3, column 'n': 'x' is not a finite number (and 2 more" in heard[0]
    assert rows.preprocessor.named_transformers_["numeric"][0].statistics_.tolist() == [3.5]
    (tmp_path / "2.csv").write_text("n,y\n1,2\n2,\n")
    with pytest.raises(DataError, match=r"2.csv: line 3, column 'y': missing value in the target"):
        encoded(open_tables([tmp_path]), impute="median")
    (tmp_path / "2.csv").write_text("n,y\n1,a\n1e151,b\n" + "1,a\n1,b\n" * 9)
    with pytest.raises(DataError, match=r"2.csv: line 3, column 'n': 1e\+151 is too large"):
        encoded(open_tables([tmp_path / "2.csv"]))
    (tmp_path / "2.csv").write_text("n,y\n1,a\n2, \n" + "1,a\n1,b\n" * 9)
    with pytest.raises(DataError, match=r"2.csv: line 3, column 'y': missing value in the target"):
        encoded(open_tables([tmp_path / "2.csv"]))


def test_more_texts_than_a_model_can_keep(tmp_path, small_blocks, monkeypatch):
    monkeypatch.setattr("ntklib.lab.tables.summaries.cells.MOST_TEXTS", 10)
    path = tmp_path / "d.csv"
    path.write_text("t,y\n" + "".join(f"user{max(i, 1)},{i % 2}\n" for i in range(20)))
    with pytest.raises(DataError, match=r"column 't' holds more than .* different texts"):
        encoded(open_tables([path]))


@pytest.mark.parametrize("size", [1, 3, 20])
def test_identifiers_that_are_too_many_to_be_counted(tmp_path, small_blocks, monkeypatch, size):
    """The first thousand decide, however the rows are cut."""
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", size)
    monkeypatch.setattr("ntklib.lab.tables.summaries.cells.MOST_TEXTS", 10)
    path = tmp_path / "d.csv"
    text = "".join(f"https://a.de/{i}/b,a tale of {i} cities and more,{i % 3}.5,{i % 2}\n" for i in range(20))
    path.write_text("u,t,x,y\n" + text + text.splitlines()[-1] + "\n")
    monkeypatch.setattr("ntklib.lab.tables.summaries.cells._SAMPLE", 20)
    schema, _, _, heard = encoded(open_tables([path]))
    assert dict(zip(schema.columns, schema.kinds, strict=True)) == {"t": "words", "x": "numeric"}
    assert "left out column 'u': identifiers, which say nothing of other rows" in heard[0]
    monkeypatch.setattr("ntklib.lab.tables.summaries.cells._SAMPLE", 21)  # the last one is there twice
    assert encoded(open_tables([path]))[0].columns == ("u", "t", "x")


@pytest.mark.parametrize("later", ["a,y\n1,2\n", "a,y\n" + "1,2\n" * 30])
def test_a_file_that_changes_between_the_passes(tmp_path, later):
    path = tmp_path / "d.csv"
    path.write_text("a,y\n" + "1,2.5\n3,4\n" * 8)
    stream = open_tables([path])
    summary = summarise(stream)
    path.write_text(later)
    with pytest.raises(DataError, match="has changed while it was read"):
        encode_rows(stream, Schema.of(summary, target="y"), TargetColumn.of(stream, summary, "y"))


def test_no_more_than_two_blocks_are_held_at_a_time():
    blocks, most = [], 0

    def read():
        nonlocal most
        for i in range(50):
            cells = np.array([f"{i % 3}", "u"], dtype=object)
            values = (np.array([i, -i * 0.5]), cells, np.array([i % 7, 2.0]))
            block = Table("t", ("x", "t", "y"), values, np.array([2 * i + 1, 2 * i + 2]))
            blocks.append(weakref.ref(block))
            most = max(most, sum(ref() is not None for ref in blocks))
            yield block
            del block

    stream = TableStream("t", ("x", "t", "y"), read)
    schema, rows, _, _ = encoded(stream, impute="median")
    assert len(rows.X) == 100
    schema.check_rows(stream, {"t": {"u"}})
    sizes = [len(X) for X in equal_blocks(map(schema.encode_block, stream.blocks()), 7)]
    assert sizes == [7] * 14 + [2]
    assert most <= 2
