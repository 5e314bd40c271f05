"""The two phases of training by width and output scale: where they must meet, against a network by hand."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_iris

from ntklib.lab.studies import PhaseDiagramStudy, phase_diagram_study
from ntklib.lab.studies.phase_diagram import measure
from ntklib.networks import TwoLayerNet

X, labels = load_iris(return_X_y=True)
y = labels - 1.0


@pytest.fixture(scope="module")
def study():
    scales = (0.01, 0.1, 1.0, 10.0)
    rows, digit = (values[:200] for values in load_digits(return_X_y=True))
    late = np.where(digit > 4, 1.0, -1.0)
    return phase_diagram_study(rows, late, (16, 128), scales, n_train=60, steps=300, n_draws=2)


def test_the_phases_meet_at_the_inverse_root_of_the_width(study):
    for task, error in (("rows", 0.1), ("spiral", 0.3)):
        boundary = study.boundaries[task]
        assert boundary.exponent == pytest.approx(-0.5, abs=error)
        assert (boundary.scale * np.sqrt(boundary.width) > 0.5).all()
        assert (boundary.scale * np.sqrt(boundary.width) < 10).all()


def test_both_ends(study):
    """Far in the feature phase the kernel grows like the inverse of alpha; far in the lazy one it stays."""
    change = study.draws["kernel_change"].mean(axis=1).reshape(2, 2, 4)
    assert (np.diff(change, axis=-1) < 0).all()
    slope = np.log10(change[0, :, 1] / change[0, :, 0])
    np.testing.assert_allclose(slope, -1, atol=0.25)
    assert change[:, 1, 3].max() < 0.05
    assert study.control[study.rows("spiral", 16)].tolist() == pytest.approx([0.04, 0.4, 4, 40])


def test_a_training_by_hand():
    """Heavy ball on alpha (f - f_0) with Jacobians, in float64."""
    study = phase_diagram_study(
        X, y, (8, 9), (0.5, 2.0), network=TwoLayerNet(activation="erf"), tasks=["rows"], n_train=20, steps=15,
        n_draws=2, tolerance=1e-12,
    )  # fmt: skip
    for draw in range(2):
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw, 0)))
        on, off = np.split(rng.permutation(150), [20])
        A = X - X[on].mean(axis=0)
        A /= np.sqrt(np.mean(np.sum(A[on] ** 2, axis=1)))
        t = y / np.sqrt(np.mean(y[on] ** 2))
        net = TwoLayerNet(8, activation="erf")
        seed = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw, 0, 8)))
        start = net.init(4, seed, dtype=np.float32)
        start = start.replace(**{name: array.astype(float) for name, array in start.items()})
        limit = np.linalg.eigvalsh(net.limit_kernel()(A[on]))[-1]
        for column, alpha in enumerate((0.5, 2.0)):
            params, velocity = start, np.zeros(net.n_params(4))
            f0 = net.apply(start, A)
            for _ in range(15):
                residual = alpha * (net.apply(params, A[on]) - f0[on]) - t[on]
                gradient = alpha * net.jacobian(params, A[on]).T @ residual
                velocity = 0.9 * velocity + gradient
                rate = 0.5 / limit / (alpha**2 + alpha / np.sqrt(8))
                params = net.unravel(params, net.ravel(params) - rate * velocity)
            outputs = alpha * (net.apply(params, A[off]) - f0[off])
            first, last = (net.jacobian(p, A[on]) @ net.jacobian(p, A[on]).T for p in (start, params))
            change = np.linalg.norm(last - first) / np.linalg.norm(first)
            assert study.draws["kernel_change"][column, draw] == pytest.approx(change, rel=1e-2)
            loss = np.mean((outputs - t[off]) ** 2) / np.mean(t[off] ** 2)
            assert study.draws["test_loss"][column, draw] == pytest.approx(loss, rel=1e-2)
            wrong = np.mean(outputs * t[off] <= 0)
            assert study.draws["test_error"][column, draw] == pytest.approx(wrong, abs=0.02)


def test_the_spiral():
    split = measure.draw_spiral(200, np.random.default_rng(0))
    assert split.X.shape == (200, 2)
    assert np.mean(np.sum(split.X**2, axis=1)) == pytest.approx(1)
    distance = np.linalg.norm(split.X_test[:, None] - split.X, axis=2)
    nearest = split.y[distance.argmin(axis=1)]
    assert np.mean(nearest == split.y_test) > 0.9  # arms are apart
    weights = np.linalg.lstsq(split.X, split.y, rcond=None)[0]
    assert np.mean(np.sign(split.X_test @ weights) == split.y_test) < 0.75  # and no line parts them


def test_the_result(study):
    assert isinstance(study, PhaseDiagramStudy)
    assert study.tasks == ["rows", "spiral"]
    assert "theory: -1/2" in study.headline()
    assert study.network == "TwoLayerNet(bias_std=1.0, weight_std=1.4142135623730951, width=m)"
    lazy = phase_diagram_study(X, y, (8, 16), (30.0, 100.0), tasks=["rows"], n_train=10, steps=3, n_draws=2)
    assert np.isnan(lazy.boundaries["rows"].exponent)  # no scale at which the phases meet


def test_networks_that_diverge_leave_a_gap(monkeypatch):
    monkeypatch.setattr(measure, "largest_stable_step", lambda K: 1e6)
    study = phase_diagram_study(X, y, (8, 16), (1.0, 3.0), tasks=["rows"], n_train=10, steps=30, n_draws=2)
    assert np.isnan(study.test_loss).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"X": sparse.csr_array(X)}, TypeError, "toarray"),
        ({"n_train": 150}, ValueError, "leave some of the 150 rows"),
        ({"network": TwoLayerNet(parameterization="mean_field")}, ValueError, "scales are of 'ntk'"),
        ({"tasks": ["circle"]}, ValueError, "tasks"),
        ({"widths": [8]}, ValueError, "at least 2"),
        ({"X": 0 * X, "tasks": ["rows"]}, ValueError, "all training rows are equal"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        phase_diagram_study(**{"X": X, "y": y, **options})
