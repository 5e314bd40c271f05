"""Finite networks against their limits: sizes and rates of the error, and studies that can be trusted."""

import json
import os
import signal
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context

import ntklib
import ntklib.theory
from ntklib.kernels import ABReLU, Monomial, NumericalActivation, RectifiedPower
from ntklib.lab.network_text import network_text
from ntklib.lab.parts import PARTS
from ntklib.lab.studies import WidthStudy, fit_power_law, width_study
from ntklib.networks import MLP, TwoLayerNet

# rows of lengths from 0.3 to 3, the last along the first
X = np.random.default_rng(1).normal(size=(5, 3)) * np.array([[0.2], [0.5], [1.0], [2.0], [1.0]])
X[4] = -2 * X[0]


def follows_the_law(study):
    """The error has its exact size where that is known, and falls like width^-1/2."""
    assert abs(study.slope.exponent + 0.5) < 5 * study.slope.standard_error
    assert study.slope.standard_error < 0.06
    if np.isfinite(study.exact_error).all():
        ratio, error = study.exact_ratio
        assert abs(ratio - 1) < 5 * error
        assert error < 0.1


@pytest.mark.parametrize(
    ("degree", "output_init", "trainable"),
    [  # any two of these options in any combination
        (degree, ("gaussian", "rademacher")[(degree + index) % 2], trainable)
        for degree in (1, 2, 3)
        for index, trainable in enumerate(("all", "hidden", "output"))
    ],
)
def test_the_error_has_its_exact_size(degree, output_init, trainable):
    activation = RectifiedPower(degree)
    net = TwoLayerNet(1, activation=activation, output_init=output_init, trainable=trainable)
    # a cubed Gaussian has heavy tails, which average out in wide nets only
    widths, n_draws = ((128, 1024), 200) if degree < 3 else ((512, 4096), 500)
    study = width_study(X, widths, network=net, n_draws=n_draws, random_state=degree)
    assert np.isfinite(study.exact_error).all()
    follows_the_law(study)


@pytest.mark.parametrize(
    "options",
    [
        {"symmetric": True},
        {"symmetric": True, "output_init": "rademacher", "bias_std": 0.5},
        {"weight_std": 2.0, "bias_std": 0.5, "input_scaling": "fan_in", "scale": 3.0},
        {"activation": "leaky_relu", "parameterization": "mean_field", "bias_std": 0.3},
        {"parameterization": "mup"},
        {"parameterization": "mup", "bias_std": 1.0, "activation": ABReLU(-0.5, 2.0)},
        {"parameterization": "mup", "weight_std": 2.0, "scale": 0.5},
        {"activation": Monomial(2), "symmetric": True, "parameterization": "mean_field"},
        {"activation": "step", "bias_std": 0.5},
    ],
    ids=str,
)
def test_the_error_has_its_exact_size_with_other_options(options):
    study = width_study(X, (128, 1024), network=TwoLayerNet(1, **options), n_draws=200)
    assert np.isfinite(study.exact_error).all()
    follows_the_law(study)


def test_every_entry_has_its_variance():
    """Not their sum only; with the network's own draws, not the study's."""
    net, draws = TwoLayerNet(64, activation=RectifiedPower(2)), 3000
    law = ntklib.theory.ntk_variance(X, degree=2, width=64)
    rng = np.random.default_rng(0)
    kernels = np.array([net.ntk(net.init(3, rng), X) for _ in range(draws)])
    for sample, expected in ((kernels, law.kernel), ((kernels - law.kernel) ** 2, law.variance)):
        error = sample.std(axis=0) / np.sqrt(draws)
        settled = error > 0  # opposite rows share no active neuron
        assert np.abs((sample.mean(axis=0) - expected)[settled] / error[settled]).max() < 5
        assert np.abs((sample.mean(axis=0) - expected)[~settled]).max(initial=0) < 1e-15


@pytest.mark.parametrize(
    "network",
    [
        MLP((1, 1), bias_std=0.3, weight_std=1.4),
        MLP((1, 1, 1), bias_std=0.2, weight_std=1.4, input_scaling="fan_in", symmetric=True),
        MLP((1, 1), activation="erf", bias_std=0.5, trainable="hidden"),
        MLP((1, 1), bias_std=0.3, parameterization="mean_field"),
        MLP((1, 1), parameterization="mup", weight_std=1.4),
        MLP((1, 1), parameterization="mup", bias_std=1.0, output_init="rademacher"),
        TwoLayerNet(1, activation="tanh", bias_std=0.3),
    ],
    ids=lambda net: str(net).replace("\n", ""),
)
def test_deep_networks_tend_to_their_limit_at_the_same_rate(network):
    study = width_study(X, (32, 256), network=network, n_draws=150)
    assert np.isnan(study.exact_error).all()
    follows_the_law(study)
    assert abs(study.operator_slope.exponent + 0.5) < 5 * study.operator_slope.standard_error


