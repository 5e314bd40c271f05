"""Roles of columns: identifiers and constants are named and left out, the rest gets its kind."""

import numpy as np
import pytest

from ntklib.lab.tables import (
    DataError,
    Schema,
    Table,
    column_uses,
    input_columns,
    make_preprocessor,
)

N = 40
RNG = np.random.default_rng(0)
COLUMNS = {
    "id": np.arange(N) + 1000.0,
    "houseId": RNG.permutation(N) * 3.0,
    "valid": np.arange(N) * 1.0,  # numbers of rows under another name are used
    "bmi_id": RNG.normal(size=N),
    "code": [f"A-{i}" for i in range(N)],
    "one": ["x"] * N,
    "zero": np.zeros(N),
    "none": np.full(N, np.nan),
    "size": RNG.normal(size=N),
    "kind": RNG.choice(["oak", "elm"], N).tolist(),
    "flag": RNG.choice(["TRUE", "false"], N).tolist(),
    "day": [f"2021-03-{i % 28 + 1:02}" for i in range(N)],
    "note": [f"the {i}th of many words" for i in range(N)],
    "agent": [f"agent{i % 20}" for i in range(N)],
    "y": RNG.normal(size=N),
}
TABLE = Table(
    "t",
    tuple(COLUMNS),
    tuple(np.array(v, dtype=object) if isinstance(v, list) else v for v in COLUMNS.values()),
    np.arange(N),
)


def infer(**options):
    heard = []
    return Schema.infer(TABLE, target="y", note=heard.append, **options), heard


def test_what_is_left_out_is_named_with_its_reason():
    schema, heard = infer()
    assert {*schema.left_out} == {"id", "houseId", "code", "one", "zero", "none"}
    assert "t: left out columns 'id', 'houseId', 'code': identifiers" in heard[0]
    assert "t: left out columns 'one', 'zero': the same value in every row" in heard[1]
    assert "t: left out column 'none': no value in any row" in heard[2]


def test_kinds_of_what_is_used():
    schema, heard = infer(max_categories=10)
    assert dict(zip(schema.columns, schema.kinds, strict=True)) == {
        "valid": "numeric",
        "bmi_id": "numeric",
        "size": "numeric",
        "kind": "text",
        "flag": "boolean",
        "day": "date",
        "note": "words",
        "agent": "text",
    }
    assert heard[3:] == [
        "t: column 'agent' with more than 10 different texts: the 9 most frequent have an input each, all "
        "others share one (--max-categories)",
        "t: free text in column 'note': its words are hashed into a few inputs",
        "t: dates in column 'day': read as year, month, day of week, elapsed days",
    ]
    assert infer(categorical=["day", "note", "flag"])[0].of_kind("text") == (
        "kind", "flag", "day", "note", "agent",
    )  # fmt: skip


def test_drop_and_keep():
    schema, heard = infer(drop=["size", "day"], keep=["id", "code", "zero"])
    assert {"id", "zero"} <= {*schema.of_kind("numeric")}
    assert "code" in schema.of_kind("text")
    assert schema.left_out["size"] == schema.left_out["day"] == "asked for"
    assert any("left out columns 'size', 'day': asked for" in line for line in heard)
    with pytest.raises(DataError, match=r"no column 'sise'.*did you mean 'size'"):
        infer(drop=["sise"])
    with pytest.raises(DataError, match="no column 'age'"):
        infer(keep=["age"])
    with pytest.raises(DataError, match="no column is left beside the target 'y'; 'id': asked for"):
        infer(drop=list(COLUMNS)[:-1])


