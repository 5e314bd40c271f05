"""A classifier that adds up fits, from the command to its file, what is told of it, and what it predicts."""

import re

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKClassifier
from ntklib._core.naming import describe_kernel
from ntklib.lab.cli import main
from ntklib.lab.cli._model import MAX_DEPTH
from ntklib.lab.cli._model_file import load_model, save_model

N = 150  # of which the report fits models to 112
CLASSES = np.array(["p", "q", "r"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and what `fit` makes of it and says."""
    folder = tmp_path_factory.mktemp("sum")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2))
    y = np.digitize(np.sin(2 * X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=N), [-0.5, 0.6])
    lines = [f"{a!r},{b!r},{CLASSES[k]}" for (a, b), k in zip(X.tolist(), y, strict=True)]
    (folder / "d.csv").write_text("\n".join(["a,b,y", *lines, ""]))
    assert main(["fit", str(folder / "d.csv"), "--target", "y", "--out", str(folder / "m.ntk")]) == 0
    return folder, X, y


def told(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def parts_of(model):
    """Kernels, penalties and weights of the parts, heaviest first."""
    parts = [part for part in zip(*model.stack_.values(), strict=True) if part[2] > 0]
    assert len(parts) > 1
    return sorted(parts, key=lambda part: -part[2])


def test_fit_and_info_name_all_parts(folder, capsys):
    path = folder[0] / "m.ntk"
    parts = parts_of(load_model(path).pipeline[-1])
    lines = [f"{w:.3g} of {describe_kernel(k)}, penalty {a:.3g}" for k, a, w in parts]
    if len(lines) > 4:
        rest = sum(w for _, _, w in parts[3:])
        lines = [*lines[:3], f"{rest:.3g} of {len(lines) - 3} others"]
    named = "kernel:  " + "\n       + ".join(lines) + "\n"
    again = told(capsys, "fit", folder[0] / "d.csv", "--target", "y", "--out", folder[0] / "again.ntk")
    assert named in again
    score = f"{load_model(path).pipeline[-1].best_score_:.4g}"
    assert f"choice:  held-out negative log-loss {score}, of the sum, by weights of other folds\n" in again
    assert named in told(capsys, "info", path)


def test_the_file_predicts_the_sum_of_plain_fits(folder, capsys):
    folder, X, y = folder
    model = load_model(folder / "m.ntk").pipeline[-1]
    Z = StandardScaler().fit_transform(X)
    values = sum(
        w * NTKClassifier(k, alpha=a, calibrate=False).fit(Z, y).decision_function(Z)
        for k, a, w in parts_of(model)
    )
    out = told(capsys, "predict", folder / "m.ntk", folder / "d.csv", "--proba")
    header, *lines = out.splitlines()
    assert header == "prediction,probability_p,probability_q,probability_r"
    cells = [line.split(",") for line in lines]
    assert [cell[0] for cell in cells] == CLASSES[values.argmax(axis=1)].tolist()
    shares = np.array([cell[1:] for cell in cells], dtype=float)
    np.testing.assert_allclose(shares, softmax(values / model.temperature_, axis=1), rtol=1e-6, atol=1e-9)
    assert -log_softmax(values / model.temperature_, axis=1)[np.arange(N), y].mean() < 0.5


def test_a_file_with_a_strange_kernel_among_the_parts_is_refused(folder, tmp_path, capsys):
    path = folder[0] / "m.ntk"
    model = load_model(path)
    kernels = model.pipeline[-1].stack_["param_kernel"]
    kernels[-1] = NTK(depth=MAX_DEPTH + 1)
    assert model.pipeline[-1].kernel_ not in kernels[-1:]
    save_model(model, tmp_path / "bad.ntk")
    for command in (["info"], ["predict", str(folder[0] / "d.csv")]):
        command.insert(1, str(tmp_path / "bad.ntk"))
        capsys.readouterr()
        assert main(command) == 2
        assert "a kernel that fit does not choose" in capsys.readouterr().err


def test_the_report_lists_the_parts(folder, capsys):
    told(capsys, "report", "--data", folder[0] / "d.csv", "--target", "y", "--out", folder[0] / "r")
    page = (folder[0] / "r" / "report.html").read_text(encoding="utf-8")
    assert "the fits of the kernels, each at its best penalty, were added up" in " ".join(page.split())
    parts = re.findall(r"<li><code>([\d.]+) of (\w+)\(.*?\), penalty [\d.e-]+</code></li>", page)
    assert len(parts) > 1
    weights = [float(weight) for weight, _ in parts]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1, abs=0.01)
    assert {kind for _, kind in parts} <= {"Laplace", "NTK", "NNGP", "Scaled"}
