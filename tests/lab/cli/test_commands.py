"""The command line from outside: exit codes, one-line errors, and files that come and go whole."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ntklib.lab.cli import COMMANDS, main
from ntklib.lab.cli._model import TablePredictor
from ntklib.lab.cli._model_file import HEADER, load_model, save_model
from ntklib.lab.tables import DataError, load_table


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    size, kind = rng.normal(size=60), rng.choice(["oak", "elm, old", 'a "b"'], size=60)
    price = size + (kind == "oak") + 0.1 * rng.normal(size=60)
    tall = (price > 0.3).astype(int)
    cells = zip(size.tolist(), kind.tolist(), price.tolist(), tall.tolist(), strict=True)
    return [dict(zip(("size", "kind", "price", "tall"), row, strict=True)) for row in cells]


def write(path, rows, **changes):
    rows = [dict(row) for row in rows]
    for place, cell in changes.items():
        name, i = place.rsplit("_", 1)
        rows[int(i)][name] = cell
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def models(rows, tmp_path_factory):
    """A regression and a classification model, fitted by the command itself."""
    folder = tmp_path_factory.mktemp("models")
    data = write(folder / "trees.csv", rows)
    assert main(["fit", str(data), "--target", "price", "--out", str(folder / "price.ntk")]) == 0
    assert main(["fit", str(data), "--target", "tall", "--out", str(folder / "tall.ntk")]) == 0
    return folder


def fails(capsys, arguments, message, code=2):
    """Check that a command ends with ``code`` and one line on standard error that holds ``message``."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert err.startswith("ntklib")


def test_prediction_equals_the_pipeline_in_memory(models, capsys):
    table = load_table(models / "trees.csv")
    capsys.readouterr()
    assert main(["predict", str(models / "price.ntk"), str(models / "trees.csv")]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    expected = TablePredictor.fit(table, target="price").predict(table)["prediction"]
    np.testing.assert_array_equal([float(line["prediction"]) for line in lines], expected)


def test_labels_and_probabilities_keep_their_type_and_sum_to_one(models, capsys):
    out = models / "out.csv"
    command = ["predict", models / "tall.ntk", models / "trees.csv", "--proba", "--out", out]
    assert main(list(map(str, command))) == 0
    lines = list(csv.DictReader(out.open()))
    assert list(lines[0]) == ["prediction", "probability_0", "probability_1"]
    assert {line["prediction"] for line in lines} == {"0", "1"}
    sums = [float(line["probability_0"]) + float(line["probability_1"]) for line in lines]
    np.testing.assert_allclose(sums, 1, rtol=1e-12)
    fails(capsys, command, "exists already; --force")
    assert main([*map(str, command), "--force"]) == 0
    fails(capsys, ["predict", models / "price.ntk", models / "trees.csv", "--proba"], "needs a classifier")


def test_columns_are_matched_by_name_and_new_categories_reported(models, rows, tmp_path, capsys):
    table = load_table(models / "trees.csv")
    turned = [{"age": 1, "tall": row["tall"], "kind": row["kind"], "size": row["size"]} for row in rows]
    main(["predict", str(models / "price.ntk"), str(write(tmp_path / "turned.csv", turned))])
    out, err = capsys.readouterr()
    assert "columns the model does not use: age" in err
    values = [float(line) for line in out.splitlines()[1:]]
    np.testing.assert_array_equal(values, load_model(models / "price.ntk").predict(table)["prediction"])
    new = write(tmp_path / "new.csv", rows, kind_3="yew")
    assert main(["predict", str(models / "price.ntk"), str(new)]) == 0
    assert "line 5, column 'kind': 'yew' was not met in training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"size_2": "abc"}, [], "line 4, column 'size': 'abc' is not a finite number"),
        ({"size_2": "nan"}, [], "line 4, column 'size': missing value"),
        ({"price_5": ""}, [], "line 7, column 'price': missing value in the target"),
        ({}, ["--target", "prise"], "no column 'prise' to predict (did you mean 'price'?)"),
        ({}, ["--categorical", "colour"], "no column 'colour'"),
    ],
)
def test_bad_tables_are_refused_before_a_model_is_written(rows, tmp_path, capsys, changes, options, message):
    data, out = write(tmp_path / "trees.csv", rows, **changes), tmp_path / "m.ntk"
    fails(capsys, ["fit", data, "--target", "price", "--out", out, *options], message)
    assert not out.exists()


