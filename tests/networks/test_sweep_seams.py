"""Sweeps over the registry, cut at every seam: segments of neurons, groups and chunks of rows, blocks."""

import numpy as np
import pytest
from sklearn import config_context

import ntklib
from ntklib.networks.derivatives import _sweep as sweep
from ntklib.networks.derivatives import blocks as derivatives
from tests import naive_networks as naive
from tests.registry_networks import CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_seams_everywhere(case, monkeypatch):
    """Two neurons a segment, one row a group at least, eight a chunk, and every task in a thread."""
    monkeypatch.setattr(sweep, "ROWS", 8)
    monkeypatch.setattr(derivatives, "ROWS", 8)
    monkeypatch.setattr(sweep, "SEGMENTS", (2, 2))
    monkeypatch.setattr(sweep, "SERIAL", 0.0)
    net, params, X = case.network, case.params, np.concatenate([case.X, case.X[::-1], case.X])
    J = np.concatenate([case.jacobian, case.jacobian[::-1], case.jacobian])
    f = np.tile(naive.outputs(net, params, case.X), (3, 1))
    f[6:12] = f[5::-1]
    c = np.random.default_rng(6).normal(size=f.shape).astype(case.dtype)
    size = max(np.abs(J).max(), np.abs(f).max(), np.abs(case.jacobian).sum(axis=2).max() * case.spread)
    gradient = np.einsum("ia,iap->p", c, J)
    shaped = c[:, 0] if net.n_outputs == 1 else c
    for memory, threads in ((1e-4, 1), (1024, 2)):
        with config_context(working_memory=memory), ntklib.set_threads(threads):
            found = case.outputs_as_columns(net.apply(params, X))
            assert np.abs(found - f).max() <= 10 * case.tolerance * size
            found = net.vjp(params, X, shaped)
            assert np.abs(found - gradient).max() <= 10 * case.tolerance * size
            again, found = net.value_and_vjp(params, X, lambda rows, f: shaped[rows])
            assert np.abs(case.outputs_as_columns(again) - f).max() <= 10 * case.tolerance * size
            assert np.abs(found - gradient).max() <= 10 * case.tolerance * size
