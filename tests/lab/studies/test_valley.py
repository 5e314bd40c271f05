"""The study of the valley: its numbers against single runs, its predictions, its pictures."""

import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.dynamics import USAM, GradientDescent
from ntklib.lab.cli import main
from ntklib.lab.landscapes import WideningValley
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import ValleyStudy, valley_study

SMALL = {
    "learning_rates": (0.02, 0.1),
    "rhos": (0.0, 0.05, 0.2),
    "dimension": 4,
    "n_starts": 8,
    "steps": 2000,
}


@pytest.fixture(scope="module")
def study():
    return valley_study(**SMALL)


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_runs_are_those_of_the_optimisers(study):
    valley, starts = WideningValley(), np.random.default_rng(0).standard_normal((8, 5))
    for i, eta in enumerate((0.02, 0.1)):
        for j, rho in enumerate((0.0, 0.05, 0.2)):
            for n in (0, 3):
                w = starts[n]
                for _ in range(2000):  # one run by itself, by the closed form of a step
                    if not valley.value(w) > 1e-300:
                        break
                    with np.errstate(all="ignore"):
                        w = valley.usam_step(w, eta, rho)
                if study.reached[i, j, n]:
                    assert study.traces[i, j, n] == pytest.approx(float(valley.trace(w)), rel=1e-5)
                else:
                    assert not np.isfinite(w).all() or valley.value(w) > 1e-14
    descent = GradientDescent(0.1).run(valley.gradient, starts, 2000)[-1]
    np.testing.assert_allclose(study.traces[1, 0], valley.trace(descent), rtol=1e-5)


def test_paths_are_those_of_one_start_in_any_dimension(study):
    valley = WideningValley()
    direction = np.array([0.6, 0.0, -0.8])
    for i, eta in enumerate((0.02, 0.1)):
        path = USAM(eta, 0.05).run(valley.gradient, np.append(3 * direction, 1.0), 100)
        plane = np.stack([path[:, :-1] @ direction, path[:, -1]], axis=1)
        np.testing.assert_allclose(study.paths[i, 1], plane, atol=1e-9)


def test_the_table_is_made_of_the_runs(study):
    assert list(zip(study.learning_rate, study.rho, strict=True)) == [
        (eta, rho) for eta in (0.02, 0.1) for rho in (0.0, 0.05, 0.2)
    ]
    for row in range(6):
        i, j = divmod(row, 3)
        reached = study.losses[i, j] <= 1e-12
        assert study.converged[row] == reached.sum()
        assert study.diverged[row] == np.sum(~np.isfinite(study.losses[i, j]))
        traces = study.traces[i, j][reached]
        np.testing.assert_allclose(
            [study.trace_low[row], study.trace[row], study.trace_high[row]],
            np.percentile(traces, [25, 50, 75]),
        )
        both = reached & (study.losses[i, 0] <= 1e-12)
        assert study.flatter[row] == np.mean(study.traces[i, j][both] < study.traces[i, 0][both])
        assert study.ratio[row] == pytest.approx(np.median((study.traces[i, j] / study.traces[i, 0])[both]))
    assert np.all(study.ratio[[0, 3]] == 1)


def test_sharpness_aware_minima_are_flatter_and_never_too_sharp():
    """Twenty starts, the default grid: what the study is there to show."""
    study = valley_study(steps=3000)
    assert study.traces.shape == (4, 6, 20)
    assert np.nanmax(study.sharpest / study.sharpest_stable) <= 1 + 1e-6
    ratios = study.ratios()[:, 1:]
    ratios = ratios[np.isfinite(ratios)]
    assert np.mean(ratios < 1) > 0.9
    # the smaller the steps and rho, the nearer to the limit of small steps, where it is always so
    limit = study.flow_traces[1, :] / study.flow_traces[0, :]
    assert np.all(limit < 1)
    ended = np.isfinite(study.ratios()[0, 1])
    assert ended.sum() >= 19
    np.testing.assert_allclose(study.ratios()[0, 1][ended], limit[ended], rtol=0.01)
    assert "flatter than gradient descent's in 9" in study.headline()


