"""Tangent kernels along training: against Jacobians of a training of its own, and in the lazy limit."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_iris

from ntklib.dynamics import train
from ntklib.lab.studies import KernelEvolutionStudy, kernel_evolution_study
from ntklib.lab.studies.kernel_evolution import measure
from ntklib.networks import TwoLayerNet

X, y = load_iris(return_X_y=True)
SMALL = {"network": TwoLayerNet(8), "n_train": 30, "n_fresh": 20, "batch_size": 10, "n_draws": 2}


def kernel(net, params, A, B):
    """Sum over the outputs of inner products of gradients, in float64."""
    params = params.replace(**{name: array.astype(float) for name, array in params.items()})
    first, second = (net.jacobian(params, rows.astype(float)) for rows in (A, B))
    return np.einsum("ikp,jkp->ij", first, second)


@pytest.mark.parametrize("regime", ["standard", "lazy"])
def test_measures_by_hand(regime):
    study = kernel_evolution_study(X, y, (0, 1, 3), scale=5.0, **SMALL)
    net = TwoLayerNet(8, n_outputs=3, scale=5.0 if regime == "lazy" else 1.0)
    for draw in range(2):
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw,)))
        on, fresh, off = np.split(rng.permutation(150), [30, 50])
        A = X - X[on].mean(axis=0)
        A = (A / np.sqrt(np.mean(np.sum(A[on] ** 2, axis=1)))).astype(np.float32)
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(draw, 0)))
        start = net.init(4, rng, dtype=np.float32)
        model = net.centered_at(start) if regime == "lazy" else net
        seen = {}

        def look(snapshot, seen=seen):
            seen[snapshot.step] = snapshot.params

        options = {"optimizer": "momentum", "learning_rate": "auto", "batch_size": 10, "record": 3}
        train(model, A[on], np.eye(3)[y[on]], params=start, loss="log_loss", steps=9, callbacks=look,
              random_state=rng, **options)  # fmt: skip
        kernels = [kernel(net, seen[step], A[fresh], A[fresh]) for step in (0, 3, 9)]
        unit = [K / np.linalg.norm(K) for K in kernels]
        rows = study.rows(regime)
        distance = [1 - np.sum(unit[0] * K) for K in unit]
        np.testing.assert_allclose(study.draws["distance"][rows, draw], distance, rtol=1e-2, atol=1e-6)
        velocity = [1 - np.sum(unit[0] * unit[1]), (1 - np.sum(unit[1] * unit[2])) / 2]
        np.testing.assert_allclose(study.draws["velocity"][rows[:2], draw], velocity, rtol=1e-2, atol=1e-6)
        for row, step, K in zip(rows, (0, 3, 9), kernels, strict=True):
            ridge = K + 1e-3 * np.mean(np.diag(K)) * np.eye(20)
            fit = kernel(net, seen[step], A[off], A[fresh]) @ np.linalg.solve(
                ridge, np.eye(3)[y[fresh]] - 1 / 3
            )
            right = np.mean(fit.argmax(axis=1) == y[off])
            assert study.draws["kernel_accuracy"][row, draw] == pytest.approx(right, abs=0.02)
            right = np.mean(model.apply(seen[step], A[off]).argmax(axis=1) == y[off])
            assert study.draws["accuracy"][row, draw] == pytest.approx(right, abs=0.01)


def test_lazy_kernels_stay_and_others_learn():
    """Of a smooth network, whose kernel moves like 1/alpha, so that the distance falls like its square."""
    rows, digit = (values[:500] for values in load_digits(return_X_y=True))
    options = {"network": TwoLayerNet(48, activation="erf", bias_std=0.5), "n_draws": 2, "batch_size": 40}
    study, lazier = (
        kernel_evolution_study(rows, digit, (0, 4, 12), scale=s, **options) for s in (10.0, 40.0)
    )
    standard, lazy = study.rows("standard"), study.rows("lazy")
    assert study.distance[standard[-1]] > 20 * study.distance[lazy[-1]]
    slope = np.log(lazier.distance[lazy[-1]] / study.distance[lazy[-1]]) / np.log(4)
    assert slope == pytest.approx(-2, abs=0.2)
    assert study.gain["standard"][0] > max(0.02, 3 * abs(study.gain["lazy"][0]))
    assert (study.velocity[standard[:-1]] > study.velocity[lazy[:-1]]).all()
    assert study.velocity[standard[0]] > 3 * study.velocity[standard[1]]  # fast at first, slow later


def test_distance_of_kernels():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, 5, 5))
    cosine = np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B)
    assert measure.kernel_distance(A, B) == pytest.approx(1 - cosine)
    assert measure.kernel_distance(A, 3 * A) < 1e-30
    step = 1e-9 * B  # too small for 1 minus the cosine
    expected = 0.5 * (np.sum(B**2) / np.sum(A**2) - cosine**2 * np.sum(B**2) / np.sum(A**2)) * 1e-18
    assert measure.kernel_distance(A, A + step) == pytest.approx(expected, rel=1e-3)


def test_the_result():
    study = kernel_evolution_study(X, y, (2, 1), **SMALL)
    assert isinstance(study, KernelEvolutionStudy)
    assert study.epoch.tolist() == [0, 1, 2] * 2
    assert np.isnan(study.velocity[[2, 5]]).all()
    assert (study.distance[[0, 3]] == 0).all()
    assert study.distance_to_end[[2, 5]].tolist() == [0, 0]
    assert study.n_test == 100
    assert "lazy: kernel at distance" in study.headline()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"X": sparse.csr_array(X)}, TypeError, "toarray"),
        ({"y": y[:9]}, ValueError, "a class label a row, 150"),
        ({"y": y > 0}, ValueError, "three classes"),
        ({"n_train": 100, "n_fresh": 50}, ValueError, "leave test rows"),
        ({"batch_size": 31}, ValueError, "exceeds the 30 training rows"),
        ({"X": 0 * X}, ValueError, "all training rows are equal"),
        ({"epochs": [1]}, ValueError, "at least 2"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        kernel_evolution_study(**{"X": X, "y": y, **SMALL, **options})
