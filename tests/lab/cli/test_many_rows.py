"""Fits and predictions of files that are read in blocks, from the command line."""

import io
import os
import tempfile

import numpy as np
import pandas as pd
import pytest

from ntklib._core import scratch
from ntklib._core.progress import Gauge
from ntklib.lab.cli import _model as model_module
from ntklib.lab.cli import main
from ntklib.lab.cli._model_file import load_model
from ntklib.lab.tables import DataError, open_tables


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut all tables into blocks of five rows."""
    monkeypatch.setattr("ntklib.lab.tables.stream.CELLS", 0)
    monkeypatch.setattr("ntklib.lab.tables.stream.FEWEST", 5)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    n = 43
    frame = pd.DataFrame(
        {"size": rng.normal(size=n), "gaps": rng.random(n), "kind": rng.choice(["oak", "elm"], n)}
    )
    frame.loc[::7, "gaps"] = np.nan
    return frame.assign(price=frame["size"] + (frame["kind"] == "oak") + 0.1 * rng.normal(size=n))


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """The table in one CSV file and in three Parquet files, and a model of it."""
    folder = tmp_path_factory.mktemp("rows")
    data.to_csv(folder / "d.csv", index=False)
    (folder / "parts").mkdir()
    for i, part in enumerate(np.split(np.arange(43), [20, 21])):
        data.iloc[part].reset_index(drop=True).to_parquet(folder / "parts" / f"{i}.parquet", row_group_size=4)
    assert main(fit(folder / "d.csv", folder / "m.ntk")) == 0
    return folder


def fit(data, out, *options):
    return list(map(str, ["fit", data, "--target", "price", "--impute", "median", "--out", out, *options]))


def run(capsys, *arguments):
    capsys.readouterr()
    code = main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def arrays(model):
    """The arrays of a fitted pipeline, as bytes."""
    estimator = model.pipeline[-1]
    fitted = [estimator.X_fit_, estimator.dual_coef_, np.asarray(estimator.intercept_)]
    scaler = model.pipeline[0].named_transformers_["numeric"]
    return [array.tobytes() for array in (*fitted, scaler[0].statistics_, scaler[1].mean_, scaler[1].scale_)]


@pytest.mark.parametrize("source", ["d.csv", "parts", "parts/*.parquet"])
def test_a_model_does_not_depend_on_files_row_groups_and_blocks(
    folder, tmp_path, capsys, small_blocks, source
):
    model = tmp_path / "m.ntk"
    code, out, _ = run(capsys, *fit(folder / source, model))
    assert code == 0
    assert f"{folder / source}, 43 rows, 3 columns" in out
    assert arrays(load_model(model)) == arrays(load_model(folder / "m.ntk"))
    whole = run(capsys, "predict", folder / "m.ntk", folder / "d.csv")
    assert run(capsys, "predict", model, folder / source)[:2] == whole[:2]


def test_a_model_fitted_from_the_disk_is_that_of_memory(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "working_memory", lambda: 0)
    made = []
    monkeypatch.setattr(scratch, "_take_room", lambda number, size: made.append(os.truncate(number, size)))
    assert main(fit(folder / "d.csv", tmp_path / "m.ntk")) == 0
    assert len(made) == 2
    assert arrays(load_model(tmp_path / "m.ntk")) == arrays(load_model(folder / "m.ntk"))


def test_predictions_come_in_blocks_of_the_model_whatever_the_file(folder, capsys, small_blocks, monkeypatch):
    monkeypatch.setattr(model_module, "_ROWS", 9)
    model = load_model(folder / "m.ntk")
    blocks = list(model.predict_blocks(open_tables([folder / "d.csv"])))
    assert [len(block["prediction"]) for block in blocks] == [9, 9, 9, 9, 7]
    text = run(capsys, "predict", folder / "m.ntk", folder / "d.csv")[1]
    assert text == run(capsys, "predict", folder / "m.ntk", folder / "parts")[1]
    written = pd.read_csv(io.StringIO(text), float_precision="round_trip")["prediction"].to_numpy()
    np.testing.assert_array_equal(written, np.concatenate([block["prediction"] for block in blocks]))
    monkeypatch.setattr(model_module, "_ROWS", 50)
    whole = model.predict(open_tables([folder / "d.csv"]))["prediction"]
    np.testing.assert_allclose(written, whole, rtol=1e-9, atol=1e-9)


def test_notes_count_the_cells_of_all_blocks(folder, data, tmp_path, capsys, small_blocks):
    changed = data.assign(extra=1)
    changed.loc[[11, 29, 40], "kind"] = "yew"
    changed.to_csv(tmp_path / "new.csv", index=False)
    code, out, err = run(capsys, "predict", folder / "m.ntk", tmp_path / "new.csv")
    assert (code, out.count("\n")) == (0, 44)
    assert "new.csv: line 13, column 'kind': 'yew' was not met in training (and 2 more in this column)" in err
    assert "new.csv: line 2, column 'gaps': missing value (and 6 more in this column): filled" in err
    assert "columns the model does not use: extra" in err
    assert "on the 43 rows that have their 'price'" in err
    assert err.count("\n") == 4


def test_a_bad_cell_far_down_stops_everything_before_the_first_line(
    folder, data, tmp_path, capsys, small_blocks
):
    changed = data.copy()
    changed.loc[37, "size"] = 1e200
    changed.to_csv(tmp_path / "new.csv", index=False)
    message = "new.csv: line 39, column 'size': 1e+200 is too large"
    for command in (
        ["predict", folder / "m.ntk", tmp_path / "new.csv"],
        ["predict", folder / "m.ntk", tmp_path / "new.csv", "--out", tmp_path / "p.csv"],
        ["fit", tmp_path / "new.csv", "--target", "price", "--out", tmp_path / "m.ntk"],
    ):
        code, out, err = run(capsys, *command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert os.listdir(tmp_path) == ["new.csv"]


def test_a_row_without_a_prediction_leaves_no_file(folder, tmp_path, capsys, small_blocks, monkeypatch):
    monkeypatch.setattr(model_module, "_ROWS", 9)
    model = load_model(folder / "m.ntk")
    plain = type(model.pipeline).predict
    rows = []

    def predict(self, X):
        rows.append(len(X))
        values = plain(self, X)
        if rows[-3:] == [9, 9, 9]:
            values[2] = np.nan
        return values

    monkeypatch.setattr(type(model.pipeline), "predict", predict)
    with pytest.raises(DataError, match=r"d.csv: line 22: no finite prediction"):
        list(model.predict_blocks(open_tables([folder / "d.csv"])))
    assert rows == [9, 9, 9]
    rows.clear()
    code, _, err = run(
        capsys, "predict", folder / "m.ntk", folder / "parts", "--out", tmp_path / "p.csv", "--force"
    )
    assert code == 2
    assert "1.parquet: row 1: no finite prediction" in err
    assert os.listdir(tmp_path) == []


def test_neither_a_full_disk_nor_an_interruption_leaves_anything(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "working_memory", lambda: 0)
    arrays_made = []
    taken = scratch._take_room

    def interrupted(number, size):
        arrays_made.append(size)
        if len(arrays_made) == 2:
            raise KeyboardInterrupt
        taken(number, size)

    monkeypatch.setattr(scratch, "_take_room", interrupted)
    assert run(capsys, *fit(folder / "d.csv", tmp_path / "m.ntk"))[0] == 130
    assert arrays_made == [43 * 4 * 8, 43 * 8]
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
    code, out, err = run(capsys, *fit(folder / "d.csv", tmp_path / "m.ntk"))
    assert (code, out) == (2, "")
    assert "the encoded rows of" in err
    assert "0.0 GiB are free; set TMPDIR" in err
    assert os.listdir(tmp_path) == []


def test_labels_of_many_files_and_safe_csv(tmp_path, capsys, small_blocks):
    for i in range(3):
        lines = "".join(f"{j},{'=a' if j % 2 else 'plain'}\n" for j in range(8 * i, 8 * i + 8))
        (tmp_path / f"{i}.csv").write_text(f"x,y\n{lines}")
    assert main(["fit", f"{tmp_path}/*.csv", "--target", "y", "--out", str(tmp_path / "m.ntk")]) == 0
    command = ["predict", tmp_path / "m.ntk", *(tmp_path / f"{i}.csv" for i in range(3)), "--proba"]
    code, out, err = run(capsys, *command)
    assert (code, len(out.splitlines())) == (0, 25)
    assert out.splitlines()[0] == "prediction,probability_=a,probability_plain"
    assert err.count("--safe-csv quotes them") == 1
    code, safe, err = run(capsys, *command, "--safe-csv")
    assert code == 0
    assert "on the 24 rows that have their 'y'" in err
    assert err.count("\n") == 1
    assert {line.split(",")[0] for line in safe.splitlines()[1:]} == {'"\'=a"', '"plain"'}


def test_the_passes_count_rows(folder, small_blocks, tmp_path, monkeypatch):
    counts = []
    reach = Gauge.reach

    def watch(gauge, done, note=""):
        counts.append((gauge.title, done, gauge.total))
        reach(gauge, done, note)

    monkeypatch.setattr(Gauge, "reach", watch)
    assert main(fit(folder / "d.csv", tmp_path / "m.ntk")) == 0
    assert [c for c in counts if c[0] == "summarising"][-1] == ("summarising", 43, 0)
    assert [c[1] for c in counts if c[0] == "encoding"] == [5, 10, 15, 20, 25, 30, 35, 40, 43]