def test_missing_target_empty_file_and_missing_file(rows, tmp_path, capsys):
    data, out = write(tmp_path / "trees.csv", rows), tmp_path / "m.ntk"
    fails(capsys, ["fit", data, "--out", out], "name it with --target")
    (tmp_path / "empty.csv").touch()
    fails(capsys, ["fit", tmp_path / "empty.csv", "--target", "y", "--out", out], "the file is empty")
    fails(capsys, ["fit", tmp_path / "none.csv", "--target", "y", "--out", out], "no such file")


def test_impute_opts_in_and_is_remembered(rows, tmp_path, capsys):
    data = write(tmp_path / "gaps.csv", rows, size_2="", size_9="?")
    model = tmp_path / "m.ntk"
    command = ["fit", str(data), "--target", "price", "--impute", "median", "--out", str(model)]
    assert main(command) == 0
    assert "line 4, column 'size': missing value (and 1 more in this column)" in capsys.readouterr().err
    assert main(["predict", str(model), str(data)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 61
    plain = ["fit", write(tmp_path / "whole.csv", rows), "--target", "price", "--out", tmp_path / "plain.ntk"]
    assert main([str(word) for word in plain]) == 0
    capsys.readouterr()
    advice = "missing value (and 1 more in this column); leave such rows out, or fit with --impute median"
    fails(capsys, ["predict", tmp_path / "plain.ntk", data], advice)


def test_missing_column_in_prediction(models, rows, tmp_path, capsys):
    data = write(tmp_path / "few.csv", [{"kind": row["kind"]} for row in rows])
    fails(capsys, ["predict", models / "price.ntk", data], "no column 'size', which the model needs")


def test_places_that_cannot_be_written(models, tmp_path, capsys):
    data = models / "trees.csv"
    fit = ["fit", data, "--target", "price", "--out"]
    fails(capsys, [*fit, tmp_path / "no" / "m.ntk"], "no such folder")
    fails(capsys, [*fit, tmp_path], "is a folder, the name of a file is needed")
    fails(capsys, [*fit, models / "price.ntk"], "exists already; --force overwrites it")
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IREAD | stat.S_IEXEC)
    if os.access(locked, os.W_OK):
        return  # an administrator may write everywhere
    fails(capsys, [*fit, locked / "m.ntk"], "no permission to write")


def test_a_failed_write_leaves_the_old_file_and_no_other(models, tmp_path, monkeypatch):
    model = load_model(models / "price.ntk")
    target = tmp_path / "m.ntk"
    target.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save_model(model, target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def change_member(source, target, name, change):
    """Copy a zip archive with one member rewritten."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.namelist():
            data = old.read(item)
            new.writestr(item, change(data) if item == name else data)
    return target


def with_header(source, target, **fields):
    return change_member(source, target, HEADER, lambda data: json.dumps(json.loads(data) | fields).encode())


def test_damaged_and_foreign_model_files(models, tmp_path, capsys):
    good, data, bad = models / "price.ntk", models / "trees.csv", tmp_path / "bad.ntk"
    whole = good.read_bytes()
    for length in (2, 4, 100, len(whole) // 2, len(whole) - 10):
        bad.write_bytes(whole[:length])
        fails(capsys, ["predict", bad, data], "truncated or damaged")
    with zipfile.ZipFile(good) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    middle = whole.index(largest.filename.encode(), largest.header_offset) + largest.compress_size // 2
    bad.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    fails(capsys, ["predict", bad, data], "damaged")
    bad.write_bytes(b"")
    fails(capsys, ["predict", bad, data], "the file is empty")
    fails(capsys, ["predict", data, data], "no ntklib model file")
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("hello.txt", "hello")
    fails(capsys, ["predict", bad, data], f"an archive without {HEADER}")
    fails(capsys, ["predict", tmp_path / "none.ntk", data], "cannot be read (No such file")


def test_newer_and_edited_model_files(models, tmp_path, capsys):
    good, data, bad = models / "price.ntk", models / "trees.csv", tmp_path / "bad.ntk"
    with_header(good, bad, format_version=3, ntklib_version="9.1")
    fails(capsys, ["predict", bad, data], "written by a newer ntklib (9.1")
    for fields in ({"format": "other"}, {"columns": ["size"]}, {"kinds": [[], {}]}, {"format_version": None}):
        with_header(good, bad, **fields)
        fails(capsys, ["predict", bad, data], "ntk: ")
    change_member(good, bad, HEADER, lambda data: b"{not json")
    fails(capsys, ["predict", bad, data], "makes no sense")
    change_member(good, bad, "schema.json", lambda data: b"{}")
    fails(capsys, ["predict", bad, data], "cannot be rebuilt")


def test_a_model_file_cannot_smuggle_in_other_types(models, tmp_path, capsys):
    good, bad = models / "price.ntk", tmp_path / "bad.ntk"
    swap = (b'"NTKRegressorCV"', b'"Popen"'), (b'"ntklib.estimators"', b'"subprocess"')

    def change(data):
        for old, new in swap:
            assert old in data
            data = data.replace(old, new)
        return data

    change_member(good, bad, "schema.json", change)
    fails(capsys, ["predict", bad, models / "trees.csv"], "refused, it holds types")


def test_a_job_that_fails_ends_with_one(models, capsys, monkeypatch):
    def explode(*_, **__):
        raise MemoryError("a Gram of 10 TiB")

    monkeypatch.setattr(TablePredictor, "fit", explode)
    command = ["fit", models / "trees.csv", "--target", "price", "--out", models / "x.ntk"]
    fails(capsys, command, "failed: MemoryError: a Gram of 10 TiB (--traceback shows where)", code=1)
    assert main([*map(str, command), "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_wrong_usage_is_one_line(capsys):
    fails(capsys, [], "required: COMMAND")
    fails(capsys, ["fit"], "required")
    fails(capsys, ["dance"], "invalid choice: 'dance'")
    fails(capsys, ["report", "--seed", "-1"], "--seed: must be between")
    fails(capsys, ["report", "--seed", "x"], "--seed")
    fails(capsys, ["report", "--max-samples", "3"], "at least 20")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_examples(command, capsys):
    assert main([command.name, "--help"]) == 0
    assert f"examples:\n  ntklib {command.name}" in capsys.readouterr().out


def test_version_and_info(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ntklib ")
    assert main(["info"]) == 0
    assert "numba" in capsys.readouterr().out


def test_a_reader_that_closes_early_is_no_error(models):
    code = "from ntklib.lab.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "predict", models / "price.ntk", models / "trees.csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read().decode()
        assert process.wait() == 0, error
    assert "Traceback" not in error


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_outputs(models, tmp_path, monkeypatch, capsys, closed):
    """A closed one is refused or written into the void: notes never end among the data."""
    data = str(models / "trees.csv")
    study = ["study", "width", "--data", data, "--widths", "8", "16", "--draws", "2"]
    for command in (["predict", str(models / "tall.ntk"), data], study):
        capsys.readouterr()
        assert main(command) == 0
        text = capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, closed, None)
            code = main(command)
        if closed == "stderr":
            assert (code, capsys.readouterr().out) == (0, text.out)
        else:
            assert (code, capsys.readouterr().err) == (2, "ntklib: error: standard output is closed\n")
