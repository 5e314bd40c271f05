"""Versions, warm-up and the cost of the import."""

import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numba
import numpy as np
import pytest

import ntklib
from ntklib._core import blocks as _blocks
from ntklib._info import versions, warmup
from ntklib.kernels import ntk_kernel


def test_versions_name_what_matters():
    found = versions()
    assert {"python", "numpy", "scipy", "scikit-learn", "numba", "threads", "threading layer"} <= found.keys()
    assert found["numpy"] == np.__version__
    assert found["numba"] == numba.__version__
    assert any(name.startswith("BLAS in") for name in found)
    file = io.StringIO()
    ntklib.show_versions(file)
    assert len(file.getvalue().splitlines()) == len(found)


def test_versions_name_every_package_that_ntklib_needs():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["parquet"]
    assert {re.split("[>=]", name)[0] for name in needed} <= versions().keys()


def test_warmup_leaves_nothing_to_compile():
    warmup()
    code = """
import numpy as np, ntklib
from ntklib.estimators.features import tangent
from ntklib.kernels.duals import _angular
from ntklib.kernels.gram import gaps, pairs, rows
from ntklib.networks import MLP, TwoLayerNet
from ntklib.networks.derivatives import loops as net_loops
X = np.random.default_rng(0).standard_normal((300, 3))
nets = TwoLayerNet(200), TwoLayerNet(200, output_init="rademacher", symmetric=True), MLP(bias_std=0.1)
for dtype in (np.float64, np.float32):
    ntklib.NTK(depth=2, bias_std=0.1)(X[:50].astype(dtype), X[:5].astype(dtype))
    ntklib.NTK(bias_std=0.1)(X[:50].astype(dtype), eval_gradient=True)
    for net in nets:
        params = net.init(3, 0, dtype=dtype)
        net.ntk(params, X.astype(dtype), X[:5].astype(dtype))
        net.vjp(params, X.astype(dtype), np.ones(300))
    ntklib.TangentFeatures(n_components=10).fit_transform(X.astype(dtype))
kernels = [_angular.angular_tile, gaps._gaps_from_product, pairs.store, rows._measure]
found = [vars(module).values() for module in (tangent, net_loops)]
networks = [loop for values in found for loop in values if hasattr(loop, "stats")]
misses = [[sum(loop.stats.cache_misses.values()) for loop in loops] for loops in (kernels, networks)]
print(len(networks) >= 5, *map(sum, misses))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "0", "0"]


def test_too_large_a_gram_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(_blocks, "available_memory", lambda: 10**6)
    with pytest.raises(MemoryError, match=r"1,000 x 1,000 float64 Gram matrix needs 0\.0 GiB.*Nystroem"):
        ntk_kernel(np.ones((1000, 2)))
    assert ntk_kernel(np.ones((300, 2))).shape == (300, 300)


def test_available_memory_is_known_here():
    free = _blocks.available_memory()
    assert free is not None
    assert 10**6 < free < 10**15