def test_small_steps_end_where_the_study_says_they_would():
    study = valley_study([0.001], [0.0, 0.1], n_starts=4, dimension=3, steps=20_000)
    reached = study.reached[0]
    assert reached.sum() >= 4
    np.testing.assert_allclose(study.traces[0][reached], study.flow_traces[reached], rtol=0.01)


def test_the_result(study, tmp_path):
    assert isinstance(study, ValleyStudy)
    assert study == valley_study(**SMALL)
    assert study != valley_study(**SMALL, random_state=1)
    assert list(study.frame().columns) == list(study.columns)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "paths.png", "trace.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["table"]["trace"] == study.trace.tolist()
    assert "sharpest stable" in str(study)


def test_gradient_descent_is_always_there():
    study = valley_study([0.05], [0.1], n_starts=2, dimension=2)
    assert study.rho.tolist() == [0.0, 0.1]


def test_where_nothing_reaches_a_minimum():
    study = valley_study([5.0], [1.0], n_starts=3)
    assert study.converged.sum() == 0
    assert np.isnan(study.trace).all()
    assert np.isnan(study.sharpest).all()
    assert "0 of 6 runs reached a minimum, 6 diverged" in study.headline()
    assert valley_study([1e-9], n_starts=2, steps=3).diverged.sum() == 0


def test_a_study_stopped_midway_goes_on(tmp_path, study):
    assert valley_study(**SMALL, out=tmp_path) == study
    kept = sorted(path.name for path in (tmp_path / PARTS).iterdir())
    assert len(kept) == 2
    (tmp_path / PARTS / kept[0]).unlink()
    assert valley_study(**SMALL, out=tmp_path) == study
    with pytest.raises(ValueError, match="dimension"):
        valley_study(**{**SMALL, "dimension": 5}, out=tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rates": 0.1}, TypeError, "learning_rates must be a sequence"),
        ({"learning_rates": []}, ValueError, "learning_rates is empty"),
        ({"learning_rates": [0.0]}, ValueError, "each of learning_rates must be finite and greater than 0"),
        ({"rhos": [-1.0]}, ValueError, "each of rhos must be finite and at least 0"),
        ({"rhos": "abc"}, TypeError, "rhos must be a sequence"),
        ({"n_starts": 0}, ValueError, "n_starts must be at least 1"),
        ({"dimension": 0}, ValueError, "dimension must be at least 1"),
        ({"steps": 1.5}, TypeError, "steps must be an integer"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
    ],
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        valley_study(**options)


def test_pictures(study, axes):
    assert study.plot(axes) is axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[0] == "gradient descent"
    assert "learning rate 0.1" in axes.get_title()
    path = next(line for line in axes.lines if line.get_label() == "gradient descent")
    np.testing.assert_array_equal(np.transpose(path.get_data()), study.paths[1, 0])
    assert any("leaves the picture" in label for label in labels)  # rho = 0.2 does, at this rate
    axes.clear()
    study.plot(axes, learning_rate=0.02)
    assert "learning rate 0.02" in axes.get_title()
    axes.clear()
    study.plot(axes, picture="trace")
    assert "relative to gradient descent" in axes.get_ylabel()
    assert "infinitely small steps" in [text.get_text() for text in axes.get_legend().get_texts()]
    axes.clear()
    valley_study([5.0], [1.0], n_starts=3).plot(axes, picture="trace")  # without a single run that ended
    with pytest.raises(ValueError, match="picture must be"):
        study.plot(axes, picture="loss")
    with pytest.raises(ValueError, match=r"at learning rates 0\.02, 0\.1, not at 0\.3"):
        study.plot(axes, learning_rate=0.3)


def test_command(capsys, tmp_path, study):
    folder = tmp_path / "valley"
    words = [
        "--dimension",
        "4",
        "--starts",
        "8",
        "--learning-rates",
        "0.02",
        "0.1",
        "--rhos",
        "0.05",
        "0.2",
        "--steps",
        "2000",
    ]
    assert main(["study", "valley", *words, "--out", str(folder), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["table"]["trace"] == study.trace.tolist()
    assert {path.name for path in folder.iterdir()} > {"results.json", "paths.png", "trace.png"}
    shutil.rmtree(folder)
    assert main(["study", "valley", "--rhos", "-1"]) == 2
    assert "rhos must be finite and at least 0" in capsys.readouterr().err
