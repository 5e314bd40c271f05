"""``ntklib study criterion`` and ``homogeneity``: options reach the studies, which say how long they take."""

import json

import numpy as np

from ntklib.lab.cli import main
from ntklib.lab.studies import criterion_study, homogeneity_study
from ntklib.networks import TwoLayerNet


def run(capsys, *arguments):
    capsys.readouterr()
    assert main(["study", *map(str, arguments)]) == 0
    return capsys.readouterr()


def table(tmp_path):
    """A file of six rows, and what the commands make of them."""
    rows = np.random.default_rng(0).normal(size=(6, 2))
    path = tmp_path / "rows.csv"
    path.write_text("a,b,y\n" + "".join(f"{a},{b},{a * b}\n" for a, b in rows.tolist()))
    y = rows.prod(axis=1)
    return path, (rows - rows.mean(axis=0)) / rows.std(axis=0), (y - y.mean()) / y.std()


def test_criterion(tmp_path, capsys):
    path, X, y = table(tmp_path)
    options = ["--widths", 8, 32, "--draws", 2, "--seed", 3, "--activation", "erf", "--scale", 2]
    options += [
        "--output-init",
        "rademacher",
        "--no-symmetric",
        "--parameterizations",
        "standard",
        "mean_field",
    ]
    out, err = run(capsys, "criterion", "--data", path, "--target", "y", *options, "--format", "json")
    net = TwoLayerNet(1, activation="erf", scale=2.0, output_init="rademacher", input_scaling="fan_in")
    expected = criterion_study(
        X, y, [8, 32], network=net, parameterizations=["standard", "mean_field"], n_draws=2, random_state=3
    )
    found = json.loads(out)
    np.testing.assert_allclose(found["table"]["kappa"], expected.kappa, rtol=1e-9)
    assert found["network"] == expected.network
    assert err.startswith("note: criterion: 8 networks, about ")


def test_homogeneity(tmp_path, capsys):
    path, X, y = table(tmp_path)
    options = ["--factors", 1, 2, "--depths", 1, "--degrees", 3, "--width", 5, "--seed", 2]
    out, err = run(capsys, "homogeneity", "--data", path, "--target", "y", *options, "--format", "json")
    expected = homogeneity_study(X, y, [1, 2], depths=[1], degrees=[3], width=5, random_state=2)
    np.testing.assert_allclose(json.loads(out)["table"]["kappa"], expected.kappa, rtol=1e-9)
    assert err.startswith("note: homogeneity: 2 networks at 2 factors, about ")
