"""Networks against tangent models: both sides followed by hand, the rates of their gaps, resumed studies."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import sparse

import ntklib
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import LinearizationStudy, linearization_study
from ntklib.lab.studies.linearization.study import NETWORK
from ntklib.networks import MLP, TwoLayerNet

rng = np.random.default_rng(3)
X = rng.normal(size=(8, 3))
y = np.sign(X[:, 0] * X[:, 1]) + 0.3 * X[:, 2]
X_TEST = rng.normal(size=(4, 3))
SMALL = {"X": X, "y": y, "widths": (8, 32), "steps": 6, "n_draws": 3}


def of_law(law, exponent):
    return abs(law.exponent - exponent) < 5 * law.standard_error


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (NETWORK, (128, 1024)),
        (TwoLayerNet(activation="tanh", bias_std=0.5), (128, 1024)),
        (MLP((1, 1), activation="erf", weight_std=1.5, symmetric=True), (64, 256)),
    ],
    ids=["default", "biases", "deep"],
)
def test_smooth_networks_leave_their_tangent_models_at_the_known_rates(network, widths):
    study = linearization_study(X, y, widths, X_test=X_TEST, network=network, steps=10, n_draws=16)
    assert of_law(study.slopes["parameters"], -0.5)
    assert study.slopes["parameters"].standard_error < 0.06
    for name in ("outputs", "test_outputs", "kernel"):
        assert of_law(study.slopes[name], -1.0), name
        assert study.slopes[name].standard_error < 0.25


def test_kinks_slow_the_parameters_down_and_not_the_outputs_below_the_guarantee():
    study = linearization_study(X, y, (256, 2048), network=TwoLayerNet(symmetric=True), steps=10, n_draws=16)
    slope = study.slopes["parameters"]
    assert -0.5 + 2 * slope.standard_error < slope.exponent < -0.25 + 5 * slope.standard_error
    assert study.slopes["outputs"].exponent < -0.5
    assert (np.diff(study.sign_changes) < 0).all()


def test_mean_field_networks_leave_their_tangent_models_at_any_width():
    """The same kernel at the start, but neurons move as far as the outputs do."""
    network = TwoLayerNet(activation="erf", parameterization="mean_field", symmetric=True)
    study = linearization_study(X, y, (128, 1024), network=network, steps=10, n_draws=4)
    assert of_law(study.slopes["parameters"], 0)
    assert study.parameters.min() > 0.2


def by_hand(network, seed, targets, eta, steps):
    """Both trainings, with Jacobians: what the study measures, at every step."""
    params = network.init(3, np.random.default_rng(np.random.SeedSequence(0, spawn_key=seed)))
    shapes = network.trained_shapes(3)
    factors = np.concatenate([np.full(np.prod(s), network.step_multipliers[n]) for n, s in shapes.items()])
    start, rows = network.ravel(params), np.vstack([X, X_TEST])
    J, f0 = network.jacobian(params, rows).reshape(targets.shape[1] * 12, -1), network.apply(params, rows)
    split, wanted = len(X) * targets.shape[1], targets.ravel()
    w, v, gaps, ways, losses = start.copy(), start.copy(), [], [], []
    for _ in range(steps + 1):
        now = network.unravel(params, w)
        f, g = network.apply(now, rows).ravel(), f0.ravel() + J @ (v - start)
        pieces = [(f[:split], g[:split], f0.ravel()[:split]), (f[split:], g[split:], f0.ravel()[split:])]
        gaps.append([np.linalg.norm(a - b) for a, b, _ in pieces] + [np.linalg.norm(w - v)])
        ways.append([np.linalg.norm(b - c) for _, b, c in pieces] + [np.linalg.norm(v - start)])
        losses.append([np.sum((h[:split] - wanted) ** 2) for h in (f, g)])
        gradient = network.jacobian(now, X).reshape(split, -1).T @ (f[:split] - wanted)
        w = w - eta * factors * gradient
        v = v - eta * factors * (J[:split].T @ (g[:split] - wanted))
    kernels = [network.ntk(p, X) for p in (params, now)]
    drift = np.linalg.norm(kernels[1] - kernels[0]) / np.linalg.norm(kernels[0])
    return np.max(gaps, axis=0) / np.max(ways, axis=0), np.array(losses) / losses[0], drift, np.array(gaps)


@pytest.mark.parametrize(
    "network",
    [
        TwoLayerNet(activation="erf", bias_std=0.5),
        TwoLayerNet(symmetric=True),
        MLP((1, 1), parameterization="mean_field", trainable="hidden"),
    ],
    ids=["smooth", "relu", "deep mean field"],
)
@pytest.mark.parametrize("k", [1, 2])
def test_both_sides_are_gradient_descent(network, k):
    targets = np.stack([y, y[::-1]], axis=1)[:, :k]
    study = linearization_study(
        X, targets, (8, 32), X_test=X_TEST, network=network, steps=10, learning_rate=0.01, n_draws=2
    )
    assert study.steps.tolist() == list(range(11))
    for i, width in enumerate((8, 32)):
        wide = TwoLayerNet if network.depth == 1 else MLP
        size = {"width": width} if network.depth == 1 else {"widths": (width, width)}
        sized = wide(**{**network.get_params(), **size, "n_outputs": k})
        for draw in range(2):
            gaps, losses, drift, paths = by_hand(sized, (width, draw), targets, 0.01, 10)
            found = [study.gaps[name][i, draw] for name in ("outputs", "test_outputs", "parameters")]
            np.testing.assert_allclose(found, gaps, rtol=1e-8)
            assert study.gaps["kernel"][i, draw] == pytest.approx(drift, rel=1e-8)
            np.testing.assert_allclose(study.loss_paths[i, draw], losses[:, 0], rtol=1e-9)
            np.testing.assert_allclose(study.tangent_loss_paths[i, draw], losses[:, 1], rtol=1e-9)
            ways = paths[:, 0].max() / gaps[0]
            np.testing.assert_allclose(study.output_paths[i, draw], paths[:, 0] / ways, atol=1e-12)


def test_a_model_that_is_linear_is_its_own_tangent_model():
    study = linearization_study(X, y, (32, 128), network=TwoLayerNet(trainable="output"), steps=30, n_draws=2)
    assert max(study.outputs.max(), study.parameters.max(), study.kernel.max()) < 1e-10
    assert (study.sign_changes == 0).all()
    np.testing.assert_allclose(study.loss, study.tangent_loss, rtol=1e-8)


def test_the_step_is_half_the_largest_stable_one_at_infinite_width():
    limit = TwoLayerNet(activation="erf", input_scaling="fan_in").limit_kernel()(X)
    study = linearization_study(**SMALL)
    assert study.learning_rate == pytest.approx(1 / np.linalg.eigvalsh(limit)[-1])
    assert linearization_study(**SMALL, learning_rate=0.01).learning_rate == 0.01


def bytes_of(study):
    return json.dumps(study.to_dict(), sort_keys=True)


def test_the_same_bytes_at_any_thread_count():
    rows = np.random.default_rng(0).normal(size=(70, 9))
    options = {"widths": (64, 300), "steps": 5, "n_draws": 4, "network": TwoLayerNet(symmetric=True)}
    found = set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            found.add(bytes_of(linearization_study(rows, rows[:, 0], **options)))
    assert len(found) == 1
    assert bytes_of(linearization_study(rows, rows[:, 0], **{**options, "widths": (300, 64)})) in found


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
    options = {**SMALL, "network": Counted(1)}
    whole = linearization_study(**options)
    monkeypatch.setattr(Counted, "drawn", 0)
    monkeypatch.setattr(Counted, "stop", 5)
    with pytest.raises(KeyboardInterrupt):
        linearization_study(**options, out=tmp_path)
    assert [path.name for path in (tmp_path / PARTS).iterdir()] == ["linearization-width-8.npz"]
    monkeypatch.setattr(Counted, "drawn", 0)
    monkeypatch.setattr(Counted, "stop", None)
    assert linearization_study(**options, out=tmp_path) == whole
    assert Counted.drawn == 3
    for change, message in (
        ({"random_state": 1}, "random_state was 0, is 1"),
        ({"steps": 7}, "steps was 6, is 7"),
        ({"y": -y}, "data was"),
        ({"X_test": X_TEST}, "data was"),
        ({"learning_rate": 0.01}, "learning_rate was"),
    ):
        with pytest.raises(ValueError, match=message):
            linearization_study(**{**options, **change}, out=tmp_path)


def test_the_result(tmp_path):
    study = linearization_study(**SMALL, X_test=X_TEST)
    assert isinstance(study, LinearizationStudy)
    assert "outputs on test rows ~ width^-" in str(study)
    assert "activation='erf', input_scaling='fan_in', symmetric=True" in study.headline()
    np.testing.assert_allclose(study.outputs, np.sqrt(np.mean(study.gaps["outputs"] ** 2, axis=1)))
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "gaps.png", "training.png", "loss.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["slopes"]["parameters"]["exponent"] == study.slopes["parameters"].exponent
    without = linearization_study(**SMALL)
    assert np.isnan(without.test_outputs).all()
    assert set(without.slopes) == {"outputs", "parameters", "kernel"}
    np.testing.assert_array_equal(without.outputs, study.outputs)


def test_other_forms_of_the_data():
    study = linearization_study(**SMALL)
    thin = linearization_study(**{**SMALL, "X": sparse.csr_array(X), "y": y[:, None]})
    np.testing.assert_allclose(thin.outputs, study.outputs, rtol=1e-8)
    single = linearization_study(**{**SMALL, "X": X.astype(np.float32), "y": y.astype(np.float32)})
    np.testing.assert_allclose(single.outputs, study.outputs, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"widths": [64]}, ValueError, "at least 2 different"),
        ({"y": y[:3]}, ValueError, "a finite target a row, 8 of them"),
        ({"y": y * np.nan}, ValueError, "finite target"),
        ({"y": 0 * y}, ValueError, "nothing to learn"),
        ({"X": 0 * X}, ValueError, "limit is zero"),
        ({"X_test": X[:, :2]}, ValueError, "3 features"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ({"learning_rate": "fast"}, ValueError, "a number or 'auto'"),
        ({"learning_rate": 0}, ValueError, "greater than 0"),
        ({"learning_rate": 10.0}, ValueError, "largest stable"),
        ({"network": TwoLayerNet(parameterization="standard")}, ValueError, "no limit kernel"),
    ],
    ids=str,
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        linearization_study(**{**SMALL, **options})


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_pictures(axes):
    study = linearization_study(**SMALL)
    study.plot(axes)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    labels = " ".join(text.get_text() for text in axes.get_legend().get_texts())
    assert "parameters: width" in labels
    assert "tangent kernel: width" in labels
    assert "test outputs" not in labels
    for picture, n_lines in (("training", 2), ("loss", 5)):
        fresh = plt.figure().add_subplot()
        assert len(study.plot(fresh, picture=picture).lines) == n_lines
    with pytest.raises(ValueError, match="picture must be one of 'gaps', 'training', 'loss'"):
        study.plot(picture="speed")
