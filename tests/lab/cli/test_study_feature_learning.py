"""``ntklib study feature-learning``: options reach the study, a folder is filled, bad input is one line."""

import json

import pytest

from ntklib.lab.cli import main
from ntklib.lab.studies import feature_learning_study

QUICK = ["--scales", 0.1, 1, "--widths", 16, 32, "--features", 3, "--train", 12, "--test", 20, "--width", 6]
QUICK += ["--reference-width", 64, "--steps", 10, "--draws", 2]


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["study", "feature-learning", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_every_option_reaches_the_study(tmp_path, capsys):
    options = ["--teacher-width", 2, "--seed", 5, "--format", "json", "--out", tmp_path / "a"]
    out, err = run(capsys, *QUICK, *options)
    expected = feature_learning_study(
        (0.1, 1),
        (16, 32),
        n_features=3,
        n_train=12,
        n_test=20,
        width=6,
        reference_width=64,
        teacher_width=2,
        steps=10,
        n_draws=2,
        random_state=5,
    )
    assert json.loads(out)["draws"] == expected.to_dict()["draws"]
    assert err.startswith("note: feature-learning: 18 trainings, about ")
    pictures = {path.name for path in (tmp_path / "a").glob("*.png")}
    assert pictures == {"paths.png", "scale.png", "width.png", "limit.png", "laws.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scales", 1], "at least 2 different"),
        (["--widths", 15, 16], "must be even"),
        (["--reference-width", 16], "must exceed all widths"),
        (["--teacher-width", 9], "at most 8"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    out, err = run(capsys, *QUICK, *arguments, code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
