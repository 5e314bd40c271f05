"""Gradients and steps against width: formulas written out, exact expectations, predicted powers."""

import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ntklib import NTK
from ntklib.dynamics import USAM, Adam, GradientDescent, Momentum, Muon, SignDescent
from ntklib.lab.cli import main
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import ParameterizationStudy, parameterization_study, predicted_powers
from ntklib.lab.studies.parameterization._best_step import DIVERGED, best_steps
from ntklib.networks import MLP, TwoLayerNet

RNG = np.random.default_rng(3)
X = RNG.normal(size=(8, 4)) / 2
Y = np.sin(2 * X[:, 0]) + X[:, 1]
SMALL = {"widths": (16, 64), "n_draws": 3, "steps": 5, "random_state": 2}
NAMES = ("standard", "ntk", "mean_field", "mup")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def study(folder):
    return parameterization_study(X, Y, **SMALL, out=folder)


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


class Naive:
    """The two-layer ReLU network, written out: f = a v . relu(W x), with step multipliers."""

    def __init__(self, name, width, draw, seed=2):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(width, draw)))
        W, v = rng.standard_normal((width, 4)), rng.standard_normal(width)
        m = width
        self.W = W
        self.v = v * {"standard": m**-0.5, "ntk": 1, "mean_field": 1, "mup": 1 / m}[name]
        self.a = {"standard": 1, "ntk": m**-0.5, "mean_field": 1 / m, "mup": 1}[name]
        self.steps = {"standard": (1, 1), "ntk": (1, 1), "mean_field": (m, m), "mup": (m, 1 / m)}[name]

    def features(self):
        z = X @ self.W.T
        first = self.a * ((z > 0) * self.v)[:, :, None] * X[:, None, :]
        return first, self.a * np.maximum(z, 0)

    def gradients(self, c):
        first, last = self.features()
        return np.einsum("i,ird->rd", c, first), c @ last

    def kernel(self):
        first, last = (part.reshape(len(X), -1) for part in self.features())
        return self.steps[0] * first @ first.T + self.steps[1] * last @ last.T

    def outputs(self):
        return self.a * np.maximum(X @ self.W.T, 0) @ self.v

    def loss_left(self, rate, steps):
        target = self.outputs() + Y
        for _ in range(steps):
            G, g = self.gradients(self.outputs() - target)
            self.W = self.W - rate * self.steps[0] * G
            self.v = self.v - rate * self.steps[1] * g
        return np.sum((self.outputs() - target) ** 2) / np.sum(Y**2)


def test_every_draw_is_what_the_formulas_give():
    study = parameterization_study(X, Y, **{**SMALL, "steps": 0}, parameterizations=NAMES)
    for row, (name, width) in enumerate(zip(study.parameterization, study.width, strict=True)):
        for draw in range(3):
            net = Naive(name, int(width), draw)
            G, g = net.gradients(-Y)
            largest = 2 / np.linalg.eigvalsh(net.kernel())[-1]
            entry = np.sqrt(np.mean(G**2))
            expected = {
                "first_entry": entry,
                "norm_0": np.linalg.norm(G),
                "norm_1": np.linalg.norm(g),
                "largest_step": largest,
                "first_change": largest * net.steps[0] * entry / np.sqrt(np.mean(net.W**2)),
            }
            for quantity, value in expected.items():
                assert study.draws[quantity][row, draw] == pytest.approx(value, rel=1e-9), (name, quantity)


def test_means_and_standard_errors_are_those_of_the_draws(study):
    for row in range(len(study.width)):
        squares = study.draws["norm_0"][row] ** 2
        assert study.first_norm[row] ** 2 == pytest.approx(squares.mean())
        error = squares.std(ddof=1) / np.sqrt(3) / (2 * study.first_norm[row])
        assert study.standard_errors["norm_0"][row] == pytest.approx(error)
        eigenvalues = 2 / study.draws["largest_step"][row]
        assert study.largest_step[row] == pytest.approx(2 / eigenvalues.mean())
        error = eigenvalues.std(ddof=1) / np.sqrt(3) / eigenvalues.mean() * study.largest_step[row]
        assert study.standard_errors["largest_step"][row] == pytest.approx(error)
        logs = np.log(study.draws["best_step"][row])
        assert study.best_step[row] == pytest.approx(np.exp(logs.mean()))
        error = logs.std(ddof=1) / np.sqrt(3) * study.best_step[row]
        assert study.standard_errors["best_step"][row] == pytest.approx(error)