def test_inputs_and_uses_of_columns():
    schema = infer(max_categories=10, impute="median")[0]
    X = schema.encode(TABLE)
    preprocessor = make_preprocessor(schema).fit(X)
    inputs = input_columns(schema, preprocessor)
    whole = preprocessor.transform(X)
    assert sorted(np.concatenate(list(inputs.values()))) == list(range(whole.shape[1]))
    assert {name: len(own) for name, own in inputs.items()} == {
        "valid": 1, "bmi_id": 1, "size": 1, "kind": 2, "flag": 1, "day": 4, "note": 64, "agent": 10,
    }  # fmt: skip
    shown = (TABLE.column("kind") == "oak").astype(float)
    np.testing.assert_array_equal(whole[:, inputs["kind"]], np.stack([1 - shown, shown], axis=1))
    flag = np.where(TABLE.column("flag") == "TRUE", 1.0, 0.0)
    np.testing.assert_allclose(whole[:, inputs["flag"][0]], (flag - flag.mean()) / flag.std())
    size = TABLE.column("size")
    np.testing.assert_allclose(whole[:, inputs["size"][0]], (size - size.mean()) / size.std())
    uses = {use.name: use for use in column_uses(schema, preprocessor, TABLE.columns)}
    assert list(uses) == [name for name in COLUMNS if name != "y"]
    assert (uses["one"].treatment, uses["one"].n_inputs) == ("left out", 0)
    assert uses["agent"].treatment == "one input each, the rarest share one"
    assert uses["kind"].treatment == "one input each"
    assert uses["day"].treatment.startswith("year, month, day of week, elapsed days: standardised")


def test_rare_and_new_categories_share_an_input():
    counts = {"a": 9, "b": 7, "c": 5, "d": 2, "e": 1}
    cells = np.array([text for text, count in counts.items() for _ in range(count)], dtype=object)
    data = Table("t", ("m",), (cells,), np.arange(len(cells)))
    schema = Schema.infer(data, max_categories=3)
    preprocessor = make_preprocessor(schema).fit(schema.encode(data))
    new = preprocessor.transform(np.array([["a"], ["b"], ["c"], ["e"], ["never"]], dtype=object))
    np.testing.assert_array_equal(new, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])


def test_truth_values_that_are_none_later():
    schema = Schema(("flag",), ("boolean",))
    later = Table("t", ("flag",), (np.array(["yes", "0", "maybe"], dtype=object),), np.arange(3))
    with pytest.raises(DataError, match="row 2, column 'flag': 'maybe' is no truth value"):
        schema.encode(later)
    assert schema.encode(later.take(np.arange(2))).ravel().tolist() == [1.0, 0.0]


def test_a_column_of_names_with_a_decimal_comma_is_no_identifier():
    cells = np.array([f"{i},5" for i in range(N)], dtype=object)
    data = Table("t", ("x", "y"), (cells, np.arange(N) * 0.5), np.arange(N), typed=False)
    heard = []
    assert Schema.infer(data, target="y", note=heard.append).kinds == ("text",)
    assert "decimal comma" in heard[0]


def test_numbers_of_one_value_and_gaps_are_constant():
    gaps = np.where(np.arange(N) % 10 == 0, 7.0, np.nan)
    columns = {"gaps": gaps, "size": COLUMNS["size"], "y": COLUMNS["y"]}
    data = Table("t", tuple(columns), tuple(columns.values()), np.arange(N))
    for impute in (None, "median"):
        heard = []
        schema = Schema.infer(data, target="y", note=heard.append, impute=impute)
        assert schema.columns == ("size",)
        assert heard == ["t: left out column 'gaps': the same value in every row that has one"]
    assert Schema.infer(data, target="y", keep=["gaps"]).columns == ("gaps", "size")


