"""``ntklib study lazy-decay``: options reach the study, the time is told, runs go on, errors are one line."""

import json

import numpy as np
import pytest

from ntklib.lab.cli import main
from ntklib.lab.studies import lazy_decay_study
from ntklib.lab.studies.lazy_decay import study as module
from ntklib.networks import TwoLayerNet

QUICK = ["--data", "wine", "--widths", 8, "--samples", 2, "--factors", 1, "--below", 0.2, "--horizon", 1]
QUICK += ["--times", 4]


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["study", "lazy-decay", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_options_reach_the_study(tmp_path, capsys):
    data = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(9, 3))
    data.write_text("a,b,c,y\n" + "".join(f"{a},{b},{c},{a * b}\n" for a, b, c in rows.tolist()))
    options = ["--activation", "softplus", "--trainable", "hidden", "--output-init", "gaussian", "--seed", 3]
    command = ["--data", data, "--target", "y", *QUICK[2:], *options, "--format", "json"]
    out, told = run(capsys, *command)
    assert told.startswith("note: lazy-decay: 4 gradient flows, about ")
    X, y = (rows - rows.mean(axis=0)) / rows.std(axis=0), rows[:, 0] * rows[:, 1]
    expected = lazy_decay_study(
        X,
        (y - y.mean()) / y.std(),
        [8],
        [2],
        factors=[1],
        below=[0.2],
        network=TwoLayerNet(
            activation="softplus", trainable="hidden", input_scaling="fan_in", symmetric=True
        ),
        horizon=1.0,
        n_times=4,
        random_state=3,
    )
    found = json.loads(out)
    np.testing.assert_allclose(found["table"]["scale"], expected.scale, rtol=1e-6)
    np.testing.assert_allclose(found["table"]["rate"], expected.rate, rtol=1e-6)
    assert found["network"] == expected.network
    assert "width=m" in expected.network


def test_a_stopped_run_goes_on(tmp_path, capsys, monkeypatch):
    true, runs = module.follow, []

    def counted(*arguments):
        runs.append(arguments)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return true(*arguments)

    monkeypatch.setattr(module, "follow", counted)
    command = [*QUICK, "--out", tmp_path / "found"]
    assert "interrupted" in run(capsys, *command, code=130).err
    out, err = run(capsys, *command)
    assert len(runs) == 5
    assert "note: lazy-decay: 2 gradient flows, about " in err
    assert "no certified bound was exceeded" in out
    pictures = {path.name for path in (tmp_path / "found").glob("*.png")}
    assert pictures == {"loss.png", "ratios.png", "thresholds.png"}
    assert "holds results.json already; --force" in run(capsys, *command, code=2).err


def test_help_has_examples(capsys):
    assert "ntklib study lazy-decay --widths 8192 --samples 4" in run(capsys, "--help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--samples", 33], "33 rows are more than the 32"),
        (["--samples", 20, "--max-samples", 9], "asks for 20 rows, and X has 9"),
        (["--activation", "relu"], "derivative of ReLU"),
        (["--factors", -1], "greater than 0"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(capsys, arguments, message):
    out, err = run(capsys, *QUICK[:4], *arguments, code=2)
    assert out == ""
    assert message in err
    assert [line for line in err.splitlines() if not line.startswith("note:")] == [err.splitlines()[-1]]