@pytest.mark.parametrize("depth", [1, 2])
def test_the_standard_kernel_over_width_tends_to_a_kernel(depth):
    """Layers that read neurons grow like width, the first does not: NTK / width keeps the former."""
    net = MLP((1,) * depth, parameterization="standard", weight_std=1.4)
    with pytest.raises(ValueError, match="ntk / width"):
        width_study(X, (64, 128), network=net)
    limit = ntklib.NTK(depth, weight_std=1.4, trainable=tuple(range(1, depth + 1)))(X) / 1.4**2
    widths, draws = np.array([256, 1024, 4096][: 4 - depth]), 60
    squared = np.empty((len(widths), draws))
    rng = np.random.default_rng(0)
    for i, width in enumerate(widths):
        wide = net.set_params(widths=(int(width),) * depth)
        for j in range(draws):
            squared[i, j] = ((wide.ntk(wide.init(3, rng), X) / width - limit) ** 2).sum()
    rms = np.sqrt(squared.mean(axis=1))
    error = squared.std(axis=1) / np.sqrt(draws) / (2 * rms)
    law = fit_power_law(widths, rms, error)
    assert abs(law.exponent + 0.5) < 5 * law.standard_error
    assert law.standard_error < 0.08
    assert rms[-1] < 0.1 * np.linalg.norm(limit)


def test_errors_and_eigenvalues_are_those_of_the_matrices():
    net = TwoLayerNet(1)
    study = width_study(X, (8, 16), network=net, n_draws=3, random_state=5)
    limit = net.limit_kernel()(X)
    for i, width in enumerate((8, 16)):
        for draw in range(3):
            rng = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(width, draw)))
            wide = TwoLayerNet(width)
            kernel = wide.ntk(wide.init(3, rng), X)
            size = np.linalg.norm(kernel - limit) / np.linalg.norm(limit)
            assert study.squared_errors[i, draw] == pytest.approx(size**2)
            size = np.linalg.norm(kernel - limit, 2) / np.linalg.norm(limit, 2)
            assert study.operator_errors[i, draw] == pytest.approx(size)
            assert study.eigenvalues[i, draw] == pytest.approx(np.linalg.eigvalsh(kernel)[0], abs=1e-12)
    np.testing.assert_allclose(study.error, np.sqrt(study.squared_errors.mean(axis=1)))
    np.testing.assert_allclose(study.min_eigenvalue, study.eigenvalues.mean(axis=1))
    assert study.limit_eigenvalue == pytest.approx(np.linalg.eigvalsh(limit)[0])


def bytes_of(study):
    return json.dumps(study.to_dict(), sort_keys=True)


def test_the_same_bytes_at_any_thread_count_and_memory():
    rows = np.random.default_rng(0).normal(size=(70, 9))
    found = set()
    for threads in (1, 2, 3):
        with ntklib.set_threads(threads):
            found.add(bytes_of(width_study(rows, (64, 300), n_draws=6)))
    assert len(found) == 1
    assert bytes_of(width_study(rows, (300, 64, 64), n_draws=6)) in found  # nor does the order matter
    with config_context(working_memory=0.001):
        assert width_study(rows, (64, 300), n_draws=6).slope.exponent == pytest.approx(
            json.loads(found.pop())["slope"]["exponent"], rel=1e-9
        )


class Counted(TwoLayerNet):
    """Counts the kernels it computes, and is interrupted at one of them."""

    __init__ = TwoLayerNet.__init__
    __name__ = "TwoLayerNet"
    computed, stop = 0, None

    def ntk(self, *arguments, **options):
        type(self).computed += 1
        if self.computed == self.stop:
            raise KeyboardInterrupt
        return super().ntk(*arguments, **options)