def test_the_sweep_is_made_of_trainings(study):
    for row, (name, width) in enumerate(zip(study.parameterization, study.width, strict=True)):
        rates, losses = study.sweeps[row].T
        np.testing.assert_allclose(np.log2(rates) * 2, np.round(np.log2(rates) * 2), atol=1e-9)
        for rate, loss in zip(rates[::3], losses[::3], strict=True):
            left = [Naive(name, int(width), draw).loss_left(rate, 5) for draw in range(3)]
            assert loss == pytest.approx(np.exp(np.mean(np.log(np.minimum(left, DIVERGED)))), rel=1e-2)
        for draw in range(3):
            best = study.draws["best_step"][row, draw]
            least = Naive(name, int(width), draw).loss_left(best, 5)
            near = [Naive(name, int(width), draw).loss_left(rate, 5) for rate in rates]
            assert least <= min(near) * 1.01


def test_a_sweep_that_begins_elsewhere_finds_its_way():
    net = TwoLayerNet(64)
    starts = [net.init(4, seed, dtype=np.float32) for seed in range(2)]
    usual = best_steps(net, starts, X, Y, 0.5, 5)[2]
    for limit in (0.5 / 200, 0.5 * 200):
        np.testing.assert_allclose(best_steps(net, starts, X, Y, limit, 5)[2], usual, rtol=0.03)


