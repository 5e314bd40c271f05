"""Ensembles against brute force, Monte Carlo with its standard error, Gaussian processes, another library."""

import numpy as np
import pytest
from scipy.linalg import expm

from ntklib.dynamics import ensemble, gradient_flow
from ntklib.kernels import nngp_kernel, ntk_kernel
from tests.dynamics.naive_training import descend

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def kernels():
    """Blocks of the NTK and the NNGP kernel, and both over all samples."""
    rng = np.random.default_rng(0)
    X, n = rng.standard_normal((13, 3)), 8
    settings = {"weight_std": 1.2, "bias_std": 0.3, "depth": 2}
    ntk, nngp = ntk_kernel(X, **settings), nngp_kernel(X, **settings)
    blocks = {
        "ntk": ntk[:n, :n],
        "nngp": nngp[:n, :n],
        "ntk_test": ntk[n:, :n],
        "nngp_test": nngp[n:, :n],
        "nngp_test_test": nngp[n:, n:],
    }
    return blocks, ntk, nngp, rng.standard_normal((n, 2))


def propagator(ntk, n, time, ridge=0.0):
    """f_t = A f_0 + b y on all samples, from one matrix exponential of the whole linear system."""
    size = len(ntk)
    generator = np.zeros((size, size))
    generator[:, :n] = -ntk[:, :n]
    start = np.eye(size)
    if ridge:  # (f, f_0)' : f decays to f_0 as well
        generator = np.block(
            [[generator - ridge * np.eye(size), ridge * np.eye(size)], [np.zeros((size, 2 * size))]]
        )
        start = np.vstack([start, start])
    return (expm(time * generator) @ start)[:size]


@pytest.mark.parametrize("ridge", [0.0, 0.4])
def test_brute_force_matrix_exponential(kernels, ridge):
    blocks, ntk, nngp, y = kernels
    times = [0.0, 0.05, 3.0]
    path = ensemble(**blocks, y=y, times=times, ridge=ridge, return_cov=True)
    for i, t in enumerate(times):
        move = propagator(ntk, 8, t, ridge)
        covariance = move @ nngp @ move.T
        np.testing.assert_allclose(path.covariance[i], covariance[:8, :8], atol=1e-11)
        np.testing.assert_allclose(path.test_covariance[i], covariance[8:, 8:], atol=1e-11)
        mean = gradient_flow(blocks["ntk"], y, t, K_test=blocks["ntk_test"], ridge=ridge)
        np.testing.assert_allclose(path.mean[i], mean.outputs[0], atol=1e-12)
        np.testing.assert_allclose(path.test_mean[i], mean.test_outputs[0], atol=1e-12)


def test_monte_carlo(kernels):
    blocks, ntk, nngp, y = kernels
    rng = np.random.default_rng(1)
    draws, steps, settings = 20_000, 25, {"learning_rate": 0.05, "momentum": 0.4, "ridge": 0.1}
    f0 = np.linalg.cholesky(nngp) @ rng.standard_normal((13, draws))
    J = np.linalg.cholesky(ntk)
    w = descend(J[:8], lambda f: f - y[:, :1], f0[:8], steps, **settings)[-1]
    f = f0 + J @ w
    path = ensemble(**blocks, y=y[:, 0], times=steps, return_cov=True, **settings)
    for part, mean, covariance in (
        (f[:8], path.mean[0], path.covariance[0]),
        (f[8:], path.test_mean[0], path.test_covariance[0]),
    ):
        variance = covariance.diagonal()
        z = (part.mean(1) - mean) / np.sqrt(variance / draws)
        assert abs(z).max() < 5
        standard_error = np.sqrt((np.outer(variance, variance) + covariance**2) / draws)
        assert (abs(np.cov(part) - covariance) / standard_error).max() < 5


def test_time_zero_is_the_prior_and_the_end_interpolates(kernels):
    blocks, _, _, y = kernels
    path = ensemble(**blocks, y=y, times=[0.0, np.inf], return_cov=True)
    np.testing.assert_array_equal(path.mean[0], 0)
    np.testing.assert_array_equal(path.test_mean[0], 0)
    np.testing.assert_allclose(path.covariance[0], blocks["nngp"], atol=1e-13)
    np.testing.assert_allclose(path.test_covariance[0], blocks["nngp_test_test"], atol=1e-13)
    np.testing.assert_allclose(path.mean[1], y, atol=1e-12)
    np.testing.assert_array_equal(path.covariance[1], 0)


def posterior(kernel, cross, own):
    return own - cross @ np.linalg.solve(kernel, cross.T)


def test_training_the_last_layer_samples_the_posterior_of_the_nngp(kernels):
    blocks, _, _, y = kernels
    nngp, cross, own = blocks["nngp"], blocks["nngp_test"], blocks["nngp_test_test"]
    path = ensemble(
        nngp, nngp, y, np.inf, ntk_test=cross, nngp_test=cross, nngp_test_test=own, return_cov=True
    )
    np.testing.assert_allclose(path.test_covariance[0], posterior(nngp, cross, own), atol=1e-10)
    np.testing.assert_allclose(path.test_mean[0], cross @ np.linalg.solve(nngp, y), atol=1e-10)


def test_training_all_layers_does_not_sample_the_posterior_of_the_ntk(kernels):
    blocks, ntk, _, y = kernels
    path = ensemble(**blocks, y=y, times=np.inf)
    wrong = np.sqrt(posterior(blocks["ntk"], blocks["ntk_test"], ntk[8:, 8:]).diagonal())
    assert (wrong > 1.2 * path.test_std[0]).all()


