"""The display of teachers and students draws what it is given, and refuses the rest."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib.lab.studies.feature_learning.pictures import FeatureLearningDisplay

CURVE = ([1.0, 2.0, 4.0], [0.4, 0.2, 0.1], [0.01, 0.01, 0.01])
PATHS = SimpleNamespace(
    scale=0.1,
    points=np.array([[[0.1, 0.0], [0.0, 0.1]], [[1.5, 0.0], [0.0, 0.2]]]),
    signs=np.array([1.0, -1.0]),
    teacher=np.array([[1.0, 0.0]]),
    teacher_signs=np.array([1.0]),
)
DISPLAY = FeatureLearningDisplay(
    paths={"small": PATHS, "large": PATHS},
    scale={"student": CURVE, "best": (*CURVE[:2], [0.0, 0.0, 0.0])},
    width={"a": CURVE, "b": CURVE},
    limit={"early": CURVE},
    laws={16: ([-1.0, 0.0, 1.0], [0.0, 0.5, 1.0]), 64: ([-1.0, 0.0, 1.0], [0.0, 0.4, 1.0])},
    levels={"scale": {"tangent model": 0.5}, "width": {"kernel": 0.3}},
    reference_width=64,
)


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_paths_are_side_by_side(axes):
    assert DISPLAY.plot(axes).ax_ is axes
    panels = axes.child_axes
    assert len(panels) == 2
    ends = [line.get_xydata()[-1].tolist() for line in panels[0].lines]
    assert [1.5, 0.0] in ends
    assert panels[0].get_xlim()[1] > 1.5
    assert panels[0].get_title() == "weights of scale 0.1 at the start"
    assert labels(axes)[0] == "teacher"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("scale", {"student", "best", "tangent model"}),
        ("width", {"a", "b", "kernel"}),
        ("limit", {"early", r"$\propto (1/m + 1/M)^{1/2}$"}),
        ("laws", {"width 16", "width 64"}),
    ],
)
def test_curves(axes, what, expected):
    DISPLAY.plot(axes, what=what)
    assert set(labels(axes)) == expected
    drawn = axes.lines[0].get_xydata()
    assert drawn.shape == (3, 2)
    if what == "limit":
        guide = axes.lines[-2].get_xydata()[:, 1]
        np.testing.assert_allclose(guide[0] / guide[2], np.sqrt((1 + 1 / 64) / (1 / 4 + 1 / 64)))


def test_what_cannot_be_drawn():
    for arguments, message in (
        (([1, 2], [1], [0, 0]), "of one length"),
        (([], [], []), "of one length"),
        (([0, 1], [1, 1], [0, 0]), "must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            FeatureLearningDisplay(scale={"student": arguments})
    display = FeatureLearningDisplay(scale={"student": CURVE})
    assert display.kinds == ("scale",)
    with pytest.raises(ValueError, match="what must be one of"):
        display.plot(what="speed")
    with pytest.raises(ValueError, match="nothing for 'paths'"):
        display.plot()