def test_a_study_stopped_midway_goes_on(tmp_path, monkeypatch):
    widths, draws = (16, 32, 64), 10
    whole = width_study(X, widths, network=Counted(1), n_draws=draws)
    monkeypatch.setattr(Counted, "computed", 0)
    monkeypatch.setattr(Counted, "stop", 25)
    with pytest.raises(KeyboardInterrupt):
        width_study(X, widths, network=Counted(1), n_draws=draws, out=tmp_path)
    kept = sorted(path.name for path in (tmp_path / PARTS).iterdir())
    assert kept == ["width-width-16.npz", "width-width-32.npz"]
    monkeypatch.setattr(Counted, "computed", 0)
    monkeypatch.setattr(Counted, "stop", None)
    resumed = width_study(X, widths, network=Counted(1), n_draws=draws, out=tmp_path)
    assert Counted.computed == draws
    assert bytes_of(resumed) == bytes_of(whole)
    assert resumed == whole
    width_study(X, (*widths, 128), network=Counted(1), n_draws=draws, out=tmp_path)  # one more width
    assert Counted.computed == 2 * draws
    for change, message in (
        ({"random_state": 1}, "random_state was 0, is 1"),
        ({"n_draws": 11}, "n_draws was 10, is 11"),
        ({"network": Counted(1, bias_std=0.1)}, "bias_std"),
        ({"X": X[:4]}, "data was"),
    ):
        options = {"X": X, "network": Counted(1), "n_draws": draws} | change
        with pytest.raises(ValueError, match=message):
            width_study(widths=widths, out=tmp_path, **options)


def test_a_study_killed_midway_goes_on(tmp_path):
    """From outside, without a chance to tidy up."""
    child = os.fork()
    if child == 0:
        try:
            width_study(np.eye(3), (16, 32, 300_000), n_draws=50, out=tmp_path)
        finally:
            os._exit(0)
    last = tmp_path / PARTS / "width-width-32.npz"
    deadline = time.monotonic() + 60
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / PARTS).glob("*.npz")}
    assert len(before) == 2
    study = width_study(np.eye(3), (16, 32, 64), n_draws=50, out=tmp_path)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert study == width_study(np.eye(3), (16, 32, 64), n_draws=50)


def test_the_result(tmp_path):
    study = width_study(X, (8, 32, 128), n_draws=5)
    assert isinstance(study, WidthStudy)
    assert "exact expectation" in str(study)
    assert "width^-0." in str(study)
    exact = ntklib.theory.ntk_variance(X, width=1)
    assert abs(study.width_for(0.01) - exact.width_for(0.01)) <= 1
    with pytest.raises(ValueError, match="error must be"):
        study.width_for(0)
    assert [row["width"] for row in study.records()] == [8, 32, 128]
    assert list(study.frame().columns) == list(study.columns)
    files = {path.name for path in study.save(tmp_path).iterdir()}
    assert files == {"results.json", "results.csv", "error.png", "eigenvalue.png"}
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["table"]["error"] == study.error.tolist()
    assert content["slope"]["exponent"] == study.slope.exponent
    assert content["network"] == "TwoLayerNet(width=m)"
    deep = width_study(X, (8, 32), network=MLP((9, 9)), n_draws=2)
    assert deep.width_for(0.1) == pytest.approx(np.mean(deep.width * deep.error**2) / 0.01, abs=1)
    assert "exact" not in deep.headline()
    assert deep.records()[0]["exact_error"] != deep.records()[0]["exact_error"]
    assert "MLP(widths=(m, m))" in deep.headline()


def test_sparse_and_single_precision_rows_and_user_functions():
    study = width_study(X, (8, 32), n_draws=3)
    thin = width_study(sparse.csr_array(X), (8, 32), n_draws=3)
    np.testing.assert_allclose(thin.error, study.error, rtol=1e-10)
    single = width_study(X.astype(np.float32), (8, 32), n_draws=3)
    assert single.error.dtype == np.float64
    np.testing.assert_allclose(single.error, study.error, rtol=1e-4)
    net = TwoLayerNet(1, activation=NumericalActivation(np.arctan, lambda z: 1 / (1 + z * z)))
    assert " at 0x" not in width_study(X, (8, 32), n_draws=2, network=net).network


def test_functions_of_one_name_are_not_taken_for_each_other(tmp_path):
    def network(factor):
        return TwoLayerNet(
            1, activation=NumericalActivation(lambda z: factor * z, lambda z: factor * np.ones_like(z))
        )

    width_study(X, (4, 8), n_draws=2, network=network(1.0), out=tmp_path)
    with pytest.raises(ValueError, match="another study"):
        width_study(X, (4, 8), n_draws=2, network=network(2.0), out=tmp_path)


