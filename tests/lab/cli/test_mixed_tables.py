"""Tables as people have them, from the command line: a model treats new files as it did the first."""

import numpy as np
import pandas as pd
import pytest

from ntklib.lab.cli import main
from ntklib.lab.cli._model_file import load_model
from ntklib.lab.tables import open_tables

N = 80


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 700, N), "D")
    frame = pd.DataFrame(
        {
            "id": [f"H-{i}" for i in range(N)],
            "sold": days.strftime("%d.%m.%Y"),
            "area": rng.lognormal(4, 1, N),
            "garage": rng.choice(["yes", "no"], N),
            "agent": [f"agent{i}" for i in rng.integers(0, 30, N)],
            "note": [" ".join(rng.choice(["old", "garden", "view", "quiet", "red"], 5)) for _ in range(N)],
            "currency": "EUR",
        }
    )
    frame.loc[::11, ["area", "sold"]] = None
    garden = frame["note"].str.contains("garden")
    return frame.assign(price=np.log1p(frame["area"].fillna(60)) + garden + 0.1 * rng.normal(size=N))


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    data.to_csv(folder / "d.csv", index=False)
    options = ["--target", "price", "--impute", "median", "--max-categories", "8", "--kernels", "ntk"]
    assert main(["fit", str(folder / "d.csv"), *options, "--out", str(folder / "m.ntk")]) == 0
    return folder


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def test_the_model_keeps_what_was_done_to_columns(folder):
    schema = load_model(folder / "m.ntk").schema
    kinds = dict(zip(schema.columns, schema.kinds, strict=True))
    assert kinds == {
        "sold": "date, day first", "area": "numeric", "garage": "boolean", "agent": "text", "note": "words",
    }  # fmt: skip
    assert {*schema.left_out} == {"id", "currency"}
    assert (schema.max_categories, schema.impute) == (8, "median")


def test_rows_in_another_order_and_in_blocks_get_the_same_predictions(
    folder, data, tmp_path, capsys, monkeypatch
):
    code, out, err = run(capsys, "predict", folder / "m.ntk", folder / "d.csv")
    assert code == 0
    assert "d.csv: line 2, column 'sold': missing value (and 7 more in this column): filled" in err
    assert "not use" not in err
    first = np.array(out.split()[1:], dtype=float)
    turned = data.iloc[::-1][data.columns[::-1]].drop(columns=["id", "currency", "price"])
    turned.to_csv(tmp_path / "turned.csv", index=False)
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", 7)
    code, out, err = run(capsys, "predict", folder / "m.ntk", tmp_path / "turned.csv")
    assert code == 0
    assert "rows that have" not in err
    np.testing.assert_allclose(np.array(out.split()[1:], dtype=float), first[::-1], rtol=1e-9)
    options = ["--target", "price", "--impute", "median", "--max-categories", "8", "--kernels", "ntk"]
    assert run(capsys, "fit", folder / "d.csv", *options, "--out", tmp_path / "m.ntk")[0] == 0
    table = open_tables([folder / "d.csv"])
    one, other = (load_model(path / "m.ntk").predict(table)["prediction"] for path in (folder, tmp_path))
    np.testing.assert_array_equal(one, other)


def test_new_cells_are_named(folder, data, tmp_path, capsys):
    new = data.assign(sold="soon", agent="somebody")
    new.to_csv(tmp_path / "new.csv", index=False)
    code, _, err = run(capsys, "predict", folder / "m.ntk", tmp_path / "new.csv")
    assert code == 0
    assert "line 2, column 'sold': 'soon' is no date (and 79 more in this column): filled" in err
    assert "line 2, column 'agent': 'somebody' was not met in training (and 79 more" in err


def test_predictions_are_scored_where_the_target_is_there(folder, data, tmp_path, capsys):
    some = data.copy()
    some.loc[::2, "price"] = np.nan
    some.to_csv(tmp_path / "some.csv", index=False)
    _, out, err = run(capsys, "predict", folder / "m.ntk", tmp_path / "some.csv")
    predicted = np.array(out.split()[1:], dtype=float)[1::2]
    y = data["price"].to_numpy()[1::2]
    r2 = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert f"some.csv: R² {r2:.3f}, RMSE " in err
    assert "on the 40 rows that have their 'price'" in err


def test_info_describes_a_model(folder, capsys):
    code, out, _ = run(capsys, "info", folder / "m.ntk")
    assert code == 0
    lines = out.splitlines()
    assert lines[1] == "target:  price, regression ('price' has fractional values)"
    assert "kernel:  N" in out
    assert any(line.startswith("fit:     80 rows, ") for line in lines)
    assert "R² " in out
    assert any(line.split()[:2] == ["id", "identifiers,"] and "left out" in line for line in lines)
    assert any(line.startswith("sold ") and "day of week" in line for line in lines)
    assert run(capsys, "info", folder / "d.csv")[0] == 2


def test_a_table_is_named_by_an_argument_or_an_option(folder, tmp_path, capsys):
    data, model = folder / "d.csv", folder / "m.ntk"
    _, expected, _ = run(capsys, "predict", model, data)
    for words in (["--data", data, model], [model, "--data", data], [model, "--decimal", ".", data]):
        assert run(capsys, "predict", *words)[:2] == (0, expected)
    code, _, err = run(capsys, "predict", model, data, "--data", data)
    assert (code, "the table is named twice" in err) == (2, True)
    code, _, err = run(capsys, "predict", model)
    assert (code, "required: DATA" in err) == (2, True)
    study = ["study", "width", "--widths", "8", "16", "--draws", "2", "--max-samples", "9"]
    _, expected, _ = run(capsys, *study)  # on digits
    assert run(capsys, *study, "--data", "digits")[:2] == (0, expected)
    assert run(capsys, *study[:2], "digits", *study[2:])[:2] == (0, expected)
    assert run(capsys, "fit", "--data", "wine", "--kernels", "ntk", "--out", tmp_path / "w.ntk")[0] == 0
    code, _, err = run(capsys, "report", "wine", "--data", "wine", "--out", tmp_path / "r")
    assert (code, "the table is named twice" in err) == (2, True)


def test_a_model_of_the_first_format(tmp_path, capsys):
    """Files without what later ones keep are read as they were meant."""
    from .test_commands import change_member, with_header

    model = tmp_path / "m.ntk"
    assert run(capsys, "fit", "wine", "--kernels", "ntk", "--out", model)[0] == 0
    expected = run(capsys, "predict", model, "wine")[:2]
    assert load_model(model).schema.squash is False
    old = with_header(model, tmp_path / "old.ntk", format_version=1)

    def lacking(data):
        import json

        new = {"max_categories", "squash", "left_out", "scores"}
        return json.dumps({k: v for k, v in json.loads(data).items() if k not in new}).encode()

    old = change_member(old, tmp_path / "older.ntk", "ntklib.json", lacking)
    assert run(capsys, "predict", old, "wine")[:2] == expected
