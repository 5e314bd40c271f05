"""The criterion of lazy training against width: the powers predicted, the draws, what is refused."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

import ntklib
from ntklib.lab.parts import PARTS, announcing
from ntklib.lab.studies import CriterionStudy, criterion_study
from ntklib.networks import MLP, TwoLayerNet
from ntklib.theory import lazy_criterion

X = np.random.default_rng(1).normal(size=(6, 4))
y = X[:, 0] - X[:, 1] ** 2
SMALL = {"X": X, "y": y, "widths": (16, 64), "n_draws": 3}


def test_powers_of_the_width():
    """|Dh| of the standard parameterisation has a part that does not grow: only wide networks show -1."""
    names = ("ntk", "standard", "mean_field")
    net = TwoLayerNet(symmetric=True)
    study = criterion_study(X, y, (1024, 4096, 16384), network=net, parameterizations=names, n_draws=6)
    for name, delta in zip(names, (0, 0.5, -0.5), strict=True):
        predicted = {"kappa": -0.5 - delta, "differential": delta, "second_derivative": delta - 0.5}
        for quantity, power in predicted.items():
            law = study.law(name, quantity)
            assert law.predicted == power
            if quantity != "second_derivative":  # of ReLU it hardly scatters at all
                assert abs(law.z) < 5, law
                assert law.fitted.standard_error < 0.05
            assert abs(law.fitted.exponent - power) < 0.1, law
    with pytest.raises(KeyError, match="no law of 'speed'"):
        study.law("ntk", "speed")


def test_draws_are_those_of_lazy_criterion():
    net = TwoLayerNet(activation="erf", bias_std=0.3, scale=3.0)
    study = criterion_study(**SMALL, network=net, random_state=4)
    for row, (name, m) in enumerate(zip(study.parameterization, study.width, strict=True)):
        rng = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(m, 1)))
        one = TwoLayerNet(m, activation="erf", bias_std=0.3, scale=3.0, parameterization=name)
        expected = lazy_criterion(one, one.init(4, rng), X, y)
        found = {key: value[row, 1] for key, value in study.draws.items()}
        assert found["kappa"] == pytest.approx(expected.kappa.lower, rel=1e-10)
        assert found["kappa_upper"] == pytest.approx(expected.kappa.upper, rel=1e-10)
        assert found["limit"] == pytest.approx(expected.limit.lower, rel=1e-10)
        assert found["residual"] == pytest.approx(expected.residual, rel=1e-10)
        assert found["differential"] == pytest.approx(expected.differential, rel=1e-10)


def test_parameterisations_share_their_draws():
    """The mixed derivative of ReLU has factor 1 in the standard parameterisation, 1/sqrt(m) in the other."""
    study = criterion_study(**SMALL, network=TwoLayerNet(symmetric=True))
    ntk, standard = np.split(study.draws["second_derivative"], 2)
    np.testing.assert_allclose(standard / ntk, np.sqrt([[16] * 3, [64] * 3]), rtol=1e-8)
    np.testing.assert_allclose(study.residual, np.linalg.norm(y))
    assert not study.limit.any()


def test_the_same_at_any_thread_count_and_after_a_stop(tmp_path):
    whole = criterion_study(**SMALL)
    with ntklib.set_threads(1):
        assert criterion_study(**SMALL) == whole
    said = []
    with announcing(said.append):
        criterion_study(**{**SMALL, "widths": (16, 32)}, out=tmp_path)
        assert len(list((tmp_path / PARTS).iterdir())) == 4
        assert criterion_study(**SMALL, out=tmp_path) == whole
    assert said[0].startswith("criterion: 12 networks, about ")
    assert said[1].startswith("criterion: 6 networks, about ")
    with pytest.raises(ValueError, match="n_draws was 3, is 4"):
        criterion_study(**{**SMALL, "n_draws": 4}, out=tmp_path)


def test_the_result(tmp_path):
    study = criterion_study(**SMALL)
    assert isinstance(study, CriterionStudy)
    assert "standard kappa" in study.headline()
    assert "between the two widest" in str(study)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "kappa.png", "parts.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["laws"][0]["predicted"] == -0.5
    np.testing.assert_allclose(study.kappa_se, study.draws["kappa"].std(axis=1, ddof=1) / np.sqrt(3))


def test_pictures():
    study = criterion_study(**SMALL)
    ax = plt.figure().add_subplot()
    study.plot(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["ntk", "standard"]
    ax = plt.figure().add_subplot()
    study.plot(ax, picture="parts")
    assert len(ax.get_legend().get_texts()) == 4
    with pytest.raises(ValueError, match="picture must be one of 'kappa', 'parts'"):
        study.plot(picture="speed")
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": MLP((4, 4))}, ValueError, "2 hidden layers"),
        ({"network": "relu"}, TypeError, "TwoLayerNet or an MLP"),
        ({"network": TwoLayerNet(4, trainable="output")}, ValueError, "trainable='all'"),
        ({"network": TwoLayerNet(4, n_outputs=2)}, ValueError, "2 outputs"),
        ({"y": y[:3]}, ValueError, "y must have shape"),
        ({"widths": (8,)}, ValueError, "at least 2 different"),
        ({"parameterizations": "ntk"}, TypeError, "sequence of names"),
        ({"parameterizations": ()}, ValueError, "empty"),
        ({"parameterizations": ("lecun",)}, ValueError, "must be one of"),
        ({"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ({"X": 0 * X}, ValueError, "Dh is 0"),
    ],
    ids=lambda value: str(value)[:30].replace("\n", " "),
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        criterion_study(**{**SMALL, **options})
