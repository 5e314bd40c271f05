"""The criterion of lazy training at scaled weights: powers, limits, and the step that is taken."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.lab.parts import PARTS, announcing
from ntklib.lab.studies import HomogeneityStudy, homogeneity_study

X = np.random.default_rng(1).normal(size=(4, 3))
y = np.array([1.0, -1.0, 0.5, 0.2])
SMALL = {"X": X, "y": y, "factors": (0.5, 1.0, 4.0), "width": 6}
DEGREES = {(1, 1): 2, (2, 1): 3, (3, 1): 4, (1, 2): 3, (2, 2): 7, (3, 2): 15}


@pytest.fixture(scope="module")
def study():
    return homogeneity_study(**SMALL)


def test_symmetric_networks_get_lazy_as_predicted(study):
    assert study.largest_deviation < 1e-6
    for (depth, degree), q in DEGREES.items():
        rows = study.rows(depth, degree, "symmetric")
        assert (study.q[rows] == q).all()
        np.testing.assert_allclose(study.slope[rows][1:], -q, atol=1e-5)
        assert not study.limit[rows].any()


def test_plain_networks_do_not(study):
    """Lecture notes have the criterion tend to 0 for these, too."""
    for (depth, degree), q in DEGREES.items():
        rows = study.rows(depth, degree, "plain")
        kappa, limit = study.kappa[rows], study.limit[rows][0]
        assert limit > 0.01
        # |a h - y| is at most |y| from |a h|, and |y| at most |h - y| + |h|
        reach = np.array([0.5, 1.0, 4.0]) ** -q * (kappa[1] + limit)
        assert (np.abs(kappa - limit) <= reach * (1 + 1e-6)).all()


def test_a_step_shows_it(study):
    """Where the criterion is small, the differential changes much less than the loss."""
    for (depth, degree), q in DEGREES.items():
        rows = study.rows(depth, degree, "symmetric")[1:]
        ratio = study.differential_change[rows] / study.loss_change[rows]
        assert (np.log(ratio[1] / ratio[0]) / np.log(4) + q) < 0.3
    small = (study.kappa < 0.01) & (study.start == "symmetric")
    assert small.any()
    assert (study.differential_change[small] < 0.01 * study.loss_change[small]).all()


def test_a_study_stopped_midway_goes_on(tmp_path):
    options = {**SMALL, "depths": [1], "degrees": [1]}
    said = []
    with announcing(said.append):
        homogeneity_study(**options, out=tmp_path)
    assert len(list((tmp_path / PARTS).iterdir())) == 2
    options["depths"] = [1, 2]
    with announcing(said.append):
        resumed = homogeneity_study(**options, out=tmp_path)
    assert resumed == homogeneity_study(**options)
    assert [line.split(", about")[0] for line in said] == ["homogeneity: 2 networks at 3 factors"] * 2
    with pytest.raises(ValueError, match="width was 6, is 7"):
        homogeneity_study(**{**options, "width": 7}, out=tmp_path)


def test_the_result(study, tmp_path):
    assert isinstance(study, HomogeneityStudy)
    assert "depth 3, degree 2, q = 15" in study.headline()
    assert "searched from the same random starts at every factor" in study.headline()
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "symmetric.png", "plain.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["networks"]["depth 1, degree 1"].startswith("MLP(")
    assert np.isinf(study.kappa_upper[study.depth > 1]).all()
    flat = study.depth == 1
    assert (study.kappa_upper[flat] >= study.kappa[flat]).all()


def test_pictures(study):
    ax = plt.figure().add_subplot()
    study.plot(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == 7
    assert labels[-1].startswith("predicted")
    ax = plt.figure().add_subplot()
    study.plot(ax, picture="plain")
    assert any("limit" in text.get_text() for text in ax.get_legend().get_texts())
    with pytest.raises(ValueError, match="picture must be one of 'symmetric', 'plain'"):
        study.plot(picture="odd")
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"factors": (1.0,)}, ValueError, "at least 2 different"),
        ({"factors": (0.0, 1.0)}, ValueError, "greater than 0"),
        ({"factors": (1e-200, 1.0)}, ValueError, "depth 1 at factor 1e-200: .* nearer to 1"),
        ({"factors": 2.0}, TypeError, "sequence of numbers"),
        ({"depths": 2}, TypeError, "sequence of integers"),
        ({"depths": ()}, ValueError, "depths is empty"),
        ({"degrees": (0,)}, ValueError, "at least 1"),
        ({"y": y[:2]}, ValueError, "y must have shape"),
        ({"width": 0}, ValueError, "width must be"),
    ],
    ids=str,
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        homogeneity_study(**{**SMALL, **options})