IDENTIFIERS = {
    "mail": "anna.k{i}@mail.example.com",
    "quoted mail": "Anna{i}.K@Example.com",
    "link": "https://www.example.com/list/item-{i}?from=list&sort=date",
    "uuid": "550e8400-e29b-41d4-a716-4466554400{i:02}",
    "phone": "+49 30 12 34 5{i:02}",
    "phone with brackets": "(555) 123-45{i:02}",
    "phone with points": "555.123.45{i:02}x{i}",
    "phone with an extension": "1 (555) 123 - 45{i:02} x7",
    "IBAN": "DE89 3704 0044 0532 0130 {i:02}",
    "card": "4111 1111 1111 11{i:02}",
    "car": "B AB 12{i:02}",
    "file": "/home/anna/photos/2020/IMG-{i}.jpg",
    "address of a machine": "10.{i}.0.1",
    "number of an order": "PO-2024-03-{i}",
}
PROSE = {
    "name": "Braund, Mr. Owen {i}th",
    "title": "The {i} Amigos (1986)",
    "sentence": "I slept {i} nights here, and would come again.",
    "street": "{i} Upper Main Street",
    "capitals": "{i} UPPER MAIN STREET",
    "sentence without blanks": "我住了{i}晚，很安静，会再来。",
    "list": "{i}, 12, 878",
    "many words, some alone": "{i} good-value-for-money rooms",
}


def text_column(pattern, note=lambda _: None, **options):
    cells = np.array([pattern.format(i=i) for i in range(N)], dtype=object)
    data = Table("t", ("x", "size", "y"), (cells, COLUMNS["size"], COLUMNS["y"]), np.arange(N), typed=False)
    return Schema.infer(data, target="y", note=note, **options)


@pytest.mark.parametrize("pattern", IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_addresses_and_numbers_of_things_are_identifiers(pattern):
    heard = []
    assert text_column(pattern, heard.append).columns == ("size",)
    assert heard == [
        "t: left out column 'x': identifiers, which say nothing of other rows; --keep uses such a column"
    ]
    assert text_column(pattern, keep=["x"]).kinds[0] in ("text", "words")
    assert text_column(pattern, categorical=["x"]).kinds == ("text", "numeric")


@pytest.mark.parametrize("pattern", PROSE.values(), ids=PROSE)
def test_names_titles_and_sentences_are_free_text(pattern):
    assert text_column(pattern).kinds == ("words", "numeric")


def test_addresses_that_come_again_tell_of_other_rows():
    cells = np.array([f"https://www.example.com/item-{i % 150}" for i in range(300)], dtype=object)
    data = Table("t", ("link",), (cells,), np.arange(300))
    assert Schema.infer(data).kinds == ("words",)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("row_number", True), ("Row.names", True), ("PHONE", True), ("home phone no.", True), ("isbn", True),
        ("telephone_number", True), ("grid", False), ("headphones", False), ("phone calls", False),
    ],
)  # fmt: skip
def test_numbers_are_identifiers_by_the_name_of_their_column(name, is_one):
    columns = {name: 5551230000.0 + np.arange(N), "size": COLUMNS["size"]}
    data = Table("t", tuple(columns), tuple(columns.values()), np.arange(N))
    assert (name in Schema.infer(data).left_out) is is_one
    columns[name] = columns[name] // 2  # each twice
    data = Table("t", tuple(columns), tuple(columns.values()), np.arange(N))
    assert Schema.infer(data).columns == (name, "size")


def test_whole_numbers_that_floats_cannot_tell_apart():
    size = np.array([f"{i}.5" for i in range(N)], dtype=object)

    def left_out(name, cells, **options):
        columns = {name: np.array(cells, dtype=object), "size": size}
        data = Table("t", tuple(columns), tuple(columns.values()), np.arange(N), typed=False)
        return Schema.infer(data, **options).left_out

    close = [str(10**18 + i % 50) for i in range(N)]
    same = {"k": "numbers that are the same in 64 bits; --categorical reads them as text"}
    assert left_out("k", close) == left_out("k", ["", *close[1:]]) == same
    assert left_out("k", close[:1] * N) == {"k": "the same value in every row"}
    assert left_out("k", [str(2**52)] * N) == {"k": "the same value in every row"}
    assert left_out("k", close, categorical=["k"], keep=["k"]) == {}
    wide = [str(10**18 + 50 * i) for i in range(N)]  # some of them are the same
    assert left_out("k", wide) == {}
    assert left_out("tweet_id", wide) == {"tweet_id": "identifiers, which say nothing of other rows"}
