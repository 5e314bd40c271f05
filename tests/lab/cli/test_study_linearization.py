"""``ntklib study linearization`` and ``lazy-accuracy``: options reach the studies, bad input is one line."""

import json

import numpy as np
import pytest

from ntklib.lab.cli import main
from ntklib.lab.studies import lazy_accuracy_study, linearization_study
from ntklib.networks import MLP, TwoLayerNet

QUICK = ["--data", "wine", "--widths", 8, 32, "--draws", 2, "--max-samples", 30, "--steps", 4]
LAZY = ["--data", "wine", "--scales", 0.1, 1, "--width", 8, "--draws", 2, "--max-samples", 60, "--steps", 4]


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["study", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_linearization(tmp_path, capsys):
    out, _ = run(capsys, "linearization", *QUICK)
    assert "on 20 rows of 13 features, 4 steps" in out
    assert "outputs on test rows ~ width^" in out
    assert "activation='erf', input_scaling='fan_in', symmetric=True" in out
    data = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(9, 2))
    data.write_text("a,b,y\n" + "".join(f"{a},{b},{a * b}\n" for a, b in rows.tolist()))
    options = ["--activation", "relu", "--depth", 2, "--no-symmetric", "--learning-rate", 0.05, "--seed", 3]
    out = run(
        capsys, "linearization", "--data", data, "--target", "y", *QUICK[2:], *options, "--format", "json"
    ).out
    mixed = np.random.default_rng(3).permutation(9)
    X, y = (rows - rows.mean(axis=0)) / rows.std(axis=0), rows.prod(axis=1)
    y = (y - y.mean()) / y.std()
    expected = linearization_study(
        X[mixed[3:]],
        y[mixed[3:]],
        [8, 32],
        X_test=X[mixed[:3]],
        network=MLP((1, 1), input_scaling="fan_in"),
        steps=4,
        learning_rate=0.05,
        n_draws=2,
        random_state=3,
    )
    found = json.loads(out)
    np.testing.assert_allclose(found["table"]["test_outputs"], expected.test_outputs, rtol=1e-6)
    assert found["network"] == expected.network


def test_lazy(capsys):
    from sklearn.datasets import load_wine

    found = json.loads(run(capsys, "lazy-accuracy", *LAZY, "--format", "json").out)
    assert (found["n_train"], found["n_test"], found["n_classes"]) == (30, 30, 3)
    command = [
        "lazy-accuracy",
        *LAZY,
        "--max-samples",
        999,
        "--train",
        50,
        "--momentum",
        0.5,
        "--format",
        "json",
    ]
    found = json.loads(run(capsys, *command).out)
    X, y = load_wine(return_X_y=True)
    expected = lazy_accuracy_study(
        (X - X.mean(axis=0)) / X.std(axis=0),
        y,
        [0.1, 1],
        network=TwoLayerNet(8, weight_std=2**0.5),
        n_train=50,
        steps=4,
        momentum=0.5,
        n_draws=2,
    )
    assert found["table"]["accuracy"] == expected.accuracy.tolist()
    assert found["network"] == expected.network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["linearization", "--widths", "8"], "at least 2 different"),
        (["linearization", "--learning-rate", "100"], "largest stable step"),
        (["linearization", "--parameterization", "standard"], "no limit kernel"),
        (["lazy-accuracy", "--data", "diabetes"], "classes"),
        (["lazy-accuracy", "--scales", "0"], "greater than 0"),
        (["lazy-accuracy", "--data", "wine", "--train", "178"], "too few to test on"),
        (["lazy-accuracy", "--momentum", "1"], "momentum must be less than 1"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    out, err = run(capsys, *arguments, code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