def test_no_ratio_where_nothing_varies():
    """Output signs and one slope everywhere: the hidden layer's kernel is its limit at any width."""
    net = TwoLayerNet(1, activation="identity", output_init="rademacher", trainable="hidden")
    study = width_study(X[:2], (4, 8), n_draws=2, network=net)
    assert np.isnan(study.exact_ratio[0])
    assert "exact expectation" not in study.headline()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": "relu"}, TypeError, "network must be a TwoLayerNet or an MLP"),
        ({"widths": [64]}, ValueError, "at least 2 different"),
        ({"widths": 64}, TypeError, "sequence of integers"),
        ({"widths": [0, 4]}, ValueError, "each of widths must be at least 1"),
        ({"widths": [1.5, 4]}, TypeError, "each of widths must be an integer"),
        ({"n_draws": 1}, ValueError, "n_draws must be at least 2"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
        ({"network": TwoLayerNet(1, n_outputs=2)}, ValueError, "2 outputs"),
        ({"network": TwoLayerNet(1, parameterization="standard")}, ValueError, "no limit kernel"),
        ({"X": np.zeros((2, 2))}, ValueError, "limit is zero"),
        ({"X": [[np.nan]]}, ValueError, "NaN"),
    ],
)
def test_what_cannot_be_studied(options, error, message):
    with pytest.raises(error, match=message):
        width_study(**{"X": X, "widths": (4, 8), **options})


def test_power_laws():
    x = np.array([1.0, 10.0, 100.0])
    law = fit_power_law(x, 3 * x**-0.7, 0.01 * x**-0.7)
    assert (law.exponent, law.log_prefactor) == (pytest.approx(-0.7), pytest.approx(np.log(3)))
    np.testing.assert_allclose(law(x), 3 * x**-0.7)
    # the exponent is (log y_3 - log y_1) / (2 log 10)
    assert law.standard_error == pytest.approx(np.sqrt(2) * (0.01 / 3) / (2 * np.log(10)))
    assert law.high - law.low == pytest.approx(2 * 1.959964 * law.standard_error)
    assert fit_power_law(x, x, x / 100, degrees_of_freedom=3).low < fit_power_law(x, x, x / 100).low
    assert np.isnan(fit_power_law(x, 0 * x, x).exponent)
    steep = fit_power_law(np.array([10_000, 10_001]), np.array([1.0, 2.0]), np.ones(2))  # no overflow
    np.testing.assert_allclose(steep(np.array([10_000, 10_001])), [1, 2], rtol=1e-6)
    with pytest.raises(ValueError, match="two different x"):
        fit_power_law(x * 0, x, x)


def test_the_intervals_hold_what_they_promise():
    """95 % of them hold the exponent: 1000 simulated studies leave room for 4 to 6.5 %."""
    rng, x, draws = np.random.default_rng(0), np.array([64.0, 256.0, 1024.0]), 30
    missed = 0
    for _ in range(1000):
        squares = rng.chisquare(6, size=(3, draws)) / x[:, None]
        mean, spread = squares.mean(axis=1), squares.std(axis=1, ddof=1) / np.sqrt(draws)
        law = fit_power_law(
            x, np.sqrt(mean), spread / (2 * np.sqrt(mean)), degrees_of_freedom=3 * (draws - 1)
        )
        missed += not law.low < -0.5 < law.high
    assert 30 <= missed <= 80


@pytest.fixture
def axes():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_pictures(axes):
    study = width_study(X, (8, 32, 128), n_draws=5)
    assert study.plot(axes) is axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    (legend,) = [text.get_text() for text in axes.get_legend().get_texts() if "exact" in text.get_text()]
    assert legend == "exact expectation, Frobenius norm"
    line = next(line for line in axes.lines if line.get_label() == legend)
    np.testing.assert_array_equal(line.get_ydata(), study.exact_error)
    axes.clear()
    study.plot(axes, picture="eigenvalue")
    assert axes.get_ylabel().startswith("smallest eigenvalue")
    axes.clear()
    width_study(X, (8, 32), network=MLP((1, 1)), n_draws=2).plot(axes)
    assert not [text for text in axes.get_legend().get_texts() if "exact" in text.get_text()]


def test_a_description_does_not_depend_on_how_scikit_learn_prints():
    net = TwoLayerNet(activation="erf", symmetric=True)
    with config_context(print_changed_only=False):
        assert network_text(net, width="m") == "TwoLayerNet(activation='erf', symmetric=True, width=m)"
    assert network_text(net, width="m") == "TwoLayerNet(activation='erf', symmetric=True, width=m)"