def test_an_interruption_is_no_divergence(monkeypatch, tmp_path):
    def interrupted(self, k):
        raise KeyboardInterrupt

    monkeypatch.setattr(GradientDescent, "_rule", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parameterization_study(np.eye(4), np.arange(4.0), [8, 16], n_draws=2, steps=3, out=tmp_path)
    assert not list(tmp_path.rglob("*.npz"))


def test_norms_have_their_exact_expectations():
    """|J_l^T y|^2 = y^T Theta_l y, whose mean is the analytic kernel at any width for one hidden layer."""
    study = parameterization_study(X, Y, (32, 64), n_draws=150, steps=0, random_state=1)
    assert np.isnan(study.best_step).all()
    assert study.rescaling is None
    for layer, values in ((0, study.first_norm), (1, study.output_norm)):
        exact = np.sqrt(Y @ NTK(1, trainable=(layer,))(X) @ Y)
        for row, (name, width) in enumerate(zip(study.parameterization, study.width, strict=True)):
            power = {"standard": (0, 0.5), "ntk": (0, 0), "mup": (-0.5, 0.5)}[name][layer]
            error = study.standard_errors[f"norm_{layer}"][row]
            assert abs(values[row] - exact * width**power) < 5 * error
            assert error < 0.05 * values[row]


@pytest.mark.parametrize(
    ("options", "widths"),
    [
        ({}, (256, 512, 1024)),
        ({"activation": "tanh", "bias_std": 0.3}, (256, 512, 1024)),
        ({"symmetric": True, "output_init": "rademacher"}, (256, 512)),
        ({"widths": (1, 1), "weight_std": 1.4}, (128, 256, 512)),
    ],
    ids=str,
)
def test_powers_are_those_predicted(options, widths):
    net = MLP(**options) if "widths" in options else TwoLayerNet(**options)
    study = parameterization_study(
        X, Y, widths, network=net, n_draws=10, steps=0, parameterizations=NAMES, random_state=4
    )
    assert len(study.laws) == 4 * (4 + net.depth)
    for law in study.laws:
        assert abs(law.z) < 5, str(law)
        assert law.fitted.standard_error < 0.15, str(law)
    assert study.hidden_norms.shape == (4 * len(widths), net.depth - 1)


def test_powers_of_the_best_step():
    study = parameterization_study(X, Y, (128, 1024), n_draws=4, steps=5, random_state=4)
    for name in study.parameterizations:
        law = study.law(name, "best_step")
        assert abs(law.z) < 5, str(law)
        assert law.fitted.standard_error < 0.15, str(law)


OTHERS = [
    Momentum(momentum=0.5),
    Adam(),
    SignDescent(),
    SignDescent(normalized=False),
    Muon(),
    Muon(normalized=False),
    USAM(),
]

# the step that changes the outputs by their size, in networks of one and of two hidden layers
UNIT_STEPS = {
    "gradient": {"standard": (-1, -1), "ntk": (0, 0), "mean_field": (0, 0), "mup": (0, 0)},
    "entrywise": {"standard": (-1, -1.5), "ntk": (-0.5, -1), "mean_field": (0, 0), "mup": (0, 0)},
    "orthogonal": {"standard": (-0.5, -0.5), "ntk": (0, 0), "mean_field": (0, 0), "mup": (0, 0)},
    "max_norm": {"standard": (-2, -3), "ntk": (-1, -2), "mean_field": (0, 0), "mup": (0, 0)},
}


@pytest.mark.parametrize(
    ("optimizer", "depth"),
    [(optimizer, 1) for optimizer in OTHERS] + [(optimizer, 2) for optimizer in OTHERS[1:4]],
    ids=str,
)
def test_powers_of_other_optimisers(optimizer, depth):
    widths = (128, 256, 512)
    options = {"n_draws": 6, "steps": 0, "parameterizations": NAMES, "random_state": 4}
    net = MLP((1,) * depth, weight_std=1.4)
    study = parameterization_study(X, Y, widths, network=net, optimizer=optimizer, **options)
    assert np.isnan(study.largest_step).all()
    for name in NAMES:
        law = study.law(name, "unit_step")
        assert law.predicted == UNIT_STEPS[optimizer.step_family][name][depth - 1]
        # elsewhere layers whose part grows more slowly with the width count while it is small
        tolerance = 0.12 if name in ("mup", "mean_field") else 0.25
        assert abs(law.fitted.exponent - law.predicted) < tolerance, str(law)
        law = study.law(name, "first_change")
        assert abs(law.fitted.exponent - law.predicted) < tolerance, str(law)


def test_the_unit_step_of_adam_is_that_of_signs():
    """Adam's first step is the sign of the gradient; what it changes of the outputs, by the definition."""
    study = parameterization_study(X, Y, **{**SMALL, "steps": 0}, optimizer="adam", parameterizations=NAMES)
    for row, (name, width) in enumerate(zip(study.parameterization, study.width, strict=True)):
        for draw in range(3):
            net, m = Naive(name, int(width), draw), int(width)
            steps = (1, 1 / m if name == "mup" else 1)
            first, last = net.features()
            G, g = net.gradients(-Y)
            moved = steps[0] * np.einsum("ird,rd->i", first, np.sign(G)) + steps[1] * last @ np.sign(g)
            expected = np.linalg.norm(Y) / np.linalg.norm(moved)
            assert study.draws["unit_step"][row, draw] == pytest.approx(expected, rel=1e-3)
            # signs of 0 are 0: units that are never active
            change = expected * steps[0] * np.sqrt(np.mean(np.sign(G) ** 2) / np.mean(net.W**2))
            assert study.draws["first_change"][row, draw] == pytest.approx(change, rel=1e-3)


def test_adam_carries_over_as_gradient_descent_does():
    options = {"widths": (64, 256), "n_draws": 2, "steps": 10, "random_state": 1, "parameterizations": NAMES}
    study = parameterization_study(X, Y, **options, optimizer=Adam(epsilon=1e-3))
    assert study.optimizer == "Adam(betas=(0.9, 0.999), epsilon=0.001)"
    assert study.optimizer in str(study)
    assert list(study.table())[5:] == ["unit_step", "best_step", "first_change"]
    powers = {name: study.law(name, "best_step").fitted.exponent for name in NAMES}
    assert powers == pytest.approx({"standard": -1, "ntk": -0.5, "mean_field": 0, "mup": 0}, abs=0.25)
    labels = [text.get_text() for text in study.plot().get_legend().get_texts()]
    assert any(label.startswith("mup, unit") for label in labels)
    assert "unit step" in study.plot(picture="change").get_ylabel()
    plt.close("all")


def test_the_optimiser_is_a_setting(tmp_path):
    options = {**SMALL, "steps": 0, "parameterizations": ["mup"]}
    parameterization_study(X, Y, **options, optimizer=SignDescent(0.1), out=tmp_path)
    parameterization_study(X, Y, **options, optimizer=SignDescent(0.2), out=tmp_path)  # it is varied
    with pytest.raises(ValueError, match="optimizer"):
        parameterization_study(X, Y, **options, optimizer="adam", out=tmp_path)


def test_an_unknown_family_is_refused():
    class Mistaken(GradientDescent):
        step_family = "adam"

    with pytest.raises(ValueError, match="step_family must be one of"):
        parameterization_study(X, Y, **SMALL, optimizer=Mistaken())


# entries of the first layer's gradient, norms of first, hidden and output layers, step, change of the first
TABLE = {
    "standard": (-0.5, 0.0, 0.5, 0.5, -1.0, -1.5),
    "ntk": (-0.5, 0.0, 0.0, 0.0, 0.0, -0.5),
    "mean_field": (-1.0, -0.5, -0.5, -0.5, 0.0, 0.0),
    "mup": (-1.0, -0.5, 0.0, 0.5, 0.0, 0.0),
}


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_predictions(name, depth):
    entry, first, hidden, last, step, change = TABLE[name]
    powers = predicted_powers(MLP((7,) * depth, parameterization=name, bias_std=0.1, input_scaling="fan_in"))
    assert powers == {
        "first_entry": entry,
        "norm_0": first,
        **{f"norm_{layer}": hidden for layer in range(1, depth)},
        f"norm_{depth}": last,
        "largest_step": step,
        "best_step": step,
        "first_change": change,
    }


def test_the_result(study, tmp_path):
    assert isinstance(study, ParameterizationStudy)
    assert study.parameterizations == ("standard", "ntk", "mup")
    assert study.frame().shape == (6, 8)
    text = str(study)
    assert "fitted +- standard error (predicted)" in text
    assert "orthogonalised: outputs go apart" in text
    assert "predicted -0.5" in str(study.law("ntk", "first_entry"))
    with pytest.raises(KeyError, match="no law of 'width' in 'ntk'; there are first_entry"):
        study.law("ntk", "width")
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files >= {"results.json", "results.csv", "steps.png", "sweep-mup.png", "rescaled-Adam.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["table"]["best_step"] == study.best_step.tolist()
    assert content["laws"][0]["fitted"]["exponent"] == study.laws[0].fitted.exponent
    smooth = parameterization_study(X, Y, (16, 64), n_draws=2, steps=1, network=TwoLayerNet(activation="erf"))
    assert smooth.rescaling is None
    assert set(smooth.pictures) < set(study.pictures)
    still = parameterization_study(X, Y, (16, 64), n_draws=2, steps=0)
    assert still.pictures == ("steps", "entries", "norms", "change")
    assert len(still.plot(plt.figure().add_subplot()).get_legend().get_texts()) == 3
    plt.close("all")
    assert "best_step" not in {law.quantity for law in still.laws}


def test_a_study_stopped_midway_goes_on(tmp_path, folder, study):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    kept = sorted(path.name for path in (tmp_path / PARTS).iterdir())
    assert len(kept) == 6 + 4
    for name in (kept[0], kept[-1]):
        (tmp_path / PARTS / name).unlink()
    assert parameterization_study(X, Y, **SMALL, out=tmp_path) == study
    with pytest.raises(ValueError, match="n_draws"):
        parameterization_study(X, Y, **{**SMALL, "n_draws": 4}, out=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((X, Y[:-1]), {}, ValueError, r"y must have shape \(8,\)"),
        ((X, np.zeros(8)), {}, ValueError, "0 everywhere"),
        ((X, np.full(8, np.nan)), {}, ValueError, "y contains NaN"),
        ((X, Y, 64), {}, TypeError, "widths must be a sequence"),
        ((X, Y, [64]), {}, ValueError, "at least 2 different"),
        ((X, Y), {"network": TwoLayerNet(n_outputs=2)}, ValueError, "n_outputs=1"),
        ((X, Y), {"network": TwoLayerNet(trainable="hidden")}, ValueError, "trainable='all'"),
        ((X, Y), {"parameterizations": "ntk"}, TypeError, "parameterizations must be a sequence"),
        ((X, Y), {"parameterizations": ["lazy"]}, ValueError, "each of parameterizations must be one of"),
        ((X, Y), {"parameterizations": []}, ValueError, "parameterizations is empty"),
        ((0 * X, Y), {}, ValueError, "outputs have no gradient on these rows"),
        ((0 * X, Y), {"optimizer": "adam"}, ValueError, "outputs have no gradient on these rows"),
        ((X, Y), {"optimizer": "adamw"}, ValueError, "optimizer must be one of 'gradient_descent'"),
        ((X, Y), {"optimizer": Adam}, ValueError, "optimizer must be one of 'gradient_descent'"),
        ((X, Y), {"optimizer": Momentum(momentum=np.sqrt)}, ValueError, "schedule of momentum"),
        ((X, Y), {"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ((X, Y), {"steps": -1}, ValueError, "steps must be at least 0"),
        ((X, Y), {"random_state": None}, TypeError, "random_state must be an integer"),
    ],
)
def test_what_cannot_be_studied(arguments, options, error, message):
    with pytest.raises(error, match=message):
        parameterization_study(*arguments, **options)


def test_pictures(study, axes):
    study.plot(axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert len(labels) == 6
    assert any("standard, best" in label and "(-1)" in label for label in labels)
    for picture, line in (("entries", "mup"), ("norms", "ntk, output layer"), ("change", "standard")):
        axes.clear()
        study.plot(axes, picture=picture)
        assert any(text.get_text().startswith(line) for text in axes.get_legend().get_texts())
    axes.clear()
    study.plot(axes, picture="sweep-ntk")
    assert "5 steps" in axes.get_ylabel()
    curve = next(line for line in axes.lines if line.get_label() == "width 16")
    np.testing.assert_array_equal(np.transpose(curve.get_data()), study.sweeps[2])
    axes.clear()
    study.plot(axes, picture="rescaled-Adam")
    assert "Adam" in axes.get_title()
    with pytest.raises(ValueError, match="picture must be one of 'steps', 'entries'"):
        study.plot(axes, picture="sweep-mean_field")


def test_command(capsys, tmp_path):
    words = ["--widths", "8", "16", "--draws", "2", "--steps", "0", "--max-samples", "12"]
    words += ["--parameterizations", "ntk", "mup", "--format", "json"]
    assert main(["study", "parameterization", *words, "--out", str(tmp_path / "study")]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["table"]["parameterization"] == ["ntk", "ntk", "mup", "mup"]
    assert (tmp_path / "study" / "steps.png").exists()
    assert content["n_samples"] == 12
    assert main(["study", "parameterization", *words, "--data", "diabetes", "--depth", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["n_features"] == 10
    assert main(["study", "parameterization", *words, "--optimizer", "adam"]) == 0
    assert json.loads(capsys.readouterr().out)["optimizer"].startswith("Adam(")
    assert main(["study", "parameterization", "--steps", "-1"]) == 2
    assert "steps must be at least 0" in capsys.readouterr().err
    assert main(["study", "parameterization", "--max-samples", "1"]) == 2
    assert "is the same in all rows that were drawn" in capsys.readouterr().err
