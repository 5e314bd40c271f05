"""``ntklib study``: tables on standard output, folders that are not overwritten, runs that can be stopped."""

import csv
import io
import json

import numpy as np
import pytest

from ntklib.lab.cli import main
from ntklib.lab.studies import width_study
from ntklib.networks import TwoLayerNet

QUICK = ["--widths", "8", "32", "--draws", "4", "--max-samples", "12"]


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["study", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_the_table_is_data_and_goes_to_standard_output(capsys):
    out, err = run(capsys, "width", "--data", "wine", *QUICK)
    assert "12 rows of 13 features" in out
    assert "width^-" in out
    assert err == ""
    rows = list(csv.DictReader(io.StringIO(run(capsys, "width", "--format", "csv", *QUICK).out)))
    assert [row["width"] for row in rows] == ["8", "32"]
    content = json.loads(run(capsys, "width", "--format", "json", *QUICK).out)
    assert [repr(value) for value in content["table"]["error"]] == [row["error"] for row in rows]


def test_every_option_reaches_the_study(tmp_path, capsys):
    data = tmp_path / "rows.csv"
    data.write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(9)))
    options = ["--degree", 2, "--weight-std", 1.5, "--bias-std", 0.5, "--input-scaling", "fan_in"]
    options += ["--output-init", "rademacher", "--trainable", "hidden", "--symmetric", "--seed", 7]
    out = run(capsys, "width", "--data", data, "--target", "y", "--format", "json", *QUICK[:5], *options).out
    columns = np.array([(i, i * i % 7) for i in range(9)], dtype=float)
    expected = width_study(
        (columns - columns.mean(axis=0)) / columns.std(axis=0),
        [8, 32],
        network=TwoLayerNet(
            1, activation=_power(2), weight_std=1.5, bias_std=0.5, input_scaling="fan_in",
            output_init="rademacher", trainable="hidden", symmetric=True,
        ),
        n_draws=4,
        random_state=7,
    )  # fmt: skip
    found = json.loads(out)
    np.testing.assert_allclose(found["table"]["error"], expected.error, rtol=1e-9)
    assert found["network"] == expected.network
    deep = json.loads(
        run(capsys, "width", "--depth", 2, "--activation", "erf", "--parameterization", "mup",
            "--format", "json", *QUICK).out
    )  # fmt: skip
    assert deep["network"] == "MLP(activation='erf', parameterization='mup', widths=(m, m))"


def _power(degree):
    from ntklib.kernels import RectifiedPower

    return RectifiedPower(degree)


def test_a_folder_is_filled_and_not_overwritten_unasked(tmp_path, capsys):
    command = ["width", "--out", tmp_path / "new" / "study", *QUICK]
    out, err = run(capsys, *command)
    files = {path.name for path in (tmp_path / "new" / "study").iterdir()}
    assert files == {"results.json", "results.csv", "error.png", "eigenvalue.png", "parts"}
    assert f"note: results and pictures are in {tmp_path / 'new' / 'study'}" in err
    before = (tmp_path / "new" / "study" / "results.json").read_bytes()
    assert "holds results.json already; --force" in run(capsys, *command, code=2).err
    assert run(capsys, *command, "--force").out == out
    assert (tmp_path / "new" / "study" / "results.json").read_bytes() == before


def test_a_stopped_run_goes_on(tmp_path, capsys, monkeypatch):
    command = ["width", "--out", tmp_path, *QUICK]
    computed, true_ntk = [], TwoLayerNet.ntk

    def ntk(self, *arguments, **options):
        computed.append(self.width)
        if computed[-1] == 32 and stopping:
            raise KeyboardInterrupt
        return true_ntk(self, *arguments, **options)

    monkeypatch.setattr(TwoLayerNet, "ntk", ntk)
    stopping = True
    assert "interrupted" in run(capsys, *command, code=130).err
    assert not (tmp_path / "results.json").exists()
    other = run(capsys, *command, "--draws", 5, code=2).err
    assert "another study (n_draws was 4, is 5); delete it" in other
    stopping = False
    computed.clear()
    resumed = run(capsys, *command).out
    assert computed == [32] * 4
    assert resumed == run(capsys, "width", *QUICK).out


def test_force_begins_a_finished_study_anew_with_other_settings(tmp_path, capsys):
    command = ["width", "--out", tmp_path, *QUICK]
    run(capsys, *command)
    changed = [*command, "--seed", "5"]
    assert "--force overwrites them" in run(capsys, *changed, code=2).err
    assert run(capsys, *changed, "--force").out == run(capsys, "width", *QUICK, "--seed", "5").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: NAME"),
        (["dance"], "invalid choice: 'dance'"),
        (["width", "--widths", "8"], "at least 2 different"),
        (["width", "--widths", "0", "8"], "must be at least 1"),
        (["width", "--draws", "1", "--widths", "2", "4"], "--draws must be at least 2"),
        (["width", "--parameterization", "standard"], "no limit kernel"),
        (["width", "--activation", "rely"], "unknown activation 'rely'"),
        (["width", "--degree", "-1"], "degree must be at least 0"),
        (["width", "--weight-std", "0"], "weight_std must be"),
        (["width", "--data", "none.csv"], "no such file"),
        (["width", "--data", "wine", "--target", "cultivator"], "did you mean 'cultivar'"),
        (["width", "--seed", "-1"], "--seed: must be at least 0"),
        (["width", "--activation", "erf", "--degree", "2"], "not allowed with"),
        (["implicit-bias", "--data", "diabetes"], "this study needs classes, and the target is a number"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    out, err = run(capsys, *arguments, code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_a_study_that_fails_ends_with_one(capsys, monkeypatch):
    def explode(*_, **__):
        raise MemoryError("4 Gram matrices of 1 TiB")

    monkeypatch.setattr("ntklib.lab.studies.width.study.eigvalsh", explode)
    assert "failed: MemoryError" in run(capsys, "width", *QUICK, code=1).err
    assert "Traceback" in run(capsys, "--traceback", "width", *QUICK, code=1).err
    assert "Traceback" in run(capsys, "width", "--traceback", *QUICK, code=1).err
