"""Networks by output scale beside their linear relatives: where they must agree, rates, resumed studies."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

import ntklib
from ntklib.kernels import RectifiedPower
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import LazyAccuracyStudy, lazy_accuracy_study
from ntklib.networks import MLP, TwoLayerNet

X, y = load_iris(return_X_y=True)
SMALL = {
    "X": X,
    "y": y,
    "scales": (0.1, 10.0),
    "network": TwoLayerNet(16),
    "n_train": 30,
    "steps": 20,
    "n_draws": 2,
}


def split_of(draw):
    """The rows of a draw, centred and scaled."""
    rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw,)))
    seed = int(rng.integers(2**31))
    A, B, a, b = train_test_split(X, y, train_size=30, stratify=y, random_state=seed)
    center, size = A.mean(axis=0), np.sqrt(np.mean(np.sum((A - A.mean(axis=0)) ** 2, axis=1)))
    return (A - center) / size, (B - center) / size, a, b, rng


def heavy_ball(step, start, steps, rate, momentum=0.9):
    """Iterate, from rest."""
    now, velocity = start, 0 * start
    for _ in range(steps):
        velocity = momentum * velocity - rate * step(now)
        now = now + velocity
    return now


def test_linear_models_are_trained_by_the_same_steps():
    """Kernels in function space, the tangent model by its Jacobian in parameter space."""
    study = lazy_accuracy_study(**SMALL)
    accuracies = {name: [] for name in study.linear_models}
    for draw in range(2):
        A, B, a, b, rng = split_of(draw)
        T = np.eye(3)[a] - 1 / 3
        net = TwoLayerNet(16, n_outputs=3, symmetric=True)
        params = net.init(4, rng, dtype=np.float32)
        limit = net.set_params(n_outputs=1).limit_kernel()
        net.set_params(n_outputs=3)
        rate = 1 / np.linalg.eigvalsh(limit(A))[-1]
        if draw == 0:
            assert study.learning_rate == pytest.approx(rate)
        features = net.nngp(params, B, A), net.nngp(params, A)
        for name, (across, K) in {"ntk": (limit(B, A), limit(A)), "random_features": features}.items():
            dual = heavy_ball(lambda c, K=K, T=T: K @ c - T, 0 * T, 20, rate)
            accuracies[name].append(np.mean((across @ dual).argmax(axis=1) == b))
        J, J_test = (net.jacobian(params, rows).reshape(len(rows) * 3, -1) for rows in (A, B))
        move = heavy_ball(lambda v, J=J, T=T: J.T @ (J @ v - T.ravel()), np.zeros(J.shape[1]), 20, rate)
        accuracies["tangent"].append(np.mean((J_test @ move).reshape(-1, 3).argmax(axis=1) == b))
    for name, model in study.linear_models.items():
        assert model.accuracy == pytest.approx(np.mean(accuracies[name])), name


def test_a_network_that_trains_its_output_layer_only_is_all_three():
    study = lazy_accuracy_study(
        **{**SMALL, "scales": (1, 10), "network": TwoLayerNet(400, trainable="output")}
    )
    assert study.distance.max() < 1e-4  # trained in single precision
    assert study.agreement.min() > 0.99
    assert (study.sign_changes == 0).all()
    tangent, features = study.linear_models["tangent"], study.linear_models["random_features"]
    assert tangent.accuracy == features.accuracy
    assert tangent.loss == pytest.approx(features.loss)
    np.testing.assert_allclose(study.advantage, 0, atol=0.01)


@pytest.mark.parametrize(
    "network", [TwoLayerNet(32, activation="erf"), MLP((64, 64), activation="erf")], ids=str
)
def test_lazy_networks_tend_to_their_tangent_models_at_the_known_rates(network):
    """Scaled up, parameters move like 1/alpha, outputs differ by 1/alpha^2 thanks to the symmetric start."""
    study = lazy_accuracy_study(**{**SMALL, "scales": (3.0, 30.0), "network": network})
    rates = ("movement", "distance", "kernel")
    slopes = {name: np.log10(study.draws[name][1] / study.draws[name][0]) for name in rates}
    np.testing.assert_allclose(slopes["movement"], -1, atol=0.02)
    np.testing.assert_allclose(slopes["distance"], -2, atol=0.1)
    np.testing.assert_allclose(slopes["kernel"], -2, atol=0.1)
    assert (study.draws["agreement"][1] == 1).all()


def test_scaled_down_networks_learn_features():
    study = lazy_accuracy_study(
        X, y, (0.01, 0.1, 1.0, 10.0), network=TwoLayerNet(64), n_train=75, steps=200, n_draws=2
    )
    for name in ("sign_changes", "kernel", "movement", "distance"):
        assert (np.diff(getattr(study, name)) < 0).all(), name
    assert study.sign_changes[0] > 0.15
    assert study.sign_changes[-1] < 0.02
    assert study.loss.max() < 0.4
    assert study.accuracy.min() > 0.8
    assert study.linear_models["ntk"].accuracy > 0.85


def bytes_of(study):
    return json.dumps(study.to_dict(), sort_keys=True)


def test_the_same_bytes_at_any_thread_count():
    found = set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            found.add(bytes_of(lazy_accuracy_study(**SMALL)))
    assert len(found) == 1


class Counted(TwoLayerNet):
    """Counts its draws, and is interrupted at one of them."""

    __init__ = TwoLayerNet.__init__
    drawn, stop = 0, None

    def init(self, *arguments, **options):
        type(self).drawn += 1
        if self.drawn == self.stop:
            raise KeyboardInterrupt
        return super().init(*arguments, **options)


def test_a_study_stopped_midway_goes_on(tmp_path, monkeypatch):
    options = {**SMALL, "network": Counted(16)}
    whole = lazy_accuracy_study(**options)
    monkeypatch.setattr(Counted, "drawn", 0)
    monkeypatch.setattr(Counted, "stop", 2)
    with pytest.raises(KeyboardInterrupt):
        lazy_accuracy_study(**options, out=tmp_path)
    assert [path.name for path in (tmp_path / PARTS).iterdir()] == ["lazy-accuracy-draw-0.npz"]
    monkeypatch.setattr(Counted, "stop", None)
    monkeypatch.setattr(Counted, "drawn", 0)
    assert lazy_accuracy_study(**options, out=tmp_path) == whole
    assert Counted.drawn == 1
    lazy_accuracy_study(**{**options, "n_draws": 3}, out=tmp_path)  # one more
    assert Counted.drawn == 2
    for change, message in (
        ({"random_state": 1}, "random_state was 0, is 1"),
        ({"momentum": 0.5}, "momentum was 0.9, is 0.5"),
        ({"scales": (0.1, 1.0)}, "scales was"),
        ({"y": y[::-1]}, "data was"),
        ({"network": TwoLayerNet(17)}, "network was"),
    ):
        with pytest.raises(ValueError, match=message):
            lazy_accuracy_study(**{**options, **change}, out=tmp_path)


def test_the_result(tmp_path):
    study = lazy_accuracy_study(**{**SMALL, "y": np.array(["a", "b", "c"])[y]})
    assert isinstance(study, LazyAccuracyStudy)
    assert study == lazy_accuracy_study(**SMALL)
    assert "analytic NTK" in str(study)
    assert "network at scale 0.1" in study.headline()
    assert "activations changed sign" in study.headline()
    assert (study.n_test, study.n_classes) == (120, 3)
    draws = study.draws["accuracy"]
    np.testing.assert_allclose(study.accuracy_se, np.abs(draws[:, 0] - draws[:, 1]) / 2)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "accuracy.png", "changes.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["linear_models"]["ntk"]["accuracy"] == study.linear_models["ntk"].accuracy


def test_networks_that_diverge_leave_a_gap():
    wild = TwoLayerNet(64, activation=RectifiedPower(2))
    study = lazy_accuracy_study(**{**SMALL, "scales": (1e-3, 10.0), "network": wild, "steps": 300})
    assert "nan" in study.headline()
    assert np.isnan(study.accuracy[0])
    assert np.isnan(study.sign_changes[0])
    assert np.isfinite(study.accuracy[1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"y": y[:9]}, ValueError, "a class label a row, 150"),
        ({"y": 0 * y}, ValueError, "at least two classes"),
        ({"X": 0 * X}, ValueError, "rows are equal"),
        ({"X": sparse.csr_array(X)}, TypeError, "toarray"),
        ({"scales": 3.0}, TypeError, "sequence of numbers"),
        ({"scales": []}, ValueError, "scales is empty"),
        ({"scales": [0.0]}, ValueError, "greater than 0"),
        ({"n_train": 149}, ValueError, "leaves too few to test on"),
        ({"n_train": 2}, ValueError, "n_train must be at least 3"),
        ({"momentum": 1.0}, ValueError, "less than 1"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ({"network": TwoLayerNet(8, parameterization="standard")}, ValueError, "no limit kernel"),
    ],
    ids=lambda value: str(value)[:30].replace("\n", " "),
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        lazy_accuracy_study(**{**SMALL, **options})


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_pictures(axes):
    study = lazy_accuracy_study(**SMALL)
    study.plot(axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == [
        "tangent model",
        "analytic NTK",
        "random features",
        "network",
    ]
    fresh = study.plot(plt.figure().add_subplot(), picture="changes")
    assert len(fresh.lines) == 4
    assert fresh.get_yscale() == "log"
    with pytest.raises(ValueError, match="picture must be one of 'accuracy', 'changes'"):
        study.plot(picture="speed")


def test_half_of_few_rows_are_for_training():
    assert lazy_accuracy_study(**{**SMALL, "n_train": None}).n_train == 75
