"""The displays store what was computed, draw it without computing, and refuse what cannot be drawn."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.linalg import eigvalsh
from sklearn.datasets import load_diabetes, load_wine
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntklib import NTK, NTKClassifierCV, NTKRegressor, NTKRegressorCV
from ntklib.plotting import (
    KernelAngleDisplay,
    KernelHeatmapDisplay,
    KernelSpectrumDisplay,
    LeaveOneOutPathDisplay,
)

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    kernels = [NTK(depth=1, input_scaling="fan_in"), NTK(depth=2, input_scaling="fan_in")]
    return make_pipeline(StandardScaler(), NTKClassifierCV(kernels=kernels)).fit(X, y), X, y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return (
        make_pipeline(StandardScaler(), NTKRegressorCV(kernels=NTK(input_scaling="fan_in"))).fit(X, y),
        X,
        y,
    )


def test_spectrum_of_a_pipeline(diabetes):
    pipeline, _, _ = diabetes
    display = KernelSpectrumDisplay.from_estimator(pipeline)
    model = pipeline[-1]
    eigenvalues = eigvalsh(model.kernel_(model.X_fit_))[::-1]
    np.testing.assert_allclose(display.eigenvalues, eigenvalues, rtol=1e-9, atol=1e-9 * eigenvalues[0])
    assert display.penalty == pytest.approx(model.alpha_)
    # the trace of the smoother K (K + alpha I)^-1
    gram = model.kernel_(model.X_fit_)
    trace = np.trace(np.linalg.solve(gram + model.alpha_ * np.eye(len(gram)), gram))
    assert display.effective_dimension == pytest.approx(trace)
    assert display.ax_.get_xscale() == display.ax_.get_yscale() == "log"
    assert display.ax_.get_ylabel()
    assert display.figure_ is display.ax_.figure


def test_spectrum_of_fewer_rows_scales_the_penalty(diabetes):
    pipeline, _, _ = diabetes
    display = KernelSpectrumDisplay.from_estimator(pipeline, max_samples=100)
    assert len(display.eigenvalues) == 100
    assert display.penalty == pytest.approx(pipeline[-1].alpha_ * 100 / 442)


def test_spectrum_takes_kernel_objects_functions_and_scikit_learns_hosts(diabetes):
    _, X, y = diabetes
    first = KernelSpectrumDisplay.from_kernel(RBF(), X[:50])
    second = KernelSpectrumDisplay.from_kernel(lambda A, B: RBF()(A, B), X[:50])
    np.testing.assert_allclose(first.eigenvalues, second.eigenvalues, atol=1e-12)
    assert first.effective_dimension is None
    KernelSpectrumDisplay.from_estimator(NTKRegressor(NTK(), alpha=[1.0, 2.0]).fit(X, np.c_[y, y]))
    with pytest.raises(ValueError, match="no kernel object"):
        KernelSpectrumDisplay.from_estimator(NTKRegressor("precomputed").fit(RBF()(X), y))
    with pytest.raises(ValueError, match="no kernel object"):
        KernelHeatmapDisplay.from_estimator(KernelRidge().fit(X, y), X, y)


def test_heatmap_is_sorted_and_scaled(wine):
    pipeline, X, y = wine
    order = np.random.default_rng(0).permutation(len(y))
    display = KernelHeatmapDisplay.from_estimator(pipeline, X[order], y[order], max_samples=60)
    assert display.gram.shape == (60, 60)
    np.testing.assert_array_equal(display.y, np.sort(display.y))
    np.testing.assert_allclose(np.diag(display.gram), 1, rtol=1e-12)
    same = display.y[:, None] == display.y
    assert display.gram[same].mean() > display.gram[~same].mean()
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "1", "2"]
    plain = KernelHeatmapDisplay.from_estimator(pipeline, X, y, normalize=False, cmap="magma")
    assert plain.im_.get_cmap().name == "magma"
    assert plain.value_name == "kernel"


def test_heatmap_marks_numbers_by_value(diabetes):
    pipeline, X, y = diabetes
    display = KernelHeatmapDisplay.from_estimator(pipeline, X, y)
    labels = [float(label.get_text()) for label in display.ax_.get_yticklabels()]
    assert labels == sorted(labels)
    assert len(labels) == 5
    assert KernelHeatmapDisplay(np.eye(3)).plot().ax_.get_ylabel() == "samples"


def test_path_of_every_kernel_with_the_choice(wine):
    pipeline, _, _ = wine
    model = pipeline[-1]
    display = LeaveOneOutPathDisplay.from_estimator(pipeline)
    assert list(display.paths) == ["depth 1", "depth 2"]
    scores = np.concatenate([scores for _, scores in display.paths.values()])
    np.testing.assert_array_equal(np.sort(scores), np.sort(model.cv_results_["mean_test_score"]))
    assert display.best == (f"depth {model.kernel_.depth}", model.alpha_, model.best_score_)
    assert display.score_name.startswith("leave-one-out")
    assert display.ax_.get_xscale() == "log"
    assert LeaveOneOutPathDisplay.from_estimator(pipeline, score_name="mine").ax_.get_ylabel() == "mine"


def test_path_needs_a_search():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="searched no penalties"):
        LeaveOneOutPathDisplay.from_estimator(Ridge().fit(X, y))


def test_angle_curves_are_the_kernel_itself(wine):
    pipeline, _, _ = wine
    display = KernelAngleDisplay.from_kernels({"ntk": NTK(), "rbf": RBF()}, norm=2.0, n_angles=5)
    # depth 1 ReLU on rows of one norm: [sin t + 2 (pi - t) cos t] / (2 pi), here relative to its value 1 at 0
    t = np.linspace(0, np.pi, 5)
    np.testing.assert_allclose(
        display.curves["ntk"], (np.sin(t) + 2 * (np.pi - t) * np.cos(t)) / (2 * np.pi), atol=1e-14
    )
    np.testing.assert_allclose(display.curves["rbf"], np.exp(-4 * (1 - np.cos(t))), rtol=1e-12)
    fitted = KernelAngleDisplay.from_estimator(pipeline, label="fitted")
    assert fitted.data_angles.sum() == pytest.approx(1)
    assert fitted.curves["fitted"][0] == 1
    assert fitted.ax_.get_xlim() == (0, 180)


def zero_kernel(A, B):
    return np.zeros((len(A), len(B)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KernelSpectrumDisplay([]), "not empty"),
        (lambda: KernelSpectrumDisplay([np.nan]), "finite"),
        (lambda: KernelSpectrumDisplay([1.0], penalty=-1), "at least 0"),
        (lambda: KernelHeatmapDisplay(np.ones((2, 3))), "square"),
        (lambda: KernelHeatmapDisplay([[np.inf]]), "finite"),
        (lambda: KernelHeatmapDisplay(np.eye(2), y=[1]), "shape"),
        (lambda: LeaveOneOutPathDisplay({}), "one kernel at least"),
        (lambda: LeaveOneOutPathDisplay({"a": ([1.0], [1.0, 2.0])}), "do not go together"),
        (lambda: LeaveOneOutPathDisplay({"a": ([0.0], [1.0])}), "positive"),
        (lambda: LeaveOneOutPathDisplay({"a": ([1.0], [1.0])}, best=("b", 1.0, 1.0)), "not there"),
        (lambda: KernelAngleDisplay([0.0, 1.0], {}), "one kernel at least"),
        (lambda: KernelAngleDisplay([0.0, 1.0], {"a": [1.0]}), "curve 'a'"),
        (
            lambda: KernelAngleDisplay.from_kernels({"zero": zero_kernel}),
            "itself is 0",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_plot_draws_on_given_axes_and_can_be_repeated():
    figure, ax = plt.subplots()
    display = KernelSpectrumDisplay([2.0, 1.0], penalty=0.5).plot(ax=ax, color="black")
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.lines[0].get_color() == "black"
    assert display.plot().ax_ is not ax
