"""``ntklib study scale``: options reach the study, the time is announced, bad input is one line."""

import json

import numpy as np

from ntklib.lab.cli import main
from ntklib.lab.studies import scale_study
from ntklib.networks import MLP

QUICK = ["--scales", 1, 10, "--width", 5, "--rtol", 1e-6, "--remaining", 0.3]


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["study", "scale", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_options_reach_the_study(tmp_path, capsys):
    data = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(5, 2))
    data.write_text("a,b,y\n" + "".join(f"{a},{b},{a * b}\n" for a, b in rows.tolist()))
    options = ["--activation", "softplus", "--depth", 2, "--seed", 3, "--offset", 0.1]
    out, told = run(capsys, "--data", data, "--target", "y", *QUICK, *options, "--format", "json")
    assert "note: scale: 8 flows, about" in told
    X, y = (rows - rows.mean(axis=0)) / rows.std(axis=0), rows.prod(axis=1)
    expected = scale_study(
        X,
        (y - y.mean()) / y.std(),
        [1.0, 10.0],
        network=MLP((5, 5), activation="softplus", input_scaling="fan_in"),
        remaining=0.3,
        offset=0.1,
        rtol=1e-6,
        random_state=3,
    )
    found = json.loads(out)
    np.testing.assert_allclose(found["table"]["output_gap"], expected.output_gap, rtol=1e-3)
    assert found["network"] == expected.network


def test_folders_and_bad_input(tmp_path, capsys):
    quick = ["--data", "wine", "--max-samples", 4, *QUICK]
    out, _ = run(capsys, *quick, "--out", tmp_path / "found")
    assert "on 4 rows of 13 features" in out
    assert (tmp_path / "found" / "outputs.png").exists()
    assert "derivative of ReLU" in run(capsys, *quick, "--activation", "relu", code=2).err
    assert "at least 2 different" in run(capsys, "--data", "wine", "--scales", 1, code=2).err