def test_neural_tangents_agrees(neural_tangents):
    v = neural_tangents
    blocks = {name: v[name] for name in ("ntk", "nngp", "ntk_test", "nngp_test", "nngp_test_test")}
    path = ensemble(**blocks, y=v["y"], times=v["times"], return_cov=True)
    np.testing.assert_allclose(path.test_mean, v["ensemble_test_mean"], atol=1e-12)
    np.testing.assert_allclose(path.test_covariance, v["ensemble_test_covariance"], atol=1e-12)
    np.testing.assert_allclose(path.mean[:-1], v["ensemble_mean"], atol=1e-12)
    np.testing.assert_allclose(path.covariance[:-1], v["ensemble_covariance"], atol=1e-12)
    blocks |= {"ntk": v["nngp"], "ntk_test": v["nngp_test"]}
    last = ensemble(**blocks, y=v["y"], times=np.inf, return_cov=True)
    np.testing.assert_allclose(last.test_mean[0], v["nngp_posterior_mean"], atol=1e-12)
    np.testing.assert_allclose(last.test_covariance[0], v["nngp_posterior_covariance"], atol=1e-12)


def test_standard_deviations_come_without_covariances(kernels):
    blocks, _, _, y = kernels
    times = [0.0, 1.0, np.inf]
    full = ensemble(**blocks, y=y, times=times, return_cov=True)
    short = ensemble(**blocks, y=y, times=times)
    diagonal = blocks | {"nngp_test_test": blocks["nngp_test_test"].diagonal()}
    shorter = ensemble(**diagonal, y=y, times=times)
    assert short.covariance is short.test_covariance is None
    for path in (short, shorter):
        np.testing.assert_allclose(path.std, full.std, atol=1e-12)
        np.testing.assert_allclose(path.test_std, full.test_std, atol=1e-12)
    np.testing.assert_allclose(full.test_std**2, np.einsum("tii->ti", full.test_covariance), atol=1e-13)
    for covariance in (*full.covariance, *full.test_covariance):
        np.testing.assert_array_equal(covariance, covariance.T)
        assert np.linalg.eigvalsh(covariance).min() > -1e-12
    only_train = ensemble(blocks["ntk"], blocks["nngp"], y, times)
    assert only_train.test_mean is None
    np.testing.assert_allclose(only_train.std, full.std, atol=1e-12)


def test_whole_weights_are_repetitions(kernels):
    blocks, _, _, y = kernels
    w = np.array([1, 2, 1, 3, 1, 1, 2, 1])
    i = np.repeat(np.arange(8), w)
    weighted = ensemble(**blocks, y=y, times=[0.5], sample_weight=w, return_cov=True)
    repeated = ensemble(
        blocks["ntk"][np.ix_(i, i)],
        blocks["nngp"][np.ix_(i, i)],
        y[i],
        [0.5],
        ntk_test=blocks["ntk_test"][:, i],
        nngp_test=blocks["nngp_test"][:, i],
        nngp_test_test=blocks["nngp_test_test"],
        return_cov=True,
    )
    np.testing.assert_allclose(weighted.test_mean, repeated.test_mean, atol=1e-10)
    np.testing.assert_allclose(weighted.test_covariance, repeated.test_covariance, atol=1e-10)
    np.testing.assert_allclose(weighted.covariance[0][np.ix_(i, i)], repeated.covariance[0], atol=1e-10)


def test_the_record_prints(kernels):
    blocks, _, _, y = kernels
    text = repr(ensemble(**blocks, y=y, times=[0.0, 1.0])).splitlines()
    assert text[0] == "EnsembleTrajectory: gradient flow; 8 samples, 2 times"
    assert text[1].split() == ["time", "mean", "std", "test"]
    assert len(text) == 4
    text = repr(ensemble(blocks["ntk"], blocks["nngp"], y, np.arange(30), learning_rate=0.01))
    assert "..." in text
    assert "gradient descent" in text


def test_bad_input_is_refused(kernels):
    blocks, _, _, y = kernels
    with pytest.raises(ValueError, match="all of ntk_test, nngp_test and nngp_test_test, or none"):
        ensemble(blocks["ntk"], blocks["nngp"], y, 1.0, ntk_test=blocks["ntk_test"])
    with pytest.raises(ValueError, match=r"nngp must have shape \(8, 8\)"):
        ensemble(blocks["ntk"], blocks["nngp"][:3, :3], y, 1.0)
    with pytest.raises(ValueError, match=r"nngp_test must have shape \(5, 8\)"):
        ensemble(**(blocks | {"nngp_test": blocks["nngp_test"][:2]}), y=y, times=1.0)
    diagonal = blocks["nngp_test_test"].diagonal()
    with pytest.raises(ValueError, match=r"nngp_test_test must have shape \(5, 5\)"):
        ensemble(**(blocks | {"nngp_test_test": diagonal}), y=y, times=1.0, return_cov=True)
    with pytest.raises(ValueError, match="momentum belongs to gradient descent"):
        ensemble(blocks["ntk"], blocks["nngp"], y, 1.0, momentum=0.5)
    with pytest.raises(ValueError, match="largest stable step"):
        ensemble(blocks["ntk"], blocks["nngp"], y, 1, learning_rate=1e3)
    with pytest.raises(ValueError, match="nngp contains NaN"):
        ensemble(blocks["ntk"], blocks["nngp"] * np.nan, y, 1.0)
